"""What a classifier must offer beyond answers, so that gradients of its logits can be taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from xai_lib.models.base import Classifier
from xai_lib.text import TextInstance


@dataclass(frozen=True, eq=False)
class Embedded:
    """Instances as the network reads them, padded to the longest.

    Attributes
    ----------
    embeddings
        (n, T, d) float32 word embeddings, before positions are added.
    attention
        (n, T) int64: 1 for a token, 0 for padding.
    word
        (n, T) int: index of the word of the instance that a token belongs to; negative for
        separators, special tokens and padding.
    """

    embeddings: torch.Tensor
    attention: torch.Tensor
    word: np.ndarray


@runtime_checkable
class WhiteBox(Protocol):
    """A classifier whose logits are a differentiable function of its word embeddings.

    Attributes
    ----------
    device
        Where the network is.
    calls
        Inputs sent through the black box so far; who calls `logits_from_embeddings` adds to it.
    network
        The module in evaluation mode and float32. All its non-linearities that a method has to
        hook (ReLU, Tanh) must be submodules of it, each used once in a forward pass.
    """

    device: str
    calls: int

    @property
    def network(self) -> torch.nn.Module:
        """The module that `logits_from_embeddings` runs."""
        ...

    def embed(self, instances: Sequence[TextInstance], width: int = 0) -> Embedded:
        """Look up the word embeddings of whole instances.

        They are padded to the longest of them, and on to `width` where the network can read
        that many tokens.
        """
        ...

    def padding_embedding(self) -> torch.Tensor:
        """Return the (d,) embedding that stands for no word."""
        ...

    def logits_from_embeddings(
        self, embeddings: torch.Tensor, attention: torch.Tensor
    ) -> torch.Tensor:
        """Run the network on (n, T, d) embeddings; (n, C) logits.

        Padding, where the attention is 0, must not change the logits of a text.
        """
        ...


def white_box(classifier: Classifier, method: str) -> WhiteBox:
    """Return the classifier as a white box.

    Parameters
    ----------
    classifier
        Any classifier.
    method
        Who asks.

    Returns
    -------
    WhiteBox

    Raises
    ------
    ValueError
        If the classifier gives answers only; lists the methods that need no more.
    """
    if isinstance(classifier, WhiteBox):
        return classifier
    from xai_lib.explainers import explainer_class, methods

    others = [name for name in methods() if not explainer_class(name).white_box]
    raise ValueError(
        f"The method {method!r} needs gradients, which the classifier {classifier.name!r} "
        f"({type(classifier).__name__}) does not offer. Methods that need only its answers are: "
        f"{', '.join(others)}."
    )
