"""A few measures of one list of explanations, for comparisons of variants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xai_lib.experiments.l2e.asked import ask, labelled, mean_defined, most_positive
from xai_lib.experiments.l2e.explained import Explained, Run
from xai_lib.experiments.l2e.stability import overlap

MEASURES = ("iou", "merged iou", "positive log-odds", "agreement")
MAIN = ("iou", "positive log-odds")


def quality(explained: Explained, runs: Sequence[Run]) -> dict[str, np.ndarray]:
    """Measure stability and faithfulness of labelled words.

    Parameters
    ----------
    explained
        Gives the documents.
    runs
        Explanations of the pool, one list for each student; the values are means over them.

    Returns
    -------
    dict of str to (n,) array
        ``iou`` (Equation 1, times 100, the first kind of neighbour), ``merged iou`` (high and
        low labels as one), ``positive log-odds`` (lost without the positive words),
        ``agreement`` (in percent, of the high positive words alone; NaN where that are no or all
        words).
    """
    n = explained.sample.n
    kind = next(iter(explained.sample.near))
    everywhere = np.ones(n, dtype=bool)
    parts: dict[str, list[np.ndarray]] = {measure: [] for measure in MEASURES}
    for run in runs:
        parts["iou"].append(overlap(explained, run, kind))
        parts["merged iou"].append(overlap(explained, run, kind, merged=True))
        removed = ask(explained, {"": labelled(run, n, "positive")}, keep=False)[""]
        parts["positive log-odds"].append(removed.delta_log_odds(everywhere))
        kept = ask(explained, {"": most_positive(run, n)}, keep=True)[""]
        parts["agreement"].append(100 * kept.agreement())
    return {measure: mean_defined(some) for measure, some in parts.items()}


def main_measures(explained: Explained, runs: Sequence[Run]) -> dict[str, np.ndarray]:
    """Return the measures that the smaller comparisons show."""
    found = quality(explained, runs)
    return {measure: found[measure] for measure in MAIN}
