"""The compared methods at equal numbers of model calls; what they ask or find is kept on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from xai_lib.experiments.mase.answers import Run, from_answers, perturbed
from xai_lib.experiments.mase.sample import Round, Sample
from xai_lib.experiments.study import Setting, progress
from xai_lib.explainers import make_explainer
from xai_lib.explainers.answered import AnsweredExplainer
from xai_lib.explainers.base import Explainer
from xai_lib.explainers.sampled import SampledExplainer
from xai_lib.masks import Neighbourhood
from xai_lib.store import stored_explanations

# Given as many model calls as are asked for.
SAMPLING: dict[str, dict[str, Any]] = {
    "mase": {},
    "mase_sparse": {},
    "lime": {},
    "lipex": {"selection": "none"},
    "kernel_shap": {},
}
# The others need what they need. For the predicted class only, which is what is ranked.
OTHERS: dict[str, dict[str, Any]] = {
    "occlusion": {},
    "input_x_gradient": {"target": "predicted"},
    "integrated_gradients": {"target": "predicted"},
    "smoothgrad": {"target": "predicted"},
    "random": {},
}
METHODS = (*SAMPLING, *OTHERS)
# Settings that a profile can give, by its key.
GIVEN = {
    "integrated_gradients": ("gradient_steps", "n_steps"),
    "smoothgrad": ("gradient_draws", "n_draws"),
}


def make_method(
    method: str, calls: int, numbers: Mapping[str, Any] = MappingProxyType({})
) -> Explainer:
    """Make an explainer as it is compared.

    Parameters
    ----------
    method
        One of `METHODS`.
    calls
        Model calls of a method that samples; without effect on the others.
    numbers
        A profile: ``gradient_steps`` of integrated gradients and ``gradient_draws`` of SmoothGrad,
        if they are not to be those of the library.

    Returns
    -------
    Explainer

    Raises
    ------
    ValueError
        If the method is not compared.
    """
    if method not in METHODS:
        raise ValueError(f"no compared method {method!r}; valid: {', '.join(METHODS)}")
    if method in SAMPLING:
        return make_explainer(method, n_samples=calls, **SAMPLING[method])
    key, name = GIVEN.get(method, ("", ""))
    given = {name: numbers[key]} if key in numbers else {}
    return make_explainer(method, **OTHERS[method], **given)


def compared(numbers: Mapping[str, Any]) -> tuple[str, ...]:
    """List the methods that a profile does not leave out under ``left_out``."""
    return tuple(method for method in METHODS if method not in numbers.get("left_out", ()))


def explain(
    setting: Setting,
    some: Round,
    calls: int,
    methods: Sequence[str] = METHODS,
    kept: Sequence[int] = (),
) -> dict[str, Run]:
    """Explain the texts of a round by each method, from answers on disk where there are any.

    Parameters
    ----------
    setting
        Gives the black box.
    some
        n texts with their seed.
    calls
        Model calls of the methods that sample.
    methods
        Which of `METHODS`.
    kept
        Numbers of calls that other experiments ask for. The smallest of them that suffices is
        asked for, and its first answers are used, where that gives the same.

    Returns
    -------
    dict of str to list of Explanation
    """
    box = setting.classifier
    n_kept = min((n for n in kept if n >= calls), default=calls)
    found: dict[str, Run] = {}
    near: list[Neighbourhood] | None = None
    for method in methods:
        explainer = make_method(method, calls, setting.profile)
        if isinstance(explainer, AnsweredExplainer):
            found[method] = from_answers(setting, explainer, some.instances, some.seed, n_kept)
        elif isinstance(explainer, SampledExplainer):
            if near is None:
                near = perturbed(setting, some.instances, some.seed, calls, n_kept)
            found[method] = explainer.explain_neighbourhoods(some.instances, near, box, some.seed)
        else:
            report = progress(f"{setting.key}, {method}, {len(some.instances)} texts")
            found[method] = stored_explanations(explainer, some.instances, box, some.seed, report)
    return found


def explain_sample(
    sample: Sample,
    calls: int,
    methods: Sequence[str] | None = None,
    kept: Sequence[int] = (),
    shift: int = 0,
) -> dict[str, Run]:
    """Explain the texts of all rounds, one round behind the other.

    Parameters
    ----------
    sample
        The texts.
    calls, kept
        See `explain`.
    methods
        Which of `METHODS`; default those that the profile does not leave out.
    shift
        Added to the seed of each round, for a second explanation of the same texts.

    Returns
    -------
    dict of str to list of Explanation
    """
    methods = compared(sample.setting.profile) if methods is None else methods
    parts = [
        explain(sample.setting, replace(some, seed=some.seed + shift), calls, methods, kept)
        for some in sample.rounds
    ]
    return {method: [one for part in parts for one in part[method]] for method in methods}
