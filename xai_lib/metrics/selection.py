"""Which words of an explanation a metric keeps or removes: top shares, labels, random words."""

from __future__ import annotations

import numpy as np

from xai_lib.metrics.erasure import share_counts
from xai_lib.rng import generator

ORDERS = ("signed", "abs")


def top_words(weights: np.ndarray, count: int, order: str = "signed") -> np.ndarray:
    """Select the words with the largest weights.

    Parameters
    ----------
    weights
        (F,) weights for the predicted class.
    count
        Number of words; with fewer all are selected.
    order
        ``"signed"``, or ``"abs"`` for the largest absolute weights.

    Returns
    -------
    numpy.ndarray
        (F,) bool; of equal weights those in front.

    Raises
    ------
    ValueError
        If a weight is not finite, the count is negative, or the order is unknown.
    """
    values = _checked(weights)
    if count < 0:
        raise ValueError(f"count must be 0 or more: {count}")
    if order not in ORDERS:
        raise ValueError(f"unknown order {order!r}; valid: {', '.join(ORDERS)}")
    ranked = values if order == "signed" else np.abs(values)
    selected = np.zeros(len(values), dtype=bool)
    selected[np.argsort(-ranked, kind="stable")[:count]] = True
    return selected


def top_share(weights: np.ndarray, share: float = 0.3, order: str = "signed") -> np.ndarray:
    """Select a share of the words, those with the largest weights.

    Parameters
    ----------
    weights, order
        See `top_words`.
    share
        From 0 to 1; the number of words is rounded up.

    Returns
    -------
    numpy.ndarray
        (F,) bool.

    References
    ----------
    Situ et al., L2E (ACL-IJCNLP 2021), section 4.5: 30 % for the ranking formulation. The
    released code sorts by the signed weight, although the ranking is learned by the absolute one.
    """
    return top_words(weights, share_counts(len(weights), [share])[0], order)


def top_positive(weights: np.ndarray, count: int) -> np.ndarray:
    """Select the words with the largest weights, but only above 0; there may be fewer."""
    values = _checked(weights)
    return top_words(values, count) & (values > 0)


def top_negative(weights: np.ndarray, count: int) -> np.ndarray:
    """Select the words with the smallest weights, but only below 0; there may be fewer."""
    return top_positive(-_checked(weights), count)


def high_positive(labels: np.ndarray) -> np.ndarray:
    """Select the words labelled high positive, or low positive where no word is high positive.

    Situ et al.'s rule for agreement and rationales (released code).
    """
    given = np.asarray(labels)
    high = given == 2
    return np.asarray(high if high.any() else given == 1)


def positive(labels: np.ndarray, not_all: bool = False) -> np.ndarray:
    """Select the words labelled high or low positive.

    Parameters
    ----------
    labels
        (F,) labels from -2, high negative, to 2, high positive.
    not_all
        Where every word is positive, select the high positive ones only. The released code does
        this for LRP, whose weights are all positive; otherwise there is nothing to compare.

    Returns
    -------
    numpy.ndarray
        (F,) bool.
    """
    given = np.asarray(labels)
    return np.asarray(given == 2 if not_all and (given > 0).all() else given > 0)


def negative(labels: np.ndarray) -> np.ndarray:
    """Select the words labelled high or low negative."""
    return np.asarray(labels) < 0


def matched_labels(labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Label a teacher's words so that it has as many as the student, as the released code does.

    Parameters
    ----------
    labels
        (F,) labels of the student.
    weights
        (F,) weights of the teacher.

    Returns
    -------
    numpy.ndarray
        (F,) int: 2 for the top positive words, as many as the student labels positive, if the
        teacher has so many; -2 for the negative ones likewise; 0 for all others. For
        `xai_lib.metrics.neighbour_iou` with ``merged=True``.
    """
    above = top_positive(weights, int((np.asarray(labels) > 0).sum()))
    below = top_negative(weights, int((np.asarray(labels) < 0).sum()))
    return 2 * (above.astype(np.int64) - below)


def rationale_selections(
    labels: np.ndarray, weights: np.ndarray, keep: np.ndarray, released: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Select as many words of a student and of its teacher, to compare both with a rationale.

    Parameters
    ----------
    labels
        (F,) labels of the student.
    weights
        (F,) weights of the teacher.
    keep
        (F,) booleans: the words that count, see `xai_lib.metrics.content_words`.
    released
        Select the teacher's words among all, and take away those that do not count afterwards,
        as the released code does: the teacher is left with fewer than the student.

    Returns
    -------
    student, teacher : numpy.ndarray
        (F,) bool each. The student's are its high positive words that count, or its low positive
        ones if there are none; the teacher's the same number K of words that count with the
        largest signed weights.
    """
    counted = np.asarray(keep, dtype=bool)
    given, values = np.asarray(labels), _checked(weights)
    student = high_positive(np.where(counted, given, 0))
    count = int(student.sum())
    if released:
        return student, top_words(values, count) & counted
    teacher = np.zeros(len(values), dtype=bool)
    teacher[np.flatnonzero(counted)[top_words(values[counted], count)]] = True
    return student, teacher


def random_words(n_words: int, count: int, seed: int, text: str, draws: int = 5) -> np.ndarray:
    """Select words at random, without replacement, several times.

    Parameters
    ----------
    n_words
        Number F of words of the document.
    count
        How many to select, at most F.
    seed, text
        What the draws depend on, besides `count`.
    draws
        Number of draws.

    Returns
    -------
    numpy.ndarray
        (draws, F) bool.

    Raises
    ------
    ValueError
        If there are fewer words.
    """
    if not 0 <= count <= n_words:
        raise ValueError(f"Cannot select {count} of {n_words} words.")
    selected = np.zeros((draws, n_words), dtype=bool)
    for draw, row in enumerate(selected):
        rng = generator(seed, "selection.random", text, count, draw)
        row[rng.permutation(n_words)[:count]] = True
    return selected


def _checked(weights: np.ndarray) -> np.ndarray:
    values = np.asarray(weights, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"weights must be finite and of shape (F,): {values}")
    return values
