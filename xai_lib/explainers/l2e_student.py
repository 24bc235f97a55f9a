"""The network of L2E: a Transformer encoder over words and the predicted class."""

from __future__ import annotations

import math

import numpy as np
import torch

from xai_lib.models.vocabulary import PADDING, WordVocabulary

# Number of the first word: padding and the unknown word come before.
FIRST_WORD = 2
# What stands before the words in memory: the label, and the label that the paper has at the end.
LABELS = 2


class Student(torch.nn.Module):
    """A Transformer encoder that gives each word of a text a score, or a logit for each label.

    It reads ``<label> w_1 ... w_n <label>``, the label being that of the class that the black box
    predicted. With several teachers a token of the teacher stands before all.

    Parameters
    ----------
    n_words, n_bytes
        Size of the vocabulary that `set_words` puts in, padding and the unknown word not counted,
        see `word_bytes`.
    n_classes
        Number C of labels.
    n_outputs
        Outputs of a word.
    blocks, heads, width
        Of the encoder; its feed-forward layers are four times as wide.
    positions
        Whether words know their place: sines and cosines, so that there is no longest text,
        scaled to the length that embeddings have before training. Without, the network cannot
        tell two occurrences of a word apart.
    window
        A word attends to the words at most half a window away, on either side, and to the
        labels; the labels attend to all words.
    n_teachers
        Number of teachers to choose from; 0 for one that need not be named.
    embedding_width
        Width of the embeddings where a linear layer brings them to `width`; default `width`, and
        no such layer.

    Notes
    -----
    The order of tokens in memory is teacher, label, label, words, padding: attention does not
    see the order, places are told apart by what is added. So what is not a word stands at the
    same place in every text of a batch.

    References
    ----------
    Situ et al. (2021), section 3; sizes, post-norm, ReLU, no dropout and no positions as in the
    released code. Vaswani et al. (2017) for the encoder, Beltagy et al. (2020), "Longformer", for
    the window.
    """

    def __init__(
        self,
        n_words: int,
        n_bytes: int,
        n_classes: int,
        n_outputs: int,
        blocks: int = 4,
        heads: int = 4,
        width: int = 512,
        positions: bool = False,
        window: int = 512,
        n_teachers: int = 0,
        embedding_width: int | None = None,
    ) -> None:
        super().__init__()
        self.n_classes, self.n_teachers = n_classes, n_teachers
        # Padding and the unknown word come first, classes and teachers last.
        self.n_words = FIRST_WORD + n_words
        self.heads, self.width, self.window, self.positions = heads, width, window, positions
        # The words belong to the weights: one file holds both, one digest names both.
        self.register_buffer("words", torch.zeros(n_bytes, dtype=torch.uint8))
        self._vocabulary: WordVocabulary | None = None
        own = embedding_width or width
        self.embedding = torch.nn.Embedding(
            self.n_words + n_classes + n_teachers, own, padding_idx=PADDING
        )
        self.projection = torch.nn.Linear(own, width, bias=False) if embedding_width else None
        layer = torch.nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.0, activation="relu", batch_first=True
        )
        self.encoder = torch.nn.TransformerEncoder(layer, blocks, enable_nested_tensor=False)
        self.output = torch.nn.Linear(width, n_outputs)
        with torch.no_grad():
            torch.nn.init.normal_(self.embedding.weight, std=own**-0.5)
            self.embedding.weight[PADDING] = 0.0
            # Blocks are copies of one another at first.
            for parameter in self.encoder.parameters():
                if parameter.ndim > 1:
                    torch.nn.init.xavier_uniform_(parameter)
            if self.projection is not None:
                torch.nn.init.orthogonal_(self.projection.weight)

    @property
    def prefix(self) -> int:
        """Number of tokens before the words."""
        return LABELS + (1 if self.n_teachers else 0)

    @property
    def vocabulary(self) -> WordVocabulary:
        """The known words, lower-cased; all others share one embedding."""
        if self._vocabulary is None:
            text = self.get_buffer("words").cpu().numpy().tobytes().decode()
            self._vocabulary = WordVocabulary(text.split("\n") if text else [])
        return self._vocabulary

    def set_words(self, vocabulary: WordVocabulary) -> None:
        """Say what the words are, of the size that the network was made for."""
        words = np.frombuffer(_joined(vocabulary), dtype=np.uint8).copy()
        self.get_buffer("words").copy_(torch.from_numpy(words))
        self._vocabulary = None

    def ids(self, words: list[str] | tuple[str, ...], label: int, teacher: int = 0) -> np.ndarray:
        """Return the tokens of a text.

        Parameters
        ----------
        words
            W words, in any case.
        label
            Number of the predicted class.
        teacher
            Number of the teacher, where there are several.

        Returns
        -------
        (prefix + W,) int64 array
        """
        first = self.n_words + label
        front = [self.n_words + self.n_classes + teacher] if self.n_teachers else []
        return np.concatenate([[*front, first, first], self.vocabulary.ids(words)]).astype(np.int64)

    def forward(self, ids: torch.Tensor, padded: bool = True) -> torch.Tensor:
        """Map tokens to outputs of the words.

        Parameters
        ----------
        ids
            (n, prefix + W) from `ids`, padded on the right with 0.
        padded
            Whether there may be padding.

        Returns
        -------
        (n, W, n_outputs) float32 tensor
            What is given for padding means nothing.
        """
        embedded = self.embedding(ids)
        if self.projection is not None:
            embedded = self.projection(embedded)
        there = ids != PADDING
        if self.positions:
            embedded = embedded + self._places(there).to(embedded.dtype)
        hidden = self.encoder(
            embedded,
            mask=self._window(ids.shape[1], ids.device),
            src_key_padding_mask=~there if padded else None,
            is_causal=False,
        )
        # Scores of words are near one another: the last step is made in full.
        with torch.autocast(ids.device.type, enabled=False):
            words = hidden[:, self.prefix :].float()
            if self.training:
                return torch.nn.functional.linear(words, self.output.weight, self.output.bias)
            # Routines for so narrow a matrix round a row by its place among the others.
            each = (words[..., None, :] * self.output.weight).sum(dim=-1)
            return each + self.output.bias

    def _window(self, length: int, device: torch.device) -> torch.Tensor | None:
        """Return which token may not see which, (T, T), true for those that may not."""
        reach = self.window // 2
        if length - self.prefix - 1 <= reach:
            return None
        place = torch.arange(length, device=device)
        far = (place[:, None] - place[None]).abs() > reach
        far[: self.prefix] = False
        far[:, : self.prefix] = False
        return far

    def _places(self, there: torch.Tensor) -> torch.Tensor:
        """Return what is added to tokens for their places, (n, T, width)."""
        n, length = there.shape
        place = torch.arange(length, device=there.device).repeat(n, 1) - (self.prefix - 1)
        place[:, : self.prefix] = 0
        place[:, self.prefix - 1] = there.sum(dim=1) - self.prefix + 1
        steps = torch.arange(0, self.width, 2, device=there.device)
        angle = place[..., None] * torch.exp(-math.log(10000.0) * steps / self.width)
        waves = torch.stack([angle.sin(), angle.cos()], dim=3).flatten(2)
        # Sines and cosines of half the width have the length sqrt(width / 2).
        return waves[..., : self.width] * math.sqrt(2 / self.width)


def word_bytes(vocabulary: WordVocabulary) -> tuple[int, int]:
    """Return the number of words of a vocabulary and of the bytes that a student keeps them in."""
    return len(vocabulary.words), len(_joined(vocabulary))


def _joined(vocabulary: WordVocabulary) -> bytes:
    return "\n".join(vocabulary.words).encode()
