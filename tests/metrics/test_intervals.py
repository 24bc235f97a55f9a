from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from xai_lib.metrics.intervals import (
    Estimate,
    bootstrap_interval,
    mean_with_interval,
    sd_over_rounds,
    t_interval,
    wilson_interval,
)
from xai_lib.rng import generator


@pytest.mark.parametrize(
    "successes, n, low, high",
    [
        # z = 1.959964, z^2 = 3.841459. 0 of 10: high = z^2 / (10 + z^2).
        (0, 10, 0.0, 0.277533),
        (10, 10, 0.722467, 1.0),
        # 5 of 10: half width z sqrt(.025 + z^2/400) / (1 + z^2/10) = 0.263407.
        (5, 10, 0.236593, 0.763407),
    ],
)
def test_wilson_by_hand(successes, n, low, high):
    assert wilson_interval(successes, n) == pytest.approx((low, high), abs=1e-6)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_against_scipy(case):
    successes, n = case
    low, high = wilson_interval(successes, n)
    oracle = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((oracle.low, oracle.high), abs=1e-12)
    assert 0 <= low <= successes / n <= high <= 1


@pytest.mark.parametrize("case", [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses(case):
    with pytest.raises(ValueError, match="successes"):
        wilson_interval(*case)


def test_booleans_get_a_binomial_interval():
    estimate = mean_with_interval([True, False, True, True])
    assert (estimate.mean, estimate.n) == (0.75, 4)
    assert (estimate.low, estimate.high) == wilson_interval(3, 4)


def test_repeated_texts_discount_a_proportion():
    # Sizes 2, 1, 1: 16 / 6 trials.
    estimate = mean_with_interval([True, True, False, True], clusters=["a", "a", "b", "c"])
    assert (estimate.mean, estimate.n) == (0.75, 4)
    assert (estimate.low, estimate.high) == wilson_interval(0.75 * 16 / 6, 16 / 6)
    # Every text twice is worth every text once.
    once = mean_with_interval([True, False, True])
    twice = mean_with_interval([True, False, True] * 2, clusters=[1, 2, 3, 1, 2, 3])
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high), abs=1e-12)


def test_t_interval_by_hand():
    # Mean 2, sd 1, t(2, 0.975) = 4.302653.
    estimate = t_interval([1, 2, 3])
    half = 4.302653 / np.sqrt(3)
    assert (estimate.mean, estimate.n) == (2.0, 3)
    assert (estimate.low, estimate.high) == pytest.approx((2 - half, 2 + half), abs=1e-6)
    alone = t_interval([5])
    assert alone.mean == 5
    assert np.isnan([alone.low, alone.high]).all()


def slow_bca(values, indices, confidence=0.95):
    """Efron's BCa interval, step by step, for given resamples."""
    means = np.sort([values[i].mean() for i in indices])
    below = ((means < values.mean()).sum() + (means <= values.mean()).sum()) / 2
    bias = stats.norm.ppf(below / len(means))
    left_out = np.array([np.delete(values, i).mean() for i in range(len(values))])
    u = left_out.mean() - left_out
    acceleration = (u**3).sum() / (6 * (u**2).sum() ** 1.5)
    ends = []
    for z in stats.norm.ppf([(1 - confidence) / 2, (1 + confidence) / 2]):
        level = stats.norm.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))
        ends.append(np.quantile(means, level))
    return tuple(ends)


def test_bootstrap_against_its_definition():
    values = generator(1, "skewed").exponential(size=40)
    indices = generator(7, "bootstrap", 40).integers(0, 40, size=(9999, 40))
    low, high = bootstrap_interval(values, seed=7)
    assert (low, high) == pytest.approx(slow_bca(values, indices), abs=2e-3)
    assert low < values.mean() < high
    # Skewed to the right: the upper arm is longer than the lower one.
    assert high - values.mean() > values.mean() - low


def test_bootstrap_agrees_with_the_normal_interval_on_many_values():
    values = generator(3, "normal").standard_normal(500)
    half = 1.96 * values.std(ddof=1) / np.sqrt(500)
    low, high = bootstrap_interval(values)
    assert (low, high) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=0.1 * half
    )


def test_bootstrap_covers_the_mean_of_a_skewed_distribution():
    hits = 0
    for trial in range(200):
        values = generator(trial, "coverage").exponential(size=50)
        low, high = bootstrap_interval(values, seed=trial, resamples=999)
        hits += low <= 1.0 <= high
    # 95 % of 200 is 190; four binomial standard deviations of 3.1 below, BCa's own loss apart.
    assert 176 <= hits <= 200


def test_same_seed_same_interval():
    values = generator(0, "values").standard_normal(30)
    assert bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1)
    assert bootstrap_interval(values, seed=1) != bootstrap_interval(values, seed=2)
    np.random.seed(5)  # noqa: NPY002 - the global state must not matter
    assert bootstrap_interval(values, seed=1) == bootstrap_interval(list(values), seed=1)


def test_repeated_texts_are_resampled_together():
    values = generator(0, "values").standard_normal(50)
    once = bootstrap_interval(values)
    twice = bootstrap_interval(np.repeat(values, 2), clusters=np.repeat(np.arange(50), 2))
    assert twice == pytest.approx(once, abs=1e-12)
    naive = bootstrap_interval(np.repeat(values, 2))
    assert naive[1] - naive[0] < 0.8 * (once[1] - once[0])  # by 1 / sqrt(2)


def test_labels_of_any_kind_and_order():
    values = [1.0, 2.0, 4.0, 8.0, 3.0, 5.0]
    by_name = bootstrap_interval(values, clusters=["b", "b", "a", "a", "c", "c"])
    assert by_name == bootstrap_interval(values, clusters=[9, 9, 2, 2, 5, 5])
    assert by_name == bootstrap_interval(values, clusters=[("x", i // 2) for i in range(6)])


def test_samples_that_say_nothing_about_the_spread():
    assert bootstrap_interval([0.1, 0.1, 0.1]) == (pytest.approx(0.1), pytest.approx(0.1))
    assert np.isnan(bootstrap_interval([0.1])).all()
    assert np.isnan(bootstrap_interval([0.1, 0.2], clusters=["a", "a"])).all()
    # Clusters of equal means, unequal values.
    assert bootstrap_interval([1.0, 3.0, 2.0], clusters=["a", "a", "b"]) == (2.0, 2.0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12))
def test_the_interval_stays_within_the_values(values):
    estimate = mean_with_interval(np.array(values))
    assert estimate.n == len(values)
    if len(values) > 1:
        slack = 1e-9 * (1 + max(map(abs, values)))
        assert min(values) - slack <= estimate.low <= estimate.high <= max(values) + slack


def test_sd_over_rounds_by_hand():
    # Means 0.5, 1 and 0: mean 0.5, sd 0.5.
    mean, sd = sd_over_rounds([True, False, True, True, False], [1, 1, 2, 2, 3])
    assert (mean, sd) == (0.5, 0.5)
    mean, sd = sd_over_rounds([0.2, 0.4], ["a", "a"])
    assert mean == pytest.approx(0.3)
    assert np.isnan(sd)


def test_an_estimate_prints_what_it_rests_on():
    assert str(Estimate(0.66, 0.6123, 0.7, 300)) == "0.66 [0.612, 0.7] (n=300)"


@pytest.mark.parametrize(
    "function", [mean_with_interval, t_interval, bootstrap_interval, lambda v: sd_over_rounds(v, v)]
)
@pytest.mark.parametrize(
    "values, message",
    [([], "values must not be empty"), ([1, np.nan], "1 are not"), ([[1.0]], "one-dimensional")],
)
def test_refused_values(function, values, message):
    with pytest.raises(ValueError, match=message):
        function(values)


def test_refused_labels():
    with pytest.raises(ValueError, match="clusters must have one label for each value"):
        mean_with_interval([1.0, 2.0], clusters=["a"])
    with pytest.raises(ValueError, match="clusters must have one label for each value"):
        mean_with_interval([True, False], clusters=["a"])
    with pytest.raises(ValueError, match="rounds must have one label for each value"):
        sd_over_rounds([1.0, 2.0], ["a"])
