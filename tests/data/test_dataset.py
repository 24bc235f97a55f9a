"""The data set object: content hash, selection, sampling."""

from __future__ import annotations

import hashlib
import json
import random

import numpy as np
import pytest

from xai_lib.data import Dataset

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def make(n: int = 30, n_classes: int = 3) -> Dataset:
    """Text `i` has i % 10 + 1 words and label i % n_classes."""
    texts = tuple(f"t{i} " + " ".join(WORDS[: i % 10]) for i in range(n))
    return Dataset(
        name="toy",
        split="train",
        texts=texts,
        labels=np.arange(n) % n_classes,
        classes=tuple("abc"[:n_classes]),
        source="generated",
        extra={"number": tuple(range(n))},
        notes=("made up",),
    )


def test_hash_is_sha256_of_lengths_texts_and_labels():
    data = Dataset("toy", "train", ("a", "žluť"), np.array([1, 0]), ("x", "y"), "generated")
    by_hand = (
        b"\x01\0\0\0\0\0\0\0" + b"a"
        # ž and ť are two bytes each in UTF-8: 6 bytes.
        + b"\x06\0\0\0\0\0\0\0" + b"\xc5\xbelu\xc5\xa5"
        + b"\x01\0\0\0\0\0\0\0" + b"\0\0\0\0\0\0\0\0"
    )  # fmt: skip
    assert data.sha256 == hashlib.sha256(by_hand).hexdigest()


def test_hash_tells_apart_texts_that_join_to_the_same_string():
    def digest(*texts: str) -> str:
        return Dataset("t", "s", texts, np.zeros(len(texts)), ("x",), "generated").sha256

    assert digest("ab", "c") != digest("a", "bc")
    assert digest("\ud800")  # a lone surrogate must not stop a run


def test_labels_are_int64_read_only_and_a_copy():
    given = np.array([0, 1], dtype=np.int8)
    data = Dataset("toy", "train", ("a", "b"), given, ("x", "y"), "generated")
    given[0] = 1
    assert data.labels.dtype == np.int64
    assert data.labels.tolist() == [0, 1]
    with pytest.raises(ValueError, match="read-only"):
        data.labels[0] = 1


@pytest.mark.parametrize(
    "texts, labels, extra, message",
    [
        (("a", "b"), [0], {}, "2 texts but 1 labels"),
        (("a", "b"), [0, 2], {}, r"row 1 has label 2. Valid labels are 0 to 1: x, y"),
        (("a", "b"), [-1, 0], {}, "row 0 has label -1"),
        (("a", "b"), [0, 1], {"id": (1,)}, "2 texts but 1 values of 'id'"),
    ],
)
def test_inconsistent_rows_are_refused(texts, labels, extra, message):
    with pytest.raises(ValueError, match=message):
        Dataset("toy", "train", texts, np.array(labels), ("x", "y"), "generated", extra)


def test_take_by_number_and_by_mask():
    data = make(6)
    part = data.take([4, 1])
    assert part.texts == (data.texts[4], data.texts[1])
    assert part.labels.tolist() == [1, 1]
    assert part.extra["number"] == (4, 1)
    assert (part.name, part.source, part.notes) == (data.name, data.source, data.notes)
    assert data.take(np.arange(6) % 2 == 0).extra["number"] == (0, 2, 4)
    assert len(data.take([])) == 0
    with pytest.raises(ValueError, match="shape"):
        data.take(np.array([True]))


def test_sample_depends_on_rows_and_seed_only():
    data = make()
    first = data.sample(10, seed=1).extra["number"]
    np.random.seed(5)  # noqa: NPY002 - the global state must not matter
    random.seed(5)
    data.sample(3, seed=2)
    assert make().sample(10, seed=1).extra["number"] == first
    assert data.sample(4, seed=1).extra["number"] == first[:4]
    assert data.sample(10, seed=2).extra["number"] != first
    assert len(set(first)) == 10


def test_sampling_leaves_the_global_state_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make().sample(5, seed=0)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_sample_per_class_takes_turns():
    data = make()
    part = data.sample(4, seed=3, per_class=True)
    assert part.labels.tolist() == [0, 1, 2] * 4
    assert len(set(part.extra["number"])) == 12
    smaller = data.sample(2, seed=3, per_class=True)
    assert smaller.extra["number"] == part.extra["number"][:6]


def test_sample_of_long_texts():
    # Lengths are 1 to 10 words, three texts each; at least 9 words: 6 texts.
    part = make().sample(6, seed=0, min_words=9)
    assert sorted(part.extra["number"]) == [8, 9, 18, 19, 28, 29]
    with pytest.raises(ValueError, match=r"Cannot draw 7 rows with 9 words or more.*it has 6"):
        make().sample(7, seed=0, min_words=9)
    with pytest.raises(ValueError, match=r"Cannot draw 11 rows of class 'a' from 'toy'.*has 10"):
        make().sample(11, seed=0, per_class=True)
    with pytest.raises(ValueError, match="Cannot draw -1 rows"):
        make().sample(-1, seed=0)


def test_describe_can_be_written_as_json():
    data = make(4)
    told = json.loads(json.dumps(data.describe()))
    assert told == {
        "name": "toy",
        "split": "train",
        "source": "generated",
        "sha256": data.sha256,
        "rows": 4,
        "dropped": 0,
        "notes": ["made up"],
    }
    assert repr(data) == "Dataset('toy', 'train', 4 rows, 3 classes, generated)"


def test_first_words_cuts_behind_the_nth_word():
    texts = (
        "one two, three four.",  # cut
        "one two!",  # just as long: whole, with what follows its last word
        "(one)",
        "",
        "don't stop-now \U0001f600 again",  # an apostrophe joins, a hyphen parts, an emoji is one
    )
    data = Dataset(
        name="toy",
        split="test",
        texts=texts,
        labels=np.arange(5) % 2,
        classes=("a", "b"),
        source="generated",
        extra={"whole": texts},
        notes=("made up",),
        dropped=3,
    )
    cut = data.first_words(2)
    assert cut.texts == ("one two", "one two!", "(one)", "", "don't stop")
    assert data.first_words(1).texts == ("one", "one", "(one)", "", "don't")
    assert data.first_words(4).texts == (*texts[:4], "don't stop-now \U0001f600")
    assert data.first_words(5).texts == texts
    assert data.texts == texts
    assert cut.labels.tolist() == [0, 1, 0, 1, 0]
    assert cut.extra == {"whole": texts}
    assert (cut.name, cut.split, cut.classes, cut.source) == (
        "toy",
        "test",
        ("a", "b"),
        "generated",
    )
    assert cut.dropped == 3
    assert cut.sha256 != data.sha256
    assert cut.first_words(2).texts == cut.texts


def test_last_words_cuts_in_front_of_the_nth_word_from_the_end():
    texts = (
        "One two, (three) four.",  # cut; what follows the last word stays
        "one two!",
        "...one",
        "",
        "don't stop-now \U0001f600 again",
    )
    data = Dataset("toy", "test", texts, np.arange(5) % 2, ("a", "b"), "generated",
                   {"whole": texts}, ("made up",), 3)  # fmt: skip
    cut = data.last_words(2)
    assert cut.texts == ("three) four.", "one two!", "...one", "", "\U0001f600 again")
    assert data.last_words(1).texts == ("four.", "two!", "...one", "", "again")
    assert data.last_words(4).texts == (*texts[:4], "stop-now \U0001f600 again")
    assert data.last_words(5).texts == texts
    assert data.texts == texts
    assert cut.labels.tolist() == [0, 1, 0, 1, 0]
    assert (cut.extra, cut.dropped, cut.split) == ({"whole": texts}, 3, "test")
    kept, added = cut.notes
    assert kept == "made up"
    assert "last 2 words" in added
    assert cut.last_words(2).texts == cut.texts


def test_first_words_are_noted():
    data = make(3)
    (kept, added) = data.first_words(7).notes
    assert kept == "made up"
    assert "7 words" in added
    assert data.notes == ("made up",)


@pytest.mark.parametrize("n", [0, -1])
def test_a_cut_text_keeps_a_word(n):
    for cut in (make(3).first_words, make(3).last_words):
        with pytest.raises(ValueError, match=rf"at least 1 word.*{n}"):
            cut(n)
