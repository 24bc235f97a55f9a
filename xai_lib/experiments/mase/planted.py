"""Texts whose class is decided by planted words, and whether a method names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xai_lib.experiments.mase.answers import Run, from_answers
from xai_lib.experiments.mase.layer import BEHIND, OUTPUT
from xai_lib.experiments.mase.methods import explain_sample
from xai_lib.experiments.mase.removal import rankings
from xai_lib.experiments.mase.sample import Sample
from xai_lib.experiments.rows import Row, estimate_row
from xai_lib.explainers.mase import Mase
from xai_lib.models.embedding_output import embedding_layer

COMPARED = ("mase", "mase_sparse", "lime", "kernel_shap")
FIRST = "planted word first"
SHARE = "words with a weight"
# Noise behind the embedding layer; as large as the embeddings, or in all coordinates as their
# spread over the vocabulary: settings of MASE, and what its words are ranked by.
READINGS: dict[str, tuple[dict[str, Any], str]] = {
    BEHIND: (OUTPUT, "signed"),
    "mase, strong noise": ({"sigma": 1.0}, "signed"),
    "mase, strong noise in all coordinates": (
        {"sigma": 1.0, "variant": "full", "estimator": "leg"},
        "abs",
    ),
}


def planted_rows(sample: Sample) -> list[Row]:
    """Look for the planted words in explanations of the class that they decide.

    Parameters
    ----------
    sample
        Texts with planted words. The first ``planted_texts`` of them are explained, at the
        numbers of model calls ``planted_calls``, and those that the black box gets right are
        counted. Without them there are no rows.

    Returns
    -------
    list of dict
        For each measure, method and number of calls ``n_samples``: whether the word ranked first
        is a planted one, and the share of words whose weight is not 0. Beside the methods
        MASE in the other `READINGS`, where the black box has what they need.
    """
    numbers = sample.setting.profile
    some = sample.head(numbers.get("planted_texts", 0))
    rows: list[Row] = []
    if not some.rounds:
        return rows
    budgets = numbers["planted_calls"]
    kept = sorted({numbers.get("calls", 0), max(budgets)})
    planted = planted_words(some)
    for calls in budgets:
        found = explain_sample(some, calls, COMPARED, kept)
        right = np.array([one.predicted for one in found["mase"]]) == some.labels
        ranked = rankings(found)
        for name, (how, by) in READINGS.items():
            if how is OUTPUT and embedding_layer(sample.setting.classifier) is None:
                continue
            found[name] = _reading(some, Mase(n_samples=calls, **how), kept)
            ranked[name] = [one.ranking(by=by) for one in found[name]]
        for method, orders in ranked.items():
            place: Row = {"setting": sample.setting.key}
            first = [order[0] in words for order, words in zip(orders, planted, strict=True)]
            share = shares(found[method.removesuffix(" (absolute)")])
            for measure, values in ((FIRST, np.array(first)), (SHARE, share)):
                where = {**place, "measure": measure, "method": method, "n_samples": calls}
                rows.append(estimate_row(where, values[right], sample.seed))
    return rows


def _reading(sample: Sample, explainer: Mase, kept: Sequence[int]) -> Run:
    n_kept = min(n for n in kept if n >= explainer.n_samples)
    return [
        one
        for some in sample.rounds
        for one in from_answers(sample.setting, explainer, some.instances, some.seed, n_kept)
    ]


def planted_words(sample: Sample) -> list[Sequence[int]]:
    """Return the positions of the planted words of each text of a sample."""
    test = sample.setting.test
    known = dict(zip(test.texts, test.extra["planted"], strict=True))
    return [known[one.text] for one in sample.instances]


def shares(run: Run) -> np.ndarray:
    """Return the share of words whose weight for the predicted class is not 0, for each text."""
    return np.array([float(np.mean(one.weights[one.predicted] != 0)) for one in run])
