"""Pictures of segments: in the colours of their weights, with borders, with room for numbers."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np

from xai_lib.image_explanation import ImageExplanation
from xai_lib.ink import INK, share, tint

if TYPE_CHECKING:
    from PIL.Image import Image

# Pixels of the longer side of the coloured picture: more than it is shown with, so that borders
# stay sharp on dense screens.
CANVAS = 448
# Greys of the coloured picture and steps of colour on each side of white. Few of both keep it
# small: 8 x 21 colours and the border fit a palette.
GREYS = 8
STEPS = 10
# How dark the darkest grey is: colours must still be told apart on black.
DARKEST = 0.6
# Blur of the grey, in pixels of the picture: fine grain costs bytes and tells nothing there.
BLUR = 0.7
# Below this length of the longer side a picture is shown as squares, not smoothed.
COARSE = 100


def weight_map(explanation: ImageExplanation, shown: int, scale: float) -> Image:
    """Draw the picture in grey, with each segment in the colour of its weight and a border.

    Parameters
    ----------
    explanation
        What to draw.
    shown
        Index of the class; one that is not explained leaves all segments without colour.
    scale
        The absolute weight of the strongest colour.

    Returns
    -------
    PIL.Image.Image
        With a palette, `CANVAS` pixels on its longer side. A pixel has the tint of its weight,
        in `STEPS` steps on each side of white, times its grey, in `GREYS` steps.
    """
    from PIL import Image, ImageFilter

    height, width = canvas(explanation.segments.shape)
    picture = Image.fromarray(explanation.image).convert("L")
    if max(picture.size) >= COARSE:
        picture = picture.filter(ImageFilter.GaussianBlur(BLUR))
    grey = np.asarray(resized(picture, (height, width)))
    level = np.rint(grey / 255 * (GREYS - 1)).astype(np.int64)
    segments = enlarged(explanation.segments, height, width)

    step = np.full(explanation.n_features, STEPS)
    if explanation.explained[shown]:
        weights = explanation.weights[shown]
        parts = np.array([np.sign(w) * share(float(w), scale) for w in weights])
        step = STEPS + np.rint(parts * STEPS).astype(np.int64)
    tints = [tint(k, STEPS) for k in range(-STEPS, STEPS + 1)]
    colours = np.array([[int(one[i : i + 2], 16) for i in (1, 3, 5)] for one in tints])
    shades = DARKEST + (1 - DARKEST) * np.arange(GREYS) / (GREYS - 1)
    palette = np.rint(colours[:, None] * shades[:, None]).astype(np.uint8).reshape(-1, 3)

    index = step[segments] * GREYS + level
    index[borders(segments)] = len(palette)
    ink = np.array([[int(INK[i : i + 2], 16) for i in (1, 3, 5)]], dtype=np.uint8)
    drawn = Image.fromarray(index.astype(np.uint8))
    drawn.putpalette(np.concatenate([palette, ink]).tobytes())
    return drawn


def borders(segments: np.ndarray) -> np.ndarray:
    """Mark the pixels whose neighbour to the right or below belongs to another segment.

    Parameters
    ----------
    segments
        (h, w) labels.

    Returns
    -------
    (h, w) bool array
    """
    marked = np.zeros(segments.shape, dtype=bool)
    marked[:, :-1] |= segments[:, :-1] != segments[:, 1:]
    marked[:-1] |= segments[:-1] != segments[1:]
    return marked


def enlarged(labels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bring labels to another size: each new pixel has the label of the old one it lies in."""
    rows = np.arange(height) * labels.shape[0] // height
    columns = np.arange(width) * labels.shape[1] // width
    return labels[rows[:, None], columns]


def png(picture: Image) -> str:
    """Write a picture as the address of a PNG that lies in the page."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def label_point(explanation: ImageExplanation, segment: int) -> tuple[float, float]:
    """Find where the number of a segment has most room.

    Parameters
    ----------
    explanation
        Has the segments.
    segment
        Index of the segment.

    Returns
    -------
    float, float
        Row and column in pixels, 0 at the edge of the picture: the middle of the pixel of the
        segment that is farthest from all other pixels and from the edge; of several the one
        nearest to the centre of mass. The centre itself may lie outside a bent segment.
    """
    from scipy.ndimage import distance_transform_edt

    inside = explanation.segments == segment
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    top, left = rows[0], columns[0]
    part = inside[top : rows[-1] + 1, left : columns[-1] + 1]
    room = distance_transform_edt(np.pad(part, 1))[1:-1, 1:-1]
    best = np.argwhere(room >= room.max() - 1e-9) + np.array([top, left])
    away = ((best - explanation.centres[segment]) ** 2).sum(axis=1)
    row, column = best[np.argmin(away)]
    return float(row) + 0.5, float(column) + 0.5


def readable(explanation: ImageExplanation) -> Image:
    """Return the picture, reduced if it has more pixels than are shown."""
    from PIL import Image

    picture = Image.fromarray(explanation.image)
    if max(explanation.image.shape) <= CANVAS:
        return picture
    return resized(picture, canvas(explanation.image.shape))


def canvas(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return height and width of the coloured picture of an image of this shape."""
    longer = max(shape[:2])
    return max(1, round(shape[0] * CANVAS / longer)), max(1, round(shape[1] * CANVAS / longer))


def resized(picture: Image, size: tuple[int, int]) -> Image:
    """Bring a picture to a height and width, without smoothing one that is coarse."""
    from PIL import Image

    coarse = max(picture.size) < COARSE
    way = Image.Resampling.NEAREST if coarse else Image.Resampling.BICUBIC
    return picture.resize((size[1], size[0]), way)
