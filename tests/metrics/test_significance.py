from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from xai_lib.metrics.significance import (
    compare_pairs,
    holm,
    mcnemar,
    paired_difference,
    wilcoxon,
)
from xai_lib.rng import generator


def paired_booleans(both, only_first, only_second, neither):
    first = [True] * (both + only_first) + [False] * (only_second + neither)
    second = [True] * both + [False] * only_first + [True] * only_second + [False] * neither
    return np.array(first), np.array(second)


@pytest.mark.parametrize(
    "only_first, only_second, p",
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (6, 0, 2 / 64),
        (0, 6, 2 / 64),
        (5, 1, 2 * 7 / 64),  # 1 + 6 of 64 on either side
        (3, 3, 1.0),
    ],
)
def test_mcnemar_by_hand(only_first, only_second, p):
    a, b = paired_booleans(4, only_first, only_second, 7)
    assert mcnemar(a, b) == pytest.approx(p, abs=1e-12)


@given(*[st.integers(0, 15)] * 4)
def test_mcnemar_is_a_sign_test_on_the_differences(both, only_first, only_second, neither):
    if both + only_first + only_second + neither == 0:
        return
    a, b = paired_booleans(both, only_first, only_second, neither)
    m, extreme = only_first + only_second, max(only_first, only_second)
    tail = sum(comb(m, j) for j in range(extreme, m + 1)) / 2**m
    assert mcnemar(a, b) == pytest.approx(min(1.0, 2 * tail), abs=1e-12)
    assert mcnemar(a, b) == mcnemar(b, a)


def test_mcnemar_refuses_numbers():
    with pytest.raises(ValueError, match="booleans"):
        mcnemar([0.0, 1.0], [1.0, 1.0])


def slow_wilcoxon(difference):
    """Exact p by all sign patterns, for differences without ties and zeros."""
    ranks = np.argsort(np.argsort(np.abs(difference))) + 1
    observed = ranks[difference > 0].sum()
    middle = ranks.sum() / 2
    sums = [ranks[np.array(signs)].sum() for signs in product([True, False], repeat=len(ranks))]
    return np.mean([abs(s - middle) >= abs(observed - middle) for s in sums])


@pytest.mark.parametrize("seed", range(5))
def test_wilcoxon_against_all_sign_patterns(seed):
    difference = generator(seed, "wilcoxon").standard_normal(9) + 0.5
    second = generator(seed, "base").standard_normal(9)
    expected = slow_wilcoxon((difference + second) - second)
    assert wilcoxon(difference + second, second) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 8, 13, 14])
def test_wilcoxon_with_ties_is_scipys(n):
    rng = generator(n, "ties")
    for _ in range(4):
        difference = rng.choice([-2.0, -1.0, 1.0, 2.0, 3.0], n)
        expected = stats.wilcoxon(difference).pvalue
        assert wilcoxon(difference, np.zeros(n)) == pytest.approx(expected, abs=1e-12)


def test_wilcoxon_edges():
    assert wilcoxon([1.0, 2.0], [1.0, 2.0]) == 1.0
    # Texts without a difference do not count: five of five above, 2 / 2^5.
    a = np.array([1, 2, 3, 4, 5, 0, 0], dtype=float)
    assert wilcoxon(a, np.zeros(7)) == pytest.approx(2 / 32)


def test_holm_by_hand():
    # Sorted .01 .02 .03 .04 times 4 3 2 1: .04 .06 .06 .04, then never falling.
    np.testing.assert_allclose(holm([0.04, 0.01, 0.03, 0.02]), [0.06, 0.04, 0.06, 0.06], atol=1e-15)
    np.testing.assert_allclose(holm([0.6, 0.9]), [1.0, 1.0])
    assert holm([0.2]).tolist() == [0.2]
    assert holm([]).shape == (0,)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.001, 0.999))
def test_holm_rejects_what_the_step_down_procedure_rejects(pvalues, alpha):
    rejected, remaining = set(), sorted(range(len(pvalues)), key=pvalues.__getitem__)
    for step, index in enumerate(remaining):
        if pvalues[index] * (len(pvalues) - step) > alpha:
            break
        rejected.add(index)
    assert {i for i, p in enumerate(holm(pvalues)) if p <= alpha} == rejected


@pytest.mark.parametrize("pvalues", [[0.5, 1.5], [-0.1], [np.nan], [[0.5]]])
def test_holm_refuses(pvalues):
    with pytest.raises(ValueError, match="pvalues"):
        holm(pvalues)


def test_difference_of_proportions_by_hand():
    a, b = paired_booleans(3, 4, 1, 2)
    estimate = paired_difference(a, b)
    assert (estimate.mean, estimate.n) == (pytest.approx(0.3), 10)
    # Bonett and Price: 5/12 and 2/12, centre 3/12, variance (7/12 - 1/16) / 12.
    half = 1.959964 * np.sqrt((7 / 12 - 1 / 16) / 12)
    assert (estimate.low, estimate.high) == pytest.approx((0.25 - half, 0.25 + half), abs=1e-6)


def test_methods_that_never_differ_keep_a_width():
    a, b = paired_booleans(10, 0, 0, 20)
    estimate = paired_difference(a, b)
    half = 1.959964 * np.sqrt(2 / 32 / 32)
    assert (estimate.mean, estimate.low, estimate.high) == pytest.approx((0, -half, half), abs=1e-6)


def test_difference_of_proportions_stays_within_bounds():
    a, b = paired_booleans(0, 100, 0, 0)
    estimate = paired_difference(a, b)
    assert (estimate.mean, estimate.high) == (1.0, 1.0)
    assert 0.9 < estimate.low < 1


def test_difference_of_numbers_is_that_of_the_paired_values():
    rng = generator(0, "pairs")
    a, b = rng.standard_normal(200), rng.standard_normal(200)
    shifted = paired_difference(a + 5, b + 5, seed=2)
    estimate = paired_difference(a, b, seed=2)
    assert estimate.mean == pytest.approx(a.mean() - b.mean(), abs=1e-12)
    assert (shifted.low, shifted.high) == pytest.approx((estimate.low, estimate.high), abs=1e-9)
    half = 1.96 * (a - b).std(ddof=1) / np.sqrt(200)
    assert estimate.high - estimate.low == pytest.approx(2 * half, rel=0.1)


def test_compare_every_pair():
    a, b = paired_booleans(3, 7, 0, 2)
    frame = compare_pairs({"lipex": a, "lime": b, "random": b})
    assert frame[["first", "second"]].to_numpy().tolist() == [
        ["lipex", "lime"],
        ["lipex", "random"],
        ["lime", "random"],
    ]
    assert frame["test"].tolist() == ["mcnemar"] * 3
    np.testing.assert_allclose(frame["p"], [2 / 128, 2 / 128, 1.0])
    np.testing.assert_allclose(frame["p_holm"], [6 / 128, 6 / 128, 1.0])
    np.testing.assert_allclose(frame["difference"], [7 / 12, 7 / 12, 0.0])
    np.testing.assert_allclose(frame["mean_first"], [10 / 12, 10 / 12, 3 / 12])
    np.testing.assert_allclose(frame["mean_second"], [3 / 12] * 3)
    assert frame["n"].tolist() == [12, 12, 12]
    expected = paired_difference(a, b)
    assert (frame["low"][0], frame["high"][0]) == (expected.low, expected.high)


def test_compare_with_a_reference():
    values = {"a": np.arange(9.0), "b": np.arange(9.0) ** 2, "c": np.arange(9.0) * 2 + 1}
    frame = compare_pairs(values, reference="b")
    assert frame[["first", "second"]].to_numpy().tolist() == [["b", "a"], ["b", "c"]]
    assert frame["test"].tolist() == ["wilcoxon"] * 2
    assert frame["p"][0] == wilcoxon(values["b"], values["a"])
    assert frame["difference"][0] == pytest.approx(np.mean(values["b"] - values["a"]))


def test_repeated_texts_count_once():
    # Six texts, each in two rounds; a wins in all. As 12 texts p would be 2 / 2^12.
    a, b = paired_booleans(0, 12, 0, 0)
    frame = compare_pairs({"a": a, "b": b}, clusters=[*range(6), *range(6)])
    assert frame["test"][0] == "wilcoxon"
    assert frame["p"][0] == pytest.approx(wilcoxon(np.ones(6), np.zeros(6)))
    assert frame["p"][0] > 0.01
    distinct = compare_pairs({"a": a, "b": b}, clusters=range(12))
    assert (distinct["test"][0], distinct["p"][0]) == ("mcnemar", pytest.approx(2 / 2**12))


def test_refused_comparisons():
    with pytest.raises(ValueError, match="at least two methods"):
        compare_pairs({"a": [1.0]})
    with pytest.raises(ValueError, match=r"unknown reference 'c'; valid: a, b"):
        compare_pairs({"a": [1.0], "b": [2.0]}, reference="c")
    with pytest.raises(ValueError, match="must be paired: 1 and 2"):
        compare_pairs({"a": [1.0], "b": [2.0, 3.0]})
    with pytest.raises(ValueError, match="lime must be finite"):
        compare_pairs({"a": [1.0], "lime": [np.nan]})
