"""The neutral class: reviews without what a person marked as the reason for their label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xai_lib.data.dataset import Dataset
from xai_lib.text import Span, find_words, make_instance

NEUTRAL = "neutral"
RATIONALE = "rationale"
PLANTED = "planted"


def rationale_words(spans: Sequence[Span], rationale: Sequence[Span]) -> np.ndarray:
    """Find the words that lie in a rationale.

    Parameters
    ----------
    spans
        Start and end character of the W words.
    rationale
        Start and end character of the marked parts of the same text, in any order; they may
        overlap.

    Returns
    -------
    numpy.ndarray
        (W,) bool, true where a word shares a character with a marked part.
    """
    words = np.array(spans, dtype=np.int64).reshape(-1, 2)
    parts = np.array(rationale, dtype=np.int64).reshape(-1, 2)
    starts_before_end = words[:, :1] < parts[:, 1]
    ends_after_start = words[:, 1:] > parts[:, 0]
    return np.asarray((starts_before_end & ends_after_start).any(axis=1))


def rationale_spans(data: Dataset) -> tuple[tuple[Span, ...], ...]:
    """Return where the rationale of each text stands.

    Parameters
    ----------
    data
        Has a column ``"rationale"`` of character spans, such as ``movie_rationales``, or, for
        generated texts, a column ``"planted"`` of word positions.

    Returns
    -------
    tuple of tuple of (int, int)
        For each text start and end character of the parts, in the whole text.

    Raises
    ------
    ValueError
        If it has neither column.
    """
    if RATIONALE in data.extra:
        return data.extra[RATIONALE]
    if PLANTED in data.extra:
        words = (find_words(text) for text in data.texts)
        placed = zip(words, data.extra[PLANTED], strict=True)
        return tuple(tuple(spans[i] for i in places) for spans, places in placed)
    raise ValueError(
        f"Data set {data.name!r} has no rationales: no column {RATIONALE!r} or {PLANTED!r}. "
        f"Columns are: {', '.join(data.extra) or 'none'}."
    )


def with_neutral(
    data: Dataset,
    removal: str = "mask",
    token: str = "[MASK]",
    max_words: int | None = None,
    from_end: bool = False,
) -> Dataset:
    """Add a class "neutral": a copy of each text without its rationale.

    Parameters
    ----------
    data
        A split with rationales, see `rationale_spans`.
    removal
        ``"mask"`` puts `token` in the place of each word of the rationale, ``"drop"`` deletes
        the words; separators stay.
    token
        What stands for a word, the mask token of the black box as it is written in a text.
    max_words
        Texts are cut after so many words, before copies are made; None keeps them whole.
    from_end
        The last words are kept and not the first.

    Returns
    -------
    Dataset
        The rows of `data`, cut, then the copies in the same order. New columns: ``"copy_of"``
        (row number of the original, None for an original) and ``"rationale_words"`` (for each word
        of the text whether it lies in the rationale; all false in a copy, whose words are those
        that stand there). A text that has no word of a rationale (none is marked, or it is cut
        off) has no copy: the same text with two labels would teach nothing.

    Raises
    ------
    ValueError
        If there are no rationales, or a class "neutral" is there already.

    References
    ----------
    Situ et al. (2021), section 5 and Appendix F.

    Notes
    -----
    Where the column ``"l2e_split"`` is there, rows that are in no split of the authors (eight
    very long reviews of the training split) are left out. The authors count a copy of each of
    1432 training reviews; one of these has no rationale, and no copy here. The authors delete
    punctuation before they mask; here it stays, as in the reviews.
    """
    if NEUTRAL in data.classes:
        raise ValueError(f"Data set {data.name!r} has a class {NEUTRAL!r} already.")
    kept = _in_authors_split(data)
    marked = [
        rationale_words(find_words(text), spans)
        for text, spans in zip(kept.texts, rationale_spans(kept), strict=True)
    ]
    if max_words is not None:
        kept = kept.last_words(max_words) if from_end else kept.first_words(max_words)
        # Of the words of a text, the ones that are left.
        marked = [words[-max_words:] if from_end else words[:max_words] for words in marked]
    rows = [row for row, words in enumerate(marked) if words.any()]
    copies = [make_instance(kept.texts[row]).render(~marked[row], removal, token) for row in rows]
    of_copies = [(False,) * len(find_words(text)) for text in copies]
    extra = {key: (*values, *(values[row] for row in rows)) for key, values in kept.extra.items()}
    extra["copy_of"] = (*(None for _ in range(len(kept))), *rows)
    extra["rationale_words"] = (*(tuple(map(bool, words)) for words in marked), *of_copies)
    how = "its words deleted" if removal == "drop" else f"each word of it replaced by {token}"
    note = (
        f"Then {len(rows)} copies of texts without their rationale, {how}, as a class "
        f"{NEUTRAL!r}; {len(kept) - len(rows)} texts have no word of a rationale and no copy."
    )
    return replace(
        kept,
        texts=(*kept.texts, *copies),
        labels=np.concatenate([kept.labels, np.full(len(rows), len(kept.classes))]),
        classes=(*kept.classes, NEUTRAL),
        extra=extra,
        notes=(*kept.notes, note),
    )


def originals(data: Dataset) -> Dataset:
    """Leave out the neutral copies; the class stays among the classes.

    Parameters
    ----------
    data
        What `with_neutral` made; another data set is returned as it is.

    Returns
    -------
    Dataset
        The rows that were there before, with their columns.
    """
    if "copy_of" not in data.extra:
        return data
    return data.take(np.array([row is None for row in data.extra["copy_of"]], dtype=bool))


def _in_authors_split(data: Dataset) -> Dataset:
    """Leave out the rows that the authors did not use, where that is known."""
    if "l2e_split" not in data.extra:
        return data
    used = np.array([part != "none" for part in data.extra["l2e_split"]], dtype=bool)
    left_out = int(len(used) - used.sum())
    if not left_out:
        return data
    note = f"Left out: {left_out} texts that are in no split of the authors of L2E."
    return replace(data.take(used), notes=(*data.notes, note), dropped=data.dropped + left_out)
