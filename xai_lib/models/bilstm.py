"""An LSTM that reads a text in both directions, with attention over its words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import torch

from xai_lib.models.word_network import EMBEDDING_STD, WordNetwork

DROPOUT = (0.3, 0.3, 0.5)


class BiLSTMAttention(WordNetwork):
    """Bidirectional LSTM with attention: word embeddings to logits.

    With x_t the embedding of word t of T: h_t is the sum of the outputs of two LSTMs, one reading
    from each end; alpha = softmax over t of w' tanh(h_t); r = sum of alpha_t h_t; the logits are
    linear in tanh(r). Padding takes no part.

    Parameters
    ----------
    n_words
        Size V of the vocabulary; number 0 is padding, whose embedding is zero and stays so.
    n_classes
        Number C of logits, at least 2.
    width
        Length d of embeddings and of the states of each LSTM; one number, so that hidden states
        of both layers are equally long.
    dropout
        Shares that are dropped in training: of the embeddings, of h, of tanh(r).
    embedding_std
        Standard deviation of the untrained embeddings.

    Raises
    ------
    ValueError
        If a size is too small or a share is not in [0, 1).

    References
    ----------
    Zhou et al. (ACL 2016), "Attention-based bidirectional long short-term memory networks for
    relation classification", equations 3 to 12. The sum of the directions is their equation 8.

    Notes
    -----
    Deviations: no peepholes (their equations 3 to 6 let the gates see the cell), as
    `torch.nn.LSTM` has none; the width is 128 instead of 100; embeddings are trained from
    scratch.

    Both tanh are modules that run once, so that DeepLIFT can hook them. Gates and softmax are
    not: there it takes the plain gradient.
    """

    architecture: ClassVar[str] = "bilstm-attention-1"
    title: ClassVar[str] = "LSTM in both directions with attention, from scratch"
    default_dropout: ClassVar[tuple[float, ...]] = DROPOUT

    def __init__(
        self,
        n_words: int,
        n_classes: int,
        width: int = 128,
        dropout: tuple[float, ...] = DROPOUT,
        embedding_std: float = EMBEDDING_STD,
    ) -> None:
        super().__init__(n_words, n_classes, width, dropout, embedding_std)
        self.forwards = torch.nn.LSTM(width, width, batch_first=True)
        self.backwards = torch.nn.LSTM(width, width, batch_first=True)
        self.attention_tanh = torch.nn.Tanh()
        self.attention = torch.nn.Linear(width, 1, bias=False)
        self.pooled_tanh = torch.nn.Tanh()
        self.output = torch.nn.Linear(width, n_classes)
        self.embedding_dropout, self.state_dropout, self.pooled_dropout = (
            torch.nn.Dropout(share) for share in dropout
        )

    def states(
        self, embeddings: torch.Tensor, attention: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the (n, T, d) states h of words; those of padding mean nothing."""
        embeddings = self.embedding_dropout(embeddings)
        with _kernels(embeddings, self.training):
            first = self.forwards(embeddings)[0]
            second = _reversed(self.backwards(_reversed(embeddings, attention))[0], attention)
        states: torch.Tensor = self.state_dropout(first + second)
        return states

    def weights(self, states: torch.Tensor, attention: torch.Tensor | None = None) -> torch.Tensor:
        """Return the attention weights (n, T) of words with the states (n, T, d)."""
        # A view is a tensor of its own: captum's hook replaces the whole gradient of what enters a
        # tanh, and the states have another use.
        scores = self.attention(self.attention_tanh(states.view_as(states)))[..., 0]
        if scores.dtype == torch.bfloat16:
            scores = scores.float()
        if attention is not None:
            scores = scores.masked_fill(attention == 0, -torch.inf)
        return torch.softmax(scores, dim=1)

    def pool(self, states: torch.Tensor, attention: torch.Tensor | None = None) -> torch.Tensor:
        """Return tanh(r), (n, d): what the last layer reads."""
        weights = self.weights(states, attention).to(states.dtype)
        pooled: torch.Tensor = self.pooled_tanh((weights[:, None] @ states)[:, 0])
        return pooled


def _reversed(sequences: torch.Tensor, attention: torch.Tensor | None) -> torch.Tensor:
    """Reverse the words of (n, T, d) sequences and leave padding behind them.

    So the LSTM that reads backwards starts at the last word. Packed sequences would do the same,
    but their kernels depend on all lengths of a batch, and on a CPU they are slower.
    """
    if attention is None:
        return sequences.flip(1)
    lengths = attention.sum(dim=1, keepdim=True)
    place = torch.arange(sequences.shape[1], device=sequences.device)[None]
    source = torch.where(place < lengths, lengths - 1 - place, place)
    return sequences.gather(1, source[..., None].expand(-1, -1, sequences.shape[2]))


@contextmanager
def _kernels(embeddings: torch.Tensor, training: bool) -> Iterator[None]:
    """Choose the kernels of LSTMs on a GPU: no rounding to TF32, and cuDNN only where it can.

    cuDNN refuses to go backward through an LSTM in evaluation mode.
    """
    if not embeddings.is_cuda:
        yield
        return
    backward = torch.is_grad_enabled() and not training
    with torch.backends.cudnn.flags(enabled=not backward, allow_tf32=False):
        yield
