from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from xai_lib.explainers.kernel_shap import (
    KernelShap,
    sample_coalitions,
    shapley_kernel,
    solve_shapley,
)
from xai_lib.models import as_classifier
from xai_lib.models.function import FunctionClassifier
from xai_lib.rng import generator

LETTERS = "abcdefghij"


def game(texts: list[str]) -> np.ndarray:
    """Probabilities in which words interact without any pattern: a table of random numbers."""
    rows = []
    for text in texts:
        logits = generator(7, "".join(sorted(text.split()))).standard_normal(3)
        odds = np.exp(logits)
        rows.append(odds / odds.sum())
    return np.array(rows)


@pytest.fixture
def box() -> FunctionClassifier:
    return as_classifier(game, ["x", "y", "z"])


def shapley_by_permutations(words: str) -> np.ndarray:
    """Average what each word adds over all orders in which the words can come; (C, F)."""
    phi = np.zeros((3, len(words)))
    for order in itertools.permutations(range(len(words))):
        present: list[int] = []
        before = game([""])[0]
        for i in order:
            present.append(i)
            after = game([" ".join(words[j] for j in present)])[0]
            phi[:, i] += after - before
            before = after
    return phi / math.factorial(len(words))


def shapley_by_subsets(words: str) -> np.ndarray:
    """Weight what each word adds to each subset of the others by |S|! (F-|S|-1)! / F!; (C, F)."""
    n = len(words)
    phi = np.zeros((3, n))
    for i in range(n):
        others = [j for j in range(n) if j != i]
        for size in range(n):
            weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
            for subset in itertools.combinations(others, size):
                without = " ".join(words[j] for j in subset)
                phi[:, i] += weight * (game([f"{without} {words[i]}"]) - game([without]))[0]
    return phi


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_full_budget_is_the_average_over_orders(box: FunctionClassifier, n: int) -> None:
    (found,) = KernelShap(n_samples=2**n).explain([" ".join(LETTERS[:n])], box)
    np.testing.assert_allclose(found.weights, shapley_by_permutations(LETTERS[:n]), atol=1e-10)
    assert found.model_calls == 2**n
    assert found.diagnostics == {"exact": 1.0}


@pytest.mark.parametrize("n", [8, 10])
def test_full_budget_is_the_average_over_subsets(box: FunctionClassifier, n: int) -> None:
    (found,) = KernelShap(n_samples=1024).explain([" ".join(LETTERS[:n])], box)
    np.testing.assert_allclose(found.weights, shapley_by_subsets(LETTERS[:n]), atol=1e-8, rtol=0)


@pytest.mark.parametrize("n_samples", [2, 3, 4, 5, 9, 60, 1023])
def test_efficiency_at_any_budget(box: FunctionClassifier, n_samples: int) -> None:
    words = " ".join(LETTERS)
    (found,) = KernelShap(n_samples=n_samples).explain([words], box)
    gained = game([words])[0] - game([""])[0]
    np.testing.assert_allclose(found.weights.sum(axis=1), gained, atol=1e-12)
    np.testing.assert_allclose(found.surrogate(np.ones((1, 10)))[0], game([words])[0], atol=1e-12)
    np.testing.assert_allclose(found.surrogate(np.zeros((1, 10)))[0], game([""])[0], atol=1e-12)
    if n_samples < 4:  # no coalition was seen: everyone gets the same
        np.testing.assert_allclose(found.weights, np.tile(gained[:, None] / 10, 10), atol=1e-12)


def test_sampling_comes_near_with_the_budget(box: FunctionClassifier) -> None:
    words = " ".join(LETTERS)
    exact = shapley_by_subsets(LETTERS)

    def error(n_samples: int) -> float:
        seeds = range(5)
        found = [KernelShap(n_samples=n_samples).explain([words], box, s)[0] for s in seeds]
        return float(np.mean([np.abs(one.weights - exact).mean() for one in found]))

    # 4 and 3.5 times the draws: the error falls with their square root, faster near the end.
    assert error(250) < 0.7 * error(62)
    assert error(900) < 0.7 * error(250)


def test_kernel_by_hand() -> None:
    masks = np.array([[1, 0, 0, 0], [1, 0, 1, 0], [0, 1, 1, 1]], dtype=bool)
    # (F - 1) / (binom(4, s) s (4 - s)): 3 / (4 * 3), 3 / (6 * 4), 3 / (4 * 3)
    np.testing.assert_allclose(shapley_kernel(masks), [1 / 4, 1 / 8, 1 / 4], rtol=1e-14)


def test_coalitions_come_in_pairs_of_the_right_sizes() -> None:
    masks = sample_coalitions(5, 40_000, np.random.default_rng(0))
    assert masks.shape == (80_000, 5)
    np.testing.assert_array_equal(masks[1::2], ~masks[::2])
    sizes = np.bincount(masks.sum(axis=1), minlength=6) / len(masks)
    # 1 / (s (5 - s)) is 1/4, 1/6, 1/6, 1/4; divided by its sum 5/6.
    np.testing.assert_allclose(sizes, [0, 0.3, 0.2, 0.2, 0.3, 0], atol=0.01)
    np.testing.assert_allclose(masks.mean(axis=0), 0.5, atol=1e-12)
    pairs = masks[masks.sum(axis=1) == 2]
    codes = pairs @ (1 << np.arange(5))
    counts = np.unique(codes, return_counts=True)[1]
    np.testing.assert_allclose(counts / len(pairs), np.full(10, 0.1), atol=0.01)


def test_long_texts_do_not_underflow() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(2, 400)) / 1e4
    masks = sample_coalitions(400, 1000, rng)
    answers = masks @ truth.T
    phi = solve_shapley(masks, answers, np.ones(len(masks)), np.zeros(2), truth.sum(axis=1))
    np.testing.assert_allclose(phi, truth, atol=1e-10)


def test_features_that_the_coalitions_do_not_tell_apart_share(box: FunctionClassifier) -> None:
    masks = np.array([[1, 1, 0], [0, 0, 1]], dtype=bool)
    phi = solve_shapley(
        masks, np.array([[4.0], [5.0]]), np.ones(2), np.array([0.0]), np.array([9.0])
    )
    np.testing.assert_allclose(phi, [[2.0, 2.0, 5.0]], atol=1e-12)


def test_word_types_are_one_player(box: FunctionClassifier) -> None:
    (found,) = KernelShap(n_samples=64, group="type").explain(["a b a"], box)
    assert found.words == ("a", "b")
    whole, none, only_a, only_b = game(["a b a", "", "a a", "b"])
    by_hand = [(only_a - none + whole - only_b) / 2, (only_b - none + whole - only_a) / 2]
    np.testing.assert_allclose(found.weights, np.transpose(by_hand), atol=1e-12)


@pytest.mark.slow
def test_agrees_with_the_kernel_explainer_of_shap(box: FunctionClassifier) -> None:
    shap = pytest.importorskip("shap")
    words = LETTERS[:6]

    def of_rows(rows: np.ndarray) -> np.ndarray:
        return game([" ".join(w for w, k in zip(words, row, strict=True) if k) for row in rows])

    theirs = shap.KernelExplainer(of_rows, np.zeros((1, 6)))
    values = theirs.shap_values(np.ones((1, 6)), nsamples=64, silent=True, l1_reg=False)
    (found,) = KernelShap(n_samples=64).explain([" ".join(words)], box)
    np.testing.assert_allclose(found.weights, np.asarray(values)[0].T, atol=1e-8)
