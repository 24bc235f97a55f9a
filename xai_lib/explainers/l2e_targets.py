"""What an L2E student learns: labels of words or their order, and the two losses."""

from __future__ import annotations

import numpy as np
import torch

FORMULATIONS = ("ranking", "labelling")
TIES = ("symmetric", "first")
# The labels of a word, lowest first; the student has one output for each.
SCHEMES: dict[str, tuple[int, ...]] = {"five": (-2, -1, 0, 1, 2), "three": (0, 1, 2)}

# Equal weights have a mean that differs from them in the last digits.
_ROUNDING = 1e-12


def _checked(weights: np.ndarray) -> np.ndarray:
    found = np.asarray(weights, dtype=np.float64)
    if found.ndim != 1:
        raise ValueError(f"The weights of a text must have one dimension, got {found.ndim}.")
    if not np.isfinite(found).all():
        raise ValueError(f"Weights must be finite numbers, got {found[~np.isfinite(found)][0]}.")
    return found


def labels_of_weights(weights: np.ndarray) -> np.ndarray:
    """Turn the weights of one text into five labels (the function h of the paper).

    Parameters
    ----------
    weights
        (W,) weights of the words of a text.

    Returns
    -------
    (W,) int64 array
        With m the mean of the text's negative weights and M that of its positive ones: -2 where
        w < m, -1 where m <= w < 0, 0 where w = 0, 1 where 0 < w <= M, 2 where w > M. So a sign
        that only one word has, or that all words have to the same extent, gets the low label.

    Raises
    ------
    ValueError
        If a weight is not finite.

    References
    ----------
    Situ et al. (2021), section 3.2; the bounds are those of the released code.
    """
    weights = _checked(weights)
    labels = np.sign(weights).astype(np.int64)
    for sign in (-1, 1):
        own = weights * sign > 0
        if own.any():
            mean = np.abs(weights[own]).mean()
            labels[own & (np.abs(weights) > mean * (1 + _ROUNDING))] = 2 * sign
    return labels


def lrp_labels(weights: np.ndarray) -> np.ndarray:
    """Turn the weights of one text into the three labels that the paper gives LRP's.

    Parameters
    ----------
    weights
        (W,) weights of the words of a text; those of the paper's LRP are not negative.

    Returns
    -------
    (W,) int64 array
        With m the mean and s the (population) standard deviation of the text's weights: 2 (high)
        where w >= m + s, 1 (medium) where m - s <= w < m + s, 0 (low) below. The numbers are
        chosen so that, as among the five labels, 2 is what counts as important. Weights that are
        all equal are all high: s is 0.

    Raises
    ------
    ValueError
        If a weight is not finite.

    References
    ----------
    The released code of Situ et al. (2021); the paper prints no bounds.
    """
    weights = _checked(weights)
    if not len(weights):
        return np.zeros(0, dtype=np.int64)
    mean, spread = weights.mean(), weights.std()
    slack = _ROUNDING * np.abs(weights).max()
    high, low = weights >= mean + spread - slack, weights < mean - spread - slack
    return np.where(high, 2, np.where(low, 0, 1)).astype(np.int64)


def discretised(weights: np.ndarray, scheme: str = "five") -> np.ndarray:
    """Turn the weights of one text into labels.

    Parameters
    ----------
    weights
        (W,) weights.
    scheme
        ``"five"`` for `labels_of_weights`, ``"three"`` for `lrp_labels`.

    Returns
    -------
    (W,) int64 array
        Values of ``SCHEMES[scheme]``.

    Raises
    ------
    ValueError
        If the scheme is unknown or a weight is not finite.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"Unknown scheme {scheme!r}. Valid schemes are: {', '.join(SCHEMES)}.")
    return labels_of_weights(weights) if scheme == "five" else lrp_labels(weights)


def ranks_of_weights(weights: np.ndarray) -> np.ndarray:
    """Number the sizes of weights from 0, the smallest, so that ties stay ties.

    Parameters
    ----------
    weights
        (W,) weights; their sign does not matter.

    Returns
    -------
    (W,) int64 array
        Equal sizes have one number. To `ranking_loss` it says the same as the weights.
    """
    ranks: np.ndarray = np.unique(np.abs(_checked(weights)), return_inverse=True)[1]
    return ranks.astype(np.int64)


def ranking_loss(
    scores: torch.Tensor,
    weights: torch.Tensor,
    mask: torch.Tensor | None = None,
    ties: str = "symmetric",
) -> torch.Tensor:
    """Compute the pairwise ranking loss of each text.

    Parameters
    ----------
    scores
        (n, W) scores v of the student.
    weights
        (n, W) weights w of the teacher; only the order of their sizes matters.
    mask
        (n, W) bool, false for padding; default all true.
    ties
        What two words of equal size cost: ``"symmetric"``, the mean of the losses of both
        orders, at least log 2 and least where their scores are equal; or ``"first"``, the loss
        with the first word above the second, as in the released code, which thereby teaches the
        order of the words. (The constant that the code adds is left out; it moves nothing.)

    Returns
    -------
    (n,) tensor
        Sum over pairs i < j of -log(e^v_k / (e^v_i + e^v_j)), k being the one with the larger
        |w|, divided by the number of words of the text. 0 for a text of one word or none.

    Raises
    ------
    ValueError
        If `ties` is unknown.

    References
    ----------
    Situ et al. (2021), section 3.1. The paper prints no division; the released code divides.
    """
    if ties not in TIES:
        raise ValueError(f"Unknown ties {ties!r}. Valid are: {', '.join(TIES)}.")
    if mask is None:
        mask = torch.ones_like(scores, dtype=torch.bool)
    size = weights.abs()
    first, second = size[:, :, None], size[:, None, :]
    equal = 0.5 if ties == "symmetric" else 1.0
    # The probability that the first of a pair should be above the second; the loss of a pair is
    # then the cross-entropy of the difference of their scores.
    above = torch.where(first == second, equal, (first > second).to(scores.dtype))
    pairs = torch.triu(mask[:, :, None] & mask[:, None, :], diagonal=1)
    # Padding may hold anything, also what is not finite.
    clean = torch.where(mask, scores, torch.zeros_like(scores))
    each = torch.nn.functional.binary_cross_entropy_with_logits(
        clean[:, :, None] - clean[:, None, :], above.to(scores.dtype), reduction="none"
    )
    total = torch.where(pairs, each, torch.zeros_like(each)).sum(dim=(1, 2))
    return total / mask.sum(dim=1).clamp(min=1)


def labelling_loss(
    logits: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """Compute the sequence labelling loss of each text.

    Parameters
    ----------
    logits
        (n, W, L), one for each label.
    labels
        (n, W) int: index of the right label, 0 to L - 1.
    mask
        (n, W) bool, false for padding, whose labels must be valid all the same; default all true.

    Returns
    -------
    (n,) tensor
        Sum over the words of a text of -log Pr(label).

    References
    ----------
    Situ et al. (2021), section 3.2.
    """
    each = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    if mask is not None:
        each = torch.where(mask, each, torch.zeros_like(each))
    return each.sum(dim=1)


def scores_of_logits(logits: np.ndarray, scheme: str = "five") -> np.ndarray:
    """Turn the logits of labels into one number for each word.

    Parameters
    ----------
    logits
        (W, L).
    scheme
        Names the L labels.

    Returns
    -------
    (W,) float64 array
        a + 0.49 (e - a) / r with a the most probable label, e the expected one, and r the
        distance of the highest and the lowest label: rounding gives a, and words of one label
        are in the order of their expected labels.
    """
    values = np.array(SCHEMES[scheme], dtype=np.float64)
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    expected = shifted @ values / shifted.sum(axis=1)
    best = values[logits.argmax(axis=1)]
    found: np.ndarray = best + 0.49 * (expected - best) / (values[-1] - values[0])
    return found
