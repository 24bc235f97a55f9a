"""Tables 1 to 4, and equal budgets: what happens when the top features are removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xai_lib.experiments.lipex.sample import Sample
from xai_lib.experiments.rows import Row, interval
from xai_lib.explainers import make_explainer
from xai_lib.metrics import compare_pairs, remove_top, reprediction_match, sd_over_rounds

KS = (1, 2, 3, 4, 5)
POOLED = "1-5"
# Explained from its own passes through the network; ranked without sign and without class, as in
# the code the paper took them from.
GRADIENTS: dict[str, dict[str, Any]] = {
    "guided_backprop": {"aggregation": "l1", "target": "predicted"},
    "saliency": {"aggregation": "l1", "target": "predicted"},
    "input_x_gradient": {"aggregation": "l1", "target": "predicted"},
    "deeplift": {"aggregation": "l1", "target": "predicted"},
    "occlusion": {"removal": "pad"},
    "random": {},
}


def removal_rates(
    sample: Sample, explanations: Mapping[str, Sequence[Any]], by: str = "abs"
) -> dict[str, np.ndarray]:
    """Remove each method's top K words and see whether the predicted class changes.

    Parameters
    ----------
    sample
        The texts.
    explanations
        For each method the explanations of the first n texts.
    by
        ``"abs"`` ranks by absolute weight, as the paper does; ``"signed"`` by weight.

    Returns
    -------
    dict of str to (n, 5) bool array
    """
    n = min(len(some) for some in explanations.values())
    rankings = {
        method: [one.ranking(by=by) for one in some[:n]] for method, some in explanations.items()
    }
    removed = remove_top(
        sample.instances[:n], rankings, sample.setting.classifier, KS, sample.removal
    )
    return {method: found.changed for method, found in removed.items()}


def removal_table(
    sample: Sample,
    explanations: Mapping[str, Sequence[Any]],
    reference: str,
    n_samples: int | Mapping[str, int] | None = None,
    pooled: bool = False,
    pool: Sequence[int] = KS,
) -> tuple[list[Row], list[Row]]:
    """Share of predictions that change when the top K words go, and paired comparisons.

    Parameters
    ----------
    sample, explanations
        See `removal_rates`.
    reference
        Method that is compared with all others.
    n_samples
        Number of perturbations, written into the rows: one for all, or one for each method.
    pooled
        Add a row for the mean over several K of each text.
    pool
        Which K that mean is over; also that of the comparisons.

    Returns
    -------
    rows, comparisons : list of dict
        A row for each method and K with 95 % interval, n and the spread over rounds; a
        comparison for each K and for the mean over several K of each text.
    """
    several, columns_of_pool = f"{pool[0]}-{pool[-1]}", [KS.index(k) for k in pool]
    changed = removal_rates(sample, explanations)
    key, seed = sample.setting.key, sample.seed
    rows: list[Row] = []
    for method, values in changed.items():
        size = n_samples.get(method) if isinstance(n_samples, Mapping) else n_samples
        place: Row = {"setting": key, "method": method}
        place |= {} if size is None else {"n_samples": size}
        columns: dict[int | str, np.ndarray] = dict(zip(KS, values.T, strict=True))
        if pooled:
            columns |= {several: values[:, columns_of_pool].mean(axis=1)}
        for k, column in columns.items():
            spread = sd_over_rounds(column, sample.rounds[: len(column)])[1]
            rows.append({**place, "k": k, **interval(column, seed), "sd": spread})
    pairs: list[Row] = []
    shared: Row = {"setting": key}
    shared |= {"n_samples": n_samples} if isinstance(n_samples, int) else {}
    sizes: tuple[int | str, ...] = (*KS, several)
    for k in sizes:
        column_of = {
            method: values[:, columns_of_pool if isinstance(k, str) else [KS.index(k)]].mean(axis=1)
            for method, values in changed.items()
        }
        frame = compare_pairs(column_of, reference, seed=seed)
        pairs += [{**shared, "k": k, **dict(pair)} for _, pair in frame.iterrows()]
    return rows, pairs


def baselines(sample: Sample, n: int) -> dict[str, list[Any]]:
    """Explain the first n texts by the gradient methods, occlusion and at random."""
    texts = [one.text for one in sample.instances[:n]]
    return {
        method: make_explainer(method, group="type", **settings).explain(
            texts, sample.setting.classifier, sample.seed
        )
        for method, settings in GRADIENTS.items()
    }


def matching_rows(sample: Sample, explanations: Sequence[Any]) -> list[Row]:
    """Share of texts where LIPEx names the model's class after the top K words are gone."""
    n = len(explanations)
    black_box = sample.setting.classifier
    match = reprediction_match(explanations, sample.instances[:n], black_box, KS, sample.removal)
    return [
        {"setting": sample.setting.key, "k": k, **interval(match[:, j], sample.seed),
         "sd": sd_over_rounds(match[:, j], sample.rounds[:n])[1]}
        for j, k in enumerate(KS)
    ]  # fmt: skip
