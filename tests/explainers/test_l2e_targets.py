"""The labels and losses of L2E against loops over words and pairs of words."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from xai_lib.explainers.l2e_targets import (
    SCHEMES,
    discretised,
    labelling_loss,
    labels_of_weights,
    lrp_labels,
    ranking_loss,
    ranks_of_weights,
    scores_of_logits,
)

# Labels -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        # Positive mean 2, negative mean -2.
        ([1.0, 2.0, 3.0, -1.0, -2.0, -3.0, 0.0], [1, 1, 2, -1, -1, -2, 0]),
        ([0.5, 0.5, 5.0], [1, 1, 2]),
        ([-0.5, -0.5, -5.0], [-1, -1, -2]),
        ([0.0, 0.0], [0, 0]),
        ([3.0], [1]),
        ([-3.0], [-1]),
        ([0.0], [0]),
        ([], []),
        ([7.0, -1.0, -3.0], [1, -1, -2]),
        # The mean of equal numbers may be below them by a last digit.
        ([0.1, 0.1, 0.1], [1, 1, 1]),
        ([-0.7] * 7, [-1] * 7),
    ],
)
def test_labels_by_hand(weights: list[float], expected: list[int]) -> None:
    found = labels_of_weights(np.array(weights))
    assert found.dtype == np.int64
    assert found.tolist() == expected
    # The size of the weights says nothing.
    assert labels_of_weights(np.array(weights) * 1e-9).tolist() == expected


def slow_label(w: float, weights: list[float]) -> int:
    """The definition, word by word."""
    positive = [x for x in weights if x > 0]
    negative = [x for x in weights if x < 0]
    if w < 0:
        return -2 if w < sum(negative) / len(negative) else -1
    if w > 0:
        return 2 if w > sum(positive) / len(positive) else 1
    return 0


def test_labels_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        weights = rng.normal(size=rng.integers(1, 30)) * (rng.random() + 0.1)
        weights[rng.random(len(weights)) < 0.2] = 0.0
        slow = [slow_label(w, weights.tolist()) for w in weights]
        assert labels_of_weights(weights).tolist() == slow


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        # Mean 2, deviation sqrt(2): from 3.41 on high, below 0.59 low.
        ([0.0, 1.0, 2.0, 3.0, 4.0], [0, 1, 1, 1, 2]),
        # Mean 1, deviation 1: the bounds are 2 and 0, both inclusive.
        ([0.0, 2.0], [1, 2]),
        ([5.0], [2]),
        ([0.1, 0.1, 0.1], [2, 2, 2]),
        ([], []),
    ],
)
def test_three_labels_by_hand(weights: list[float], expected: list[int]) -> None:
    assert lrp_labels(np.array(weights)).tolist() == expected
    assert discretised(np.array(weights), "three").tolist() == expected


@pytest.mark.parametrize("function", [labels_of_weights, lrp_labels, ranks_of_weights])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_no_numbers(
    function: Callable[[np.ndarray], np.ndarray], bad: float
) -> None:
    with pytest.raises(ValueError, match=rf"finite.*{bad}"):
        function(np.array([1.0, bad]))
    with pytest.raises(ValueError, match="one dimension, got 2"):
        function(np.ones((2, 2)))


def test_an_unknown_scheme_lists_the_two() -> None:
    with pytest.raises(ValueError, match=r"'four'.*five, three"):
        discretised(np.ones(2), "four")


def test_ranks_keep_ties_and_forget_signs() -> None:
    assert ranks_of_weights(np.array([-3.0, 0.5, 3.0, 0.0, -0.5])).tolist() == [2, 1, 2, 0, 1]
    assert ranks_of_weights(np.array([])).tolist() == []


# Ranking ----------------------------------------------------------------------------------------


def slow_ranking(v: list[float], w: list[float], ties: str) -> float:
    """The printed sum over pairs, divided by the number of words."""
    total = 0.0
    for i in range(len(v)):
        for j in range(i + 1, len(v)):
            both = math.exp(v[i]) + math.exp(v[j])
            losses = [-math.log(math.exp(v[k]) / both) for k in (i, j)]
            if abs(w[i]) == abs(w[j]):
                total += sum(losses) / 2 if ties == "symmetric" else losses[0]
            else:
                total += losses[0] if abs(w[i]) > abs(w[j]) else losses[1]
    return total / len(v) if v else 0.0


def test_ranking_loss_of_three_words_by_hand() -> None:
    # Pairs (0, 1) and (0, 2): the first is the larger; (1, 2) is a tie of equal scores.
    v = torch.tensor([[math.log(3.0), 0.0, 0.0]], dtype=torch.float64)
    w = torch.tensor([[-2.0, 1.0, -1.0]], dtype=torch.float64)
    expected = (-2 * math.log(3 / 4) + math.log(2)) / 3
    for ties in ("symmetric", "first"):
        assert ranking_loss(v, w, ties=ties).item() == pytest.approx(expected, abs=1e-14)
    # A tie whose first word has the higher score: 3/4 against the mean of both orders.
    w = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
    assert ranking_loss(v[:, :2], w, ties="first").item() == pytest.approx(-math.log(3 / 4) / 2)
    half = -(math.log(3 / 4) + math.log(1 / 4)) / 4
    assert ranking_loss(v[:, :2], w).item() == pytest.approx(half)


def drawn(seed: int) -> tuple[list[list[float]], list[list[float]]]:
    """Scores and weights of five texts of different lengths, with ties and zeros."""
    rng = np.random.default_rng(seed)
    lengths = (6, 1, 9, 3, 2)
    scores = [(2 * rng.normal(size=n)).tolist() for n in lengths]
    weights = [rng.integers(-3, 4, size=n).astype(float).tolist() for n in lengths]
    return scores, weights


def padded(rows: list[list[float]], fill: float) -> tuple[torch.Tensor, torch.Tensor]:
    widest = max(map(len, rows)) + 2
    values = [row + [fill] * (widest - len(row)) for row in rows]
    mask = [[True] * len(row) + [False] * (widest - len(row)) for row in rows]
    return torch.tensor(values, dtype=torch.float64), torch.tensor(mask)


@pytest.mark.parametrize("ties", ["symmetric", "first"])
@pytest.mark.parametrize("fill", [0.0, 1e9, math.inf, math.nan])
def test_ranking_loss_is_the_sum_over_pairs(ties: str, fill: float) -> None:
    scores, weights = drawn(3)
    v, mask = padded(scores, fill)
    v.requires_grad_(True)
    w, _ = padded(weights, fill)
    found = ranking_loss(v, w, mask, ties)
    slow = [slow_ranking(a, b, ties) for a, b in zip(scores, weights, strict=True)]
    np.testing.assert_allclose(found.detach().numpy(), slow, atol=1e-13)
    ranks = torch.zeros_like(mask, dtype=torch.int64)
    for row, one in enumerate(weights):
        ranks[row, : len(one)] = torch.from_numpy(ranks_of_weights(np.array(one)))
    of_ranks = ranking_loss(v.detach(), ranks, mask, ties)
    np.testing.assert_allclose(of_ranks.numpy(), slow, atol=1e-13)
    found.sum().backward()
    assert v.grad is not None
    gradient = v.grad.numpy()
    assert (gradient[~mask.numpy()] == 0).all()
    step = 1e-6
    for row, (a, b) in enumerate(zip(scores, weights, strict=True)):
        for i in range(len(a)):
            up, down = ([*a[:i], a[i] + sign * step, *a[i + 1 :]] for sign in (1, -1))
            slope = (slow_ranking(up, b, ties) - slow_ranking(down, b, ties)) / (2 * step)
            assert gradient[row, i] == pytest.approx(slope, abs=1e-8)


def test_ties_cost_least_where_scores_are_equal() -> None:
    w = torch.ones(1, 4, dtype=torch.float64)
    equal = ranking_loss(torch.zeros(1, 4, dtype=torch.float64), w).item()
    assert equal == pytest.approx(6 * math.log(2) / 4)
    for seed in range(5):
        v = torch.from_numpy(np.random.default_rng(seed).normal(size=(1, 4)))
        assert ranking_loss(v, w).item() > equal


def test_scores_far_apart_do_not_overflow() -> None:
    v = torch.tensor([[400.0, -400.0]])
    assert ranking_loss(v, torch.tensor([[2.0, 1.0]])).item() == 0.0
    assert ranking_loss(v, torch.tensor([[1.0, 2.0]])).item() == pytest.approx(400.0)


def test_unknown_ties_list_the_two() -> None:
    with pytest.raises(ValueError, match=r"'last'.*symmetric, first"):
        ranking_loss(torch.zeros(1, 2), torch.zeros(1, 2), ties="last")


# Labelling --------------------------------------------------------------------------------------


def slow_labelling(logits: np.ndarray, labels: list[int]) -> float:
    return float(
        sum(
            -math.log(math.exp(row[k]) / sum(math.exp(x) for x in row))
            for row, k in zip(logits, labels, strict=True)
        )
    )


def test_labelling_loss_is_the_sum_over_words() -> None:
    rng = np.random.default_rng(5)
    lengths = (4, 1, 6)
    logits = [rng.normal(size=(n, 5)) for n in lengths]
    labels = [rng.integers(5, size=n).tolist() for n in lengths]
    given = torch.full((3, 7, 5), math.nan, dtype=torch.float64)
    wanted = torch.zeros(3, 7, dtype=torch.int64)
    mask = torch.zeros(3, 7, dtype=torch.bool)
    for row, (one, own) in enumerate(zip(logits, labels, strict=True)):
        given[row, : len(one)] = torch.from_numpy(one)
        wanted[row, : len(one)] = torch.tensor(own)
        mask[row, : len(one)] = True
    found = labelling_loss(given, wanted, mask).numpy()
    slow = [slow_labelling(one, own) for one, own in zip(logits, labels, strict=True)]
    np.testing.assert_allclose(found, slow, atol=1e-13)
    x = torch.from_numpy(logits[0])[None].requires_grad_(True)
    labelling_loss(x, torch.tensor(labels[:1])).sum().backward()
    assert x.grad is not None
    for i in range(4):
        for k in range(5):
            step = np.zeros((4, 5))
            step[i, k] = 1e-6
            up, down = (slow_labelling(logits[0] + s * step, labels[0]) for s in (1, -1))
            assert x.grad[0, i, k].item() == pytest.approx((up - down) / 2e-6, abs=1e-8)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_score_rounds_to_the_label_and_follows_the_expected_one(scheme: str) -> None:
    values = np.array(SCHEMES[scheme], dtype=float)
    rng = np.random.default_rng(6)
    logits = rng.normal(size=(400, len(values))) * rng.choice([0.01, 1.0, 50.0], size=(400, 1))
    found = scores_of_logits(logits.astype(np.float32), scheme)
    best = values[logits.argmax(axis=1)]
    np.testing.assert_array_equal(np.rint(found), best)
    expected = np.array(
        [
            sum(math.exp(x - row.max()) * v for x, v in zip(row, values, strict=True))
            / sum(math.exp(x - row.max()) for x in row)
            for row in logits
        ]
    )
    for label in values:
        own = best == label
        order = np.argsort(expected[own])
        assert (np.diff(found[own][order]) > -1e-6).all()
    # A certain word has its label, exactly.
    sure = scores_of_logits(np.where(np.eye(len(values)) > 0, 1000.0, 0.0), scheme)
    np.testing.assert_array_equal(sure, values)


def test_a_score_by_hand() -> None:
    # The best label is -2, the expected one -0.8 + 0.3 + 0.6 = 0.1, of labels 4 apart.
    shares = np.array([[0.4, 1e-300, 1e-300, 0.3, 0.3]])
    assert scores_of_logits(np.log(shares))[0] == pytest.approx(-2 + 0.49 * 2.1 / 4, abs=1e-12)
    # Medium at best, 0.4 + 0.8 = 1.2 expected, of labels 2 apart.
    shares = np.array([[0.2, 0.4, 0.4 - 1e-9]])
    expected = (0.4 + 2 * (0.4 - 1e-9)) / (1 - 1e-9)
    assert scores_of_logits(np.log(shares), "three")[0] == pytest.approx(
        1 + 0.49 * (expected - 1) / 2, abs=1e-12
    )
