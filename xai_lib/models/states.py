"""What amortised explainers read: the hidden states of words and of the first token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import torch

from xai_lib.models.base import Classifier, refusal
from xai_lib.text import TextInstance


@dataclass(frozen=True, eq=False)
class States:
    """Hidden states of n instances from one forward pass each.

    Attributes
    ----------
    probabilities
        (n, C) float64 answers of the black box.
    first
        (n, L, d) float32: state of the first token, [CLS] in BERT, in each layer asked for.
    words
        (N, L, d) float32: mean of the states of a word's tokens. The words of all instances one
        after another.
    counts
        (n,) int: number of words of each instance; they sum to N.
    tokens
        (N,) int: number of tokens of each word. Where it is 0 the model sees nothing of the
        word, and its state is zero.
    """

    probabilities: np.ndarray
    first: torch.Tensor
    words: torch.Tensor
    counts: np.ndarray
    tokens: np.ndarray


class HiddenStates(Protocol):
    """A classifier that shows the hidden states of its words.

    Attributes
    ----------
    name, classes, device, calls
        See `xai_lib.models.base.Classifier`.
    """

    name: str
    classes: tuple[str, ...]
    device: str
    calls: int

    @property
    def identity(self) -> str:
        """Hash of weights, vocabulary and token budget, not of precision or device."""
        ...

    @property
    def n_layers(self) -> int:
        """Number of layers; layer 0 is what enters the first of them."""
        ...

    @property
    def width(self) -> int:
        """Length d of a hidden state."""
        ...

    def word_states(
        self, instances: Sequence[TextInstance], layers: Sequence[int] = (-1,)
    ) -> States:
        """Send whole instances through the network once and return their hidden states.

        Layers are numbered from 0 (what enters the first layer) to `n_layers`; negative numbers
        count from the end.
        """
        ...


def hidden_states(classifier: Classifier, method: str) -> HiddenStates:
    """Return the classifier as one that shows its hidden states.

    Parameters
    ----------
    classifier
        Any classifier.
    method
        Who asks.

    Returns
    -------
    HiddenStates

    Raises
    ------
    ValueError
        If the classifier gives answers only; lists the methods that need no more.
    """
    # Asking for one member is much cheaper than for all of the protocol's.
    if hasattr(classifier, "word_states"):
        assert isinstance(classifier, Classifier)
        return cast("HiddenStates", classifier)
    raise refusal(classifier, method, "hidden states")


def layer_indices(layers: Sequence[int], n_layers: int) -> list[int]:
    """Turn layer numbers, which may be negative, into 0 to `n_layers`.

    Raises
    ------
    ValueError
        If a layer does not exist; the message gives the valid range.
    """
    for layer in layers:
        if not -n_layers - 1 <= layer <= n_layers:
            raise ValueError(
                f"There is no layer {layer}. Valid layers are 0 (embeddings) to {n_layers}, and "
                f"-1 to {-n_layers - 1} from the end."
            )
    return [layer % (n_layers + 1) for layer in layers]


def in_order(states: States, order: np.ndarray) -> States:
    """Bring states that were found batch by batch into the order of the instances.

    Parameters
    ----------
    states
        Of n instances, those of `order` one after another; but `counts` is in their own order.
    order
        (n,) int: a permutation of the instances.

    Returns
    -------
    States
    """
    back = np.argsort(order)
    ends = np.cumsum(states.counts[order])
    starts = ends - states.counts[order]
    place = np.concatenate([np.arange(starts[i], ends[i]) for i in back])
    device = states.first.device
    return States(
        states.probabilities[back],
        states.first[torch.from_numpy(back).to(device)],
        states.words[torch.from_numpy(place).to(device)],
        states.counts,
        states.tokens[place],
    )


def word_means(
    states: torch.Tensor, word: Sequence[np.ndarray], counts: np.ndarray
) -> tuple[torch.Tensor, np.ndarray]:
    """Average the states of each word's tokens.

    Parameters
    ----------
    states
        (m, L, T, d) float32 states of m instances.
    word
        For each instance the word that each of its at most T tokens belongs to; negative: none.
    counts
        (m,) int number of words of each instance.

    Returns
    -------
    means : (N, L, d) float32 tensor
        Zero for a word without tokens.
    tokens : (N,) int array
    """
    m, _, width, _ = states.shape
    most = int(counts.max(initial=0))
    share = np.zeros((m, most, width), dtype=np.float32)
    for i, of_token in enumerate(word):
        where = np.flatnonzero(of_token >= 0)
        share[i, of_token[where], where] = 1.0
    tokens = share.sum(axis=2)
    share /= np.maximum(tokens, 1)[:, :, None]
    means = torch.matmul(torch.from_numpy(share).to(states.device)[:, None], states)
    means = means.transpose(1, 2)  # (m, most, L, d)
    if m == 1:
        return means[0], tokens[0].astype(np.int64)
    real = np.arange(most) < counts[:, None]
    return means[torch.from_numpy(real)], tokens[real].astype(np.int64)
