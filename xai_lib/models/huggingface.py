"""Hugging Face sequence classifiers, masked at the level of token ids."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import regex
import torch

from xai_lib.models.batching import PADDING_STEP, TOKEN_BUDGET, softmax
from xai_lib.models.class_vectors import load_class_vectors, save_model
from xai_lib.models.precision import check_precision, fast_bfloat16, pick_device
from xai_lib.models.token_classifier import PROBES, Tokens
from xai_lib.models.transformer_whitebox import TransformerWhiteBox
from xai_lib.text import TextInstance, make_instance, without_surrogates

__all__ = [
    "BFLOAT16_TOLERANCE",
    "PADDING_STEP",
    "TOKEN_BUDGET",
    "HuggingFaceClassifier",
    "load_huggingface",
    "softmax",
]

# Largest change of a probability that bfloat16 may cause on the probe texts.
BFLOAT16_TOLERANCE = 0.05
SEPARATOR, SPECIAL = -1, -2
# Between two of these, tokens of a word do not depend on what stands around it.
_APART = regex.compile(r"[\p{P}\p{Z}\t\n\r$+<=>^`|~]")


class HuggingFaceClassifier(TransformerWhiteBox):
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
        self.tokenizer = tokenizer
        self._place(model, pick_device(device))
        self.max_length = self._limit(max_length)
        self.assembles_ids = self._ids_equal_retokenising()
        if precision == "bfloat16" or (precision == "auto" and fast_bfloat16(self.device)):
            self._use_bfloat16(BFLOAT16_TOLERANCE if precision == "auto" else None)

    # Loading and saving --------------------------------------------------------------------

    def save(self, folder: str | Path) -> None:
        """Write model, tokenizer and class vectors, if any; `load_huggingface` reads them."""
        save_model(self.model, folder)
        self.tokenizer.save_pretrained(folder)

    def _limit(self, max_length: int | None) -> int:
        position = getattr(self.model.config, "max_position_embeddings", None) or 10**6
        if getattr(self.model.config, "model_type", "") in {"roberta", "xlm-roberta", "camembert"}:
            position -= 2  # These number their positions from padding_idx + 1.
        own = min(position, self.tokenizer.model_max_length)
        limit = own if max_length is None else min(max_length, own)
        if limit < 3:
            raise ValueError(f"max_length must leave room for a word, got {max_length}.")
        return int(limit)

    def _ids_equal_retokenising(self) -> bool:
        self.assembles_ids = True
        rng = np.random.default_rng(0)
        for text in PROBES:
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
        return self.instances([text], group)[0]

    def instances(self, texts: Sequence[str], group: str = "position") -> list[TextInstance]:
        """Cut texts into words; they are tokenised in one call, which is faster."""
        wholes = [make_instance(text, group) for text in texts]
        every = self._tokens(wholes, truncation=False) if wholes else []
        return [self._within_budget(*one) for one in zip(wholes, every, strict=True)]

    def _within_budget(self, whole: TextInstance, tokens: Tokens) -> TextInstance:
        """Leave out the words of an instance that the model does not read."""
        if len(tokens.ids) <= self.max_length:
            whole._cache[(self, "tokens")] = tokens
            return whole
        content = tokens.word[tokens.word != SPECIAL]
        read, beyond = np.split(content, [self.max_length - len(tokens.ids) + len(content)])
        unread = beyond[beyond >= 0]
        end = int(unread.min()) if len(unread) else int(read.max(initial=-1)) + 1
        return make_instance(whole.text, whole.group, end=end)

    def _encode(self, one: TextInstance) -> Tokens:
        """Tokenise the part of an instance that the model reads, once per instance."""
        key = (self, "tokens")
        if key not in one._cache:
            one._cache[key] = self._tokens([one], truncation=True)[0]
        cached = one._cache[key]
        assert isinstance(cached, Tokens)
        return cached

    def _tokens(self, instances: list[TextInstance], truncation: bool) -> list[Tokens]:
        """Tokenise instances in one call, cut at the budget or whole."""
        encoded = self._call_tokenizer(
            [one.read_text for one in instances],
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
            truncation=truncation,
            max_length=self.max_length if truncation else None,
            verbose=False,
        )
        columns = ("input_ids", "offset_mapping", "special_tokens_mask")
        rows = zip(*(encoded[column] for column in columns), strict=True)
        return [_tokens_of(one, *row) for one, row in zip(instances, rows, strict=True)]

    def _tokenise(self, texts: list[str]) -> list[np.ndarray]:
        encoded = self._call_tokenizer(texts, truncation=True, max_length=self.max_length)
        return [np.array(ids, dtype=np.int64) for ids in encoded["input_ids"]]

    def _call_tokenizer(self, texts: list[str], **settings: Any) -> Any:
        """Tokenise texts; a lone surrogate reads as U+FFFD."""
        return self.tokenizer([without_surrogates(text) for text in texts], **settings)

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


def _tokens_of(
    one: TextInstance, ids: list[int], offsets: list[tuple[int, int]], special: list[int]
) -> Tokens:
    """Find the word that each token of an instance belongs to."""
    bounds = np.array(offsets, dtype=np.int64).reshape(-1, 2)
    starts, ends = np.array(one.spans, dtype=np.int64).reshape(-1, 2).T
    # The word whose span overlaps the token; the first such word if there are several.
    word = np.searchsorted(ends, bounds[:, 0], side="right")
    inside = word < len(starts)
    inside[inside] = starts[word[inside]] < bounds[inside, 1]
    word = np.where(inside, word, SEPARATOR)
    word[np.array(special, dtype=bool)] = SPECIAL
    own, within = word[word >= 0], bounds[word >= 0]
    separable = (
        len(np.unique(own)) == len(starts)
        and bool((within[:, 0] >= starts[own]).all() and (within[:, 1] <= ends[own]).all())
        and _words_stand_apart(one)
    )
    return Tokens(np.array(ids, dtype=np.int64), word, separable)


def _words_stand_apart(one: TextInstance) -> bool:
    """Tell whether blanks, punctuation or an end of the text stand on both sides of each word."""
    text = one.read_text
    around = {text[start - 1] for start, _ in one.spans if start}
    around |= {text[end] for _, end in one.spans if end < len(text)}
    return all(_APART.fullmatch(character) for character in around)


def looks_like_path(name: str | Path) -> bool:
    """Tell whether a name can only mean a folder, here or missing, and no hub id."""
    path = Path(name)
    beginning = str(name).startswith((".", "~")) or path.is_absolute()
    return beginning or path.is_dir() or (len(path.parts) > 1 and path.parent.is_dir())


def _check_folder(path: str | Path) -> None:
    """Raise a ValueError that says what a folder lacks, where `path` is no hub id."""
    if not looks_like_path(path):
        return
    if not Path(path).is_dir():
        raise ValueError(
            f"No sequence classifier could be loaded from {str(path)!r}: there is no such folder."
        )
    if not any((Path(path) / file).is_file() for file in ("config.json", "adapter_config.json")):
        raise ValueError(
            f"No sequence classifier could be loaded from {str(path)!r}: the folder holds no "
            "config.json, so it is not a Hugging Face classifier written by save_pretrained."
        )


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
        Folder written by ``save_pretrained`` with its tokenizer, or by
        `HuggingFaceClassifier.save`, which keeps class vectors too; or a hub id.
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
        If nothing can be loaded from there; the message carries the reason, such as a folder that
        does not exist or has no ``config.json``. If weights are missing,
        as those of the classification head are in a plain encoder; the message names them. If class
        vectors that lie in the folder do not fit.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    _check_folder(path)
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
    load_class_vectors(model, path)
    return HuggingFaceClassifier(
        model, tokenizer, name or Path(path).name, None, device, precision, max_length
    )
