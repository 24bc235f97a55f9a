"""How a transformers classifier is called, and its layers."""

from __future__ import annotations

from typing import Any

import torch

from xai_lib.models.batching import softmax
from xai_lib.models.token_whitebox import TokenWhiteBox

__all__ = ["TransformerWhiteBox", "softmax"]


class TransformerWhiteBox(TokenWhiteBox):
    """The part of `HuggingFaceClassifier` that depends on the architecture."""

    tokenizer: Any

    @property
    def padding_id(self) -> int | None:
        """Token id of padding; None where the tokenizer has none."""
        token: int | None = self.tokenizer.pad_token_id
        return token

    def _vocabulary(self) -> list[tuple[str, int]]:
        return sorted(self.tokenizer.get_vocab().items())

    def _answer(self, network: Any, **arguments: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = network(**arguments).logits
        return logits

    @property
    def n_layers(self) -> int:
        """Number of transformer layers."""
        return int(self.model.config.num_hidden_layers)

    @property
    def width(self) -> int:
        """Length of a hidden state."""
        return int(self.model.config.hidden_size)

    def _with_states(
        self, arguments: dict[str, torch.Tensor], layers: list[int]
    ) -> tuple[torch.Tensor, list[torch.Tensor], torch.Tensor]:
        """Run the network; see `TokenWhiteBox`. The state of a text is that of its first token."""
        logits, states = self._layers(arguments, layers)
        return logits, states, torch.stack([one[:, 0] for one in states], dim=1)

    def _layers(
        self, arguments: dict[str, torch.Tensor], layers: list[int]
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Run the network; return (n, C) logits and the (n, T, d) states of some layers."""
        encoder = self._runner.base_model
        if layers != [self.n_layers] or encoder is self._runner:
            answer = self._runner(**arguments, output_hidden_states=True)
            return answer.logits, [answer.hidden_states[layer] for layer in layers]
        # What leaves the encoder is the last layer; collecting all of them takes longer.
        caught: list[torch.Tensor] = []
        hook = encoder.register_forward_hook(lambda _, __, output: caught.append(output[0]))
        try:
            logits = self._runner(**arguments).logits
        finally:
            hook.remove()
        return logits, caught
