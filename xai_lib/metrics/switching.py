"""How many words have to go, most important first, before the black box changes its mind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xai_lib.metrics.faithfulness import Instance, MaskedPredictor, Removal, remove_top


@dataclass(frozen=True, eq=False)
class Switching:
    """Where the predicted class of n instances switches.

    Attributes
    ----------
    points
        (n,) float64: number of features removed when the class first is another one, over the
        number of features; 1.0 where it never is. Lower is better.
    counts
        (n,) int: that number of features; all of them where the class never switches.
    switched
        (n,) bool: whether it switches at all. A text whose class switches only with its last
        word has the point 1.0 too, and a class that no word supports never switches: say how
        many there are.
    """

    points: np.ndarray
    counts: np.ndarray
    switched: np.ndarray


def switching_points(removal: Removal, n_features: Sequence[int] | np.ndarray) -> Switching:
    """Find the switching points in a removal of one feature after another.

    Parameters
    ----------
    removal
        From `xai_lib.metrics.remove_top` with ks 1, 2, ... up to the largest number of features.
    n_features
        (n,) int numbers of features of the instances.

    Returns
    -------
    Switching
        A text without features never switches. A class that switches back later has switched.

    Raises
    ------
    ValueError
        If there is not one number for each instance, or ks are not 1, 2, ... up to the largest.

    References
    ----------
    Nguyen, Comparing automatic and human evaluation of local explanations for text
    classification (NAACL 2018). Bashier et al., LDAV (COLING 2022), section 4.3.3, tables 4 and
    8, which does not say what counts where the class never switches.
    """
    sizes = np.asarray(n_features)
    if sizes.shape != (len(removal.original),):
        raise ValueError(
            f"n_features must have one number for each of {len(removal.original)} instances: "
            f"shape {sizes.shape}"
        )
    wanted = tuple(range(1, max(1, int(sizes.max(initial=0))) + 1))
    if removal.ks != wanted:
        raise ValueError(f"ks must be 1, 2, ... up to {wanted[-1]}: {removal.ks}")
    # Beyond its last feature an instance keeps its last answer, so a first change is before it.
    switched = np.asarray(removal.changed.any(axis=1))
    counts = np.where(switched, removal.changed.argmax(axis=1) + 1, sizes)
    points = np.where(switched, counts / np.maximum(sizes, 1), 1.0)
    return Switching(points, counts, switched)


def remove_each(
    instances: Sequence[Instance],
    rankings: Mapping[str, Sequence[np.ndarray]],
    classifier: MaskedPredictor,
    removal: str = "pad",
) -> dict[str, Removal]:
    """Remove the features of every instance one after another, as several methods rank them.

    Parameters
    ----------
    instances, rankings, classifier, removal
        As in `xai_lib.metrics.remove_top`, which does it in one call to the black box.

    Returns
    -------
    dict of str to Removal
        With ks 1, 2, ... up to the largest number of features, for `switching_points`; its
        `retained` and `log_ratio` are LDAV's two curves.

    Raises
    ------
    ValueError
        As `xai_lib.metrics.remove_top`.
    """
    most = max([1, *(one.n_features for one in instances)])
    return remove_top(instances, rankings, classifier, range(1, most + 1), removal)
