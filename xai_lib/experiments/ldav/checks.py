"""What LDAV's scores have to do with the network, with planted words, and with time."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch

from xai_lib.experiments.ldav.ablation import RUNS, TERMS
from xai_lib.experiments.ldav.methods import LDAV, OTHERS, RANDOM, make_method
from xai_lib.experiments.ldav.networks import (
    AS_PRINTED,
    changed_copy,
    network,
    runs_of,
    score_settings,
)
from xai_lib.experiments.ldav.sample import Sample
from xai_lib.experiments.rows import Row, compare_rows, defined_row, estimate_row, runs_row
from xai_lib.experiments.turns import SECONDS, Prediction, in_turns
from xai_lib.explainers import make_explainer
from xai_lib.metrics import rank_correlation
from xai_lib.models.networks import new_network

REDRAWN = (LDAV, "integrated_gradients", "occlusion", "lrp", "input_x_gradient", "saliency")
SIGNED, SIZE = "correlation", "size of the correlation"
PREDICTION = "prediction"


def redraw(box: Any, seed: int) -> None:
    """Draw the weights of a network above the embeddings anew; its class vectors stay.

    Parameters
    ----------
    box
        A network from scratch.
    seed
        Of the new weights.
    """
    model = box.model
    fresh = new_network(
        model.embedding.num_embeddings,
        len(box.classes),
        model.embedding.embedding_dim,
        seed=seed,
        network=box.card["recipe"].get("network", "bilstm"),
        n_positions=box.max_length,
    )
    kept = {
        name: value
        for name, value in model.state_dict().items()
        if name in ("embedding.weight", "class_vectors")
    }
    with torch.no_grad():
        model.load_state_dict({**fresh.state_dict(), **kept})


def redrawn_rows(sample: Sample) -> list[Row]:
    """Compare each method's scores before and after the network is drawn anew.

    Parameters
    ----------
    sample
        The first ``redrawn_texts`` of its texts are explained, before and after each of
        ``redraws`` draws.

    Returns
    -------
    list of dict
        For each method, over the draws: the mean over the texts of the rank correlation of its
        scores for the class predicted before (`SIGNED`), and of the size of that correlation
        (`SIZE`): a network drawn anew may well say the opposite. Texts on which it is not
        defined, because all scores are equal, are left out.
    """
    setting, seed = sample.setting, sample.seed
    some = sample.head(setting.profile["redrawn_texts"])
    box = network(setting)
    draws = [
        changed_copy(setting, box, f"redrawn{new}", partial(redraw, seed=new))
        for new in range(seed + 1, seed + 1 + setting.profile["redraws"])
    ]
    rows: list[Row] = []
    for method in REDRAWN:
        explainer = make_method(method, setting.profile, {})
        if hasattr(explainer, "target"):
            settings = {**explainer.settings(), "target": "all"}
            explainer = make_explainer(method, **settings)
        before, *after = (explainer.explain(some.data.texts, one, seed) for one in (box, *draws))
        found = np.array(
            [
                [
                    rank_correlation(one.weights[one.predicted], two.weights[one.predicted])
                    for one, two in zip(before, each, strict=True)
                ]
                for each in after
            ]
        )
        found = found[:, ~np.isnan(found).any(axis=0)]
        for measure, values, least in ((SIGNED, found, -1.0), (SIZE, np.abs(found), 0.0)):
            place: Row = {"setting": setting.key, "measure": measure, "method": method}
            if found.shape[1]:
                rows.append(runs_row(place, values.mean(axis=1), least, 1.0))
            else:
                rows.append({**place, "mean": None, "low": None, "high": None, "n": 0})
    return rows


def planted_rows(sample: Sample) -> list[Row]:
    """Look for planted words among those that each training's vectors rank first.

    Parameters
    ----------
    sample
        Texts with planted words.

    Returns
    -------
    list of dict
        For each training of LDAV, and for random scores: whether the word ranked first is a planted
        one, over the texts that are classified correctly; each text's mean over the runs.
    """
    setting, seed = sample.setting, sample.seed
    planted = sample.data.extra["planted"]
    values: dict[str, list[np.ndarray]] = {}
    for training in (LDAV, AS_PRINTED, *TERMS):
        for run in runs_of(setting, RUNS):
            box = network(setting, training, run)
            methods = {LDAV: score_settings(training)}
            if training == LDAV:
                methods |= {RANDOM: {}}
            for method, settings in methods.items():
                explained = make_method(method, setting.profile, settings).explain(
                    sample.data.texts, box, seed
                )
                first = [
                    float(one.ranking(by="signed")[0] in words) if one.predicted == gold else np.nan
                    for one, words, gold in zip(explained, planted, sample.data.labels, strict=True)
                ]
                name = training if method == LDAV else method
                values.setdefault(name, []).append(np.array(first))
    rows: list[Row] = []
    for name, runs in values.items():
        right = ~np.isnan(runs).all(axis=0)
        found = np.nanmean(np.array(runs)[:, right], axis=0)
        place: Row = {"setting": setting.key, "training": name}
        rows.append(defined_row(place, found, seed, share=True))
    return rows


def cost_rows(sample: Sample) -> tuple[list[Row], list[Row]]:
    """Write Table 10: seconds of one explanation and of one prediction, method by method.

    Parameters
    ----------
    sample
        The first ``cost_texts`` of its texts are explained, one at a time, with nothing read from
        disk.

    Returns
    -------
    rows, comparisons : list of dict
    """
    setting, seed = sample.setting, sample.seed
    texts = list(sample.head(setting.profile["cost_texts"]).data.texts)
    methods: dict[str, Any] = {
        name: make_method(name, setting.profile) for name in (LDAV, *OTHERS) if name != RANDOM
    }
    timed = {PREDICTION: Prediction(), **methods}
    repeats = int(setting.profile.get("cost_repeats", 1))
    found = in_turns(timed, texts, network(setting), seed, setting.key, repeats)[SECONDS]
    place: Row = {"setting": setting.key}
    rows = [estimate_row({**place, "method": name}, one, seed) for name, one in found.items()]
    against = [(LDAV, name) for name in timed if name != LDAV]
    return rows, compare_rows(place, found, against, seed)
