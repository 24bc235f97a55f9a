"""Variants of the student: which are fitted, on how much, and what they are compared with."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from xai_lib.experiments.l2e import variants
from xai_lib.experiments.l2e.variants import (
    initial_rows,
    optimiser_rows,
    position_rows,
    several_rows,
    size_rows,
)

approx = pytest.approx

# Students of the conftest lose 3, 2 and 4 of log-odds; their teacher 3, 1.5 and 4.
STUDENT, TEACHER = 3.0, 8.5 / 3
# One that calls the first word alone positive: "good" 3, "bad" 2, "good" 3.
FIRST = ([2, 0, 0, 0], [2, 0, 0, 0], [2, 0], [2, 0, 0, 0], [2, 0, 0])
CHANGED = {"sizes": [2, 4], "widths": {16: 1e-4}, "optimiser_epochs": 3, "variant_seeds": [5]}


@pytest.fixture
def teach_five(make_explained):
    """Make documents whose teacher has explained five others for its students."""

    def make(**changed):
        explained = make_explained(**{**CHANGED, **changed})
        explained.taught["lime"] = list(explained.teachers["lime"])
        return explained

    return make


@pytest.fixture
def fits(monkeypatch, write):
    """Put students written by hand in the place of fitted ones, and note what they were made of.

    A student that knows positions, or starts from the black box, calls the first word positive.
    """
    asked = []

    def fitted(student, taught, setting, seed):
        asked.append((student, len(taught), seed))
        first = student.positions or student.initial == "black_box"

        def explain(texts, box):
            labeller = ([2.2, 0.1, -0.3, -1.1], [1.4, 0.2, -0.4, -2], [1.1, 0.9],
                        [2, -1, -2, 1], [2, -1, 0.4])  # fmt: skip
            return write(texts, FIRST if first else labeller, "l2e")

        # The loss says what was learnt from: 10 by width, 1 by document.
        loss = 10 * student.width + len(taught)
        facts = {"history": [9, 8, 7], "validation": [loss + 1, loss, loss + 2]}
        return SimpleNamespace(explain=explain, facts=facts)

    monkeypatch.setattr(variants, "fitted", fitted)
    return asked


def test_sizes_and_widths(teach_five, fits, cell):
    rows = size_rows(teach_five(), "lime")
    made = [(student.width, student.learning_rate, n, seed) for student, n, seed in fits]
    # All five documents beside the sizes; the wide one has the largest size.
    assert made == [(8, 3e-3, 2, 5), (8, 3e-3, 4, 5), (8, 3e-3, 5, 5), (16, 1e-4, 4, 5)]
    assert {student.formulation for student, _, _ in fits} == {"labelling"}
    for width, texts in ((8, 2), (8, 4), (8, 5), (16, 4)):
        where = {"width": width, "texts": texts, "teacher": "lime", "setting": "news"}
        assert cell(rows, measure="positive log-odds", **where)["mean"] == approx(STUDENT)
        # One word in five and one in three of the first document, none of the second's four.
        assert cell(rows, measure="iou", **where)["mean"] == approx(100 * (1 / 5 + 1 / 3) / 2 / 2)
        kept = cell(rows, measure="validation loss", **where)["mean"]
        assert kept == 10 * width + texts
    assert len(rows) == 12


def test_sizes_that_are_not_there(teach_five, fits):
    size_rows(teach_five(sizes=[3, 99]), "lime")
    assert [(student.width, n) for student, n, _ in fits] == [(8, 3), (8, 5), (16, 5)]


def test_optimisers_have_all_epochs_and_the_largest_size(teach_five, fits, cell):
    rows = optimiser_rows(teach_five(), "lime")
    made = [
        (one.formulation, one.optimizer, one.learning_rate, one.epochs, one.patience, n, seed)
        for one, n, seed in fits
    ]
    assert made == [
        ("ranking", "sgd", 1e-4, 3, 3, 4, 0), ("ranking", "adam", 3e-3, 3, 3, 4, 0),
        ("labelling", "sgd", 1e-4, 3, 3, 4, 0), ("labelling", "adam", 3e-3, 3, 3, 4, 0),
    ]  # fmt: skip
    where = {"formulation": "ranking", "optimizer": "sgd"}
    losses = {
        (row["part"], row["epoch"]): row["mean"]
        for row in rows
        if all(row[k] == v for k, v in where.items())
    }
    assert losses == {
        ("training", 1): 9, ("training", 2): 8, ("training", 3): 7,
        ("validation", 1): 85, ("validation", 2): 84, ("validation", 3): 86, ("kept", None): 84,
    }  # fmt: skip


def test_positions(teach_five, fits, cell, monkeypatch, write):
    explained = teach_five()
    # The teacher of random weights says the opposite of the other.
    own = [-one.weights[one.predicted] for one in explained.teachers["lime"]]
    opposite = write(explained.sample.pool.texts, own)
    monkeypatch.setattr(variants, "teach", lambda sample, name: opposite[:3])
    monkeypatch.setattr(variants, "stored_corpus", lambda *_: opposite)
    rows, pairs = position_rows(explained, ["random", "lime", "nobody"])
    # Students without positions are there, but for the random teacher's.
    made = [(student.positions, n, seed) for student, n, seed in fits]
    assert made == [(False, 3, 5), (True, 3, 5), (True, 5, 5)]
    where = {"measure": "positive log-odds", "setting": "news"}
    found = {
        (row["teacher"], row["student"]): row["mean"]
        for row in rows
        if row["measure"] == "positive log-odds"
    }
    # Of "good", "bad", "good": 3, 2, 3. Of the opposite's "rain" -0.5; "film fine" -1; no word.
    assert found == {
        ("random", "no positions"): approx(STUDENT), ("random", "positions"): approx(8 / 3),
        ("random", "teacher"): approx(-1.5 / 3),
        ("lime", "no positions"): approx(STUDENT), ("lime", "positions"): approx(8 / 3),
        ("lime", "teacher"): approx(TEACHER),
    }  # fmt: skip
    pair = cell(pairs, teacher="lime", first="no positions", second="positions", **where)
    assert pair["difference"] == approx(1 / 3)
    pair = cell(pairs, teacher="lime", first="positions", second="teacher", **where)
    assert pair["difference"] == approx((0 + 0.5 - 1) / 3)


def test_first_embeddings(teach_five, fits, cell):
    rows, pairs = initial_rows(teach_five(), "lime", [2, 5, 6])
    made = [(student.initial, n, seed) for student, n, seed in fits]
    # There are no six documents.
    assert made == [("black_box", 2, 5), ("random", 2, 5), ("black_box", 5, 5), ("random", 5, 5)]
    where = {"measure": "positive log-odds", "texts": 5}
    assert cell(rows, initial="black_box", **where)["mean"] == approx(8 / 3)
    pair = cell(pairs, first="black_box", second="random", **where)
    assert pair["difference"] == approx(-1 / 3)


def test_one_student_of_several_teachers(teach_five, monkeypatch, write, cell):
    asked = []

    def fitted_several(student, taught, setting, seed):
        asked.append(
            (student.formulation, {name: len(some) for name, some in taught.items()}, seed)
        )

        def as_teacher(name):
            return SimpleNamespace(explain=lambda texts, box: write(texts, said[name], "l2e"))

        return SimpleNamespace(as_teacher=as_teacher)

    # As the second teacher it speaks against the class: "rain" -0.5, nothing, nothing.
    against = ([0, 0, 0, 2], [0, 0, 0, 0], [-1, -1], [0, 0, 0, 0], [0, 0, 0])
    said = {"occlusion": FIRST, "lime": against}
    monkeypatch.setattr(variants, "fitted_several", fitted_several)
    weights = [one.weights[one.predicted] for one in teach_five().teachers["lime"]]
    labeller = [one.weights[one.predicted] for one in teach_five().runs["lime", "labelling"][0]]
    explained = teach_five(
        teachers=dict.fromkeys(("occlusion", "lime", "gradient"), weights),
        labellers={name: [labeller] for name in ("occlusion", "lime")},
    )
    rows, pairs = several_rows(explained)
    # The third teacher has no student of its own to compare with.
    assert asked == [("labelling", {"lime": 5}, 5)]
    found = {
        (row["teacher"], row["student"]): row["mean"]
        for row in rows
        if row["measure"] == "positive log-odds"
    }
    assert found == {
        ("occlusion", "several"): approx(8 / 3), ("occlusion", "single"): approx(STUDENT),
        ("lime", "several"): approx(-0.5 / 3), ("lime", "single"): approx(STUDENT),
    }  # fmt: skip
    pair = cell(pairs, teacher="lime", first="several", measure="positive log-odds")
    assert (pair["second"], pair["difference"]) == ("single", approx(-0.5 / 3 - STUDENT))
    assert np.isfinite(pair["low"])
