"""Noise before and behind the embedding layer, which in BERT normalises what it passes on."""

from __future__ import annotations

from typing import Any

import numpy as np

from xai_lib.experiments.mase.answers import Run, explain_by
from xai_lib.experiments.mase.methods import explain_sample
from xai_lib.experiments.mase.removal import delta_values
from xai_lib.experiments.mase.sample import Sample
from xai_lib.experiments.mase.sigma import R2
from xai_lib.experiments.mase.twice import DELTA
from xai_lib.experiments.rows import Row, compare_rows, defined_row
from xai_lib.explainers.mase import Mase

BEHIND = "mase, behind the embedding layer"
OUTPUT: dict[str, Any] = {"layer": "output"}
PLACES: dict[str, dict[str, Any]] = {"mase": {}, BEHIND: OUTPUT}
OTHERS = ("lime", "random")


def layer_rows(sample: Sample) -> tuple[list[Row], list[Row]]:
    """Explain texts by MASE with noise on word vectors, and on what the embedding layer passes on.

    Parameters
    ----------
    sample
        The first ``layer_texts`` of its texts are used, with ``calls`` model calls, and noise as
        strong as ``layer_sigmas``. Without them there are no rows.

    Returns
    -------
    rows, comparisons : list of dict
        For each ``sigma``, measure and method the held-out R2 of the linear model and Delta
        Accuracy (words deleted, gold labels, mean over 1 to 10); the differences in Delta
        Accuracy between both places, and to LIME and random words.
    """
    numbers = sample.setting.profile
    some = sample.head(numbers.get("layer_texts", 0))
    rows: list[Row] = []
    pairs: list[Row] = []
    if not some.rounds:
        return rows, pairs
    runs: dict[tuple[str, float], Run] = {
        (name, sigma): explain_by(some, Mase(n_samples=numbers["calls"], sigma=sigma, **settings))
        for sigma in numbers["layer_sigmas"]
        for name, settings in PLACES.items()
    }
    others = explain_sample(some, numbers["calls"], OTHERS)
    ranked = {f"{name}/{sigma}": run for (name, sigma), run in runs.items()} | others
    lost = delta_values(
        some, {key: [one.ranking(by="signed") for one in run] for key, run in ranked.items()}
    )["gold"]
    for sigma in numbers["layer_sigmas"]:
        place: Row = {"setting": sample.setting.key, "sigma": sigma}
        values = {name: lost[f"{name}/{sigma}"].mean(axis=1) for name in PLACES}
        for name in PLACES:
            r2 = np.array([one.diagnostics["r2_held_out"] for one in runs[name, sigma]])
            for measure, column in ((R2, r2), (DELTA, values[name])):
                where = {**place, "measure": measure, "method": name}
                rows.append(defined_row(where, column, sample.seed))
        values |= {name: lost[name].mean(axis=1) for name in OTHERS}
        against = [(BEHIND, "mase"), *((BEHIND, name) for name in OTHERS)]
        pairs += compare_rows({**place, "measure": DELTA}, values, against, sample.seed)
    return rows, pairs
