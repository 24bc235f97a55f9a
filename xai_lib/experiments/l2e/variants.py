"""What a student is worth: positions, optimiser, size, first embeddings, several teachers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xai_lib.experiments.l2e.explained import Explained, Run, teach
from xai_lib.experiments.l2e.quality import main_measures, quality
from xai_lib.experiments.l2e.students import FORMULATIONS, fitted, fitted_several, make_student
from xai_lib.experiments.l2e.teachers import RANDOM, make_teacher, stored_corpus
from xai_lib.experiments.rows import Row, compare_rows, compared_rows, defined_row, runs_row
from xai_lib.experiments.study import progress
from xai_lib.explainers.l2e import L2E

LABELLING = "labelling"
WITHOUT, WITH, TEACHER = "no positions", "positions", "teacher"


def runs_of(explained: Explained, students: Sequence[L2E]) -> list[Run]:
    """Have students explain the pool."""
    box = explained.sample.setting.classifier
    return [one.explain(list(explained.sample.pool.texts), box) for one in students]


def fit_variant(explained: Explained, taught: Run, **changed: Any) -> list[L2E]:
    """Fit labelling students with changed settings, one for each of ``variant_seeds``."""
    setting = explained.sample.setting
    student = make_student(setting, LABELLING, **changed)
    return [fitted(student, taught, setting, seed) for seed in setting.profile["variant_seeds"]]


def _first_runs(explained: Explained, name: str) -> list[Run]:
    """Return the labelling students of a teacher, as many as a variant has."""
    n = len(explained.sample.setting.profile["variant_seeds"])
    return explained.runs[name, LABELLING][:n]


def position_rows(explained: Explained, teachers: Sequence[str]) -> tuple[list[Row], list[Row]]:
    """Compare students that know the order of the words with students that do not.

    Parameters
    ----------
    explained
        Has the students without positions.
    teachers
        Names; ``"random"`` is a teacher whose weights mean nothing.

    Returns
    -------
    rows, comparisons : list of dict
        For each teacher and measure of `quality`: both students and the teacher itself.
    """
    sample = explained.sample
    rows: list[Row] = []
    pairs: list[Row] = []
    report = progress(f"{sample.setting.key}, positions")
    for i, name in enumerate(teachers, 1):
        if name == RANDOM:
            taught = teach(sample, RANDOM)
            own = stored_corpus(
                make_teacher(RANDOM, sample.setting.profile),
                sample.pool.texts,
                sample.setting,
                sample.seed,
            )
            plain = runs_of(explained, fit_variant(explained, taught))
        elif (name, LABELLING) in explained.runs:
            taught, own = explained.taught[name], explained.teachers[name]
            plain = _first_runs(explained, name)
        else:
            continue
        ordered = runs_of(explained, fit_variant(explained, taught, positions=True))
        tables = {
            WITHOUT: quality(explained, plain),
            WITH: quality(explained, ordered),
            TEACHER: quality(explained, [own]),
        }
        place: Row = {"setting": sample.setting.key, "teacher": name}
        for measure in tables[WITHOUT]:
            where: Row = {**place, "measure": measure}
            values = {student: table[measure] for student, table in tables.items()}
            rows += [
                defined_row({**where, "student": student}, some, sample.seed)
                for student, some in values.items()
            ]
            against = [(WITHOUT, WITH), (WITHOUT, TEACHER), (WITH, TEACHER)]
            pairs += compare_rows(where, values, against, sample.seed)
        report(i, len(teachers))
    return rows, pairs


def optimiser_rows(explained: Explained, teacher: str, sgd_rate: float = 1e-4) -> list[Row]:
    """Train by SGD as printed and by Adam, all epochs, and record the losses.

    Parameters
    ----------
    explained
        Its profile gives ``optimiser_epochs``, and ``sizes``, whose largest number of documents
        is learnt from.
    teacher
        Whose explanations are learnt.
    sgd_rate
        The paper's.

    Returns
    -------
    list of dict
        Losses of each epoch, and the validation loss of the epoch that was kept.
    """
    setting = explained.sample.setting
    taught = explained.taught[teacher][: max(setting.profile["sizes"])]
    epochs = setting.profile["optimiser_epochs"]
    kinds: dict[str, dict[str, Any]] = {
        "sgd": {"optimizer": "sgd", "learning_rate": sgd_rate},
        "adam": {"optimizer": "adam"},
    }
    rows: list[Row] = []
    for formulation in FORMULATIONS:
        for optimizer, changed in kinds.items():
            student = make_student(setting, formulation, epochs=epochs, patience=epochs, **changed)
            facts = fitted(student, taught, setting, 0).facts
            place: Row = {
                "setting": setting.key, "formulation": formulation, "optimizer": optimizer,
            }  # fmt: skip
            for part, losses in (
                ("training", facts["history"]), ("validation", facts["validation"]),
            ):  # fmt: skip
                rows += [
                    runs_row({**place, "epoch": epoch, "part": part}, np.array([loss]))
                    for epoch, loss in enumerate(losses, 1)
                ]
            kept = np.array([min(facts["validation"])])
            rows.append(runs_row({**place, "epoch": None, "part": "kept"}, kept))
    return rows


def size_rows(explained: Explained, teacher: str) -> list[Row]:
    """Measure students of fewer documents, and wider ones.

    Parameters
    ----------
    explained
        Its profile gives ``sizes``, and ``widths`` with the learning rate of each. Wider students
        learn from the largest size but all.
    teacher
        Whose explanations are learnt.

    Returns
    -------
    list of dict
        ``iou`` and ``positive log-odds`` over documents, and the students' validation loss.
    """
    setting, taught = explained.sample.setting, explained.taught[teacher]
    own = setting.profile["student"]["width"], setting.profile["student"]["learning_rate"]
    cells = [(own, n) for n in (*setting.profile["sizes"], len(taught)) if n <= len(taught)]
    most = min(max(setting.profile["sizes"]), len(taught))
    cells += [(wide, most) for wide in setting.profile["widths"].items()]
    rows: list[Row] = []
    report = progress(f"{setting.key}, sizes")
    for i, ((width, rate), n) in enumerate(cells, 1):
        students = fit_variant(explained, taught[:n], width=width, learning_rate=rate)
        place: Row = {"setting": setting.key, "teacher": teacher, "width": width, "texts": n}
        table = quality(explained, runs_of(explained, students))
        for measure in ("iou", "positive log-odds"):
            where = {**place, "measure": measure}
            rows.append(defined_row(where, table[measure], explained.sample.seed))
        losses = np.array([min(one.facts["validation"]) for one in students])
        rows.append(runs_row({**place, "measure": "validation loss"}, losses))
        report(i, len(cells))
    return rows


def initial_rows(
    explained: Explained, teacher: str, sizes: Sequence[int]
) -> tuple[list[Row], list[Row]]:
    """Compare students that start from the black box's word embeddings with others.

    Parameters
    ----------
    explained
        Teachers and documents.
    teacher
        Whose explanations are learnt.
    sizes
        Numbers of training documents.
    """
    rows: list[Row] = []
    pairs: list[Row] = []
    taught = explained.taught[teacher]
    for n in sizes:
        if n > len(taught):
            continue
        tables = {
            initial: main_measures(
                explained, runs_of(explained, fit_variant(explained, taught[:n], initial=initial))
            )
            for initial in ("black_box", "random")
        }
        place: Row = {"setting": explained.sample.setting.key, "teacher": teacher, "texts": n}
        found = compared_rows(place, "initial", tables, "black_box", explained.sample.seed)
        rows += found[0]
        pairs += found[1]
    return rows, pairs


def several_rows(explained: Explained) -> tuple[list[Row], list[Row]]:
    """Compare one student of all teachers with the student of each."""
    setting = explained.sample.setting
    student = make_student(setting, LABELLING)
    students = [
        fitted_several(student, explained.taught, setting, seed)
        for seed in setting.profile["variant_seeds"]
    ]
    rows: list[Row] = []
    pairs: list[Row] = []
    for name in explained.names:
        if (name, LABELLING) not in explained.runs:
            continue
        shared = [one.as_teacher(name) for one in students]
        tables = {
            "several": main_measures(explained, runs_of(explained, shared)),
            "single": main_measures(explained, _first_runs(explained, name)),
        }
        place: Row = {"setting": setting.key, "teacher": name}
        found = compared_rows(place, "student", tables, "several", explained.sample.seed)
        rows += found[0]
        pairs += found[1]
    return rows, pairs
