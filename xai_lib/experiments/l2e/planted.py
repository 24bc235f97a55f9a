"""Students of texts where the right explanation is known."""

from __future__ import annotations

import numpy as np

from xai_lib.experiments.l2e.students import FORMULATIONS, fitted, make_student
from xai_lib.experiments.l2e.teachers import make_teacher, stored_corpus
from xai_lib.experiments.rows import Row, estimate_row
from xai_lib.experiments.study import Setting
from xai_lib.explainers.base import Explainer

PLANTED = "planted"
TEACHERS = ("occlusion", "random")


def planted_rows(setting: Setting, seed: int = 0) -> list[Row]:
    """Count how often a planted word comes first, for teachers and for their students.

    Parameters
    ----------
    setting
        Its data say which words were planted; the profile gives ``train_texts`` and
        ``test_texts``.
    seed
        Of the explanations and of the interval.

    Returns
    -------
    list of dict
        Share of the texts whose first word is one that decides their class; ``formulation``
        ``"teacher"`` is the teacher itself.
    """
    box, numbers = setting.classifier, setting.profile
    train = setting.train.take(range(numbers["train_texts"]))
    test = setting.test.take(range(numbers["test_texts"]))
    rows: list[Row] = []
    for name in TEACHERS:
        teacher = make_teacher(name, numbers)
        taught = stored_corpus(teacher, train.texts, setting, seed)
        explainers: dict[str, Explainer] = {"teacher": teacher}
        for formulation in FORMULATIONS:
            student = make_student(setting, formulation)
            explainers[formulation] = fitted(student, taught, setting, seed)
        for formulation, explainer in explainers.items():
            found = explainer.explain(test.texts, box, seed)
            first = np.array(
                [
                    int(one.ranking(by="signed")[0]) in places
                    for one, places in zip(found, test.extra["planted"], strict=True)
                ]
            )
            place: Row = {"setting": setting.key, "teacher": name, "formulation": formulation}
            rows.append(estimate_row(place, first, seed))
    return rows
