"""The networks of a setting: with class vectors and without, several runs of each."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from xai_lib.experiments.study import Setting
from xai_lib.models.ldav_training import LdavLosses
from xai_lib.models.zoo import load_entry
from xai_lib.models.zoo_entries import ZOO

PLAIN, LDAV, AS_PRINTED = "plain", "ldav", "as printed"

TRAININGS: dict[str, LdavLosses | dict[str, Any] | None] = {
    PLAIN: None,
    LDAV: {},
    # Equation 3 as it stands, with weights from the same grid; its vectors are long, and the score
    # is then by Euclidean distance, as printed too.
    AS_PRINTED: LdavLosses(rho1=0.5, rho2=1.0, l3="literal"),
    "without L2": {"rho1": 0.0},
    "without L3": {"rho2": 0.0},
    "euclidean": {"distance": "euclidean"},
    "gold label": {"target": "gold"},
    "predicted label": {"target": "predicted"},
}
"""Name of a training -> its losses, or what is changed in those of the setting's black box."""

# How class vectors and words are compared, by training; the others have unit vectors in L3.
DISTANCES = {AS_PRINTED: "euclidean"}


def score_settings(training: str) -> dict[str, Any]:
    """Return the settings of LDAV for networks of a training."""
    return {"distance": DISTANCES.get(training, "cosine")}


def losses_of(setting: Setting, training: str) -> LdavLosses | None:
    """Return the losses of a training.

    Raises
    ------
    ValueError
        If the training is unknown, or the setting's black box learns no class vectors.
    """
    name = setting.profile["black_box"]
    own: LdavLosses | None = getattr(ZOO[name].recipe, "ldav", None)
    if own is None:
        raise ValueError(f"The black box {name!r} learns no class vectors.")
    if training not in TRAININGS:
        raise ValueError(f"Unknown training {training!r}. Valid: {', '.join(TRAININGS)}.")
    change = TRAININGS[training]
    return replace(own, **change) if isinstance(change, dict) else change


def network(setting: Setting, training: str = LDAV, run: int = 0) -> Any:
    """Load a network of a setting, training it first where it is not cached.

    Parameters
    ----------
    setting
        Its black box is the network with class vectors of run 0.
    training
        A name of `TRAININGS`.
    run
        Seed of the initial weights, of the order of the texts and of those held out.

    Returns
    -------
    TokenWhiteBox
        `Setting.others` keeps it, so that it is loaded once and its calls are counted.

    Raises
    ------
    ValueError
        As `losses_of`.
    """
    losses = losses_of(setting, training)
    if (training, run) == (LDAV, 0):
        return setting.classifier
    label = [] if training == LDAV else [training.replace(" ", "-").lower()]
    return variant(setting, "-".join([*label, f"run{run}"]), ldav=losses, seed=run)


def variant(setting: Setting, label: str, n_test: int | None = None, **recipe: Any) -> Any:
    """Load a network that is the setting's black box but for its recipe.

    Parameters
    ----------
    setting
        Gives the black box.
    label
        What the network is called, behind the black box's name.
    n_test
        Held-out texts for its accuracy at most; default as many as the black box has.
    **recipe
        What is changed in the recipe.
    """
    name = setting.profile["black_box"]
    called = f"{name}-{label}"
    if called not in setting.others:
        entry = ZOO[name]
        changed: Any = replace(entry.recipe, **recipe)
        fewer = entry.n_test if n_test is None else min(n_test, len(setting.test))
        entry = replace(entry, recipe=changed, n_test=fewer)
        # The setting's texts are cut as the entry's are, which takes long texts a while.
        setting.others[called] = load_entry(
            called, entry, setting.device, splits=(setting.train, setting.test)
        )
    return setting.others[called]


def changed_copy(setting: Setting, box: Any, label: str, change: Callable[[Any], None]) -> Any:
    """Return a copy of a network with other weights.

    Parameters
    ----------
    setting
        Its `others` keep the copy, so that its calls are counted.
    box
        The network, which stays as it is.
    label
        What is changed; the copy is called so, behind the name of the box.
    change
        Gets the copy and changes its weights.
    """
    called = f"{box.name}-{label}"
    if called not in setting.others:
        other = copy.deepcopy(box)
        other.name, other.calls, other.stored_calls = called, 0, {}
        # The hashes of the weights are cached, and explanations on disk are found by them.
        for hashed in ("identity", "fingerprint"):
            other.__dict__.pop(hashed, None)
        change(other)
        setting.others[called] = other
    return setting.others[called]


def runs_of(setting: Setting, what: str = "runs") -> range:
    """Return the runs 0, 1, ... of a setting, as many as its profile says under `what`."""
    return range(int(setting.profile[what]))
