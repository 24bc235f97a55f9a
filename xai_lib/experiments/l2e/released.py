"""What the released code does otherwise than the paper says, one difference at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xai_lib.experiments.l2e.asked import ask, labelled
from xai_lib.experiments.l2e.explained import Explained, Run, labels, predicted_weights
from xai_lib.experiments.l2e.quality import quality
from xai_lib.experiments.l2e.stability import overlap, overlap_of_marks
from xai_lib.experiments.l2e.teachers import make_teacher, stored_corpus
from xai_lib.experiments.rows import Row, compare_rows, defined_row
from xai_lib.explanation import Explanation
from xai_lib.metrics.selection import matched_labels, positive

SHOWN = ("agreement", "positive log-odds", "iou")
DEFAULT = "default"
NO_NEGATIVE = "no negative weights"
# Teacher to a variant and the settings that make it, of all classes where another is explained.
CHANGED: dict[str, dict[str, dict[str, str]]] = {
    "occlusion": {"probability": {"answers": "probability"}},
    "gradient": {"gold label": {"target": "all"}, "opposite sign": {}},
    "lrp": {NO_NEGATIVE: {"aggregation": "l1"}},
    "lime": {"probability": {"answers": "probability"}},
    "kernel_shap": {"probability": {"answers": "probability"}},
    "deep_shap": {"first class": {"target": "all"}},
}


def switch_rows(explained: Explained) -> tuple[list[Row], list[Row]]:
    """Compare each teacher with what the released code makes of it, and of its measures.

    Returns
    -------
    rows, comparisons : list of dict
        For each teacher, variant and measure that the variant changes.
    """
    sample = explained.sample
    rows: list[Row] = []
    pairs: list[Row] = []
    for name, variants in CHANGED.items():
        if name not in explained.teachers:
            continue
        own = explained.teachers[name]
        tables = {DEFAULT: quality(explained, [own])}
        runs = {variant: _variant(explained, name, variant) for variant in variants}
        tables |= {variant: quality(explained, [run]) for variant, run in runs.items()}
        tables |= _measured_otherwise(explained, name)
        if NO_NEGATIVE in runs:
            most = [positive(labels(one), not_all=True) for one in runs[NO_NEGATIVE]]
            removed = ask(explained, {"": most[: sample.n]}, keep=False)[""]
            lost = removed.delta_log_odds(np.ones(sample.n, dtype=bool))
            tables[f"{NO_NEGATIVE}, not every word"] = {"positive log-odds": lost}
        place: Row = {"setting": sample.setting.key, "teacher": name}
        for measure in SHOWN:
            where: Row = {**place, "measure": measure}
            values = {key: table[measure] for key, table in tables.items() if measure in table}
            rows += [
                defined_row({**where, "variant": key}, some, sample.seed)
                for key, some in values.items()
            ]
            others = [(DEFAULT, key) for key in values if key != DEFAULT]
            pairs += compare_rows(where, values, others, sample.seed)
    return rows, pairs


def _measured_otherwise(explained: Explained, name: str) -> dict[str, dict[str, np.ndarray]]:
    """Measure a teacher as the released code does, by other log-odds and other labels."""
    sample, run = explained.sample, explained.teachers[name]
    kind = next(iter(sample.near))
    chosen = labelled(run, sample.n, "positive")
    removed = ask(explained, {"": chosen}, keep=False)[""]
    everywhere = np.ones(sample.n, dtype=bool)
    found = {
        "sure is even": {"positive log-odds": removed.delta_log_odds(everywhere, True)},
        "high and low as one": {"iou": overlap(explained, run, kind, merged=True)},
    }
    students = explained.runs.get((name, "labelling"), [])
    if students:
        marks = [
            matched_labels(labels(student), predicted_weights(one))
            for student, one in zip(students[0], run, strict=True)
        ]
        matched = overlap_of_marks(explained, run, marks, kind, merged=True)
        found["as one, as many as the student's"] = {"iou": matched}
    return found


def _variant(explained: Explained, name: str, variant: str) -> Run:
    sample = explained.sample
    if variant == "opposite sign":
        return [replace(one, weights=-one.weights) for one in explained.teachers[name]]
    changed = CHANGED[name][variant]
    explainer = make_teacher(name, sample.setting.profile, sample.references, changed)
    run = stored_corpus(explainer, sample.pool.texts, sample.setting, sample.seed)
    if variant == "gold label":
        return [_of_class(one, int(k)) for one, k in zip(run, sample.pool.labels, strict=True)]
    if variant == "first class":
        return [_of_class(one, 0) for one in run]
    return run


def _of_class(one: Explanation, label: int) -> Explanation:
    """Give the weights of a class out as those of the predicted one."""
    weights = np.full(one.weights.shape, np.nan)
    weights[one.predicted] = one.weights[label]
    return replace(one, weights=weights)
