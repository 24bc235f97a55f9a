"""The result that every method returns for a picture: how much each segment supports each class."""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from xai_lib.checks import check_strings
from xai_lib.matrix_explanation import MatrixExplanation

if TYPE_CHECKING:
    import pandas as pd

# Names of the columns that `ImageExplanation.to_frame` and the frame of a corpus add to the
# classes.
IMAGE_FRAME_COLUMNS = ("image", "predicted", "segment", "pixels", "row", "column")

# Little-endian whatever the machine, so that a file means the same everywhere.
_STORED: dict[str, np.dtype[Any]] = {"image": np.dtype("u1"), "segments": np.dtype("<i4")}


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ImageExplanation(MatrixExplanation):
    """Why a classifier said what it said about one picture, for all classes at once.

    A feature is a segment: the pixels that share a label. Arrays are read-only copies.

    Parameters
    ----------
    image
        (h, w, 3) uint8: the picture as the classifier reads it.
    segments
        (h, w) int32: the label of each pixel, 0 to F - 1, each of them present.
    segmenter
        How the picture was cut, in words such as ``"slic, 50 segments"``.
    classes, probabilities, predicted, weights, method, seed, model_calls, seconds, intercept, link
        See `MatrixExplanation`, also for `settings` and `diagnostics`.

    Raises
    ------
    ValueError
        If the picture is no (h, w, 3) uint8 array with a pixel in it, the segments are no whole
        numbers of its height and width, a label is left out, or for what `MatrixExplanation`
        raises.
    """

    image: np.ndarray
    segments: np.ndarray
    segmenter: str

    def __post_init__(self) -> None:
        check_strings("segmenter", [self.segmenter])
        image = check_picture(self.image)
        segments = check_segments(self.segments, image.shape[:2])
        self._settle(image=image, segments=segments, segmenter=str(self.segmenter))
        super().__post_init__()

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Names of the F features: ``"segment 1"`` to ``"segment F"``."""
        return tuple(f"segment {i}" for i in range(1, int(self.segments.max()) + 2))

    @cached_property
    def sizes(self) -> np.ndarray:
        """(F,) int64: pixels of each segment."""
        sizes = np.bincount(self.segments.ravel()).astype(np.int64)
        sizes.flags.writeable = False
        return sizes

    @cached_property
    def centres(self) -> np.ndarray:
        """(F, 2) float64: row and column of the centre of mass of each segment."""
        labels = self.segments.ravel()
        places = np.indices(self.segments.shape).reshape(2, -1)
        sums = np.stack([np.bincount(labels, place) for place in places], axis=1)
        centres = sums / self.sizes[:, None]
        centres.flags.writeable = False
        return centres

    def to_frame(self) -> pd.DataFrame:
        """Return the weights as a table.

        Returns
        -------
        pandas.DataFrame
            One row for each segment: ``segment`` (its name), ``pixels`` (how many), ``row`` and
            ``column`` of its centre of mass, then one column of weights for each class. A class
            called like one of the other columns gets the suffix " (class)".
        """
        import pandas as pd

        frame = pd.DataFrame(
            {
                "segment": pd.Series(self.features, dtype=object),
                "pixels": self.sizes,
                "row": self.centres[:, 0],
                "column": self.centres[:, 1],
            }
        )
        names = [one + " (class)" if one in IMAGE_FRAME_COLUMNS else one for one in self.classes]
        return pd.concat([frame, pd.DataFrame(self.weights.T, columns=names)], axis=1)

    def to_html(self, of: int | str | None = None, max_classes: int = 10) -> str:
        """Draw the picture as a heat map, see `xai_lib.image_heatmap.to_html`."""
        from xai_lib.image_heatmap import to_html

        return to_html(self, of=of, max_classes=max_classes)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __hash__(self) -> int:
        # Segments of all pictures have the same names, so the names alone would tell nothing.
        return hash((super().__hash__(), self.image.tobytes()))

    def _field_to_json(self, name: str) -> Any:
        if name in _STORED:
            return packed(getattr(self, name), _STORED[name])
        return super()._field_to_json(name)

    @classmethod
    def _field_from_json(cls, name: str, value: Any) -> Any:
        if name in _STORED:
            return unpacked(name, value, _STORED[name])
        return super()._field_from_json(name, value)


def check_picture(image: Any) -> np.ndarray:
    """Return a read-only (h, w, 3) uint8 copy, or raise a ValueError that says what is wrong."""
    picture = np.array(image)
    if picture.dtype != np.uint8:
        raise ValueError(f"image must hold uint8, 0 to 255, got {picture.dtype}.")
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
        raise ValueError(f"image must be (height, width, 3), got the shape {picture.shape}.")
    picture.flags.writeable = False
    return picture


def check_segments(segments: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return labels as a read-only int32 copy, or raise a ValueError that says what is wrong."""
    given = np.array(segments)
    if given.dtype.kind not in "iu":
        raise ValueError(f"segments must hold whole numbers, got {given.dtype}.")
    if given.shape != shape:
        raise ValueError(f"segments must have the shape {shape} of the image, got {given.shape}.")
    labels = np.unique(given)
    if labels[0] != 0 or labels[-1] != len(labels) - 1:
        raise ValueError(
            f"segments must hold every label from 0 on, got {len(labels)} labels from "
            f"{labels[0]} to {labels[-1]}."
        )
    given = given.astype(np.int32)
    given.flags.writeable = False
    return given


def packed(array: np.ndarray, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Write an array for JSON: its shape, its type, and base64 of zlib of its bytes, row by row."""
    data = zlib.compress(np.ascontiguousarray(array, dtype=dtype).tobytes())
    return {
        "shape": list(array.shape),
        "dtype": dtype.str,
        "zlib": base64.b64encode(data).decode("ascii"),
    }


def unpacked(name: str, value: Any, dtype: np.dtype[Any]) -> np.ndarray:
    """Undo `packed`.

    Parameters
    ----------
    name
        What to call the array in an error message.
    value
        What JSON gave back.
    dtype
        The type it has to have.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    ValueError
        If it is not such an array, or its bytes do not fill the shape.
    """
    if not isinstance(value, dict) or set(value) != {"shape", "dtype", "zlib"}:
        raise ValueError(f"{name} must be an array with shape, dtype and zlib.")
    shape = tuple(value["shape"])
    if value["dtype"] != dtype.str:
        raise ValueError(f"{name} must have the dtype {dtype.str}, got {value['dtype']!r}.")
    wanted = math.prod(shape) * dtype.itemsize
    try:
        # One byte more than wanted, so that a longer stream shows without filling the memory.
        data = zlib.decompressobj().decompress(
            base64.b64decode(value["zlib"], validate=True), wanted + 1
        )
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"{name} is damaged: {error}.") from None
    if len(data) != wanted:
        raise ValueError(f"{name} is damaged: its bytes do not fill the shape {shape}.")
    return np.frombuffer(data, dtype).reshape(shape)
