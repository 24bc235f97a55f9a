"""Students of all training documents, by teachers who can explain that many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xai_lib.experiments.l2e.asked import ask, labelled, mean_defined
from xai_lib.experiments.l2e.explained import Explained, Run, taught_by
from xai_lib.experiments.l2e.quality import quality
from xai_lib.experiments.l2e.rationales import filters, rationale_rows
from xai_lib.experiments.l2e.sample import ALL_MOVIES, MARKED, Sample
from xai_lib.experiments.l2e.stability import overlap
from xai_lib.experiments.l2e.variants import LABELLING, fit_variant, runs_of
from xai_lib.experiments.rows import Row, compare_rows, defined_row, runs_row
from xai_lib.experiments.study import progress
from xai_lib.explainers.l2e import L2E

# The settings of the comparisons that have labelling students alone: all documents of the main
# settings' data for teachers who can explain that many, and of AG News some for those who cannot.
ADDED = ("news_all", "news_some", "sst2_all", ALL_MOVIES)
SOME, ALL, TEACHER = "some documents", "all documents", "teacher"
POSITIVE, NEGATIVE = "positive log-odds", "negative log-odds"


def explain_whole(sample: Sample) -> Explained:
    """Have teachers explain the training documents of a sample, and fit labelling students.

    Parameters
    ----------
    sample
        Its profile gives ``teachers``, their names, and ``all_epochs``, the most epochs of the
        students.

    Returns
    -------
    Explained
        Without students that rank.
    """
    profile = sample.setting.profile
    found = taught_by(sample, profile["teachers"])
    report = progress(f"{sample.setting.key}, students of all documents")
    for i, name in enumerate(found.names, 1):
        students = fit_variant(found, found.taught[name], epochs=int(profile["all_epochs"]))
        found.add_students(name, LABELLING, students)
        report(i, len(found.names))
    return found


def more_document_rows(explained: Explained) -> tuple[list[Row], list[Row]]:
    """Compare students of all documents with students of some, and both with their teacher.

    Parameters
    ----------
    explained
        By `explain_whole`. Its profile gives ``some_texts``, the number of documents of the fewer
        lessons; without it there is nothing to compare.

    Returns
    -------
    rows, comparisons : list of dict
        For each teacher: overlap with the neighbours, agreement, log-odds lost without the
        positive and without the negative words; of reviews also the overlap of the marked words,
        and of all but stop words. ``documents`` is the number of documents that a
        student learnt from, those that choose the epoch included; ``kept epoch`` the one whose
        weights are used.
    """
    sample = explained.sample
    few = sample.setting.profile.get("some_texts")
    rows: list[Row] = []
    pairs: list[Row] = []
    if few is None:
        return rows, pairs
    for name in explained.names:
        taught = explained.taught[name]
        own = {
            SOME: _of_some(explained, name),
            ALL: explained.students[name, LABELLING],
        }
        runs = {
            SOME: runs_of(explained, own[SOME]),
            ALL: explained.runs[name, LABELLING],
            TEACHER: [explained.teachers[name]],
        }
        texts = {SOME: min(few, len(taught)), ALL: len(taught), TEACHER: None}
        tables = {key: _measured(explained, some) for key, some in runs.items()}
        place: Row = {"setting": sample.setting.key, "teacher": name}
        for measure in tables[ALL]:
            where: Row = {**place, "measure": measure}
            values = {key: table[measure] for key, table in tables.items()}
            rows += [
                defined_row({**where, "student": key, "documents": texts[key]}, some, sample.seed)
                for key, some in values.items()
            ]
            against = [(ALL, SOME), (ALL, TEACHER), (SOME, TEACHER)]
            pairs += compare_rows(where, values, against, sample.seed)
        rows += [
            runs_row(
                {**place, "measure": "kept epoch", "student": key, "documents": texts[key]},
                np.array([one.facts["best_epoch"] for one in some]),
            )
            for key, some in own.items()
        ]
    return rows, pairs


def more_rationale_rows(explained: Explained) -> tuple[list[Row], list[Row]]:
    """Compare students of all reviews with their teachers and with students of some: Table 4.

    Parameters
    ----------
    explained
        By `explain_whole`, of a setting whose documents are marked; see `more_document_rows`.

    Returns
    -------
    rows, comparisons : list of dict
        See `xai_lib.experiments.l2e.rationales.rationale_rows`.
    """
    fewer = {name: runs_of(explained, _of_some(explained, name)) for name in explained.names}
    return rationale_rows(explained, fewer=fewer)


def _of_some(explained: Explained, name: str) -> list[L2E]:
    """Return a teacher's students of ``some_texts`` documents."""
    few = int(explained.sample.setting.profile["some_texts"])
    return fit_variant(explained, explained.taught[name][:few])


def _measured(explained: Explained, runs: Sequence[Run]) -> dict[str, np.ndarray]:
    """Return (n,) values of each measure, means over the runs."""
    n = explained.sample.n
    found = quality(explained, runs)
    lost = []
    for run in runs:
        removed = ask(explained, {"": labelled(run, n, "negative")}, keep=False)[""]
        lost.append(removed.delta_log_odds(np.ones(n, dtype=bool)))
    kept = {measure: found[measure] for measure in ("iou", "agreement", POSITIVE)}
    if explained.sample.setting.key in MARKED:
        for which, words in filters(explained).items():
            if words is not None:
                some = [overlap(explained, run, "lexical", keep=words) for run in runs]
                kept[f"iou, {which}"] = mean_defined(some)
    return {**kept, NEGATIVE: mean_defined(lost)}
