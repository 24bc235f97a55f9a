"""The inside of a classifier that reads token ids: embeddings, logits, hidden states."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch

from xai_lib.models.batching import softmax
from xai_lib.models.class_vectors import class_vectors_of
from xai_lib.models.states import States, in_order, layer_indices, word_means
from xai_lib.models.token_classifier import TokenClassifier
from xai_lib.models.whitebox import Embedded
from xai_lib.text import TextInstance


class TokenWhiteBox(TokenClassifier):
    """The white-box half of a `TokenClassifier`; see `xai_lib.models.whitebox.WhiteBox`.

    Attributes
    ----------
    pairs
        Whether it reads two texts; then the attention says which of them a token belongs to.
    """

    pairs: ClassVar[bool] = False

    @property
    def network(self) -> torch.nn.Module:
        """The model in float32, whatever precision predictions are made in."""
        return self.model

    @property
    def class_vectors(self) -> torch.Tensor | None:
        """The (C, d) vectors of the classes in the space of the embeddings, where it has any."""
        vectors = class_vectors_of(self.model)
        return None if vectors is None else vectors.detach()

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
        ids = np.full((len(tokens), width), self.padding_id or 0, dtype=np.int64)
        attention = np.zeros_like(ids)
        word = np.full_like(ids, -1)
        for row, one in enumerate(tokens):
            ids[row, : len(one.ids)] = one.ids
            attention[row, : len(one.ids)] = 1
            word[row, : len(one.ids)] = one.word
        numbers, there = (torch.from_numpy(one).to(self.device) for one in (ids, attention))
        with torch.no_grad():
            return Embedded(*self._look_up(numbers, there), word)

    def _look_up(
        self, ids: torch.Tensor, attention: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the embeddings of tokens, and the attention that goes with them."""
        return self.model.get_input_embeddings()(ids), attention

    def padding_embedding(self) -> torch.Tensor:
        """Return the (d,) embedding of the padding token; zeros where there is none."""
        weight: torch.Tensor = self.model.get_input_embeddings().weight.detach()
        token = self.padding_id
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
        return self._answer(self.model, inputs_embeds=embeddings, attention_mask=attention)

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
        if self.pairs or not (attention.device.type == "cpu" and bool(attention.all())):
            arguments["attention_mask"] = attention
        with torch.inference_mode():
            return self._answer(self._runner, **arguments).float()

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

    @property
    @abstractmethod
    def n_layers(self) -> int:
        """Number of layers; layer 0 is what enters the first of them."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Length of a hidden state."""

    @abstractmethod
    def _with_states(
        self, arguments: dict[str, torch.Tensor], layers: list[int]
    ) -> tuple[torch.Tensor, list[torch.Tensor], torch.Tensor]:
        """Run the network on what `_padded` made.

        Returns (n, C) logits, the states (n, T, d) of the tokens in each of L layers, and the
        states (n, L, d) of the texts.
        """

    def word_states(
        self, instances: Sequence[TextInstance], layers: Sequence[int] = (-1,)
    ) -> States:
        """Return the hidden states of words and of the text, from one forward pass.

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
        logits = [np.empty((0, len(self.classes)), dtype=np.float32)]
        nothing = torch.empty(0, len(wanted), self.width, device=self.device)
        first, words = [nothing], [nothing]
        tokens = [np.empty(0, dtype=np.int64)]
        batches = self._batches(lengths)
        with torch.inference_mode():
            for width, rows in batches:
                arguments = self._padded([encoded[i].ids for i in rows], width)
                answer, layers_of, texts = self._with_states(arguments, wanted)
                logits.append(answer[: len(rows)].float().cpu().numpy())
                states = torch.stack([one[: len(rows)] for one in layers_of], dim=1).float()
                means, n_tokens = word_means(states, [encoded[i].word for i in rows], counts[rows])
                first.append(texts[: len(rows)].float())
                words.append(means)
                tokens.append(n_tokens)
        self.calls += len(encoded)
        # Outside of inference mode, so that a head can be trained on what comes out.
        found = States(
            softmax(np.concatenate(logits)),
            torch.cat(first),
            torch.cat(words),
            counts,
            np.concatenate(tokens),
        )
        if len(batches) > 1:
            found = in_order(found, np.concatenate([rows for _, rows in batches]))
        self._checked(found.probabilities, len(encoded), lambda i: instances[i].text)
        return found
