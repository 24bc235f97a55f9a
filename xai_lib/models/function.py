"""Any function from texts to probabilities as a black box."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from xai_lib.models.base import Classifier
from xai_lib.text import TextInstance


class FunctionClassifier(Classifier):
    """A black box given by a function; see `as_classifier`."""

    def __init__(
        self,
        function: Callable[[list[str]], np.ndarray],
        classes: Sequence[str],
        name: str = "function",
        mask_token: str = "[MASK]",
        pad_token: str = "[PAD]",
        batch_size: int = 512,
    ) -> None:
        super().__init__(name, classes)
        if not callable(function):
            raise ValueError(f"as_classifier takes a function, got {type(function).__name__}.")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
        self.function = function
        self.tokens = {"drop": "", "mask": mask_token, "pad": pad_token}
        self.batch_size = batch_size

    def _probabilities_of_texts(self, texts: list[str]) -> np.ndarray:
        parts = []
        for start in range(0, len(texts), self.batch_size):
            batch = texts[start : start + self.batch_size]
            answer = self.function(list(batch))
            parts.append(self._checked(answer, len(batch), partial(_quoted, batch)))
            self.calls += len(batch)
        return np.concatenate(parts)

    def _probabilities_of_masks(
        self, instances: list[TextInstance], masks: list[np.ndarray], removal: str
    ) -> list[np.ndarray]:
        texts = [
            one.render(row, removal, self.tokens[removal])
            for one, rows in zip(instances, masks, strict=True)
            for row in rows
        ]
        if not texts:
            return [np.empty((0, len(self.classes))) for _ in instances]
        ends = np.cumsum([len(rows) for rows in masks])[:-1]
        return np.split(self._probabilities_of_texts(texts), ends)


def _quoted(texts: list[str], row: int) -> str:
    return f"the text {texts[row][:80]!r}"


def as_classifier(
    function: Callable[[list[str]], np.ndarray],
    classes: Sequence[str],
    name: str = "function",
    mask_token: str = "[MASK]",
    pad_token: str = "[PAD]",
    batch_size: int = 512,
) -> FunctionClassifier:
    """Wrap a function from a list of texts to class probabilities.

    Parameters
    ----------
    function
        Takes a list of n strings, returns (n, C) probabilities: finite, rows sum to 1.
    classes
        Names of the C classes.
    name
        What the black box is called in results.
    mask_token, pad_token
        What stands for a word removed by ``"mask"`` or ``"pad"``.
    batch_size
        Texts sent to `function` at once.

    Returns
    -------
    FunctionClassifier
        For the black-box methods; white-box methods raise a ValueError on it.
    """
    return FunctionClassifier(function, classes, name, mask_token, pad_token, batch_size)
