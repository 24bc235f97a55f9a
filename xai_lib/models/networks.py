"""Networks that are trained from scratch, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from xai_lib.models.bilstm import BiLSTMAttention
from xai_lib.models.decomposable import DecomposableAttention
from xai_lib.models.transformer_encoder import POSITIONS, TransformerEncoder
from xai_lib.models.word_network import EMBEDDING_STD, WordNetwork

Kind = type[BiLSTMAttention] | type[TransformerEncoder] | type[DecomposableAttention]

NETWORKS: dict[str, Kind] = {
    "bilstm": BiLSTMAttention,
    "transformer": TransformerEncoder,
    "decomposable": DecomposableAttention,
}
"""Name of a network -> class. ``"decomposable"`` reads pairs of texts, the others one text."""


def network_class(name: str) -> Kind:
    """Return the class of a network.

    Raises
    ------
    ValueError
        If there is none of that name; lists the names.
    """
    if name not in NETWORKS:
        raise ValueError(f"Unknown network {name!r}. Valid networks are: {', '.join(NETWORKS)}.")
    return NETWORKS[name]


def new_network(
    n_words: int,
    n_classes: int,
    width: int = 128,
    dropout: tuple[float, ...] | None = None,
    embedding_std: float = EMBEDDING_STD,
    seed: int = 0,
    network: str = "bilstm",
    n_positions: int = POSITIONS,
) -> WordNetwork:
    """Make an untrained network with weights from a seed, leaving torch's own generator alone.

    Parameters
    ----------
    n_words, n_classes, width, embedding_std
        See the class of the network.
    dropout
        Shares that are dropped in training; default the network's own.
    seed
        Fixes the weights.
    network
        A name of `NETWORKS`.
    n_positions
        Tokens that the network has to read, where it counts them.

    Returns
    -------
    WordNetwork

    Raises
    ------
    ValueError
        If the network is unknown or cannot be made in these sizes.
    """
    kind = network_class(network)
    shares = kind.default_dropout if dropout is None else dropout
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if issubclass(kind, TransformerEncoder):
            return kind(n_words, n_classes, width, shares, embedding_std, n_positions)
        return kind(n_words, n_classes, width, shares, embedding_std)


def network_from_settings(
    architecture: object, n_words: int, n_classes: int, settings: Mapping[str, Any]
) -> WordNetwork | None:
    """Make the network that a saved one's architecture and `settings` describe.

    Parameters
    ----------
    architecture
        `WordNetwork.architecture` of the saved network.
    n_words, n_classes
        Its sizes.
    settings
        What `WordNetwork.settings` returned; other entries are left alone.

    Returns
    -------
    WordNetwork or None
        With weights to be replaced; None where no network has that architecture.
    """
    for kind in NETWORKS.values():
        if kind.architecture == architecture:
            wanted = {key: settings[key] for key in kind.saved_settings}
            wanted["dropout"] = tuple(wanted["dropout"])
            with torch.random.fork_rng(devices=[]):
                return kind(n_words, n_classes, **wanted)
    return None
