"""Shapley values of the words by sampled orders in which the words join the text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import comb

from xai_lib.explainers.answered import AnsweredExplainer
from xai_lib.explainers.base import Attribution
from xai_lib.instance import Instance
from xai_lib.masks import all_masks, check_budget, distinct
from xai_lib.models.base import Classifier
from xai_lib.rng import generator


def draw_orders(
    n_features: int, n_orders: int, rng: np.random.Generator, antithetic: bool = False
) -> np.ndarray:
    """Draw orders of the features, all of them equally likely.

    Parameters
    ----------
    n_features
        F.
    n_orders
        Number m of orders.
    rng
        Source of randomness.
    antithetic
        Whether every second order is the one before it read backwards.

    Returns
    -------
    (m, F) int array
        Each row a permutation of 0..F-1; the feature in column 0 joins first.
    """
    drawn = -(-n_orders // 2) if antithetic else n_orders
    orders = rng.permuted(np.tile(np.arange(n_features), (drawn, 1)), axis=1)
    if not antithetic:
        return orders
    return np.stack([orders, orders[:, ::-1]], axis=1).reshape(-1, n_features)[:n_orders]


def chain_sizes(n_features: int, steps: int) -> np.ndarray:
    """Cut F features into blocks that are as equal as they can be.

    Parameters
    ----------
    n_features
        F.
    steps
        Number of blocks, 1 to F.

    Returns
    -------
    (steps - 1,) int array
        How many features are there after each block but the last; 1..F-1 for F blocks.
    """
    return np.arange(1, steps) * n_features // steps


def chain_masks(orders: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the masks that orders (m, F) pass through at sizes (s,); (m, s, F) bool."""
    return np.argsort(orders, axis=1)[:, None, :] < sizes[:, None]


def average_gains(
    orders: np.ndarray, sizes: np.ndarray, answers: np.ndarray, empty: np.ndarray, full: np.ndarray
) -> np.ndarray:
    """Average over orders what each feature adds when it joins those before it.

    Parameters
    ----------
    orders
        (m, F) permutations.
    sizes
        (s,) increasing, see `chain_sizes`. Features that join between two of them share equally
        what they add together.
    answers
        (m, s, C) answers to `chain_masks`.
    empty, full
        (C,) answers with no feature and with all features.

    Returns
    -------
    (C, F) float64 array
        Each row sums to ``full - empty``, whatever the orders.
    """
    (m, n_features), n_classes = orders.shape, len(full)
    ends = [np.broadcast_to(end, (m, 1, n_classes)) for end in (empty, full)]
    gains = np.diff(np.concatenate([ends[0], answers, ends[1]], axis=1), axis=1)
    lengths = np.diff(np.concatenate([[0], sizes, [n_features]]))
    block = np.searchsorted(sizes, np.argsort(orders, axis=1), side="right")
    shares = gains / lengths[:, None]
    found: np.ndarray = np.take_along_axis(shares, block[..., None], axis=1).mean(axis=0).T
    return found


def exact_shapley(masks: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Compute Shapley values from the answers to all masks.

    Parameters
    ----------
    masks
        (2^F, F) bool, each mask once.
    answers
        (2^F, C).

    Returns
    -------
    (C, F) float64 array
        An answer with s of F features counts 1 / (s binom(F, s)) for each feature that is there
        and -1 / ((F - s) binom(F, s)) for each that is not: Shapley's formula with the terms of
        a mask collected.
    """
    n_features = masks.shape[1]
    kept = masks.sum(axis=1, keepdims=True)
    left = n_features - kept
    choices = comb(n_features, kept)
    # The floor of 1 is for the side that is not picked.
    there, absent = (1 / (np.maximum(size, 1) * choices) for size in (kept, left))
    signed = np.where(masks, there, -absent)
    found: np.ndarray = answers.T @ signed
    return found


@dataclass(frozen=True)
class ShapleySampling(AnsweredExplainer):
    """Shapley values by sampled permutations, for all classes at once.

    The words join the empty text one by one in a random order; the weight of a word is the mean
    over orders of what it adds. An order costs F - 1 model calls besides the whole and the empty
    text, and as many whole orders are drawn as the budget has room for. A mask that several
    orders pass through is sent once. Where all 2^F masks fit the budget they are enumerated, and
    the values are the Shapley values to rounding.

    Attributes
    ----------
    n_samples
        Budget in model calls, the whole and the empty text included; at least 2. Below F + 1
        there is no room for an order: then the words of one order join in ``n_samples - 1``
        blocks, as equal as they can be, and the words of a block share equally what it adds.
    antithetic
        Whether every second order is the one before it read backwards, which lowers the variance
        where a word adds less the more words are there already.
    group, removal
        See `xai_lib.text.TextInstance` and `Classifier.predict_masked`.

    References
    ----------
    Castro, Gomez & Tejada (2009), "Polynomial calculation of the Shapley value based on
    sampling", section 3; Strumbelj & Kononenko (2010), "An efficient explanation of individual
    classifications using game theory", algorithm 1. Antithetic orders: Mitchell, Cooper, Frank &
    Holmes (2022), "Sampling permutations for Shapley value estimation".

    Notes
    -----
    With whole orders the weights are unbiased. In blocks they are not: the larger the blocks, the
    more they tend to equal shares. Either way they sum to the answer to the text minus that to the
    text without words.

    The diagnostics are ``exact``, 1 where all masks were enumerated; ``permutations``, the orders
    that the mean is over (F! where it is exact); ``block``, the most words that joined at once.

    Deviations: Strumbelj & Kononenko take absent features from random other inputs and draw an
    order for each feature anew; here absent words are removed, and one order serves all words, as
    in Castro et al. The DeepExplain package counts orders, 5 by default; for its effort set
    `n_samples` to 5 (F - 1) + 2.
    """

    name: ClassVar[str] = "shapley_sampling"
    modalities: ClassVar[tuple[str, ...]] = ("text", "image")
    n_samples: int = 2000
    antithetic: bool = False
    group: str = "position"
    removal: str = "drop"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_budget(self.n_samples)

    def asked(self) -> list[str | float | bool]:
        """Return what the masks depend on; see `AnsweredExplainer.asked`."""
        return [self.n_samples, self.antithetic, self.removal]

    def ask(self, instances: Sequence[Any], classifier: Classifier, seed: int) -> list[np.ndarray]:
        """Return the answers to the distinct masks; see `AnsweredExplainer.ask`."""
        masks = []
        for one in instances:
            if self._exact(one):
                masks.append(all_masks(one.n_features, self.n_samples)[0])
                continue
            ends = np.array([[True], [False]]).repeat(one.n_features, axis=1)
            inner = chain_masks(*self._chains(one, seed)).reshape(-1, one.n_features)
            masks.append(np.concatenate([ends, distinct(inner)[0]]))
        return classifier.predict_masked(instances, masks, self.removal)

    def fit_answers(
        self,
        instances: Sequence[Any],
        answers: Sequence[np.ndarray],
        classifier: Classifier,
        seed: int,
    ) -> list[Attribution]:
        """Average what the words add; see `AnsweredExplainer.fit_answers`."""
        pairs = zip(instances, answers, strict=True)
        return [
            self._enumerated(one, answer) if self._exact(one) else self._drawn(one, answer, seed)
            for one, answer in pairs
        ]

    def _exact(self, one: Instance) -> bool:
        return 2**one.n_features <= self.n_samples

    def _chains(self, one: Instance, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the orders (m, F) of an instance, and how many features each mask keeps."""
        n_features = one.n_features
        sizes = chain_sizes(n_features, min(n_features, self.n_samples - 1))
        settings = (self.name, self.group, self.n_samples, self.antithetic)
        rng = generator(seed, one.content, *settings)
        m = max(1, (self.n_samples - 2) // (n_features - 1))
        return draw_orders(n_features, m, rng, self.antithetic), sizes

    def _enumerated(self, one: Instance, answers: np.ndarray) -> Attribution:
        values = exact_shapley(all_masks(one.n_features, self.n_samples)[0], answers)
        orders = float(math.factorial(one.n_features))
        found = {"exact": 1.0, "permutations": orders, "block": 1.0}
        # The full mask is the first of all, the empty one the last.
        return Attribution(values, answers[0], len(answers), answers[-1], "identity", found)

    def _drawn(self, one: Instance, answers: np.ndarray, seed: int) -> Attribution:
        orders, sizes = self._chains(one, seed)
        full, empty, inner = answers[0], answers[1], answers[2:]
        place = distinct(chain_masks(orders, sizes).reshape(-1, one.n_features))[1]
        along = inner[place].reshape(len(orders), len(sizes), len(full))
        values = average_gains(orders, sizes, along, empty, full)
        largest = -(-one.n_features // (len(sizes) + 1))
        found = {"exact": 0.0, "permutations": float(len(orders)), "block": float(largest)}
        return Attribution(values, full, len(answers), empty, "identity", found)
