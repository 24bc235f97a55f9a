"""What every image classifier shares: pictures in, segments switched off."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from xai_lib.image import IMAGE_REMOVALS, ImageInstance, read_image, resized
from xai_lib.models.base import Classifier
from xai_lib.segmentation import Segmenter
from xai_lib.segmentation import segmenter as make_segmenter

# Pictures rendered at the same time, of a network whose subclass does no better.
_AT_ONCE = 64


class ImageClassifier(Classifier):
    """A classifier of pictures that answers for pictures with segments removed.

    A picture is scaled to the size that the network reads before anything else: segments are cut
    and removed there, so that what is explained is what the network sees.

    Attributes
    ----------
    size
        Height and width that the network reads.
    segmenter
        What cuts a picture into segments.
    name, classes, calls, stored_calls, device, precision
        See `xai_lib.models.base.Classifier`.
    """

    modality: ClassVar[str] = "image"
    removals: ClassVar[tuple[str, ...]] = IMAGE_REMOVALS

    def __init__(
        self,
        name: str,
        classes: Sequence[str],
        size: tuple[int, int],
        segmenter: str | Segmenter = "slic",
    ) -> None:
        super().__init__(name, classes)
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f"size must be (height, width) in pixels, got {size!r}.")
        self.size = (int(size[0]), int(size[1]))
        self.segmenter = make_segmenter(segmenter)

    @abstractmethod
    def _probabilities_of_images(self, images: np.ndarray) -> np.ndarray:
        """Return (n, C) probabilities of (n, h, w, 3) uint8 pictures and add n to `calls`."""

    def instance(self, image: Any, group: str = "position") -> ImageInstance:
        """Scale a picture to the network's size and cut it into segments.

        Parameters
        ----------
        image
            A picture as `xai_lib.image.read_image` takes it, or an instance, which is returned.
        group
            Only ``"position"``: every segment is a feature.

        Returns
        -------
        ImageInstance

        Raises
        ------
        ValueError
            If the picture cannot be read, or the group is another one.
        """
        if group != "position":
            raise ValueError(
                f"The segments of an image have no group {group!r}; the only one is 'position'."
            )
        if isinstance(image, ImageInstance):
            return image
        picture = read_image(image)
        pixels = resized(picture, self.size)
        high, wide = picture.shape[:2]
        return ImageInstance(
            pixels, self.segmenter(pixels), self.segmenter.describe(), (high, wide)
        )

    def instances(self, images: Sequence[Any], group: str = "position") -> list[ImageInstance]:
        """Cut several pictures into segments; the same as `instance` of each."""
        return [self.instance(image, group) for image in images]

    def predict_proba(self, images: Sequence[Any]) -> np.ndarray:
        """Return the class probabilities of pictures.

        Parameters
        ----------
        images
            n pictures as `xai_lib.image.read_image` takes them, of any size.

        Returns
        -------
        (n, C) float64 array
            Rows sum to 1.

        Raises
        ------
        ValueError
            If a picture cannot be read, or the black box returns no probabilities.
        """
        if isinstance(images, str) or (isinstance(images, np.ndarray) and images.ndim < 4):
            raise ValueError("predict_proba takes a list of images; put the one image in a list.")
        read = [read_image(image) for image in images]
        if not read:
            return np.empty((0, len(self.classes)))
        stacked = np.stack([resized(image, self.size) for image in read])

        def named(row: int) -> str:
            return f"image {row} of {read[row].shape[0]} x {read[row].shape[1]} pixels"

        return self._checked(self._probabilities_of_images(stacked), len(read), named)

    def _probabilities_of_texts(self, texts: list[str]) -> np.ndarray:
        raise ValueError(f"The black box {self.name!r} reads images, not texts.")

    def _probabilities_of_masks(
        self, instances: list[ImageInstance], masks: list[np.ndarray], removal: str
    ) -> list[np.ndarray]:
        answers = []
        for one, rows in zip(instances, masks, strict=True):
            filled = one.filled(removal)
            parts = [np.empty((0, len(self.classes)))]
            for start in range(0, len(rows), _AT_ONCE):
                kept = rows[start : start + _AT_ONCE][:, one.segments][..., None]
                parts.append(self._probabilities_of_images(np.where(kept, one.pixels, filled)))
            answers.append(np.concatenate(parts))
        return answers


class ImageFunctionClassifier(ImageClassifier):
    """A black box given by a function of pictures; see `as_image_classifier`."""

    def __init__(
        self,
        function: Callable[[np.ndarray], np.ndarray],
        classes: Sequence[str],
        size: tuple[int, int],
        segmenter: str | Segmenter = "slic",
        name: str = "function",
    ) -> None:
        super().__init__(name, classes, size, segmenter)
        if not callable(function):
            raise ValueError(
                f"as_image_classifier takes a function, got {type(function).__name__}."
            )
        self.function = function

    def _probabilities_of_images(self, images: np.ndarray) -> np.ndarray:
        answer = self._checked(self.function(images), len(images), "image {}".format)
        self.calls += len(images)
        return answer


def as_image_classifier(
    function: Callable[[np.ndarray], np.ndarray],
    classes: Sequence[str],
    size: tuple[int, int],
    segmenter: str | Segmenter = "slic",
    name: str = "function",
) -> ImageFunctionClassifier:
    """Wrap a function from pictures to class probabilities.

    Parameters
    ----------
    function
        Takes (n, h, w, 3) uint8, returns (n, C) probabilities: finite, rows sum to 1.
    classes
        Names of the C classes.
    size
        Height and width of the pictures that the function takes; others are scaled to it.
    segmenter
        What cuts a picture into segments, by name or as a `Segmenter` with its settings.
    name
        What the black box is called in results.

    Returns
    -------
    ImageFunctionClassifier
        For the methods that need only answers; the others raise a ValueError on it.
    """
    return ImageFunctionClassifier(function, classes, size, segmenter, name)
