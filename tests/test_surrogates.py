"""Ridge and feature selection against scikit-learn, the ``lime`` package and slow forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lime.lime_base import LimeBase
from sklearn.linear_model import Ridge

from xai_lib.surrogates import (
    forward_selection,
    highest_weights,
    moments,
    ridge,
    select,
)

LIME = LimeBase(kernel_fn=lambda distances: distances, random_state=0)


def problem(seed: int, n: int = 80, n_features: int = 9, n_classes: int = 3):
    """Masks with a full first row, probabilities that depend on them, positive weights."""
    rng = np.random.default_rng(seed)
    masks = rng.random((n, n_features)) < 0.6
    masks[0] = True
    logits = masks @ rng.normal(size=(n_features, n_classes)) + rng.normal(size=(n, n_classes)) / 5
    answers = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return masks, answers, rng.random(n) + 0.01


def slow_r2(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    """Weighted R^2 of the least squares fit of y on x and a constant."""
    design = np.c_[np.ones(len(y)), x.astype(float)] * np.sqrt(w)[:, None]
    target = y * np.sqrt(w)
    residual = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
    return 1 - (residual**2).sum() / (w * (y - np.average(y, weights=w)) ** 2).sum()


def slow_forward(x: np.ndarray, y: np.ndarray, w: np.ndarray, k: int) -> list[int]:
    """Greedy selection by R^2, ties (to 1e-9) to the lowest index."""
    chosen: list[int] = []
    for _ in range(min(k, x.shape[1])):
        best, best_score = -1, -np.inf
        for j in range(x.shape[1]):
            if j in chosen:
                continue
            score = slow_r2(x[:, [*chosen, j]], y, w)
            if score > best_score + 1e-9:
                best, best_score = j, score
        chosen.append(best)
    return chosen


# Moments and ridge ------------------------------------------------------------------------------


def test_moments_by_hand():
    masks = np.array([[1, 1], [1, 0], [0, 1]], dtype=bool)
    answers = np.array([[4.0], [2.0], [0.0]])
    parts = moments(masks, answers, np.array([2.0, 1.0, 1.0]))
    # Weighted means: x (3/4, 3/4), y 2.5. Deviations: x1 1/4, 1/4, -3/4; x2 1/4, -3/4, 1/4.
    assert parts.mean_x.tolist() == [0.75, 0.75]
    assert parts.mean_y.tolist() == [2.5]
    assert parts.gram == pytest.approx(np.array([[0.75, -0.25], [-0.25, 0.75]]))
    assert parts.cross.ravel() == pytest.approx([2.5, 0.5])
    assert parts.total.tolist() == [11.0]


def test_masks_are_not_changed():
    masks, answers, w = problem(0)
    floats = masks.astype(float)
    moments(floats, answers, w)
    np.testing.assert_array_equal(floats, masks)


@pytest.mark.parametrize("alpha", [0.01, 1.0, 10.0])
@pytest.mark.parametrize("columns", [None, [3], [5, 0, 2]])
def test_ridge_is_that_of_scikit_learn(alpha, columns):
    masks, answers, w = problem(1)
    coefficients, intercept, score = ridge(moments(masks, answers, w), columns, alpha)
    x = masks.astype(float) if columns is None else masks[:, columns].astype(float)
    for c in range(3):
        theirs = Ridge(alpha=alpha).fit(x, answers[:, c], sample_weight=w)
        np.testing.assert_allclose(coefficients[:, c], theirs.coef_, atol=1e-12)
        assert intercept[c] == pytest.approx(theirs.intercept_, abs=1e-12)
        assert score[c] == pytest.approx(theirs.score(x, answers[:, c], sample_weight=w), abs=1e-12)


def test_repeating_a_row_is_doubling_its_weight():
    masks, answers, w = problem(2, n=30)
    times = np.random.default_rng(0).integers(1, 5, 30)
    index = np.repeat(np.arange(30), times)
    once = ridge(moments(masks, answers, w * times))
    again = ridge(moments(masks[index], answers[index], w[index]))
    for a, b in zip(once, again, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.filterwarnings("ignore:An ill-conditioned matrix")
def test_without_penalty_dependent_columns_share_the_coefficient():
    masks, answers, w = problem(3)
    doubled = np.c_[masks, masks[:, 0]]
    coefficients, intercept, score = ridge(moments(doubled, answers, w), alpha=0.0)
    plain, offset, fit = ridge(moments(masks, answers, w), alpha=0.0)
    np.testing.assert_allclose(coefficients[0] + coefficients[-1], plain[0], atol=1e-6)
    np.testing.assert_allclose(intercept, offset, atol=1e-6)
    np.testing.assert_allclose(score, fit, atol=1e-6)


def test_constant_answers_have_no_score():
    masks, answers, w = problem(4)
    answers[:, 1] = 0.25
    coefficients, intercept, score = ridge(moments(masks, answers, w))
    np.testing.assert_allclose(coefficients[:, 1], 0, atol=1e-15)
    assert intercept[1] == pytest.approx(0.25)
    assert np.isnan(score).tolist() == [False, True, False]


def test_no_columns_leave_the_mean():
    masks, answers, w = problem(5)
    coefficients, intercept, score = ridge(moments(masks, answers, w), [])
    assert coefficients.shape == (0, 3)
    np.testing.assert_allclose(intercept, np.average(answers, axis=0, weights=w))
    np.testing.assert_allclose(score, 0, atol=1e-12)


# Forward selection ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_picks_are_those_of_the_lime_package(seed):
    masks, answers, w = problem(seed, n=120, n_features=10)
    picks = forward_selection(moments(masks, answers, w), 6)
    for c in range(3):
        theirs = LIME.forward_selection(masks.astype(float), answers[:, c], w, 6)
        assert picks[c].tolist() == theirs.tolist()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 10))
def test_picks_are_those_of_the_slow_form(seed, n_features, k):
    masks, answers, w = problem(seed, n=60, n_features=n_features, n_classes=2)
    picks = forward_selection(moments(masks, answers, w), k)
    assert picks.shape == (2, min(k, n_features))
    for c in range(2):
        assert picks[c].tolist() == slow_forward(masks, answers[:, c], w, k)


def test_ties_go_to_the_lowest_index():
    """All eight masks of three features with equal weight: columns are orthogonal."""
    masks = np.array(np.meshgrid([0, 1], [0, 1], [0, 1])).reshape(3, -1).T.astype(bool)
    even = masks.sum(axis=1) / 3.0
    later = 0.1 * masks[:, 0] + 0.4 * masks[:, 1] + 0.4 * masks[:, 2]
    answers = np.stack([even, later, -later], axis=1)
    picks = forward_selection(moments(masks, answers, np.ones(8)), 3)
    assert picks.tolist() == [[0, 1, 2], [1, 2, 0], [1, 2, 0]]


@pytest.mark.parametrize("n_features", range(3, 10))
def test_ties_that_rounding_would_decide_go_to_the_lowest_index(n_features):
    """Answers and weights see only how many words are kept, so at each step all are equal."""
    masks = (np.arange(2**n_features)[:, None] >> np.arange(n_features)) & 1 == 1
    share = masks.mean(axis=1)
    weights = np.exp(-8 * (1 - np.sqrt(share)) ** 2) / 7
    answers = np.stack([np.exp(share) / 3, 1 - np.exp(share) / 3], axis=1)
    picks = forward_selection(moments(masks, answers, weights), n_features)
    assert picks.tolist() == [list(range(n_features))] * 2


@pytest.mark.parametrize("seed", range(5))
def test_a_copy_is_chosen_after_everything_useful(seed):
    masks, answers, w = problem(seed, n_features=5)
    copied = np.c_[masks[:, :2], masks[:, 0], masks[:, 2:], masks[:, 1]]
    # Columns: 0, 1, copy of 0, 2, 3, 4, copy of 1.
    names = [0, 1, 0, 2, 3, 4, 1]
    parts, plain = moments(copied, answers, w), moments(masks, answers, w)
    for found, expected in zip(
        forward_selection(parts, 7), forward_selection(plain, 5), strict=True
    ):
        assert [names[j] for j in found[:5]] == expected.tolist()
        assert {2, 6}.isdisjoint(found[:5])
        assert found[5:].tolist() == [2, 6]


def test_constant_columns_come_last_in_order():
    masks, answers, w = problem(7, n_features=4)
    padded = np.c_[
        np.ones(len(masks), bool), masks[:, :2], np.zeros(len(masks), bool), masks[:, 2:]
    ]
    names = {1: 0, 2: 1, 4: 2, 5: 3}
    picks = forward_selection(moments(padded, answers, w), 99)
    plain = forward_selection(moments(masks, answers, w), 4)
    assert picks.shape == (3, 6)
    for found, expected in zip(picks, plain, strict=True):
        assert [names[j] for j in found[:4]] == expected.tolist()
        assert found[4:].tolist() == [0, 3]


def test_every_feature_once_when_k_is_larger():
    masks, answers, w = problem(8, n_features=6)
    picks = forward_selection(moments(masks, answers, w), 50)
    assert picks.shape == (3, 6)
    for row in picks:
        assert sorted(row) == list(range(6))
        shorter = forward_selection(moments(masks, answers, w), 2)
    np.testing.assert_array_equal(picks[:, :2], shorter)


def test_more_features_than_rows():
    masks, answers, w = problem(9, n=6, n_features=20, n_classes=2)
    picks = forward_selection(moments(masks, answers, w), 20)[0]
    assert sorted(picks) == list(range(20))
    # Six rows are fitted exactly by five of the picks and a constant.
    assert slow_r2(masks[:, picks[:5]], answers[:, 0], w) == pytest.approx(1)


# Highest weights and the choice of method -------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [1, 4, 20])
def test_highest_weights_are_those_of_the_lime_package(seed, k):
    masks, answers, w = problem(seed)
    picks = highest_weights(moments(masks, answers, w), k)
    for c in range(3):
        theirs = LIME.feature_selection(masks.astype(float), answers[:, c], w, k, "highest_weights")
        assert picks[c].tolist() == theirs.tolist()


def test_highest_weights_count_negative_ones():
    masks = np.array(np.meshgrid([0, 1], [0, 1], [0, 1])).reshape(3, -1).T.astype(bool)
    answers = (0.2 * masks[:, 0] - 0.5 * masks[:, 1] + 0.2 * masks[:, 2])[:, None]
    assert highest_weights(moments(masks, answers, np.ones(8)), 3).tolist() == [[1, 0, 2]]


def test_auto_selects_forward_up_to_six_features():
    masks, answers, w = problem(11, n_features=12)
    parts = moments(masks, answers, w)
    np.testing.assert_array_equal(select(parts, 6), forward_selection(parts, 6))
    np.testing.assert_array_equal(select(parts, 7), highest_weights(parts, 7))
    np.testing.assert_array_equal(select(parts, 7, "forward"), forward_selection(parts, 7))
    np.testing.assert_array_equal(select(parts, 2, "highest_weights"), highest_weights(parts, 2))
    everything = np.tile(np.arange(12), (3, 1))
    for k, method in [(None, "auto"), (3, "none"), (12, "auto"), (99, "forward")]:
        np.testing.assert_array_equal(select(parts, k, method), everything)
    with pytest.raises(ValueError, match=r"Unknown selection 'best'.*auto, forward"):
        select(parts, 3, "best")
