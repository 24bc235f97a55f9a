"""Students of all training documents, where the teachers are cheap enough to explain them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from xai_lib.experiments.l2e.asked import ask, labelled, mean_defined
from xai_lib.experiments.l2e.explained import Explained, Run, taught_by
from xai_lib.experiments.l2e.quality import quality
from xai_lib.experiments.l2e.rationales import MEASURES, STUDENT, rationale_scores
from xai_lib.experiments.l2e.sample import MARKED, Sample
from xai_lib.experiments.l2e.teachers import NAMES, SAMPLING
from xai_lib.experiments.l2e.variants import fit_variant, runs_of
from xai_lib.experiments.rows import Row, compare_rows, defined_row, runs_row
from xai_lib.experiments.study import progress

# The settings whose every training document is explained.
WHOLE = ("news_all", "movies_all")
CHEAP = tuple(name for name in NAMES if name not in SAMPLING)
SOME, ALL, TEACHER = "some documents", "all documents", "teacher"
POSITIVE, NEGATIVE = "positive log-odds", "negative log-odds"
Table = dict[str, np.ndarray]


def more_document_rows(sample: Sample) -> tuple[list[Row], list[Row]]:
    """Compare students of all documents with students of some, and both with their teacher.

    Parameters
    ----------
    sample
        Its profile gives ``some_texts``, the number of documents of the fewer lessons, and
        ``all_epochs``, the most epochs of the students of all documents.

    Returns
    -------
    rows, comparisons : list of dict
        For each teacher that asks the black box a few times only, labelling: overlap with the
        neighbours, agreement, log-odds lost without the positive and without the negative words;
        where words are marked also precision, recall and F1 of the documents that the black box
        predicts right, the teacher with as many words as the student of all documents.
        ``documents`` is the number of documents that a student learnt from, those that choose the
        epoch included; ``kept epoch`` the one whose weights are used.
    """
    setting, explained = sample.setting, taught_by(sample, CHEAP)
    few, epochs = int(setting.profile["some_texts"]), int(setting.profile["all_epochs"])
    rows: list[Row] = []
    pairs: list[Row] = []
    report = progress(f"{setting.key}, students of all documents")
    for i, name in enumerate(explained.names, 1):
        taught = explained.taught[name]
        students = {
            SOME: fit_variant(explained, taught[:few]),
            ALL: fit_variant(explained, taught, epochs=epochs),
        }
        runs = {key: runs_of(explained, some) for key, some in students.items()}
        runs[TEACHER] = [explained.teachers[name]]
        texts = {SOME: min(few, len(taught)), ALL: len(taught), TEACHER: None}
        tables = {key: _measured(explained, some) for key, some in runs.items()}
        place: Row = {"setting": setting.key, "teacher": name}
        for measure in tables[ALL]:
            where: Row = {**place, "measure": measure}
            values = {key: table[measure] for key, table in tables.items()}
            rows += [
                defined_row({**where, "student": key, "documents": texts[key]}, some, sample.seed)
                for key, some in values.items()
            ]
            against = [(ALL, SOME), (ALL, TEACHER), (SOME, TEACHER)]
            pairs += compare_rows(where, values, against, sample.seed)
        if setting.key in MARKED:
            found = _marked_rows(explained, name, runs, texts)
            rows += found[0]
            pairs += found[1]
        rows += [
            runs_row(
                {**place, "measure": "kept epoch", "student": key, "documents": texts[key]},
                np.array([one.facts["best_epoch"] for one in some]),
            )
            for key, some in students.items()
        ]
        report(i, len(explained.names))
    return rows, pairs


def _measured(explained: Explained, runs: Sequence[Run]) -> Table:
    """Return (n,) values of each measure, means over the runs."""
    everywhere = np.ones(explained.sample.n, dtype=bool)
    found = quality(explained, runs)
    lost = [
        ask(explained, {"": labelled(run, explained.sample.n, "negative")}, keep=False)[
            ""
        ].delta_log_odds(everywhere)
        for run in runs
    ]
    kept = {measure: found[measure] for measure in ("iou", "agreement", POSITIVE)}
    return {**kept, NEGATIVE: mean_defined(lost)}


def _marked_rows(
    explained: Explained,
    name: str,
    runs: Mapping[str, Sequence[Run]],
    texts: Mapping[str, int | None],
) -> tuple[list[Row], list[Row]]:
    sample = explained.sample
    right = sample.documents.labels == explained.predicted[: sample.n]
    scores = {key: rationale_scores(explained, name, runs[key]) for key in (SOME, ALL)}
    of = {key: scores[key][STUDENT] for key in (SOME, ALL)} | {TEACHER: scores[ALL]["teacher"]}
    rows: list[Row] = []
    pairs: list[Row] = []
    for j, measure in enumerate(MEASURES):
        where: Row = {"setting": sample.setting.key, "teacher": name, "measure": measure}
        values = {key: some[right, j] for key, some in of.items()}
        rows += [
            defined_row({**where, "student": key, "documents": texts[key]}, some, sample.seed)
            for key, some in values.items()
        ]
        pairs += compare_rows(where, values, [(ALL, SOME), (ALL, TEACHER)], sample.seed)
    return rows, pairs
