"""On texts whose reason is known, faithful methods find it and a random one does not."""

from __future__ import annotations

import numpy as np
import pytest

from xai_lib.data import load_dataset
from xai_lib.explainers import make_explainer

N_TEXTS = 40


def solved(classifier, n_planted: tuple[int, ...]):
    """Forty held-out texts whose class the black box predicts, with so many planted words."""
    test = load_dataset("planted", "test")
    predicted = classifier.predict_proba(test.texts).argmax(axis=1)
    count = np.array([len(positions) for positions in test.extra["planted"]])
    rows = np.flatnonzero((predicted == test.labels) & np.isin(count, n_planted))[:N_TEXTS]
    assert len(rows) == N_TEXTS
    return test.take(rows)


@pytest.fixture(scope="module")
def one_reason(planted_classifier):
    """Texts with one planted word: nothing else can be the reason."""
    return solved(planted_classifier, (1,))


@pytest.fixture(scope="module")
def reasons(planted_classifier):
    """Texts with one or two planted words; where there are two, either alone decides."""
    return solved(planted_classifier, (1, 2))


def found(method: str, classifier, texts, **settings) -> np.ndarray:
    """Whether the word that supports the predicted class most is a planted one, text by text."""
    explanations = make_explainer(method, **settings).explain(texts.texts, classifier, seed=0)
    return np.array(
        [
            int(explanation.ranking(by="signed")[0]) in planted
            for explanation, planted in zip(explanations, texts.extra["planted"], strict=True)
        ]
    )


@pytest.mark.parametrize(
    "method, settings",
    [
        ("lime", {"n_samples": 300}),
        ("lipex", {"n_samples": 300, "bias": True}),
        ("occlusion", {}),
        ("kernel_shap", {"n_samples": 300}),
    ],
)
def test_the_only_reason_comes_first(method, settings, planted_classifier, one_reason):
    assert found(method, planted_classifier, one_reason, **settings).mean() >= 0.95


# Not occlusion: without one of two reasons the other still decides, so that removing either
# changes nothing.
@pytest.mark.parametrize(
    "method, settings",
    [
        ("lime", {"n_samples": 300}),
        ("lipex", {"n_samples": 300, "bias": True}),
        ("kernel_shap", {"n_samples": 300}),
    ],
)
def test_one_of_the_reasons_comes_first(method, settings, planted_classifier, reasons):
    assert found(method, planted_classifier, reasons, **settings).mean() >= 0.95


def test_lipex_without_bias_misses_reasons_only_of_the_class_that_needs_none(
    planted_classifier, one_reason, reasons
):
    """Its surrogate is uniform for the empty text, so all words carry that text's class."""
    without_words = int(planted_classifier.predict_proba([""]).argmax())
    for texts in (one_reason, reasons):
        hits = found("lipex", planted_classifier, texts, n_samples=300)
        assert hits[texts.labels != without_words].mean() >= 0.95


def test_a_random_order_does_not_find_them(planted_classifier, one_reason, reasons):
    # One of 6 to 14 words, or two: by chance a tenth and a seventh of the texts.
    assert found("random", planted_classifier, one_reason).mean() <= 0.3
    assert found("random", planted_classifier, reasons).mean() <= 0.4
