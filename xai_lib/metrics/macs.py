"""Multiply-accumulates of one forward pass, from the dimensions of the network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np


class EncoderDimensions(Protocol):
    """What is read of a configuration of ``transformers``."""

    @property
    def hidden_size(self) -> int:
        """Width d."""

    @property
    def num_hidden_layers(self) -> int:
        """Number L of layers."""

    @property
    def intermediate_size(self) -> int:
        """Width m of the feed-forward part."""


def encoder_macs(
    config: EncoderDimensions,
    tokens: int | Sequence[int] | np.ndarray,
    attention: bool = True,
    pooler: bool = True,
    classes: int = 0,
) -> np.ndarray:
    """Count the multiply-accumulates of a BERT-like encoder on inputs of some length.

    Parameters
    ----------
    config
        The dimensions: d, L and m.
    tokens
        Numbers T of tokens, special ones included: one, or an array of any shape.
    attention
        Count the products between tokens, which grow with T squared.
    pooler
        Count the layer d x d on the state of the first token.
    classes
        Outputs of the classifier behind it; 0 for none.

    Returns
    -------
    numpy.ndarray
        int64 in the shape of `tokens`:
        ``L (T (4 d^2 + 2 d m) + 2 T^2 d) + d^2 + d classes``. Embeddings, biases,
        normalisation, softmax and activations count as nothing. A multiply-accumulate is two
        floating point operations.

    Raises
    ------
    ValueError
        If a number of tokens or classes is negative.

    Notes
    -----
    For BERT-base (d = 768, L = 12, m = 3072) the linear layers take 84 934 656 per token.
    """
    length = np.asarray(tokens, dtype=np.int64)
    if (length < 0).any() or classes < 0:
        raise ValueError(f"tokens and classes must not be negative: {tokens}, {classes}")
    d, inner = int(config.hidden_size), int(config.intermediate_size)
    each = length * (4 * d * d + 2 * d * inner)
    if attention:
        each = each + 2 * length**2 * d
    found = int(config.num_hidden_layers) * each + pooler * d * d + d * classes
    return np.asarray(found, dtype=np.int64)


def layers_macs(widths: Sequence[int]) -> int:
    """Count the multiply-accumulates of linear layers one behind the other.

    Parameters
    ----------
    widths
        Width of the input and of the output of each layer, such as ``(768, 512, 128, 64)``.

    Returns
    -------
    int
        For one input vector; the sum of products of neighbouring widths.

    Raises
    ------
    ValueError
        If there are fewer than two widths or one is below 1.
    """
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"widths must be at least two numbers from 1: {tuple(widths)}")
    return int(sum(a * b for a, b in pairwise(widths)))
