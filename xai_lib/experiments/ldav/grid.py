"""The weights of the losses: where they were looked for, on training texts that were held out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xai_lib.experiments.ldav.methods import LDAV, make_method
from xai_lib.experiments.ldav.networks import AS_PRINTED, losses_of, score_settings, variant
from xai_lib.experiments.ldav.removal import SWITCHING, aopc_shares, remove
from xai_lib.experiments.rows import Row, estimate_row
from xai_lib.experiments.study import Setting


def grid_rows(setting: Setting, seed: int) -> list[Row]:
    """Train on a part of the training texts with each pair of weights, and measure on others.

    Parameters
    ----------
    setting
        Its profile gives ``grid_train``, the texts trained on, ``grid_texts`` of the others to
        measure on, and the weights ``grid_rho1`` and ``grid_rho2``.
    seed
        Seed of draws and intervals.

    Returns
    -------
    list of dict
        Accuracy and switching point for each form of L3 (``training``: ``ldav`` with unit vectors
        and the cosine in the score, ``as printed`` with the Euclidean distance), rho1 and rho2;
        and the accuracy of the plain network, with no weights.
    """
    numbers = setting.profile
    rows: list[Row] = []
    n_train = int(numbers["grid_train"])
    # What `train_entry` draws; the others are held out, and no test text is looked at.
    used = set(setting.train.sample(min(n_train, len(setting.train)), seed=0).texts)
    fresh = setting.train.take([text not in used for text in setting.train.texts])
    held_out = fresh.sample(int(numbers["grid_texts"]), seed, min_words=2, at_most=True)
    if not len(held_out):
        return rows
    plain = variant(setting, "grid-plain", 500, n_train=n_train, ldav=None)
    place: Row = {"setting": setting.key, "training": "plain", "rho1": None, "rho2": None}
    right = plain.predict_proba(held_out.texts).argmax(axis=1) == held_out.labels
    rows.append(estimate_row({**place, "measure": "accuracy"}, right.astype(float), seed))
    for training in (LDAV, AS_PRINTED):
        losses = losses_of(setting, training)
        assert losses is not None
        for rho1 in numbers["grid_rho1"]:
            for rho2 in numbers["grid_rho2"]:
                label = f"grid-{losses.l3}-{rho1}-{rho2}"
                changed = replace(losses, rho1=float(rho1), rho2=float(rho2))
                box = variant(setting, label, 500, n_train=n_train, ldav=changed)
                place = {
                    "setting": setting.key, "training": training, "rho1": rho1, "rho2": rho2,
                }  # fmt: skip
                right = box.predict_proba(held_out.texts).argmax(axis=1) == held_out.labels
                explainer = make_method(LDAV, numbers, score_settings(training))
                ranked = [
                    one.ranking(by="signed") for one in explainer.explain(held_out.texts, box, seed)
                ]
                instances = [box.instance(text) for text in held_out.texts]
                values = remove(instances, {LDAV: ranked}, box, aopc_shares(setting.key), label)
                for measure, found in (
                    ("accuracy", right.astype(np.float64)),
                    (SWITCHING, values[SWITCHING][LDAV]),
                ):
                    rows.append(estimate_row({**place, "measure": measure}, found, seed))
    return rows
