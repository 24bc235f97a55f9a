"""Means with 95 % intervals: binomial, bootstrap and t, with texts as the sampled units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from xai_lib.rng import generator

CONFIDENCE = 0.95
RESAMPLES = 9999
# Indices drawn at once by the bootstrap; keeps its memory below about 100 MB.
_BATCH_INDICES = 4_000_000


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    Attributes
    ----------
    mean
        The estimate itself.
    low, high
        Ends of the 95 % interval; NaN where the sample is too small to give one.
    n
        Number of values it rests on.
    """

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        """Write the estimate, its interval and its sample size."""
        return f"{self.mean:.3g} [{self.low:.3g}, {self.high:.3g}] (n={self.n})"


def sample(values: Sequence[float] | np.ndarray, name: str = "values") -> np.ndarray:
    """Check that a sample is one-dimensional, not empty and finite.

    Parameters
    ----------
    values
        (n,) numbers or booleans.
    name
        What to call it in an error.

    Returns
    -------
    numpy.ndarray
        (n,) bool if the values are booleans, float64 otherwise.

    Raises
    ------
    ValueError
        If it is not one-dimensional, empty, or holds NaN or infinity.
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional: shape {array.shape}")
    if not len(array):
        raise ValueError(f"{name} must not be empty")
    if array.dtype != bool:
        array = array.astype(np.float64)
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite; {(~np.isfinite(array)).sum()} are not")
    return array


def wilson_interval(
    successes: float, n: float, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Compute Wilson's score interval of a proportion.

    Parameters
    ----------
    successes, n
        Number of successes and of trials; they may be fractions where trials were discounted
        because they depend on each other.
    confidence
        Coverage wanted.

    Returns
    -------
    tuple of float
        Low and high end, within 0 and 1. It keeps a width when all or no trials succeed.

    Raises
    ------
    ValueError
        If n is not positive or the successes are not between 0 and n.

    References
    ----------
    Wilson, Probable inference, the law of succession, and statistical inference, JASA 1927.
    """
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"need n > 0 and 0 <= successes <= n: successes {successes}, n {n}")
    z = stats.norm.ppf(0.5 + confidence / 2)
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # Rounding must not push an end past the estimate or out of 0 to 1.
    return float(max(0.0, min(centre - half, share))), float(min(1.0, max(centre + half, share)))


def t_interval(values: Sequence[float] | np.ndarray, confidence: float = CONFIDENCE) -> Estimate:
    """Compute a mean with its t-interval, for a handful of rounds, runs or seeds.

    Parameters
    ----------
    values
        (n,) numbers.
    confidence
        Coverage wanted.

    Returns
    -------
    Estimate
        With NaN ends for a single value.

    Raises
    ------
    ValueError
        If there are no values or one is not finite.
    """
    array = sample(values).astype(np.float64)
    n, mean = len(array), float(array.mean())
    if n < 2:
        return Estimate(mean, float("nan"), float("nan"), n)
    half = float(stats.t.ppf(0.5 + confidence / 2, n - 1) * array.std(ddof=1) / np.sqrt(n))
    return Estimate(mean, mean - half, mean + half, n)


def bootstrap_interval(
    values: Sequence[float] | np.ndarray,
    seed: int = 0,
    clusters: Sequence[object] | np.ndarray | None = None,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> tuple[float, float]:
    """Compute the BCa bootstrap interval of a mean, resampling texts.

    Parameters
    ----------
    values
        (n,) numbers.
    seed
        Seed of the resampling; the same seed and n resample the same texts.
    clusters
        (n,) labels; values with the same label (the same text in two rounds) are resampled
        together. Without labels each value stands alone.
    confidence
        Coverage wanted.
    resamples
        Number of bootstrap samples.

    Returns
    -------
    tuple of float
        Low and high end. Both are NaN with a single cluster, and both equal the mean when no
        two clusters differ: then the sample says nothing about the spread.

    Raises
    ------
    ValueError
        If there are no values, one is not finite, or there is not one label for each value.

    References
    ----------
    Efron, Better bootstrap confidence intervals, JASA 1987.
    """
    array = sample(values).astype(np.float64)
    index, counts = _clusters(clusters, len(array))
    sums = np.bincount(index, weights=array)
    if len(counts) < 2:
        return float("nan"), float("nan")
    means = sums / counts
    if np.ptp(means) <= 1e-12 * max(1.0, float(np.abs(means).max())):
        return float(array.mean()), float(array.mean())

    def ratio(total: np.ndarray, count: np.ndarray, axis: int = -1) -> np.ndarray:
        return total.sum(axis=axis) / count.sum(axis=axis)

    result = stats.bootstrap(
        (sums, counts),
        ratio,
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, _BATCH_INDICES // len(sums)),
        confidence_level=confidence,
        method="BCa",
        rng=generator(seed, "bootstrap", len(sums)),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def _clusters(
    clusters: Sequence[object] | np.ndarray | None, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the (n,) index of each value's cluster, and the sizes of the clusters."""
    if clusters is None:
        return np.arange(n), np.ones(n)
    if len(clusters) != n:
        raise ValueError(f"clusters must have one label for each value: {len(clusters)} for {n}")
    # Numbered by first appearance, so that labels without an order can be used.
    number: dict[object, int] = {}
    index = np.array([number.setdefault(label, len(number)) for label in clusters], dtype=np.intp)
    return index, np.bincount(index).astype(np.float64)


def mean_with_interval(
    values: Sequence[float] | np.ndarray,
    seed: int = 0,
    clusters: Sequence[object] | np.ndarray | None = None,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Compute a mean with the interval that suits the kind of values.

    Parameters
    ----------
    values
        (n,) booleans: a proportion, with Wilson's interval. (n,) numbers: a mean, with the BCa
        bootstrap interval.
    seed
        Seed of the bootstrap.
    clusters
        (n,) labels of the texts, where the same text can occur more than once (rounds that
        overlap). Numbers are resampled by text. For booleans n is discounted to
        ``n**2 / sum of squared cluster sizes``, as if a text always gave the same answer; this
        can only widen the interval.
    confidence
        Coverage wanted.

    Returns
    -------
    Estimate
        The plain mean over all n values, its interval, and n.

    Raises
    ------
    ValueError
        If there are no values, one is not finite, or there is not one label for each value.

    References
    ----------
    Kish, Survey Sampling, 1965, for the discount.
    """
    array = sample(values)
    n, mean = len(array), float(array.mean())
    if array.dtype == bool:
        _, counts = _clusters(clusters, n)
        effective = n**2 / float((counts**2).sum())
        low, high = wilson_interval(mean * effective, effective, confidence)
    else:
        low, high = bootstrap_interval(array, seed, clusters, confidence)
    return Estimate(mean, low, high, n)


def sd_over_rounds(
    values: Sequence[float] | np.ndarray, rounds: Sequence[object] | np.ndarray
) -> tuple[float, float]:
    """Compute the mean and the standard deviation of the rounds' means, as papers print them.

    Parameters
    ----------
    values
        (n,) numbers or booleans.
    rounds
        (n,) label of the round each value belongs to.

    Returns
    -------
    tuple of float
        Mean over rounds and standard deviation over rounds (denominator rounds - 1; NaN for a
        single round). It shows how much a round's mean moves, not how sure the overall mean is.

    Raises
    ------
    ValueError
        If there are no values, one is not finite, or there is not one label for each value.
    """
    array = sample(values).astype(np.float64)
    if len(rounds) != len(array):
        raise ValueError(f"rounds must have one label for each value: {len(rounds)}, {len(array)}")
    index, counts = _clusters(rounds, len(array))
    means = np.bincount(index, weights=array) / counts
    sd = float(means.std(ddof=1)) if len(means) > 1 else float("nan")
    return float(means.mean()), sd
