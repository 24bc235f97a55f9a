"""A black box small enough to work out by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import settings

from xai_lib.text import TextInstance, make_instance

# The machine may be busy: a slow example is no failure. The same examples on every run.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


class WordSum:
    """Two classes; the logit of class 1 is the sum of the weights of the words that are left."""

    def __init__(self, weights: dict[str, float], bias: float = 0.0) -> None:
        self.weights, self.bias = weights, bias
        self.requests: list[list[np.ndarray]] = []
        self.calls = 0
        self.device = "cpu"

    def instance(self, text: str) -> TextInstance:
        return make_instance(text)

    def predict_masked(
        self, instances: Sequence[TextInstance], masks: Sequence[np.ndarray], removal: str
    ) -> list[np.ndarray]:
        assert removal == "drop"
        assert len(instances) == len(masks)
        self.requests.append(list(masks))
        answers = []
        for instance, mask in zip(instances, masks, strict=True):
            self.calls += len(mask)
            weights = np.array([self.weights[word] for word in instance.features])
            p = 1 / (1 + np.exp(-(mask @ weights + self.bias)))
            answers.append(np.stack([1 - p, p], axis=1))
        return answers


@pytest.fixture
def box() -> WordSum:
    """Whole text: 2 - 1 + 0.5 - 0.25 = 1.25, so class 1; nothing left: 0, a tie, so class 0."""
    return WordSum({"good": 2.0, "bad": -1.0, "fine": 0.5, "poor": -0.25})


@pytest.fixture
def four(box: WordSum) -> TextInstance:
    return box.instance("good bad fine poor")
