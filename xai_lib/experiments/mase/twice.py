"""Texts explained twice, with two seeds: how far both agree, and what they are worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from xai_lib.experiments.mase.answers import Run
from xai_lib.experiments.mase.removal import delta_values
from xai_lib.experiments.mase.sample import Sample
from xai_lib.metrics import rank_correlation

# Added to the seed of a round for the second explanation.
SHIFT = 1000
CORRELATION = "rank correlation of two seeds"
TOP = "top-1 in common"
DELTA = "Delta Accuracy"


class Twice(NamedTuple):
    """Explanations of the same texts with two seeds.

    Attributes
    ----------
    first, second
        n explanations each.
    by
        How words are ranked, ``"signed"`` or ``"abs"``; see `Explanation.ranking`.
    """

    first: Run
    second: Run
    by: str = "signed"


def agreement(runs: Twice) -> dict[str, np.ndarray]:
    """Compare both explanations of each text.

    Returns
    -------
    dict of str to (n,) array
        Spearman's correlation of the weights for the class predicted first (absolute ones if so
        ranked), NaN where it is not defined; whether both rank the same word first.
    """
    correlations, common = [], []
    for one, other in zip(runs.first, runs.second, strict=True):
        weights = [found.weights[one.predicted] for found in (one, other)]
        if runs.by == "abs":
            weights = [np.abs(row) for row in weights]
        correlations.append(rank_correlation(*weights))
        tops = [found.ranking(one.predicted, runs.by)[0] for found in (one, other)]
        common.append(tops[0] == tops[1])
    return {CORRELATION: np.array(correlations), TOP: np.array(common, dtype=bool)}


def twice_values(sample: Sample, runs: Mapping[str, Twice]) -> dict[str, dict[str, np.ndarray]]:
    """Measure the agreement of two seeds, and Delta Accuracy, for several methods.

    Parameters
    ----------
    sample
        n texts.
    runs
        For each method both explanations of them.

    Returns
    -------
    dict of str to dict of str to (n,) array
        By method, then by measure; see `agreement`. Delta Accuracy is the mean over 1 to 10
        deleted words, with gold labels, and over both seeds.
    """
    ranked = {
        f"{method}/{i}": [one.ranking(by=both.by) for one in run]
        for method, both in runs.items()
        for i, run in enumerate((both.first, both.second))
    }
    lost = delta_values(sample, ranked)["gold"]
    return {
        method: {
            **agreement(both),
            DELTA: np.mean([lost[f"{method}/{i}"].mean(axis=1) for i in (0, 1)], axis=0),
        }
        for method, both in runs.items()
    }
