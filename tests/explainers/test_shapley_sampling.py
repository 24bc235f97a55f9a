from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from xai_lib.explainers.shapley_sampling import (
    ShapleySampling,
    average_gains,
    chain_masks,
    chain_sizes,
    draw_orders,
    exact_shapley,
)
from xai_lib.image import ImageInstance
from xai_lib.models import as_classifier
from xai_lib.models.function import FunctionClassifier
from xai_lib.models.image import as_image_classifier
from xai_lib.rng import generator

LETTERS = "abcdefghij"


def game(texts: list[str]) -> np.ndarray:
    """Probabilities in which words interact without any pattern: a table of random numbers."""
    rows = []
    for text in texts:
        odds = np.exp(generator(7, "".join(sorted(text.split()))).standard_normal(3))
        rows.append(odds / odds.sum())
    return np.array(rows)


@pytest.fixture
def box() -> FunctionClassifier:
    return as_classifier(game, ["x", "y", "z"])


def answers_of(words: str, masks: np.ndarray) -> np.ndarray:
    """Answers to masks (..., F) of words; (..., C)."""
    rows = masks.reshape(-1, len(words))
    texts = [" ".join(w for w, k in zip(words, row, strict=True) if k) for row in rows]
    return game(texts).reshape(*masks.shape[:-1], 3)


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


def gains_of_order(words: str, order: list[int]) -> np.ndarray:
    """What each word adds when it joins those before it in one order; (C, F)."""
    phi = np.zeros((3, len(words)))
    present: list[str] = []
    for i in order:
        before = game([" ".join(present)])[0]
        present.append(words[i])
        phi[:, i] = game([" ".join(present)])[0] - before
    return phi


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
def test_full_budget_is_the_average_over_subsets(box: FunctionClassifier, n: int) -> None:
    (found,) = ShapleySampling(n_samples=2**n).explain([" ".join(LETTERS[:n])], box)
    np.testing.assert_allclose(found.weights, shapley_by_subsets(LETTERS[:n]), atol=1e-12)
    assert found.model_calls == 2**n
    assert found.diagnostics == {"exact": 1.0, "permutations": math.factorial(n), "block": 1.0}
    np.testing.assert_allclose(found.probabilities, game([" ".join(LETTERS[:n])])[0], atol=1e-15)
    np.testing.assert_allclose(found.intercept, game([""])[0], atol=1e-15)


def test_all_orders_average_to_the_shapley_values() -> None:
    words = LETTERS[:5]
    orders = np.array(list(itertools.permutations(range(5))))
    sizes = chain_sizes(5, 5)
    masks = chain_masks(orders, sizes)
    full, empty = game([" ".join(words)])[0], game([""])[0]
    found = average_gains(orders, sizes, answers_of(words, masks), empty, full)
    np.testing.assert_allclose(found, shapley_by_subsets(words), atol=1e-12)


@pytest.mark.parametrize("antithetic", [False, True])
def test_few_orders_one_by_one(antithetic: bool) -> None:
    words = LETTERS[:6]
    orders = draw_orders(6, 3, np.random.default_rng(1), antithetic)
    assert orders.shape == (3, 6)
    sizes = chain_sizes(6, 6)
    full, empty = game([" ".join(words)])[0], game([""])[0]
    answers = answers_of(words, chain_masks(orders, sizes))
    expected = np.mean([gains_of_order(words, list(order)) for order in orders], axis=0)
    found = average_gains(orders, sizes, answers, empty, full)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert (orders[1] == orders[0][::-1]).all() == antithetic


@pytest.mark.parametrize("antithetic", [False, True])
def test_every_order_is_equally_likely(antithetic: bool) -> None:
    # So the mean over drawn orders is unbiased: see the test over all orders.
    orders = draw_orders(4, 24_000, np.random.default_rng(0), antithetic)
    codes, counts = np.unique(orders @ 4 ** np.arange(4), return_counts=True)
    assert len(codes) == 24
    # 1000 of each are expected, with a standard deviation of 31 (antithetic: 44).
    assert np.abs(counts - 1000).max() < 5 * (44 if antithetic else 31)


def test_explanation_is_the_mean_over_orders_of_its_seed(box: FunctionClassifier) -> None:
    # 10 words, room for (60 - 2) // 9 = 6 orders.
    (found,) = ShapleySampling(n_samples=60).explain([" ".join(LETTERS)], box, seed=3)
    rng = generator(3, " ".join(LETTERS), "shapley_sampling", "position", 60, False)
    orders = [list(rng.permuted(np.arange(10))) for _ in range(6)]
    expected = np.mean([gains_of_order(LETTERS, order) for order in orders], axis=0)
    np.testing.assert_allclose(found.weights, expected, atol=1e-12)
    masks = {frozenset(order[:k]) for order in orders for k in range(11)}
    assert found.model_calls == len(masks) <= 56
    assert found.diagnostics == {"exact": 0.0, "permutations": 6.0, "block": 1.0}


@pytest.mark.parametrize("antithetic", [False, True])
@pytest.mark.parametrize("n_samples", [2, 3, 4, 5, 9, 10, 11, 60, 1023])
def test_efficiency_at_any_budget(
    box: FunctionClassifier, n_samples: int, antithetic: bool
) -> None:
    words = " ".join(LETTERS)
    explainer = ShapleySampling(n_samples=n_samples, antithetic=antithetic)
    (found,) = explainer.explain([words], box)
    gained = game([words])[0] - game([""])[0]
    np.testing.assert_allclose(found.weights.sum(axis=1), gained, atol=1e-12)
    assert found.model_calls <= n_samples


def test_too_small_a_budget_adds_words_in_blocks(box: FunctionClassifier) -> None:
    # 2 masks inside: blocks of 3, 3 and 4 words.
    (found,) = ShapleySampling(n_samples=4).explain([" ".join(LETTERS)], box)
    assert found.diagnostics == {"exact": 0.0, "permutations": 1.0, "block": 4.0}
    assert found.model_calls == 4
    rng = generator(0, " ".join(LETTERS), "shapley_sampling", "position", 4, False)
    order = list(rng.permuted(np.arange(10)))
    expected = np.zeros((3, 10))
    for start, end in ((0, 3), (3, 6), (6, 10)):
        before, after = (game([" ".join(LETTERS[i] for i in order[:k])])[0] for k in (start, end))
        for i in order[start:end]:
            expected[:, i] = (after - before) / (end - start)
    np.testing.assert_allclose(found.weights, expected, atol=1e-12)


def test_no_room_for_any_mask_gives_equal_shares(box: FunctionClassifier) -> None:
    words = " ".join(LETTERS)
    (found,) = ShapleySampling(n_samples=2).explain([words], box)
    share = (game([words])[0] - game([""])[0]) / 10
    np.testing.assert_allclose(found.weights, np.tile(share[:, None], 10), atol=1e-15)
    assert found.model_calls == 2


def test_blocks_are_as_equal_as_they_can_be() -> None:
    for n_features in range(1, 30):
        for steps in range(1, n_features + 1):
            ends = np.array([0, *chain_sizes(n_features, steps), n_features])
            lengths = np.diff(ends)
            assert len(lengths) == steps
            assert lengths.max() == -(-n_features // steps)
            assert lengths.min() == n_features // steps


def test_antithetic_orders_are_exact_for_games_of_pairs() -> None:
    # Where only pairs of words interact, the mean of an order and of its reverse is the Shapley
    # value: what two words share goes to each of them once.
    rng = np.random.default_rng(5)
    single, pair = rng.normal(size=7), np.triu(rng.normal(size=(7, 7)), 1)
    orders = draw_orders(7, 2, rng, antithetic=True)
    sizes = chain_sizes(7, 7)
    z = chain_masks(orders, sizes).astype(float)
    answers = (z @ single + ((z @ pair) * z).sum(axis=-1))[..., None]
    full = np.array([single.sum() + pair.sum()])
    found = average_gains(orders, sizes, answers, np.zeros(1), full)
    expected = single + (pair.sum(axis=0) + pair.sum(axis=1)) / 2
    np.testing.assert_allclose(found[0], expected, atol=1e-12)


def test_exact_values_do_not_depend_on_the_order_of_the_masks() -> None:
    words = LETTERS[:4]
    masks = np.array(list(itertools.product([False, True], repeat=4)))
    shuffled = masks[np.random.default_rng(2).permutation(16)]
    found = exact_shapley(shuffled, answers_of(words, shuffled))
    np.testing.assert_allclose(found, shapley_by_subsets(words), atol=1e-12)


def test_answers_can_be_kept(box: FunctionClassifier) -> None:
    explainer = ShapleySampling(n_samples=30)
    texts = [" ".join(LETTERS), "a b c"]
    instances = box.instances(texts, "position")
    answers = explainer.ask(instances, box, 4)
    again = explainer.explain_answers(instances, answers, box, 4)
    for kept, asked in zip(again, explainer.explain(texts, box, 4), strict=True):
        np.testing.assert_array_equal(kept.weights, asked.weights)


def test_pictures() -> None:
    # The answer is linear in the mean brightness of the left and of the right half.
    def answer(pictures: np.ndarray) -> np.ndarray:
        left, right = (half.mean(axis=(1, 2, 3)) / 255 for half in np.split(pictures, 2, axis=2))
        bright = 0.2 + 0.5 * left + 0.1 * right
        return np.stack([bright, 1 - bright], axis=1)

    pixels = np.full((4, 8, 3), 255, dtype=np.uint8)
    segments = np.repeat(np.arange(4), 2)[None].repeat(4, axis=0)
    box = as_image_classifier(answer, ["bright", "dark"], (4, 8))
    one = ImageInstance(pixels, segments, "tiles", (4, 8))
    for n_samples in (16, 10):
        explainer = ShapleySampling(n_samples=n_samples, removal="black")
        (found,) = explainer.attribute([one], box, 0)
        np.testing.assert_allclose(found.weights[0], [0.25, 0.25, 0.05, 0.05], atol=1e-6)
