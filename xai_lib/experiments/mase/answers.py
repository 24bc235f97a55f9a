"""Explanations from perturbations whose answers are kept on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xai_lib.experiments.mase.sample import Sample
from xai_lib.experiments.study import Setting, progress
from xai_lib.explainers.answered import AnsweredExplainer
from xai_lib.explainers.mase import Mase
from xai_lib.explanation import Explanation
from xai_lib.masks import Neighbourhood
from xai_lib.store import stored_answers, stored_neighbourhoods
from xai_lib.text import TextInstance

Run = list[Explanation]


def from_answers(
    setting: Setting,
    explainer: AnsweredExplainer,
    instances: Sequence[TextInstance],
    seed: int,
    n_kept: int = 0,
) -> Run:
    """Explain texts by MASE or KernelSHAP from answers that are kept on disk.

    Parameters
    ----------
    setting
        Gives the black box.
    explainer
        The method.
    instances
        n texts.
    seed
        Seed of the perturbations.
    n_kept
        Where MASE's budget is smaller, ask for so many: a longer list of draws begins with the
        shorter one. The coalitions of KernelSHAP depend on the budget.

    Returns
    -------
    list of Explanation
    """
    box, asking = setting.classifier, explainer
    if isinstance(explainer, Mase) and explainer.n_samples < n_kept:
        asking = replace(explainer, n_samples=n_kept)
    report = progress(f"{setting.key}, {explainer.name}, {len(instances)} texts")
    answers = stored_answers(asking, instances, box, seed, report)
    return explainer.explain_answers(instances, answers, box, seed)


def perturbed(
    setting: Setting, instances: Sequence[TextInstance], seed: int, calls: int, n_kept: int
) -> list[Neighbourhood]:
    """Have perturbations answered for LIME and LIPEx, kept on disk.

    Parameters
    ----------
    setting
        Gives the black box.
    instances
        n texts.
    seed
        Seed of the perturbations.
    calls
        Number of perturbations wanted.
    n_kept
        Number asked for, at least `calls`; but where all masks fit in it, `calls`, so that they
        are enumerated just when they would be with that budget.

    Returns
    -------
    list of Neighbourhood
        In the order of the texts.
    """
    found: dict[int, Neighbourhood] = {}
    for fits, n in ((False, n_kept), (True, calls)):
        some = [i for i, one in enumerate(instances) if (2**one.n_features <= n_kept) == fits]
        if some:
            report = progress(f"{setting.key}, {n} perturbations of {len(some)} texts")
            asked = [instances[i] for i in some]
            near = stored_neighbourhoods(asked, setting.classifier, n, seed, progress=report)
            found |= dict(zip(some, near, strict=True))
    return [found[i] for i in range(len(instances))]


def explain_by(
    sample: Sample, explainer: AnsweredExplainer, shift: int = 0, n_kept: int = 0
) -> Run:
    """Explain the texts of all rounds by MASE or KernelSHAP with any settings.

    Parameters
    ----------
    sample
        The texts.
    explainer, n_kept
        See `from_answers`.
    shift
        Added to the seed of each round, for a second explanation of the same texts.

    Returns
    -------
    list of Explanation
    """
    return [
        one
        for some in sample.rounds
        for one in from_answers(
            sample.setting, explainer, some.instances, some.seed + shift, n_kept
        )
    ]
