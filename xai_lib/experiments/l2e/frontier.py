"""Faithfulness against time, for all methods of the book that run on one black box."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from xai_lib.experiments.l2e.asked import ask
from xai_lib.experiments.l2e.explained import Explained, predicted_weights
from xai_lib.experiments.l2e.teachers import make_teacher
from xai_lib.experiments.rows import Row, estimate_row, interval
from xai_lib.experiments.study import progress
from xai_lib.explainers import make_explainer
from xai_lib.explainers.base import Explainer
from xai_lib.metrics import measure
from xai_lib.metrics.selection import top_share

# Methods beside the teachers, which are as they teach. Of the students those that label: a ranking
# student was taught the size of weights, not their sign, and is no match here.
OTHERS: dict[str, dict[str, Any]] = {
    "random": {},
    "saliency": {"target": "predicted"},
    "integrated_gradients": {"target": "predicted"},
    "smoothgrad": {"target": "predicted"},
    "lipex": {"removal": "mask", "selection": "none"},
    "shapley_sampling": {"removal": "mask"},
    "mase": {},
}
SAMPLING = ("lipex", "shapley_sampling", "mase")
STUDENTS = ("lime", "deep_shap")


def frontier_rows(explained: Explained) -> list[Row]:
    """Explain documents one at a time by every method, and remove 30 % of their words.

    Parameters
    ----------
    explained
        Its profile gives ``frontier_texts``. PFLex and LDAV need black boxes of their own kind,
        and are not among the methods.

    Returns
    -------
    list of dict
        ``seconds`` and the log-odds of the predicted class that are lost without the words with
        the largest signed weights, with intervals.
    """
    sample = explained.sample
    box, seed = sample.setting.classifier, sample.seed
    n = min(sample.n, int(sample.setting.profile["frontier_texts"]))
    texts = list(sample.documents.texts[:n])
    chosen: dict[str, list[np.ndarray]] = {}
    seconds: dict[str, np.ndarray] = {}
    methods = _methods(explained)
    report = progress(f"{sample.setting.key}, all methods")
    for i, (name, explainer) in enumerate(methods.items(), 1):

        def explain(text: str, explainer: Explainer = explainer) -> Any:
            return explainer.explain([text], box, seed)[0]

        seconds[name] = measure(explain, texts, box).seconds
        found = [top_share(predicted_weights(explain(text))) for text in texts]
        # Documents that are not explained here lose nothing, and do not count.
        chosen[name] = found + [
            np.zeros(len(one.words), dtype=bool)
            for one in explained.teachers[explained.names[0]][n : sample.n]
        ]
        report(i, len(methods))
    lost = {
        name: one.delta_log_odds(np.ones(sample.n, dtype=bool))[:n]
        for name, one in ask(explained, chosen, keep=False).items()
    }
    rows: list[Row] = []
    for name, values in lost.items():
        spent = interval(seconds[name], seed)
        place: Row = {
            "setting": sample.setting.key,
            "method": name,
            "seconds": spent["mean"],
            "seconds_low": spent["low"],
            "seconds_high": spent["high"],
        }
        rows.append(estimate_row(place, values, seed))
    return rows


def _methods(explained: Explained) -> Mapping[str, Explainer]:
    numbers = explained.sample.setting.profile
    found: dict[str, Explainer] = {
        name: make_teacher(name, numbers, explained.sample.references) for name in explained.names
    }
    for name, settings in OTHERS.items():
        own = {"n_samples": numbers["n_samples"]} if name in SAMPLING else {}
        found[name] = make_explainer(name, **settings, **own)
    for name in STUDENTS:
        if (name, "labelling") in explained.students:
            found[f"l2e ({name})"] = explained.students[name, "labelling"][0]
    return found
