"""What networks that are trained from scratch share: an embedding table and a linear end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch

# Of 0.1, 0.3 and 1: with 0.1 R8 is learned slowly, with 1 SST-2's few sentences badly.
EMBEDDING_STD = 0.3


class WordNetwork(torch.nn.Module, ABC):
    """A network from word embeddings to logits: ``output(dropout(pool(states)))``.

    Attributes
    ----------
    architecture
        Part of the name under which trained weights are cached: it changes with the computation.
    title
        What the network is, for the record of a training.
    default_dropout
        Shares that are dropped in training, unless told otherwise.
    saved_settings
        Names of what `settings` returns.
    pairs
        Whether it reads two texts. Then the attention says which of them a token belongs to: 1
        for the first, 2 for the second.
    embedding
        Table of V word embeddings; number 0 is padding, whose embedding is zero and stays so.
    dropout
        Shares that are dropped in training.
    output
        The last linear layer.
    class_vectors
        (C, d): one vector for each class in the space of the embeddings, see
        `xai_lib.models.ldav_training`; None where none are learnt. The logits do not depend on
        them.
    """

    architecture: ClassVar[str]
    title: ClassVar[str]
    default_dropout: ClassVar[tuple[float, ...]]
    saved_settings: ClassVar[tuple[str, ...]] = ("width", "dropout")
    pairs: ClassVar[bool] = False
    embedding: torch.nn.Embedding
    output: torch.nn.Linear
    pooled_dropout: torch.nn.Dropout
    class_vectors: torch.nn.Parameter | None

    def __init__(
        self,
        n_words: int,
        n_classes: int,
        width: int,
        dropout: tuple[float, ...],
        embedding_std: float,
    ) -> None:
        super().__init__()
        if n_words < 2 or n_classes < 2 or width < 1:
            raise ValueError(
                "A network needs 2 words (padding, unknown), 2 classes and a width of 1 at least, "
                f"got {n_words}, {n_classes} and {width}."
            )
        wanted = len(self.default_dropout)
        if len(dropout) != wanted or not all(0 <= share < 1 for share in dropout):
            numbers = {1: "one number", 3: "three numbers"}[wanted]
            raise ValueError(f"dropout must be {numbers} from 0 to below 1, got {dropout}.")
        self.dropout = tuple(dropout)
        self.register_parameter("class_vectors", None)
        self.embedding = torch.nn.Embedding(n_words, width, padding_idx=0)
        with torch.no_grad():
            self.embedding.weight *= embedding_std

    @property
    def max_positions(self) -> int | None:
        """Tokens that it can read; None for any number."""
        return None

    def settings(self) -> dict[str, Any]:
        """Return what the network is made from besides the numbers of words and classes."""
        return {"width": self.embedding.embedding_dim, "dropout": list(self.dropout)}

    @abstractmethod
    def states(
        self, embeddings: torch.Tensor, attention: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the (n, T, d) states of tokens; those of padding mean nothing."""

    @abstractmethod
    def pool(self, states: torch.Tensor, attention: torch.Tensor | None = None) -> torch.Tensor:
        """Return the (n, d) states of texts: what the last layer reads."""

    def forward(
        self, embeddings: torch.Tensor, attention: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Compute logits.

        Parameters
        ----------
        embeddings
            (n, T, d) word embeddings.
        attention
            (n, T): 1 for a word, 0 for padding, which has to follow the words; each text has at
            least one word. None where nothing is padded. A network of pairs needs it, and has 2
            for words of the second text.

        Returns
        -------
        (n, C) tensor
        """
        pooled = self.pool(self.states(embeddings, attention), attention)
        logits: torch.Tensor = self.output(self.pooled_dropout(pooled))
        return logits

    def read(
        self, numbers: torch.Tensor, attention: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Look tokens up: what `forward` takes, from (n, T) token numbers and their attention."""
        return self.embedding(numbers), attention

    def get_input_embeddings(self) -> torch.nn.Embedding:
        """Return the table of word embeddings, under the name it has in transformers."""
        return self.embedding

    def add_class_vectors(self, seed: int = 0, std: float = EMBEDDING_STD) -> None:
        """Give the network untrained class vectors, drawn as its embeddings are.

        The other weights, and torch's own generator, are left alone.
        """
        table = self.embedding.weight
        drawn = torch.Generator().manual_seed(seed)
        shape = (self.output.out_features, table.shape[1])
        vectors = std * torch.randn(shape, generator=drawn)
        self.class_vectors = torch.nn.Parameter(vectors.to(table))
