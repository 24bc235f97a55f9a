"""Methods timed one after another on one text, then on the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from xai_lib.experiments.study import progress
from xai_lib.metrics import measure
from xai_lib.models.base import Classifier
from xai_lib.rng import generator

SECONDS, CALLS = "seconds", "model calls"


class Explains(Protocol):
    """What can be timed: an explainer, or anything that is called like one."""

    def explain(self, texts: Sequence[str], classifier: Classifier, seed: int = 0) -> object:
        """Explain texts."""
        ...


class Prediction:
    """A plain prediction, called like an explainer, to compare the others with."""

    def explain(self, texts: Sequence[str], classifier: Classifier, seed: int = 0) -> object:
        """Predict texts."""
        return classifier.predict_proba(list(texts))


def in_turns(
    methods: Mapping[str, Explains],
    texts: list[str],
    box: Classifier,
    seed: int,
    key: str,
    repeats: int = 1,
) -> dict[str, dict[str, np.ndarray]]:
    """Time methods text by text, so that what else the machine does hits all alike.

    Parameters
    ----------
    methods
        Explainers by name, see `Explains`.
    texts
        n texts; the first is explained once before the clock starts.
    box
        The black box.
    seed
        Seed of the explanations.
    key
        For the progress line.
    repeats
        Rounds over the methods for each text, in an order drawn anew for each, so that no method
        always comes after the longest one, which leaves it cold caches.

    Returns
    -------
    dict of str to dict of str to (n,) array
        ``"seconds"`` and ``"model calls"`` of each method; a text's is the median of its rounds.
    """
    parts: dict[str, dict[str, list[float]]] = {
        what: {name: [] for name in methods} for what in (SECONDS, CALLS)
    }
    report = progress(f"{key}, timing {len(methods)} methods")
    for i, text in enumerate(texts):
        rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
        for once in range(repeats):
            order = generator(seed, "turns", i, once).permutation(len(methods))
            for name in (list(methods)[j] for j in order):
                explainer = methods[name]

                def explain(one: str, explainer: Explains = explainer) -> object:
                    return explainer.explain([one], box, seed)

                timing = measure(explain, [text], box, warm_up=1 if i == once == 0 else 0)
                rounds[name].append((float(timing.seconds[0]), float(timing.model_calls[0])))
        for name, taken in rounds.items():
            seconds, calls = np.median(taken, axis=0)
            parts[SECONDS][name].append(float(seconds))
            parts[CALLS][name].append(float(calls))
        report(i + 1, len(texts))
    return {
        what: {name: np.array(values) for name, values in table.items()}
        for what, table in parts.items()
    }
