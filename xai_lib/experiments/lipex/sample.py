"""Texts or pictures with their perturbations, answered once and used by all experiments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xai_lib.experiments.study import Setting, progress
from xai_lib.explainers.lime import Lime
from xai_lib.explainers.lipex import Lipex
from xai_lib.image import ImageInstance
from xai_lib.masks import Neighbourhood
from xai_lib.segmentation import Segmenter
from xai_lib.segmentation import segmenter as make_segmenter
from xai_lib.store import stored_neighbourhoods

RECORDED = (
    "figure-1",
    "figure-6",
    "figure-7",
    "class-overlap",
    "figure-3",
    "figure-4",
    "table-1",
    "figure-2",
    "table-2",
    "other-measures",
    "segment-size",
    "image-variants",
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
    """Texts or pictures of a setting with their perturbations.

    Attributes
    ----------
    setting
        Where they come from.
    instances, labels
        n texts (features are word types, as in the paper) or pictures (features are segments)
        and their gold classes.
    near
        Perturbations of each; the first `len(rounds)` texts have the full budget.
    rounds
        Round of each of the first texts.
    seed
        Seed of everything.
    removal
        How features are removed, in perturbations and afterwards.
    """

    setting: Setting
    instances: list[Any]
    labels: np.ndarray
    near: list[Neighbourhood]
    rounds: np.ndarray
    seed: int
    removal: str = "drop"

    @property
    def group(self) -> str:
        """What a feature is: a word type, or a segment at its position."""
        return group_of(self.setting)

    def explain(self, explainer: Lime | Lipex, n: int | None = None) -> list[Any]:
        """Explain the first n instances (default all) from the stored perturbations."""
        return explainer.explain_neighbourhoods(
            self.instances[:n], self.near[:n], self.setting.classifier, self.seed
        )

    def lime_like(self, explanations: Sequence[Any], n_samples: int) -> list[Any]:
        """Explain by LIME with as many features as each of LIPEx's explanations has.

        The paper always calls LIME on f features, f the size of LIPEx's union.
        """
        settings = Lime(n_samples=n_samples, group=self.group)
        found: list[Any] = []
        for one, near, other in zip(self.instances, self.near, explanations, strict=False):
            lime = replace(settings, n_features=int(other.diagnostics["n_selected"]))
            found += lime.explain_neighbourhoods([one], [near], self.setting.classifier, self.seed)
        return found


def group_of(setting: Setting) -> str:
    """Return what a feature of a setting is: a word type, or a segment at its position."""
    return "type" if setting.modality == "text" else "position"


def gather(
    setting: Setting,
    seed: int,
    min_words: int = 2,
    removal: str = "drop",
    segmenter: str | None = None,
    **counts: int,
) -> Sample:
    """Draw the texts or pictures of a setting and have their perturbations answered.

    Answers are kept on disk.

    Parameters
    ----------
    setting
        The setting; its profile gives ``rounds``, ``per_round``, ``texts``, ``full`` (budget of
        the texts in rounds) and ``base`` (budget of the others).
    seed
        Seed of the draw and the perturbations.
    min_words
        Skip shorter texts.
    removal
        How a feature is removed.
    segmenter
        Cut pictures by this one, in place of the black box's own.
    **counts
        Replace numbers of the profile.

    Returns
    -------
    Sample
    """
    numbers = {**setting.profile, **counts}
    in_rounds = numbers["rounds"] * numbers["per_round"]
    n = max(numbers["texts"], in_rounds)
    instances, labels = _drawn(setting, n, seed, min_words, segmenter)
    black_box = setting.classifier
    near: list[Neighbourhood] = []
    for part, budget in ((instances[:in_rounds], "full"), (instances[in_rounds:], "base")):
        if part:
            title = f"{setting.key}, {numbers[budget]} perturbations of {len(part)} inputs"
            near += stored_neighbourhoods(
                part,
                black_box,
                numbers[budget],
                seed,
                removal=removal,
                enumerate_up_to=min(numbers["budgets"]),
                progress=progress(title),
            )
    rounds = np.repeat(np.arange(numbers["rounds"]), numbers["per_round"])
    return Sample(setting, instances, labels, near, rounds, seed, removal)


def _drawn(
    setting: Setting, n: int, seed: int, min_words: int, segmenter: str | None
) -> tuple[list[Any], np.ndarray]:
    """Draw n held-out inputs and cut them into features."""
    black_box = setting.classifier
    if setting.modality == "text":
        drawn = setting.test.sample(n, seed, min_words=min_words)
        return black_box.instances(drawn.texts, "type"), drawn.labels
    drawn = setting.test.sample(n, seed)
    whole = black_box.instances(drawn.images)
    if segmenter is None:
        return whole, drawn.labels
    return [recut(one, segmenter) for one in whole], drawn.labels


def recut(one: ImageInstance, segmenter: str | Segmenter) -> ImageInstance:
    """Cut a picture into other segments."""
    cut = make_segmenter(segmenter)
    return replace(one, segments=cut(one.pixels), segmenter=cut.describe())


def gather_deep(sample: Sample) -> Sample:
    """Return the first ``deep_texts`` texts of a sample with ``deep`` perturbations each.

    Where the texts in rounds have that many already, these are the first of them; without
    ``deep_texts`` all.
    """
    numbers = sample.setting.profile
    if numbers["deep"] == numbers["full"]:
        n = min(numbers.get("deep_texts", len(sample.rounds)), len(sample.rounds))
        return replace(
            sample,
            instances=sample.instances[:n],
            labels=sample.labels[:n],
            near=sample.near[:n],
            rounds=sample.rounds[:n],
        )
    return gather(
        sample.setting,
        sample.seed,
        rounds=1,
        per_round=numbers["deep_texts"],
        texts=0,
        full=numbers["deep"],
    )
