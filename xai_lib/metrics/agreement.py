"""How far two vectors of weights over the same features agree."""

from __future__ import annotations

import numpy as np
from scipy import stats

CORRELATIONS = ("spearman", "kendall")


def _weights(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"both weight vectors must have one shape (F,): {a.shape}, {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("weights must be finite")
    return a, b


def rank_correlation(first: np.ndarray, second: np.ndarray, method: str = "spearman") -> float:
    """Compute the rank correlation of two vectors of weights.

    Parameters
    ----------
    first, second
        (F,) weights of the same features. They are compared signed; give absolute values to
        compare importance alone.
    method
        ``"spearman"`` or ``"kendall"`` (tau-b). Equal weights share their mean rank.

    Returns
    -------
    float
        From -1 to 1; NaN where it is not defined: fewer than two features, or a vector whose
        weights are all equal.

    Raises
    ------
    ValueError
        If the shapes differ, a weight is not finite, or the method is unknown.
    """
    a, b = _weights(first, second)
    if method not in CORRELATIONS:
        raise ValueError(f"unknown method {method!r}; valid: {', '.join(CORRELATIONS)}")
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    correlate = stats.spearmanr if method == "spearman" else stats.kendalltau
    return float(correlate(a, b).statistic)


def top_k_overlap(first: np.ndarray, second: np.ndarray, k: int = 5) -> float:
    """Compute the share of the top k features that two vectors of weights have in common.

    Parameters
    ----------
    first, second
        (F,) weights of the same features.
    k
        Number of features with the largest absolute weight, at least 1; equal weights count in
        the order of their positions. With fewer than k features all are compared.

    Returns
    -------
    float
        Common features over ``min(k, F)``, from 0 to 1; 1 without any features.

    Raises
    ------
    ValueError
        If the shapes differ, a weight is not finite, or k is below 1.
    """
    a, b = _weights(first, second)
    if k < 1:
        raise ValueError(f"k must be at least 1: {k}")
    if not len(a):
        return 1.0
    top = [set(np.argsort(-np.abs(w), kind="stable")[:k].tolist()) for w in (a, b)]
    return len(top[0] & top[1]) / min(k, len(a))
