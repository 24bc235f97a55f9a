"""A classifier of pairs of texts, written as one text with a line break between the two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from xai_lib.models.batching import batches_of
from xai_lib.models.scratch import ScratchClassifier
from xai_lib.models.token_classifier import Tokens
from xai_lib.models.vocabulary import PADDING, UNKNOWN, WordVocabulary, lower_words
from xai_lib.models.word_network import WordNetwork
from xai_lib.text import TextInstance


class PairClassifier(ScratchClassifier):
    """A small network on the words of two texts; see `ScratchClassifier` for what they share.

    A pair is one string, as the data sets have it (`xai_lib.data.sources.join_pair`): the words
    before the first line break are the first text (the premise), those after it the second (the
    hypothesis). So an explanation has the words of both, in order. A string without a line break
    has an empty second text.

    Inside, the number of a word of the second text is raised by V, the size of the vocabulary, so
    that a row of numbers says by itself whose each word is; `DecomposableAttention.read` takes
    that apart. In `Embedded.attention` the second text has 2. The budget `max_words` is that of
    both texts together. Where all words of one of them are removed with ``"drop"``, one padding
    that is attended to, a zero vector, is left of it.
    """

    pairs: ClassVar[bool] = True

    def _numbers(self, first: Sequence[str], second: Sequence[str]) -> list[np.ndarray]:
        """Return the numbers of the words of both texts."""
        ids = self.vocabulary.ids
        return [ids(first), ids(second) + len(self.vocabulary)]

    def _joined(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Put the numbers of two texts in a row; an empty one is one padding."""
        shift = len(self.vocabulary)
        parts = [
            part if len(part) else np.array([PADDING + own])
            for part, own in ((first, 0), (second, shift))
        ]
        return np.concatenate(parts).astype(np.int64)

    def _tokenise(self, texts: list[str]) -> list[np.ndarray]:
        found = []
        for text in texts:
            before, _, after = text.partition("\n")
            first = lower_words(before)[: self.max_length]
            second = lower_words(after)[: self.max_length - len(first)]
            found.append(self._joined(*self._numbers(first, second)))
        return found

    def _encode(self, one: TextInstance) -> Tokens:
        key = (self, "tokens")
        if key not in one._cache:
            cut = first_words(one)
            first, second = self._numbers(one.words[:cut], one.words[cut:])
            words = np.arange(len(one.words))
            nothing = np.array([-1])
            word = [part if len(part) else nothing for part in (words[:cut], words[cut:])]
            one._cache[key] = Tokens(self._joined(first, second), np.concatenate(word))
        cached = one._cache[key]
        assert isinstance(cached, Tokens)
        return cached

    def _mask_ids(self, one: TextInstance, masks: np.ndarray, removal: str) -> list[np.ndarray]:
        cut = first_words(one)
        first, second = self._numbers(one.words[:cut], one.words[cut:])
        if not one.spans:
            return [self._joined(first, second) for _ in masks]
        keep = one.word_mask(masks)
        if removal == "drop":
            return [self._joined(first[row[:cut]], second[row[cut:]]) for row in keep]
        token = UNKNOWN if removal == "mask" else PADDING
        left = np.where(keep[:, :cut], first, token)
        right = np.where(keep[:, cut:], second, token + len(self.vocabulary))
        return [self._joined(*row) for row in zip(left, right, strict=True)]

    def _batches(self, lengths: np.ndarray) -> list[tuple[int, np.ndarray]]:
        # Beside as many words as are read, the padding that stands for an empty text.
        return batches_of(lengths, self.device, self.max_length + 1)

    def _look_up(
        self, ids: torch.Tensor, attention: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        found: tuple[torch.Tensor, torch.Tensor] = self.model.read(ids, attention)
        return found


def first_words(one: TextInstance) -> int:
    """Count the words of an instance that stand before its first line break."""
    end = one.text.find("\n")
    return len(one.spans) if end < 0 else sum(start < end for start, _ in one.spans)


def as_scratch(
    network: WordNetwork, vocabulary: WordVocabulary, name: str, *settings: Any
) -> ScratchClassifier:
    """Make a classifier of a network: a `PairClassifier` of one that reads pairs.

    Parameters
    ----------
    network, vocabulary, name, *settings
        As for `ScratchClassifier`.

    Returns
    -------
    ScratchClassifier
    """
    kind = PairClassifier if network.pairs else ScratchClassifier
    return kind(network, vocabulary, name, *settings)
