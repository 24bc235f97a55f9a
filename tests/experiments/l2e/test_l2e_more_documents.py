"""Students of all documents: what they learn from, and what they are compared with."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from xai_lib.experiments.l2e import more_documents, variants
from xai_lib.experiments.l2e.more_documents import CHEAP, more_document_rows

approx = pytest.approx

# Of few documents a student calls the first word positive and the last one negative; of all it
# says what the teacher says.
FEW = ([2, 0, 0, -2], [2, 0, 0, -2], [2, -2], [2, 0, 0, -2], [2, 0, -2])
TEACHER = ([2, 0.5, 0, -1], [0.4, -1, -2, 0.5], [3, 1], [-4, 1, 2, 0], [1, -3, 2])
ALL = ([2, 1, 0, -1], [1, -1, -2, 2], [2, 1], [-1, 1, 2, 0], [1, -1, 2])
MARKED = {"rationale_words": [(1, 0, 1, 1), (1, 0, 0, 0), (0, 1), (1, 0, 1, 0), (1, 0, 0)]}
PROFILE = {"some_texts": 2, "all_epochs": 3, "variant_seeds": [4]}


@pytest.fixture
def run(make_explained, write, monkeypatch):
    """Put students written by hand in the place of fitted ones; note what they were fitted on."""
    asked = []

    def fitted(student, taught, setting, seed):
        asked.append((student.formulation, student.epochs, len(taught), seed))
        own = FEW if len(taught) == 2 else ALL
        return SimpleNamespace(
            explain=lambda texts, box: write(texts, own, "l2e"),
            facts={"best_epoch": 10 * len(taught)},
        )

    monkeypatch.setattr(variants, "fitted", fitted)

    def make(**changed):
        explained = make_explained(teachers={"gradient": TEACHER}, **{**PROFILE, **changed})
        explained.taught["gradient"] = list(explained.teachers["gradient"])
        wanted = []
        monkeypatch.setattr(
            more_documents,
            "taught_by",
            lambda sample, names: wanted.append(names) or explained,
        )
        found = more_document_rows(explained.sample)
        assert wanted == [CHEAP]
        return *found, asked

    return make


def of(rows, measure):
    return {row["student"]: row["mean"] for row in rows if row["measure"] == measure}


def test_teachers_are_those_that_can_explain_everything():
    assert CHEAP == ("occlusion", "gradient", "lrp", "deep_shap")


def test_lessons_and_measures(run, cell):
    rows, pairs, asked = run(key="news_all")
    # Two documents as elsewhere, all five with the epochs of the profile; both label.
    assert asked == [("labelling", 2, 2, 4), ("labelling", 3, 5, 4)]
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


def test_more_than_there_are(run):
    rows, _, asked = run(key="news_all", some_texts=99)
    assert [n for _, _, n, _ in asked] == [5, 5]
    assert {row["documents"] for row in rows} == {5, None}


def test_rationales_of_the_documents_predicted_right(run, cell):
    # The second document is predicted negative, and is positive.
    rows, pairs, _ = run(key="movies_all", labels=(1, 1, 1, 1, 0), extra=MARKED)
    where = {"setting": "movies_all", "teacher": "gradient"}
    # "the" is a stop word. Of few documents: "good", one of two marked; then "good", which is not.
    # Of all: "good", the only high one; "good", which is not; the teacher as many.
    for student in ("some documents", "all documents", "teacher"):
        found = cell(rows, **where, measure="recall", student=student)
        assert (found["mean"], found["n"]) == (approx(25), 2)
        assert cell(rows, **where, measure="precision", student=student)["mean"] == approx(50)
    f1 = [(one["first"], one["second"]) for one in pairs if one["measure"] == "f1"]
    assert f1 == [("all documents", "some documents"), ("all documents", "teacher")]


def test_the_teacher_has_as_many_words_as_the_student_of_all_documents(run, cell, monkeypatch):
    # All five documents teach to call every word high positive: the teacher gives all words too.
    monkeypatch.setitem(globals(), "ALL", tuple([2] * len(one) for one in ALL))
    rows, _, _ = run(key="movies_all", labels=(1, 1, 1, 1, 0), extra=MARKED)
    # Of "good film rain" two are marked, of "good fine" one: precision 2/3 and 1/2, recall 1.
    for student in ("all documents", "teacher"):
        assert cell(rows, measure="recall", student=student)["mean"] == approx(100)
        assert cell(rows, measure="precision", student=student)["mean"] == approx(350 / 6)
    assert cell(rows, measure="recall", student="some documents")["mean"] == approx(25)
