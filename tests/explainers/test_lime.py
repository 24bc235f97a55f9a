"""LIME against the ``lime`` package and against a regression written out by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from lime.lime_base import LimeBase
from lime.lime_text import LimeTextExplainer
from sklearn.metrics import pairwise_distances

import xai_lib
from xai_lib.explainers.lime import Lime, fit_lime
from xai_lib.masks import Neighbourhood, neighbourhoods
from xai_lib.models import as_classifier

WORDS = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lam",
    "mu",
    "nu",
    "xi",
]
TEXT = " ".join(WORDS)
# No two words are equally strong, and no two strengths are close.
STRENGTH = dict(zip(WORDS, [4, -3.4, 2.9, -2.5, 2.1, -1.8, 1.5, -1.2, 1, -0.8, 0.6, -0.4, 0.25, 0],
                    strict=True))  # fmt: skip


def toy(texts):
    """Three classes; words push towards the first, pairs of words make it not linear."""
    rows = []
    for text in texts:
        words = text.split()
        a = sum(STRENGTH[word] for word in words) / 2
        b = 0.6 if "beta" in words and "gamma" in words else -0.2
        logits = np.array([a, -a / 2, b])
        rows.append(np.exp(logits) / np.exp(logits).sum())
    return np.array(rows)


CLASSES = ["first", "second", "third"]
BOX = as_classifier(toy, CLASSES)


@pytest.fixture(scope="module")
def drawn() -> Neighbourhood:
    """400 drawn perturbations of the 14 words."""
    return neighbourhoods([BOX.instance(TEXT)], BOX, 400, enumerate_up_to=0)[0]


def lime_package(near: Neighbourhood, label: int, k: int, selection: str):
    """Fit the ``lime`` package's surrogate on the same rows, each as often as it was drawn."""
    rows = near.masks[near.draws].astype(float)
    answers = near.probabilities[near.draws]
    distances = pairwise_distances(rows, rows[:1], metric="cosine").ravel() * 100
    base = LimeBase(lambda d: np.sqrt(np.exp(-(d**2) / 25**2)), random_state=0)
    return base.explain_instance_with_data(rows, answers, distances, label, k, selection)


@pytest.mark.parametrize(
    "k, ours, theirs",
    [
        (None, "auto", "none"),
        (4, "auto", "auto"),
        (6, "forward", "forward_selection"),
        (8, "auto", "auto"),
        (3, "highest_weights", "highest_weights"),
    ],
)
@pytest.mark.parametrize("label", [0, 1, 2])
def test_coefficients_are_those_of_the_lime_package(drawn, label, k, ours, theirs):
    fit = fit_lime(drawn, k, ours)
    intercept, pairs, score, _ = lime_package(drawn, label, k or 14, theirs)
    expected = np.zeros(14)
    for feature, weight in pairs:
        expected[feature] = weight
    np.testing.assert_allclose(fit.weights[label], expected, atol=1e-6)
    np.testing.assert_array_equal(fit.weights[label] != 0, expected != 0)
    assert fit.intercept[label] == pytest.approx(intercept, abs=1e-6)
    if label == int(np.argmax(drawn.probabilities[0])):
        assert fit.diagnostics["r2"] == pytest.approx(score, abs=1e-6)


def test_ranking_is_that_of_lime_text_explainer():
    theirs = LimeTextExplainer(class_names=CLASSES, random_state=1).explain_instance(
        TEXT, toy, labels=[0, 1], num_features=14, num_samples=5000
    )
    ours = xai_lib.explain(TEXT, BOX, method="lime", seed=2, group="type")
    assert ours.settings["n_samples"] == 5000
    for label in (0, 1):
        by_word = {WORDS[i]: weight for i, weight in theirs.as_map()[label]}
        top = [WORDS[i] for i, _ in theirs.as_map()[label]][:10]
        assert [word for word, _ in ours.top(10, of=label)] == top
        for word, weight in ours.top(14, of=label):
            assert weight == pytest.approx(by_word[word], abs=0.02)


def test_repeated_words_are_one_feature_as_in_the_lime_package():
    text = "good bad good film good"

    def answer(texts):
        p = np.array([(1 + t.split().count("good")) / 5 - 0.1 * ("bad" in t) for t in texts])
        return np.stack([1 - p, p], axis=1)

    theirs = LimeTextExplainer(random_state=0).explain_instance(
        text, answer, num_features=3, num_samples=5000
    )
    ours = xai_lib.explain(text, as_classifier(answer, ["no", "yes"]), method="lime", group="type")
    expected = dict(theirs.as_list())
    assert ours.words == ("good", "bad", "film")
    for word, weight in zip(ours.words, ours.weights[1], strict=True):
        assert weight == pytest.approx(expected[word], abs=0.02)


@pytest.mark.parametrize("n_samples", [64, 1000])
def test_enumeration_is_the_expected_regression(n_samples):
    """All masks of six words, weighted by kernel and expected count; normal equations."""
    text = " ".join(WORDS[:6])
    explanation = xai_lib.explain(text, BOX, method="lime", n_samples=n_samples)
    rows, answers, weights = [], [], []
    for kept in itertools.product([0, 1], repeat=6):
        removed = 6 - sum(kept)
        count = (n_samples - 1) / 6 / math.comb(6, removed) if removed else 1
        distance = 100 * (1 - math.sqrt(sum(kept) / 6))
        rows.append([1, *kept])
        answers.append(toy([" ".join(w for w, on in zip(WORDS, kept, strict=False) if on)])[0])
        weights.append(count * math.exp(-(distance**2) / (2 * 25**2)))
    x, y, w = np.array(rows, float), np.array(answers), np.array(weights)
    penalty = np.diag([0.0] + [1.0] * 6)
    solution = np.linalg.solve(x.T @ (w[:, None] * x) + penalty, x.T @ (w[:, None] * y))
    np.testing.assert_allclose(explanation.weights, solution[1:].T, atol=1e-10)
    np.testing.assert_allclose(explanation.intercept, solution[0], atol=1e-10)
    assert explanation.model_calls == 64


def test_enumeration_is_the_limit_of_sampling():
    one = BOX.instance(" ".join(WORDS[:5]))
    (many,) = neighbourhoods([one], BOX, 40_000, enumerate_up_to=0)
    (every,) = neighbourhoods([one], BOX, 40_000)
    np.testing.assert_allclose(fit_lime(many).weights, fit_lime(every).weights, atol=0.004)


def test_a_linear_black_box_is_recovered():
    def linear(texts):
        p = np.array([0.1 + 0.05 * sum(STRENGTH[w] for w in t.split()) for t in texts])
        return np.stack([p, 1 - p], axis=1)

    text = "alpha gamma epsilon eta"
    box = as_classifier(linear, ["a", "b"])
    explanation = xai_lib.explain(text, box, method="lime", n_samples=10**6)
    expected = np.array([0.2, 0.145, 0.105, 0.075])
    np.testing.assert_allclose(explanation.weights, [expected, -expected], atol=1e-4)
    np.testing.assert_allclose(explanation.intercept, [0.1, 0.9], atol=1e-4)
    assert explanation.diagnostics["r2"] == pytest.approx(1, abs=1e-6)


def test_given_columns_are_used_for_every_class(drawn):
    fit = fit_lime(drawn, columns=[7, 1])
    rows, answers = drawn.masks[drawn.draws], drawn.probabilities[drawn.draws]
    kernel = np.exp(-((100 * (1 - np.sqrt(rows.mean(axis=1)))) ** 2) / (2 * 25**2))
    x = np.c_[np.ones(len(rows)), rows[:, [7, 1]]]
    solution = np.linalg.solve(
        x.T @ (kernel[:, None] * x) + np.diag([0.0, 1, 1]), x.T @ (kernel[:, None] * answers)
    )
    np.testing.assert_allclose(fit.weights[:, [7, 1]], solution[1:].T, atol=1e-9)
    assert np.flatnonzero(fit.weights.any(axis=0)).tolist() == [1, 7]


def test_another_weighting_weights_rows_otherwise(drawn):
    fit = fit_lime(drawn, weighting="one")
    rows, answers = drawn.masks[drawn.draws], drawn.probabilities[drawn.draws]
    x = np.c_[np.ones(len(rows)), rows]
    solution = np.linalg.solve(x.T @ x + np.diag([0.0] + [1.0] * 14), x.T @ answers)
    np.testing.assert_allclose(fit.weights, solution[1:].T, atol=1e-9)


@pytest.mark.parametrize("settings", [{}, {"n_features": 2}, {"columns": [3, 0]}])
def test_where_no_row_has_a_weight_the_prediction_is_all_there_is(drawn, settings):
    alone = drawn.within(0.0)
    assert len(alone.masks) == 1
    fit = fit_lime(alone, weighting="one_minus_cosine", **settings)
    assert fit.weights.tolist() == [[0.0] * 14] * 3
    np.testing.assert_array_equal(fit.intercept, toy([TEXT])[0])
    assert (fit.link, fit.model_calls) == ("identity", 1)
    assert math.isnan(fit.diagnostics["r2"])


def test_one_word_with_the_printed_weight():
    """Only the empty text has a weight, so a regression sees one value of the word."""
    (near,) = neighbourhoods([BOX.instance("alpha")], BOX, 2)
    fit = fit_lime(near, weighting="one_minus_cosine")
    np.testing.assert_allclose(fit.weights, 0, atol=1e-15)
    np.testing.assert_allclose(fit.intercept, toy([""])[0], rtol=1e-12)


def test_word_order_permutes_the_weights():
    forwards = xai_lib.explain("alpha delta zeta", BOX, method="lime", n_samples=8)
    backwards = xai_lib.explain("zeta delta alpha", BOX, method="lime", n_samples=8)
    np.testing.assert_allclose(forwards.weights, backwards.weights[:, ::-1], atol=1e-12)


def test_class_order_permutes_the_weights(drawn):
    turned = Neighbourhood(
        drawn.masks, drawn.counts, drawn.probabilities[:, [2, 0, 1]], drawn.draws
    )
    fit, other = fit_lime(drawn, 5), fit_lime(turned, 5)
    np.testing.assert_allclose(other.weights, fit.weights[[2, 0, 1]], atol=1e-12)


def test_one_word():
    explanation = xai_lib.explain("alpha", BOX, method="lime", n_samples=2)
    full, empty = toy(["alpha", ""])
    # Two rows with weights 1 and e^-8; ridge with penalty 1 on the centred column.
    spread = math.exp(-8) / (1 + math.exp(-8))
    np.testing.assert_allclose(
        explanation.weights[:, 0], (full - empty) * spread / (spread + 1), rtol=1e-9
    )


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"n_samples": 1}, "n_samples must be at least 2 model calls, got 1"),
        ({"n_features": 0}, "n_features must be at least 1 or None, got 0"),
        ({"selection": "best"}, "Unknown selection 'best'"),
        ({"sampler": "all"}, "Unknown sampler 'all'"),
        ({"removal": "cut"}, "Unknown removal 'cut'"),
        ({"group": "bag"}, "Unknown group 'bag'"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        Lime(**settings)
