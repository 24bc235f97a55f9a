"""Overlap of explanations of neighbours: Tables 3 and 7."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from xai_lib.experiments.l2e.asked import mean_defined, ranked
from xai_lib.experiments.l2e.explained import Explained, Run, labels
from xai_lib.experiments.l2e.students import FORMULATIONS
from xai_lib.experiments.l2e.teachers import RANDOM, make_teacher, stored_corpus
from xai_lib.experiments.rows import Row, compare_rows, defined_row
from xai_lib.metrics.neighbour_overlap import neighbour_ious, words_by_label

PERCENT = 100.0
TEACHER, STUDENT = "teacher", "l2e"
_NOTHING = np.array([np.nan])
Keep = Callable[[int], np.ndarray]


def overlap(
    explained: Explained,
    run: Run,
    kind: str,
    formulation: str = "labelling",
    merged: bool = False,
    divided: bool = False,
    keep: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """Compute Equation 1 for the documents of a sample.

    Parameters
    ----------
    explained
        Gives documents and neighbours.
    run
        Explanations of the pool.
    kind
        Neighbours, ``"semantic"`` or ``"lexical"``.
    formulation
        Compared are the words of each label, or the top 30 % as one label.
    merged, divided
        See `xai_lib.metrics.neighbour_overlap.neighbour_iou`.
    keep
        For each text of the pool which of its words count; default all.

    Returns
    -------
    (n,) float64 array
        Times 100.
    """
    marks = ranked(run, len(run)) if formulation == "ranking" else [labels(one) for one in run]
    return overlap_of_marks(explained, run, marks, kind, merged, divided, keep)


def overlap_of_marks(
    explained: Explained,
    run: Run,
    marks: Sequence[np.ndarray],
    kind: str,
    merged: bool = False,
    divided: bool = False,
    keep: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """Do the same with given labels, or choices, of the words of each text of the pool."""
    words = [
        words_by_label(one.words, mark, None if keep is None else keep[i])
        for i, (one, mark) in enumerate(zip(run, marks, strict=True))
    ]
    rows = np.arange(explained.sample.n)
    near = explained.sample.near[kind]
    return neighbour_ious(words, near, rows, merged, divided) * PERCENT


def random_run(explained: Explained) -> Run:
    """Return explanations of the pool by random weights."""
    sample = explained.sample
    explainer = make_teacher(RANDOM, sample.setting.profile)
    return stored_corpus(explainer, sample.pool.texts, sample.setting, sample.seed)


def overlap_rows(explained: Explained, kind: str) -> tuple[list[Row], list[Row]]:
    """Compare students and teachers in the overlap of neighbours' explanations.

    Parameters
    ----------
    explained
        Teachers and students.
    kind
        ``"semantic"``, Table 3, or ``"lexical"``, Table 7.

    Returns
    -------
    rows, comparisons : list of dict
        Times 100, with random weights as a control. In Table 3 LIME is compared with the other
        teachers too.
    """
    sample = explained.sample
    rows: list[Row] = []
    pairs: list[Row] = []
    chance = random_run(explained)
    for formulation in FORMULATIONS:
        place: Row = {"setting": sample.setting.key, "formulation": formulation}
        values: dict[str, dict[str, np.ndarray]] = {TEACHER: {}, STUDENT: {}}
        for name in explained.names:
            own = explained.teachers[name]
            values[TEACHER][name] = overlap(explained, own, kind, formulation)
            runs = explained.runs.get((name, formulation), [])
            if runs:
                found = [overlap(explained, run, kind, formulation) for run in runs]
                values[STUDENT][name] = mean_defined(found)
        for name in explained.names:
            where: Row = {**place, "teacher": name}
            both = {key: some[name] for key, some in values.items() if name in some}
            rows += [
                defined_row({**where, "explanation": key}, both.get(key, _NOTHING), sample.seed)
                for key in (TEACHER, STUDENT)
            ]
            pairs += compare_rows(where, both, [(STUDENT, TEACHER)], sample.seed)
        where = {**place, "teacher": RANDOM, "explanation": RANDOM}
        control = overlap(explained, chance, kind, formulation)
        rows.append(defined_row(where, control, sample.seed))
        if kind == "semantic":
            for key, some in values.items():
                others = [("lime", name) for name in some if name != "lime"]
                pairs += compare_rows({**place, "explanation": key}, some, others, sample.seed)
    return rows, pairs
