"""Figure 6: what the black box says when the words that an explanation ranks first are removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from xai_lib.experiments.pflex.runs import Runs, against, over_runs, shortest
from xai_lib.experiments.rows import Row, compare_rows, estimate_row
from xai_lib.experiments.study import progress
from xai_lib.metrics import remove_top

if TYPE_CHECKING:
    from xai_lib.experiments.pflex.sample import Sample

KS = tuple(range(11))
MEASURES = ("accuracy", "retention")
_CHUNK = 100

Values = dict[str, dict[str, np.ndarray]]


def stress_values(sample: Sample, runs: Runs, ks: Sequence[int] = KS) -> Values:
    """Remove each method's top k words, and see what the black box says then.

    A text is ranked once, by signed weight for the predicted class; deleting a word type deletes
    all its occurrences, and a text with fewer words loses all of them.

    Parameters
    ----------
    sample
        The first test texts, as many as the shortest run explains.
    runs
        For each method its runs (one, or one for each seed of the training), each a list of
        explanations of the test texts.
    ks
        Numbers of words removed.

    Returns
    -------
    dict of str to dict of str to (n, len(ks)) array
        By measure, then by method. ``accuracy``: whether the gold class is predicted.
        ``retention``: whether the class predicted on the whole text still is. Booleans for a
        single run, else the share of the runs.

    Raises
    ------
    ValueError
        If a method has no runs.
    """
    n = shortest(runs)
    rankings = {
        f"{method}/{number}": [one.ranking(by="signed") for one in run[:n]]
        for method, some in runs.items()
        for number, run in enumerate(some)
    }
    measured: dict[str, dict[str, list[np.ndarray]]] = {
        measure: {name: [] for name in rankings} for measure in MEASURES
    }
    report = progress(f"{sample.setting.key}, stress test")
    for start in range(0, n, _CHUNK):
        part = slice(start, min(start + _CHUNK, n))
        removed = remove_top(
            sample.test.instances[part],
            {name: ranked[part] for name, ranked in rankings.items()},
            sample.setting.classifier,
            ks,
        )
        labels = np.asarray(sample.test.labels)[part, None]
        for name, found in removed.items():
            right = np.argmax(found.probabilities, axis=2) == labels
            measured["accuracy"][name].append(right)
            measured["retention"][name].append(~found.changed)
        report(part.stop, n)
    return {
        measure: {
            method: over_runs([np.concatenate(parts[f"{method}/{i}"]) for i in range(len(some))])
            for method, some in runs.items()
        }
        for measure, parts in measured.items()
    }


def stress_rows(
    sample: Sample, values: Values, ks: Sequence[int] = KS, reference: str = "pflex"
) -> tuple[list[Row], list[Row]]:
    """Summarise `stress_values`, and compare one method with all others on the same texts.

    Parameters
    ----------
    sample
        Gives setting and seed.
    values
        What `stress_values` returned for `ks`.
    ks
        Numbers of words removed.
    reference
        The method compared with the others.

    Returns
    -------
    rows, comparisons : list of dict
        A row for each measure, method and k. Comparisons for each k above 0, and for each
        text's mean over them under the label of their range, such as ``"1-10"``, with p-values
        to correct for the whole table.
    """
    key, seed = sample.setting.key, sample.seed
    removed = [j for j, k in enumerate(ks) if k > 0]
    rows: list[Row] = []
    pairs: list[Row] = []
    for measure, found in values.items():
        where: Row = {"setting": key, "measure": measure}
        for method, table in found.items():
            rows += [
                estimate_row({**where, "method": method, "k": k}, table[:, j], seed)
                for j, k in enumerate(ks)
            ]
        compared = against(reference, list(found))
        for j in removed:
            at = {method: table[:, j] for method, table in found.items()}
            pairs += compare_rows({**where, "k": ks[j]}, at, compared, seed)
        if len(removed) > 1:
            pooled = {method: table[:, removed].mean(axis=1) for method, table in found.items()}
            pairs += compare_rows({**where, "k": pooled_label(ks)}, pooled, compared, seed)
    return rows, pairs


def pooled_label(ks: Sequence[int] = KS) -> str:
    """Name the mean over all k above 0: ``"1-10"``."""
    above = [k for k in ks if k > 0]
    return f"{min(above)}-{max(above)}"
