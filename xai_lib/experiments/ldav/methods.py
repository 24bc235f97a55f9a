"""The compared methods, and how each orders the words of a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xai_lib.experiments.study import progress
from xai_lib.explainers import make_explainer
from xai_lib.explainers.base import Explainer
from xai_lib.models.base import Classifier
from xai_lib.store import stored_explanations
from xai_lib.text import TextInstance

LDAV, AS_PRINTED, RANDOM = "ldav", "ldav (as printed)", "random"
# For the predicted class only, which is what is ranked.
FAST: dict[str, dict[str, Any]] = {
    "integrated_gradients": {"target": "predicted"},
    "occlusion": {"removal": "pad"},
    "lrp": {"target": "predicted"},
    "input_x_gradient": {"target": "predicted"},
    "saliency": {"target": "predicted"},
    RANDOM: {},
}
# Those that ask the black box about many parts of a text.
SLOW: dict[str, dict[str, Any]] = {
    "shapley_sampling": {"removal": "pad"},
    "lime": {},
}
OTHERS = (*FAST, *SLOW)

Rankings = dict[str, list[np.ndarray]]


def make_method(
    method: str, numbers: Mapping[str, Any], settings: Mapping[str, Any] | None = None
) -> Explainer:
    """Make an explainer as it is compared.

    Parameters
    ----------
    method
        One of `OTHERS`, or ``"ldav"``.
    numbers
        A profile: ``n_samples`` of LIME and Shapley sampling, ``n_steps`` of integrated
        gradients.
    settings
        Of LDAV, in place of its defaults.

    Raises
    ------
    ValueError
        If the method is not compared.
    """
    if method == LDAV:
        return make_explainer(method, **(settings or {}))
    if method in SLOW:
        return make_explainer(method, n_samples=numbers["n_samples"], **SLOW[method])
    if method == "integrated_gradients":
        return make_explainer(method, n_steps=numbers["n_steps"], **FAST[method])
    if method not in FAST:
        raise ValueError(f"no compared method {method!r}; valid: {', '.join((LDAV, *OTHERS))}")
    return make_explainer(method, **FAST[method])


def rank(
    methods: Sequence[str],
    instances: Sequence[TextInstance],
    box: Classifier,
    numbers: Mapping[str, Any],
    seed: int,
    settings: Mapping[str, Any] | None = None,
) -> Rankings:
    """Order the words of texts by signed weight for the predicted class.

    Parameters
    ----------
    methods
        Names that `make_method` takes.
    instances
        n texts of `box`.
    box
        The network that is explained.
    numbers
        The profile; its ``slow_texts`` are explained by the methods of `SLOW`, from disk where
        they were explained before.
    seed
        Seed of the explanations.
    settings
        See `make_method`.

    Returns
    -------
    dict of str to list of (F,) int array
        For each method, for each text that it explains.
    """
    found: Rankings = {}
    for method in methods:
        explainer = make_method(method, numbers, settings)
        if method in SLOW:
            some = instances[: numbers["slow_texts"]]
            report = progress(f"{box.name}, {method}")
            explained = stored_explanations(explainer, some, box, seed, report)
        else:
            explained = explainer.explain([one.text for one in instances], box, seed)
        found[method] = [one.ranking(by="signed") for one in explained]
    return found
