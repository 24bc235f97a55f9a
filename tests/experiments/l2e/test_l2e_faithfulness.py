"""Agreement and log-odds where every answer of the black box is a sum over words."""

from __future__ import annotations

import numpy as np
import pytest

from xai_lib.experiments.l2e import asked as asked_module
from xai_lib.experiments.l2e.faithfulness import agreement_rows, log_odds_rows

approx = pytest.approx


@pytest.fixture
def ends(monkeypatch):
    """Random words are the first ones, then the last ones."""
    asked = []

    def draw(n_words, count, seed, text, draws):
        assert (seed, draws) == (7, 2)
        asked.append((text, count))
        place = np.arange(n_words)
        return np.stack([place < count, place >= n_words - count])

    monkeypatch.setattr(asked_module, "random_words", draw)
    return asked


def of(rows, **where):
    found = [row for row in rows if all(row[k] == v for k, v in where.items())]
    return {row["explanation"]: (row["mean"], row["n"]) for row in found}


def test_agreement_by_labels(make_explained, ends, cell):
    rows, pairs = agreement_rows(make_explained())
    place = {"formulation": "labelling", "teacher": "lime"}
    # Student: "good" (3) and "bad" (-2) keep the class. Teacher: "good" does, "sun" (0.5) is
    # positive where the document is not. Of the third document all words are selected.
    assert of(rows, **place) == {"teacher": (50, 2), "l2e": (100, 2), "both": (50, 2)}
    pair = cell(pairs, **place)
    assert (pair["first"], pair["second"], pair["difference"], pair["n"]) == (
        "l2e", "teacher", 50, 2,
    )  # fmt: skip
    # Drawn are "good", "rain" and "bad", "sun": right and wrong each time.
    place["teacher"] = "random"
    assert of(rows, **place) == {"random": (50, 2), "random (all five)": (0, 2)}
    assert {row["setting"] for row in rows} == {"news"}


def test_agreement_by_ranks(make_explained, ends, cell):
    rows, pairs = agreement_rows(make_explained())
    place = {"formulation": "ranking", "teacher": "lime"}
    # Teacher: "good rain" 2.5 right, "film fine" 1 wrong, "good" right. Student: "film the" 0, and
    # a tie is the first class, wrong; "bad film" -2 right, "fine" right.
    third = approx(100 / 3)
    assert of(rows, **place) == {
        "teacher": (approx(200 / 3), 3), "l2e": (approx(200 / 3), 3), "both": (third, 3),
    }  # fmt: skip
    assert cell(pairs, **place)["difference"] == approx(0)
    # "good film" right, "the rain" wrong; "bad film" right, "fine sun" wrong; "good" and "fine".
    place["teacher"] = "random"
    assert of(rows, **place) == {
        "random": (approx(200 / 3), 3), "random (all five)": (third, 3),
    }  # fmt: skip


def test_gains_are_compared_between_formulations(make_explained, ends, cell):
    _, pairs = agreement_rows(make_explained())
    # Gain by labels: 0, 100, undefined; by ranks: -100, 100, 0. The first two documents count.
    pair = cell(pairs, first="labelling", second="ranking", teacher="lime")
    assert (pair["difference"], pair["n"]) == (50, 2)
    assert "formulation" not in pair
    assert len(pairs) == 3


def test_agreement_is_the_mean_of_the_students_that_are_defined(make_explained, ends):
    # The second student keeps "rain", which is wrong, then every word.
    second = ([0, 0, 0, 2], [2, 2, 2, 2], [2, 2], [0, 0, 0, 0], [0, 0, 0])
    first = make_explained().runs["lime", "labelling"][0]
    weights = [one.weights[one.predicted] for one in first]
    rows, _ = agreement_rows(make_explained(labellers={"lime": [weights, second]}))
    found = of(rows, formulation="labelling", teacher="lime")
    # Document 1: right and wrong; its teacher takes "good" both times. Document 2: the first only.
    assert found == {"teacher": (50, 2), "l2e": (75, 2), "both": (25, 2)}


def test_a_document_counts_for_both_or_for_neither(make_explained, ends):
    # Of the first document the teacher has no word for the class, the student has one.
    weights = [one.weights[one.predicted] for one in make_explained().teachers["lime"]]
    weights[0] = [-2, -1, 0, -1]
    rows, _ = agreement_rows(make_explained(teachers={"lime": weights}))
    # Left is the second: the student's "bad" keeps the class, the teacher's "sun" does not.
    found = of(rows, formulation="labelling", teacher="lime")
    assert found == {"teacher": (0, 1), "l2e": (100, 1), "both": (0, 1)}


def test_random_words_are_as_many_as_those_of_the_middle_student(make_explained, ends):
    all_but_last = ([1, 1, 1, 0], [1, 1, 1, 0], [1, 0], [0, 0, 0, 0], [0, 0, 0])
    explained = make_explained(
        teachers={name: [[1, 2, 3, 4], [1, 2, 3, 4], [1, 2], [1, 2, 3, 4], [1, 2, 3]]
                  for name in ("occlusion", "lime")},
        labellers={
            "occlusion": [([2, 0, 0, 0], [2, 0, 0, 0], [2, 0], [2, 0, 0, 0], [2, 0, 0])],
            "lime": [all_but_last],
        },
        rankers={},
    )  # fmt: skip
    rows, pairs = agreement_rows(explained)
    assert [count for _, count in ends] == [3, 3, 1]
    ranking = [row for row in rows if row["formulation"] == "ranking"]
    # No student ranks: cells without documents, no control and no comparison.
    assert {(row["teacher"], row["n"], row["mean"]) for row in ranking} == {
        ("occlusion", 0, None), ("lime", 0, None),
    }  # fmt: skip
    assert all(pair.get("formulation") != "ranking" for pair in pairs)
    assert all(pair["first"] == "l2e" for pair in pairs)


@pytest.mark.parametrize(
    ("kind", "teacher", "student", "chance"),
    [
        # Without "good film" 3, "bad sun" 1.5, both words 4; student "good" 3, "bad" 2, both 4;
        # chance 3 and -0.5, 2 and -1.5, 4 and 4.
        ("positive", 8.5 / 3, 3.0, 5.5 / 3),
        # "rain" -0.5, "film fine" -1, nothing; student "rain" -0.5, "sun" -0.5, nothing;
        # chance "good" and "rain", "bad film" and "fine sun", nothing.
        ("negative", -0.5, -1 / 3, 0.5),
        # "good rain" 2.5, "film fine" -1, "good" 3; student "film the" 0, "bad film" 2, "fine" 1;
        # chance 1.25, 0.25, 2.
        ("ranking", 1.5, 1.0, 3.5 / 3),
    ],
)
def test_log_odds(make_explained, ends, cell, kind, teacher, student, chance):
    rows, pairs = log_odds_rows(make_explained(), kind)
    assert of(rows, teacher="lime") == {
        "teacher": (approx(teacher), 3), "l2e": (approx(student), 3),
    }  # fmt: skip
    assert of(rows, teacher="random") == {"random": (approx(chance), 3)}
    found = {(one["first"], one["second"]): one["difference"] for one in pairs}
    expected = {("l2e", "teacher"): approx(student - teacher)}
    if kind == "positive":
        expected[("l2e", "random")] = approx(student - chance)
        expected[("teacher", "random")] = approx(teacher - chance)
    assert found == expected


def test_log_odds_of_several_teachers(make_explained, ends, cell):
    other = ([0, 0, 0, 1], [0, 1, 0, 0], [0, 1], [0, 0, 0, 1], [0, 0, 1])
    first = make_explained()
    weights = [one.weights[one.predicted] for one in first.teachers["lime"]]
    own = [one.weights[one.predicted] for one in first.runs["lime", "labelling"][0]]
    explained = make_explained(
        teachers={"occlusion": other, "lime": weights}, labellers={"lime": [own, other]}
    )
    rows, pairs = log_odds_rows(explained, "positive")
    # Occlusion's: without "rain" -0.5, "film" 0, "fine" 1; it has no student.
    assert of(rows, teacher="occlusion") == {"teacher": (approx(0.5 / 3), 3), "l2e": (None, 0)}
    # The students of LIME lose 3, 2, 4 and -0.5, 0, 1.
    assert of(rows, teacher="lime")["l2e"] == (approx((9 + 0.5) / 6), 3)
    # Chance: as many as occlusion: 3 and -0.5, 2 and -0.5, 3 and 1; as many as LIME: 5.5 in all.
    chance = ((1.25 + 0.75 + 2) / 3 + 5.5 / 3) / 2
    assert of(rows, teacher="random") == {"random": (approx(chance), 3)}
    pair = cell(pairs, first="lime", second="occlusion")
    assert pair["difference"] == approx((8.5 - 0.5) / 3)
    assert (pair["explanation"], "teacher" in pair) == ("teacher", False)
    assert {one["second"] for one in pairs if one.get("teacher") == "occlusion"} == {"random"}
    assert not [one for one in log_odds_rows(explained, "ranking")[1] if one["first"] == "lime"]
