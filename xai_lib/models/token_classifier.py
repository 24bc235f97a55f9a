"""What classifiers that read token ids share: batches, number format, identity."""

from __future__ import annotations

import copy
import hashlib
import json
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from xai_lib.models.base import Classifier
from xai_lib.models.batching import batches_of, padded_batch, softmax
from xai_lib.text import TextInstance

PROBES = (
    "The quick answer, as they said, was not what we hoped for: it rained again!",
    "i didn't feel like going out (not even once) because of my re-entry at 10:30.",
    "Ünïcode wörds, email@example.com and under_scores stay where they are...",
    "What a wonderful surprise.",
)


@dataclass(frozen=True, eq=False)
class Tokens:
    """Token ids of one instance, (T,), and the word each belongs to (negative: none).

    `separable` says whether the tokens of a word depend on that word only, so that ids with some
    words left out are those of the text without these words.
    """

    ids: np.ndarray
    word: np.ndarray
    separable: bool = True


class TokenClassifier(Classifier):
    """A classifier whose network reads token ids; see its subclasses.

    A subclass says how texts become ids and how the network is called.

    Attributes
    ----------
    model
        The network in float32 and evaluation mode; `_runner` is what predictions come from.
    max_length
        Token budget of a text.
    card
        What is known about the training; empty if nothing is.
    """

    model: Any
    max_length: int
    card: dict[str, Any]
    _runner: Any

    @property
    @abstractmethod
    def padding_id(self) -> int | None:
        """Token id that fills batches; None where the vocabulary has no padding."""

    @abstractmethod
    def _vocabulary(self) -> list[tuple[str, int]]:
        """Return all tokens and their ids, sorted."""

    @abstractmethod
    def _encode(self, one: TextInstance) -> Tokens:
        """Tokenise the part of an instance that the model reads, once per instance."""

    @abstractmethod
    def _tokenise(self, texts: list[str]) -> list[np.ndarray]:
        """Return the token ids of texts."""

    @abstractmethod
    def _mask_ids(self, one: TextInstance, masks: np.ndarray, removal: str) -> list[np.ndarray]:
        """Return the token ids of each masked text (n arrays of their own lengths)."""

    @abstractmethod
    def _answer(self, network: Any, **arguments: torch.Tensor) -> torch.Tensor:
        """Run a network on ``input_ids`` or ``inputs_embeds``, maybe with ``attention_mask``.

        Returns (n, C) logits.
        """

    def _place(self, model: Any, device: str) -> None:
        """Take over a network: in float32, in evaluation mode, without gradients of weights."""
        self.device, self.precision, self.card = device, "float32", {}
        self.model = self._runner = model.to(device, torch.float32).eval()
        self.model.requires_grad_(False)

    def _use_bfloat16(self, tolerance: float | None) -> None:
        """Predict in bfloat16 unless it moves a probability of a probe text by more than so much.

        Without a tolerance nothing is checked.
        """
        exact = None if tolerance is None else self.predict_proba(PROBES)
        self._runner = copy.deepcopy(self.model).to(torch.bfloat16)
        self.precision = "bfloat16"
        if exact is None:
            return
        rounded = self.predict_proba(PROBES)
        if np.abs(exact - rounded).max() > tolerance:
            self._runner = self.model
            self.precision = "float32"
        self.calls = 0

    # Answers ------------------------------------------------------------------------------

    def _batches(self, lengths: np.ndarray) -> list[tuple[int, np.ndarray]]:
        return batches_of(lengths, self.device, self.max_length)

    def _padded(self, inputs: list[np.ndarray], width: int) -> dict[str, torch.Tensor]:
        return padded_batch(inputs, width, self.device, self.padding_id or 0)

    def _run(self, inputs: list[np.ndarray]) -> np.ndarray:
        """Send n inputs of token ids through the model; (n, C) float32 logits."""
        lengths = np.array([len(ids) for ids in inputs])
        logits = np.empty((len(inputs), len(self.classes)), dtype=np.float32)
        with torch.inference_mode():
            for width, rows in self._batches(lengths):
                arguments = self._padded([inputs[i] for i in rows], width)
                answer = self._answer(self._runner, **arguments)[: len(rows)]
                logits[rows] = answer.float().cpu().numpy()
        self.calls += len(inputs)
        return logits

    def _probabilities_of_texts(self, texts: list[str]) -> np.ndarray:
        return softmax(self._run(self._tokenise(texts)))

    def _probabilities_of_masks(
        self, instances: list[TextInstance], masks: list[np.ndarray], removal: str
    ) -> list[np.ndarray]:
        inputs, counts = self._inputs_of_masks(instances, masks, removal)
        if not inputs:
            return [np.empty((0, len(self.classes))) for _ in instances]
        return np.split(softmax(self._run(inputs)), np.cumsum(counts)[:-1])

    def _inputs_of_masks(
        self, instances: Sequence[TextInstance], masks: Sequence[np.ndarray], removal: str
    ) -> tuple[list[np.ndarray], list[int]]:
        inputs: list[np.ndarray] = []
        for one, rows in zip(instances, masks, strict=True):
            inputs += self._mask_ids(one, rows, removal)
        return inputs, [len(rows) for rows in masks]

    # Identity -----------------------------------------------------------------------------

    def _digest(self, *more: object) -> str:
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        digest.update(json.dumps([self._vocabulary(), self.max_length, *more]).encode())
        return digest.hexdigest()

    @cached_property
    def identity(self) -> str:
        """Hash of weights, vocabulary and token budget."""
        return self._digest()

    @cached_property
    def fingerprint(self) -> str:
        """Hash of weights, vocabulary, token budget, precision and kind of device."""
        return self._digest(self.precision, self.device.split(":")[0])
