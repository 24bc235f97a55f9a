from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from xai_lib.metrics import encoder_macs, layers_macs
from xai_lib.models.tiny import tiny_bert

BERT_BASE = SimpleNamespace(hidden_size=768, num_hidden_layers=12, intermediate_size=3072)


def test_bert_base_per_token():
    linear = {"attention": False, "pooler": False}
    assert encoder_macs(BERT_BASE, 1, **linear) == 84_934_656
    assert encoder_macs(BERT_BASE, [12, 32], **linear).tolist() == [1_019_215_872, 2_717_908_992]


def test_parts_by_hand():
    config = SimpleNamespace(hidden_size=2, num_hidden_layers=3, intermediate_size=5)
    # A token: 4 * 4 for queries, keys, values and output, 2 * 10 for the feed-forward part.
    assert encoder_macs(config, 7, attention=False, pooler=False) == 3 * 7 * 36
    # Scores and mixing: 49 products of vectors of 2 each.
    assert encoder_macs(config, 7, pooler=False) == 3 * (7 * 36 + 2 * 98)
    assert encoder_macs(config, 7, classes=4) == 3 * (7 * 36 + 2 * 98) + 4 + 8
    assert encoder_macs(config, np.zeros((2, 3), dtype=int), pooler=False).shape == (2, 3)


@pytest.mark.parametrize("words", [1, 6, 11])
def test_against_what_torch_counts(words):
    names = [f"w{i}" for i in range(20)]
    model, _ = tiny_bert(names, ["a", "b", "c"], hidden=24, layers=3, heads=4)
    model.set_attn_implementation("eager")
    ids = torch.arange(5, 5 + words + 2)[None]
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(input_ids=ids)
    assert 2 * encoder_macs(model.config, words + 2, classes=3) == counter.get_total_flops()


def test_layers_against_what_torch_counts():
    widths = (16, 9, 5, 3)
    parts = [torch.nn.Linear(a, b) for a, b in pairwise(widths)]
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        torch.nn.Sequential(*parts)(torch.zeros(1, 16))
    assert 2 * layers_macs(widths) == counter.get_total_flops() == 2 * (144 + 45 + 15)


def test_refused_numbers():
    with pytest.raises(ValueError, match="must not be negative: -1, 0"):
        encoder_macs(BERT_BASE, -1)
    with pytest.raises(ValueError, match=r"at least two numbers from 1: \(5,\)"):
        layers_macs((5,))
    with pytest.raises(ValueError, match="at least two numbers from 1"):
        layers_macs((5, 0))
