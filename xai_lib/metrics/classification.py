"""How good a classifier is: macro-F1, and how far its probabilities can be taken at their word."""

from __future__ import annotations

import numpy as np


def macro_f1(labels: np.ndarray, predicted: np.ndarray, n_classes: int) -> float:
    """Compute the mean over the classes of the F1 score of each.

    Parameters
    ----------
    labels, predicted
        (n,) int gold and predicted classes.
    n_classes
        Number C of classes that are averaged over.

    Returns
    -------
    float
        From 0 to 1. A class that is neither a label nor predicted counts as 0, as
        scikit-learn's ``zero_division=0`` does if it is told of the class.

    Raises
    ------
    ValueError
        If there are no labels, shapes differ, or a class is not from 0 to C - 1.
    """
    gold, guess = _classes("labels", labels, n_classes), _classes("predicted", predicted, n_classes)
    if gold.shape != guess.shape:
        raise ValueError(f"labels and predicted must have one shape: {gold.shape}, {guess.shape}")
    right = np.bincount(gold[gold == guess], minlength=n_classes)
    # F1 = 2 tp / (2 tp + fp + fn), and the denominator counts labels and predictions.
    both = np.bincount(gold, minlength=n_classes) + np.bincount(guess, minlength=n_classes)
    return float(np.mean(2 * right / np.maximum(both, 1)))


def macro_f1_with_empty(score: float, n_classes: int, n_counted: int) -> float:
    """Turn a macro-F1 into the one that averages over classes without any text too.

    The LDAV paper gives DBpedia 15 classes where it has 14, and each of its four printed F1
    scores on it is 14/15 of the accuracy beside it to two digits: labels ran from 1 to 14 in a
    network with 15 outputs, and the class without texts counted as 0. Multiply by 14/15 before
    comparing with those numbers, and report the score over 14 classes as well.

    Parameters
    ----------
    score
        Macro-F1 over the classes that exist.
    n_classes
        Their number.
    n_counted
        Number of classes averaged over, the empty ones included.

    Returns
    -------
    float
        ``score * n_classes / n_counted``.

    Raises
    ------
    ValueError
        Unless 1 <= n_classes <= n_counted.

    References
    ----------
    Bashier et al., LDAV (COLING 2022), tables 1, 2, 3 and 11.
    """
    if not 1 <= n_classes <= n_counted:
        raise ValueError(f"need 1 <= n_classes <= n_counted: {n_classes}, {n_counted}")
    return score * n_classes / n_counted


def expected_calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, n_bins: int = 15
) -> float:
    """Compute how far confidence and accuracy lie apart, bin by bin of the confidence.

    Parameters
    ----------
    probabilities
        (n, C) probabilities of the classes.
    labels
        (n,) int gold classes.
    n_bins
        Number of bins of equal width over 0 to 1; a confidence on a border belongs to the
        bin below.

    Returns
    -------
    float
        From 0 to 1: mean over the texts of the absolute difference between the accuracy and the
        mean confidence of their bin. Ties of probability go to the lowest class index.

    Raises
    ------
    ValueError
        If there are no texts, shapes do not fit, a value is no probability, a label no class,
        or there is no bin.

    References
    ----------
    Guo et al., On calibration of modern neural networks (ICML 2017), equation 3.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or not p.size:
        raise ValueError(f"probabilities must have shape (n, C), neither of them 0: {p.shape}")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("probabilities must be from 0 to 1")
    gold = _classes("labels", labels, p.shape[1])
    if len(gold) != len(p):
        raise ValueError(f"labels must have one class for each of {len(p)} rows: {len(gold)}")
    if n_bins < 1:
        raise ValueError(f"n_bins must be at least 1: {n_bins}")
    confidence, right = p.max(axis=1), p.argmax(axis=1) == gold
    # 0.07 * 100 is a little more than 7 in floating point, and is on a border all the same.
    bins = np.maximum(np.ceil(np.round(confidence * n_bins, 9)).astype(int) - 1, 0)
    gaps = np.bincount(bins, weights=right - confidence, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(p))


def _classes(name: str, values: np.ndarray, n_classes: int) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 1 or not array.size or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name} must be (n,) whole numbers, n above 0: shape {array.shape}")
    if array.min() < 0 or array.max() >= n_classes:
        raise ValueError(f"{name} must be from 0 to {n_classes - 1}: {np.unique(array)}")
    return array
