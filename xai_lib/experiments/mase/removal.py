"""Delta Accuracy: what the black box loses when the words that a method ranks first are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from xai_lib.experiments.mase.answers import Run
from xai_lib.experiments.mase.sample import Sample
from xai_lib.experiments.rows import Row, compare_rows, estimate_row
from xai_lib.experiments.study import progress
from xai_lib.metrics import delta_accuracy, remove_top

ABSOLUTE = "mase (absolute)"
KS = tuple(range(1, 11))
POOLED = "1-10"
REMOVALS = ("drop", "mask")
LABELS = ("gold", "predicted")
_CHUNK = 100

Ranked = Mapping[str, Sequence[np.ndarray]]


def rankings(explained: Mapping[str, Run]) -> dict[str, list[np.ndarray]]:
    """Order the words of each text by signed weight for the predicted class.

    Parameters
    ----------
    explained
        For each method n explanations.

    Returns
    -------
    dict of str to list of (F,) int array
        Behind ``"mase"`` also ``"mase (absolute)"``, the same weights by their size.
    """
    found: dict[str, list[np.ndarray]] = {}
    for method, run in explained.items():
        found[method] = [one.ranking(by="signed") for one in run]
        if method == "mase":
            found[ABSOLUTE] = [one.ranking(by="abs") for one in run]
    return found


def delta_values(
    sample: Sample, ranked: Ranked, removal: str = "drop", ks: Sequence[int] = KS
) -> dict[str, dict[str, np.ndarray]]:
    """Remove each method's top k words and compare the answers with labels.

    Parameters
    ----------
    sample
        n texts.
    ranked
        For each method their rankings.
    removal
        How a word is taken out, see `Classifier.predict_masked`.
    ks
        Numbers of words removed.

    Returns
    -------
    dict of str to dict of str to (n, len(ks)) array
        By labels (``"gold"``, or ``"predicted"`` on the whole text), then by method; see
        `xai_lib.metrics.DeltaAccuracy.values`.
    """
    parts: dict[str, dict[str, list[np.ndarray]]] = {
        labels: {method: [] for method in ranked} for labels in LABELS
    }
    instances, gold = sample.instances, sample.labels
    report = progress(f"{sample.setting.key}, removal ({removal})")
    for start in range(0, len(instances), _CHUNK):
        part = slice(start, min(start + _CHUNK, len(instances)))
        some = {method: ranking[part] for method, ranking in ranked.items()}
        removed = remove_top(instances[part], some, sample.setting.classifier, ks, removal)
        for method, found in removed.items():
            parts["gold"][method].append(delta_accuracy(found, gold[part]).values)
            parts["predicted"][method].append(delta_accuracy(found).values)
        report(part.stop, len(instances))
    return {
        labels: {method: np.concatenate(values) for method, values in table.items()}
        for labels, table in parts.items()
    }


def delta_rows(sample: Sample, explained: Mapping[str, Run]) -> tuple[list[Row], list[Row]]:
    """Measure Delta Accuracy of each method, and compare MASE with the others.

    Parameters
    ----------
    sample
        n texts.
    explained
        For each method, ``"mase"`` among them, their explanations; see `explain_sample`.

    Returns
    -------
    rows, comparisons : list of dict
        For each removal, labels, method and k, paired by text. ``k`` is ``"1-10"``, the mean over
        1 to 10 words of each text; for deleted words and gold labels also each number alone.
        ``"mase"`` is compared with all others; ``"mase (absolute)"``, at ``"1-10"`` only, with all
        but ``"mase"``, as that pair is there already.
    """
    key, seed = sample.setting.key, sample.seed
    ranked = rankings(explained)
    others = [method for method in ranked if method not in ("mase", ABSOLUTE)]
    single = [("mase", other) for other in (ABSOLUTE, *others)]
    pooled = [*single, *((ABSOLUTE, other) for other in others)]
    rows: list[Row] = []
    comparisons: list[Row] = []
    for removal in REMOVALS:
        for labels, table in delta_values(sample, ranked, removal).items():
            columns: dict[int | str, dict[str, np.ndarray]] = {}
            if (removal, labels) == ("drop", "gold"):
                for j, k in enumerate(KS):
                    columns[k] = {method: values[:, j] for method, values in table.items()}
            columns[POOLED] = {method: values.mean(axis=1) for method, values in table.items()}
            for label, found in columns.items():
                place: Row = {"setting": key, "removal": removal, "labels": labels}
                rows += [
                    estimate_row({**place, "method": method, "k": label}, values, seed)
                    for method, values in found.items()
                ]
                pairs = pooled if label == POOLED else single
                comparisons += compare_rows({**place, "k": label}, found, pairs, seed)
    return rows, comparisons
