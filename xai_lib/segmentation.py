"""Segments of a picture: the features that an explanation of it switches off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xai_lib.checks import whole
from xai_lib.segment_anything import SAM_MODEL, sam_masks

SEGMENTERS = ("slic", "quickshift", "grid", "sam")

# The count that `slic` is asked for is met on photographs with these two. With skimage's own
# (no smoothing, 0.5) it gives 33 segments when asked for 50, and 17 on the most textured.
_SLIC_SIGMA = 1.0
_SLIC_SMALLEST = 0.25
# Segments times kernel size squared over pixels, with LIME's max_dist and ratio: the mean of 20
# photographs of Imagenette at 224 x 224, where LIME's kernel size 4 gives 34 segments.
_QUICKSHIFT_DENSITY = 0.01084


@dataclass(frozen=True)
class Segmenter:
    """Cuts pictures into segments; the same picture always gets the same segments.

    Attributes
    ----------
    name
        ``"slic"``: groups of pixels of like colour, about equally large (Achanta et al. 2012),
        with compactness 10. ``"quickshift"``: what LIME does, modes of the density of colour and
        place (Vedaldi & Soatto 2008), with LIME's maximal distance 200 and ratio 0.2; its
        segments need not be connected. ``"grid"``: rectangular tiles. ``"sam"``: Segment
        Anything (Kirillov et al. 2023), which needs weights from the model hub.
    n_segments
        About how many segments. ``"slic"`` and ``"quickshift"`` give 50 on average over
        photographs when asked for 50; ``"grid"`` makes ``round(sqrt(n_segments))`` tiles each
        way. ``"sam"`` finds as many as there are. Fewer where a picture has fewer pixels; one
        where ``"slic"`` or ``"quickshift"`` meets a picture of one colour.

    Raises
    ------
    ValueError
        If the name is unknown, or `n_segments` is not a whole number from 1 on.

    Notes
    -----
    LIME's own quickshift has kernel size 4 whatever the picture. Here the kernel size follows
    from `n_segments` and the number of pixels, so that a picture gets about as many segments at
    any size. The time of quickshift grows with the square of the pixels, and with fewer segments.
    """

    name: str = "slic"
    n_segments: int = 50

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.name not in SEGMENTERS:
            raise ValueError(
                f"Unknown segmenter {self.name!r}. Valid segmenters are: {', '.join(SEGMENTERS)}."
            )
        count = whole("n_segments", self.n_segments)
        if count < 1:
            raise ValueError(f"n_segments must be at least 1, got {count}.")
        object.__setattr__(self, "n_segments", count)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Cut a picture into segments.

        Parameters
        ----------
        image
            (h, w, 3) uint8 array.

        Returns
        -------
        (h, w) int32 array
            The segment of each pixel, 0 to F - 1 in reading order: segment 0 holds the first
            pixel, segment 1 the first pixel outside segment 0, and so on row by row.

        Raises
        ------
        ValueError
            If `image` is no such array, or the weights of Segment Anything cannot be had.
        ImportError
            If scikit-image is missing and the segmenter needs it.
        """
        picture = np.asarray(image)
        if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
            raise ValueError(f"A picture must have the shape (h, w, 3), got {picture.shape}.")
        if picture.dtype != np.uint8:
            raise ValueError(f"A picture must hold uint8 values, got {picture.dtype}.")
        if self.name == "sam":
            return segments_of_masks(sam_masks(picture), picture.shape[:2])
        # Where nothing differs, a segmenter that looks at colours has nothing to cut.
        alike = self.name != "grid" and bool((picture == picture[0, 0]).all())
        if alike or self.n_segments == 1:
            return np.zeros(picture.shape[:2], dtype=np.int32)
        cut = {"slic": _slic, "quickshift": _quickshift, "grid": _grid}[self.name]
        return numbered(cut(np.ascontiguousarray(picture), self.n_segments))

    def describe(self) -> str:
        """Name the segmenter and its settings in a few words."""
        if self.name == "sam":
            return f"sam, {SAM_MODEL}"
        if self.name == "grid":
            side = _tiles_each_way(self.n_segments)
            return f"grid, {side} x {side} tiles"
        return f"{self.name}, about {self.n_segments} segments"


def segmenter(given: str | Segmenter) -> Segmenter:
    """Return a segmenter given by name, with its default settings, or one as it is.

    Raises
    ------
    ValueError
        If the name is unknown, or `given` is neither a name nor a segmenter.
    """
    if isinstance(given, Segmenter):
        return given
    if isinstance(given, str):
        return Segmenter(given)
    raise ValueError(
        f"A segmenter must be a Segmenter or one of {', '.join(SEGMENTERS)}, got {given!r:.80}."
    )


def numbered(labels: np.ndarray) -> np.ndarray:
    """Number segments 0 to F - 1 in reading order.

    Parameters
    ----------
    labels
        (h, w) array: pixels with the same value are one segment.

    Returns
    -------
    (h, w) int32 array
        The same segments; a smaller number is met earlier row by row.

    Raises
    ------
    ValueError
        If `labels` does not have two axes, or holds no pixel.
    """
    array = np.asarray(labels)
    if array.ndim != 2 or not array.size:
        raise ValueError(f"Labels must have the shape (h, w), got {array.shape}.")
    _, first, inverse = np.unique(array.ravel(), return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return rank[inverse.reshape(array.shape)]


def segments_of_masks(masks: Sequence[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Make segments of masks that may overlap and need not cover the picture.

    Parameters
    ----------
    masks
        Any number of (h, w) bool arrays.
    shape
        Height and width of the picture.

    Returns
    -------
    (h, w) int32 array
        A pixel belongs to the smallest mask that contains it, of equally large ones to the
        earliest. Pixels in no mask are one segment, the background. Numbered as by `numbered`;
        a mask of which no pixel is left has no segment.

    Raises
    ------
    ValueError
        If a mask has another shape.
    """
    arrays = [np.asarray(mask, dtype=bool) for mask in masks]
    for i, array in enumerate(arrays):
        if array.shape != tuple(shape):
            raise ValueError(f"Mask {i} must have the shape {tuple(shape)}, got {array.shape}.")
    labels = np.full(shape, -1)
    # The smallest is painted last, over the others; of a tie, the earliest.
    for i in sorted(range(len(arrays)), key=lambda i: (-int(arrays[i].sum()), -i)):
        labels[arrays[i]] = i
    return numbered(labels)


def _skimage_segmentation() -> Any:
    try:
        import skimage.segmentation
    except ImportError as error:
        raise ImportError(
            "The segmenters slic and quickshift need scikit-image; install it with: "
            "pip install 'xai_lib[images]'. The segmenter grid works without."
        ) from error
    return skimage.segmentation


def _slic(image: np.ndarray, n_segments: int) -> np.ndarray:
    labels: np.ndarray = _skimage_segmentation().slic(
        image,
        n_segments=min(n_segments, image.shape[0] * image.shape[1]),
        compactness=10,
        sigma=_SLIC_SIGMA,
        min_size_factor=_SLIC_SMALLEST,
        start_label=0,
        channel_axis=-1,
    )
    return labels


def _quickshift(image: np.ndarray, n_segments: int) -> np.ndarray:
    pixels = image.shape[0] * image.shape[1]
    labels: np.ndarray = _skimage_segmentation().quickshift(
        image,
        # skimage takes no kernel below 1
        kernel_size=max(1.0, math.sqrt(_QUICKSHIFT_DENSITY * pixels / n_segments)),
        max_dist=200,
        ratio=0.2,
        rng=0,  # breaks ties
        channel_axis=-1,
    )
    return labels


def _tiles_each_way(n_segments: int) -> int:
    return round(math.sqrt(n_segments))


def _grid(image: np.ndarray, n_segments: int) -> np.ndarray:
    rows, columns = (min(_tiles_each_way(n_segments), side) for side in image.shape[:2])
    row = np.arange(image.shape[0]) * rows // image.shape[0]
    column = np.arange(image.shape[1]) * columns // image.shape[1]
    tiles: np.ndarray = row[:, None] * columns + column[None, :]
    return tiles
