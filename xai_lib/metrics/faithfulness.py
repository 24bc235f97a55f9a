"""What the black box says once the features that an explanation ranks first are removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

KS = (1, 2, 3, 4, 5)
LEAST_PROBABILITY = 1e-12


class Instance(Protocol):
    """Anything whose features can be switched off: a text, later an image."""

    @property
    def n_features(self) -> int:
        """Number F of features."""


class MaskedPredictor(Protocol):
    """The one thing that a metric needs from a black box."""

    def predict_masked(self, instances: Any, masks: Any, removal: str, /) -> Any:
        """Predict many instances under their (m, F) masks: a list of (m, C) probabilities."""


@dataclass(frozen=True, eq=False)
class Removed:
    """Predictions before and after n instances lost features, at L levels of removal.

    Attributes
    ----------
    original
        (n, C) probabilities of the whole instances.
    probabilities
        (n, L, C) probabilities after each removal.
    """

    original: np.ndarray
    probabilities: np.ndarray

    @cached_property
    def predicted(self) -> np.ndarray:
        """(n,) int: class predicted on the whole instance; ties go to the lowest class index."""
        return np.argmax(self.original, axis=-1)

    @cached_property
    def changed(self) -> np.ndarray:
        """(n, L) bool: whether the predicted class is another one after the removal."""
        return np.argmax(self.probabilities, axis=-1) != self.predicted[:, None]

    @cached_property
    def retained(self) -> np.ndarray:
        """(n, L) bool: whether it is the same; the mean over instances is LDAV's degradation score.

        Bashier et al., LDAV (COLING 2022), equation 6. Lower is better: the equation counts
        agreement, though the text around it speaks of a drop.
        """
        return ~self.changed

    @cached_property
    def drop(self) -> np.ndarray:
        """(n, L): fall of the predicted class's probability; negative where it rises."""
        before, after = self._of_predicted
        return before - after

    @cached_property
    def log_ratio(self) -> np.ndarray:
        """(n, L): log of the predicted class's probability after the removal over that before.

        Bashier et al., LDAV (COLING 2022), equation 7, which calls it log-odds although no
        odds occur in it. Lower is better. Probabilities below 1e-12 count as 1e-12.
        """
        before, after = (np.log(np.maximum(p, LEAST_PROBABILITY)) for p in self._of_predicted)
        return after - before

    @cached_property
    def _of_predicted(self) -> tuple[np.ndarray, np.ndarray]:
        """(n, 1) and (n, L): the predicted class's probability before and after."""
        before = np.take_along_axis(self.original, self.predicted[:, None], axis=1)
        index = self.predicted[:, None, None]
        return before, np.take_along_axis(self.probabilities, index, axis=2)[..., 0]


@dataclass(frozen=True, eq=False)
class Removal(Removed):
    """Predictions before and after the top k features of n instances were removed.

    Attributes
    ----------
    ks
        The L numbers of removed features.
    """

    ks: tuple[int, ...]


def removal_masks(n_features: int, ranking: np.ndarray, ks: Sequence[int] = KS) -> np.ndarray:
    """Make the masks that switch off the top k features of a ranking.

    Parameters
    ----------
    n_features
        Number F of features of the instance.
    ranking
        Distinct feature indices, best first. It may hold fewer than F of them (only those with
        a positive weight, say); features it does not name are never removed.
    ks
        Numbers of features to remove, each 0 or more.

    Returns
    -------
    numpy.ndarray
        (len(ks), F) bool, False where a feature is removed. A k beyond the length of the
        ranking removes all that it names.

    Raises
    ------
    ValueError
        If the ranking repeats an index or leaves 0..F-1, or a k is negative or not whole.
    """
    ranking = np.asarray(ranking)
    if ranking.ndim != 1 or (ranking.size and not np.issubdtype(ranking.dtype, np.integer)):
        raise ValueError(f"ranking must be a one-dimensional array of feature indices: {ranking!r}")
    ranking = ranking.astype(np.intp)
    if ranking.size and (ranking.min() < 0 or ranking.max() >= n_features):
        raise ValueError(f"ranking must hold indices from 0 to {n_features - 1}: {ranking}")
    if len(np.unique(ranking)) != len(ranking):
        raise ValueError(f"ranking names a feature twice: {ranking}")
    masks = np.ones((len(ks), n_features), dtype=bool)
    for row, k in zip(masks, ks, strict=True):
        if k != int(k) or k < 0:
            raise ValueError(f"ks must be whole numbers of features, 0 or more: {k}")
        row[ranking[: int(k)]] = False
    return masks


def remove_top(
    instances: Sequence[Instance],
    rankings: Mapping[str, Sequence[np.ndarray]],
    classifier: MaskedPredictor,
    ks: Sequence[int] = KS,
    removal: str = "drop",
) -> dict[str, Removal]:
    """Remove the top k features of every instance, as several methods rank them.

    All methods, numbers of features and instances go to the black box in one call, so batches
    fill across instances; the whole instance is predicted once for all methods, and a set of
    words that two methods agree on costs one prediction.

    Parameters
    ----------
    instances
        n instances of one classifier.
    rankings
        For each method, n rankings as `removal_masks` takes them.
    classifier
        The black box.
    ks
        Numbers of features to remove.
    removal
        How a feature is taken out of a text.

    Returns
    -------
    dict of str to Removal
        One result for each method, in the order given; `Removal.original` is shared.

    Raises
    ------
    ValueError
        If there are no instances, no methods or no ks, if a method has not one ranking for
        each instance, or if a ranking is not valid for its instance.

    References
    ----------
    Zhu et al., LIPEx (arXiv:2310.04856v2), tables 1, 2 and 4. DeYoung et al., ERASER (ACL
    2020), comprehensiveness: `Removal.drop`.
    """
    for name, given in (("instances", instances), ("rankings", rankings), ("ks", ks)):
        if not len(given):
            raise ValueError(f"{name} must not be empty")

    def cut(instance: Instance, ranking: np.ndarray) -> np.ndarray:
        return removal_masks(instance.n_features, ranking, ks)

    original, removed = predict_cut(instances, rankings, classifier, cut, removal)
    counts = tuple(int(k) for k in ks)
    return {method: Removal(original, after, counts) for method, after in removed.items()}


def predict_cut(
    instances: Sequence[Instance],
    rankings: Mapping[str, Sequence[np.ndarray]],
    classifier: MaskedPredictor,
    cut: Callable[[Any, np.ndarray], np.ndarray],
    removal: str,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Predict n instances whole and cut as each method ranks their features, in one call.

    Parameters
    ----------
    instances, rankings, classifier, removal
        As in `remove_top`.
    cut
        Makes the (L, F) masks of an instance and a ranking; L is the same for all.

    Returns
    -------
    original : numpy.ndarray
        (n, C) probabilities of the whole instances.
    removed : dict of str to numpy.ndarray
        (n, L, C) probabilities for each method.

    Raises
    ------
    ValueError
        If a method has not one ranking for each instance, or a ranking is not valid.
    """
    for method, ranked in rankings.items():
        if len(ranked) != len(instances):
            raise ValueError(
                f"rankings[{method!r}] has {len(ranked)} rankings for {len(instances)} instances"
            )
    masks = []
    for i, instance in enumerate(instances):
        whole = np.ones((1, instance.n_features), dtype=bool)
        masks.append(np.concatenate([whole, *(cut(instance, r[i]) for r in rankings.values())]))
    predictions = np.stack(classifier.predict_masked(list(instances), masks, removal))
    levels = (predictions.shape[1] - 1) // len(rankings)
    return predictions[:, 0], {
        method: predictions[:, 1 + j * levels : 1 + (j + 1) * levels]
        for j, method in enumerate(rankings)
    }


def prediction_change(
    instances: Sequence[Instance],
    rankings: Sequence[np.ndarray],
    classifier: MaskedPredictor,
    ks: Sequence[int] = KS,
    removal: str = "drop",
) -> np.ndarray:
    """Tell whether the predicted class changes when the top k features are removed.

    Parameters
    ----------
    instances, classifier, ks, removal
        As in `remove_top`, which also compares several methods at the cost of one call.
    rankings
        One ranking for each instance.

    Returns
    -------
    numpy.ndarray
        (n, len(ks)) bool; its mean over instances is a cell of LIPEx's table 1. An instance
        with fewer than k features loses all of them; equal probabilities go to the lowest
        class index.

    Raises
    ------
    ValueError
        As `remove_top`.

    References
    ----------
    Zhu et al., LIPEx (arXiv:2310.04856v2), section 4, tables 1 and 4.
    """
    return remove_top(instances, {"ranking": rankings}, classifier, ks, removal)["ranking"].changed
