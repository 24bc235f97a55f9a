"""The texts of a setting with their teachers' explanations, made once and used throughout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xai_lib.data import Dataset
from xai_lib.experiments.study import Setting, progress
from xai_lib.explainers.lime import Lime
from xai_lib.explainers.lipex import Lipex
from xai_lib.explanation import Explanation
from xai_lib.store import stored_neighbourhoods
from xai_lib.text import TextInstance


@dataclass(frozen=True, eq=False)
class Part:
    """Some texts, and what LIME and LIPEx say of them from the same perturbations.

    Attributes
    ----------
    instances, labels
        n texts (features are word types, as in the authors' code) and their gold classes.
    lime, lipex
        n explanations of all classes. All words have a weight, in LIPEx too.
    """

    instances: list[TextInstance]
    labels: np.ndarray
    lime: list[Explanation]
    lipex: list[Explanation]

    @property
    def texts(self) -> list[str]:
        """The n texts."""
        return [one.text for one in self.instances]

    def head(self, n: int) -> Part:
        """Return the first n texts."""
        return Part(self.instances[:n], self.labels[:n], self.lime[:n], self.lipex[:n])


@dataclass(frozen=True, eq=False)
class Sample:
    """Texts to learn from and texts to judge by.

    Attributes
    ----------
    setting
        Where they come from.
    train, test
        Texts of the black box's training split, and held-out texts that do not occur there.
    seed
        Seed of everything.
    """

    setting: Setting
    train: Part
    test: Part
    seed: int


def gather(setting: Setting, seed: int) -> Sample:
    """Draw the texts of a setting and have their perturbations answered (kept on disk).

    Parameters
    ----------
    setting
        Its profile gives ``train_per_class``, ``test_per_class`` (fewer where a class has not so
        many texts) and ``teacher_samples``, the perturbations of each text.
    seed
        Seed of the draw and of the perturbations.

    Returns
    -------
    Sample
    """
    train, test = draw(setting, seed)
    return Sample(
        setting, _part(setting, train, "train", seed), _part(setting, test, "test", seed), seed
    )


def draw(setting: Setting, seed: int) -> tuple[Dataset, Dataset]:
    """Draw texts to learn from and texts to judge by; none is in both.

    Returns
    -------
    train, test : Dataset
        Classes take turns; a smaller number gives the first rows of a larger one.
    """
    known = set(setting.train.texts)
    fresh = setting.test.take([text not in known for text in setting.test.texts])
    numbers = setting.profile

    def some(texts: Dataset, n: int) -> Dataset:
        return texts.sample(n, seed, per_class=True, min_words=2, at_most=True)

    return some(setting.train, numbers["train_per_class"]), some(fresh, numbers["test_per_class"])


def _part(setting: Setting, texts: Dataset, what: str, seed: int) -> Part:
    black_box = setting.classifier
    instances = [black_box.instance(text, "type") for text in texts.texts]
    n_samples = setting.profile["teacher_samples"]
    title = f"{setting.key}, {n_samples} perturbations of {len(instances)} {what} texts"
    near = stored_neighbourhoods(instances, black_box, n_samples, seed, progress=progress(title))
    lime = Lime(n_samples=n_samples, group="type")
    lipex = Lipex(n_samples=n_samples, group="type", selection="none")
    return Part(
        instances,
        texts.labels,
        lime.explain_neighbourhoods(instances, near, black_box, seed),
        lipex.explain_neighbourhoods(instances, near, black_box, seed),
    )
