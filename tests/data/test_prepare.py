"""Splitting, dropping repeats, stripping messages."""

from __future__ import annotations

import pytest

from xai_lib.data.loading import load_dataset
from xai_lib.data.prepare import Rows, choose_test_rows, strip_message

MESSAGES = [
    "From: a\nSubject: b\n\nBody one.\nBody two.\n\n--\nAnna\nphone",
    "Subject: x\n\nIn article <1> somebody writes:\n> quoted\n| quoted too\nMy answer.\n",
    "Subject: x\n\nHe said: no.\nShe says: yes.\nQuoted from here\nkept In article\n",
    "no header at all",
    "Subject: only\n\n",
    "Subject: s\n\n\n\nall of it follows two blank lines",
    "Subject: s\n\none line\n----\n  -- \nsignature\n   \n\n",
    "Subject: s\n\nfirst\n\nsecond\n\nthird is taken for a footer",
    "Subject: s\n\n  indented start\nend",
]


def test_stripped_by_hand():
    assert strip_message(MESSAGES[0]) == "Body one.\nBody two.\n"
    assert strip_message(MESSAGES[1]) == "My answer.\n"
    assert strip_message(MESSAGES[3]) == ""
    assert strip_message(MESSAGES[7]) == "first\n\nsecond"


@pytest.mark.parametrize("message", MESSAGES)
def test_same_as_scikit_learn(message):
    reference = pytest.importorskip("sklearn.datasets._twenty_newsgroups")
    expected = reference.strip_newsgroup_header(message)
    expected = reference.strip_newsgroup_footer(expected)
    expected = reference.strip_newsgroup_quoting(expected)
    assert strip_message(message) == expected


def test_newsgroups_stripped_and_whole(make_folder):
    columns = {"text": [MESSAGES[0], MESSAGES[4]], "label": [0, 1], "message_id": [7, 8]}
    folder = make_folder("newsgroups20", {"train": columns}, ["a", "b"], changes="none")
    stripped = load_dataset("newsgroups20", "train", folder)
    assert stripped.texts == ("Body one.\nBody two.\n",)
    assert (stripped.dropped, stripped.extra) == (1, {"message_id": (7,)})
    assert stripped.describe()["dropped"] == 1
    assert stripped.notes == (
        "changes: none",
        "Then headers, quotes and footers removed as scikit-learn does it.",
        "Left out: 1 messages of which nothing is left.",
    )
    whole = load_dataset("newsgroups20_full", "train", folder)
    assert (whole.texts, whole.dropped) == ((MESSAGES[0], MESSAGES[4]), 0)


def test_split_sizes_and_classes():
    texts = [f"t{i}" for i in range(100)]
    labels = [0] * 60 + [1] * 35 + [2] * 5
    test = choose_test_rows(texts, labels)
    # A fifth of each class: 12, 7 and 1.
    assert [int(test[:60].sum()), int(test[60:95].sum()), int(test[95:].sum())] == [12, 7, 1]
    assert (test == choose_test_rows(texts, labels)).all()
    assert (test != choose_test_rows(texts, labels, seed=1)).any()


def test_identical_texts_stay_on_one_side():
    texts = [f"t{i % 10}" for i in range(200)]  # ten texts, twenty times each
    labels = [int(i % 10 >= 5) for i in range(200)]
    test = choose_test_rows(texts, labels)
    for name in set(texts):
        assert len({bool(test[i]) for i in range(200) if texts[i] == name}) == 1
    assert int(test.sum()) == 40  # one text of five in each class


def test_text_with_two_labels_stays_on_one_side():
    texts = ["same", "same", *(f"a{i}" for i in range(8)), *(f"b{i}" for i in range(9))]
    labels = [0, 1, *[0] * 8, *[1] * 9]
    for seed in range(20):
        test = choose_test_rows(texts, labels, seed=seed)
        assert test[0] == test[1]
        # 10 rows go with class 0 (the repeat counts there), 9 with class 1: 2 each, and one
        # more when the pair of identical texts comes second.
        assert int(test[10:].sum()) == 2
        assert int(test[:10].sum()) in (2, 3)


def test_repeats_are_dropped_and_counted():
    rows = Rows(["a", "b", "a", "a"], [0, 1, 0, 1], ("x", "y"), {"id": [1, 2, 3, 4]})
    kept = rows.drop_repeats()
    assert (kept.texts, kept.labels, kept.extra) == (["a", "b"], [0, 1], {"id": [1, 2]})
    assert (kept.dropped, kept.notes) == (2, ["Left out: 2 rows that repeat an earlier text."])
    assert kept.drop_repeats() is kept
