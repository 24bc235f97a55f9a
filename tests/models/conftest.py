"""Transformers that are made in a moment and whose answers differ from text to text."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from xai_lib.models.huggingface import HuggingFaceClassifier

CLASSES = ["one", "two", "three"]
WHOLE_WORDS = [
    "the",
    "quick",
    "answer",
    "was",
    "not",
    "what",
    "we",
    "hoped",
    "for",
    "good",
    "bad",
    "film",
    "again",
    "it",
]


def word_piece_tokenizer() -> Any:
    """BERT's rules; some whole words, all else in pieces of one character."""
    characters = sorted(set(string.ascii_lowercase + string.digits + string.punctuation + "中文€°"))
    pieces = ["##" + character for character in characters] + ["##er", "##ing"]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    names = dict.fromkeys([*special, *characters, *pieces, *WHOLE_WORDS])
    vocabulary = {token: i for i, token in enumerate(names)}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=512,
    )


def byte_pair_tokenizer(trim_offsets: bool = True) -> Any:
    """RoBERTa's kind: bytes, with pieces that begin with the blank before a word.

    `trim_offsets` says whether the tokenizer leaves that blank out where it tells the place of a
    piece, as RoBERTa's does.
    """
    names = [
        "<s>",
        "<pad>",
        "</s>",
        "<unk>",
        "<mask>",
        *sorted(pre_tokenizers.ByteLevel.alphabet()),
    ]
    merges = [("Ġ", "w"), ("Ġ", "a"), ("Ġ", "g"), ("h", "e"), ("Ġw", "a"), ("o", "o")]
    names += ["".join(pair) for pair in merges]
    vocabulary = {token: i for i, token in enumerate(names)}
    backend = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    ends = processors.TemplateProcessing(
        single="<s> $A </s>",
        special_tokens=[("<s>", vocabulary["<s>"]), ("</s>", vocabulary["</s>"])],
    )
    trimming = processors.ByteLevel(trim_offsets=trim_offsets)
    backend.post_processor = processors.Sequence([trimming, ends])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        model_max_length=10**9,
    )


def small_model(kind: str, vocabulary: int, max_length: int, seed: int = 0) -> Any:
    """A network of one layer with weights large enough that every token counts."""
    settings: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "initializer_range": 0.5,
        "id2label": dict(enumerate(CLASSES)),
        "label2id": {name: i for i, name in enumerate(CLASSES)},
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if kind == "bert":
            config = BertConfig(max_position_embeddings=max_length, **settings)
            return BertForSequenceClassification(config).eval()
        config = RobertaConfig(
            max_position_embeddings=max_length + 2, pad_token_id=1, type_vocab_size=1, **settings
        )
        return RobertaForSequenceClassification(config).eval()


MakeClassifier = Callable[..., HuggingFaceClassifier]


def make_bert(
    max_length: int = 64, precision: str = "float32", **settings: Any
) -> HuggingFaceClassifier:
    tokenizer = word_piece_tokenizer()
    model = small_model("bert", len(tokenizer), max_length)
    return HuggingFaceClassifier(
        model, tokenizer, "small", device="cpu", precision=precision, **settings
    )


def make_roberta(
    max_length: int = 64, trim_offsets: bool = True, **settings: Any
) -> HuggingFaceClassifier:
    tokenizer = byte_pair_tokenizer(trim_offsets)
    model = small_model("roberta", len(tokenizer), max_length)
    return HuggingFaceClassifier(
        model, tokenizer, "bytes", device="cpu", precision="float32", **settings
    )


@pytest.fixture(name="make_bert", scope="session")
def make_bert_fixture() -> MakeClassifier:
    return make_bert


@pytest.fixture(name="make_roberta", scope="session")
def make_roberta_fixture() -> MakeClassifier:
    return make_roberta


@pytest.fixture(scope="session")
def bert() -> HuggingFaceClassifier:
    """A BERT of at most 64 tokens; only its call counter changes."""
    return make_bert()


@pytest.fixture(scope="session")
def roberta() -> HuggingFaceClassifier:
    """A RoBERTa on bytes, of at most 64 tokens."""
    return make_roberta()


@pytest.fixture(name="word_piece_tokenizer")
def word_piece_tokenizer_fixture() -> Any:
    return word_piece_tokenizer()


@pytest.fixture(name="small_model")
def small_model_fixture() -> Callable[..., Any]:
    return small_model
