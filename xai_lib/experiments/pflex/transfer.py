"""The head on texts of another kind than those it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xai_lib.experiments.pflex.agreement import mean_over_runs
from xai_lib.experiments.pflex.runs import Run, explain_runs
from xai_lib.experiments.rows import Row, defined_row
from xai_lib.explainers.pflex import PFLex
from xai_lib.report.cells import difference_of

if TYPE_CHECKING:
    from xai_lib.experiments.pflex.sample import Sample

OWN, OTHER = "own texts", "other texts"


def transfer_rows(
    sample: Sample, heads: Sequence[PFLex], other: Run
) -> tuple[list[Row], list[Row]]:
    """Compare a head's agreement with LIME on its own test texts and on texts of another kind.

    A head belongs to its black box, so the black box is the same; the texts are not.

    Parameters
    ----------
    sample
        The head's own test texts, with LIME's explanations.
    heads
        Fitted, one for each seed; each text's values are averaged over them.
    other
        LIME's explanations of the other texts by the same black box, see
        `xai_lib.experiments.pflex.runs.lime_on`.

    Returns
    -------
    rows, comparisons : list of dict
        For each measure of agreement the means on ``"own texts"`` and ``"other texts"``, and
        their difference, own minus other, with the interval of independent means.
    """
    box, seed = sample.setting.classifier, sample.seed
    found = {}
    for name, lime in ((OWN, sample.test.lime), (OTHER, other)):
        runs = explain_runs(heads, [one.text for one in lime], box, seed)
        found[name] = mean_over_runs(runs, lime)
    rows: list[Row] = []
    pairs: list[Row] = []
    for measure in found[OWN]:
        place: Row = {"setting": sample.setting.key, "measure": measure}
        both = {
            name: defined_row({**place, "texts": name}, table[measure], seed)
            for name, table in found.items()
        }
        rows += both.values()
        if all(row["n"] for row in both.values()):
            gap = difference_of(both[OWN], both[OTHER])
            pairs.append({**place, "first": OWN, "second": OTHER, **gap})
    return rows, pairs
