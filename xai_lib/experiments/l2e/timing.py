"""Seconds of an explanation: Figures 3 to 6."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xai_lib.experiments.l2e.explained import Explained
from xai_lib.experiments.l2e.students import FORMULATIONS
from xai_lib.experiments.l2e.teachers import SAMPLING, make_teacher
from xai_lib.experiments.rows import Row, compare_rows, estimate_row
from xai_lib.experiments.study import Setting
from xai_lib.experiments.turns import SECONDS, Explains, in_turns
from xai_lib.explainers.l2e import L2E
from xai_lib.metrics import mean_with_interval
from xai_lib.models.base import Classifier

STUDENT = "l2e"
# The student that is timed with the teachers.
TIMED = ("lime", "labelling")


@dataclass(frozen=True)
class StudentAlone:
    """A student without the black box, called like an explainer; the text is cut into words."""

    student: L2E
    predicted: Mapping[str, int]

    def explain(self, texts: Sequence[str], classifier: Classifier, seed: int = 0) -> object:
        """Score the words of texts whose predicted classes are known."""
        instances = [classifier.instance(text) for text in texts]
        return self.student.scores(instances, [self.predicted[text] for text in texts])


def time_all(explained: Explained) -> dict[str, np.ndarray]:
    """Time teachers and students one document at a time, in turns.

    Parameters
    ----------
    explained
        Its profile gives ``timed_texts``, and ``timed_slow`` for the sampling teachers.

    Returns
    -------
    dict of str to (n,) array
        Seconds of each teacher, of ``"l2e"``, whose black box predicts first, of the students
        alone by ``"formulation, teacher"``. NaN for documents that were not timed.
    """
    sample = explained.sample
    setting, numbers = sample.setting, sample.setting.profile
    texts = list(sample.documents.texts[: numbers["timed_texts"]])
    predicted = dict(zip(sample.pool.texts, explained.predicted.tolist(), strict=True))
    quick: dict[str, Explains] = {}
    slow: dict[str, Explains] = {}
    for name in explained.names:
        explainer = make_teacher(name, numbers, sample.references)
        (slow if name in SAMPLING else quick)[name] = explainer
    if TIMED in explained.students:
        quick[STUDENT] = explained.students[TIMED][0]
    for (name, formulation), students in explained.students.items():
        quick[f"{formulation}, {name}"] = StudentAlone(students[0], predicted)
    box, key = setting.classifier, setting.key
    found = in_turns(quick, texts, box, sample.seed, key)[SECONDS]
    some = texts[: numbers["timed_slow"]]
    timed = in_turns(slow, some, box, sample.seed, f"{key}, sampling")[SECONDS]
    empty = np.full(len(texts) - len(some), np.nan)
    return found | {name: np.concatenate([values, empty]) for name, values in timed.items()}


def timing_rows(
    setting: Setting, seconds: Mapping[str, np.ndarray], seed: int
) -> tuple[list[Row], list[Row]]:
    """Compare the student's seconds with each teacher's.

    Returns
    -------
    rows, comparisons : list of dict
        Mean seconds of one document by ``method``; the student minus each teacher, on the
        documents that both explained.
    """
    place: Row = {"setting": setting.key}
    shown = {name: some for name, some in seconds.items() if ", " not in name}
    rows = [
        estimate_row({**place, "method": name}, some[~np.isnan(some)], seed)
        for name, some in shown.items()
    ]
    pairs = [(STUDENT, name) for name in shown if name != STUDENT]
    return rows, compare_rows(place, shown, pairs, seed)


def speed_rows(setting: Setting, seconds: Mapping[str, np.ndarray], seed: int) -> list[Row]:
    """Divide each teacher's seconds by the student's, document by document.

    Returns
    -------
    list of dict
        ``teacher`` is a teacher, ``"fastest"`` or ``"slowest"``; geometric mean of the ratios.
    """
    rows: list[Row] = []
    if STUDENT not in seconds:
        return rows
    for name, some in seconds.items():
        if name != STUDENT and ", " not in name:
            place: Row = {"setting": setting.key, "teacher": name}
            rows.append(_ratio_row(place, some, seconds[STUDENT], seed))
    if rows:
        ordered = sorted(rows, key=lambda row: float(row["mean"]))
        rows += [{**ordered[0], "teacher": "fastest"}, {**ordered[-1], "teacher": "slowest"}]
    return rows


def student_time_rows(setting: Setting, seconds: Mapping[str, np.ndarray], seed: int) -> list[Row]:
    """Compare the students with one another: by formulation and by teacher."""
    rows: list[Row] = []
    key = setting.key
    for formulation in FORMULATIONS:
        alone = {
            name.removeprefix(f"{formulation}, "): some
            for name, some in seconds.items()
            if name.startswith(f"{formulation}, ")
        }
        for teacher, some in alone.items():
            place: Row = {"setting": key, "formulation": formulation, "teacher": teacher}
            rows.append(estimate_row({**place, "measure": "seconds"}, some, seed))
            other = seconds.get(f"labelling, {teacher}")
            if formulation == "ranking" and other is not None:
                what = {**place, "measure": "over that of labelling"}
                rows.append(_ratio_row(what, some, other, seed))
            if teacher != "occlusion" and "occlusion" in alone:
                what = {**place, "measure": "over that taught by occlusion"}
                rows.append(_ratio_row(what, some, alone["occlusion"], seed))
    return rows


def _ratio_row(place: Row, first: np.ndarray, second: np.ndarray, seed: int) -> Row:
    """Write the geometric mean of ratios over the documents that both have."""
    both = ~(np.isnan(first) | np.isnan(second))
    found = mean_with_interval(np.log(first[both] / second[both]), seed=seed)
    values = np.exp([found.mean, found.low, found.high])
    return {**place, **dict(zip(("mean", "low", "high"), values.tolist(), strict=True))} | {
        "n": found.n
    }
