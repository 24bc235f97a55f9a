"""Images: reading them, cutting them into segments, and taking segments out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from scipy.ndimage import gaussian_filter

from xai_lib.instance import Instance

# "drop" leaves a segment out as the `lime` package does, in its mean colour.
IMAGE_REMOVALS = ("drop", "mean", "black", "blur")
# Width of the blur as a share of the longer side of the picture.
BLUR = 0.05


def read_image(source: Any) -> np.ndarray:
    """Read a picture.

    Parameters
    ----------
    source
        A file (str or path), a Pillow image, or an array: (H, W), (H, W, 1), (H, W, 3) or
        (H, W, 4), uint8, bool, or floats from 0 to 1.

    Returns
    -------
    (H, W, 3) uint8 array
        Grey pictures have three equal channels. What is transparent shows white. A file or
        Pillow image is turned as its EXIF orientation says; of an animation the first frame is
        taken.

    Raises
    ------
    ValueError
        If the file does not exist or is no picture, or the array has another shape or type, no
        pixels, or values that are not finite or lie outside 0 to 1.
    """
    if isinstance(source, str | Path):
        return _read_file(Path(source))
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if hasattr(source, "convert") and hasattr(source, "getbands"):
        return _from_pillow(source)
    raise ValueError(
        "An image must be a file name, a Pillow image or an array of pixels, got "
        f"{type(source).__name__}."
    )


def _pillow() -> Any:
    try:
        import PIL.Image
        import PIL.ImageOps
    except ImportError as error:
        raise ImportError("Images need Pillow: pip install 'xai_lib[images]'") from error
    return PIL


def _read_file(path: Path) -> np.ndarray:
    pil = _pillow()
    try:
        with pil.Image.open(path) as picture:
            return _from_pillow(picture)
    except FileNotFoundError as error:
        raise ValueError(f"There is no file {str(path)!r}.") from error
    # What Pillow raises for a damaged file depends on its kind.
    except (OSError, SyntaxError, EOFError, pil.Image.DecompressionBombError) as error:
        raise ValueError(f"{str(path)!r} is no picture that can be read: {error}") from error


def _from_pillow(picture: Any) -> np.ndarray:
    pil = _pillow()
    upright = pil.ImageOps.exif_transpose(picture)
    if upright.mode in ("I;16", "I", "F"):  # Pillow's conversion would cut these off at 255.
        return _from_array(_scaled(np.asarray(upright, dtype=np.float64)))
    return _from_array(np.asarray(upright.convert("RGBA")))


def _scaled(grey: np.ndarray) -> np.ndarray:
    """Scale grey values of 16 bits, or of another range, to 0..1."""
    top = 65535.0 if grey.max(initial=0.0) > 255 else 255.0
    scaled: np.ndarray = np.clip(grey / top, 0.0, 1.0)
    return scaled


def _from_array(array: np.ndarray) -> np.ndarray:
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ValueError(
            "An array of pixels must have shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got "
            f"{array.shape}."
        )
    if 0 in array.shape:
        raise ValueError(f"An image needs at least one pixel, got shape {array.shape}.")
    if array.dtype == np.uint8:
        values = array.astype(np.float64) / 255
    elif array.dtype == bool or np.issubdtype(array.dtype, np.floating):
        values = array.astype(np.float64)
        if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
            raise ValueError(
                "Pixels given as floats must be finite and lie from 0 to 1; give whole numbers "
                "from 0 to 255 as uint8."
            )
    else:
        raise ValueError(
            f"Pixels must be uint8, or floats from 0 to 1, got an array of {array.dtype}."
        )
    if values.shape[2] == 4:
        alpha = values[..., 3:]
        values = values[..., :3] * alpha + (1 - alpha)
    rounded = np.rint(values * 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(rounded, (*rounded.shape[:2], 3)))


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale a picture to the size that a network reads; its aspect ratio is not kept.

    Parameters
    ----------
    image
        (H, W, 3) uint8.
    size
        Height and width.

    Returns
    -------
    (height, width, 3) uint8 array
        Bicubic, with smoothing where the picture shrinks; the picture itself if it has the size.
    """
    if image.shape[:2] == tuple(size):
        return image
    pil = _pillow()
    scaled = pil.Image.fromarray(image).resize((size[1], size[0]), pil.Image.Resampling.BICUBIC)
    return np.asarray(scaled)


@dataclass(frozen=True, eq=False)
class ImageInstance(Instance):
    """A picture cut into segments that can be switched off.

    Attributes
    ----------
    pixels
        (h, w, 3) uint8: the picture as the network reads it.
    segments
        (h, w) int32: the segment of each pixel, 0 to F - 1.
    segmenter
        What made the segments.
    original_size
        Height and width of the picture that was given.
    """

    pixels: np.ndarray
    segments: np.ndarray
    segmenter: str
    original_size: tuple[int, int]
    lime_sampler: ClassVar[str] = "bernoulli"
    group: ClassVar[str] = "position"  # type: ignore[misc]
    truncated_words: ClassVar[int] = 0  # type: ignore[misc]

    def __post_init__(self) -> None:
        """Check that every pixel has a segment and every segment a pixel."""
        if self.segments.shape != self.pixels.shape[:2]:
            raise ValueError(
                f"Segments must have the shape of the picture, {self.pixels.shape[:2]}, got "
                f"{self.segments.shape}."
            )
        present = np.unique(self.segments)
        if not np.array_equal(present, np.arange(len(present))):
            raise ValueError(
                "Segments must be numbered 0, 1, 2, ... without a gap, got "
                f"{present[:5].tolist()} ... {int(present[-1])}."
            )

    @cached_property
    def features(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the F segments."""
        return segment_names(int(self.segments.max()) + 1)

    @cached_property
    def sizes(self) -> np.ndarray:
        """(F,) int: number of pixels of each segment."""
        return np.bincount(self.segments.ravel())

    @cached_property
    def content(self) -> str:
        """Hash of pixels and segments."""
        digest = hashlib.sha256(repr(self.pixels.shape).encode())
        digest.update(np.ascontiguousarray(self.pixels).tobytes())
        digest.update(np.ascontiguousarray(self.segments, dtype="<i4").tobytes())
        return f"image {digest.hexdigest()}"

    @property
    def source(self) -> str:
        """Hash of pixels and segments."""
        return self.content

    def describe(self, mask: np.ndarray | None = None) -> str:
        """Say how large the picture is, and how much of it is left."""
        high, wide = self.original_size
        left = "" if mask is None else f" with {int(np.sum(mask))} of {len(mask)} segments"
        return f"the image of {high} x {wide} pixels{left}"

    def filled(self, removal: str = "drop") -> np.ndarray:
        """Return the picture with every segment removed.

        Parameters
        ----------
        removal
            ``"mean"`` puts the mean colour of a segment in its place, rounded to whole numbers;
            ``"drop"`` is the same. ``"black"`` puts black, ``"blur"`` the picture after a Gaussian
            blur whose standard deviation is 5 % of the longer side.

        Returns
        -------
        (h, w, 3) uint8 array

        Raises
        ------
        ValueError
            If the removal is unknown.
        """
        if removal not in IMAGE_REMOVALS:
            raise ValueError(
                f"Unknown removal {removal!r}. Valid removals are: {', '.join(IMAGE_REMOVALS)}."
            )
        if removal == "black":
            return np.zeros_like(self.pixels)
        if removal == "blur":
            sigma = BLUR * max(self.segments.shape)
            blurred = gaussian_filter(self.pixels.astype(np.float64), (sigma, sigma, 0))
            return np.rint(blurred).astype(np.uint8)
        labels = self.segments.ravel()
        flat = self.pixels.reshape(-1, 3)
        sums = np.stack([np.bincount(labels, flat[:, c]) for c in range(3)], axis=1)
        means = np.rint(sums / self.sizes[:, None]).astype(np.uint8)
        return means[self.segments]

    def render(self, mask: np.ndarray, removal: str = "drop") -> np.ndarray:
        """Return the picture with some segments removed.

        Parameters
        ----------
        mask
            (F,) bool; true keeps the segment.
        removal
            See `filled`.

        Returns
        -------
        (h, w, 3) uint8 array
        """
        kept = np.asarray(mask, dtype=bool)[self.segments]
        return np.where(kept[..., None], self.pixels, self.filled(removal))


def segment_names(n: int) -> tuple[str, ...]:
    """Name n segments."""
    return tuple(f"segment {i}" for i in range(1, n + 1))
