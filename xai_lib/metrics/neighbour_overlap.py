"""Stability between neighbours: which words alike documents have in common, label by label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

LABELS = (-2, -1, 0, 1, 2)
"""High negative, low negative, neutral, low positive, high positive."""

LabelledWords = Mapping[int, frozenset[str]]
"""The word types of each label that is not neutral; a label without words is left out."""


def words_by_label(
    words: Sequence[str],
    labels: Sequence[int] | np.ndarray,
    keep: Sequence[bool] | np.ndarray | None = None,
) -> LabelledWords:
    """Collect the word types of each label of an explanation.

    Parameters
    ----------
    words
        The F words of a document; upper and lower case are the same type.
    labels
        (F,) labels, see `LABELS`. For a ranking or a rationale give booleans: the words selected
        are those of one label.
    keep
        (F,) booleans: which words count, such as those in a rationale, or those that are no stop
        words; default all.

    Returns
    -------
    mapping of int to frozenset of str
        For `neighbour_iou`. A type that occurs with several labels is in several sets.

    Raises
    ------
    ValueError
        If there is not one label for each word, or a label is unknown.
    """
    given = np.asarray(labels)
    counted = np.ones(len(words), dtype=bool) if keep is None else np.asarray(keep, dtype=bool)
    if given.shape != (len(words),) or counted.shape != (len(words),):
        raise ValueError(
            f"{len(words)} words need as many labels and flags to keep: {given.shape}, "
            f"{counted.shape}"
        )
    unknown = sorted(set(given.tolist()) - set(LABELS))
    if unknown:
        raise ValueError(
            f"Unknown labels {unknown}. Valid labels are: {', '.join(map(str, LABELS))}."
        )
    found: dict[int, set[str]] = {}
    for word, label, counts in zip(words, given.tolist(), counted, strict=True):
        if counts and label:
            found.setdefault(int(label), set()).add(word.lower())
    return {label: frozenset(types) for label, types in found.items()}


def merge_labels(words: LabelledWords) -> LabelledWords:
    """Put high and low together: the labels 1, positive, and -1, negative, are left."""
    found: dict[int, frozenset[str]] = {}
    for label, types in words.items():
        sign = 1 if label > 0 else -1
        found[sign] = found.get(sign, frozenset()) | types
    return found


def neighbour_iou(
    words: LabelledWords,
    others: Sequence[LabelledWords],
    merged: bool = False,
    divided: bool = False,
) -> float:
    """Compute the intersection over union of a document's labelled words and its neighbours'.

    Parameters
    ----------
    words
        The words of the document, from `words_by_label`.
    others
        Those of its neighbours.
    merged
        Compare two sets, positive and negative words, as the released code does, and not four.
    divided
        Do what the released code does for the movie reviews, which is not equation 1: sum the
        intersections and the unions over the neighbours, and divide the ratio of the sums by the
        number of neighbours once more. With three neighbours the values are about a third.

    Returns
    -------
    float
        Mean over the neighbours of the sum over labels of common word types over the sum of
        joint word types, from 0 to 1; 0 for a neighbour where nothing is joint. NaN without
        neighbours.

    References
    ----------
    Situ et al., L2E (ACL-IJCNLP 2021), equation 1, tables 3, 5 and 7.
    """
    if not len(others):
        return float("nan")
    first = merge_labels(words) if merged else words
    common, joint = [], []
    for other in others:
        second = merge_labels(other) if merged else other
        pairs = [
            (first.get(label, frozenset()), second.get(label, frozenset()))
            for label in {*first, *second}
        ]
        common.append(sum(len(a & b) for a, b in pairs))
        joint.append(sum(len(a | b) for a, b in pairs))
    if divided:
        return sum(common) / max(1, sum(joint)) / len(others)
    return sum(c / max(1, j) for c, j in zip(common, joint, strict=True)) / len(others)


def neighbour_ious(
    words: Sequence[LabelledWords],
    neighbours: np.ndarray,
    rows: Sequence[int] | np.ndarray | None = None,
    merged: bool = False,
    divided: bool = False,
) -> np.ndarray:
    """Compute `neighbour_iou` of many documents.

    Parameters
    ----------
    words
        The words of all N documents.
    neighbours
        (m, k) numbers of the neighbours, from `xai_lib.metrics.nearest`; a negative number is no
        neighbour.
    rows
        (m,) numbers of the documents; default all N.
    merged, divided
        See `neighbour_iou`.

    Returns
    -------
    numpy.ndarray
        (m,) float64; NaN for a document without neighbours.

    Raises
    ------
    ValueError
        If there is not a row of neighbours for each document.
    """
    wanted = np.arange(len(words)) if rows is None else np.asarray(rows, dtype=np.int64)
    near = np.asarray(neighbours)
    if near.ndim != 2 or len(near) != len(wanted):
        raise ValueError(f"neighbours must have a row for each of {len(wanted)}: {near.shape}")
    found = [
        neighbour_iou(words[row], [words[j] for j in others if j >= 0], merged, divided)
        for row, others in zip(wanted, near, strict=True)
    ]
    return np.array(found, dtype=np.float64)
