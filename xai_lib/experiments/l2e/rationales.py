"""Explanations against words that people marked: Tables 4 and 5, Figure 7."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from xai_lib.experiments.l2e.asked import mean_defined
from xai_lib.experiments.l2e.explained import Explained, Run, labels, predicted_weights
from xai_lib.experiments.l2e.sample import NEAREST, marked_words
from xai_lib.experiments.l2e.stability import PERCENT, overlap
from xai_lib.experiments.rows import Row, compare_rows, defined_row
from xai_lib.metrics.neighbour_overlap import neighbour_ious, words_by_label
from xai_lib.metrics.rationales import content_words, rationale_score
from xai_lib.metrics.selection import rationale_selections

TEACHER, STUDENT, HUMAN = "teacher", "l2e", "human"
FEWER = "l2e of some documents"
MEASURES = ("precision", "recall", "f1")
FILTERS = ("none", "annotated", "stop words")
LABELLING = "labelling"


def rationale_rows(
    explained: Explained,
    released: bool = False,
    fewer: Mapping[str, Sequence[Run]] | None = None,
) -> tuple[list[Row], list[Row]]:
    """Compare the high positive words with the marked ones: Table 4.

    Parameters
    ----------
    explained
        Of the setting whose documents are marked.
    released
        See `xai_lib.metrics.selection.rationale_selections`.
    fewer
        For each teacher explanations of the pool by students of fewer documents, to be compared
        with its students; default none.

    Returns
    -------
    rows, comparisons : list of dict
        In percent, over the documents of a class that the black box predicts right. Stop words do
        not count. A teacher gives as many words as its student (of all documents).
    """
    sample = explained.sample
    rows: list[Row] = []
    pairs: list[Row] = []
    right = sample.documents.labels == explained.predicted[: sample.n]
    for label, of_class in enumerate(_classes(explained)):
        mine = right & (sample.documents.labels == label)
        for name in explained.names:
            scores = _scores(explained, name, explained.runs.get((name, LABELLING), []), released)
            if fewer is not None:
                some = _scores(explained, name, fewer[name], released)
                scores[FEWER] = some[STUDENT]
            tables = {
                key: {m: some[:, j][mine] for j, m in enumerate(MEASURES)}
                for key, some in scores.items()
            }
            place: Row = {"setting": sample.setting.key, "class": of_class, "teacher": name}
            for measure in MEASURES:
                where: Row = {**place, "measure": measure}
                values = {key: table[measure] for key, table in tables.items()}
                rows += [
                    defined_row(
                        {**where, "explanation": key},
                        values.get(key, np.array([np.nan])),
                        sample.seed,
                    )
                    for key in (TEACHER, STUDENT, *([] if fewer is None else [FEWER]))
                ]
                against = [(STUDENT, TEACHER), (STUDENT, FEWER)]
                pairs += compare_rows(where, values, against, sample.seed)
            for key, table in tables.items():
                against = [("recall", "precision")]
                where = {**place, "explanation": key}
                pairs += compare_rows(where, table, against, sample.seed)
    return rows, pairs


def _classes(explained: Explained) -> Sequence[str]:
    """Return the classes of the documents; a neutral one has none."""
    return [name for name in explained.sample.setting.classifier.classes if name != "neutral"]


def _scores(
    explained: Explained, name: str, runs: Sequence[Run], released: bool
) -> dict[str, np.ndarray]:
    """Return (n, 3) percentages of a teacher and of its students, {} without students."""
    marked = marked_words(explained.sample.documents)
    found: dict[str, list[np.ndarray]] = {TEACHER: [], STUDENT: []}
    for run in runs:
        parts: dict[str, list[list[float]]] = {TEACHER: [], STUDENT: []}
        for i, human in enumerate(marked):
            own, other = run[i], explained.teachers[name][i]
            keep = content_words(own.words)
            chosen = rationale_selections(labels(own), predicted_weights(other), keep, released)
            for key, selected in zip((STUDENT, TEACHER), chosen, strict=True):
                score = rationale_score(selected, human[: len(keep)], keep)
                parts[key].append([score.precision, score.recall, score.f1])
        for key, some in parts.items():
            found[key].append(np.array(some) * PERCENT)
    return {key: np.mean(some, axis=0) for key, some in found.items() if some}


def marked_overlap_rows(explained: Explained) -> tuple[list[Row], list[Row]]:
    """Compare the overlap of neighbours' explanations with that of people's: Table 5.

    Returns
    -------
    rows, comparisons : list of dict
        Times 100, for all words, the marked ones, and all but stop words; by Equation 1 and
        divided by the number of neighbours once more, as the released code does.
    """
    sample = explained.sample
    rows: list[Row] = []
    pairs: list[Row] = []
    for which, keep in filters(explained).items():
        place: Row = {"setting": sample.setting.key, "filter": which}
        for divided in (False, True):
            where: Row = {**place, "divided": divided}
            human = {**where, "teacher": HUMAN, "explanation": HUMAN}
            rows.append(defined_row(human, human_overlap(explained, keep, divided), sample.seed))
            for name in explained.names:
                values = {
                    TEACHER: overlap(
                        explained, explained.teachers[name], "lexical", divided=divided, keep=keep
                    )
                }
                runs = explained.runs.get((name, LABELLING), [])
                if runs:
                    values[STUDENT] = mean_defined(
                        [
                            overlap(explained, run, "lexical", divided=divided, keep=keep)
                            for run in runs
                        ]
                    )
                cell: Row = {**where, "teacher": name}
                rows += [
                    defined_row(
                        {**cell, "explanation": key},
                        values.get(key, np.array([np.nan])),
                        sample.seed,
                    )
                    for key in (TEACHER, STUDENT)
                ]
                if not divided:
                    pairs += compare_rows(cell, values, [(STUDENT, TEACHER)], sample.seed)
    return rows, pairs


def human_overlap(
    explained: Explained,
    keep: Sequence[np.ndarray] | None = None,
    divided: bool = False,
    neighbours: int = NEAREST,
) -> np.ndarray:
    """Compute Equation 1 for the marked words, (n,), times 100."""
    sample = explained.sample
    run = next(iter(explained.teachers.values()))
    words = [
        words_by_label(one.words, marked[: len(one.words)], None if keep is None else keep[i])
        for i, (one, marked) in enumerate(zip(run, marked_words(sample.pool), strict=True))
    ]
    near = sample.near["lexical"][:, :neighbours]
    return neighbour_ious(words, near, np.arange(sample.n), divided=divided) * PERCENT


def division_rows(explained: Explained) -> list[Row]:
    """Show what dividing by the number of neighbours again does to people's own overlap."""
    sample = explained.sample
    rows: list[Row] = []
    for neighbours in range(1, NEAREST + 1):
        for divided in (False, True):
            place: Row = {
                "setting": sample.setting.key, "neighbours": neighbours, "divided": divided,
            }  # fmt: skip
            values = human_overlap(explained, None, divided, neighbours)
            rows.append(defined_row(place, values, sample.seed))
    return rows


def filters(explained: Explained) -> Mapping[str, list[np.ndarray] | None]:
    """Return which words of each text of the pool count: all, marked ones, no stop words."""
    run = next(iter(explained.teachers.values()))
    marked = marked_words(explained.sample.pool)
    annotated = [some[: len(one.words)] for some, one in zip(marked, run, strict=True)]
    content = [content_words(one.words) for one in run]
    return dict(zip(FILTERS, (None, annotated, content), strict=True))
