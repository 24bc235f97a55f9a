"""Segments against skimage with the documented settings, slow loops and by hand."""

from __future__ import annotations

import math
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from lime.wrappers.scikit_image import SegmentationAlgorithm
from skimage import data
from skimage import segmentation as skimage_segmentation

from xai_lib import segment_anything, segmentation
from xai_lib.image import resized
from xai_lib.segmentation import SEGMENTERS, Segmenter, numbered, segmenter, segments_of_masks

WITHOUT_WEIGHTS = tuple(name for name in SEGMENTERS if name != "sam")
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")


def photograph(name: str, size: tuple[int, int] = (224, 224)) -> np.ndarray:
    return resized(getattr(data, name)(), size)


def noise(shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (*shape, 3), dtype=np.uint8)


def quadrants(side: int) -> np.ndarray:
    """Return red, green over blue, white."""
    colours = np.array([[[220, 0, 0], [0, 220, 0]], [[0, 0, 220], [250, 250, 250]]], np.uint8)
    return colours.repeat(side // 2, axis=0).repeat(side // 2, axis=1)


def read_row_by_row(labels: np.ndarray) -> list[list[int]]:
    """Number labels in the order in which they are met, one pixel after the other."""
    met: dict[object, int] = {}
    return [[met.setdefault(value, len(met)) for value in row] for row in labels.tolist()]


def test_numbers_by_hand():
    given_labels = np.array([[7, 7, -1], [7, 40, -1], [0, 0, 0]])
    result = numbered(given_labels)
    assert result.tolist() == [[0, 0, 1], [0, 2, 1], [3, 3, 3]]
    assert result.dtype == np.int32


@settings(max_examples=100, deadline=None)
@given(
    arrays.arrays(
        np.int64,
        arrays.array_shapes(min_dims=2, max_dims=2, max_side=7),
        elements=st.integers(-3, 5),
    )
)
def test_numbers_are_in_reading_order(labels):
    assert numbered(labels).tolist() == read_row_by_row(labels)


@pytest.mark.parametrize("shape", [(0, 3), (4,), (2, 2, 3)])
def test_labels_need_rows_and_columns(shape):
    with pytest.raises(ValueError, match="Labels must have the shape"):
        numbered(np.zeros(shape))


def test_overlapping_masks_by_hand():
    large = np.array([[1, 1, 1, 0], [1, 1, 1, 0]], bool)
    left = np.array([[0, 1, 0, 0], [0, 1, 0, 0]], bool)
    tie = np.array([[0, 1, 1, 0], [0, 0, 0, 0]], bool)
    none = np.zeros((2, 4), bool)
    assert segments_of_masks([large, left, none, tie], (2, 4)).tolist() == [
        [0, 1, 2, 3],  # `left` is as large as `tie` and comes first
        [0, 1, 0, 3],
    ]
    assert segments_of_masks([tie, large, left], (2, 4)).tolist() == [[0, 1, 1, 2], [0, 3, 0, 2]]


def test_masks_that_leave_nothing_or_take_everything():
    everything = np.ones((2, 2), bool)
    assert segments_of_masks([], (2, 3)).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert segments_of_masks([everything, everything], (2, 2)).tolist() == [[0, 0], [0, 0]]
    corner = np.array([[0, 0], [0, 1]], bool)
    assert segments_of_masks([everything, ~corner, corner], (2, 2)).tolist() == [[0, 0], [0, 1]]


@settings(max_examples=100, deadline=None)
@given(arrays.arrays(bool, st.tuples(st.integers(0, 5), st.integers(1, 4), st.integers(1, 4))))
def test_overlapping_masks_pixel_by_pixel(masks):
    owner = np.empty(masks.shape[1:], int)
    for place in np.ndindex(*masks.shape[1:]):
        holding = [(masks[i].sum(), i) for i in range(len(masks)) if masks[i][place]]
        owner[place] = min(holding)[1] if holding else -1
    assert segments_of_masks(list(masks), masks.shape[1:]).tolist() == read_row_by_row(owner)


def test_a_mask_of_another_picture():
    with pytest.raises(ValueError, match=r"Mask 1 must have the shape \(2, 3\), got \(3, 2\)"):
        segments_of_masks([np.ones((2, 3)), np.ones((3, 2))], (2, 3))


@pytest.mark.parametrize(
    "shape, n_segments, expected",
    [
        ((4, 6), 4, [[0, 0, 0, 1, 1, 1]] * 2 + [[2, 2, 2, 3, 3, 3]] * 2),
        ((3, 4), 5, [[0, 0, 1, 1]] * 2 + [[2, 2, 3, 3]]),  # sqrt(5) is nearest to 2
        ((2, 4), 9, [[0, 0, 1, 2], [3, 3, 4, 5]]),
        ((1, 3), 50, [[0, 1, 2]]),
        ((2, 2), 1, [[0, 0], [0, 0]]),
    ],
)
def test_tiles_by_hand(shape, n_segments, expected):
    assert Segmenter("grid", n_segments)(noise(shape)).tolist() == expected


def test_tiles_of_a_square_are_squares():
    sizes = np.bincount(Segmenter("grid", 36)(noise((96, 96))).ravel())
    assert sizes.tolist() == [256] * 36


@pytest.mark.parametrize("shape", [(64, 48), (224, 224)])
def test_slic_is_skimage_with_the_documented_settings(shape):
    image = photograph("coffee", shape)
    labels = skimage_segmentation.slic(
        image, n_segments=50, compactness=10, sigma=1, min_size_factor=0.25, channel_axis=-1
    )
    assert Segmenter("slic")(image).tolist() == read_row_by_row(labels)


def test_slic_finds_the_parts_of_a_picture():
    labels = Segmenter("slic", 4)(quadrants(40))
    # The pixels where four colours meet are smoothed, and may go to any of the four.
    apart = np.ones((40, 40), bool)
    apart[19:21, 19:21] = False
    parts = np.repeat(np.repeat([[0, 1], [2, 3]], 20, axis=0), 20, axis=1)
    found = [set(labels[apart & (parts == part)].tolist()) for part in range(4)]
    # Reading order: the part below on the right is met first, at the crossing.
    assert found == [{0}, {1}, {3}, {2}]


def test_quickshift_is_skimage_with_the_documented_settings():
    image = photograph("chelsea", (60, 90))
    kernel = math.sqrt(0.01084 * 60 * 90 / 20)
    labels = skimage_segmentation.quickshift(
        image, kernel_size=kernel, max_dist=200, ratio=0.2, rng=0
    )
    assert Segmenter("quickshift", 20)(image).tolist() == read_row_by_row(labels)


def test_quickshift_with_kernel_4_is_that_of_lime(monkeypatch):
    image = photograph("astronaut", (100, 80))
    monkeypatch.setattr(segmentation, "_QUICKSHIFT_DENSITY", 4**2 * 50 / (100 * 80))
    of_lime = SegmentationAlgorithm("quickshift", kernel_size=4, max_dist=200, ratio=0.2, rng=0)
    assert Segmenter("quickshift")(image).tolist() == read_row_by_row(of_lime(image))


@pytest.mark.parametrize("name", ["slic", "quickshift"])
def test_photographs_get_about_50_segments(name):
    counts = [Segmenter(name)(photograph(which)).max() + 1 for which in PHOTOGRAPHS]
    assert 43 <= np.mean(counts) <= 57
    assert min(counts) >= 30
    assert max(counts) <= 70


@pytest.mark.parametrize("name", WITHOUT_WEIGHTS)
@pytest.mark.parametrize("n_segments", [1, 2, 50, 10_000])
@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 40), (40, 1), (2, 2), (2, 3), (3, 3), (30, 20), (300, 5), (5, 300)]
)
@pytest.mark.parametrize("make", [noise, lambda shape: np.full((*shape, 3), 77, np.uint8)])
def test_any_picture_has_valid_segments(name, n_segments, shape, make):
    image = make(shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labels = Segmenter(name, n_segments)(image)
    assert labels.dtype == np.int32
    assert labels.tolist() == read_row_by_row(labels)
    assert labels.shape == shape
    if n_segments == 1:
        assert labels.max() == 0


@pytest.mark.parametrize("name", WITHOUT_WEIGHTS)
def test_the_same_picture_gets_the_same_segments(name):
    image = photograph("rocket", (80, 100))
    before = image.copy()
    np.random.seed(5)  # noqa: NPY002 - the generator that must stay as it is
    state = np.random.get_state()[1].tolist()  # noqa: NPY002
    first = Segmenter(name, 30)(image)
    np.random.seed(6)  # noqa: NPY002
    again = Segmenter(name, 30)(np.asfortranarray(image))
    np.random.seed(5)  # noqa: NPY002
    Segmenter(name, 30)(image)
    assert np.array_equal(first, again)
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002
    assert np.array_equal(image, before)


def test_read_only_pictures_are_fine():
    image = noise((12, 9))
    image.flags.writeable = False
    for name in WITHOUT_WEIGHTS:
        assert Segmenter(name)(image).shape == (12, 9)


@pytest.mark.parametrize(
    "image, message",
    [
        (np.zeros((4, 4), np.uint8), r"shape \(h, w, 3\), got \(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), r"got \(4, 4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), r"got \(0, 4, 3\)"),
        (np.zeros((4, 4, 3)), "uint8 values, got float64"),
    ],
)
@pytest.mark.parametrize("name", SEGMENTERS)
def test_what_is_no_picture_is_refused(name, image, message):
    with pytest.raises(ValueError, match=message):
        Segmenter(name)(image)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: Segmenter("felzenszwalb"), "'felzenszwalb'.*slic, quickshift, grid, sam"),
        (lambda: segmenter("watershed"), "'watershed'.*slic, quickshift, grid, sam"),
        (lambda: segmenter(50), "one of slic, quickshift, grid, sam, got 50"),
        (lambda: Segmenter("slic", 0), "n_segments must be at least 1, got 0"),
        (lambda: Segmenter("slic", -2), "n_segments must not be negative"),
        (lambda: Segmenter("slic", 7.5), "n_segments must be a whole number, got 7.5"),
        (lambda: Segmenter("slic", True), "n_segments must be a whole number"),
    ],
)
def test_wrong_settings(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_segmenter_by_name_or_as_it_is():
    own = Segmenter("grid", 9)
    assert segmenter(own) is own
    assert segmenter("quickshift") == Segmenter("quickshift", 50)
    assert type(Segmenter("grid", np.int64(9)).n_segments) is int


@pytest.mark.parametrize(
    "given_segmenter, words",
    [
        (Segmenter(), "slic, about 50 segments"),
        (Segmenter("quickshift", 20), "quickshift, about 20 segments"),
        (Segmenter("grid", 50), "grid, 7 x 7 tiles"),
        (Segmenter("sam"), "sam, facebook/sam-vit-base"),
    ],
)
def test_descriptions(given_segmenter, words):
    assert given_segmenter.describe() == words


@pytest.mark.parametrize("name", ["slic", "quickshift"])
def test_without_scikit_image(name, monkeypatch):
    for module in ("skimage", "skimage.segmentation"):
        monkeypatch.setitem(sys.modules, module, None)  # importing it fails
    with pytest.raises(ImportError, match=r"pip install 'xai_lib\[images\]'"):
        Segmenter(name)(noise((8, 8)))
    assert Segmenter("grid", 4)(noise((2, 2))).tolist() == [[0, 1], [2, 3]]


def test_segment_anything_reads_the_picture_and_fills_up_with_background(monkeypatch):
    seen = []

    def generator(picture):
        seen.append(np.asarray(picture))
        masks = np.zeros((2, *seen[-1].shape[:2]))
        masks[0, :, :2] = 1
        masks[1, 1:, 1:2] = 1
        return {"masks": list(masks), "scores": [0.9, 0.95]}

    monkeypatch.setattr(segment_anything, "load_sam", lambda: generator)
    image = noise((3, 4))
    assert Segmenter("sam", 2)(image).tolist() == [[0, 0, 1, 1], [0, 2, 1, 1], [0, 2, 1, 1]]
    assert len(seen) == 1
    assert np.array_equal(seen[0], image)


@pytest.mark.parametrize(("name", "segments"), [("slic", 1), ("quickshift", 1), ("grid", 49)])
def test_one_colour_is_one_segment_but_for_tiles(name: str, segments: int) -> None:
    flat = np.full((56, 70, 3), (9, 200, 31), dtype=np.uint8)
    assert len(np.unique(Segmenter(name)(flat))) == segments
    flat[30, 40] = (10, 200, 31)
    assert Segmenter(name)(flat).shape == (56, 70)
