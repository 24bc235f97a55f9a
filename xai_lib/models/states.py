"""What amortised explainers read: the hidden states of words and of the first token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from xai_lib.models.base import Classifier
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


@runtime_checkable
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
    if isinstance(classifier, HiddenStates):
        return classifier
    from xai_lib.explainers import explainer_class, methods

    others = [name for name in methods() if not explainer_class(name).white_box]
    raise ValueError(
        f"The method {method!r} reads hidden states, which the classifier {classifier.name!r} "
        f"({type(classifier).__name__}) does not show. Methods that need only its answers are: "
        f"{', '.join(others)}."
    )


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


def word_means(
    states: torch.Tensor, word: Sequence[np.ndarray], counts: Sequence[int]
) -> tuple[torch.Tensor, np.ndarray]:
    """Average the states of each word's tokens.

    Parameters
    ----------
    states
        (m, L, T, d) states of m instances.
    word
        For each instance the word that each of its at most T tokens belongs to; negative: none.
    counts
        Number of words of each instance.

    Returns
    -------
    means : (N, L, d) float32 tensor
        Zero for a word without tokens.
    tokens : (N,) int array
    """
    m, n_layers, width = states.shape[0], states.shape[1], states.shape[2]
    total = int(sum(counts))
    offsets = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    rows, columns, targets = [], [], []
    for i in range(m):
        where = np.flatnonzero(word[i] >= 0)
        rows.append(np.full(len(where), i))
        columns.append(where)
        targets.append(offsets[i] + word[i][where])
    row = np.concatenate(rows) if rows else np.empty(0, dtype=np.int64)
    column = np.concatenate(columns) if columns else np.empty(0, dtype=np.int64)
    target = np.concatenate(targets) if targets else np.empty(0, dtype=np.int64)
    assert width >= (int(column.max()) + 1 if len(column) else 0)
    tokens = np.bincount(target, minlength=total)
    picked = states[torch.from_numpy(row), :, torch.from_numpy(column)].float()
    means = torch.zeros(total, n_layers, states.shape[3], device=states.device)
    means.index_add_(0, torch.from_numpy(target).to(states.device), picked)
    means /= torch.from_numpy(np.maximum(tokens, 1)).to(states.device)[:, None, None]
    return means, tokens
