from __future__ import annotations

import numpy as np
import pytest

from xai_lib.explainers.partition_shap import PartitionShap
from xai_lib.models import as_classifier
from xai_lib.models.function import FunctionClassifier
from xai_lib.rng import generator

WORDS = tuple("abcdefghijklm")


def game(texts: list[str]) -> np.ndarray:
    """Probabilities in which words interact without any pattern: a table of random numbers."""
    rows = []
    for text in texts:
        odds = np.exp(generator(3, "".join(sorted(text.split()))).standard_normal(2))
        rows.append(odds / odds.sum())
    return np.array(rows)


def value(present: frozenset[int]) -> np.ndarray:
    return game([" ".join(WORDS[i] for i in sorted(present))])[0]


@pytest.fixture
def box() -> FunctionClassifier:
    return as_classifier(game, ["x", "y"])


def owen(start: int, end: int, context: frozenset[int]) -> np.ndarray:
    """Share what a block adds to a context among its words, two players at a time; (F, C)."""
    block = frozenset(range(start, end))
    if len(block) == 1:
        return (value(context | block) - value(context))[None]
    middle = (start + end) // 2
    left, right = frozenset(range(start, middle)), frozenset(range(middle, end))
    of_left = (owen(start, middle, context) + owen(start, middle, context | right)) / 2
    of_right = (owen(middle, end, context) + owen(middle, end, context | left)) / 2
    return np.concatenate([of_left, of_right])


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
def test_full_budget_gives_owen_values(box: FunctionClassifier, n: int) -> None:
    (found,) = PartitionShap(n_samples=500).explain([" ".join(WORDS[:n])], box)
    np.testing.assert_allclose(found.weights, owen(0, n, frozenset()).T, atol=1e-12)


def test_two_words_by_hand(box: FunctionClassifier) -> None:
    (found,) = PartitionShap().explain(["a b"], box)
    none, a, b, both = game(["", "a", "b", "a b"])
    by_hand = [(a - none + both - b) / 2, (b - none + both - a) / 2]
    np.testing.assert_allclose(found.weights, np.transpose(by_hand), atol=1e-14)
    assert found.model_calls == 4


@pytest.mark.parametrize("n_samples", [2, 3, 4, 5, 17, 100])
def test_efficiency_and_budget(box: FunctionClassifier, n_samples: int) -> None:
    text = " ".join(WORDS)
    before = box.calls
    (found,) = PartitionShap(n_samples=n_samples).explain([text], box)
    gained = game([text])[0] - game([""])[0]
    np.testing.assert_allclose(found.weights.sum(axis=1), gained, atol=1e-12)
    assert found.diagnostics["efficiency_gap"] < 1e-12
    assert found.model_calls == box.calls - before <= n_samples
    np.testing.assert_allclose(found.surrogate(np.ones((1, 13)))[0], game([text])[0], atol=1e-12)
    if n_samples < 4:  # nothing was split
        np.testing.assert_allclose(found.weights, np.tile(gained[:, None] / 13, 13), atol=1e-12)


def test_the_largest_effect_is_split_first() -> None:
    def one_word(texts: list[str]) -> np.ndarray:
        p = np.array([0.9 if "g" in text else 0.2 for text in texts])
        return np.stack([p, 1 - p], axis=1)

    box = as_classifier(one_word, ["x", "y"])
    # Eight words, three halvings on the way to g, each asked about in every context; the block
    # without g has no effect and waits, so a quarter of the full search is enough.
    (found,) = PartitionShap(n_samples=16, batch_size=2).explain(["a b c d e f g h"], box)
    np.testing.assert_allclose(found.weights[0], [0, 0, 0, 0, 0, 0, 0.7, 0], atol=1e-12)


def test_batch_size_must_hold_one_split() -> None:
    with pytest.raises(ValueError, match="batch_size must be at least 2 masks, got 1"):
        PartitionShap(batch_size=1)


@pytest.mark.slow
@pytest.mark.parametrize("n_samples", [12, 40, 500])
def test_agrees_with_the_partition_explainer_of_shap(
    box: FunctionClassifier, n_samples: int
) -> None:
    shap = pytest.importorskip("shap")
    n = len(WORDS)
    tree: list[list[float]] = []

    def build(start: int, end: int) -> int:
        if end - start == 1:
            return start
        middle = (start + end) // 2
        left, right = build(start, middle), build(middle, end)
        tree.append([left, right, end - start, end - start])
        return n + len(tree) - 1

    build(0, n)

    def of_rows(rows: np.ndarray) -> np.ndarray:
        return game([" ".join(w for w, k in zip(WORDS, row, strict=True) if k) for row in rows])

    masker = shap.maskers.Partition(np.zeros((1, n)), clustering=np.array(tree))
    theirs = shap.explainers.Partition(of_rows, masker)
    values = theirs(np.ones((1, n)), max_evals=n_samples, silent=True).values[0]
    (found,) = PartitionShap(n_samples=n_samples).explain([" ".join(WORDS)], box)
    np.testing.assert_allclose(found.weights, values.T, atol=1e-12)
