"""Paired tests between methods that were measured on the same texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from xai_lib.metrics.intervals import (
    CONFIDENCE,
    Estimate,
    bootstrap_interval,
    sample,
)

# Up to so many differences all choices of their signs are looked at.
_ENUMERATED = 13


def _paired(
    first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    a, b = sample(first, "first"), sample(second, "second")
    if len(a) != len(b):
        raise ValueError(f"first and second must be paired: {len(a)} and {len(b)} values")
    return a, b


def mcnemar(first: Sequence[bool] | np.ndarray, second: Sequence[bool] | np.ndarray) -> float:
    """Test whether two methods succeed equally often on the same texts.

    Parameters
    ----------
    first, second
        (n,) booleans of the two methods, text by text.

    Returns
    -------
    float
        Two-sided p of the exact test: given the texts on which they differ, each is equally
        likely to be the one that succeeds. 1 if they never differ.

    Raises
    ------
    ValueError
        If the values are not paired booleans.

    References
    ----------
    McNemar, Note on the sampling error of the difference between correlated proportions, 1947.
    """
    a, b = _paired(first, second)
    if a.dtype != bool or b.dtype != bool:
        raise ValueError("mcnemar needs booleans; use wilcoxon for numbers")
    only_first, only_second = int((a & ~b).sum()), int((~a & b).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second, 0.5).pvalue)


def wilcoxon(first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray) -> float:
    """Test whether the paired differences between two methods lie evenly around zero.

    Parameters
    ----------
    first, second
        (n,) numbers of the two methods, text by text.

    Returns
    -------
    float
        Two-sided p of the signed-rank test, without the texts on which both are equal; 1 if
        they are equal on all. Exact for up to 13 texts, and without ties for up to 50; normal
        otherwise.

    Raises
    ------
    ValueError
        If the values are not paired finite numbers.

    References
    ----------
    Wilcoxon, Individual comparisons by ranking methods, 1945.
    """
    a, b = _paired(first, second)
    difference = a.astype(np.float64) - b.astype(np.float64)
    difference = difference[difference != 0]
    if len(difference) <= _ENUMERATED:
        return _signed_rank(difference)
    return float(stats.wilcoxon(difference).pvalue)


def _signed_rank(difference: np.ndarray) -> float:
    """Compare the sum of positive ranks with that of every choice of signs.

    What scipy does for few differences with ties, one choice after another.
    """
    ranks = stats.rankdata(np.abs(difference))
    signs = np.arange(2 ** len(ranks))[:, None] >> np.arange(len(ranks)) & 1
    sums = signs @ ranks  # Halves, so that sums are exact.
    observed = ranks[difference > 0].sum()
    return float(min(1.0, 2 * min((sums <= observed).mean(), (sums >= observed).mean())))


def holm(pvalues: Sequence[float] | np.ndarray) -> np.ndarray:
    """Correct p-values for the number of tests by Holm's step-down method.

    Parameters
    ----------
    pvalues
        (m,) p-values of one family of tests, such as all cells of one table.

    Returns
    -------
    numpy.ndarray
        (m,) corrected p-values in the order given, at most 1. Rejecting those below alpha
        keeps the chance of any false rejection below alpha, whatever the dependence.

    Raises
    ------
    ValueError
        If a value is not a probability.

    References
    ----------
    Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    p = np.asarray(pvalues, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"pvalues must be a one-dimensional array of numbers from 0 to 1: {p}")
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    factors = np.arange(len(p), 0, -1)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    return corrected


def paired_difference(
    first: Sequence[float] | np.ndarray,
    second: Sequence[float] | np.ndarray,
    seed: int = 0,
    clusters: Sequence[object] | np.ndarray | None = None,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Compute the mean paired difference, first minus second, with its interval.

    Parameters
    ----------
    first, second
        (n,) numbers or booleans of the two methods, text by text.
    seed
        Seed of the bootstrap.
    clusters
        (n,) labels of the texts where one can occur more than once; resampled together.
    confidence
        Coverage wanted.

    Returns
    -------
    Estimate
        For numbers, and whenever a text occurs more than once, the BCa bootstrap interval. For
        booleans Bonett and Price's interval, which keeps a width when the methods never differ,
        where the bootstrap would claim certainty.

    Raises
    ------
    ValueError
        If the values are not paired and finite.

    References
    ----------
    Bonett and Price, Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data, 2012.
    """
    a, b = _paired(first, second)
    difference = a.astype(np.float64) - b.astype(np.float64)
    n, mean = len(difference), float(difference.mean())
    if a.dtype == b.dtype == bool and not _repeats(clusters):
        p_first, p_second = ((difference == sign).sum() + 1 for sign in (1, -1))
        p_first, p_second = p_first / (n + 2), p_second / (n + 2)
        centre = p_first - p_second
        z = stats.norm.ppf(0.5 + confidence / 2)
        half = z * np.sqrt((p_first + p_second - centre**2) / (n + 2))
        low, high = float(max(-1.0, centre - half)), float(min(1.0, centre + half))
    else:
        low, high = bootstrap_interval(difference, seed, clusters, confidence)
    return Estimate(mean, low, high, n)


def _repeats(clusters: Sequence[object] | np.ndarray | None) -> bool:
    return clusters is not None and len(set(clusters)) < len(clusters)


def _test(
    a: np.ndarray, b: np.ndarray, clusters: Sequence[object] | np.ndarray | None
) -> tuple[str, float]:
    if not _repeats(clusters):
        if a.dtype == b.dtype == bool:
            return "mcnemar", mcnemar(a, b)
        return "wilcoxon", wilcoxon(a, b)
    # A text that occurs twice is no independent evidence: its values are averaged first.
    frame = pd.DataFrame({"text": list(clusters or ()), "d": a.astype(float) - b.astype(float)})
    difference = frame.groupby("text", sort=False)["d"].mean().to_numpy()
    return "wilcoxon", wilcoxon(difference, np.zeros_like(difference))


def compare_pairs(
    values: Mapping[str, Sequence[float] | np.ndarray],
    reference: str | None = None,
    seed: int = 0,
    clusters: Sequence[object] | np.ndarray | None = None,
) -> pd.DataFrame:
    """Compare methods pairwise on the same texts.

    Parameters
    ----------
    values
        For each method its (n,) values, booleans or numbers, text by text.
    reference
        The method to compare all others with; None compares every pair.
    seed
        Seed of the bootstrap.
    clusters
        (n,) labels of the texts where one can occur more than once. Its values are then
        averaged before Wilcoxon's test, for booleans too.

    Returns
    -------
    pandas.DataFrame
        One row for each pair: ``first``, ``second``, ``n``, ``mean_first``, ``mean_second``,
        ``difference`` (first minus second) with ``low`` and ``high``, ``test``, ``p``, and
        ``p_holm``, corrected for the pairs of this call. For a family of several calls,
        concatenate the frames and apply `holm` to their ``p``.

    Raises
    ------
    ValueError
        If there are fewer than two methods, the reference is none of them, or the values are
        not paired and finite.
    """
    if len(values) < 2:
        raise ValueError(f"values must hold at least two methods to compare: {list(values)}")
    if reference is not None and reference not in values:
        raise ValueError(f"unknown reference {reference!r}; valid: {', '.join(values)}")
    others = [method for method in values if method != reference]
    pairs = (
        list(combinations(others, 2))
        if reference is None
        else [(reference, method) for method in others]
    )
    rows = []
    for first, second in pairs:
        a, b = sample(values[first], first), sample(values[second], second)
        estimate = paired_difference(a, b, seed, clusters)
        test, p = _test(a, b, clusters)
        rows.append(
            {
                "first": first,
                "second": second,
                "n": estimate.n,
                "mean_first": float(a.mean()),
                "mean_second": float(b.mean()),
                "difference": estimate.mean,
                "low": estimate.low,
                "high": estimate.high,
                "test": test,
                "p": p,
            }
        )
    frame = pd.DataFrame(rows)
    frame["p_holm"] = holm(frame["p"].to_numpy())
    return frame
