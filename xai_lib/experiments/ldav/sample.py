"""The texts of a setting that are explained, the same for every network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xai_lib.data import Dataset
from xai_lib.experiments.study import Setting
from xai_lib.text import TextInstance


@dataclass(frozen=True, eq=False)
class Sample:
    """Held-out texts of one setting.

    Attributes
    ----------
    setting
        Where they come from.
    data
        The n texts, with their gold classes.
    seed
        Seed of the draw, of all explanations and of the intervals.
    """

    setting: Setting
    data: Dataset
    seed: int

    def instances(self, box: Any) -> list[TextInstance]:
        """Return the texts as a network reads them."""
        return [box.instance(text) for text in self.data.texts]

    def head(self, n: int) -> Sample:
        """Return the first n texts."""
        return Sample(self.setting, self.data.take(range(min(n, len(self.data)))), self.seed)


def gather(setting: Setting, seed: int = 0) -> Sample:
    """Draw the texts of a setting.

    Parameters
    ----------
    setting
        Its profile gives ``texts``, their number.
    seed
        Seed of the draw.

    Returns
    -------
    Sample
        Held-out texts of two words or more that are not in the training split.

    Raises
    ------
    ValueError
        If there are not so many.
    """
    known = set(setting.train.texts)
    fresh = setting.test.take([text not in known for text in setting.test.texts])
    return Sample(setting, fresh.sample(setting.profile["texts"], seed, min_words=2), seed)
