"""Random weights: what every other method must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from xai_lib.explainers.base import Attribution, Explainer
from xai_lib.models.base import Classifier
from xai_lib.rng import generator


@dataclass(frozen=True)
class Random(Explainer):
    """Independent standard normal weights; one model call, for the prediction.

    Attributes
    ----------
    group
        See `xai_lib.text.TextInstance`.
    """

    name: ClassVar[str] = "random"
    modalities: ClassVar[tuple[str, ...]] = ("text", "image")
    group: str = "position"

    def attribute(
        self, instances: list[Any], classifier: Classifier, seed: int
    ) -> list[Attribution]:
        """Explain instances; see `Explainer.attribute`."""
        whole = [np.ones((1, one.n_features), dtype=bool) for one in instances]
        answers = classifier.predict_masked(instances, whole)
        found = []
        for one, answer in zip(instances, answers, strict=True):
            rng = generator(seed, one.content, self.name, self.group)
            weights = rng.standard_normal((len(classifier.classes), one.n_features))
            found.append(Attribution(weights, answer[0], 1))
        return found
