"""Marked words: precision, recall and F1 by hand, and the overlap of people's own marks."""

from __future__ import annotations

import pytest

from xai_lib.experiments.l2e.rationales import (
    division_rows,
    human_overlap,
    marked_overlap_rows,
    rationale_rows,
)

# good . the rain; bad; fine; good rain; poor. "the" is a stop word.
MARKED = {"rationale_words": [(1, 0, 1, 1), (1, 0, 0, 0), (0, 1), (1, 0, 1, 0), (1, 0, 0)]}
# The second document is predicted negative, and is positive.
LABELS = (1, 1, 1, 1, 0)
# The teacher ranks "the" first in the first document.
TEACHER = ([2, 0.5, 3, -1], [0.4, -1, -2, 0.5], [3, 1], [-4, 1, 2, 0], [1, -3, 2])

approx = pytest.approx


@pytest.fixture
def marked(make_explained):
    def make(**changed):
        return make_explained(labels=LABELS, extra=MARKED, key="movies", **changed)

    return make


def means(rows, **where):
    found = [row for row in rows if all(row[k] == v for k, v in where.items())]
    return {row["measure"]: row["mean"] for row in found}, {row["n"] for row in found}


def test_right_documents_only(marked, cell):
    rows, pairs = rationale_rows(marked(teachers={"lime": TEACHER}))
    place = {"class": "positive", "teacher": "lime"}
    # Student: of the first "good", one of the two that are marked and no stop word: 1, 1/2, 2/3.
    # Of the third both words: 1/2, 1, 2/3.
    expected = {"precision": 75.0, "recall": 75.0, "f1": approx(200 / 3)}
    assert means(rows, **place, explanation="l2e") == (expected, {2})
    # As many of the teacher, stop words aside: the same.
    assert means(rows, **place, explanation="teacher") == (expected, {2})
    pair = cell(pairs, **place, measure="f1")
    assert (pair["first"], pair["second"], pair["difference"]) == ("l2e", "teacher", approx(0))
    # The only negative document here is predicted right by nobody.
    assert means(rows, **{**place, "class": "negative"}, explanation="l2e") == (
        {"precision": None, "recall": None, "f1": None}, {0},
    )  # fmt: skip
    assert all(pair["class"] == "positive" for pair in pairs)


def test_recall_is_compared_with_precision(marked, cell):
    # A student that selects all words but the marked one of the third document.
    eager = ([2, 2, 2, 2], [2, 2, 2, 2], [2, 0], [2, 2, 2, 2], [2, 2, 2])
    rows, pairs = rationale_rows(marked(labellers={"lime": [eager]}))
    # Of "good film rain" two are marked: 2/3, 1, 4/5; then nothing.
    found, _ = means(rows, **{"class": "positive"}, explanation="l2e")
    assert found == {"precision": approx(100 / 3), "recall": 50.0, "f1": approx(40.0)}
    pair = cell(pairs, explanation="l2e", first="recall", second="precision")
    assert (pair["difference"], pair["n"]) == (approx(50 - 100 / 3), 2)


def test_the_released_code_takes_the_teachers_stop_words_away(marked):
    rows, _ = rationale_rows(marked(teachers={"lime": TEACHER}), released=True)
    # "the" is selected in the first and does not count: nothing is left.
    found, _ = means(rows, **{"class": "positive"}, explanation="teacher")
    assert found == {"precision": 25.0, "recall": 50.0, "f1": approx(100 / 3)}
    found, _ = means(rows, **{"class": "positive"}, explanation="l2e")
    assert found == {"precision": 75.0, "recall": 75.0, "f1": approx(200 / 3)}


def test_students_are_averaged(marked):
    # The second selects "rain" of the first, which is marked too, and the wrong word of the third.
    second = ([0, 0, 0, 2], [2, 0, 0, 0], [2, 0], [2, 0, 0, 0], [2, 0, 0])
    first = marked().runs["lime", "labelling"][0]
    own = [one.weights[one.predicted] for one in first]
    rows, _ = rationale_rows(marked(labellers={"lime": [own, second]}))
    found, _ = means(rows, **{"class": "positive"}, explanation="l2e")
    assert found == {
        "precision": (75 + 50) / 2, "recall": (75 + 25) / 2, "f1": approx((200 / 3 + 100 / 3) / 2),
    }  # fmt: skip


def test_without_students_nothing_is_measured(marked):
    rows, pairs = rationale_rows(marked(labellers={}))
    assert {row["n"] for row in rows} == {0}
    assert pairs == []


@pytest.mark.parametrize(
    ("which", "eq_1", "divided"),
    [
        # good the rain against good rain 2/3, poor 0/4; divided 2/7/2. bad against poor: 0.
        ("none", (2 / 3 + 0) / 2, 2 / 7 / 2),
        ("annotated", (2 / 3 + 0) / 2, 2 / 7 / 2),
        # good rain against good rain 1, poor 0/3; divided 2/5/2.
        ("stop words", (1 + 0) / 2, 2 / 5 / 2),
    ],
)
def test_overlap_of_the_marks(marked, cell, which, eq_1, divided):
    rows, _ = marked_overlap_rows(marked())
    for flag, value in ((False, eq_1), (True, divided)):
        found = cell(rows, filter=which, divided=flag, teacher="human", explanation="human")
        assert (found["mean"], found["n"]) == (approx(100 * (value + 0) / 2), 2)


def test_overlap_of_explanations_on_marked_words(marked, cell):
    rows, pairs = marked_overlap_rows(marked())
    # Student, on marked words: good 2, rain -1 against good 2, rain -2: 1/3; against poor 2: 0.
    # The second: bad 1 against poor 2.
    place = {"filter": "annotated", "teacher": "lime", "explanation": "l2e"}
    assert cell(rows, **place, divided=False)["mean"] == approx(100 * (1 / 6 + 0) / 2)
    # Divided: one of 3 + 3, by two.
    assert cell(rows, **place, divided=True)["mean"] == approx(100 * (1 / 6 / 2 + 0) / 2)
    # All words: see the tests of overlap. "the" is neutral.
    for which in ("none", "stop words"):
        place = {"filter": which, "teacher": "lime"}
        student = cell(rows, **place, explanation="l2e", divided=False)
        assert student["mean"] == approx(100 * (4 / 15 + 0) / 2)
        pair = cell(pairs, **place)
        assert pair["difference"] == approx(100 * (4 / 15 - 1 / 10) / 2)
        assert pair["divided"] is False
    assert len(pairs) == 3


def test_division_by_the_number_of_neighbours(marked, cell):
    explained = marked(near=((3, 4, 0), (4, -1, -1), (-1, -1, -1)))
    rows = division_rows(explained)
    assert [(row["neighbours"], row["divided"]) for row in rows] == [
        (k, flag) for k in (1, 2, 3) for flag in (False, True)
    ]
    # One neighbour: nothing to divide. Three: 2/3, 0 and 1 (itself, here); divided 5/10/3.
    for k, flag, value in (
        (1, False, 2 / 3), (1, True, 2 / 3), (2, False, 1 / 3), (2, True, 1 / 7),
        (3, False, 5 / 9), (3, True, 5 / 30),
    ):  # fmt: skip
        row = cell(rows, neighbours=k, divided=flag)
        assert (row["mean"], row["n"]) == (approx(100 * (value + 0) / 2), 2), (k, flag)
    assert human_overlap(explained)[0] == approx(500 / 9)
