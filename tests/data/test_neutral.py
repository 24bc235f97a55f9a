"""Copies without rationale: which words are replaced, which texts have a copy, what is cut."""

from __future__ import annotations

import numpy as np
import pytest

from xai_lib.data import Dataset, load_dataset, originals, with_neutral
from xai_lib.data.neutral import rationale_spans, rationale_words

TEXTS = ("a truly bad film , bad .", "nothing here .", "so-so start but great end !")
#         0-1 2-7 8-11 12-16 19-22                      0-2 3-5 6-11 12-15 16-21 22-25
SPANS = (((2, 11), (19, 24)), (), ((16, 25),))


def reviews(**extra: tuple) -> Dataset:
    return Dataset(
        "films", "train", TEXTS, np.array([0, 0, 1]), ("negative", "positive"), "made",
        {"rationale": SPANS, **extra},
    )  # fmt: skip


def test_copies_stand_behind_the_reviews():
    made = with_neutral(reviews())
    assert made.classes == ("negative", "positive", "neutral")
    assert made.texts == (
        *TEXTS,
        "a [MASK] [MASK] film , [MASK] .",
        "so-so start but [MASK] [MASK] !",
    )
    assert made.labels.tolist() == [0, 0, 1, 2, 2]
    assert made.extra["copy_of"] == (None, None, None, 0, 2)
    assert made.extra["rationale"] == (*SPANS, SPANS[0], SPANS[2])
    assert made.extra["rationale_words"] == (
        (False, True, True, False, True),
        (False, False),
        (False, False, False, False, True, True),
        (False,) * 5,
        (False,) * 6,
    )
    assert "2 copies" in made.notes[-1]
    assert "1 texts have no word of a rationale" in made.notes[-1]


def test_words_can_be_dropped_or_stand_for_another_token():
    assert with_neutral(reviews(), "drop").texts[3:] == ("a   film ,  .", "so-so start but   !")
    assert with_neutral(reviews(), token="<mask>").texts[3] == "a <mask> <mask> film , <mask> ."
    dropped = with_neutral(reviews(), "drop").extra["rationale_words"]
    assert dropped[3:] == ((False,) * 2, (False,) * 4)
    with pytest.raises(ValueError, match=r"Unknown removal 'shred'.*drop, mask, pad"):
        with_neutral(reviews(), "shred")


def test_a_text_whose_rationale_is_cut_off_has_no_copy():
    front = with_neutral(reviews(), max_words=3)
    # The third text is cut before its rationale, the second has none.
    assert front.texts == ("a truly bad", "nothing here .", "so-so start", "a [MASK] [MASK]")
    assert front.extra["copy_of"] == (None, None, None, 0)
    end = with_neutral(reviews(), max_words=2, from_end=True)
    assert end.texts == (
        "film , bad .", "nothing here .", "great end !", "film , [MASK] .", "[MASK] [MASK] !"
    )  # fmt: skip
    assert end.extra["rationale_words"][:3] == ((False, True), (False, False), (True, True))
    # The token is whole where it ends the text.
    assert with_neutral(reviews(), max_words=2).texts[-1] == "a [MASK]"


def test_rows_without_a_split_of_the_authors_are_left_out():
    made = with_neutral(reviews(l2e_split=("train", "none", "train"), doc_id=("x", "y", "z")))
    assert made.extra["doc_id"] == ("x", "z", "x", "z")
    assert made.extra["copy_of"] == (None, None, 0, 1)
    assert made.dropped == 1
    assert "1 texts that are in no split" in made.notes[-2]


def test_originals_are_the_rows_that_were_there():
    made = originals(with_neutral(reviews()))
    assert (made.texts, made.labels.tolist()) == (TEXTS, [0, 0, 1])
    assert made.classes[-1] == "neutral"
    plain = reviews()
    assert originals(plain) is plain


def test_planted_words_are_the_rationale_of_generated_texts():
    data = load_dataset("planted_binary", "test")
    made = with_neutral(data)
    assert len(made) == 2 * len(data)
    for text, places, copy in zip(
        data.texts, data.extra["planted"], made.texts[len(data) :], strict=True
    ):
        words = text.replace(".", " .").split()
        for place in places:
            # Full stops are counted with the words here: how many stand before this one?
            stops, word = 0, -1
            while word < place:
                stops += 1
                word += words[stops - 1] != "."
            words[stops - 1] = "[MASK]"
        assert copy.replace(".", " .").split() == words
    first = rationale_spans(data)[0]
    assert len(first) == len(data.extra["planted"][0])


def test_a_word_counts_if_any_of_it_is_marked():
    spans = ((0, 3), (4, 8), (10, 12))
    # Touching is not sharing; parts may overlap and come in any order.
    assert rationale_words(spans, ((3, 4), (8, 10))).tolist() == [False, False, False]
    assert rationale_words(spans, ((7, 11), (5, 6), (7, 8))).tolist() == [False, True, True]
    assert rationale_words(spans, ((0, 99),)).tolist() == [True, True, True]
    assert rationale_words((), ((0, 3),)).tolist() == []


def test_what_has_no_rationale_or_is_neutral_already_is_refused():
    emotion = Dataset("plain", "test", ("x",), np.array([0]), ("a", "b"), "made", {"id": ("1",)})
    with pytest.raises(ValueError, match=r"'plain' has no rationales.*Columns are: id"):
        with_neutral(emotion)
    with pytest.raises(ValueError, match="'films' has a class 'neutral' already"):
        with_neutral(with_neutral(reviews()))
