"""The texts of a setting with their perturbations, answered once and used by all experiments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from xai_lib.experiments.study import Setting, progress
from xai_lib.explainers.lime import Lime
from xai_lib.explainers.lipex import Lipex
from xai_lib.explanation import Explanation
from xai_lib.masks import Neighbourhood
from xai_lib.store import stored_neighbourhoods
from xai_lib.text import TextInstance

RECORDED = (
    "figure-1",
    "figure-6",
    "figure-7",
    "class-overlap",
    "figure-3",
    "figure-4",
    "table-1",
    "table-3",
    "table-4",
    "equal-budget",
    "figure-5",
    "table-7",
    "table-5",
    "table-6",
    "variants",
)


@dataclass(frozen=True, eq=False)
class Sample:
    """Texts of a setting with their perturbations, answered once and used by many experiments.

    Attributes
    ----------
    setting
        Where they come from.
    instances, labels
        n texts (features are word types, as in the paper) and their gold classes.
    near
        Perturbations of each; the first `len(rounds)` texts have the full budget.
    rounds
        Round of each of the first texts.
    seed
        Seed of everything.
    """

    setting: Setting
    instances: list[TextInstance]
    labels: np.ndarray
    near: list[Neighbourhood]
    rounds: np.ndarray
    seed: int

    def explain(self, explainer: Lime | Lipex, n: int | None = None) -> list[Explanation]:
        """Explain the first n texts (default all) from the stored perturbations."""
        return explainer.explain_neighbourhoods(
            self.instances[:n], self.near[:n], self.setting.classifier, self.seed
        )

    def lime_like(self, explanations: Sequence[Explanation], n_samples: int) -> list[Explanation]:
        """Explain by LIME with as many features as each of LIPEx's explanations has.

        The paper always calls LIME on f features, f the size of LIPEx's union.
        """
        settings = Lime(n_samples=n_samples, group="type")
        found: list[Explanation] = []
        for one, near, other in zip(self.instances, self.near, explanations, strict=False):
            lime = replace(settings, n_features=int(other.diagnostics["n_selected"]))
            found += lime.explain_neighbourhoods([one], [near], self.setting.classifier, self.seed)
        return found


def gather(setting: Setting, seed: int, min_words: int = 2, **counts: int) -> Sample:
    """Draw the texts of a setting and have their perturbations answered (kept on disk).

    Parameters
    ----------
    setting
        The setting; its profile gives ``rounds``, ``per_round``, ``texts``, ``full`` (budget of
        the texts in rounds) and ``base`` (budget of the others).
    seed
        Seed of the draw and the perturbations.
    min_words
        Skip shorter texts.
    **counts
        Replace numbers of the profile.

    Returns
    -------
    Sample
    """
    numbers = {**setting.profile, **counts}
    in_rounds = numbers["rounds"] * numbers["per_round"]
    n = max(numbers["texts"], in_rounds)
    drawn = setting.test.sample(n, seed, min_words=min_words)
    black_box = setting.classifier
    instances = [black_box.instance(text, "type") for text in drawn.texts]
    near: list[Neighbourhood] = []
    for part, budget in ((instances[:in_rounds], "full"), (instances[in_rounds:], "base")):
        if part:
            title = f"{setting.key}, {numbers[budget]} perturbations of {len(part)} texts"
            near += stored_neighbourhoods(
                part,
                black_box,
                numbers[budget],
                seed,
                enumerate_up_to=min(numbers["budgets"]),
                progress=progress(title),
            )
    rounds = np.repeat(np.arange(numbers["rounds"]), numbers["per_round"])
    return Sample(setting, instances, drawn.labels, near, rounds, seed)


def gather_deep(sample: Sample) -> Sample:
    """Return the first ``deep_texts`` texts of a sample with ``deep`` perturbations each.

    Where the texts in rounds have that many already, that is the sample itself.
    """
    numbers = sample.setting.profile
    if numbers["deep"] == numbers["full"]:
        return sample
    return gather(
        sample.setting,
        sample.seed,
        rounds=1,
        per_round=numbers["deep_texts"],
        texts=0,
        full=numbers["deep"],
    )
