from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xai_lib.metrics.agreement import cosine_agreement, rank_correlation, top_k_overlap


def test_spearman_by_hand():
    # Rank differences 0, 1, -1, 0: 1 - 6 * 2 / (4 * 15).
    assert rank_correlation([4, 2, 3, 1], [9, 3, 2, 0]) == pytest.approx(0.8, abs=1e-15)


def test_kendall_by_hand():
    # Five of six pairs in the same order: (5 - 1) / 6.
    value = rank_correlation([4, 2, 3, 1], [9, 3, 2, 0], method="kendall")
    assert value == pytest.approx(4 / 6, abs=1e-15)


def test_signed_weights_are_compared_signed():
    assert rank_correlation([1, 2, 3], [-1, -2, -3]) == pytest.approx(-1)


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=8), st.randoms())
def test_correlations_against_their_definitions(first, random):
    second = [random.randint(-3, 3) for _ in first]
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert np.isnan(rank_correlation(first, second))
        return

    def rank(values):
        return [sum(v < x for v in values) + sum(v == x for v in values) / 2 for x in values]

    spearman = np.corrcoef(rank(first), rank(second))[0, 1]
    assert rank_correlation(first, second) == pytest.approx(spearman, abs=1e-12)
    signs = [
        (np.sign(first[i] - first[j]), np.sign(second[i] - second[j]))
        for i, j in combinations(range(len(first)), 2)
    ]
    untied = [sum(s[side] != 0 for s in signs) for side in (0, 1)]
    kendall = sum(a * b for a, b in signs) / np.sqrt(untied[0] * untied[1])
    assert rank_correlation(first, second, "kendall") == pytest.approx(kendall, abs=1e-12)


@pytest.mark.parametrize("weights", [([], []), ([1.0], [2.0]), ([1.0, 1.0], [1.0, 2.0])])
def test_undefined_correlations_are_nan(weights):
    assert np.isnan(rank_correlation(*weights))


def test_overlap_by_hand():
    first, second = [0.1, -0.9, 0.5, 0.0], [0.2, 0.1, -0.7, 0.6]
    # Orders 1 2 0 3 and 2 3 0 1.
    assert [top_k_overlap(first, second, k) for k in (1, 2, 3, 4, 9)] == [0, 1 / 2, 2 / 3, 1, 1]


def test_overlap_ties_and_edges():
    assert top_k_overlap([1, -1, 1], [0, 5, 1], k=1) == 0.0  # position 0 against 1
    assert top_k_overlap([], [], k=5) == 1.0
    # Of 100 equal weights the first 5 count.
    assert top_k_overlap(np.ones(100), np.arange(100, 0, -1), k=5) == 1.0


def test_overlap_ranks_by_absolute_weight():
    assert top_k_overlap([-3.0, 1.0, 2.0], [3.0, 1.0, -2.0], k=2) == 1.0
    assert top_k_overlap([-3.0, 1.0, 2.0], [0.0, 1.0, 2.0], k=2) == 0.5


@pytest.mark.parametrize("function", [rank_correlation, top_k_overlap, cosine_agreement])
def test_refused_weights(function):
    with pytest.raises(ValueError, match="one shape"):
        function([1, 2], [1])
    with pytest.raises(ValueError, match="finite"):
        function([1, np.nan], [1, 2])


def test_cosine_by_hand():
    # (3 * 4 - 4 * 3) / 25, then the strongest feature of each, then both of these.
    first, second = [3.0, -4.0], [4.0, 3.0]
    assert cosine_agreement(first, second) == (0.0, 2)
    assert cosine_agreement(first, second, 0.5) == (-1.0, 1)
    assert cosine_agreement(first, second, 0.5, by="second") == (1.0, 1)
    assert cosine_agreement(first, second, 0.5, by="both") == (0.0, 2)
    # Top two of four by the first: positions 0 and 2, (2 * 1 + 1 * 1) / (sqrt 5 * sqrt 2).
    value, used = cosine_agreement([2, 0, 1, 0.5], [1, 9, 1, 9], 0.5)
    assert (value, used) == (pytest.approx(3 / np.sqrt(10), abs=1e-15), 2)


@pytest.mark.parametrize(
    ("n", "share", "used"),
    [
        (10, 0.1, 1),
        (11, 0.1, 2),
        (20, 0.1, 2),
        (9, 0.1, 1),
        (3, 0.5, 2),
        (10, 0.7, 7),
        (30, 0.1, 3),
    ],
)
def test_cosine_rounds_the_number_of_features_up(n, share, used):
    assert cosine_agreement(np.arange(1, n + 1), np.ones(n), share)[1] == used


def test_cosine_ties_and_undefined():
    assert cosine_agreement([1, -1, 1], [0, 5, 1], 1 / 3) == (pytest.approx(np.nan, nan_ok=True), 1)
    assert cosine_agreement([1, -1, 1], [2, 5, 1], 1 / 3) == (1.0, 1), "position 0 comes first"
    for first, second, used in (([0, 0], [1, 2], 2), ([1, 2], [0, 0], 2)):
        value, n = cosine_agreement(first, second)
        assert np.isnan(value)
        assert n == used
    value, n = cosine_agreement([], [])
    assert np.isnan(value)
    assert n == 0


def test_refused_options():
    with pytest.raises(ValueError, match="share must be above 0 and at most 1: 0"):
        cosine_agreement([1, 2], [1, 2], share=0)
    with pytest.raises(ValueError, match="valid: first, second, both"):
        cosine_agreement([1, 2], [1, 2], by="third")
    with pytest.raises(ValueError, match="valid: spearman, kendall"):
        rank_correlation([1, 2], [1, 2], method="pearson")
    with pytest.raises(ValueError, match="k must be at least 1"):
        top_k_overlap([1, 2], [1, 2], k=0)
