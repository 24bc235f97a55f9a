"""A small Transformer encoder, read out by the mean over words."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch

from xai_lib.models.word_network import EMBEDDING_STD, WordNetwork

DROPOUT = (0.1,)
POSITIONS, HEADS, FEED_FORWARD = 256, 4, 256


class TransformerEncoder(WordNetwork):
    """One block of a Transformer encoder: word embeddings to logits.

    With x_t the embedding of word t and p_t a learned vector for its place: u = x + p;
    v = norm(u + attention(u)) with several heads; h = norm(v + W_2 ReLU(W_1 v)); the logits are
    linear in the mean of h over the words. Padding takes no part.

    Parameters
    ----------
    n_words
        Size V of the vocabulary; number 0 is padding, whose embedding is zero and stays so.
    n_classes
        Number C of logits, at least 2.
    width
        Length d of embeddings and states, a multiple of the heads.
    dropout
        One share, dropped in training from u, from what attention and the feed-forward layer
        add, and from the mean.
    embedding_std
        Standard deviation of the untrained embeddings, of words and of places.
    n_positions
        Tokens that it can read.
    heads
        Heads of the attention.
    feed_forward
        Width of the hidden layer of the feed-forward part.

    Raises
    ------
    ValueError
        If a size is too small, the heads do not divide the width, or a share is not in [0, 1).

    References
    ----------
    Vaswani et al. (NeurIPS 2017), "Attention is all you need", sections 3.1 to 3.5; the norms
    follow the sums, as there.

    Notes
    -----
    Deviations: places are learned, not sines; embeddings are not multiplied by the root of d.
    The paper on LDAV names no sizes; one block reaches its accuracies.

    The ReLU is a module that runs once, so that DeepLIFT and guided backpropagation can hook it.
    Softmax and norms are not: there they take the plain gradient.
    """

    architecture: ClassVar[str] = "transformer-encoder-1"
    title: ClassVar[str] = "Transformer encoder, one block, mean over words, from scratch"
    default_dropout: ClassVar[tuple[float, ...]] = DROPOUT
    saved_settings: ClassVar[tuple[str, ...]] = (
        "width",
        "dropout",
        "n_positions",
        "heads",
        "feed_forward",
    )

    def __init__(
        self,
        n_words: int,
        n_classes: int,
        width: int = 128,
        dropout: tuple[float, ...] = DROPOUT,
        embedding_std: float = EMBEDDING_STD,
        n_positions: int = POSITIONS,
        heads: int = HEADS,
        feed_forward: int = FEED_FORWARD,
    ) -> None:
        super().__init__(n_words, n_classes, width, dropout, embedding_std)
        if min(n_positions, heads, feed_forward) < 1:
            raise ValueError(
                "n_positions, heads and feed_forward must be at least 1, got "
                f"{n_positions}, {heads} and {feed_forward}."
            )
        if width % heads:
            raise ValueError(f"The width {width} is no multiple of the {heads} heads.")
        self.n_positions, self.heads = n_positions, heads
        self.positions = torch.nn.Embedding(n_positions, width)
        with torch.no_grad():
            self.positions.weight *= embedding_std
        self.query, self.key, self.value, self.joined = (
            torch.nn.Linear(width, width) for _ in range(4)
        )
        self.attention_norm = torch.nn.LayerNorm(width)
        self.inner = torch.nn.Linear(width, feed_forward)
        self.relu = torch.nn.ReLU()
        self.outer = torch.nn.Linear(feed_forward, width)
        self.feed_forward_norm = torch.nn.LayerNorm(width)
        self.output = torch.nn.Linear(width, n_classes)
        self.embedding_dropout, self.attention_dropout, self.inner_dropout, self.pooled_dropout = (
            torch.nn.Dropout(dropout[0]) for _ in range(4)
        )

    @property
    def max_positions(self) -> int:
        """Tokens that it can read."""
        return self.n_positions

    def settings(self) -> dict[str, Any]:
        """Return what the network is made from; see `WordNetwork`."""
        own = (self.n_positions, self.heads, self.inner.out_features)
        names = ("n_positions", "heads", "feed_forward")
        return {**super().settings(), **dict(zip(names, own, strict=True))}

    def states(
        self, embeddings: torch.Tensor, attention: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the (n, T, d) states h of words; those of padding mean nothing.

        Raises
        ------
        ValueError
            If there are more tokens than places.
        """
        length = embeddings.shape[1]
        if length > self.n_positions:
            raise ValueError(f"The network reads at most {self.n_positions} tokens, got {length}.")
        entered = self.embedding_dropout(embeddings + self.positions.weight[:length])
        mixed = self.attention_dropout(self.joined(self._attended(entered, attention)))
        middle = self.attention_norm(entered + mixed)
        added = self.inner_dropout(self.outer(self.relu(self.inner(middle))))
        states: torch.Tensor = self.feed_forward_norm(middle + added)
        return states

    def _attended(self, entered: torch.Tensor, attention: torch.Tensor | None) -> torch.Tensor:
        """Average the values of all words for each word and head, (n, T, d)."""
        n, length, width = entered.shape
        query, key, value = (
            layer(entered).view(n, length, self.heads, -1).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(2, 3) / math.sqrt(width // self.heads)
        if attention is not None:
            scores = scores.masked_fill(attention[:, None, None] == 0, -torch.inf)
        weights = torch.softmax(scores.float() if _short(scores) else scores, dim=3)
        mixed = weights.to(value.dtype) @ value
        return mixed.transpose(1, 2).reshape(n, length, width)

    def pool(self, states: torch.Tensor, attention: torch.Tensor | None = None) -> torch.Tensor:
        """Return the mean of the states of words, (n, d): what the last layer reads."""
        if attention is None:
            return states.mean(dim=1)
        there = (attention != 0).to(states.dtype)[..., None]
        # Where there is padding its states are finite, but mean nothing.
        return (states * there).sum(dim=1) / there.sum(dim=1)


def _short(values: torch.Tensor) -> bool:
    return values.dtype == torch.bfloat16
