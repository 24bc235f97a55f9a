"""Figures 1, 3, 6 and 7, and what the paper leaves open: the matrix itself, and its variants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from xai_lib.experiments.lipex.removal import KS, removal_rates
from xai_lib.experiments.lipex.sample import Sample
from xai_lib.experiments.rows import Row, interval
from xai_lib.explainers.lipex import Lipex
from xai_lib.metrics import reprediction_match, top_k_jaccard, tv_at_input

# Edges of the bins of Figure 3, and the bounds whose shares stand in its table.
TV_BINS = np.linspace(0.0, 1.0, 21)
TV_BOUNDS = (0.05, 0.1)


def matrix_rows(explanations: Sequence[Any], classes: int = 6, k: int = 5) -> list[Row]:
    """List the k strongest words of the most probable classes of some texts, with weights."""
    return [
        {"text": number, "class": one.classes[c], "feature": one.features[f],
         "weight": one.weights[c, f]}
        for number, one in enumerate(explanations, start=1)
        for c in np.argsort(-one.probabilities, kind="stable")[:classes]
        for f in one.ranking(int(c))[:k]
    ]  # fmt: skip


def distance_rows(values: np.ndarray, key: str, method: str, seed: int) -> list[Row]:
    """Summarise total variations: the mean, and the shares of texts within two bounds."""
    found = [("mean", values)]
    found += [(f"share_at_most_{bound}", values <= bound) for bound in TV_BOUNDS]
    return [
        {"setting": key, "method": method, "statistic": name, **interval(data, seed)}
        for name, data in found
    ]


def histogram_rows(values: np.ndarray, key: str, method: str, seed: int) -> list[Row]:
    """Give the share of total variations, (n,), in each bin of Figure 3, by its lower end."""
    place: Row = {"setting": key, "method": method, "statistic": "bin"}
    # The last bin holds 1, too.
    found = np.minimum(np.digitize(values, TV_BINS), len(TV_BINS) - 1) - 1
    return [
        {**place, "from": float(start), **interval(found == i, seed)}
        for i, start in enumerate(TV_BINS[:-1])
    ]


def class_overlap(explanations: Sequence[Any], k: int = 5) -> np.ndarray:
    """Jaccard index of the top k features of the two most probable classes, (n,)."""
    values = []
    for one in explanations:
        first, second = np.argsort(-one.probabilities, kind="stable")[:2]
        nonzero = int((one.weights != 0).any(axis=0).sum())
        depth = min(k, nonzero)
        values.append(
            top_k_jaccard(one.ranking(int(first)), one.ranking(int(second)), depth)
            if depth
            else 1.0
        )
    return np.array(values)


VARIANTS: dict[str, dict[str, Any]] = {
    "default (LIME's kernel)": {},
    "pi = 1 - cos, as printed": {"pi": "one_minus_cosine"},
    "pi = cos": {"pi": "cosine"},
    "pi = 1": {"pi": "one"},
    "with a bias": {"bias": True},
    "Algorithm 1 as printed": {"selection": "as_printed"},
    "all words": {"selection": "none"},
    "Adam, as in Table 6": {"solver": "adam"},
}
SIGNED = "positive weights only"


def variant_rows(sample: Sample, lipex: Lipex, n: int) -> list[Row]:
    """Measure LIPEx as the paper may have meant it, variant by variant, on the same texts."""
    found = {name: sample.explain(replace(lipex, **some), n) for name, some in VARIANTS.items()}
    changed = removal_rates(sample, found)
    positive = {SIGNED: found[next(iter(VARIANTS))]}
    changed |= removal_rates(sample, positive, by="signed")
    measured: list[tuple[str, str, np.ndarray]] = []
    for name, values in changed.items():
        measured += [(name, f"changed at K = {k}", values[:, k - 1]) for k in (1, 5)]
    for name, some in found.items():
        match = reprediction_match(some, sample.instances[:n], sample.setting.classifier, KS)
        measured.append((name, "class foreseen at K = 5", match[:, 4]))
        measured.append((name, "total variation at the text", tv_at_input(some)))
    key, seed = sample.setting.key, sample.seed
    return [
        {"setting": key, "variant": name, "measure": what, **interval(values, seed)}
        for name, what, values in measured
    ]
