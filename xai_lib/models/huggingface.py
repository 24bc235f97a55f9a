"""Hugging Face sequence classifiers, masked at the level of token ids."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import regex
import torch

from xai_lib.models.base import Classifier
from xai_lib.models.precision import check_precision, fast_bfloat16, pick_device
from xai_lib.models.transformer_whitebox import TransformerWhiteBox, softmax
from xai_lib.text import TextInstance, make_instance

# Tokens in one batch. Measured: more gives no speed on a CPU; a GPU wants many.
TOKEN_BUDGET = {"cpu": 4096, "cuda": 32768}
# An answer must not depend on what shares its batch, also in bfloat16. On a CPU that holds as long
# as nothing is padded, bit for bit in bfloat16 and within 1e-6 in float32, so inputs of one length
# form a batch. On a GPU it holds for equal shapes, so inputs are padded to a multiple of the step
# and batches to a fixed size.
PADDING_STEP = {"cpu": 1, "cuda": 32}
# Largest change of a probability that bfloat16 may cause on the probe texts.
BFLOAT16_TOLERANCE = 0.05
SEPARATOR, SPECIAL = -1, -2
# Between two of these, tokens of a word do not depend on what stands around it.
_APART = regex.compile(r"[\p{P}\p{Z}\t\n\r$+<=>^`|~]")
_PROBES = (
    "The quick answer, as they said, was not what we hoped for: it rained again!",
    "i didn't feel like going out (not even once) because of my re-entry at 10:30.",
    "Ünïcode wörds, email@example.com and under_scores stay where they are...",
    "What a wonderful surprise.",
)


@dataclass(frozen=True, eq=False)
class Tokens:
    """Token ids of one instance, (T,), and the word each belongs to (SEPARATOR, SPECIAL: none).

    `separable` says whether the tokens of a word depend on that word only, so that ids with some
    words left out are those of the text without these words.
    """

    ids: np.ndarray
    word: np.ndarray
    separable: bool


class HuggingFaceClassifier(TransformerWhiteBox, Classifier):
    """A transformers sequence classifier with a fast tokenizer.

    Words are tokenised once; a mask picks among the token ids. Where the tokenizer would give
    other ids for the text with words removed (checked when the model is loaded), texts are
    written out and tokenised again; so are texts in which a word touches another one, an emoji
    or an invisible character. Inputs of all texts are sorted by length and share batches.

    Parameters
    ----------
    model, tokenizer
        A sequence classification model and its fast tokenizer.
    name
        What the black box is called in results.
    classes
        Class names; default from ``model.config.id2label``.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``.
    precision
        ``"float32"``, ``"bfloat16"``, or ``"auto"``: bfloat16 where the device multiplies it in
        hardware and the model's predictions on probe texts agree with float32.
    max_length
        Token budget of a text; default the model's own limit. Words beyond it are not read.

    Raises
    ------
    ValueError
        For a slow tokenizer, an unknown device or precision, a budget without room for a word.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        name: str,
        classes: Sequence[str] | None = None,
        device: str = "auto",
        precision: str = "auto",
        max_length: int | None = None,
    ) -> None:
        labels = model.config.id2label
        super().__init__(name, classes or [labels[i] for i in range(len(labels))])
        check_precision(precision)
        if not getattr(tokenizer, "is_fast", False):
            raise ValueError(f"The model {name!r} needs a fast tokenizer (one with word offsets).")
        if len(self.classes) != model.config.num_labels:
            raise ValueError(
                f"The model {name!r} has {model.config.num_labels} outputs, but "
                f"{len(self.classes)} class names were given: {list(self.classes)}."
            )
        if model.config.num_labels < 2:
            raise ValueError(
                f"The model {name!r} has one output (a regression); class probabilities are needed."
            )
        self.device = pick_device(device)
        self.tokenizer = tokenizer
        self.model = model.to(self.device, torch.float32).eval()
        self.model.requires_grad_(False)
        self.max_length = self._limit(max_length)
        self.card: dict[str, Any] = {}
        self._runner = self.model
        self.precision = "float32"
        self.assembles_ids = self._ids_equal_retokenising()
        if precision == "bfloat16" or (precision == "auto" and fast_bfloat16(self.device)):
            self._use_bfloat16(checked=precision == "auto")

    # Loading ------------------------------------------------------------------------------

    def _limit(self, max_length: int | None) -> int:
        position = getattr(self.model.config, "max_position_embeddings", None) or 10**6
        if getattr(self.model.config, "model_type", "") in {"roberta", "xlm-roberta", "camembert"}:
            position -= 2  # These number their positions from padding_idx + 1.
        own = min(position, self.tokenizer.model_max_length)
        limit = own if max_length is None else min(max_length, own)
        if limit < 3:
            raise ValueError(f"max_length must leave room for a word, got {max_length}.")
        return int(limit)

    def _use_bfloat16(self, checked: bool) -> None:
        exact = self.predict_proba(_PROBES) if checked else None
        self._runner = copy.deepcopy(self.model).to(torch.bfloat16)
        self.precision = "bfloat16"
        if exact is None:
            return
        rounded = self.predict_proba(_PROBES)
        if np.abs(exact - rounded).max() > BFLOAT16_TOLERANCE:
            self._runner = self.model
            self.precision = "float32"
        self.calls = 0

    def _ids_equal_retokenising(self) -> bool:
        self.assembles_ids = True
        rng = np.random.default_rng(0)
        for text in _PROBES:
            one = self.instance(text)
            if not self._encode(one).separable:
                return False
            masks = rng.random((6, one.n_features)) < 0.6
            picked = self._mask_ids(one, masks, "drop")
            written = self._tokenise([one.render(mask) for mask in masks])
            if any(not np.array_equal(a, b) for a, b in zip(picked, written, strict=True)):
                return False
        return True

    # Tokens -------------------------------------------------------------------------------

    def instance(self, text: str, group: str = "position") -> TextInstance:
        """Cut a text into the words that fit the token budget; see `Classifier.instance`."""
        whole = make_instance(text, group)
        tokens = self._encode(whole, truncation=False)
        if len(tokens.ids) <= self.max_length:
            return whole
        content = tokens.word[tokens.word != SPECIAL]
        read, beyond = np.split(content, [self.max_length - len(tokens.ids) + len(content)])
        unread = beyond[beyond >= 0]
        end = int(unread.min()) if len(unread) else int(read.max(initial=-1)) + 1
        return make_instance(text, group, end=end)

    def _encode(self, one: TextInstance, truncation: bool = True) -> Tokens:
        """Tokenise the part of an instance that the model reads, once per instance."""
        key = (self, "tokens")
        if key not in one._cache:
            encoded = self.tokenizer(
                one.read_text,
                return_offsets_mapping=True,
                return_special_tokens_mask=True,
                truncation=truncation,
                max_length=self.max_length if truncation else None,
                verbose=False,
            )
            ids = np.array(encoded["input_ids"], dtype=np.int64)
            offsets = np.array(encoded["offset_mapping"], dtype=np.int64).reshape(-1, 2)
            starts = np.array([start for start, _ in one.spans], dtype=np.int64)
            ends = np.array([end for _, end in one.spans], dtype=np.int64)
            # The word whose span overlaps the token; the first such word if there are several.
            word = np.searchsorted(ends, offsets[:, 0], side="right")
            inside = word < len(starts)
            inside[inside] = starts[word[inside]] < offsets[inside, 1]
            word = np.where(inside, word, SEPARATOR)
            word[np.array(encoded["special_tokens_mask"], dtype=bool)] = SPECIAL
            own, within = word[word >= 0], offsets[word >= 0]
            separable = (
                len(np.unique(own)) == len(starts)
                and bool((within[:, 0] >= starts[own]).all() and (within[:, 1] <= ends[own]).all())
                and _words_stand_apart(one)
            )
            tokens = Tokens(ids, word, separable)
            if len(ids) > self.max_length:
                return tokens
            one._cache[key] = tokens
        cached = one._cache[key]
        assert isinstance(cached, Tokens)
        return cached

    def _tokenise(self, texts: list[str]) -> list[np.ndarray]:
        encoded = self.tokenizer(texts, truncation=True, max_length=self.max_length)["input_ids"]
        return [np.array(ids, dtype=np.int64) for ids in encoded]

    def _mask_ids(self, one: TextInstance, masks: np.ndarray, removal: str) -> list[np.ndarray]:
        """Return the token ids of each masked text (n arrays of their own lengths)."""
        token = {
            "drop": None,
            "mask": self.tokenizer.mask_token_id,
            "pad": self.tokenizer.pad_token_id,
        }[removal]
        if removal != "drop" and token is None:
            raise ValueError(f"The tokenizer of {self.name!r} has no {removal} token; use 'drop'.")
        if not len(masks):
            return []
        tokens = self._encode(one)
        if not (self.assembles_ids and tokens.separable):
            text = "" if token is None else self.tokenizer.convert_ids_to_tokens(token)
            return self._tokenise([one.render(mask, removal, text) for mask in masks])
        free = tokens.word < 0
        words = np.maximum(tokens.word, 0)
        keep = np.ones((len(masks), len(tokens.ids)), dtype=bool)
        if one.spans:
            keep = free | one.word_mask(masks)[:, words]
        ids = np.broadcast_to(tokens.ids, keep.shape)
        if token is not None:
            # One token stands for a removed word: its first piece is replaced, the rest goes.
            first = np.r_[True, tokens.word[1:] != tokens.word[:-1]]
            ids = np.where(keep, ids, token)
            keep = keep | first
        kept, ends = ids[keep], np.cumsum(keep.sum(axis=1)).tolist()
        return [kept[start:end] for start, end in pairwise([0, *ends])]

    # Forward pass -------------------------------------------------------------------------

    def _batches(self, lengths: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """Cut inputs into batches of one padded width each, about the token budget in size."""
        kind = self.device.split(":")[0]
        step = PADDING_STEP[kind]
        widths = np.minimum(-(-lengths // step) * step, self.max_length)
        batches = []
        for width in np.unique(widths):
            rows = np.flatnonzero(widths == width)
            size = max(1, TOKEN_BUDGET[kind] // int(width))
            batches += [(int(width), rows[i : i + size]) for i in range(0, len(rows), size)]
        return batches

    def _run(self, inputs: list[np.ndarray]) -> np.ndarray:
        """Send n inputs of token ids through the model; (n, C) float32 logits."""
        lengths = np.array([len(ids) for ids in inputs])
        logits = np.empty((len(inputs), len(self.classes)), dtype=np.float32)
        with torch.inference_mode():
            for width, rows in self._batches(lengths):
                arguments = self._padded([inputs[i] for i in rows], width)
                answer = self._runner(**arguments).logits[: len(rows)]
                logits[rows] = answer.float().cpu().numpy()
        self.calls += len(inputs)
        return logits

    def _padded(self, inputs: list[np.ndarray], width: int) -> dict[str, torch.Tensor]:
        """Make the model's arguments for inputs of at most `width` tokens."""
        kind = self.device.split(":")[0]
        if PADDING_STEP[kind] == 1:
            return {"input_ids": torch.from_numpy(np.stack(inputs)).to(self.device)}
        size = max(1, TOKEN_BUDGET[kind] // width)
        lengths = np.array([len(ids) for ids in inputs] + [width] * (size - len(inputs)))
        mask = np.arange(width) < lengths[:, None]
        ids = np.full((size, width), self.tokenizer.pad_token_id or 0, dtype=np.int64)
        ids[: len(inputs)][mask[: len(inputs)]] = np.concatenate(inputs)
        return {
            "input_ids": torch.from_numpy(ids).to(self.device),
            "attention_mask": torch.from_numpy(mask.astype(np.int64)).to(self.device),
        }

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

    @cached_property
    def fingerprint(self) -> str:
        """Hash of weights, vocabulary, token budget, precision and kind of device."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        facts = [
            sorted(self.tokenizer.get_vocab().items()),
            self.max_length,
            self.precision,
            self.device.split(":")[0],
        ]
        digest.update(json.dumps(facts).encode())
        return digest.hexdigest()


def _words_stand_apart(one: TextInstance) -> bool:
    """Tell whether blanks, punctuation or an end of the text stand on both sides of each word."""
    text = one.read_text
    around = {text[start - 1] for start, _ in one.spans if start}
    around |= {text[end] for _, end in one.spans if end < len(text)}
    return all(_APART.fullmatch(character) for character in around)


def load_huggingface(
    path: str | Path,
    name: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    max_length: int | None = None,
) -> HuggingFaceClassifier:
    """Load a sequence classifier from a local folder or by its hub id.

    Parameters
    ----------
    path
        Folder written by ``save_pretrained`` with its tokenizer, or a hub id.
    name
        What the black box is called in results; default the last part of `path`.
    device, precision, max_length
        See `HuggingFaceClassifier`.

    Returns
    -------
    HuggingFaceClassifier

    Raises
    ------
    ValueError
        If nothing can be loaded from there; the message carries the reason. If weights are missing,
        as those of the classification head are in a plain encoder; the message names them.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
        model, loading = AutoModelForSequenceClassification.from_pretrained(
            path, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError) as error:
        raise ValueError(
            f"No sequence classifier could be loaded from {str(path)!r}, neither as a folder "
            f"written by save_pretrained nor as a hub id: {error}"
        ) from error
    # Weights tied to others are no longer among the missing keys, and a buffer that a file lacks,
    # such as old position_ids, is computed; only a missing parameter is a random number.
    learned = {key for key, _ in model.named_parameters(remove_duplicate=False)}
    if missing := sorted(learned & set(loading["missing_keys"])):
        more = f" and {len(missing) - 6} more" if len(missing) > 6 else ""
        raise ValueError(
            f"{str(path)!r} lacks weights of a {type(model).__name__}, which would be random "
            f"numbers: {', '.join(missing[:6])}{more}. Needed is a model fine-tuned for sequence "
            "classification and saved with its classification head, not an encoder alone."
        )
    return HuggingFaceClassifier(
        model, tokenizer, name or Path(path).name, None, device, precision, max_length
    )
