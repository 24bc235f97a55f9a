"""On texts whose reason is known, faithful methods find it and a random one does not."""

from __future__ import annotations

import numpy as np
import pytest

from xai_lib.data import load_dataset
from xai_lib.explainers import make_explainer

N_TEXTS = 40


@pytest.fixture(scope="module")
def solved(planted_classifier):
    """Forty held-out texts whose class the black box predicts, and their planted words."""
    test = load_dataset("planted", "test")
    predicted = planted_classifier.predict_proba(test.texts).argmax(axis=1)
    rows = np.flatnonzero(predicted == test.labels)[:N_TEXTS]
    assert len(rows) == N_TEXTS
    return test.take(rows)


def share_found(method: str, classifier, solved, **settings) -> float:
    """Share of texts whose first word for the predicted class is a planted one."""
    explanations = make_explainer(method, **settings).explain(solved.texts, classifier, seed=0)
    found = [
        int(explanation.ranking(by="signed")[0]) in planted
        for explanation, planted in zip(explanations, solved.extra["planted"], strict=True)
    ]
    return float(np.mean(found))


@pytest.mark.parametrize(
    "method, settings",
    [
        ("lime", {"n_samples": 300}),
        ("lipex", {"n_samples": 300}),
        ("lipex", {"n_samples": 300, "solver": "adam"}),
        ("occlusion", {}),
        ("kernel_shap", {"n_samples": 300}),
    ],
)
def test_faithful_methods_put_a_planted_word_first(method, settings, planted_classifier, solved):
    assert share_found(method, planted_classifier, solved, **settings) >= 0.95


def test_a_random_order_does_not(planted_classifier, solved):
    # One or two of 6 to 14 words are planted: a third of the texts at the very most.
    assert share_found("random", planted_classifier, solved) <= 0.4
