"""Seconds and model calls of one explanation."""

from __future__ import annotations

import numpy as np

from xai_lib.experiments.mase.methods import compared, make_method
from xai_lib.experiments.mase.sample import Sample
from xai_lib.experiments.rows import Row, compare_rows, estimate_row
from xai_lib.experiments.study import progress
from xai_lib.explainers.base import Explainer
from xai_lib.metrics import measure
from xai_lib.models.base import Classifier

SECONDS, CALLS = "seconds", "model calls"


def cost_rows(sample: Sample) -> tuple[list[Row], list[Row]]:
    """Explain texts by each method, one at a time, with nothing read from disk.

    Parameters
    ----------
    sample
        The first ``cost_texts`` of its texts are explained, with ``calls`` model calls by the
        methods that sample. Without them there are no rows.

    Returns
    -------
    rows, comparisons : list of dict
        For each method and measure; MASE's seconds minus those of each other method, paired by
        text.
    """
    numbers, key, seed = sample.setting.profile, sample.setting.key, sample.seed
    texts = [one.text for one in sample.head(numbers.get("cost_texts", 0)).instances]
    rows: list[Row] = []
    if not texts:
        return rows, []
    methods = {
        method: make_method(method, numbers["calls"], numbers) for method in compared(numbers)
    }
    found = in_turns(methods, texts, sample.setting.classifier, seed, key)
    for name, values in found.items():
        place: Row = {"setting": key, "measure": name}
        rows += [estimate_row({**place, "method": m}, some, seed) for m, some in values.items()]
    against = [("mase", method) for method in methods if method != "mase"]
    place = {"setting": key, "measure": SECONDS}
    return rows, compare_rows(place, found[SECONDS], against, seed)


def in_turns(
    methods: dict[str, Explainer], texts: list[str], box: Classifier, seed: int, key: str
) -> dict[str, dict[str, np.ndarray]]:
    """Time methods text by text, so that what else the machine does hits all alike.

    Parameters
    ----------
    methods
        Explainers by name.
    texts
        n texts; the first is explained once before the clock starts.
    box
        The black box.
    seed
        Seed of the explanations.
    key
        For the progress line.

    Returns
    -------
    dict of str to dict of str to (n,) array
        ``"seconds"`` and ``"model calls"`` of each method.
    """
    parts: dict[str, dict[str, list[float]]] = {
        what: {name: [] for name in methods} for what in (SECONDS, CALLS)
    }
    report = progress(f"{key}, timing {len(methods)} methods")
    for i, text in enumerate(texts):
        for name, explainer in methods.items():

            def explain(one: str, explainer: Explainer = explainer) -> object:
                return explainer.explain([one], box, seed)

            timing = measure(explain, [text], box, warm_up=1 if i == 0 else 0)
            parts[SECONDS][name].append(float(timing.seconds[0]))
            parts[CALLS][name].append(float(timing.model_calls[0]))
        report(i + 1, len(texts))
    return {
        what: {name: np.array(values) for name, values in table.items()}
        for what, table in parts.items()
    }
