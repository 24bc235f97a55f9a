"""Planted texts: the rule holds in every text."""

from __future__ import annotations

import numpy as np
import pytest

from xai_lib.data import Dataset, load_dataset, load_lexicon, planted_pairs, planted_texts
from xai_lib.data.planted import (
    EMOTION_CUES,
    FILLER,
    OPPOSITES,
    POLARITY_CUES,
    write_sentences,
)
from xai_lib.text import find_words


def words_of(text: str) -> list[str]:
    return [text[start:end] for start, end in find_words(text)]


def class_by_rule(text: str, cues) -> tuple[int, list[list[int]]]:
    """Count the cue words of each class by looking at the text alone."""
    places = [[i for i, word in enumerate(words_of(text)) if word in cue] for _, cue in cues]
    counts = [len(found) for found in places]
    assert counts.count(max(counts)) == 1, "the majority must be unique"
    return int(np.argmax(counts)), places


def check_rule(data: Dataset, cues) -> None:
    for i, text in enumerate(data.texts):
        label, places = class_by_rule(text, cues)
        assert label == data.labels[i]
        assert data.extra["planted"][i] == tuple(places[label])
        others = [place for k, found in enumerate(places) if k != label for place in found]
        assert data.extra["distractors"][i] == tuple(others)


def test_word_lists_are_disjoint():
    cue_words = [word for _, words in EMOTION_CUES for word in words]
    cue_words += [word for _, words in POLARITY_CUES for word in words]
    pair_words = [word for pair in OPPOSITES for word in pair]
    everything = [*FILLER, *cue_words, *pair_words]
    assert len(set(everything)) == len(everything)
    assert all(words_of(word) == [word] and word == word.lower() for word in everything)


def test_rule_holds_and_lengths_are_kept():
    data = planted_texts(300, n_classes=4, seed=3)
    check_rule(data, EMOTION_CUES[:4])
    lengths = {len(words_of(text)) for text in data.texts}
    assert lengths == set(range(6, 15))
    assert {len(places) for places in data.extra["planted"]} == {1, 2}
    assert all(places == () for places in data.extra["distractors"])
    assert data.labels.tolist() == [i % 4 for i in range(300)]
    assert data.classes == ("joy", "sadness", "anger", "fear")


def test_cue_words_within_a_text_differ():
    data = planted_texts(200, n_cues=(2, 5), min_words=8)
    for text, places in zip(data.texts, data.extra["planted"], strict=True):
        found = [words_of(text)[place] for place in places]
        assert len(set(found)) == len(found) >= 2


def test_majority_decides_where_classes_contrast():
    data = planted_texts(200, n_classes=3, contrast=0.5)
    check_rule(data, EMOTION_CUES[:3])
    contrasted = [i for i in range(200) if data.extra["distractors"][i]]
    assert 60 < len(contrasted) < 140
    assert all(len(data.extra["planted"][i]) == 2 for i in contrasted)
    assert len(planted_texts(20, contrast=1.0).extra["distractors"][19]) == 1


def test_smaller_set_is_the_beginning_of_a_larger_one():
    small, large = planted_texts(10, seed=1), planted_texts(40, seed=1)
    assert small.texts == large.texts[:10]
    assert planted_texts(10, seed=2).texts != small.texts
    assert planted_texts(10, seed=1, split="test").texts != small.texts


def test_first_text_is_what_it_always_was():
    # Committed results depend on these texts; a change of the generator must be deliberate.
    data = load_dataset("planted")
    assert data.sha256 == HASHES["planted"]
    for name, expected in HASHES.items():
        assert load_dataset(name).sha256 == expected, name


HASHES = {
    "planted": "44b677ebb9e51098cd096de56a19de664a7e0108b90dd626fed6c465306b4dd4",
    "planted_long": "0ce443e47f99054da6b5c1eb4e6893bf0d39db910dedd3fb9828803e75c96fc3",
    "planted_binary": "3f616fb6ad52bc76a00d0ccdac1add756030acc01d01d1adfe0c78701ba91fca",
    "planted_pairs": "7c646beda3796a79d85fe4748be02de339502dfbe4ea63599aec7c37f39b3206",
}


@pytest.mark.parametrize(
    "name, cues, lengths, counts",
    [
        ("planted", EMOTION_CUES[:4], (6, 14), {1, 2}),
        ("planted_long", EMOTION_CUES[:4], (40, 80), {2, 3, 4}),
        ("planted_binary", POLARITY_CUES, (6, 14), {1, 2}),
    ],
)
def test_named_sets(name, cues, lengths, counts):
    splits = {split: load_dataset(name, split) for split in ("train", "validation", "test")}
    assert [len(data) for data in splits.values()] == [1200, 200, 400]
    every = [text for data in splits.values() for text in data.texts]
    assert len(set(every)) == len(every)  # no text twice, in one split or in two
    test = splits["test"]
    check_rule(test, cues)
    found = [len(words_of(text)) for text in test.texts]
    assert (min(found), max(found)) == lengths
    assert {len(places) for places in test.extra["planted"]} == counts
    assert (test.name, test.split, test.source) == (name, "test", "generated")


def test_pairs_follow_their_rule():
    data = planted_pairs(120, seed=4)
    opposite = dict(OPPOSITES) | {b: a for a, b in OPPOSITES}
    for i, text in enumerate(data.texts):
        premise, hypothesis = data.extra["premise"][i], data.extra["hypothesis"][i]
        assert text == f"{premise}\n{hypothesis}"
        (first,) = [word for word in words_of(premise) if word in opposite]
        (second,) = [word for word in words_of(hypothesis) if word in opposite]
        expected = 0 if second == first else 2 if second == opposite[first] else 1
        assert data.labels[i] == expected == i % 3
        assert [words_of(text)[place] for place in data.extra["planted"][i]] == [first, second]
        assert all(4 <= len(words_of(part)) <= 8 for part in (premise, hypothesis))
    assert data.classes == ("entailment", "neutral", "contradiction")


def test_sentences_end_every_ten_words():
    assert write_sentences(["w"] * 3) == "w w w."
    assert write_sentences(["w"] * 12) == "w w w w w w w w w w. w w."


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"n": -1}, "n is -1"),
        ({"n_classes": 1}, "n_classes is 1; valid are 2 to 6"),
        ({"n_classes": 7}, "valid are 2 to 6"),
        ({"n_cues": (0, 1)}, r"n_cues is \(0, 1\)"),
        ({"n_cues": (1, 6)}, "1 <= low <= high <= 5"),
        ({"min_words": 1}, "2 <= min_words <= max_words"),
        ({"min_words": 2, "contrast": 0.1}, "3 <= min_words <= max_words"),
        ({"min_words": 9, "max_words": 8}, "min_words is 9 and max_words 8"),
        ({"contrast": 1.5}, "contrast is 1.5"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        planted_texts(**{"n": 3, **settings})


def test_bad_settings_of_pairs():
    with pytest.raises(ValueError, match="min_words <= max_words"):
        planted_pairs(3, min_words=5, max_words=4)


def test_planted_lexicon_is_the_rule_of_the_binary_set():
    lexicon = load_lexicon("planted")
    data = load_dataset("planted_binary", "test")
    for text, label in zip(data.texts, data.labels, strict=True):
        own, other = (
            (lexicon.positive, lexicon.negative) if label else (lexicon.negative, lexicon.positive)
        )
        assert set(words_of(text)) & set(own)
        assert not set(words_of(text)) & set(other)
