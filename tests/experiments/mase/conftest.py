"""Planted texts in two rounds, and explanations made up for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from xai_lib.experiments.mase import Sample, gather
from xai_lib.experiments.study import Setting
from xai_lib.explanation import Explanation
from xai_lib.models.huggingface import HuggingFaceClassifier
from xai_lib.text import find_words

PROFILE: dict[str, Any] = {
    "dataset": "planted", "black_box": "tiny-planted", "seeds": [3, 8], "per_round": 4, "calls": 40,
    "spread_texts": 5, "spread_calls": [20, 40], "sigma_texts": 3, "sigmas": [0.1, 0.5],
    "limit_texts": 2, "limit_calls": 150, "limit_sigmas": [0.002, 0.5], "variant_texts": 3,
    "layer_texts": 5, "layer_sigmas": [0.1, 0.5],
    "planted_texts": 8, "planted_calls": [30, 60], "cost_texts": 1,
}  # fmt: skip

Fake = Callable[..., Explanation]


def make_fake(
    weights: Sequence[float], predicted: int = 1, text: str = "a b c d e", **diagnostics: float
) -> Explanation:
    """Explain one of two classes; the weights of the other are the opposite."""
    spans = find_words(text)
    row = np.asarray(weights, float)
    return Explanation(
        text=text,
        words=tuple(text[a:b] for a, b in spans),
        spans=spans,
        classes=("x", "y"),
        probabilities=np.eye(2)[predicted],
        predicted=predicted,
        weights=np.stack([row, -row] if predicted == 0 else [-row, row]),
        method="fake",
        seed=0,
        model_calls=1,
        seconds=0.0,
        diagnostics=diagnostics,
    )


@pytest.fixture(scope="session")
def fake() -> Fake:
    return make_fake


@pytest.fixture(scope="session")
def setting(planted_classifier: HuggingFaceClassifier) -> Setting:
    found = Setting("planted_bert", PROFILE, "cpu")
    # A cached property: the black box of all tests takes its place.
    found.__dict__["classifier"] = planted_classifier
    return found


@pytest.fixture(scope="session")
def sample(setting: Setting) -> Sample:
    return gather(setting, seed=1)
