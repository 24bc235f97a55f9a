"""Classifiers trained from scratch: a word vocabulary and a small network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xai_lib.models.networks import NETWORKS, network_from_settings
from xai_lib.models.precision import check_precision, pick_device
from xai_lib.models.token_classifier import Tokens
from xai_lib.models.token_whitebox import TokenWhiteBox
from xai_lib.models.vocabulary import PADDING, UNKNOWN, WordVocabulary, lower_words
from xai_lib.models.word_network import WordNetwork
from xai_lib.text import TextInstance, make_instance

CONFIG, WORDS, WEIGHTS = "scratch.json", "vocabulary.json", "model.safetensors"


class ScratchClassifier(TokenWhiteBox):
    """A small network on whole words; see `xai_lib.models.networks.NETWORKS`.

    A token is a word of `xai_lib.text.find_words`, lower-cased; there are no special tokens, and
    punctuation is not read. A mask picks among the words, so that words never grow together. A
    removed word is left out (``"drop"``), is the unknown word (``"mask"``: there is no mask
    token), or is padding that is attended to (``"pad"``: a zero vector in its place). A text
    without words is one such padding.

    Hidden states: layer 0 is the embedding of a word, layer 1 what the network says of it. There
    is no [CLS]; the state of the text is, in both layers, what the last linear layer reads.

    Parameters
    ----------
    network
        A `WordNetwork` of one text; for pairs see
        `xai_lib.models.pair_classifier.PairClassifier`.
    vocabulary
        Its words.
    name
        What the black box is called in results.
    classes
        Names of the C classes.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``.
    precision
        ``"float32"``, ``"bfloat16"``, or ``"auto"``, which is float32: on a CPU with bfloat16
        units, bfloat16 was 1.4 to 1.9 times as fast, but its answers depend on the size of a batch
        (1e-4 in a logit).
    max_words
        Words of a text that are read, at least 1; also called `max_length`.

    Raises
    ------
    ValueError
        For an unknown device or precision, a budget without room for a word or beyond what the
        network reads, or a network whose sizes are not those of the vocabulary and the classes.
    """

    def __init__(
        self,
        network: WordNetwork,
        vocabulary: WordVocabulary,
        name: str,
        classes: Sequence[str],
        device: str = "auto",
        precision: str = "auto",
        max_words: int = 256,
    ) -> None:
        super().__init__(name, classes)
        check_precision(precision)
        if max_words < 1:
            raise ValueError(f"max_words must be at least 1, got {max_words}.")
        if network.max_positions is not None and max_words > network.max_positions:
            raise ValueError(
                f"The network {name!r} reads at most {network.max_positions} words, got a budget "
                f"of {max_words}."
            )
        if network.pairs != self.pairs:
            raise ValueError(
                f"The network {name!r} reads {('one text', 'pairs')[network.pairs]}; "
                "`xai_lib.models.pair_classifier.as_scratch` picks the classifier for it."
            )
        sizes = (network.embedding.num_embeddings, network.output.out_features)
        if sizes != (len(vocabulary), len(self.classes)):
            raise ValueError(
                f"The network {name!r} has {sizes[0]} words and {sizes[1]} outputs, but there are "
                f"{len(vocabulary)} words in the vocabulary and {len(self.classes)} classes."
            )
        self.vocabulary = vocabulary
        self.max_length = max_words
        self._place(network, pick_device(device))
        if precision == "bfloat16":
            self._use_bfloat16(None)

    @property
    def max_words(self) -> int:
        """Words of a text that are read."""
        return self.max_length

    def save(self, folder: str | Path) -> None:
        """Write weights, vocabulary and settings into a folder, which `load_scratch` reads.

        Parameters
        ----------
        folder
            An existing folder.
        """
        from safetensors.torch import save_file

        folder = Path(folder)
        weights = {key: value.cpu().contiguous() for key, value in self.model.state_dict().items()}
        save_file(weights, folder / WEIGHTS)
        self.vocabulary.save(folder / WORDS)
        config = {
            "architecture": self.model.architecture,
            "name": self.name,
            "classes": self.classes,
            **self.model.settings(),
            "max_words": self.max_length,
        }
        (folder / CONFIG).write_text(json.dumps(config, indent=1), encoding="utf-8")

    # Tokens -------------------------------------------------------------------------------

    @property
    def padding_id(self) -> int:
        """Number of padding, 0."""
        return PADDING

    def _vocabulary(self) -> list[tuple[str, int]]:
        return sorted((word, i) for i, word in enumerate(self.vocabulary.words, UNKNOWN + 1))

    def instance(self, text: str, group: str = "position") -> TextInstance:
        """Cut a text into the words that fit the budget; see `Classifier.instance`."""
        return make_instance(text, group, end=self.max_length)

    def _ids(self, words: Sequence[str]) -> np.ndarray:
        return self.vocabulary.ids(words[: self.max_length]) if words else _nothing()

    def _encode(self, one: TextInstance) -> Tokens:
        key = (self, "tokens")
        if key not in one._cache:
            ids = self._ids(one.words)
            one._cache[key] = Tokens(ids, np.arange(len(ids)) if one.words else np.array([-1]))
        cached = one._cache[key]
        assert isinstance(cached, Tokens)
        return cached

    def _tokenise(self, texts: list[str]) -> list[np.ndarray]:
        return [self._ids(lower_words(text)) for text in texts]

    def _mask_ids(self, one: TextInstance, masks: np.ndarray, removal: str) -> list[np.ndarray]:
        if not one.spans:
            return [_nothing() for _ in masks]
        ids = self._encode(one).ids
        keep = one.word_mask(masks)[:, : len(ids)]
        if removal != "drop":
            return list(np.where(keep, ids, UNKNOWN if removal == "mask" else PADDING))
        return [ids[row] if row.any() else _nothing() for row in keep]

    # Network ------------------------------------------------------------------------------

    @property
    def n_layers(self) -> int:
        """Number of layers, 1."""
        return 1

    @property
    def width(self) -> int:
        """Length of a hidden state."""
        return int(self.model.embedding.embedding_dim)

    def _read(
        self, network: Any, arguments: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return embeddings and attention as the network takes them."""
        given, attention = arguments.get("inputs_embeds"), arguments.get("attention_mask")
        if given is not None:
            return given, attention
        found: tuple[torch.Tensor, torch.Tensor | None] = network.read(
            arguments["input_ids"], attention
        )
        return found

    def _answer(self, network: Any, **arguments: torch.Tensor) -> torch.Tensor:
        embedded, attention = self._read(network, arguments)
        # Without padding there is nothing to mask. Elsewhere than on a CPU, asking would wait.
        if (
            attention is not None
            and not self.pairs
            and attention.device.type == "cpu"
            and bool(attention.all())
        ):
            attention = None
        logits: torch.Tensor = network(embedded, attention)
        return logits

    def _with_states(
        self, arguments: dict[str, torch.Tensor], layers: list[int]
    ) -> tuple[torch.Tensor, list[torch.Tensor], torch.Tensor]:
        network = self._runner
        embedded, attention = self._read(network, arguments)
        states = network.states(embedded, attention)
        pooled = network.pool(states, attention)
        texts = pooled[:, None].expand(-1, len(layers), -1)
        return network.output(pooled), [(embedded, states)[layer] for layer in layers], texts


def _nothing() -> np.ndarray:
    """Return the token ids of a text without words."""
    return np.array([PADDING], dtype=np.int64)


def is_scratch_folder(path: str | Path) -> bool:
    """Tell whether a folder was written by `ScratchClassifier.save`."""
    return (Path(path) / CONFIG).is_file()


def load_scratch(
    path: str | Path,
    name: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    max_words: int | None = None,
) -> ScratchClassifier:
    """Load a classifier from the folder that `ScratchClassifier.save` wrote.

    Parameters
    ----------
    path
        The folder.
    name
        What the black box is called in results; default what it was called.
    device, precision
        See `ScratchClassifier`.
    max_words
        Words of a text that are read; default as many as in training.

    Returns
    -------
    ScratchClassifier

    Raises
    ------
    ValueError
        If the folder is none of these, lacks a file, or holds another architecture.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from xai_lib.models.pair_classifier import as_scratch

    folder = Path(path)
    if missing := [file for file in (CONFIG, WORDS, WEIGHTS) if not (folder / file).is_file()]:
        raise ValueError(
            f"{str(path)!r} is no folder of a classifier trained from scratch: it lacks "
            f"{', '.join(missing)}."
        )
    config = json.loads((folder / CONFIG).read_text("utf-8"))
    vocabulary = WordVocabulary.load(folder / WORDS)
    network = network_from_settings(
        config.get("architecture"), len(vocabulary), len(config["classes"]), config
    )
    if network is None:
        valid = ", ".join(kind.architecture for kind in NETWORKS.values())
        raise ValueError(
            f"{str(path)!r} holds a network {config.get('architecture')!r}. Valid: {valid}."
        )
    try:
        weights = load_file(folder / WEIGHTS)
        if "class_vectors" in weights:
            network.add_class_vectors()
        network.load_state_dict(weights)
    except (RuntimeError, SafetensorError) as error:
        raise ValueError(f"The weights in {str(path)!r} do not fit: {error}") from error
    return as_scratch(
        network,
        vocabulary,
        name or config["name"],
        config["classes"],
        device,
        precision,
        max_words or config["max_words"],
    )
