"""What leaves the embedding layer of a Transformer: words with positions and types, normalised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from xai_lib.models.base import Classifier
from xai_lib.models.whitebox import Embedded, WhiteBox
from xai_lib.text import TextInstance


def embedding_layer(classifier: Classifier) -> torch.nn.Module | None:
    """Return the module that embeds words with their positions; None where there is none."""
    encoder = getattr(getattr(classifier, "network", None), "base_model", None)
    layer = getattr(encoder, "embeddings", None)
    return layer if isinstance(layer, torch.nn.Module) else None


class EmbeddingOutput:
    """A Transformer whose embeddings are what its embedding layer passes on to its first block.

    BERT and its kin add vectors of position and type to that of the word and divide the sum by
    its own spread. Behind that step the length of a vector is not taken back any more.
    It answers as `xai_lib.models.whitebox.EmbeddingAccess` asks, always in float32.

    Parameters
    ----------
    classifier
        A transformers classifier whose encoder has its embedding layer in a module
        ``embeddings``: BERT, RoBERTa, DistilBERT, ALBERT, ELECTRA, MPNet, Longformer, DeBERTa.
    method
        Who asks.

    Raises
    ------
    ValueError
        If the classifier has no such module.
    """

    def __init__(self, classifier: Classifier, method: str) -> None:
        layer = embedding_layer(classifier)
        if not isinstance(classifier, WhiteBox) or layer is None:
            raise ValueError(
                f"layer 'output' of the method {method!r} needs a Transformer whose embedding "
                f"layer is a module of its own, as BERT's is, which the classifier "
                f"{classifier.name!r} ({type(classifier).__name__}) does not have. Valid for it "
                "is layer 'words'."
            )
        self._box, self._layer = classifier, layer
        self.device = classifier.device

    @property
    def calls(self) -> int:
        """Inputs sent through the black box so far."""
        return self._box.calls

    @calls.setter
    def calls(self, value: int) -> None:
        self._box.calls = value

    def embed(self, instances: Sequence[TextInstance], width: int = 0) -> Embedded:
        """Return what leaves the embedding layer for whole instances, (n, T, d)."""
        words = self._box.embed(instances, width)
        caught: list[torch.Tensor] = []
        hook = self._layer.register_forward_hook(lambda _, __, output: caught.append(output))
        try:
            with torch.no_grad():
                self._box.logits_from_embeddings(words.embeddings, words.attention)
        finally:
            hook.remove()
        return Embedded(caught[0], words.attention, words.word)

    def logits_from_embeddings(
        self, embeddings: torch.Tensor, attention: torch.Tensor
    ) -> torch.Tensor:
        """Run the network from its first block on (n, T, d) states; (n, C) logits."""

        def replace(_: torch.nn.Module, __: Any, ___: torch.Tensor) -> torch.Tensor:
            return embeddings

        # What the layer makes of these is thrown away; they only have to have a shape it can read.
        width = self._box.padding_embedding().shape[-1]
        words = torch.zeros(*embeddings.shape[:2], width, device=embeddings.device)
        hook = self._layer.register_forward_hook(replace)
        try:
            return self._box.logits_from_embeddings(words, attention)
        finally:
            hook.remove()
