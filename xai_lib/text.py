"""Words of a text, the features built from them, and texts with words removed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np
import regex

from xai_lib.instance import Instance

REMOVALS = ("drop", "mask", "pad")
GROUPS = ("position", "type")

Span = tuple[int, int]

# A character that is no text: half of a UTF-16 pair, or a byte that could not be decoded.
_SURROGATE = regex.compile("[\ud800-\udfff]")

# A word is a run of letters, digits, marks and underscores; an apostrophe or a joiner inside a
# run belongs to it ("don't"). Scripts written without blanks give one word per character, and
# an emoji with its modifiers is a word, because both can carry the class of a text.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_LETTER = rf"(?:(?![{_UNSPACED}])[\p{{L}}\p{{N}}\p{{M}}_])"
_WORD = regex.compile(
    rf"{_LETTER}+(?:['’\u200c\u200d]{_LETTER}+)*"
    rf"|[{_UNSPACED}]\p{{M}}*"
    r"|\p{Regional_Indicator}{2}"  # A flag.
    r"|\p{Extended_Pictographic}[\uFE0F\u20E3\p{Emoji_Modifier}]*"
    r"(?:\u200d\p{Extended_Pictographic}[\uFE0F\p{Emoji_Modifier}]*)*"
)


def without_surrogates(text: str) -> str:
    """Write U+FFFD for each lone surrogate, which no tokenizer takes.

    One character for one, so that the places of words stay what they are.
    """
    return _SURROGATE.sub("\ufffd", text)


def find_words(text: str) -> tuple[Span, ...]:
    """Find the words of a text.

    Parameters
    ----------
    text
        Any string.

    Returns
    -------
    tuple of (int, int)
        Start and end character of each word, in order, without overlaps. Characters outside
        (blanks, punctuation) are separators; they stay in the text whatever is removed.
    """
    return tuple(match.span() for match in _WORD.finditer(text))


@dataclass(frozen=True, eq=False)
class TextInstance(Instance):
    """A text cut into words, and the features that can be switched off.

    Attributes
    ----------
    text
        The original text, whole.
    spans
        Start and end character of the W words that the model reads.
    feature_of_word
        (W,) int: index of the feature each word belongs to.
    features
        The F names of the features.
    group
        ``"position"``: each word is a feature. ``"type"``: all occurrences of the same word
        (case-sensitive) are one feature, as in LIME's bag of words.
    truncated_words
        Number of words after the last one that the model reads.
    """

    text: str
    spans: tuple[Span, ...]
    feature_of_word: np.ndarray
    features: tuple[str, ...]
    group: str = "position"
    truncated_words: int = 0
    _cache: dict[object, object] = field(default_factory=dict, repr=False)

    lime_sampler: ClassVar[str] = "lime"

    @property
    def content(self) -> str:
        """The part of the text that the model reads."""
        return self.read_text

    @property
    def source(self) -> str:
        """The whole text."""
        return self.text

    def describe(self, mask: np.ndarray | None = None) -> str:
        """Quote the beginning of the text, with some features removed."""
        shown = self.text if mask is None else self.render(mask)
        return f"the text {shown[:80]!r}"

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The W words."""
        return tuple(self.text[start:end] for start, end in self.spans)

    @property
    def read_text(self) -> str:
        """The part of the text that the model reads, up to the last word it reads."""
        if not self.truncated_words:
            return self.text
        return self.text[: self.spans[-1][1]] if self.spans else ""

    @cached_property
    def feature_spans(self) -> tuple[Span, ...] | tuple[tuple[Span, ...], ...]:
        """Spans of the F features: one pair each, or for ``group="type"`` several pairs each."""
        if self.group == "position":
            return self.spans
        several: list[list[Span]] = [[] for _ in self.features]
        for feature, span in zip(self.feature_of_word, self.spans, strict=True):
            several[feature].append(span)
        return tuple(tuple(spans) for spans in several)

    def word_mask(self, masks: np.ndarray) -> np.ndarray:
        """Spread masks over features (n, F) to masks over words (n, W)."""
        return masks[..., self.feature_of_word]

    def render(self, mask: np.ndarray, removal: str = "drop", token: str = "[MASK]") -> str:
        """Write the text with some features removed.

        Parameters
        ----------
        mask
            (F,) bool; true keeps the feature.
        removal
            ``"drop"`` deletes the word and leaves the separators around it, as the ``lime``
            package does; ``"mask"`` and ``"pad"`` put `token` in its place.
        token
            What stands for a removed word.

        Returns
        -------
        str
            The text that the model reads, without the removed words.
        """
        check_removal(removal)
        keep = self.word_mask(np.asarray(mask, dtype=bool))
        pieces, cursor = [], 0
        text = self.read_text
        for (start, end), kept in zip(self.spans, keep, strict=True):
            pieces.append(text[cursor:start])
            if kept:
                pieces.append(text[start:end])
            elif removal != "drop":
                pieces.append(token)
            cursor = end
        pieces.append(text[cursor:])
        return "".join(pieces)


def make_instance(text: str, group: str = "position", end: int | None = None) -> TextInstance:
    """Cut a text into words and features.

    Parameters
    ----------
    text
        Any string.
    group
        ``"position"`` or ``"type"``, see `TextInstance`.
    end
        Number of words that the model reads; the rest counts as truncated. Default all.

    Returns
    -------
    TextInstance

    Raises
    ------
    ValueError
        If `text` is not a string or `group` is unknown.
    """
    if not isinstance(text, str):
        raise ValueError(f"A text must be a string, got {type(text).__name__}: {text!r:.80}")
    if group not in GROUPS:
        raise ValueError(f"Unknown group {group!r}. Valid groups are: {', '.join(GROUPS)}.")
    every = find_words(text)
    spans = every if end is None else every[:end]
    words = [text[start:stop] for start, stop in spans]
    if group == "position":
        features = tuple(words)
        index = np.arange(len(words))
    else:
        features = tuple(dict.fromkeys(words))
        position = {word: i for i, word in enumerate(features)}
        index = np.array([position[word] for word in words], dtype=int)
    return TextInstance(
        text=text,
        spans=spans,
        feature_of_word=index.astype(int),
        features=features,
        group=group,
        truncated_words=len(every) - len(spans),
    )


def check_removal(removal: str) -> None:
    """Raise a ValueError that lists the valid ways of removing a word."""
    if removal not in REMOVALS:
        raise ValueError(f"Unknown removal {removal!r}. Valid removals are: {', '.join(REMOVALS)}.")
