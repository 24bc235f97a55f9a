"""LIPEx against Equation 6 and Algorithm 1 written out row by row in float64."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.optimize import minimize

import xai_lib
from xai_lib.explainers.lipex import Lipex, fit_lipex, select_features
from xai_lib.explainers.lipex_solvers import lipex_loss, minimise_adam
from xai_lib.masks import PROXIMITIES, Neighbourhood, neighbourhoods
from xai_lib.models import as_classifier

TEXT = "w0 w1 w2 w3 w4 w5 w6"
CLASSES = ["red", "green", "blue"]


def softmax(logits: np.ndarray) -> np.ndarray:
    q = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return q / q.sum(axis=-1, keepdims=True)


def box_of(matrix: np.ndarray, bias: np.ndarray | float = 0.0, bend: float = 0.0):
    """Softmax of a linear function of the words kept; `bend` adds a pair of words."""

    def answer(texts):
        kept = np.array(
            [[f"w{j}" in text.split() for j in range(matrix.shape[1])] for text in texts]
        )
        logits = kept @ matrix.T + bias
        logits[:, 0] += bend * (kept[:, 0] & kept[:, 1])
        return softmax(logits)

    return as_classifier(answer, CLASSES[: len(matrix)])


RNG = np.random.default_rng(12)
MATRIX = RNG.normal(size=(3, 7))
LINEAR = box_of(MATRIX)
BENT = box_of(MATRIX, bias=np.array([0.4, -0.3, 0.1]), bend=1.5)


def near_of(box, n_samples: int = 300, text: str = TEXT, **settings) -> Neighbourhood:
    return neighbourhoods([box.instance(text)], box, n_samples, **settings)[0]


def pi_by_hand(kind: str, kept: np.ndarray) -> float:
    """The four readings of pi for one mask: angle between it and the full mask."""
    cosine = kept.sum() / (np.linalg.norm(kept) * math.sqrt(len(kept))) if kept.any() else 0.0
    return {
        "lime": math.sqrt(math.exp(-((100 * (1 - cosine)) ** 2) / 25**2)),
        "one_minus_cosine": 1 - cosine,
        "cosine": cosine,
        "one": 1.0,
    }[kind]


def slow_loss(w, near, columns, kind, penalty, bias):
    """Equation 6: every draw on its own, H^2 = 1/2 sum (sqrt q - sqrt p)^2."""
    n_classes = near.probabilities.shape[1]
    matrix = w[: n_classes * len(columns)].reshape(n_classes, len(columns))
    offset = w[n_classes * len(columns) :] if bias else np.zeros(n_classes)
    total = 0.0
    for mask, count, p in zip(near.masks, near.counts, near.probabilities, strict=True):
        q = softmax(matrix @ mask[columns].astype(float) + offset)
        hellinger = 0.5 * ((np.sqrt(q) - np.sqrt(p)) ** 2).sum()
        total += count * pi_by_hand(kind, mask.astype(float)) * hellinger
    return total / near.counts.sum() + penalty / 2 * (matrix**2).sum()


def fast_arguments(near, columns, kind):
    """What `lipex_loss` takes, without grouping equal masks."""
    pi = np.array([pi_by_hand(kind, mask.astype(float)) for mask in near.masks])
    share = near.counts * pi / near.counts.sum()
    return near.masks[:, columns].astype(float), np.sqrt(near.probabilities) * share[:, None], share


# Loss and gradient ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PROXIMITIES)
@pytest.mark.parametrize("bias", [False, True])
def test_loss_is_equation_6(kind, bias):
    near = near_of(BENT, 60)
    columns = np.array([0, 2, 3, 6])
    w = np.random.default_rng(0).normal(size=3 * (4 + bias))
    masks, roots, share = fast_arguments(near, columns, kind)
    loss, _ = lipex_loss(w, masks, roots, share.sum(), 0.01, bias)
    assert loss == pytest.approx(slow_loss(w, near, columns, kind, 0.01, bias), rel=1e-12)


@pytest.mark.parametrize("kind", PROXIMITIES)
@pytest.mark.parametrize("bias", [False, True])
def test_gradient_is_that_of_finite_differences(kind, bias):
    near = near_of(BENT, 60)
    columns = np.array([1, 4, 5])
    w = np.random.default_rng(1).normal(size=3 * (3 + bias))
    masks, roots, share = fast_arguments(near, columns, kind)
    _, gradient = lipex_loss(w, masks, roots, share.sum(), 0.01, bias)
    step = 1e-5
    for i in range(len(w)):
        shift = np.zeros(len(w))
        shift[i] = step
        slope = (
            slow_loss(w + shift, near, columns, kind, 0.01, bias)
            - slow_loss(w - shift, near, columns, kind, 0.01, bias)
        ) / (2 * step)
        assert gradient[i] == pytest.approx(slope, abs=1e-7)


def test_adding_a_vector_to_the_rows_of_all_classes_changes_nothing_but_the_penalty():
    near = near_of(BENT, 60)
    columns = np.arange(7)
    masks, roots, share = fast_arguments(near, columns, "lime")
    rng = np.random.default_rng(2)
    w, shift = rng.normal(size=(3, 7)), rng.normal(size=7)
    arguments = (masks, roots, share.sum(), 0.0)
    here, _ = lipex_loss(w.ravel(), *arguments)
    there, _ = lipex_loss((w + shift).ravel(), *arguments)
    assert here == pytest.approx(there, abs=1e-14)
    np.testing.assert_allclose(softmax(masks @ w.T), softmax(masks @ (w + shift).T), atol=1e-14)


def test_large_weights_do_not_overflow():
    near = near_of(BENT, 60)
    masks, roots, share = fast_arguments(near, np.arange(7), "one")
    loss, gradient = lipex_loss(np.linspace(-900, 900, 21), masks, roots, share.sum(), 0.0)
    assert 0 <= loss <= share.sum()
    assert np.isfinite(gradient).all()


# Fit --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PROXIMITIES)
@pytest.mark.parametrize("bias", [False, True])
def test_fit_is_the_minimum_of_equation_6(kind, bias):
    """A general minimiser without gradient, on the slow form, finds nothing better or other."""
    near = near_of(BENT, 30, "w0 w1 w2 w3")
    columns = np.array([0, 1, 3])
    penalty = 0.02
    fit = fit_lipex(near, pi=kind, bias=bias, penalty=penalty, columns=columns)
    arguments = (near, columns, kind, penalty, bias)
    slow = minimize(
        slow_loss, np.zeros(3 * (3 + bias)), args=arguments, method="BFGS", options={"gtol": 1e-7}
    )
    expected = slow.x[:9].reshape(3, 3)
    expected = expected - expected.mean(axis=0)
    np.testing.assert_allclose(fit.weights[:, columns], expected, atol=2e-3)
    found = np.r_[fit.weights[:, columns].ravel(), fit.intercept if bias else []]
    assert slow_loss(found, *arguments) <= slow.fun + 1e-9
    assert fit.diagnostics["loss"] == pytest.approx(slow.fun, abs=1e-9)
    assert fit.diagnostics["n_selected"] == 3.0
    assert not fit.weights[:, 2].any()
    if bias:
        centred = slow.x[9:] - slow.x[9:].mean()
        np.testing.assert_allclose(fit.intercept, centred, atol=2e-3)
    else:
        assert fit.intercept.tolist() == [0.0, 0.0, 0.0]


def test_the_four_weights_give_four_answers():
    near = near_of(BENT)
    fits = {kind: fit_lipex(near, pi=kind, selection="none").weights for kind in PROXIMITIES}
    for a, b in itertools.combinations(fits, 2):
        assert np.abs(fits[a] - fits[b]).max() > 0.01, (a, b)


@pytest.mark.parametrize("kind", PROXIMITIES)
def test_a_softmax_linear_black_box_is_recovered(kind):
    near = near_of(LINEAR, 500)
    fit = fit_lipex(near, pi=kind, selection="none", penalty=0.0)
    np.testing.assert_allclose(fit.weights, MATRIX - MATRIX.mean(axis=0), atol=5e-3)
    assert fit.diagnostics["loss"] < 1e-7
    assert fit.diagnostics["total_variation"] < 1e-3


def test_a_smaller_penalty_comes_nearer_to_a_softmax_linear_black_box():
    near = near_of(LINEAR, 500)
    truth = MATRIX - MATRIX.mean(axis=0)
    gaps = [
        np.abs(fit_lipex(near, selection="none", penalty=penalty).weights - truth).max()
        for penalty in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
    ]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 0.02


def test_with_bias_an_offset_is_recovered():
    offset = np.array([0.9, -0.5, -0.4])
    near = near_of(box_of(MATRIX, bias=offset), 500)
    fit = fit_lipex(near, pi="one", selection="none", penalty=0.0, bias=True)
    np.testing.assert_allclose(fit.weights, MATRIX - MATRIX.mean(axis=0), atol=1e-2)
    np.testing.assert_allclose(fit.intercept, offset, atol=1e-2)
    without = fit_lipex(near, pi="one", selection="none", penalty=0.0)
    assert without.diagnostics["loss"] > 100 * fit.diagnostics["loss"]


@pytest.mark.parametrize("enumerate_up_to", [None, 0])
@pytest.mark.parametrize("bias", [False, True])
def test_adam_agrees_with_lbfgs(enumerate_up_to, bias):
    """With the paper's steps and batches, on drawn perturbations and on all of them."""
    near = near_of(BENT, 1500, enumerate_up_to=enumerate_up_to)
    assert (near.draws is None) == (enumerate_up_to is None)
    settings = {"selection": "none", "bias": bias, "penalty": 0.01}
    exact = fit_lipex(near, **settings)
    adam = fit_lipex(near, **settings, solver="adam", rng=np.random.default_rng(0))
    assert exact.diagnostics["loss"] <= adam.diagnostics["loss"]
    assert adam.diagnostics["loss"] == pytest.approx(exact.diagnostics["loss"], rel=1e-2)
    np.testing.assert_allclose(adam.weights, exact.weights, atol=0.05)
    np.testing.assert_allclose(adam.intercept, exact.intercept, atol=0.05)


def test_adam_weights_rare_masks_by_their_expected_count():
    """At 1024 calls a mask that removes 5 of 10 words is expected 0.41 times, not never."""
    matrix = np.random.default_rng(3).normal(size=(2, 10)) / 2

    def answer(texts):
        kept = np.array([[f"w{j}" in text.split() for j in range(10)] for text in texts])
        half = (kept.sum(axis=1) == 5)[:, None] * np.array([1.5, -1.5])
        return softmax(kept @ matrix.T + half)

    near = near_of(as_classifier(answer, ["a", "b"]), 1024, " ".join(f"w{j}" for j in range(10)))
    columns, pi = np.arange(10), np.ones(1024)

    def steps_on_everything(some: Neighbourhood) -> np.ndarray:
        w = minimise_adam(
            some, columns, pi, 0.01, True, np.random.default_rng(0), 0.02, 10**9, 2000
        )
        return w[:20].reshape(2, 10) - w[:20].reshape(2, 10).mean(axis=0)

    exact = fit_lipex(near, pi="one", columns=columns, bias=True, penalty=0.01).weights
    np.testing.assert_allclose(steps_on_everything(near), exact, atol=3e-3)
    rounded = Neighbourhood(near.masks, np.round(near.counts), near.probabilities)
    without = fit_lipex(rounded, pi="one", columns=columns, bias=True, penalty=0.01).weights
    assert np.abs(without - exact).max() > 0.009, "leaving these masks out would show"


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_columns_have_mean_zero_over_the_classes(solver):
    fit = fit_lipex(near_of(BENT), solver=solver)
    np.testing.assert_allclose(fit.weights.sum(axis=0), 0, atol=1e-12)
    assert np.abs(fit.weights).max() > 0.1


def test_as_printed_the_text_itself_has_no_weight():
    near = near_of(BENT)
    other = near.probabilities.copy()
    other[0] = [0.98, 0.01, 0.01]
    assert np.abs(other[0] - near.probabilities[0]).max() > 0.2
    changed = Neighbourhood(near.masks, near.counts, other, near.draws)
    columns = np.arange(7)
    for kind in PROXIMITIES:
        before = fit_lipex(near, pi=kind, columns=columns).weights
        after = fit_lipex(changed, pi=kind, columns=columns).weights
        assert (np.abs(before - after).max() == 0) == (kind == "one_minus_cosine")


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_where_no_row_has_a_weight_the_penalty_decides(solver, bias):
    alone = near_of(BENT).within(0.0)
    assert len(alone.masks) == 1
    fit = fit_lipex(alone, pi="one_minus_cosine", solver=solver, bias=bias)
    assert fit.weights.tolist() == [[0.0] * 7] * 3
    assert fit.intercept.tolist() == [0.0] * 3
    assert fit.diagnostics["loss"] == 0.0
    # Total variation between the uniform distribution and the prediction.
    expected = np.maximum(alone.probabilities[0] - 1 / 3, 0).sum()
    assert fit.diagnostics["total_variation"] == pytest.approx(expected)


def test_without_bias_the_empty_text_is_uniform():
    explanation = xai_lib.explain(TEXT, BENT, method="lipex", n_samples=200)
    empty = explanation.surrogate(np.zeros((1, 7), dtype=bool))
    np.testing.assert_allclose(empty, [[1 / 3, 1 / 3, 1 / 3]], atol=1e-12)


def test_total_variation_is_between_surrogate_and_black_box_at_the_text():
    explanation = xai_lib.explain(TEXT, BENT, method="lipex", n_samples=200, bias=True)
    q = softmax(explanation.weights.sum(axis=1) + explanation.intercept)
    expected = 0.5 * np.abs(q - BENT.predict_proba([TEXT])[0]).sum()
    assert explanation.diagnostics["total_variation"] == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(explanation.surrogate(np.ones((1, 7), bool))[0], q, atol=1e-12)
    assert explanation.link == "softmax"


def test_equal_masks_may_be_grouped_or_not():
    near = near_of(BENT, 120, enumerate_up_to=0)
    singly = Neighbourhood(
        near.masks[near.draws], np.ones(120), near.probabilities[near.draws], np.arange(120)
    )
    assert near.model_calls < 120
    for kind in PROXIMITIES:
        grouped = fit_lipex(near, 2, pi=kind)
        apart = fit_lipex(singly, 2, pi=kind)
        np.testing.assert_allclose(grouped.weights, apart.weights, atol=1e-4)
        assert grouped.diagnostics["loss"] == pytest.approx(apart.diagnostics["loss"], abs=1e-10)


def test_permuting_words_and_classes_permutes_the_matrix():
    near = near_of(BENT, 100)
    words, classes = [3, 6, 0, 2, 5, 1, 4], [1, 2, 0]
    turned = Neighbourhood(near.masks[:, words], near.counts, near.probabilities[:, classes])
    for k, bias in [(2, False), (7, True)]:
        fit, other = fit_lipex(near, k, bias=bias), fit_lipex(turned, k, bias=bias)
        np.testing.assert_allclose(other.weights, fit.weights[classes][:, words], atol=1e-4)
        np.testing.assert_allclose(other.intercept, fit.intercept[classes], atol=1e-4)


# Selection --------------------------------------------------------------------------------------


def r2(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    design = np.c_[np.ones(len(y)), x.astype(float)] * np.sqrt(w)[:, None]
    target = y * np.sqrt(w)
    residual = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
    return 1 - (residual**2).sum() / (w * (y - np.average(y, weights=w)) ** 2).sum()


def rows_of(near: Neighbourhood):
    w = near.counts * [pi_by_hand("lime", mask.astype(float)) for mask in near.masks]
    return near.masks, near.probabilities, w


def algorithm_1(near: Neighbourhood, k: int) -> tuple[list[int], list[list[int]]]:
    """Algorithm 1 line by line; also what each class adds, step by step."""
    x, answers, w = rows_of(near)
    selected: list[int] = []
    steps = []
    for y in answers.T:
        current: list[int] = []
        for _ in range(k):
            best_index, best_score = 0, -np.inf
            for j in range(x.shape[1]):
                if j in selected:
                    continue
                score = r2(x[:, [*selected, j]], y, w)
                if score > best_score:
                    best_index, best_score = j, score
            current.append(best_index)
        steps.append(current)
        selected += [j for j in dict.fromkeys(current) if j not in selected]
    return sorted(selected), steps


@pytest.mark.parametrize("seed", range(4))
def test_algorithm_1_as_printed_gives_one_feature_a_class(seed):
    box = box_of(np.random.default_rng(seed).normal(size=(3, 7)))
    near = near_of(box, 90, seed=seed)
    expected, steps = algorithm_1(near, 5)
    assert all(len(set(current)) == 1 for current in steps)
    assert len(expected) == 3
    for k in (1, 5):
        assert select_features(near, k, "as_printed").tolist() == expected


def test_as_printed_stops_when_no_feature_is_left():
    near = near_of(box_of(MATRIX[:, :2]), 30, "w0 w1")
    assert select_features(near, 5, "as_printed").tolist() == [0, 1]


@pytest.mark.parametrize("k", [1, 2, 5])
def test_selection_is_the_union_of_forward_selections(k):
    near = near_of(box_of(MATRIX, bend=2.0), 100)
    x, answers, w = rows_of(near)
    union = set()
    for y in answers.T:
        chosen: list[int] = []
        for _ in range(k):
            scores = {j: r2(x[:, [*chosen, j]], y, w) for j in range(7) if j not in chosen}
            chosen.append(max(scores, key=scores.get))
        union |= set(chosen)
    assert select_features(near, k).tolist() == sorted(union)
    fit = fit_lipex(near, k)
    assert np.flatnonzero(fit.weights.any(axis=0)).tolist() == sorted(union)
    assert fit.diagnostics["n_selected"] == len(union)


def test_no_selection_keeps_all_and_others_are_unknown():
    near = near_of(LINEAR, 50)
    assert select_features(near, 1, "none").tolist() == list(range(7))
    with pytest.raises(
        ValueError, match=r"Unknown selection 'union'\. Valid: per_class, as_printed"
    ):
        select_features(near, 1, "union")


# Explainer --------------------------------------------------------------------------------------


def test_explanation_carries_the_fit():
    explanation = xai_lib.explain(TEXT, BENT, seed=4, n_samples=90, n_features=2)
    near = near_of(BENT, 90, seed=4)
    fit = fit_lipex(near, 2)
    np.testing.assert_array_equal(explanation.weights, fit.weights)
    np.testing.assert_array_equal(explanation.probabilities, BENT.predict_proba([TEXT])[0])
    assert explanation.method == "lipex"
    assert explanation.model_calls == len(near.masks)
    assert explanation.words == tuple(TEXT.split())


def test_lime_and_lipex_see_the_same_perturbations():
    seen: dict[str, list[str]] = {}
    for method in ("lime", "lipex"):
        asked: list[str] = []

        def answer(texts, asked=asked):
            asked += texts
            return np.full((len(texts), 2), 0.5)

        xai_lib.explain(
            TEXT, as_classifier(answer, ["a", "b"]), method=method, n_samples=100, seed=9
        )
        seen[method] = asked
    assert seen["lime"] == seen["lipex"]


def test_a_constant_black_box_has_no_reasons():
    box = as_classifier(lambda texts: np.full((len(texts), 4), 0.25), list("abcd"))
    explanation = xai_lib.explain(TEXT, box, n_samples=90)
    np.testing.assert_allclose(explanation.weights, 0, atol=1e-6)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"n_samples": 1}, "n_samples must be at least 2 model calls, got 1"),
        ({"pi": "cos"}, "Unknown pi 'cos'. Valid: lime, one_minus_cosine, cosine, one."),
        ({"solver": "sgd"}, "Unknown solver 'sgd'. Valid: lbfgs, adam."),
        ({"selection": "union"}, "Unknown selection 'union'"),
        ({"n_features": 0}, "n_features must be at least 1, got 0"),
        ({"penalty": -1.0}, "penalty must not be negative, got -1.0"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        Lipex(**settings)
