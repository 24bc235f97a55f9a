"""Weighted least squares on masks: ridge regression and feature selection, all classes at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

SELECTIONS = ("auto", "forward", "highest_weights", "none")
# A column whose variance, given the columns chosen before it, falls below this share of its own
# variance carries nothing new; rounding would decide about it.
_REDUNDANT = 1e-10


@dataclass(frozen=True)
class Moments:
    """Weighted second moments of masks and answers, centred.

    Attributes
    ----------
    gram
        (F, F): sum over rows of w (x - mean)(x - mean)'.
    cross
        (F, C): sum over rows of w (x - mean)(y - mean)'.
    total
        (C,): sum over rows of w (y - mean)^2.
    mean_x, mean_y
        (F,) and (C,) weighted means.
    """

    gram: np.ndarray
    cross: np.ndarray
    total: np.ndarray
    mean_x: np.ndarray
    mean_y: np.ndarray


def moments(masks: np.ndarray, answers: np.ndarray, weights: np.ndarray) -> Moments:
    """Compute what every fit on the same rows needs.

    Parameters
    ----------
    masks
        (n, F) bool or float.
    answers
        (n, C) float.
    weights
        (n,) float, not all zero.

    Returns
    -------
    Moments
    """
    share = weights / weights.sum()
    x = masks.astype(np.float64)
    mean_x, mean_y = share @ x, share @ answers
    x -= mean_x
    y = answers - mean_y
    weighted = x * weights[:, None]
    return Moments(weighted.T @ x, weighted.T @ y, weights @ y**2, mean_x, mean_y)


def ridge(
    parts: Moments, columns: np.ndarray | None = None, alpha: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit a weighted ridge regression with an unpenalised intercept, for all classes at once.

    Parameters
    ----------
    parts
        Moments of the rows.
    columns
        Features to use; default all.
    alpha
        Penalty on the squared coefficients.

    Returns
    -------
    coefficients : (k, C) float64 array
    intercept : (C,) float64 array
    score : (C,) float64 array
        Weighted R^2; NaN where the answers do not vary.
    """
    columns = np.arange(len(parts.gram)) if columns is None else np.asarray(columns, dtype=int)
    gram, cross = parts.gram[np.ix_(columns, columns)], parts.cross[columns]
    penalised = gram + alpha * np.eye(len(columns))
    try:
        coefficients = linalg.solve(penalised, cross, assume_a="pos")
    except linalg.LinAlgError:
        coefficients = np.linalg.pinv(penalised, hermitian=True) @ cross
    intercept = parts.mean_y - parts.mean_x[columns] @ coefficients
    unexplained = (
        parts.total
        - 2 * (coefficients * cross).sum(axis=0)
        + (coefficients * (gram @ coefficients)).sum(axis=0)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.where(parts.total > 1e-24, 1 - unexplained / parts.total, np.nan)
    return coefficients, intercept, score


def forward_selection(parts: Moments, k: int) -> np.ndarray:
    """Select features greedily by weighted R^2, for every class on its own.

    Each step adds the feature that raises the R^2 of the unpenalised regression most; ties go to
    the lowest index. The picks are those of ``forward_selection`` in the ``lime`` package, but
    candidates are projected off the features already chosen (one Cholesky column a step), so
    that a step costs O(F) in place of F regressions.

    Parameters
    ----------
    parts
        Moments of the rows.
    k
        Number of features; fewer are chosen where F is smaller.

    Returns
    -------
    (C, min(k, F)) int array
        Features in the order of choice.
    """
    n_features, n_classes = parts.cross.shape
    k = min(k, n_features)
    own = np.diag(parts.gram).copy()
    classes = np.arange(n_classes)
    left = np.tile(own, (n_classes, 1))  # Variance of each candidate given the chosen ones.
    cross = parts.cross.T.copy()  # Its covariance with what is left of the answers.
    basis = np.zeros((n_classes, k, n_features))
    open_ = np.ones((n_classes, n_features), dtype=bool)
    picks = np.zeros((n_classes, k), dtype=int)
    for step in range(k):
        useful = open_ & (left > _REDUNDANT * np.maximum(own, 1e-300))
        with np.errstate(invalid="ignore", divide="ignore"):
            gain = np.where(useful, cross**2 / left, 0.0)
        # Gains that differ by rounding only are ties; the lowest index wins them.
        gain = np.where(open_, gain, -1.0)
        best = gain.max(axis=1, keepdims=True)
        near = gain >= best - 1e-12 * np.maximum(parts.total[:, None], 1e-300)
        pick = np.argmax(near & open_, axis=1)
        picks[:, step] = pick
        open_[classes, pick] = False
        alive = useful[classes, pick]
        scale = np.sqrt(np.where(alive, left[classes, pick], 1.0))
        row = parts.gram[pick] - np.einsum(
            "cs,csf->cf", basis[classes, :step, pick], basis[:, :step]
        )
        row = np.where(alive[:, None], row / scale[:, None], 0.0)
        coefficient = np.where(alive, cross[classes, pick] / scale, 0.0)
        basis[:, step] = row
        left -= row**2
        cross -= coefficient[:, None] * row
    return picks


def highest_weights(parts: Moments, k: int) -> np.ndarray:
    """Select the k features with the largest absolute ridge coefficient (alpha 0.01).

    Parameters
    ----------
    parts
        Moments of the rows.
    k
        Number of features.

    Returns
    -------
    (C, min(k, F)) int array
        Features by decreasing absolute coefficient, ties by index.
    """
    coefficients, _, _ = ridge(parts, alpha=0.01)
    return np.argsort(-np.abs(coefficients.T), axis=1, kind="stable")[:, :k]


def select(parts: Moments, k: int | None, method: str = "auto") -> np.ndarray:
    """Select features as the ``lime`` package does.

    Parameters
    ----------
    parts
        Moments of the rows.
    k
        Number of features for each class; None keeps all.
    method
        ``"forward"``, ``"highest_weights"``, ``"none"``, or ``"auto"``: forward up to 6
        features, highest weights beyond.

    Returns
    -------
    (C, k') int array

    Raises
    ------
    ValueError
        If the method is unknown.
    """
    check_selection(method)
    n_features, n_classes = parts.cross.shape
    if k is None or method == "none" or k >= n_features:
        return np.tile(np.arange(n_features), (n_classes, 1))
    if method == "forward" or (method == "auto" and k <= 6):
        return forward_selection(parts, k)
    return highest_weights(parts, k)


def check_selection(method: str) -> None:
    """Raise a ValueError that lists the valid selections."""
    if method not in SELECTIONS:
        raise ValueError(f"Unknown selection {method!r}. Valid: {', '.join(SELECTIONS)}.")
