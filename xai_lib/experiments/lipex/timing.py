"""Table 5: the time of one explanation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xai_lib.experiments.rows import Row, interval
from xai_lib.experiments.study import Setting
from xai_lib.explainers import make_explainer
from xai_lib.metrics import measure, paired_difference


def timing_rows(
    setting: Setting, texts: Sequence[str], budgets: Mapping[str, Sequence[int]], seed: int
) -> tuple[list[Row], list[Row]]:
    """Time one explanation of all classes, forward passes included, one text at a time.

    Parameters
    ----------
    setting
        Gives the black box.
    texts
        n texts.
    budgets
        For ``"lipex"`` and ``"lime"`` the numbers of perturbations; the first of each are
        compared.
    seed
        Seed of the perturbations.

    Returns
    -------
    rows, comparisons : list of dict
    """
    seconds: dict[tuple[str, int], np.ndarray] = {}
    rows: list[Row] = []
    for method, sizes in budgets.items():
        for size in sizes:
            explainer = make_explainer(method, n_samples=size, group="type")

            def explain(text: str, explainer: Any = explainer) -> object:
                return explainer.explain([text], setting.classifier, seed)

            timing = measure(explain, texts, setting.classifier)
            seconds[method, size] = timing.seconds
            rows.append(
                {
                    "setting": setting.key,
                    "method": method,
                    "n_samples": size,
                    **interval(timing.seconds, seed),
                    "model_calls": float(timing.model_calls.mean()),
                }
            )
    first, second = seconds["lipex", budgets["lipex"][0]], seconds["lime", budgets["lime"][0]]
    gap = paired_difference(first, second, seed)
    pair = {
        "setting": setting.key,
        "first": "lipex",
        "second": "lime",
        "difference": gap.mean,
        "low": gap.low,
        "high": gap.high,
        "n": gap.n,
        "mean_second": float(second.mean()),
    }
    return rows, [pair]
