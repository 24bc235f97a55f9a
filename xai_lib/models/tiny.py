"""A small BERT with its own vocabulary, made and trained from nothing in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xai_lib.text import find_words


def tiny_bert(
    texts: Sequence[str],
    classes: Sequence[str],
    hidden: int = 48,
    layers: int = 2,
    heads: int = 4,
    max_length: int = 128,
    seed: int = 0,
) -> tuple[Any, Any]:
    """Build an untrained BERT classifier whose vocabulary is the words of some texts.

    Parameters
    ----------
    texts
        Where the vocabulary comes from; words are lower-cased.
    classes
        Names of the classes.
    hidden, layers, heads, max_length
        Width, depth, attention heads and token limit of the encoder.
    seed
        Fixes the initial weights.

    Returns
    -------
    model : transformers.BertForSequenceClassification
    tokenizer : transformers.PreTrainedTokenizerFast
    """
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    words = {text[start:end].lower() for text in texts for start, end in find_words(text)}
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {token: i for i, token in enumerate([*special, ".", ",", *sorted(words)])}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=max_length,
    )
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=2 * hidden,
        max_position_embeddings=max_length,
        type_vocab_size=1,
        id2label=dict(enumerate(classes)),
        label2id={name: i for i, name in enumerate(classes)},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertForSequenceClassification(config)
    return model.eval(), tokenizer
