"""How closely a surrogate's class probabilities follow those of the black box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xai_lib.matrix_explanation import MatrixExplanation
from xai_lib.metrics.faithfulness import KS, Instance, MaskedPredictor, removal_masks


def _pair(p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    p, q = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    if p.shape != q.shape or p.ndim == 0 or p.shape[-1] == 0:
        raise ValueError(f"p and q must have one shape (..., C) with C > 0: {p.shape}, {q.shape}")
    if not (np.isfinite(p).all() and np.isfinite(q).all()):
        raise ValueError("p and q must be finite")
    return p, q


def total_variation(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Compute the total variation distance between rows of probabilities.

    Parameters
    ----------
    p, q
        (..., C) arrays of one shape. Rows that are no distributions are allowed (a linear
        surrogate's are not); the result is then half their L1 distance and can exceed 1.

    Returns
    -------
    numpy.ndarray
        (...) values of ``sum_c |p_c - q_c| / 2``, between 0 and 1 for distributions.

    Raises
    ------
    ValueError
        If the shapes differ or a value is not finite.
    """
    p, q = _pair(p, q)
    return 0.5 * np.abs(p - q).sum(axis=-1)


def hellinger2(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Compute the squared Hellinger distance between rows of probabilities.

    Parameters
    ----------
    p, q
        (..., C) arrays of one shape, not negative.

    Returns
    -------
    numpy.ndarray
        (...) values of ``sum_c (sqrt(p_c) - sqrt(q_c))**2 / 2``, between 0 and 1 for
        distributions, for which it equals ``1 - sum_c sqrt(p_c q_c)``.

    Raises
    ------
    ValueError
        If the shapes differ or a value is negative or not finite.

    References
    ----------
    Zhu et al., LIPEx (arXiv:2310.04856v2), equation 6.
    """
    p, q = _pair(p, q)
    if (p < 0).any() or (q < 0).any():
        raise ValueError("p and q must not be negative")
    return 0.5 * ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=-1)


def clip_to_distribution(values: np.ndarray) -> np.ndarray:
    """Make rows of any numbers into distributions: cut off below 0, then divide by the sum.

    Parameters
    ----------
    values
        (..., C) finite numbers, such as the predictions of a linear surrogate.

    Returns
    -------
    numpy.ndarray
        (..., C) distributions; a row without any positive value becomes uniform.
    """
    clipped = np.clip(np.asarray(values, dtype=np.float64), 0.0, None)
    total = clipped.sum(axis=-1, keepdims=True)
    uniform = np.full_like(clipped, 1.0 / clipped.shape[-1])
    return np.divide(clipped, total, out=uniform, where=total > 0)


def _surrogate(explanation: MatrixExplanation, masks: np.ndarray) -> np.ndarray:
    values = np.asarray(explanation.surrogate(masks), dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(
            f"the surrogate of {explanation.method!r} has no finite value for every class; "
            "this metric needs a method that explains all classes"
        )
    return values


def tv_at_input(explanations: Sequence[MatrixExplanation], normalise: bool = False) -> np.ndarray:
    """Compute the total variation between surrogate and black box at the whole input.

    Parameters
    ----------
    explanations
        n explanations whose method fits a surrogate for all classes.
    normalise
        Make the surrogate's row a distribution first (`clip_to_distribution`). Without effect
        on LIPEx; LIME's linear surrogate needs it to be compared on equal terms, because its
        rows can be negative and sum to another number than 1.

    Returns
    -------
    numpy.ndarray
        (n,) distances between the surrogate with every feature on and the black box's
        probabilities stored in the explanation.

    Raises
    ------
    ValueError
        If there are no explanations, or one has no surrogate for every class.

    References
    ----------
    Zhu et al., LIPEx (arXiv:2310.04856v2), test 1, figure 3.
    """
    if not len(explanations):
        raise ValueError("explanations must not be empty")
    ones = [np.ones((1, e.n_features), dtype=bool) for e in explanations]
    fitted = np.concatenate([_surrogate(e, m) for e, m in zip(explanations, ones, strict=True)])
    if normalise:
        fitted = clip_to_distribution(fitted)
    return total_variation(fitted, np.stack([e.probabilities for e in explanations]))


def reprediction_match(
    explanations: Sequence[MatrixExplanation],
    instances: Sequence[Instance],
    classifier: MaskedPredictor,
    ks: Sequence[int] = KS,
    removal: str = "drop",
) -> np.ndarray:
    """Tell whether surrogate and black box agree on the class once the top k are removed.

    The removed features are the explanation's own, by absolute weight for the predicted class.

    Parameters
    ----------
    explanations
        n explanations whose method fits a surrogate for all classes.
    instances
        The n instances they explain, with the same features.
    classifier
        The black box; asked once for everything.
    ks
        Numbers of features to remove.
    removal
        How a feature is taken out of a text.

    Returns
    -------
    numpy.ndarray
        (n, len(ks)) bool. Equal values go to the lowest class index on both sides: a LIPEx
        surrogate without bias is uniform, so says class 0, when all its features are gone.

    Raises
    ------
    ValueError
        If there are no explanations or ks, the numbers of explanations and instances or of
        their features differ, or an explanation has no surrogate for every class.

    References
    ----------
    Zhu et al., LIPEx (arXiv:2310.04856v2), test 4, table 3.
    """
    for name, given in (("explanations", explanations), ("ks", ks)):
        if not len(given):
            raise ValueError(f"{name} must not be empty")
    if len(explanations) != len(instances):
        raise ValueError(f"{len(explanations)} explanations for {len(instances)} instances")
    masks = []
    for explanation, instance in zip(explanations, instances, strict=True):
        if explanation.n_features != instance.n_features:
            raise ValueError(
                f"an explanation of {explanation.n_features} features was given for an instance "
                f"of {instance.n_features}: {explanation!r:.120}"
            )
        masks.append(removal_masks(instance.n_features, explanation.ranking(), ks))
    black_box = np.stack(classifier.predict_masked(list(instances), masks, removal))
    fitted = np.stack([_surrogate(e, m) for e, m in zip(explanations, masks, strict=True)])
    return np.argmax(fitted, axis=-1) == np.argmax(black_box, axis=-1)
