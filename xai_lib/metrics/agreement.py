"""How far two vectors of weights over the same features agree."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

CORRELATIONS = ("spearman", "kendall")
IMPORTANCE = ("first", "second", "both")


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


def cosine_agreement(
    first: np.ndarray, second: np.ndarray, share: float = 1.0, by: str = "first"
) -> tuple[float, int]:
    """Compute the cosine of two vectors of weights on their most important features.

    Parameters
    ----------
    first, second
        (F,) weights of the same features, compared signed.
    share
        Share of the features to compare, above 0 and at most 1. Their number is rounded up and
        at least 1; of equal weights those in front count.
    by
        Whose absolute weights say what is important: ``"first"``, ``"second"``, or ``"both"``,
        the features that either of the two ranks so high; then up to twice as many are compared.

    Returns
    -------
    value : float
        From -1 to 1; NaN where it is not defined: no features, or a vector that is zero on all
        compared features. With one feature it is -1 or 1, whatever the weights.
    used : int
        Number of features compared.

    Raises
    ------
    ValueError
        If the shapes differ, a weight is not finite, the share is out of range, or `by` is
        unknown.

    References
    ----------
    Rahulamathavan, Farooq & De Silva, PFLex (CEUR-WS 4017, paper 18, 2025), section 5.2 and
    figure 7.

    Notes
    -----
    The paper filters by the highest absolute scores without saying whose, and does not say how
    it rounds.
    """
    a, b = _weights(first, second)
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1: {share}")
    if by not in IMPORTANCE:
        raise ValueError(f"unknown importance {by!r}; valid: {', '.join(IMPORTANCE)}")
    # 0.7 * 10 is a little more than 7 in floating point, and must not become 8.
    k = max(1, math.ceil(round(share * len(a), 9)))
    ranked = {"first": [a], "second": [b], "both": [a, b]}[by]
    chosen = np.zeros(len(a), dtype=bool)
    for weights in ranked:
        chosen[np.argsort(-np.abs(weights), kind="stable")[:k]] = True
    a, b = a[chosen], b[chosen]
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    if length == 0:
        return float("nan"), int(chosen.sum())
    return float(np.clip(a @ b / length, -1.0, 1.0)), int(chosen.sum())
