"""How much accuracy a classifier loses when the words that explain its answers are removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xai_lib.metrics.faithfulness import Removal
from xai_lib.rng import generator
from xai_lib.text import TextInstance


@dataclass(frozen=True, eq=False)
class DeltaAccuracy:
    """Loss of accuracy of n texts for each number k of removed features.

    Attributes
    ----------
    values
        (n, K) float64 of each text: 1 where the removal turned a right answer into a wrong one,
        -1 where it turned a wrong one into a right one, else 0.
    ks
        The K numbers of removed features.
    """

    values: np.ndarray
    ks: tuple[int, ...]

    @cached_property
    def curve(self) -> np.ndarray:
        """(K,): accuracy on the whole texts minus accuracy without their top k features."""
        return self.values.mean(axis=0)

    @cached_property
    def of_texts(self) -> np.ndarray:
        """(n,): mean over k for each text, for intervals and paired tests."""
        return self.values.mean(axis=1)

    @property
    def mean(self) -> float:
        """Mean of the curve over the ks that were asked for."""
        return float(self.values.mean())

    def beyond(self, baselines: Sequence[DeltaAccuracy]) -> DeltaAccuracy:
        """Subtract the mean of other removals of the same texts, such as random ones.

        Parameters
        ----------
        baselines
            At least one, with the same texts and ks.

        Returns
        -------
        DeltaAccuracy
            Its values are no longer whole numbers.

        Raises
        ------
        ValueError
            If there is none, or texts or ks differ.
        """
        if not baselines:
            raise ValueError("baselines must not be empty")
        for other in baselines:
            if other.ks != self.ks or other.values.shape != self.values.shape:
                raise ValueError(
                    f"a baseline has {len(other.values)} texts and ks {other.ks}, "
                    f"not {len(self.values)} and {self.ks}"
                )
        floor = np.mean([other.values for other in baselines], axis=0)
        return DeltaAccuracy(self.values - floor, self.ks)


def accuracy_loss(
    original: np.ndarray, probabilities: np.ndarray, labels: np.ndarray | None = None
) -> np.ndarray:
    """Compare answers with labels before and after a removal.

    Parameters
    ----------
    original
        (n, C) probabilities of the whole texts.
    probabilities
        (n, K, C) probabilities after each of K removals.
    labels
        (n,) int gold classes; None for the classes predicted on the whole texts, for which
        the loss is the share of changed predictions.

    Returns
    -------
    (n, K) float64 array
        1, 0 or -1, see `DeltaAccuracy`. Ties go to the lowest class index.

    Raises
    ------
    ValueError
        If there are no texts or removals, shapes do not fit, or a label is no class.
    """
    original, probabilities = np.asarray(original), np.asarray(probabilities)
    if original.ndim != 2 or probabilities.ndim != 3 or not probabilities.size:
        raise ValueError(
            "original must have shape (n, C) and probabilities (n, K, C), none of them 0: "
            f"{original.shape}, {probabilities.shape}"
        )
    n, n_classes = original.shape
    if (probabilities.shape[0], probabilities.shape[2]) != (n, n_classes):
        raise ValueError(
            f"original and probabilities do not fit: {original.shape}, {probabilities.shape}"
        )
    before = np.argmax(original, axis=-1)
    gold = before if labels is None else np.asarray(labels)
    if gold.shape != (n,) or not np.issubdtype(gold.dtype, np.integer):
        raise ValueError(f"labels must be {n} whole numbers: {gold.dtype} of shape {gold.shape}")
    if gold.min() < 0 or gold.max() >= n_classes:
        raise ValueError(f"labels must be from 0 to {n_classes - 1}: {gold}")
    after = np.argmax(probabilities, axis=-1)
    return (before == gold)[:, None].astype(float) - (after == gold[:, None])


def delta_accuracy(removal: Removal, labels: np.ndarray | None = None) -> DeltaAccuracy:
    """Compute Delta Accuracy of a removal of top features.

    Parameters
    ----------
    removal
        From `remove_top`; what stands for a removed word was decided there.
    labels
        (n,) gold classes, for the loss of accuracy; None for the model's own predictions, the
        form that is about the model alone.

    Returns
    -------
    DeltaAccuracy
        A text with fewer than k features has lost all of them.

    Raises
    ------
    ValueError
        As `accuracy_loss`.

    References
    ----------
    Yang et al., MASE (arXiv:2512.04386v1), abstract, where it has a name but no formula. This
    reading follows the name; the other one that cannot be excluded is the loss beyond that of
    random removal, see `DeltaAccuracy.beyond`.
    """
    return DeltaAccuracy(accuracy_loss(removal.original, removal.probabilities, labels), removal.ks)


def random_rankings(instances: Sequence[TextInstance], seed: int = 0) -> list[np.ndarray]:
    """Order the features of each text by chance, as a baseline for `remove_top`.

    Parameters
    ----------
    instances
        The texts.
    seed
        Another seed gives another order; an order depends on the text and the seed only.

    Returns
    -------
    list of (F,) int arrays
    """
    return [
        generator(seed, "random ranking", one.read_text, one.group).permutation(one.n_features)
        for one in instances
    ]
