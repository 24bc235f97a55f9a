"""Decomposable attention: two texts are compared word by word."""

from __future__ import annotations

from typing import ClassVar

import torch

from xai_lib.models.word_network import EMBEDDING_STD, WordNetwork

DROPOUT = (0.2,)


class DecomposableAttention(WordNetwork):
    """Decomposable attention: the word embeddings of two texts to logits.

    With a_i the words of the first text and b_j those of the second: e_ij = F(a_i) . F(b_j);
    beta_i is the mean of the b_j with the weights softmax over j of e_ij, alpha_j that of the a_i
    with softmax over i; v_i = G([a_i, beta_i]) and v_j = G([b_j, alpha_j]) are summed over each
    text; the logits are linear in H of the two sums. F, G and H have two ReLU layers each.

    The words of both texts come in one row, and the attention says which text a word belongs to:
    1 for the first, 2 for the second, 0 for padding. Each text has at least one token.

    Parameters
    ----------
    n_words
        Size V of the vocabulary; number 0 is padding, whose embedding is zero and stays so.
    n_classes
        Number C of logits, at least 2.
    width
        Length d of embeddings and of all hidden layers.
    dropout
        One share, dropped in training from what enters a layer of F, G or H, and from H.
    embedding_std
        Standard deviation of the untrained embeddings.

    Raises
    ------
    ValueError
        If a size is too small or the share is not in [0, 1).

    References
    ----------
    Parikh, Tackstrom, Das & Uszkoreit (EMNLP 2016), "A decomposable attention model for natural
    language inference", equations 1 to 5; without the attention inside a sentence of section 3.4.

    Notes
    -----
    Deviations: embeddings of width 128 are trained from scratch, where the paper projects fixed
    GloVe vectors to 200. The width is that of the paper on LDAV.

    F and G read both texts at once, so each ReLU is a module that runs once, and DeepLIFT and
    guided backpropagation can hook it.
    """

    architecture: ClassVar[str] = "decomposable-attention-1"
    title: ClassVar[str] = "decomposable attention, from scratch"
    default_dropout: ClassVar[tuple[float, ...]] = DROPOUT
    pairs: ClassVar[bool] = True

    def __init__(
        self,
        n_words: int,
        n_classes: int,
        width: int = 128,
        dropout: tuple[float, ...] = DROPOUT,
        embedding_std: float = EMBEDDING_STD,
    ) -> None:
        super().__init__(n_words, n_classes, width, dropout, embedding_std)
        self.attend = _layers(width, width, dropout[0])
        self.compare = _layers(2 * width, width, dropout[0])
        self.aggregate = _layers(2 * width, width, dropout[0])
        self.pooled_dropout = torch.nn.Dropout(dropout[0])
        self.output = torch.nn.Linear(width, n_classes)

    def read(
        self, numbers: torch.Tensor, attention: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Look tokens up; numbers from V on are the words of the second text, again from 0."""
        n_words = self.embedding.num_embeddings
        part = numbers // n_words + 1
        if attention is not None:
            part = part * (attention != 0)
        return self.embedding(numbers % n_words), part

    def states(
        self, embeddings: torch.Tensor, attention: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the (n, T, d) comparisons v of words; those of padding mean nothing."""
        part = _needed(attention)
        projected = self.attend(embeddings)
        scores = projected @ projected.transpose(1, 2)
        if scores.dtype == torch.bfloat16:
            scores = scores.float()
        other = (part[:, :, None] != part[:, None]) & (part[:, None] != 0)
        # A token of padding sees both texts: what it reads is finite and nobody asks for it.
        weights = torch.softmax(scores.masked_fill(~other, -torch.inf), dim=2)
        context = weights.to(embeddings.dtype) @ embeddings
        states: torch.Tensor = self.compare(torch.cat([embeddings, context], dim=2))
        return states

    def pool(self, states: torch.Tensor, attention: torch.Tensor | None = None) -> torch.Tensor:
        """Return H of the two sums, (n, d): what the last layer reads."""
        part = _needed(attention)
        sums = [((part == k).to(states.dtype)[:, None] @ states)[:, 0] for k in (1, 2)]
        pooled: torch.Tensor = self.aggregate(torch.cat(sums, dim=1))
        return pooled


def _layers(size: int, width: int, dropout: float) -> torch.nn.Sequential:
    """Make two ReLU layers."""
    return torch.nn.Sequential(
        torch.nn.Dropout(dropout),
        torch.nn.Linear(size, width),
        torch.nn.ReLU(),
        torch.nn.Dropout(dropout),
        torch.nn.Linear(width, width),
        torch.nn.ReLU(),
    )


def _needed(attention: torch.Tensor | None) -> torch.Tensor:
    if attention is None:
        raise ValueError("A network of pairs needs the attention: 1 and 2 say whose a word is.")
    return attention
