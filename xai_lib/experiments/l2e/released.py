"""What the released code does otherwise than the paper says, one difference at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xai_lib.experiments.l2e.explained import Explained, Run
from xai_lib.experiments.l2e.quality import MEASURES, quality
from xai_lib.experiments.l2e.teachers import make_teacher, stored_corpus
from xai_lib.experiments.rows import Row, compared_rows
from xai_lib.explanation import Explanation

SHOWN = ("agreement", "positive log-odds", "iou")
DEFAULT = "default"
# Teacher to a variant and the settings that make it, of all classes where another is explained.
CHANGED: dict[str, dict[str, dict[str, str]]] = {
    "occlusion": {"probability": {"answers": "probability"}},
    "gradient": {"gold label": {"target": "all"}, "opposite sign": {}},
    "lrp": {"no negative weights": {"aggregation": "l1"}},
    "lime": {"probability": {"answers": "probability"}},
    "kernel_shap": {"probability": {"answers": "probability"}},
    "deep_shap": {"first class": {"target": "all"}},
}


def switch_rows(explained: Explained) -> tuple[list[Row], list[Row]]:
    """Compare each teacher with what the released code makes of it.

    Returns
    -------
    rows, comparisons : list of dict
        For each teacher, variant and measure.
    """
    sample = explained.sample
    rows: list[Row] = []
    pairs: list[Row] = []
    for name, variants in CHANGED.items():
        if name not in explained.teachers:
            continue
        runs = {DEFAULT: explained.teachers[name]}
        runs |= {variant: _variant(explained, name, variant) for variant in variants}
        tables = {}
        for variant, run in runs.items():
            found = quality(explained, [run])
            tables[variant] = {measure: found[measure] for measure in MEASURES if measure in SHOWN}
        place: Row = {"setting": sample.setting.key, "teacher": name}
        found_rows = compared_rows(place, "variant", tables, DEFAULT, sample.seed)
        rows += found_rows[0]
        pairs += found_rows[1]
    return rows, pairs


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
