"""Perturbations: which features to keep, how often each choice was drawn, how near it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

from xai_lib.rng import generator

if TYPE_CHECKING:
    from xai_lib.instance import Instance
    from xai_lib.models.base import Classifier

# Those that draw the number of removed features; the last is what the lime package has for images.
SIZE_SAMPLERS = ("lime", "paired", "stratified")
SAMPLERS = (*SIZE_SAMPLERS, "bernoulli")


def distinct(masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the distinct rows of masks.

    Parameters
    ----------
    masks
        (n, F) bool.

    Returns
    -------
    rows : (m, F) bool array
        Distinct rows in order of first appearance.
    inverse : (n,) int array
        ``rows[inverse]`` equals `masks`.
    """
    if masks.shape[1] == 0 or len(masks) == 1:
        return masks[:1], np.zeros(len(masks), dtype=int)
    packed = np.ascontiguousarray(np.packbits(masks, axis=1))
    keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return masks[first[order]], rank[inverse.ravel()]


def sample_masks(
    n_features: int, n_samples: int, rng: np.random.Generator, sampler: str = "lime"
) -> np.ndarray:
    """Draw masks; the first keeps everything.

    Every row after the first removes s features, s uniform on 1..F (so the empty text has
    probability 1/F), and which ones is uniform: the sampler of the ``lime`` package for text.
    Its sampler for images is ``"bernoulli"``. The first k rows of a long draw are the draw of
    length k.

    Parameters
    ----------
    n_features
        F, at least 1.
    n_samples
        Number n of rows, the first included.
    rng
        Source of randomness.
    sampler
        ``"lime"`` draws rows independently. ``"paired"`` follows each row by its complement.
        ``"stratified"`` lets the number of removed features run through shuffled rounds of
        1..F, so that every size comes equally often. ``"bernoulli"`` keeps each feature with
        probability 1/2.

    Returns
    -------
    (n, F) bool array
        True keeps the feature.

    Raises
    ------
    ValueError
        If the sampler is unknown.
    """
    check_sampler(sampler)
    n = n_samples - 1
    if sampler == "bernoulli":
        kept = rng.integers(0, 2, (n, n_features)).astype(bool)
        return np.concatenate([np.ones((1, n_features), dtype=bool), kept])
    for_sizes, for_features = rng.spawn(2)
    rows = -(-n // 2) if sampler == "paired" else n
    if sampler == "stratified":
        rounds = np.tile(np.arange(1, n_features + 1), (-(-n // n_features), 1))
        sizes = for_sizes.permuted(rounds, axis=1).ravel()[:n]
    else:
        sizes = for_sizes.integers(1, n_features + 1, rows)
    rank = np.argsort(np.argsort(for_features.random((rows, n_features)), axis=1), axis=1)
    masks = rank >= sizes[:, None]
    if sampler == "paired":
        masks = np.stack([masks, ~masks], axis=1).reshape(-1, n_features)[:n]
    return np.concatenate([np.ones((1, n_features), dtype=bool), masks])


def all_masks(
    n_features: int, n_samples: int, sampler: str = "lime"
) -> tuple[np.ndarray, np.ndarray]:
    """List all masks and how often `sample_masks` is expected to draw each.

    Parameters
    ----------
    n_features
        F.
    n_samples
        Number n of draws whose expectation is wanted.
    sampler
        See `sample_masks`.

    Returns
    -------
    masks : (2^F, F) bool array
        The full mask first.
    counts : (2^F,) float64 array
        1 for the full mask (drawn once, on purpose), (n - 1) / (F binom(F, s)) for a mask that
        removes s features. With ``"bernoulli"`` all masks are equally likely, so each counts
        (n - 1) / 2^F, the full one with 1 more.
    """
    numbers = np.arange(2**n_features - 1, -1, -1)
    masks = (numbers[:, None] >> np.arange(n_features)) & 1 == 1
    if sampler == "bernoulli":
        counts = np.full(len(masks), (n_samples - 1) / len(masks))
        counts[0] += 1
        return masks, counts
    removed = n_features - masks.sum(axis=1)
    log_choose = gammaln(n_features + 1) - gammaln(removed + 1) - gammaln(n_features - removed + 1)
    counts = (n_samples - 1) / (max(n_features, 1) * np.exp(log_choose))
    counts[0] = 1.0
    return masks, counts


def cosine_to_full(masks: np.ndarray) -> np.ndarray:
    """Cosine between each mask (n, F) and the full mask: sqrt(share of features kept), (n,)."""
    return np.sqrt(masks.mean(axis=1)) if masks.shape[1] else np.ones(len(masks))


def lime_kernel(masks: np.ndarray, width: float = 25.0, scale: float = 100.0) -> np.ndarray:
    """Weight a mask by its distance to the full mask, as the ``lime`` package does.

    Parameters
    ----------
    masks
        (n, F) bool.
    width
        Kernel width; 25 for text, 0.25 for images.
    scale
        Factor of the cosine distance; 100 for text, 1 for images.

    Returns
    -------
    (n,) float64 array
        sqrt(exp(-(scale (1 - cos))^2 / width^2)).
    """
    distance = scale * (1 - cosine_to_full(masks))
    return np.sqrt(np.exp(-(distance**2) / width**2))


PROXIMITIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "lime": lime_kernel,
    "one_minus_cosine": lambda masks: 1 - cosine_to_full(masks),
    "cosine": cosine_to_full,
    "one": lambda masks: np.ones(len(masks)),
}


def proximity(masks: np.ndarray, kind: str = "lime") -> np.ndarray:
    """Weight masks by one of the four readings of LIPEx's pi.

    Parameters
    ----------
    masks
        (n, F) bool.
    kind
        ``"lime"`` LIME's kernel; ``"one_minus_cosine"`` Equation 6 of LIPEx as printed, which
        is a distance and gives the text itself weight 0, so that nothing has a weight where
        there is no other mask; ``"cosine"``; ``"one"``.

    Returns
    -------
    (n,) float64 array

    Raises
    ------
    ValueError
        If the kind is unknown.
    """
    if kind not in PROXIMITIES:
        raise ValueError(f"Unknown proximity {kind!r}. Valid: {', '.join(PROXIMITIES)}.")
    return PROXIMITIES[kind](masks)


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """Perturbations of one instance with the black box's answers.

    Attributes
    ----------
    masks
        (m, F) bool, distinct; row 0 keeps everything.
    counts
        (m,) float64: how often each mask was drawn (or is expected to be).
    probabilities
        (m, C) float64 answers of the black box.
    draws
        (n,) int row of each draw in its order; None where all masks were enumerated.
    """

    masks: np.ndarray
    counts: np.ndarray
    probabilities: np.ndarray
    draws: np.ndarray | None = None

    @property
    def model_calls(self) -> int:
        """Inputs that were sent through the black box."""
        return len(self.masks)

    def head(self, n_samples: int) -> Neighbourhood:
        """Return what a draw of the first `n_samples` perturbations would have given.

        Raises
        ------
        ValueError
            If there are fewer draws, or all masks were enumerated and are more than `n_samples`.
        """
        if self.draws is None:
            if len(self.masks) > n_samples:
                raise ValueError(
                    f"All {len(self.masks)} masks were enumerated, which a budget of {n_samples} "
                    "does not allow; give the smallest budget as enumerate_up_to."
                )
            drawn = self.counts.copy()
            drawn[0] -= 1  # The full mask is there once on purpose.
            counts = drawn * (n_samples - 1) / max(drawn.sum(), 1e-300)
            counts[0] += 1
            return Neighbourhood(self.masks, counts, self.probabilities)
        if n_samples > len(self.draws):
            raise ValueError(f"There are {len(self.draws)} draws, fewer than {n_samples}.")
        draws = self.draws[:n_samples]
        rows = int(draws.max()) + 1
        counts = np.bincount(draws, minlength=rows).astype(float)
        return Neighbourhood(self.masks[:rows], counts, self.probabilities[:rows], draws)

    def within(self, angle: float) -> Neighbourhood:
        """Keep the perturbations at most `angle` radians away from the full mask.

        The angle is that of Algorithm 2 of LIPEx, arccos sqrt(share of features kept).
        """
        near = np.arccos(np.clip(cosine_to_full(self.masks), 0, 1)) <= angle + 1e-12
        return Neighbourhood(self.masks[near], self.counts[near], self.probabilities[near])


def neighbourhoods(
    instances: Sequence[Instance],
    classifier: Classifier,
    n_samples: int,
    seed: int = 0,
    sampler: str = "lime",
    removal: str = "drop",
    enumerate_up_to: int | None = None,
) -> list[Neighbourhood]:
    """Perturb instances and ask the black box, all instances in one call.

    The draw depends on the seed, what the model reads of the instance, how its features were
    formed and the sampler, so that LIME and LIPEx with one seed see the same perturbations,
    whatever the budget of either.

    Parameters
    ----------
    instances
        Instances of `classifier`, each with at least one feature.
    classifier
        The black box.
    n_samples
        Number of perturbations of each, the text itself included; at least 2.
    seed
        The user's seed.
    sampler
        See `sample_masks`; ``"lime"`` is the sampler of the ``lime`` package for the kind of
        instance, so ``"bernoulli"`` for images.
    removal
        See `Classifier.predict_masked`.
    enumerate_up_to
        Where all 2^F masks are no more than this (default `n_samples`; 0 never), ask for each
        once and weight it by its expected count, in place of drawing. To compare budgets with
        `Neighbourhood.head`, give the smallest of them.

    Returns
    -------
    list of Neighbourhood

    Raises
    ------
    ValueError
        If `n_samples` is below 2 or the sampler is unknown.
    """
    check_budget(n_samples)
    check_sampler(sampler)
    small = n_samples if enumerate_up_to is None else min(enumerate_up_to, n_samples)
    masks: list[np.ndarray] = []
    counts: list[np.ndarray] = []
    draws: list[np.ndarray | None] = []
    for one in instances:
        chosen = one.lime_sampler if sampler == "lime" else sampler
        if 2**one.n_features <= small:
            rows, weights = all_masks(one.n_features, n_samples, chosen)
            masks.append(rows)
            counts.append(weights)
            draws.append(None)
            continue
        rng = generator(seed, "perturbations", one.content, one.group, chosen)
        rows, index = distinct(sample_masks(one.n_features, n_samples, rng, chosen))
        masks.append(rows)
        counts.append(np.bincount(index).astype(float))
        draws.append(index)
    answers = classifier.predict_masked(instances, masks, removal)
    return [Neighbourhood(*parts) for parts in zip(masks, counts, answers, draws, strict=True)]


def check_budget(n_samples: int) -> None:
    """Raise a ValueError for a budget with which nothing can be compared."""
    if isinstance(n_samples, bool) or not isinstance(n_samples, int | np.integer):
        raise ValueError(f"n_samples must be a whole number of model calls, got {n_samples!r}.")
    if n_samples < 2:
        raise ValueError(f"n_samples must be at least 2 model calls, got {n_samples}.")


def check_sampler(sampler: str) -> None:
    """Raise a ValueError that lists the valid samplers."""
    if sampler not in SAMPLERS:
        raise ValueError(f"Unknown sampler {sampler!r}. Valid samplers are: {', '.join(SAMPLERS)}.")
