"""PartitionSHAP: Owen values of the words over a binary tree of neighbouring words."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from xai_lib.explainers.base import Attribution, Explainer
from xai_lib.masks import check_budget
from xai_lib.models.base import Classifier
from xai_lib.text import TextInstance


@dataclass(frozen=True, eq=False)
class _Context:
    """A block of features switched on in a context: from `off` to `off` plus the block."""

    start: int
    end: int
    off: np.ndarray
    value_off: np.ndarray
    value_on: np.ndarray
    weight: float

    @property
    def difference(self) -> np.ndarray:
        return (self.value_on - self.value_off) * self.weight


@dataclass(eq=False)
class _Search:
    """The state of one text: which blocks wait for being split, and what is settled.

    The most important block comes first: the largest change of any class times its weight; ties
    go to the block that was found first, so that nothing is left to chance.
    """

    n_features: int
    budget: int
    values: np.ndarray
    waiting: list[tuple[float, int, _Context]] = field(default_factory=list)
    found: int = 0
    used: int = 2
    asked: list[tuple[_Context, int]] = field(default_factory=list)

    def push(self, one: _Context, priority: float) -> None:
        heapq.heappush(self.waiting, (-priority, self.found, one))
        self.found += 1

    def ask(self, batch_size: int) -> np.ndarray:
        """Take the next blocks to split; (n, F) masks of their left and right halves alone."""
        masks: list[np.ndarray] = []
        self.asked = []
        while (
            self.waiting and len(masks) < batch_size and self.used + len(masks) + 2 <= self.budget
        ):
            one = heapq.heappop(self.waiting)[2]
            if one.end - one.start == 1:
                self.values[:, one.start] += one.difference
                continue
            middle = (one.start + one.end) // 2
            left, right = one.off.copy(), one.off.copy()
            left[one.start : middle] = True
            right[middle : one.end] = True
            masks += [left, right]
            self.asked.append((one, middle))
        self.used += len(masks)
        return np.array(masks, dtype=bool).reshape(-1, self.n_features)

    def answer(self, masks: np.ndarray, answers: np.ndarray) -> None:
        """Split each block that was asked about into its halves, each in both contexts."""
        for i, (one, middle) in enumerate(self.asked):
            left, right = answers[2 * i], answers[2 * i + 1]
            half = one.weight / 2
            spans = ((one.start, middle), (middle, one.end))
            changes = [
                (spans[0], one.off, one.value_off, left),
                (spans[1], one.off, one.value_off, right),
                (spans[0], masks[2 * i + 1], right, one.value_on),
                (spans[1], masks[2 * i], left, one.value_on),
            ]
            for (start, end), off, value_off, value_on in changes:
                context = _Context(start, end, off, value_off, value_on, half)
                self.push(context, float(np.abs(context.difference).max()))

    def finish(self) -> np.ndarray:
        """Share what was not split equally among its features; (C, F)."""
        for _, _, one in self.waiting:
            self.values[:, one.start : one.end] += one.difference[:, None] / (one.end - one.start)
        self.waiting = []
        return self.values


@dataclass(frozen=True)
class PartitionShap(Explainer):
    """Hierarchical Owen values, the largest effects refined first, for all classes at once.

    The text is halved again and again. The effect of a block is shared between its halves as
    Shapley values of two players would share it: half of what the half adds alone, half of what
    it adds to the other one. Blocks wait in a queue, the largest effect first; when the budget
    is used up, the words of a block that was not split share its effect equally.

    Attributes
    ----------
    n_samples
        Budget in model calls, the whole and the empty text included; at least 2. About F^2
        calls refine everything.
    batch_size
        Masks asked for before the queue is sorted anew (the ``shap`` package takes 10).
    group, removal
        See `xai_lib.text.TextInstance` and `Classifier.predict_masked`.

    References
    ----------
    Owen (1977), "Values of games with a priori unions"; the Partition explainer of the ``shap``
    package.

    Notes
    -----
    Values equal those of ``shap.explainers.Partition`` with this tree and budget, except that
    the ``shap`` package breaks ties between blocks with numpy's global generator, and goes one
    call over an odd budget. Here ties go to the block found first, the texts of a call share
    batches, and a text with one word has an explanation. Weights sum to the probability of the
    text minus that of the text without words; the diagnostic ``efficiency_gap`` is the largest
    deviation from it.
    """

    name: ClassVar[str] = "partition_shap"
    n_samples: int = 500
    batch_size: int = 10
    group: str = "position"
    removal: str = "drop"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_budget(self.n_samples)
        if self.batch_size < 2:
            raise ValueError(f"batch_size must be at least 2 masks, got {self.batch_size}.")

    def attribute(
        self, instances: list[TextInstance], classifier: Classifier, seed: int
    ) -> list[Attribution]:
        """Explain instances; see `Explainer.attribute`."""
        ends = [np.array([[True], [False]]).repeat(one.n_features, axis=1) for one in instances]
        bounds = classifier.predict_masked(instances, ends, self.removal)
        searches = []
        for one, (full, empty) in zip(instances, bounds, strict=True):
            search = _Search(one.n_features, self.n_samples, np.zeros((len(full), one.n_features)))
            nothing = np.zeros(one.n_features, dtype=bool)
            search.push(_Context(0, one.n_features, nothing, empty, full, 1.0), 0.0)
            searches.append(search)
        # One round asks for the next blocks of all texts together, so that batches fill.
        active = list(range(len(instances)))
        while active:
            masks = [searches[i].ask(self.batch_size) for i in active]
            active = [i for i, rows in zip(active, masks, strict=True) if len(rows)]
            masks = [rows for rows in masks if len(rows)]
            if not active:
                break
            answers = classifier.predict_masked([instances[i] for i in active], masks, self.removal)
            for i, rows, answer in zip(active, masks, answers, strict=True):
                searches[i].answer(rows, answer)
        return [
            self._attribution(search, full, empty)
            for search, (full, empty) in zip(searches, bounds, strict=True)
        ]

    def _attribution(self, search: _Search, full: np.ndarray, empty: np.ndarray) -> Attribution:
        values = search.finish()
        gap = float(np.abs(values.sum(axis=1) - (full - empty)).max())
        return Attribution(values, full, search.used, empty, "identity", {"efficiency_gap": gap})
