"""How much the top features move when an explanation is made from other perturbations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


def jaccard(first: Iterable[int], second: Iterable[int]) -> float:
    """Compute the Jaccard index of two sets of features.

    Parameters
    ----------
    first, second
        Feature indices; order and repetition do not matter.

    Returns
    -------
    float
        Size of the intersection over size of the union, from 0 to 1. Two empty sets are
        equal, so their index is 1.
    """
    a, b = {int(i) for i in first}, {int(i) for i in second}
    union = a | b
    return len(a & b) / len(union) if union else 1.0


def top_k_jaccard(first: np.ndarray, second: np.ndarray, k: int) -> float:
    """Compute the Jaccard index of the top k features of two rankings.

    Parameters
    ----------
    first, second
        Feature indices, best first.
    k
        Number of features to compare, at least 1; a shorter ranking gives all it has.

    Returns
    -------
    float
        From 0 to 1; 1 for two empty rankings.

    Raises
    ------
    ValueError
        If k is below 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1: {k}")
    return jaccard(first[:k], second[:k])


@dataclass(frozen=True, eq=False)
class AngleJaccard:
    """The three curves of LIPEx's figure 5, before averaging over the n texts.

    Attributes
    ----------
    lime
        (n, D): top features of LIME on perturbations within the angle, against LIME on all.
    lipex
        (n, D): the same for LIPEx.
    lipex_vs_lime
        (n, D): top features of LIPEx within the angle, against LIME on all perturbations.
    """

    lime: np.ndarray
    lipex: np.ndarray
    lipex_vs_lime: np.ndarray


def angle_jaccard(
    lime: Sequence[np.ndarray],
    lipex: Sequence[np.ndarray],
    restricted_lime: Sequence[Sequence[np.ndarray]],
    restricted_lipex: Sequence[Sequence[np.ndarray]],
    k: int = 5,
) -> AngleJaccard:
    """Compare top features found with and without a limit on the perturbations' angle.

    Parameters
    ----------
    lime, lipex
        For each of n texts the ranking of its features for the predicted class, from the
        unrestricted perturbations.
    restricted_lime, restricted_lipex
        For each text, D rankings: one for each angle. All rankings of a text index the same
        features.
    k
        Number of top features to compare. The paper does not give it; 5 fits its other numbers.

    Returns
    -------
    AngleJaccard
        Three (n, D) arrays.

    Raises
    ------
    ValueError
        If there are no texts, the lists differ in length, or k is below 1.

    References
    ----------
    Zhu et al., LIPEx (arXiv:2310.04856v2), algorithm 2, lines 11 to 13, figure 5.
    """
    lengths = {len(part) for part in (lime, lipex, restricted_lime, restricted_lipex)}
    if lengths == {0}:
        raise ValueError("lime must not be empty")
    if len(lengths) > 1:
        raise ValueError(f"every list must have one entry for each text; lengths {lengths}")
    angles = {len(part) for text in (restricted_lime, restricted_lipex) for part in text}
    if len(angles) > 1:
        raise ValueError(f"every text must have one ranking for each angle; numbers {angles}")

    def against(
        restricted: Sequence[Sequence[np.ndarray]], reference: Sequence[np.ndarray]
    ) -> np.ndarray:
        rows = [
            [top_k_jaccard(ranking, whole, k) for ranking in text]
            for text, whole in zip(restricted, reference, strict=True)
        ]
        return np.array(rows, dtype=np.float64)

    return AngleJaccard(
        lime=against(restricted_lime, lime),
        lipex=against(restricted_lipex, lipex),
        lipex_vs_lime=against(restricted_lipex, lime),
    )
