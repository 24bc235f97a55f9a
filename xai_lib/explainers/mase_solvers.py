"""Linear models of answers to Gaussian noise: moments, ridge regression, sparse estimates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import linalg
from scipy.optimize import linprog

COVARIANCES = ("isotropic", "smooth")
ESTIMATORS = ("leg", "ridge")
# Penalty of the ridge regression, in rows of noise: that of LIME.
ALPHA = 1.0
FOLDS = 5

Fit = Callable[[np.ndarray, np.ndarray], np.ndarray]


def noise_covariance(n: int, kind: str = "isotropic") -> np.ndarray:
    """Return the covariance of the noise on n features in a row.

    Parameters
    ----------
    n
        Number of features, at least 1.
    kind
        ``"isotropic"``: the identity. ``"smooth"``: D'D + 11'/n with the (n - 1, n) matrix D of
        differences between neighbours. It is named for the estimate that it makes likely, not
        for the noise, in which neighbours move against each other; its variances are nearly 2.

    Returns
    -------
    (n, n) float64 array
        Positive definite.

    References
    ----------
    LEG-TV (Luo, Barut & Jin, ICCV 2021), for images; the smallest text analogue.
    """
    if kind == "isotropic":
        return np.eye(n)
    differences = np.diff(np.eye(n), axis=0)
    return differences.T @ differences + 1.0 / n


def leg(noise: np.ndarray, answers: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Estimate the best linear model by its moments, with the known covariance.

    Parameters
    ----------
    noise
        (n, G) draws with that covariance and mean 0.
    answers
        (n, C) changes of the answer.
    covariance
        (G, G).

    Returns
    -------
    (G, C) float64 array
        covariance^-1 (1/n) sum_k answers_k noise_k. Without bias, but even for a linear black
        box with an error of ``|slope| / sqrt(n)`` in each coordinate of white noise.
    """
    return linalg.solve(covariance, noise.T @ answers / len(noise), assume_a="pos")


def ridge(
    noise: np.ndarray, answers: np.ndarray, covariance: np.ndarray, alpha: float = ALPHA
) -> np.ndarray:
    """Estimate the best linear model by least squares, penalised by alpha g' covariance g.

    Parameters
    ----------
    noise, answers, covariance
        As for `leg`.
    alpha
        Penalty in rows of noise. In white noise it is the usual one; with the covariance
        ``"smooth"`` it draws neighbours together.

    Returns
    -------
    (G, C) float64 array
        Tends to `leg` as n grows. There is no intercept: no noise, no change.
    """
    return linalg.solve(noise.T @ noise + alpha * covariance, noise.T @ answers, assume_a="pos")


def soft_threshold(moment: np.ndarray, share: float) -> np.ndarray:
    """Draw each column of (G, C) towards 0 by a share of its largest absolute value."""
    limit = share * np.abs(moment).max(axis=0, initial=0.0)
    return np.sign(moment) * np.maximum(np.abs(moment) - limit, 0.0)


def sparse(moment: np.ndarray, covariance: np.ndarray, share: float) -> np.ndarray:
    """Find the smallest linear model that explains a moment up to a share of it.

    Minimises |g|_1 subject to |moment - covariance g|_max <= share |moment|_max.

    Parameters
    ----------
    moment
        (G,).
    covariance
        (G, G), positive definite; for the identity see also `soft_threshold`.
    share
        From 0, which gives the full model, to 1, which gives zeros.

    Returns
    -------
    (G,) float64 array

    Raises
    ------
    RuntimeError
        If the solver finds no solution, which exists.

    References
    ----------
    LEG-TV (ICCV 2021) with the identity in place of its differences; the Dantzig selector.
    """
    size = np.abs(moment).max(initial=0.0)
    if size == 0:
        return np.zeros_like(moment)
    # Scaled to a largest moment of 1, lest the solver's tolerance decides.
    goal = moment / size
    rows = np.block([[covariance, -covariance], [-covariance, covariance]])
    found = linprog(
        np.ones(2 * len(goal)),
        A_ub=rows,
        b_ub=np.concatenate([goal + share, share - goal]),
        method="highs",
    )
    if found.x is None:
        raise RuntimeError(f"The linear programme has no solution: {found.message}")
    positive, negative = np.split(found.x, 2)
    return size * (positive - negative)


def odd_part(answers: np.ndarray) -> np.ndarray:
    """Reduce (P, S, C) changes under u, and under -u where S is 2, to (P, C).

    With both signs this is half of their difference, in which every even term (curvature above
    all) cancels exactly.
    """
    if answers.shape[1] == 1:
        return answers[:, 0]
    return (answers[:, 0] - answers[:, 1]) / 2


def held_out_r2(noise: np.ndarray, answers: np.ndarray, fit: Fit, folds: int = FOLDS) -> float:
    """Measure how well a linear model predicts the answers to noise that it has not seen.

    Parameters
    ----------
    noise
        (P, G) draws.
    answers
        (P, S, 1) changes of one answer under u, and under -u where S is 2.
    fit
        From noise (n, G) and `odd_part` (n, 1) to the model (G, 1).
    folds
        Parts of the draws that are left out in turn; a pair is never parted.

    Returns
    -------
    float
        1 minus the squared error over the squared deviations from the mean, of all answers; at
        most 1, negative where the mean would be nearer. NaN with fewer than two draws and where
        the answers do not vary.
    """
    folds = min(folds, len(noise))
    deviation = float(((answers - answers.mean()) ** 2).sum()) if folds > 1 else 0.0
    if deviation <= 1e-24:
        return float("nan")
    odd, signs = odd_part(answers), np.array([1.0, -1.0])[: answers.shape[1]]
    fold = np.arange(len(noise)) % folds
    error = 0.0
    for k in range(folds):
        model = fit(noise[fold != k], odd[fold != k])
        predicted = (noise[fold == k] @ model) * signs
        error += float(((answers[fold == k, :, 0] - predicted) ** 2).sum())
    return 1 - error / deviation
