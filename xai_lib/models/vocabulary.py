"""Words and their numbers, counted in training texts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from xai_lib.text import find_words

PADDING, UNKNOWN = 0, 1
_SPECIAL = ("[PAD]", "[UNK]")


class WordVocabulary:
    """Numbers of lower-cased words: 0 is padding, 1 is every word that is not in the list.

    Parameters
    ----------
    words
        The words, lower-cased; the first gets the number 2.

    Raises
    ------
    ValueError
        If a word occurs twice or is not lower-cased; the message names it.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._number = {word: i for i, word in enumerate(self.words, len(_SPECIAL))}
        if len(self._number) < len(self.words):
            twice = next(word for word, n in Counter(self.words).items() if n > 1)
            raise ValueError(f"The words of a vocabulary must differ, got {twice!r} twice.")
        if raised := [word for word in self.words if word != word.lower()]:
            raise ValueError(f"The words of a vocabulary are lower-cased, got {raised[0]!r}.")

    def __len__(self) -> int:
        """Count the words, padding and the unknown word included."""
        return len(self.words) + len(_SPECIAL)

    @classmethod
    def of_texts(
        cls, texts: Iterable[str], size: int = 20000, min_count: int = 1
    ) -> WordVocabulary:
        """Take the most frequent words of some texts.

        Parameters
        ----------
        texts
            Training texts.
        size
            Number of words at most, at least 1; of equally frequent ones the first by alphabet.
        min_count
            Words that are rarer stay unknown. With 2, the unknown word has an embedding that is
            trained, on the words that occur once.

        Returns
        -------
        WordVocabulary
            Most frequent word first.

        Raises
        ------
        ValueError
            If `size` or `min_count` is below 1.
        """
        if size < 1 or min_count < 1:
            raise ValueError(f"size and min_count must be at least 1, got {size} and {min_count}.")
        counts = Counter(word for text in texts for word in lower_words(text))
        often = [word for word, n in counts.items() if n >= min_count]
        return cls(sorted(often, key=lambda word: (-counts[word], word))[:size])

    def ids(self, words: Iterable[str]) -> np.ndarray:
        """Return the numbers of words, in any case.

        Parameters
        ----------
        words
            W words.

        Returns
        -------
        (W,) int64 array
        """
        return np.array([self._number.get(word.lower(), UNKNOWN) for word in words], np.int64)

    def token(self, number: int) -> str:
        """Return the word of a number; ``[PAD]`` and ``[UNK]`` for 0 and 1."""
        return (*_SPECIAL, *self.words)[number]

    def save(self, path: str | Path) -> None:
        """Write the words to a JSON file, in the order of their numbers."""
        Path(path).write_text(json.dumps(self.words, ensure_ascii=False, indent=0), "utf-8")

    @classmethod
    def load(cls, path: str | Path) -> WordVocabulary:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If the file holds no list of words.
        """
        words = json.loads(Path(path).read_text("utf-8"))
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ValueError(f"{path} must hold a JSON list of words.")
        return cls(words)


def lower_words(text: str) -> list[str]:
    """Return the words of a text, lower-cased."""
    return [text[start:end].lower() for start, end in find_words(text)]
