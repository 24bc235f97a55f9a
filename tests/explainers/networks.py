"""Small networks with random weights, for methods that go through a network backwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from xai_lib.models.networks import new_network

WORDS, CLASSES, WIDTH = 9, 3, 4
FAMILIES = ("Bert", "DistilBert", "Roberta", "Electra", "Albert")


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng([seed, *shape]).normal(size=shape))


def make_network(name: str, biases: bool = True) -> torch.nn.Module:
    """A network in float64 with weights of size about 1, and biases or none at all."""
    network = new_network(WORDS, CLASSES, WIDTH, network=name, n_positions=8).double().eval()
    network.requires_grad_(False)
    for i, (key, parameter) in enumerate(network.named_parameters()):
        parameter.copy_(draw(*parameter.shape, seed=i))
        if not biases and ("bias" in key or "positions" in key):
            parameter.zero_()
    return network


def attention_of(name: str, padding: int = 0) -> torch.Tensor:
    """Attention for five words, of which a network of pairs takes two as its second text."""
    words = [1, 1, 1, 2, 2] if name == "decomposable" else [1] * 5
    return torch.tensor([words + [0] * padding])


class FromHub(torch.nn.Module):
    """A transformers classifier, called as `relevance` calls networks."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, embeddings: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        return self.model(inputs_embeds=embeddings, attention_mask=attention).logits


def make_hub(family: str, layers: int = 2, biases: bool = True) -> FromHub:
    """A small transformers classifier in float64 with random weights."""
    transformers = pytest.importorskip("transformers")
    sizes = {"vocab_size": 20, "num_labels": CLASSES, "max_position_embeddings": 16}
    if family == "DistilBert":
        sizes |= {"dim": 8, "n_layers": layers, "n_heads": 2, "hidden_dim": 6}
    else:
        sizes |= {"hidden_size": 8, "num_hidden_layers": layers, "num_attention_heads": 2}
        sizes |= {"intermediate_size": 6, "embedding_size": 8}
    config = getattr(transformers, f"{family}Config")(**sizes)
    model = getattr(transformers, f"{family}ForSequenceClassification")(config)
    model = model.double().eval().requires_grad_(False)
    added = ("bias", "position_embeddings", "token_type_embeddings")
    for i, (key, parameter) in enumerate(model.named_parameters()):
        parameter.copy_(draw(*parameter.shape, seed=i) / 2)
        if not biases and any(part in key for part in added):
            parameter.zero_()
    return FromHub(model)
