"""Comprehensiveness and sufficiency at shares of the words, as ERASER and LDAV measure them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xai_lib.metrics.faithfulness import (
    Instance,
    MaskedPredictor,
    Removed,
    predict_cut,
    removal_masks,
)


@dataclass(frozen=True, eq=False)
class ShareRemoval(Removed):
    """Predictions before and after a share of the features of n instances was removed.

    Attributes
    ----------
    shares
        The L shares.
    counts
        (n, L) int: the numbers of top features they stand for in each instance.
    kept
        Whether the top features are what was left, for sufficiency, and not what was removed.
    """

    shares: tuple[float, ...]
    counts: np.ndarray
    kept: bool

    @cached_property
    def aopc(self) -> np.ndarray:
        """(n,): mean of `drop` over the shares, the area over the perturbation curve.

        Of a removal it is comprehensiveness (higher is better), of what was kept sufficiency
        (lower is better). ERASER's printed formula divides by one more than the number of
        shares; its code takes the mean over the shares, and so does this.
        """
        return np.asarray(self.drop.mean(axis=1))


def share_counts(n_features: int, shares: Sequence[float]) -> tuple[int, ...]:
    """Turn shares of the features into whole numbers of them.

    Parameters
    ----------
    n_features
        Number F of features.
    shares
        Each from 0 to 1.

    Returns
    -------
    tuple of int
        Rounded up, so at least 1 wherever the share is above 0 and there is a feature.

    Raises
    ------
    ValueError
        If F is negative or a share is not from 0 to 1.
    """
    if n_features < 0:
        raise ValueError(f"n_features must be 0 or more: {n_features}")
    for share in shares:
        if not 0 <= share <= 1:
            raise ValueError(f"shares must be from 0 to 1: {share}")
    # 0.07 * 100 is a little more than 7 in floating point, and must not become 8.
    least = min(1, n_features)
    return tuple(
        max(least if share else 0, math.ceil(round(share * n_features, 9))) for share in shares
    )


def remove_shares(
    instances: Sequence[Instance],
    rankings: Mapping[str, Sequence[np.ndarray]],
    classifier: MaskedPredictor,
    shares: Sequence[float],
    removal: str = "pad",
    keep: bool = False,
) -> dict[str, ShareRemoval]:
    """Remove a share of the features of every instance, the top ones of several methods.

    All methods, shares and instances go to the black box in one call, as in
    `xai_lib.metrics.remove_top`.

    Parameters
    ----------
    instances
        n instances of one classifier.
    rankings
        For each method, n rankings as `xai_lib.metrics.removal_masks` takes them.
    classifier
        The black box.
    shares
        The shares, see `share_counts`.
    removal
        How a feature is taken out of a text.
    keep
        Keep the top features and remove all others, for sufficiency. Features that a ranking
        does not name are removed.

    Returns
    -------
    dict of str to ShareRemoval
        One result for each method, in the order given.

    Raises
    ------
    ValueError
        If there are no instances, methods or shares, a share is not from 0 to 1, or a ranking
        is missing or not valid.

    References
    ----------
    DeYoung et al., ERASER (ACL 2020), section 4. Bashier et al., LDAV (COLING 2022), section
    4.3.4, tables 5 to 7, which names shares and not how they become numbers of words.
    """
    for name, given in (("instances", instances), ("rankings", rankings), ("shares", shares)):
        if not len(given):
            raise ValueError(f"{name} must not be empty")
    counts = np.array([share_counts(one.n_features, shares) for one in instances])

    def cut(instance: Instance, ranking: np.ndarray) -> np.ndarray:
        ks = share_counts(instance.n_features, shares)
        masks = removal_masks(instance.n_features, ranking, ks)
        return ~masks if keep else masks

    original, removed = predict_cut(instances, rankings, classifier, cut, removal)
    return {
        method: ShareRemoval(original, after, tuple(map(float, shares)), counts, keep)
        for method, after in removed.items()
    }
