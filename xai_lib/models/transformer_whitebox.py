"""The inside of a transformers classifier: embeddings, logits, and what its last layer reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xai_lib.models.states import States, layer_indices, word_means
from xai_lib.models.whitebox import Embedded
from xai_lib.text import TextInstance

if TYPE_CHECKING:
    from xai_lib.models.huggingface import Tokens


class TransformerWhiteBox:
    """The white-box half of `HuggingFaceClassifier`; see `xai_lib.models.whitebox.WhiteBox`."""

    name: str
    classes: tuple[str, ...]
    device: str
    precision: str
    calls: int
    max_length: int
    model: Any
    tokenizer: Any
    _runner: Any

    if TYPE_CHECKING:

        def _encode(self, one: TextInstance) -> Tokens: ...
        def _run(self, inputs: list[np.ndarray]) -> np.ndarray: ...
        def _batches(self, lengths: np.ndarray) -> list[tuple[int, np.ndarray]]: ...
        def _inputs_of_masks(
            self, instances: Sequence[TextInstance], masks: Sequence[np.ndarray], removal: str
        ) -> tuple[list[np.ndarray], list[int]]: ...

        def _checked(
            self, probabilities: object, n: int, text_of: Callable[[int], str]
        ) -> np.ndarray: ...
        def _padded(self, inputs: list[np.ndarray], width: int) -> dict[str, torch.Tensor]: ...

    @property
    def network(self) -> torch.nn.Module:
        """The model in float32, whatever precision predictions are made in."""
        return self.model

    def embed(self, instances: Sequence[TextInstance], width: int = 0) -> Embedded:
        """Look up the word embeddings of instances.

        Parameters
        ----------
        instances
            n instances of this classifier, at least one.
        width
            Pad to this many tokens, or to `max_length` where that is less.

        Returns
        -------
        Embedded
            Padded on the right, to the longest of them at least.
        """
        tokens = [self._encode(one) for one in instances]
        width = max([len(one.ids) for one in tokens] + [min(width, self.max_length)])
        ids = np.full((len(tokens), width), self.tokenizer.pad_token_id or 0, dtype=np.int64)
        attention = np.zeros_like(ids)
        word = np.full_like(ids, -1)
        for row, one in enumerate(tokens):
            ids[row, : len(one.ids)] = one.ids
            attention[row, : len(one.ids)] = 1
            word[row, : len(one.ids)] = one.word
        table = self.model.get_input_embeddings()
        with torch.no_grad():
            embeddings = table(torch.from_numpy(ids).to(self.device))
        return Embedded(embeddings, torch.from_numpy(attention).to(self.device), word)

    def padding_embedding(self) -> torch.Tensor:
        """Return the (d,) embedding of the padding token; zeros where the tokenizer has none."""
        weight: torch.Tensor = self.model.get_input_embeddings().weight.detach()
        token = self.tokenizer.pad_token_id
        return torch.zeros_like(weight[0]) if token is None else weight[token].clone()

    def logits_from_embeddings(
        self, embeddings: torch.Tensor, attention: torch.Tensor
    ) -> torch.Tensor:
        """Run the float32 model on word embeddings; gradients flow where they are enabled.

        Parameters
        ----------
        embeddings
            (n, T, d); positions and token types are added by the model.
        attention
            (n, T), 0 for padding.

        Returns
        -------
        (n, C) float32 tensor
        """
        logits: torch.Tensor = self.model(inputs_embeds=embeddings, attention_mask=attention).logits
        return logits

    def predict_from_embeddings(
        self, embeddings: torch.Tensor, attention: torch.Tensor
    ) -> torch.Tensor:
        """Run word embeddings in the precision of predictions, without gradients.

        Parameters
        ----------
        embeddings, attention
            As for `logits_from_embeddings`.

        Returns
        -------
        (n, C) float32 tensor
            On the embeddings of a text, the logits of its prediction.
        """
        arguments = {"inputs_embeds": embeddings.to(getattr(torch, self.precision))}
        # Without padding there is nothing to mask, and predictions on a CPU have none either.
        if not (attention.device.type == "cpu" and bool(attention.all())):
            arguments["attention_mask"] = attention
        with torch.inference_mode():
            return self._runner(**arguments).logits.float()

    def vocabulary_embeddings(self) -> torch.Tensor:
        """Return the (V, d) float32 table of word embeddings."""
        return self.model.get_input_embeddings().weight.detach()

    def output_layer(self) -> torch.nn.Linear:
        """Return the last linear layer, whose outputs are the C logits."""
        for module in reversed(list(self._runner.modules())):
            if isinstance(module, torch.nn.Linear) and module.out_features == len(self.classes):
                return module
        raise ValueError(f"The model {self.name!r} does not end in a linear layer.")

    def masked_features(
        self,
        instances: Sequence[TextInstance],
        masks: Sequence[np.ndarray],
        removal: str = "drop",
    ) -> list[np.ndarray]:
        """Return what enters the last linear layer for masked texts.

        Parameters
        ----------
        instances, masks, removal
            As for `predict_masked`, many instances.

        Returns
        -------
        list of (n, d) float32 array
            Multiplying by the weights of `output_layer` and adding its bias gives the logits.
        """
        inputs, counts = self._inputs_of_masks(instances, masks, removal)
        layer = self.output_layer()
        caught: list[np.ndarray] = []
        hook = layer.register_forward_pre_hook(
            lambda _, arguments: caught.append(arguments[0].float().cpu().numpy())
        )
        try:
            self._run(inputs)
        finally:
            hook.remove()
        features = np.empty((len(inputs), layer.in_features), dtype=np.float32)
        batches = self._batches(np.array([len(ids) for ids in inputs]))
        for (_, rows), answer in zip(batches, caught, strict=True):
            features[rows] = answer[: len(rows)]
        return np.split(features, np.cumsum(counts)[:-1])

    @cached_property
    def identity(self) -> str:
        """Hash of weights, vocabulary and token budget."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        vocabulary = sorted(self.tokenizer.get_vocab().items())
        digest.update(json.dumps([vocabulary, self.max_length]).encode())
        return digest.hexdigest()

    @property
    def n_layers(self) -> int:
        """Number of transformer layers."""
        return int(self.model.config.num_hidden_layers)

    @property
    def width(self) -> int:
        """Length of a hidden state."""
        return int(self.model.config.hidden_size)

    def word_states(
        self, instances: Sequence[TextInstance], layers: Sequence[int] = (-1,)
    ) -> States:
        """Return the hidden states of words and of the first token, from one forward pass.

        Parameters
        ----------
        instances
            n instances of this classifier.
        layers
            L layer numbers: 0 is the embedding layer's output, `n_layers` or -1 the last.

        Returns
        -------
        States

        Raises
        ------
        ValueError
            If a layer does not exist.
        """
        wanted = layer_indices(layers, self.n_layers)
        encoded = [self._encode(one) for one in instances]
        counts = np.array([len(one.spans) for one in instances], dtype=np.int64)
        lengths = np.array([len(one.ids) for one in encoded], dtype=np.int64)
        logits = np.empty((len(encoded), len(self.classes)), dtype=np.float32)
        # An empty part, so that no instances give empty tensors.
        nothing = torch.empty(0, len(wanted), self.width, device=self.device)
        order, firsts, words, tokens = [], [nothing], [nothing], []
        with torch.inference_mode():
            for width, rows in self._batches(lengths):
                arguments = self._padded([encoded[i].ids for i in rows], width)
                answer, layers_of = self._with_states(arguments, wanted)
                logits[rows] = answer[: len(rows)].float().cpu().numpy()
                states = torch.stack([one[: len(rows)] for one in layers_of], dim=1).float()
                means, n_tokens = word_means(states, [encoded[i].word for i in rows], counts[rows])
                order.append(rows)
                firsts.append(states[:, :, 0])
                words.append(means)
                tokens.append(n_tokens)
        self.calls += len(encoded)
        answers = self._checked(softmax(logits), len(encoded), lambda i: instances[i].text)
        # Outside of inference mode, so that a head can be trained on what comes out.
        found = States(
            answers,
            torch.cat(firsts),
            torch.cat(words),
            counts,
            np.concatenate([np.empty(0, dtype=np.int64), *tokens]),
        )
        return found if len(order) <= 1 else found.reordered(np.concatenate(order))

    def _with_states(
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


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn (n, C) logits into float64 probabilities that sum to 1."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)
