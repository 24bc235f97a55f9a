"""Words that an explanation selects against words that a person marked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

_APOSTROPHE = re.compile("['’]")


@dataclass(frozen=True)
class RationaleScore:
    """Precision, recall and F1 of one document, each from 0 to 1.

    Attributes
    ----------
    precision
        Share of the selected words that are in the rationale; 0 if none is selected.
    recall
        Share of the words of the rationale that are selected; 0 if it has none.
    f1
        Their harmonic mean; 0 if both are 0.
    """

    precision: float
    recall: float
    f1: float


def rationale_score(
    selected: Sequence[bool] | np.ndarray,
    rationale: Sequence[bool] | np.ndarray,
    keep: Sequence[bool] | np.ndarray | None = None,
) -> RationaleScore:
    """Compare the words that an explanation selects with those of a rationale, word by word.

    Parameters
    ----------
    selected
        (F,) booleans.
    rationale
        (F,) booleans, such as from `xai_lib.data.neutral.rationale_words`.
    keep
        (F,) booleans: which words count on both sides, such as from `content_words`; default
        all.

    Returns
    -------
    RationaleScore

    Raises
    ------
    ValueError
        If the lengths differ.

    References
    ----------
    Situ et al., L2E (ACL-IJCNLP 2021), section 5, table 4.
    """
    chosen, marked = np.asarray(selected, dtype=bool), np.asarray(rationale, dtype=bool)
    counted = np.ones(chosen.shape, dtype=bool) if keep is None else np.asarray(keep, dtype=bool)
    if chosen.ndim != 1 or not chosen.shape == marked.shape == counted.shape:
        raise ValueError(
            f"selected, rationale and keep must be of one length: {chosen.shape}, "
            f"{marked.shape}, {counted.shape}"
        )
    chosen, marked = chosen & counted, marked & counted
    hits = int((chosen & marked).sum())
    precision = hits / max(1, int(chosen.sum()))
    recall = hits / max(1, int(marked.sum()))
    total = precision + recall
    return RationaleScore(precision, recall, 2 * precision * recall / total if total else 0.0)


@cache
def stop_words() -> frozenset[str]:
    """Return scikit-learn's 318 English stop words, in lower case."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS)


def content_words(words: Sequence[str]) -> np.ndarray:
    """Tell which words are no stop words.

    Parameters
    ----------
    words
        F words.

    Returns
    -------
    numpy.ndarray
        (F,) bool, false for stop words. A contraction is a stop word if what stands before its
        apostrophe is one ("it's"), or if it ends in "n't"; "film's" is none.

    Notes
    -----
    The released code takes NLTK's list of 179 words and splits contractions.
    """
    return np.array([not _is_stop_word(word.lower()) for word in words], dtype=bool)


def _is_stop_word(word: str) -> bool:
    stops = stop_words()
    if word in stops:
        return True
    start, *rest = _APOSTROPHE.split(word, maxsplit=1)
    # All that ends in "n't" is an auxiliary verb.
    return bool(rest) and (start in stops or (rest[0] == "t" and start.endswith("n")))
