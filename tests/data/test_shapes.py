"""Drawn shapes: the deciding tile decides, and its mean colour says nothing."""

from __future__ import annotations

import numpy as np
import pytest

from xai_lib.data.images import SHAPES_ROWS, load_images
from xai_lib.data.shapes import GLYPHS, SHAPE_CLASSES, glyph, ground, shapes
from xai_lib.rng import generator

KINDS = ("ring", "cross", "stripes", "checkers")


@pytest.fixture(scope="module")
def drawn():
    return shapes(100, "train", seed=3)


def tiles_of(image: np.ndarray) -> np.ndarray:
    """Cut a picture into its 36 tiles, row by row, the slow way."""
    return np.stack(
        [
            image[16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
            for row in range(6)
            for column in range(6)
        ]
    ).astype(float)


def test_classes_take_turns(drawn):
    assert drawn.classes == SHAPE_CLASSES == (*KINDS, "nothing")
    assert drawn.labels.tolist() == [0, 1, 2, 3, 4] * 20
    deciding = np.array(drawn.extra["deciding"])
    assert (deciding[drawn.labels == 4] == -1).all()
    places = deciding[drawn.labels != 4]
    assert places.min() >= 0
    assert places.max() <= 35
    assert len(set(places.tolist())) > 25  # 80 draws of 36 places leave about 4 out.
    assert {image.shape for image in drawn.images} == {(96, 96, 3)}
    assert drawn.source == "generated"


def test_all_but_the_deciding_tile_is_ground(drawn):
    for i, image in enumerate(drawn.images):
        plain = tiles_of(ground(generator(3, "shapes", "train", i)))
        differs = np.abs(tiles_of(image) - plain).max(axis=(1, 2, 3)) > 0.5 + 1e-9
        expected = np.arange(36) == drawn.extra["deciding"][i]
        assert differs.tolist() == expected.tolist()


def test_the_mean_colour_of_the_glyph_is_that_of_the_ground(drawn):
    for i, image in enumerate(drawn.images):
        plain = tiles_of(ground(generator(3, "shapes", "train", i))).mean(axis=(1, 2))
        # Of 256 pixels rounded to whole numbers, each off by 1/sqrt(12) at random.
        assert np.abs(tiles_of(image).mean(axis=(1, 2)) - plain).max() < 5 * 0.29 / 16


def test_glyphs_stand_out(drawn):
    for i, tile in enumerate(drawn.extra["deciding"]):
        if tile >= 0:
            spread = tiles_of(drawn.images[i]).std(axis=(1, 2)).mean(axis=1)
            assert spread.argmax() == tile
            assert spread[tile] > 1.5 * np.delete(spread, tile).max()


@pytest.mark.parametrize("kind", KINDS)
def test_a_glyph_adds_as_much_as_it_takes(kind):
    for seed in range(20):
        added = glyph(kind, generator(seed))
        assert added.shape == (16, 16, 3)
        assert np.abs(added.sum(axis=(0, 1))).max() < 1e-9
        # One pattern in all channels, of the same sign, whose peak is between the two limits.
        flat = added.reshape(-1, 3)
        assert np.linalg.matrix_rank(flat) == 1
        assert (flat[np.abs(flat[:, 0]).argmax()] > 0).all() or (
            flat[np.abs(flat[:, 0]).argmax()] < 0
        ).all()
        assert 45 <= np.abs(added).max() <= 65


def test_glyphs_have_the_symmetries_of_their_names():
    y, x = np.mgrid[-7.5:8, -7.5:8]
    ring = GLYPHS["ring"](x, y, 0)
    # Light at radius 3.5 to 5.5 only, dark up to 2.5 to either side.
    radius = np.hypot(x, y)
    assert ((ring == 1) == ((radius > 3.5) & (radius < 5.5))).all()
    assert (ring[(radius < 2) | (radius > 7)] == 0).all()
    cross = GLYPHS["cross"](x, y, 0)
    inside = np.maximum(np.abs(x), np.abs(y)) < 6.5
    assert ((cross == 1) == (inside & ((np.abs(x) < 1) | (np.abs(y) < 1)))).all()
    assert (cross == cross.T).all()
    flat, turned = GLYPHS["stripes"](x, y, 0), GLYPHS["stripes"](x, y, 1)
    assert (flat == turned.T).all()
    middle = flat[2:14, 2:14]
    assert (middle == middle[:, :1]).all()
    # Two pixels light, two dark, counted from the middle; odd about it.
    assert middle[6:, 0].tolist() == [1, 1, -1, -1, 1, 1]
    assert middle[:6, 0].tolist() == [-1, -1, 1, 1, -1, -1]
    squares = GLYPHS["checkers"](x, y, 0)
    assert (squares[:, ::-1] == -squares).all()
    assert (squares[::-1] == -squares).all()
    assert (squares[8:11, 8:11] == 1).all()
    assert (squares[8:11, 11:14] == -1).all()


def test_a_smaller_set_is_the_beginning_of_a_larger_one():
    few, more = shapes(7, "test"), shapes(12, "test")
    assert few.sha256 == more.take(range(7)).sha256
    assert few.extra["deciding"] == more.extra["deciding"][:7]
    assert shapes(7, "train").sha256 != few.sha256
    assert shapes(7, "test", seed=1).sha256 != few.sha256
    assert len(shapes(0)) == 0
    with pytest.raises(ValueError, match="n is -1; valid are 0 and more"):
        shapes(-1)


def test_the_data_set_has_the_documented_rows():
    data = load_images("shapes", "test")
    assert len(data) == SHAPES_ROWS["test"] == 500
    assert data.take(range(5)).sha256 == shapes(5, "test").sha256
