"""What a black box must offer, and the part of it that every black box shares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, overload

import numpy as np

from xai_lib.instance import Instance
from xai_lib.masks import distinct
from xai_lib.text import REMOVALS, make_instance


def check_classifier(classifier: object) -> None:
    """Raise a ValueError for what is clearly no classifier, and say how to get one."""
    if not hasattr(classifier, "classes"):
        what = f" {classifier!r:.60}" if isinstance(classifier, str) else ""
        raise ValueError(
            f"The classifier must come from xai_lib.load_classifier(name, folder or hub id) or "
            f"xai_lib.as_classifier(function, classes); got {type(classifier).__name__}{what}."
        )


class Classifier(ABC):
    """A classifier that answers for texts with words removed.

    Explainers talk to this class only; they never tokenise, batch or move tensors. A subclass
    implements `_probabilities_of_texts` and `_probabilities_of_masks`; this class checks what
    goes in and what comes out, sends equal masks once, and counts. For images there is
    `xai_lib.models.image.ImageClassifier`, which changes only what an input is.

    Attributes
    ----------
    modality
        ``"text"`` or ``"image"``.
    removals
        The ways in which it can remove a feature.
    name
        What the black box is called in results.
    classes
        Names of the C classes, in the order of the probabilities.
    calls
        Inputs sent through the black box so far.
    stored_calls
        For each set of answers that `xai_lib.store` keeps on disk and gave out so far, the inputs
        it had cost an earlier process; 0 for those that are in `calls`.
    device, precision
        Where and in which number format it runs.
    """

    modality: ClassVar[str] = "text"
    removals: ClassVar[tuple[str, ...]] = REMOVALS
    name: str
    device: str = "cpu"
    precision: str = "float64"

    def __init__(self, name: str, classes: Sequence[str]) -> None:
        if isinstance(classes, str):
            raise ValueError(f"classes must be a list of names, got the string {classes!r:.60}.")
        names = tuple(str(label) for label in classes)
        if not names:
            raise ValueError("A classifier needs at least one class, got none.")
        repeated = sorted({label for label in names if names.count(label) > 1})
        if repeated:
            raise ValueError(f"Class names must differ, got {repeated} more than once.")
        self.name = name
        self.classes = names
        self.calls = 0
        self.stored_calls: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: {', '.join(self.classes)}>"

    @property
    def fingerprint(self) -> str:
        """Hash of all that an answer depends on: stored answers are filed under it."""
        raise ValueError(
            f"Answers of the black box {self.name!r} ({type(self).__name__}) cannot be stored: "
            "nothing tells whether it is still the same."
        )

    @abstractmethod
    def _probabilities_of_texts(self, texts: list[str]) -> np.ndarray:
        """Return (n, C) probabilities of n texts and add n to `calls`."""

    @abstractmethod
    def _probabilities_of_masks(
        self, instances: list[Any], masks: list[np.ndarray], removal: str
    ) -> list[np.ndarray]:
        """Return one (n_i, C) array for each instance and count its distinct inputs."""

    def instance(self, text: Any, group: str = "position") -> Any:
        """Cut a text into the words that the black box reads, and their features.

        Parameters
        ----------
        text
            Any string.
        group
            ``"position"`` or ``"type"``, see `xai_lib.text.TextInstance`.

        Returns
        -------
        TextInstance
        """
        return make_instance(text, group)

    def instances(self, texts: Sequence[Any], group: str = "position") -> list[Any]:
        """Cut several texts into words; the same as `instance` of each."""
        return [self.instance(text, group) for text in texts]

    def predict_proba(self, texts: Sequence[Any]) -> np.ndarray:
        """Return the class probabilities of texts.

        Parameters
        ----------
        texts
            n strings.

        Returns
        -------
        (n, C) float64 array
            Rows sum to 1.

        Raises
        ------
        ValueError
            If a text is not a string, or the black box returns a wrong shape, a value that is
            not finite, or rows that are not probabilities; the message names the first text.
        """
        if isinstance(texts, str):
            raise ValueError("predict_proba takes a list of texts; put the one text in a list.")
        texts = list(texts)
        for text in texts:
            if not isinstance(text, str):
                raise ValueError(f"A text must be a string, got {type(text).__name__}.")
        if not texts:
            return np.empty((0, len(self.classes)))
        answers = self._probabilities_of_texts(texts)
        return self._checked(answers, len(texts), lambda i: f"the text {texts[i][:80]!r}")

    @overload
    def predict_masked(
        self, instance: Instance, masks: np.ndarray, removal: str = ...
    ) -> np.ndarray: ...

    @overload
    def predict_masked(
        self, instance: Sequence[Any], masks: Sequence[np.ndarray], removal: str = ...
    ) -> list[np.ndarray]: ...

    def predict_masked(
        self,
        instance: Instance | Sequence[Any],
        masks: np.ndarray | Sequence[np.ndarray],
        removal: str = "drop",
    ) -> np.ndarray | list[np.ndarray]:
        """Return the class probabilities of a text with features removed, or of many texts.

        Parameters
        ----------
        instance
            One instance of this classifier, or several.
        masks
            (n, F) booleans, true keeps the feature; or one such array for each instance.
        removal
            How a word is removed: ``"drop"`` deletes it, ``"mask"`` and ``"pad"`` put the black
            box's mask or padding token in its place. For images see
            `xai_lib.image.IMAGE_REMOVALS`.

        Returns
        -------
        (n, C) float64 array, or a list of them
            In the order of the masks. Equal masks are sent through the black box once; inputs
            of all instances share batches.

        Raises
        ------
        ValueError
            If shapes do not fit, or for what `predict_proba` raises.
        """
        if isinstance(instance, Instance):
            return self.predict_masked([instance], [np.asarray(masks)], removal)[0]
        if removal not in self.removals:
            raise ValueError(
                f"Unknown removal {removal!r}. Valid removals are: {', '.join(self.removals)}."
            )
        instances = list(instance)
        if len(instances) != len(masks):
            raise ValueError(f"Got {len(instances)} instances but {len(masks)} arrays of masks.")
        unique, inverse = [], []
        for one, given in zip(instances, masks, strict=True):
            mask = np.asarray(given, dtype=bool)
            if mask.ndim != 2 or mask.shape[1] != one.n_features:
                raise ValueError(
                    f"Masks must have shape (n, {one.n_features}) for {one.describe()}, "
                    f"got {mask.shape}."
                )
            rows, index = distinct(mask)
            unique.append(rows)
            inverse.append(index)
        answers = self._probabilities_of_masks(instances, unique, removal)
        checked = [
            self._checked(answer, len(rows), partial(_described, one, rows))
            for one, rows, answer in zip(instances, unique, answers, strict=True)
        ]
        return [answer[index] for answer, index in zip(checked, inverse, strict=True)]

    def _checked(self, probabilities: object, n: int, named: Callable[[int], str]) -> np.ndarray:
        """Return (n, C) float64 probabilities, or raise a ValueError that names the input."""
        try:
            array = np.asarray(probabilities, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"The black box {self.name!r} returned what is no array of numbers: {error}."
            ) from error
        expected = (n, len(self.classes))
        if array.shape != expected:
            raise ValueError(
                f"The black box {self.name!r} returned shape {array.shape}, expected {expected}: "
                f"one row for each text, one column for each of {list(self.classes)}."
            )
        finite = np.all(np.isfinite(array), axis=1)
        summed = np.abs(array.sum(axis=1) - 1) <= 1e-3
        valid = finite & summed & (array >= -1e-6).all(axis=1)
        if not valid.all():
            row = int(np.argmin(valid))
            what = (
                "a value that is not finite" if not finite[row] else "a row that is no distribution"
            )
            raise ValueError(
                f"The black box {self.name!r} returned {what} for {named(row)}: {array[row]}. "
                "Rows must be finite, not negative and sum to 1."
            )
        return array


def _described(one: Instance, masks: np.ndarray, row: int) -> str:
    """Name the input of one mask, for an error message."""
    return one.describe(masks[row])


def refusal(classifier: Classifier, method: str, needed: str) -> ValueError:
    """Make the error of a method that needs more than answers; it lists those that do not."""
    from xai_lib.explainers import explainer_class, methods

    others = [
        name
        for name in methods()
        if not ((kind := explainer_class(name)).white_box or kind.amortised)
        and classifier.modality in kind.modalities
    ]
    return ValueError(
        f"The method {method!r} needs {needed}, which the classifier {classifier.name!r} "
        f"({type(classifier).__name__}) does not offer. Methods that need only its answers are: "
        f"{', '.join(others)}."
    )
