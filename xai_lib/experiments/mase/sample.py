"""The texts of a setting, in rounds that are drawn once and used throughout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xai_lib.experiments.study import Setting
from xai_lib.text import TextInstance


@dataclass(frozen=True, eq=False)
class Round:
    """Some texts with the seed of everything that is drawn for them.

    Attributes
    ----------
    seed
        Seed of the perturbations.
    instances, labels
        n texts (every word is a feature of its own) and their gold classes.
    """

    seed: int
    instances: list[TextInstance]
    labels: np.ndarray

    @property
    def texts(self) -> list[str]:
        """The n texts."""
        return [one.text for one in self.instances]


@dataclass(frozen=True, eq=False)
class Sample:
    """Rounds of texts of one setting.

    Attributes
    ----------
    setting
        Where they come from.
    rounds
        No text is in two of them.
    seed
        Seed of the draw of texts and of the intervals.
    """

    setting: Setting
    rounds: list[Round]
    seed: int

    @property
    def instances(self) -> list[TextInstance]:
        """The texts of all rounds, one round behind the other."""
        return [one for part in self.rounds for one in part.instances]

    @property
    def labels(self) -> np.ndarray:
        """Gold classes of the texts of all rounds."""
        return np.concatenate([np.empty(0, dtype=int), *(part.labels for part in self.rounds)])

    def head(self, n: int) -> Sample:
        """Return the first n texts, still with the seeds of their rounds."""
        rounds, left = [], n
        for part in self.rounds:
            if left > 0:
                rounds.append(Round(part.seed, part.instances[:left], part.labels[:left]))
                left -= len(part.instances)
        return Sample(self.setting, rounds, self.seed)


def gather(setting: Setting, seed: int = 0) -> Sample:
    """Draw the texts of a setting.

    Parameters
    ----------
    setting
        Its profile gives ``seeds``, one for each round, and ``per_round``, the texts of each.
    seed
        Seed of the draw.

    Returns
    -------
    Sample
        Held-out texts of two words or more that are not in the training split, whatever their
        class.

    Raises
    ------
    ValueError
        If there are not so many.
    """
    seeds, size = setting.profile["seeds"], setting.profile["per_round"]
    known = set(setting.train.texts)
    fresh = setting.test.take([text not in known for text in setting.test.texts])
    drawn = fresh.sample(len(seeds) * size, seed, min_words=2)
    instances = [setting.classifier.instance(text) for text in drawn.texts]
    parts = [slice(i * size, (i + 1) * size) for i in range(len(seeds))]
    rounds = [
        Round(own, instances[part], drawn.labels[part])
        for own, part in zip(seeds, parts, strict=True)
    ]
    return Sample(setting, rounds, seed)
