"""Words, features and removal, against the ``lime`` package and by hand."""

from __future__ import annotations

import re
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lime.lime_text import IndexedString

from xai_lib.text import (
    GROUPS,
    REMOVALS,
    check_removal,
    find_words,
    make_instance,
    without_surrogates,
)

# Letters with and without marks, scripts without blanks, right-to-left, emoji with modifiers and
# joiners, flags, zero-width characters, apostrophes, HTML.
MIXED = (
    "aZé9_ \t\n.,!?<>&/;\"'’-()"
    "\u0301\u200b\u200c\u200d\u200e\u2060\ufeff\u00ad"
    "中文語ひらカナภาษาไทยລາວខ្មែรမြန်"
    "שלוםمرحبا"
    "😀👍🏽👩💻❤\ufe0f🇫🇷\u20e3#1"
    "\x00\x0b\ud800"
)
mixed_text = st.one_of(
    st.text(alphabet=MIXED, max_size=40),
    st.text(max_size=40),
    st.lists(st.sampled_from(["the", "The", "the", "don't", "中", "👩‍💻", "<b>", " ", ", "])).map(
        "".join
    ),
)


def test_only_lone_surrogates_are_replaced():
    assert without_surrogates("a\ud83d b\udcff 😀") == "a\ufffd b\ufffd 😀"


def words_of(text: str) -> list[str]:
    return [text[start:end] for start, end in find_words(text)]


@pytest.mark.parametrize(
    "text, words",
    [
        ("", []),
        (" \t\n ", []),
        ("?!... --", []),
        ("one", ["one"]),
        ("Good, good film!", ["Good", "good", "film"]),
        ("don't rock 'n' roll", ["don't", "rock", "n", "roll"]),
        ("it’s the dogs' bowl", ["it’s", "the", "dogs", "bowl"]),
        ("under_scores at 10:30 re-entry", ["under_scores", "at", "10", "30", "re", "entry"]),
        ("<b>bold</b> &amp; <br/>", ["b", "bold", "b", "amp", "br"]),
        ("我喜欢 it", ["我", "喜", "欢", "it"]),
        ("Tシャツ", ["T", "シ", "ャ", "ツ"]),
        ("ก็ดี", ["ก็", "ดี"]),
        ("cafe\u0301 ole\u0301", ["cafe\u0301", "ole\u0301"]),
        ("שלום עולם", ["שלום", "עולם"]),
        ("مَرحَبًا بك", ["مَرحَبًا", "بك"]),
        ("می\u200cخواهم بروم", ["می\u200cخواهم", "بروم"]),
        ("a\u200bb\u2060c", ["a", "b", "c"]),
        ("\u200e\u200f\ufeff", []),
        ("so 😀👍🏽!", ["so", "😀", "👍🏽"]),
        ("👩‍💻❤️👨‍👩‍👧", ["👩‍💻", "❤️", "👨‍👩‍👧"]),
        ("🇫🇷🇩🇪", ["🇫🇷", "🇩🇪"]),
        ("1️⃣ first", ["1️⃣", "first"]),
        ("великолепно naïve", ["великолепно", "naïve"]),
    ],
)
def test_words_by_hand(text, words):
    assert words_of(text) == words


@settings(max_examples=150, deadline=None)
@given(mixed_text)
def test_spans_are_ordered_apart_and_not_empty(text):
    cursor = 0
    for start, end in find_words(text):
        assert cursor <= start < end <= len(text)
        cursor = end


@settings(max_examples=150, deadline=None)
@given(mixed_text)
def test_every_letter_and_digit_belongs_to_a_word(text):
    outside = list(text)
    for start, end in find_words(text):
        outside[start:end] = [" "] * (end - start)
    assert not any(character.isalnum() for character in outside)


@settings(max_examples=150, deadline=None)
@given(mixed_text, st.sampled_from(GROUPS), st.sampled_from(REMOVALS))
def test_keeping_everything_gives_the_text_and_removing_everything_the_separators(
    text, group, removal
):
    one = make_instance(text, group)
    full = np.ones(one.n_features, dtype=bool)
    assert one.render(full, removal) == text
    pieces, cursor = [], 0
    for start, end in one.spans:
        pieces.append(text[cursor:start])
        cursor = end
    pieces.append(text[cursor:])
    between = "" if removal == "drop" else "*"
    assert one.render(~full, removal, token="*") == between.join(pieces)


@settings(max_examples=150, deadline=None)
@given(mixed_text, st.sampled_from(GROUPS), st.randoms(use_true_random=False))
def test_removing_equals_cutting_from_the_end(text, group, random):
    one = make_instance(text, group)
    mask = np.array([random.random() < 0.5 for _ in range(one.n_features)], dtype=bool)
    dropped = masked = text
    for (start, end), feature in list(zip(one.spans, one.feature_of_word, strict=True))[::-1]:
        if not mask[feature]:
            dropped = dropped[:start] + dropped[end:]
            masked = masked[:start] + "<m>" + masked[end:]
    assert one.render(mask) == dropped
    assert one.render(mask, "mask", "<m>") == masked
    assert one.render(mask, "pad", "<m>") == masked


ascii_text = st.one_of(
    st.text(alphabet=(string.ascii_letters + string.digits + " _.,;!?<>&-\n\t"), max_size=50),
    st.lists(st.sampled_from(["a", "b", "A", "film", " ", ", ", "...", "\n"])).map("".join),
)


@settings(max_examples=150, deadline=None)
@given(ascii_text, st.randoms(use_true_random=False))
def test_types_are_those_of_the_lime_package(text, random):
    theirs = IndexedString(text, bow=True)
    ours = make_instance(text, "type")
    assert list(ours.features) == [str(word) for word in theirs.inverse_vocab]
    mask = np.array([random.random() < 0.5 for _ in range(ours.n_features)], dtype=bool)
    if ours.n_features:
        assert ours.render(mask) == theirs.inverse_removing(np.flatnonzero(~mask).tolist())


@settings(max_examples=150, deadline=None)
@given(ascii_text, st.randoms(use_true_random=False))
def test_positions_with_a_token_are_those_of_the_lime_package(text, random):
    theirs = IndexedString(text, bow=False, mask_string="UNKWORDZ")
    ours = make_instance(text, "position")
    assert list(ours.features) == [str(word) for word in theirs.inverse_vocab]
    mask = np.array([random.random() < 0.5 for _ in range(ours.n_features)], dtype=bool)
    if ours.n_features:
        assert ours.render(mask, "mask", "UNKWORDZ") == theirs.inverse_removing(
            np.flatnonzero(~mask)
        )


def test_an_apostrophe_inside_a_word_is_ours_alone():
    text = "I don't, don't know"
    assert make_instance(text, "type").features == ("I", "don't", "know")
    assert IndexedString(text).inverse_vocab == ["I", "don", "t", "know"]
    theirs = IndexedString(text, split_expression=words_of)
    ours = make_instance(text, "type")
    assert ours.render(np.array([True, False, True])) == theirs.inverse_removing([1])
    assert ours.render(np.array([True, False, True])) == "I ,  know"


def test_features_of_types_by_hand():
    one = make_instance("the cat, The cat", "type")
    assert one.words == ("the", "cat", "The", "cat")
    assert one.features == ("the", "cat", "The")
    assert one.n_features == 3
    assert one.feature_of_word.tolist() == [0, 1, 2, 1]
    assert one.feature_spans == (((0, 3),), ((4, 7), (13, 16)), ((9, 12),))
    masks = np.array([[True, False, True], [False, True, False]])
    assert one.word_mask(masks).tolist() == [
        [True, False, True, False],
        [False, True, False, True],
    ]
    assert one.render(masks[0]) == "the , The "
    assert one.render(masks[0], "pad", "[PAD]") == "the [PAD], The [PAD]"


def test_features_of_positions_by_hand():
    one = make_instance("the cat, the cat")
    assert one.features == one.words == ("the", "cat", "the", "cat")
    assert one.feature_spans == ((0, 3), (4, 7), (9, 12), (13, 16))
    assert one.feature_of_word.tolist() == [0, 1, 2, 3]
    assert one.render(np.array([1, 0, 0, 1])) == "the ,  cat"


@settings(max_examples=100, deadline=None)
@given(mixed_text)
def test_features_partition_the_words(text):
    one = make_instance(text, "type")
    flat = sorted(span for spans in one.feature_spans for span in spans)
    assert flat == list(one.spans)
    for name, spans in zip(one.features, one.feature_spans, strict=True):
        assert {text[start:end] for start, end in spans} == {name}
    assert len(set(one.features)) == len(one.features)


def test_words_beyond_the_limit_are_counted_and_not_read():
    one = make_instance("one two, three four!", end=2)
    assert one.words == ("one", "two")
    assert one.truncated_words == 2
    assert one.read_text == "one two"
    assert one.render(np.array([False, True])) == " two"
    assert one.text == "one two, three four!"
    nothing = make_instance("one two", "type", end=0)
    assert nothing.n_features == 0
    assert nothing.truncated_words == 2
    assert nothing.read_text == ""
    assert nothing.render(np.ones(0, dtype=bool)) == ""
    assert nothing.feature_spans == ()
    whole = make_instance("one two!", end=2)
    assert whole.truncated_words == 0
    assert whole.read_text == "one two!"


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"must be a string, got int: 3"):
        make_instance(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"Unknown group 'bag'\. Valid groups are: position"):
        make_instance("a", "bag")
    message = re.escape("Unknown removal 'delete'. Valid removals are: drop, mask, pad.")
    with pytest.raises(ValueError, match=message):
        check_removal("delete")
    with pytest.raises(ValueError, match=r"Unknown removal"):
        make_instance("a").render(np.ones(1, dtype=bool), "delete")
