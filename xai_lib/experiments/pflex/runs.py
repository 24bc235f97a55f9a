"""Runs: explanations of the same texts by a method, one list for each seed of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xai_lib.data import Dataset
from xai_lib.experiments.study import Setting, progress
from xai_lib.explainers import make_explainer
from xai_lib.explainers.lime import Lime
from xai_lib.explainers.pflex import PFLex
from xai_lib.explanation import Explanation
from xai_lib.models.base import Classifier
from xai_lib.rng import generator
from xai_lib.store import stored_neighbourhoods
from xai_lib.text import TextInstance

if TYPE_CHECKING:
    from xai_lib.experiments.pflex.sample import Sample

Run = Sequence[Explanation]
Runs = Mapping[str, Sequence[Run]]

# Compared beside LIME and LIPEx; signed, and for the predicted class only, as the ranking is.
BASELINES: dict[str, dict[str, Any]] = {
    "random": {},
    "occlusion": {},
    "input_x_gradient": {"target": "predicted"},
    "integrated_gradients": {"target": "predicted", "n_steps": 16},
}


def fit_heads(
    settings: PFLex, teacher: Run, classifier: Classifier, seeds: Sequence[int]
) -> list[PFLex]:
    """Train a head for each seed on a teacher's explanations."""
    return [settings.fit(teacher, classifier, seed) for seed in seeds]


def explain_runs(
    heads: Sequence[PFLex], texts: Sequence[str], classifier: Classifier, seed: int = 0
) -> list[list[Explanation]]:
    """Explain texts by each of several fitted heads."""
    return [head.explain(texts, classifier, seed) for head in heads]


def baselines(
    sample: Sample, n: int | None = None, methods: Sequence[str] = tuple(BASELINES)
) -> dict[str, list[list[Explanation]]]:
    """Explain the first n test texts (default all) by methods that need no teacher.

    Parameters
    ----------
    sample
        The texts.
    n
        Number of texts.
    methods
        Names of `BASELINES`.

    Returns
    -------
    dict of str to list
        One run for each method.

    Raises
    ------
    ValueError
        If a method is not among them.
    """
    unknown = [method for method in methods if method not in BASELINES]
    if unknown:
        raise ValueError(f"no baseline {', '.join(unknown)}; valid: {', '.join(BASELINES)}")
    texts = [one.text for one in sample.test.instances[:n]]
    found: dict[str, list[list[Explanation]]] = {}
    for method in methods:
        explainer = make_explainer(method, group="type", **BASELINES[method])
        found[method] = [explainer.explain(texts, sample.setting.classifier, sample.seed)]
    return found


def constant_like(explanations: Run) -> list[Explanation]:
    """Give every word of the same texts the same positive weight for the predicted class.

    Its cosine with a teacher tells how much of an agreement is agreement in sign.
    """
    return [
        replace(one, weights=_only(one, np.ones(one.n_features)), method="constant")
        for one in explanations
    ]


def shuffled(explanations: Run, seed: int) -> list[Explanation]:
    """Permute the weights of the predicted class within each text.

    A head taught with them can learn how weights are distributed, but not which words have them.
    """
    found = []
    for one in explanations:
        rng = generator(seed, "shuffled weights", one.text, one.method)
        weights = rng.permutation(one.weights[one.predicted])
        found.append(replace(one, weights=_only(one, weights)))
    return found


def lime_on(
    setting: Setting, texts: Dataset | Sequence[TextInstance], n_samples: int, seed: int
) -> list[Explanation]:
    """Explain texts of any kind by LIME, for the black box of a setting.

    Parameters
    ----------
    setting
        Gives the black box.
    texts
        Texts, of another data set or of the sample; labels are not used.
    n_samples, seed
        Budget and seed of the perturbations, which are kept on disk. With the seed of a sample
        they are the first perturbations of its own LIME, with another seed a second draw.

    Returns
    -------
    list of Explanation
        Of the texts with at least one word, features by type.
    """
    box = setting.classifier
    given = (
        [box.instance(text, "type") for text in texts.texts]
        if isinstance(texts, Dataset)
        else list(texts)
    )
    instances = [one for one in given if one.n_features]
    title = f"{setting.key}, {n_samples} perturbations of {len(instances)} texts"
    near = stored_neighbourhoods(instances, box, n_samples, seed, progress=progress(title))
    lime = Lime(n_samples=n_samples, group="type")
    return lime.explain_neighbourhoods(instances, near, box, seed)


def against(reference: str, methods: Sequence[str]) -> list[tuple[str, str]]:
    """Pair one method with every other, first minus second."""
    return [(reference, method) for method in methods if method != reference]


def over_runs(tables: Sequence[np.ndarray]) -> np.ndarray:
    """Average over runs; a single one stays as it is, booleans included.

    Booleans get the interval of a proportion, which an average over runs must not have.
    """
    return tables[0] if len(tables) == 1 else np.mean(tables, axis=0)


def shortest(runs: Runs) -> int:
    """Count the texts that all runs explain.

    Raises
    ------
    ValueError
        If a method has no run.
    """
    empty = [method for method, some in runs.items() if not some]
    if empty or not runs:
        raise ValueError(f"every method needs a run: {', '.join(empty) or 'no methods'}")
    return min(len(run) for some in runs.values() for run in some)


def _only(one: Explanation, weights: np.ndarray) -> np.ndarray:
    table = np.full(one.weights.shape, np.nan)
    table[one.predicted] = weights
    return table
