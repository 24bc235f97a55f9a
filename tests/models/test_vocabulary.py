"""Word vocabularies: which words, in which order, and what is unknown."""

from __future__ import annotations

import json

import pytest

from xai_lib.models.vocabulary import PADDING, UNKNOWN, WordVocabulary

TEXTS = ["The cat, the DOG; the end.", "A dog don't eat a cat's end", "zebra"]
# the: 3, a: 2, dog: 2, end: 2, and once each: cat, cat's, don't, eat, zebra.
BY_FREQUENCY = ("the", "a", "dog", "end", "cat", "cat's", "don't", "eat", "zebra")


def test_most_frequent_first_and_ties_by_alphabet():
    assert WordVocabulary.of_texts(TEXTS).words == BY_FREQUENCY
    assert WordVocabulary.of_texts(TEXTS, size=3).words == ("the", "a", "dog")
    assert WordVocabulary.of_texts(TEXTS, min_count=2).words == BY_FREQUENCY[:4]
    assert WordVocabulary.of_texts(TEXTS, size=2, min_count=3).words == ("the",)
    assert WordVocabulary.of_texts([]).words == ()


def test_numbers_begin_after_padding_and_unknown():
    vocabulary = WordVocabulary(["the", "dog"])
    assert (PADDING, UNKNOWN, len(vocabulary)) == (0, 1, 4)
    ids = vocabulary.ids(["Dog", "cat", "THE", "dog"])
    assert ids.tolist() == [3, 1, 2, 3]
    assert ids.dtype == "int64"
    assert vocabulary.ids([]).tolist() == []
    assert [vocabulary.token(i) for i in range(4)] == ["[PAD]", "[UNK]", "the", "dog"]


def test_words_that_look_like_special_ones_are_words():
    # find_words takes brackets off, so no text can name padding.
    assert WordVocabulary.of_texts(["[PAD] [UNK]"]).words == ("pad", "unk")


def test_file(tmp_path):
    vocabulary = WordVocabulary(["über", "中", "don't", "\U0001f600"])
    vocabulary.save(tmp_path / "words.json")
    assert json.loads((tmp_path / "words.json").read_text("utf-8")) == list(vocabulary.words)
    assert WordVocabulary.load(tmp_path / "words.json").words == vocabulary.words
    (tmp_path / "other.json").write_text('{"a": 1}')
    with pytest.raises(ValueError, match=r"other\.json must hold a JSON list of words"):
        WordVocabulary.load(tmp_path / "other.json")


def test_what_is_no_vocabulary():
    with pytest.raises(ValueError, match="'dog' twice"):
        WordVocabulary(["dog", "cat", "dog"])
    with pytest.raises(ValueError, match=r"lower-cased, got 'Cat'"):
        WordVocabulary(["dog", "Cat"])
    with pytest.raises(ValueError, match="at least 1, got 0 and 1"):
        WordVocabulary.of_texts(TEXTS, size=0)
    with pytest.raises(ValueError, match="at least 1, got 5 and 0"):
        WordVocabulary.of_texts(TEXTS, size=5, min_count=0)
