"""Texts made by a known rule, where the right explanation is known.

Each text is a row of neutral filler words with a few *cue* words planted in it. The rule of a text
is exact: its class is the class that has the most cue words in it, and filler words say nothing.
So a classifier that has learned the rule looks at the cue words only, and a faithful explanation
of its decision must put them first. Position of every cue word: ``extra["planted"]``.

Text number `i` of a split depends on the seed, the split, the settings and `i`, not on the number
of texts: a smaller set is the beginning of a larger one. Classes take turns, so the first
`n_classes` x m texts hold m of each class. Cue and filler words are lower-case; a full stop ends
the text and every tenth word.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xai_lib.data.dataset import Dataset
from xai_lib.data.prepare import Rows
from xai_lib.data.sources import join_pair
from xai_lib.rng import generator

CueWords = tuple[tuple[str, tuple[str, ...]], ...]

EMOTION_CUES: CueWords = (
    ("joy", ("cheerful", "delighted", "happy", "joyful", "smiling")),
    ("sadness", ("gloomy", "lonely", "mournful", "sad", "tearful")),
    ("anger", ("angry", "enraged", "furious", "hostile", "outraged")),
    ("fear", ("afraid", "anxious", "fearful", "frightened", "terrified")),
    ("surprise", ("amazed", "astonished", "shocked", "startled", "stunned")),
    ("love", ("adoring", "affectionate", "beloved", "devoted", "tender")),
)
"""Class name and its cue words; the first `n_classes` are used."""

POLARITY_CUES: CueWords = (
    ("negative", ("awful", "boring", "clumsy", "dreadful", "poor", "terrible")),
    ("positive", ("brilliant", "charming", "excellent", "great", "superb", "wonderful")),
)
"""Cue words of the two classes of ``planted_binary``; also the lexicon ``"planted"``."""

OPPOSITES: tuple[tuple[str, str], ...] = (
    ("hot", "cold"),
    ("open", "closed"),
    ("early", "late"),
    ("full", "empty"),
    ("heavy", "light"),
    ("loud", "quiet"),
    ("wet", "dry"),
    ("new", "old"),
)
"""Word pairs of `planted_pairs`."""

PAIR_CLASSES = ("entailment", "neutral", "contradiction")

_FILLER = """
    a about across after along also and any around at because before behind below beside between
    but by during each every for from here how if in inside into it its just near of on one or
    other our outside over part same since so some than that the their then there these they this
    those through to toward two under until upon was we were when where which while who with
    apple bag basket bench boat book bottle box bridge bus card chair clock coat corner cup desk
    door field fence floor garden gate glass grass hall house jacket key kitchen ladder lamp lake
    leaf letter map market mirror morning number office page paper path pencil picture plate
    pocket rain river road roof room sand shelf ship shoe shop spoon square stairs station stone
    street string table ticket tower town train tree village wall water week window winter wood
    yard arrives brings carries comes counts draws finds gets goes holds keeps leaves makes moves
    opens passes picks puts reads rests runs says sees sends shows sits stands starts stays stops
    takes tells turns walks watches writes
    """

FILLER: tuple[str, ...] = tuple(_FILLER.split())
"""Neutral words: function words, things and places, everyday verbs."""

_SENTENCE_WORDS = 10


def planted_texts(
    n: int,
    n_classes: int = 3,
    seed: int = 0,
    split: str = "train",
    *,
    min_words: int = 6,
    max_words: int = 14,
    n_cues: tuple[int, int] = (1, 2),
    contrast: float = 0.0,
    cues: CueWords = EMOTION_CUES,
    name: str = "planted",
) -> Dataset:
    """Make texts whose class is decided by planted cue words.

    Parameters
    ----------
    n
        Number of texts.
    n_classes
        Number of classes, 2 to ``len(cues)``. Text `i` has class ``i % n_classes``.
    seed
        Seed of the texts.
    split
        Texts of different splits are drawn apart.
    min_words, max_words
        Length in words, cue words included; uniform between the two.
    n_cues
        Smallest and largest number of cue words, uniform between the two. They are different
        words of the class, at random places.
    contrast
        Share of texts that get one cue word of another class besides two of their own, so that
        the majority decides; where they stand is in ``extra["distractors"]``.
    cues
        Class names and cue words.
    name
        Name of the data set.

    Returns
    -------
    Dataset
        ``extra["planted"]``: for each text the positions, in order, of the cue words of its
        class, counted in words as `xai_lib.text.find_words` counts them;
        ``extra["distractors"]``: likewise for the cue word of another class, mostly empty.

    Raises
    ------
    ValueError
        If a setting leaves no room for the cue words, or is out of range.
    """
    _check(n, n_classes, min_words, max_words, n_cues, contrast, cues)
    classes = cues[:n_classes]
    texts: list[str] = []
    planted: list[list[int]] = []
    distractors: list[list[int]] = []
    for i in range(n):
        label = i % n_classes
        rng = generator(
            seed, "planted", split, i, n_classes, min_words, max_words, *n_cues, contrast
        )
        length = int(rng.integers(min_words, max_words + 1))
        contrasted = bool(rng.random() < contrast)
        count = 2 if contrasted else int(rng.integers(n_cues[0], n_cues[1] + 1))
        words = [FILLER[k] for k in rng.integers(len(FILLER), size=length)]
        places = [int(k) for k in rng.choice(length, size=count + contrasted, replace=False)]
        own = rng.choice(len(classes[label][1]), size=count, replace=False)
        for place, k in zip(places[:count], own, strict=True):
            words[place] = classes[label][1][k]
        if contrasted:
            other = classes[(label + int(rng.integers(1, n_classes))) % n_classes][1]
            words[places[-1]] = other[int(rng.integers(len(other)))]
        texts.append(write_sentences(words))
        planted.append(sorted(places[:count]))
        distractors.append(places[count:])
    rows = Rows(
        texts=texts,
        labels=[i % n_classes for i in range(n)],
        classes=tuple(class_name for class_name, _ in classes),
        extra={"planted": list(planted), "distractors": list(distractors)},
        notes=["Made by the library: filler words and planted cue words, not natural language."],
    )
    return rows.finish(name, split, "generated")


def planted_pairs(
    n: int,
    seed: int = 0,
    split: str = "train",
    *,
    min_words: int = 4,
    max_words: int = 8,
    name: str = "planted_pairs",
) -> Dataset:
    """Make premise-hypothesis pairs whose class is decided by one word in each.

    The premise holds one word of `OPPOSITES` among filler words. The hypothesis holds the same
    word (entailment), its opposite (contradiction) or a word of another pair (neutral).

    Parameters
    ----------
    n
        Number of pairs; pair `i` has class ``i % 3`` of entailment, neutral, contradiction.
    seed, split
        As for `planted_texts`.
    min_words, max_words
        Length of each of the two sentences in words.
    name
        Name of the data set.

    Returns
    -------
    Dataset
        Texts are premise, line break, hypothesis; ``extra["premise"]`` and
        ``extra["hypothesis"]`` hold the parts, ``extra["planted"]`` the positions of the two
        deciding words, counted over the words of the whole text.
    """
    if n < 0 or not 1 <= min_words <= max_words:
        raise ValueError(f"Need n >= 0 and 1 <= min_words <= max_words; got {n}, "
                         f"{min_words}, {max_words}.")  # fmt: skip
    premises, hypotheses, planted = [], [], []
    for i in range(n):
        rng = generator(seed, "planted_pairs", split, i, min_words, max_words)
        pair = int(rng.integers(len(OPPOSITES)))
        side = int(rng.integers(2))
        other = (pair + int(rng.integers(1, len(OPPOSITES)))) % len(OPPOSITES)
        answer = (
            OPPOSITES[pair][side],
            OPPOSITES[other][int(rng.integers(2))],
            OPPOSITES[pair][1 - side],
        )[i % 3]
        first, at_first = _sentence(OPPOSITES[pair][side], rng, min_words, max_words)
        second, at_second = _sentence(answer, rng, min_words, max_words)
        premises.append(write_sentences(first))
        hypotheses.append(write_sentences(second))
        planted.append([at_first, len(first) + at_second])
    rows = Rows(
        texts=[join_pair(p, h) for p, h in zip(premises, hypotheses, strict=True)],
        labels=[i % 3 for i in range(n)],
        classes=PAIR_CLASSES,
        extra={"premise": premises, "hypothesis": hypotheses, "planted": list(planted)},
        notes=["Made by the library: one word of each sentence decides; not natural language."],
    )
    return rows.finish(name, split, "generated")


def _sentence(
    word: str, rng: np.random.Generator, min_words: int, max_words: int
) -> tuple[list[str], int]:
    """Filler words with one word planted; returns the words and its position."""
    length = int(rng.integers(min_words, max_words + 1))
    words = [FILLER[k] for k in rng.integers(len(FILLER), size=length)]
    place = int(rng.integers(length))
    words[place] = word
    return words, place


def write_sentences(words: Sequence[str]) -> str:
    """Join words by blanks, with a full stop after every tenth word and at the end."""
    pieces = [
        " ".join(words[start : start + _SENTENCE_WORDS]) + "."
        for start in range(0, len(words), _SENTENCE_WORDS)
    ]
    return " ".join(pieces)


def _check(
    n: int,
    n_classes: int,
    min_words: int,
    max_words: int,
    n_cues: tuple[int, int],
    contrast: float,
    cues: CueWords,
) -> None:
    """Raise a ValueError that names the setting that is wrong."""
    if n < 0:
        raise ValueError(f"n is {n}; valid are 0 and more.")
    if not 2 <= n_classes <= len(cues):
        raise ValueError(f"n_classes is {n_classes}; valid are 2 to {len(cues)}.")
    if not 0 <= contrast <= 1:
        raise ValueError(f"contrast is {contrast}; valid are 0 to 1.")
    fewest = min(len(words) for _, words in cues[:n_classes])
    if not 1 <= n_cues[0] <= n_cues[1] <= fewest:
        raise ValueError(f"n_cues is {n_cues}; valid are 1 <= low <= high <= {fewest}.")
    needed = max(n_cues[1], 3 if contrast else 0)
    if not needed <= min_words <= max_words:
        raise ValueError(
            f"min_words is {min_words} and max_words {max_words}; valid are "
            f"{needed} <= min_words <= max_words, to hold the cue words."
        )
