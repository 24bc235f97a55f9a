"""Damage the last layer of a black box by noise, and see what its predictions do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xai_lib.metrics.fidelity import total_variation


def distort_head(
    weight: np.ndarray,
    bias: np.ndarray | None,
    sigma: float,
    rng: np.random.Generator,
    include_bias: bool = False,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Add Gaussian noise to every weight of a linear layer.

    Parameters
    ----------
    weight
        (C, d) weights of the last layer.
    bias
        (C,) biases, or None for a layer without.
    sigma
        Standard deviation of the noise, in the weights' unit; 0 changes nothing.
    rng
        The generator of the noise. Generators of the same state draw the same noise up to the
        factor `sigma`, so a curve over sigma moves along one direction and stays smooth.
    include_bias
        Add noise to the biases too. They stay as they are by default: the paper speaks of
        weights.

    Returns
    -------
    tuple
        New weights (C, d) and biases (C,) in float64; the inputs are not changed.

    Raises
    ------
    ValueError
        If sigma is negative or not finite, or the shapes do not fit.

    References
    ----------
    Zhu et al., LIPEx (arXiv:2310.04856v2), test 2, figure 4.
    """
    if not (np.isfinite(sigma) and sigma >= 0):
        raise ValueError(f"sigma must be a finite standard deviation, 0 or more: {sigma}")
    weight, bias = _head(weight, bias)
    noisy = weight + sigma * rng.standard_normal(weight.shape)
    if bias is not None and include_bias:
        bias = bias + sigma * rng.standard_normal(bias.shape)
    return noisy, bias


def _head(weight: np.ndarray, bias: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    weight = np.asarray(weight, dtype=np.float64)
    if weight.ndim != 2 or weight.shape[0] == 0:
        raise ValueError(f"weight must have shape (C, d) with C > 0: {weight.shape}")
    if bias is None:
        return weight, None
    bias = np.asarray(bias, dtype=np.float64)
    if bias.shape != weight.shape[:1]:
        raise ValueError(f"bias must have shape ({weight.shape[0]},): {bias.shape}")
    return weight, bias


def head_probabilities(
    features: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None
) -> np.ndarray:
    """Compute the class probabilities of a linear layer with softmax.

    Parameters
    ----------
    features
        (n, d) inputs of the black box's last layer, computed once and kept.
    weight, bias
        The layer, (C, d) and (C,).

    Returns
    -------
    numpy.ndarray
        (n, C) float64 rows of ``softmax(features @ weight.T + bias)``.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    weight, bias = _head(weight, bias)
    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 2 or features.shape[1] != weight.shape[1]:
        raise ValueError(f"features must have shape (n, {weight.shape[1]}): {features.shape}")
    logits = features @ weight.T
    if bias is not None:
        logits = logits + bias
    # Without this shift a strongly distorted layer overflows.
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


@dataclass(frozen=True, eq=False)
class Distortion:
    """Predictions under S noise levels, R draws of the noise each, for n texts.

    Attributes
    ----------
    sigmas
        (S,) standard deviations of the noise.
    correct
        (S, R, n) bool: whether the damaged layer predicts the label.
    total_variation
        (S, R, n): distance between the damaged layer's probabilities and the original ones.
    """

    sigmas: np.ndarray
    correct: np.ndarray
    total_variation: np.ndarray


def distortion_curve(
    features: np.ndarray,
    labels: np.ndarray,
    original: tuple[np.ndarray, np.ndarray | None],
    damaged: dict[float, list[tuple[np.ndarray, np.ndarray | None]]],
) -> Distortion:
    """Measure accuracy and change of the predictions for damaged layers.

    Parameters
    ----------
    features
        (n, d) inputs of the last layer for n texts.
    labels
        (n,) gold class indices.
    original
        The undamaged weights and biases.
    damaged
        For each sigma its R damaged layers, as `distort_head` returns them. They are given and
        not drawn here, so that an explainer can be refitted on the very same layers.

    Returns
    -------
    Distortion
        For every sigma, draw and text; average, with an interval, as the figure needs.

    Raises
    ------
    ValueError
        If there are no texts or layers, the labels do not fit, or the sigmas have different
        numbers of draws.

    References
    ----------
    Zhu et al., LIPEx (arXiv:2310.04856v2), test 2, figure 4.
    """
    features, labels = np.asarray(features), np.asarray(labels)
    if not len(features):
        raise ValueError("features must not be empty")
    if labels.shape != (len(features),):
        raise ValueError(f"labels must have shape ({len(features)},): {labels.shape}")
    draws = {len(heads) for heads in damaged.values()}
    if len(draws) != 1 or 0 in draws:
        raise ValueError(f"every sigma needs the same number of damaged layers: {sorted(draws)}")
    before = head_probabilities(features, *original)
    after = np.array(
        [
            [head_probabilities(features, weight, bias) for weight, bias in heads]
            for heads in damaged.values()
        ]
    )
    return Distortion(
        sigmas=np.array(list(damaged), dtype=np.float64),
        correct=np.argmax(after, axis=-1) == labels,
        total_variation=total_variation(after, np.broadcast_to(before, after.shape)),
    )
