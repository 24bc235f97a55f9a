"""Drawn pictures where one tile decides the class, so that the right explanation is known.

A picture is a textured ground of 6 x 6 tiles. In one tile stands a glyph, drawn in light and dark
strokes; the class is the kind of the glyph, or ``"nothing"`` if there is none. The glyph adds as
much light as it takes away, to each colour: the mean colour of its tile is that of the ground,
and a tile that is replaced by its mean colour shows no trace of what stood there. Then the right
class is ``"nothing"``. A faithful explanation must put the deciding tile first;
``extra["deciding"]`` has it.

Picture number `i` of a split depends on the seed, the split and `i`, not on the number of
pictures: a smaller set is the beginning of a larger one. Classes take turns, so one picture in
five has no glyph.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from xai_lib.data.image_dataset import ImageDataset
from xai_lib.rng import generator

TILES = 6
"""Tiles each way."""
TILE_SIDE = 16
"""Pixels of a tile each way."""
SIDE = TILES * TILE_SIDE
"""Pixels of a picture each way."""

NOTHING = "nothing"

# With these no pixel is ever cut off at black or white but by four standard deviations of noise;
# cutting off would move the mean colour.
_CONTRAST = (45.0, 65.0)  # Largest change of a pixel, in grey levels.
_GROUND = (105.0, 150.0)  # Colours that the gradient runs between.
_GRAIN, _CLOUD = 8.0, 5.0  # Standard deviations of the noise: of a pixel, of 8 x 8 pixels.

Grid = np.ndarray
"""(16, 16) float: a coordinate of each pixel of a tile, from the centre of the glyph."""


def _lines(distance: Grid) -> Grid:
    """Light where the distance from the middle of a stroke is below 1, dark from 1 to 2.5."""
    return (distance < 1.0) * 1.0 - ((distance >= 1.0) & (distance < 2.5))


def _ring(x: Grid, y: Grid, _: int) -> Grid:
    return _lines(np.abs(np.hypot(x, y) - 4.5))


def _cross(x: Grid, y: Grid, _: int) -> Grid:
    short = np.minimum(np.abs(x), np.abs(y))
    return np.where(np.maximum(np.abs(x), np.abs(y)) < 6.5, _lines(short), 0.0)


def _stripes(x: Grid, y: Grid, turn: int) -> Grid:
    along = x if turn else y
    return np.where(np.maximum(np.abs(x), np.abs(y)) < 6.5, np.sign(np.sin(along * np.pi / 2)), 0)


def _checkers(x: Grid, y: Grid, _: int) -> Grid:
    squares = np.sign(np.sin(x * np.pi / 3)) * np.sign(np.sin(y * np.pi / 3))
    return np.where(np.maximum(np.abs(x), np.abs(y)) < 6.5, squares, 0.0)


GLYPHS: dict[str, Callable[[Grid, Grid, int], Grid]] = {
    "ring": _ring,
    "cross": _cross,
    "stripes": _stripes,
    "checkers": _checkers,
}
"""Kinds of glyphs; a function draws one from the coordinates and a quarter turn (0 or 1)."""

SHAPE_CLASSES = (*GLYPHS, NOTHING)


def shapes(n: int, split: str = "train", seed: int = 0) -> ImageDataset:
    """Draw pictures whose class is decided by one tile.

    Parameters
    ----------
    n
        Number of pictures; picture `i` has class ``i % 5`` of ring, cross, stripes, checkers,
        nothing.
    split
        Pictures of different splits are drawn apart.
    seed
        Seed of the pictures.

    Returns
    -------
    ImageDataset
        Pictures of 96 x 96 pixels. ``extra["deciding"]``: the tile of the glyph, 0 to 35 row by
        row from the upper left, or -1 where there is none.

    Raises
    ------
    ValueError
        If `n` is negative.
    """
    if n < 0:
        raise ValueError(f"n is {n}; valid are 0 and more.")
    images, labels, deciding = [], [], []
    for i in range(n):
        rng = generator(seed, "shapes", split, i)
        picture = ground(rng)
        label, tile = i % len(SHAPE_CLASSES), -1
        if SHAPE_CLASSES[label] != NOTHING:
            tile = int(rng.integers(TILES * TILES))
            top, left = (TILE_SIDE * k for k in divmod(tile, TILES))
            drawn = glyph(SHAPE_CLASSES[label], rng)
            picture[top : top + TILE_SIDE, left : left + TILE_SIDE] += drawn
        images.append(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
        labels.append(label)
        deciding.append(tile)
    return ImageDataset(
        name="shapes",
        split=split,
        images=tuple(images),
        labels=np.array(labels, dtype=np.int64),
        classes=SHAPE_CLASSES,
        source="generated",
        extra={"deciding": tuple(deciding)},
        notes=("Drawn by the library: one tile of 36 holds a glyph that decides the class.",),
    )


def ground(rng: np.random.Generator) -> np.ndarray:
    """Draw the ground: a gradient between two colours at some angle, with coarse and fine noise.

    Parameters
    ----------
    rng
        Where the draw comes from.

    Returns
    -------
    (96, 96, 3) float array
        Grey levels.
    """
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[:SIDE, :SIDE] / (SIDE - 1) - 0.5
    # From 0 in one corner at most to 1 in the opposite one.
    along = (rows * np.sin(angle) + columns * np.cos(angle)) / np.sqrt(2) + 0.5
    first, second = rng.uniform(*_GROUND, size=(2, 3))
    clouds = rng.normal(0, _CLOUD, size=(SIDE // 8, SIDE // 8, 3)).repeat(8, 0).repeat(8, 1)
    grain = rng.normal(0, _GRAIN, size=(SIDE, SIDE, 1))  # Grey: the same in all channels.
    picture: np.ndarray = first + along[..., None] * (second - first) + clouds + grain
    return picture


def glyph(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Draw what a glyph adds to the ground of its tile.

    Parameters
    ----------
    kind
        A name of `GLYPHS`.
    rng
        Decides place (up to one pixel off the centre), turn, sign, colour and contrast.

    Returns
    -------
    (16, 16, 3) float array
        Grey levels; sums to 0 in each colour.
    """
    middle = (TILE_SIDE - 1) / 2 + rng.uniform(-1, 1, size=2)
    rows, columns = np.mgrid[:TILE_SIDE, :TILE_SIDE]
    drawn = GLYPHS[kind](columns - middle[1], rows - middle[0], int(rng.integers(2)))
    light, dark = np.maximum(drawn, 0), np.maximum(-drawn, 0)
    balanced = light / light.sum() - dark / dark.sum()  # As much light as dark.
    balanced /= np.abs(balanced).max()
    # Channels get unequal shares of the contrast, but never opposite signs.
    colour = rng.uniform(0.5, 1.0, size=3)
    colour *= rng.uniform(*_CONTRAST) * rng.choice((-1.0, 1.0)) / colour.max()
    added: np.ndarray = balanced[..., None] * colour
    return added
