"""What explainers switch off, feature by feature: a text, or an image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np


class Instance(ABC):
    """One input of a black box, cut into features.

    Attributes
    ----------
    features
        Names of the F features.
    group
        How features were formed.
    truncated_words
        Words that the model does not read; 0 for an image.
    lime_sampler
        The sampler that the ``lime`` package has for such an input, see
        `xai_lib.masks.sample_masks`.
    """

    features: tuple[str, ...]
    group: str
    truncated_words: int
    lime_sampler: ClassVar[str]

    @property
    def n_features(self) -> int:
        """Number F of features."""
        return len(self.features)

    @property
    @abstractmethod
    def content(self) -> str:
        """What of the input the model reads: random draws depend on it."""

    @property
    @abstractmethod
    def source(self) -> str:
        """The whole input: stored answers are filed under it."""

    @abstractmethod
    def describe(self, mask: np.ndarray | None = None) -> str:
        """Name the input, with some features removed, for an error message."""
