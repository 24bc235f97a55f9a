"""What every teacher and every student says of the documents of a setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from xai_lib.experiments.l2e.sample import Sample
from xai_lib.experiments.l2e.students import FORMULATIONS, fitted, make_student
from xai_lib.experiments.l2e.teachers import NAMES, make_teacher, stored_corpus
from xai_lib.experiments.study import progress
from xai_lib.explainers.l2e import L2E
from xai_lib.explainers.l2e import labels as student_labels
from xai_lib.explainers.l2e_targets import labels_of_weights
from xai_lib.explanation import Explanation

Run = list[Explanation]


@dataclass(frozen=True, eq=False)
class Explained:
    """Explanations of the pool of a sample.

    Attributes
    ----------
    sample
        The documents.
    taught
        Teacher to its explanations of the training documents.
    teachers
        Teacher to its explanations of the pool.
    students
        (teacher, formulation) to the fitted students, one for each seed.
    runs
        (teacher, formulation) to the students' explanations of the pool, one list for each.
    missing
        (teacher, formulation) to the reason why there is no student.
    """

    sample: Sample
    taught: dict[str, Run]
    teachers: dict[str, Run]
    students: dict[tuple[str, str], list[L2E]] = field(default_factory=dict)
    runs: dict[tuple[str, str], list[Run]] = field(default_factory=dict)
    missing: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The teachers, in the order of the paper."""
        return list(self.teachers)

    @cached_property
    def predicted(self) -> np.ndarray:
        """(pool,) predicted classes."""
        return np.array([one.predicted for one in next(iter(self.teachers.values()))])

    def add_students(self, teacher: str, formulation: str, students: Sequence[L2E]) -> None:
        """Have students explain the pool."""
        box, texts = self.sample.setting.classifier, list(self.sample.pool.texts)
        self.students[teacher, formulation] = list(students)
        self.runs[teacher, formulation] = [one.explain(texts, box) for one in students]


def teach(sample: Sample, teacher: str, n: int | None = None) -> Run:
    """Return a teacher's explanations of the first n training documents; default all."""
    explainer = make_teacher(teacher, sample.setting.profile, sample.references)
    return stored_corpus(explainer, sample.train.texts[:n], sample.setting, sample.seed)


def taught_by(sample: Sample, teachers: Sequence[str]) -> Explained:
    """Have the teachers explain training documents and pool, without any students."""
    setting = sample.setting
    made = {name: make_teacher(name, setting.profile, sample.references) for name in teachers}
    pool = {
        name: stored_corpus(one, sample.pool.texts, setting, sample.seed)
        for name, one in made.items()
    }
    return Explained(sample, {name: teach(sample, name) for name in teachers}, pool)


def explain_all(sample: Sample, teachers: Sequence[str] = NAMES) -> Explained:
    """Have the teachers explain training documents and pool, fit students, and ask them.

    Parameters
    ----------
    sample
        Its profile gives ``seeds``, those of the students.
    teachers
        Their names.

    Returns
    -------
    Explained
        A student that cannot be fitted is in `missing`, with the reason.
    """
    setting = sample.setting
    found = taught_by(sample, teachers)
    report = progress(f"{setting.key}, students")
    cells = [(name, formulation) for name in teachers for formulation in FORMULATIONS]
    for i, (name, formulation) in enumerate(cells, 1):
        student = make_student(setting, formulation)
        try:
            students = [
                fitted(student, found.taught[name], setting, seed)
                for seed in setting.profile["seeds"]
            ]
        except ValueError as error:
            found.missing[name, formulation] = str(error)
        else:
            found.add_students(name, formulation, students)
        report(i, len(cells))
    return found


def predicted_weights(one: Explanation) -> np.ndarray:
    """Return the (W,) weights of the predicted class."""
    weights: np.ndarray = one.weights[one.predicted]
    return weights


def labels(one: Explanation) -> np.ndarray:
    """Return the (W,) labels of the words, from -2 to 2.

    A student's weights round to its labels; a teacher's are cut into labels.
    """
    if one.method == L2E.name:
        return student_labels(one)
    return labels_of_weights(predicted_weights(one))
