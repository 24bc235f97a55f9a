"""Random weights: what every other method must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from xai_lib.explainers.base import Attribution, Explainer
from xai_lib.models.base import Classifier
from xai_lib.rng import generator
from xai_lib.text import TextInstance


@dataclass(frozen=True)
class Random(Explainer):
    """Independent standard normal weights; one model call, for the prediction.

    Attributes
    ----------
    group
        See `xai_lib.text.TextInstance`.
    """

    name: ClassVar[str] = "random"
    group: str = "position"

    def attribute(
        self, instances: list[TextInstance], classifier: Classifier, seed: int
    ) -> list[Attribution]:
        """Explain instances; see `Explainer.attribute`."""
        whole = [np.ones((1, one.n_features), dtype=bool) for one in instances]
        answers = classifier.predict_masked(instances, whole)
        found = []
        for one, answer in zip(instances, answers, strict=True):
            rng = generator(seed, one.read_text, self.name, self.group)
            weights = rng.standard_normal((len(classifier.classes), one.n_features))
            found.append(Attribution(weights, answer[0], 1))
        return found
