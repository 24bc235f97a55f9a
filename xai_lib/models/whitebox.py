"""What a classifier must offer beyond answers, so that gradients of its logits can be taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from xai_lib.models.base import Classifier, refusal
from xai_lib.text import TextInstance


@dataclass(frozen=True, eq=False)
class Embedded:
    """Instances as the network reads them, padded to the longest.

    Attributes
    ----------
    embeddings
        (n, T, d) float32 word embeddings, before positions are added.
    attention
        (n, T) int64: 1 for a token, 0 for padding. Where the network reads pairs of texts, 2 for
        a token of the second.
    word
        (n, T) int: index of the word of the instance that a token belongs to; negative for
        separators, special tokens and padding.
    """

    embeddings: torch.Tensor
    attention: torch.Tensor
    word: np.ndarray


@runtime_checkable
class EmbeddingAccess(Protocol):
    """A classifier that also answers for word embeddings: all that a perturbation of them needs.

    No gradients are asked for. A network that can run perturbed embeddings faster than with
    `logits_from_embeddings`, say in a shorter number format, offers `EmbeddingPrediction` too.

    Attributes
    ----------
    device
        Where the network is.
    calls
        Inputs sent through the black box so far; who calls `logits_from_embeddings` adds to it.
    """

    device: str
    calls: int

    def embed(self, instances: Sequence[TextInstance], width: int = 0) -> Embedded:
        """Look up the word embeddings of whole instances.

        They are padded to the longest of them, and on to `width` where the network can read
        that many tokens.
        """
        ...

    def logits_from_embeddings(
        self, embeddings: torch.Tensor, attention: torch.Tensor
    ) -> torch.Tensor:
        """Run the network on (n, T, d) embeddings; (n, C) logits.

        Padding, where the attention is 0, must not change the logits of a text.
        """
        ...


@runtime_checkable
class EmbeddingPrediction(Protocol):
    """Answers for embeddings in the way in which the classifier makes its predictions."""

    def predict_from_embeddings(
        self, embeddings: torch.Tensor, attention: torch.Tensor
    ) -> torch.Tensor:
        """Return what `logits_from_embeddings` does, but for rounding, without gradients."""
        ...


@runtime_checkable
class Vocabulary(Protocol):
    """A classifier that shows the embeddings of its whole vocabulary."""

    def vocabulary_embeddings(self) -> torch.Tensor:
        """Return the (V, d) table in which `embed` looks words up."""
        ...


@runtime_checkable
class WhiteBox(EmbeddingAccess, Protocol):
    """A classifier whose logits are a differentiable function of its word embeddings.

    Attributes
    ----------
    network
        The module in evaluation mode and float32. All its non-linearities that a method has to
        hook (ReLU, Tanh) must be submodules of it, each used once in a forward pass.
    """

    @property
    def network(self) -> torch.nn.Module:
        """The module that `logits_from_embeddings` runs."""
        ...

    def padding_embedding(self) -> torch.Tensor:
        """Return the (d,) embedding that stands for no word."""
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
    raise refusal(classifier, method, "gradients")


def embedding_access(classifier: Classifier, method: str) -> EmbeddingAccess:
    """Return the classifier as one that answers for embeddings.

    Parameters
    ----------
    classifier
        Any classifier.
    method
        Who asks.

    Returns
    -------
    EmbeddingAccess

    Raises
    ------
    ValueError
        If the classifier answers for texts only; lists the methods that need no more.
    """
    if isinstance(classifier, EmbeddingAccess):
        return classifier
    raise refusal(classifier, method, "the embedding layer")
