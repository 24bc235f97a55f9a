"""Students of all documents: what they learn from, and what they are compared with."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from xai_lib.experiments.l2e import more_documents, variants
from xai_lib.experiments.l2e.equal_number import equal_number_rows
from xai_lib.experiments.l2e.more_documents import (
    explain_whole,
    more_document_rows,
    more_rationale_rows,
)

approx = pytest.approx

# Of few documents a student calls the first word positive and the last one negative; of all it
# says what the teacher says.
FEW = ([2, 0, 0, -2], [2, 0, 0, -2], [2, -2], [2, 0, 0, -2], [2, 0, -2])
TEACHER = ([2, 0.5, 0, -1], [0.4, -1, -2, 0.5], [3, 1], [-4, 1, 2, 0], [1, -3, 2])
ALL = ([2, 1, 0, -1], [1, -1, -2, 2], [2, 1], [-1, 1, 2, 0], [1, -1, 2])
# Words that people marked; "the" is a stop word. The second document is predicted wrong.
MARKED = {"rationale_words": [(1, 0, 1, 1), (1, 0, 0, 0), (0, 1), (1, 0, 1, 0), (1, 0, 0)]}
LABELS = (1, 1, 1, 1, 0)
REVIEWS = {"key": "movies_all", "labels": LABELS, "extra": MARKED}
PROFILE = {"some_texts": 2, "all_epochs": 3, "variant_seeds": [4]}


@pytest.fixture
def whole(make_explained, write, monkeypatch):
    """Put students written by hand in the place of fitted ones; note what they were fitted on."""
    asked = []
    few = [FEW]

    def fitted(student, taught, setting, seed):
        asked.append((student.formulation, student.epochs, len(taught), seed))
        own = few[-1] if len(taught) == 2 else ALL
        return SimpleNamespace(
            explain=lambda texts, box: write(texts, own, "l2e"),
            facts={"best_epoch": 10 * len(taught)},
        )

    monkeypatch.setattr(variants, "fitted", fitted)

    def make(of_few=FEW, **changed):
        few.append(of_few)
        given = {"key": "news_all", **PROFILE, **changed}
        bare = make_explained(teachers={"gradient": TEACHER}, labellers={}, rankers={}, **given)
        bare.sample.setting.profile["teachers"] = ["gradient"]
        bare.taught["gradient"] = list(bare.teachers["gradient"])
        wanted = []

        def taught_by(sample, names):
            wanted.append(names)
            return bare

        monkeypatch.setattr(more_documents, "taught_by", taught_by)
        found = explain_whole(bare.sample)
        assert wanted == [["gradient"]]
        return found, asked

    return make


def of(rows, measure):
    return {row["student"]: row["mean"] for row in rows if row["measure"] == measure}


def test_lessons_and_measures(whole, cell):
    explained, asked = whole()
    rows, pairs = more_document_rows(explained)
    # All five documents with the epochs of the profile, two as elsewhere; both label.
    assert asked == [("labelling", 3, 5, 4), ("labelling", 2, 2, 4)]
    # The first words are worth 3, -2 (of a negative document) and 3; the teacher's positive ones
    # are "good film" 3, "bad sun" 1.5, both words 4.
    assert of(rows, "positive log-odds") == {
        "some documents": approx(8 / 3),
        "all documents": approx(8.5 / 3),
        "teacher": approx(8.5 / 3),
    }
    # The last words "rain" -0.5, "sun" -0.5, "fine" 1; "rain" -0.5, "film fine" -1, none.
    assert of(rows, "negative log-odds") == {
        "some documents": approx(0),
        "all documents": approx(-0.5),
        "teacher": approx(-0.5),
    }
    assert of(rows, "kept epoch") == {"some documents": 20, "all documents": 50}
    assert {(row["student"], row["documents"]) for row in rows} == {
        ("some documents", 2), ("all documents", 5), ("teacher", None),
    }  # fmt: skip
    pair = cell(pairs, measure="negative log-odds", first="all documents", second="some documents")
    assert (pair["difference"], pair["n"]) == (approx(-0.5), 3)
    assert (pair["setting"], pair["teacher"]) == ("news_all", "gradient")
    assert {(one["first"], one["second"]) for one in pairs} == {
        ("all documents", "some documents"), ("all documents", "teacher"),
        ("some documents", "teacher"),
    }  # fmt: skip
    measures = {"iou", "agreement", "positive log-odds", "negative log-odds"}
    assert {row["measure"] for row in rows} == measures | {"kept epoch"}
    assert {pair["measure"] for pair in pairs} <= measures


def test_more_than_there_are(whole):
    explained, asked = whole(some_texts=99)
    rows, _ = more_document_rows(explained)
    assert [n for _, _, n, _ in asked] == [5, 5]
    assert {row["documents"] for row in rows} == {5, None}


def test_without_fewer_lessons_there_is_nothing_to_compare(whole):
    explained, asked = whole(some_texts=None, variant_seeds=[4, 5])
    assert more_document_rows(explained) == ([], [])
    # The students are there for Table 2, one for each seed.
    assert [(n, seed) for _, _, n, seed in asked] == [(5, 4), (5, 5)]
    rows, _ = equal_number_rows(explained)
    assert {row["setting"] for row in rows} == {"news_all"}


def test_reviews_are_also_compared_on_what_people_marked(whole):
    rows, _ = more_document_rows(whole(**REVIEWS)[0])
    # Of few: "good" 2 and "rain" -2 against "good" 2, and against "poor" 2: 1/2 and 0; "bad" 2
    # against "poor" 2: 0. The others give "good" and "rain" other labels in either text.
    assert of(rows, "iou, annotated") == {
        "some documents": approx(100 * (1 / 4 + 0) / 2), "all documents": 0, "teacher": 0,
    }  # fmt: skip
    # Without "the": good, rain against good, film 1/3, against poor, film 0.
    assert of(rows, "iou, stop words")["some documents"] == approx(100 * (1 / 6 + 0) / 2)
    assert "iou, none" not in {row["measure"] for row in rows}
    others, _ = more_document_rows(whole()[0])
    assert "iou, annotated" not in {row["measure"] for row in others}


def test_rationales_of_students_of_all_reviews(whole, cell):
    # Students of few choose "rain" of the first and "fine" of the third review.
    few = ([0, 0, 0, 2], [2, 0, 0, 0], [0, 2], [2, 0, 0, 0], [2, 0, 0])
    rows, pairs = more_rationale_rows(whole(of_few=few, **REVIEWS)[0])
    place = {"setting": "movies_all", "class": "positive", "teacher": "gradient"}
    found = {
        (row["explanation"], row["measure"]): row["mean"]
        for row in rows
        if row["class"] == "positive"
    }
    # Students of all, and the teacher, choose "good" of both: 1, 1/2, 2/3, and 0.
    for one in ("l2e", "teacher"):
        assert found[one, "precision"] == 50.0
        assert found[one, "recall"] == 25.0
        assert found[one, "f1"] == approx(100 / 3)
    # "rain" is one of the two that are marked, "fine" the one: 1, 1/2, 2/3, and 1.
    assert found["l2e of some documents", "precision"] == 100.0
    assert found["l2e of some documents", "recall"] == 75.0
    assert found["l2e of some documents", "f1"] == approx(250 / 3)
    pair = cell(pairs, **place, measure="f1", second="l2e of some documents")
    assert (pair["first"], pair["difference"], pair["n"]) == ("l2e", approx(-50), 2)
    assert cell(pairs, **place, measure="f1", second="teacher")["difference"] == approx(0)
