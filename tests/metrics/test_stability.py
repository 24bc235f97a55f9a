from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xai_lib.metrics.stability import angle_jaccard, jaccard, top_k_jaccard


def test_jaccard_by_hand():
    assert jaccard([0, 1, 2], [2, 3]) == 1 / 4
    assert jaccard([0, 0, 1], np.array([1, 0])) == 1.0
    assert jaccard([0], []) == 0.0
    assert jaccard([], []) == 1.0


def test_top_k_jaccard_by_hand():
    first, second = np.array([3, 1, 0, 2]), np.array([1, 2, 3, 0])
    assert [top_k_jaccard(first, second, k) for k in (1, 2, 3, 4, 9)] == [0, 1 / 3, 1 / 2, 1, 1]
    assert top_k_jaccard(np.array([]), np.array([]), 5) == 1.0
    with pytest.raises(ValueError, match="k must be at least 1"):
        top_k_jaccard(first, second, 0)


@given(st.permutations(range(8)), st.permutations(range(8)), st.integers(1, 8))
def test_top_k_jaccard_follows_from_the_overlap(first, second, k):
    common = sum(feature in second[:k] for feature in first[:k])
    assert top_k_jaccard(np.array(first), np.array(second), k) == common / (2 * k - common)


def test_algorithm_two_by_hand():
    # One text, two angles, k = 2.
    lime, lipex = np.array([0, 1, 2, 3]), np.array([2, 0, 1, 3])
    near_lime, far_lime = np.array([3, 2, 1, 0]), lime
    near_lipex, far_lipex = np.array([2, 1, 0, 3]), lipex
    curves = angle_jaccard([lime], [lipex], [[near_lime, far_lime]], [[near_lipex, far_lipex]], k=2)
    assert curves.lime.tolist() == [[0.0, 1.0]]
    assert curves.lipex.tolist() == [[1 / 3, 1.0]]
    assert curves.lipex_vs_lime.tolist() == [[1 / 3, 1 / 3]]  # {2, 1} and {2, 0} against {0, 1}


def test_algorithm_two_refuses_unequal_input():
    r = np.array([0, 1])
    with pytest.raises(ValueError, match="must not be empty"):
        angle_jaccard([], [], [], [])
    with pytest.raises(ValueError, match="one entry for each text"):
        angle_jaccard([r], [r], [[r]], [])
    with pytest.raises(ValueError, match="one ranking for each angle"):
        angle_jaccard([r], [r], [[r, r]], [[r]])
