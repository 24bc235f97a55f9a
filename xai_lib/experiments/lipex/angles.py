"""Figure 5 and Table 7: top features from near perturbations only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import binom

from xai_lib.experiments.lipex.sample import Sample
from xai_lib.experiments.rows import Row, interval
from xai_lib.explainers.lime import fit_lime
from xai_lib.explainers.lipex import fit_lipex, select_features
from xai_lib.masks import Neighbourhood
from xai_lib.metrics import compare_pairs, top_k_jaccard
from xai_lib.report.lipex_figures import angle


def angle_rows(
    sample: Sample, deltas: Sequence[str], k: int = 5
) -> tuple[list[Row], list[Row], list[Row]]:
    """Find the top features again from perturbations within an angle of the text.

    The features are those that LIPEx selects from all perturbations, for both methods and all
    angles (Algorithm 2). A text with no perturbation within an angle but itself is left out
    there; n says how many remain.

    Parameters
    ----------
    sample
        The texts, all with the full budget.
    deltas
        Angles such as ``"pi/16"``; the last is the widest.
    k
        Number of top features.

    Returns
    -------
    rows, comparisons, counts : list of dict
        For Figure 5, and for Table 7.
    """
    names = ("lime", "lipex", "lipex_vs_lime", "overlap")
    values = {name: np.full((len(sample.instances), len(deltas)), np.nan) for name in names}
    counts = np.zeros((len(sample.instances), len(deltas)))
    for i, near in enumerate(sample.near):
        columns = select_features(near, 5)
        whole = _two_rankings(near, columns)
        for j, delta in enumerate(deltas):
            inside = near.within(angle(delta))
            counts[i, j] = inside.counts.sum()
            if len(inside.masks) < 2:
                continue
            lime, lipex = _two_rankings(inside, columns)
            values["lime"][i, j] = top_k_jaccard(lime, whole[0], k)
            values["lipex"][i, j] = top_k_jaccard(lipex, whole[1], k)
            values["lipex_vs_lime"][i, j] = top_k_jaccard(lipex, whole[0], k)
            values["overlap"][i, j] = len(set(lipex[:k]) & set(whole[0][:k])) / len(lipex[:k])
    rows: list[Row] = []
    pairs: list[Row] = []
    inside_rows: list[Row] = []
    for j, delta in enumerate(deltas):
        place = {"setting": sample.setting.key, "delta": delta}
        of = {"modality": sample.setting.modality, **place}
        seen = np.isfinite(values["lipex"][:, j])
        inside_rows.append({**of, **interval(counts[:, j], sample.seed)})
        if not seen.any():
            nothing = {"mean": None, "low": None, "high": None, "n": 0}
            rows += [{**place, "series": name, **nothing} for name in names]
            continue
        for name in names:
            estimate = interval(values[name][seen, j], sample.seed)
            rows.append({**place, "series": name, **estimate})
        columns_of = {name: values[name][seen, j] for name in ("lipex", "lime")}
        frame = compare_pairs(columns_of, "lipex", seed=sample.seed)
        pairs += [{**place, **dict(pair)} for _, pair in frame.iterrows()]
    return rows, pairs, inside_rows


def _two_rankings(near: Neighbourhood, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rank the given features for the predicted class by LIME and by LIPEx."""
    lime = fit_lime(near, columns=columns)
    lipex = fit_lipex(near, columns=columns)
    predicted = int(np.argmax(near.probabilities[0]))
    ranked = [
        columns[np.argsort(-np.abs(part.weights[predicted, columns]), kind="stable")]
        for part in (lime, lipex)
    ]
    return ranked[0], ranked[1]


def expected_within(n_features: int, n_samples: int, delta: float, modality: str = "text") -> float:
    """Count the perturbations that LIME's sampler is expected to draw within an angle.

    For a text 1 + (n - 1) #{s : sqrt((F - s) / F) >= cos delta} / F, the text itself being the
    first. For an image each segment stays with probability 1/2, so that the share of #{s} has
    the weights of a binomial distribution.
    """
    kept = np.arange(n_features + 1) / n_features
    inside = np.arccos(np.sqrt(kept)) <= delta + 1e-12
    if modality == "image":
        chance = binom.pmf(np.arange(n_features + 1), n_features, 0.5)
        return 1 + (n_samples - 1) * float(chance[inside].sum())
    return 1 + (n_samples - 1) * float(inside[:-1].sum()) / n_features
