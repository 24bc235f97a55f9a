"""PFLex's head: one small network, applied to [CLS] and to every word alike."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from xai_lib.models.states import States


@dataclass(frozen=True)
class HeadShape:
    """Widths after the input, share of units dropped, and the layers after which it is done."""

    widths: tuple[int, ...]
    dropout: float


# States that are mapped at once: what comes out of each layer stays in the processor's cache.
_ROWS = 1024

HEADS = {
    "paper": HeadShape((512, 128, 64), 0.2),
    "released": HeadShape((128, 64), 0.5),
}


class Head(torch.nn.Module):
    """Linear layers with ReLU and dropout between them, none after the last.

    Parameters
    ----------
    width
        Length d of a hidden state of the black box.
    kind
        ``"paper"``: d, 512, 128, 64 with dropout 0.2, as the text says (with d = 784 by a slip;
        BERT-base has 768). ``"released"``: d, 128, 64 with dropout 0.5, the shape of the weights
        that the authors published for the longer version of the paper.

    References
    ----------
    PFLex, Equation 1 and Section 4.
    """

    def __init__(self, width: int, kind: str = "paper") -> None:
        super().__init__()
        if kind not in HEADS:
            raise ValueError(f"Unknown head {kind!r}. Valid heads are: {', '.join(HEADS)}.")
        shape = HEADS[kind]
        sizes = (width, *shape.widths)
        layers: list[torch.nn.Module] = []
        for i, (before, after) in enumerate(pairwise(sizes)):
            layers.append(torch.nn.Linear(before, after))
            if i < len(shape.widths) - 1:
                layers += [torch.nn.ReLU(), torch.nn.Dropout(shape.dropout)]
        self.layers = torch.nn.Sequential(*layers)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Map (m, d) hidden states to (m, 64); the last layer is not rectified."""
        mapped = states
        for layer in self.layers:
            # Dropout does nothing after training, but calling it takes time.
            if self.training or not isinstance(layer, torch.nn.Dropout):
                mapped = layer(mapped)
        return mapped


def similarities(
    head: torch.nn.Module, first: torch.Tensor, words: torch.Tensor, text: torch.Tensor
) -> torch.Tensor:
    """Compute the cosine of each mapped word with the mapped [CLS] of its text (Equation 2).

    Parameters
    ----------
    head
        Maps (m, d) to (m, e).
    first
        (n, d) states of [CLS].
    words
        (N, d) states of the words.
    text
        (N,) int: text that each word belongs to.

    Returns
    -------
    (N,) tensor
        From -1 to 1.
    """
    states = torch.cat([first, words])
    mapped = torch.cat([head(some) for some in states.split(_ROWS)])
    unit = torch.nn.functional.normalize(mapped.float(), dim=1)
    n = len(first)
    return (unit[n:] * unit[:n].index_select(0, text)).sum(dim=1)


def text_of_word(states: States) -> torch.Tensor:
    """Return the (N,) number of the text that each word belongs to."""
    of_word = np.repeat(np.arange(len(states.counts)), states.counts)
    return torch.from_numpy(of_word).to(states.first.device)


def pflex_loss(
    similarity: torch.Tensor, importance: torch.Tensor, penalty: float = 1.0
) -> torch.Tensor:
    """Compute Equation 3 as a mean over words.

    Parameters
    ----------
    similarity
        (N,) cosines of words with their [CLS].
    importance
        (N,) weights I that the teacher gives the words.
    penalty
        lambda.

    Returns
    -------
    scalar tensor
        The mean of ``-I sim + lambda sim^2``. For lambda > 0 this is ``lambda`` times the mean of
        ``(sim - I / (2 lambda))^2`` plus a term that does not depend on the head: least squares.

    References
    ----------
    PFLex, Equation 3. The paper sums over the words of a group; Adam does not see the factor.
    """
    return (penalty * similarity**2 - importance * similarity).mean()
