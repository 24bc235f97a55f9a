"""Segment Anything without its weights: a tiny random network, a slow choice of boxes."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL.Image import fromarray
from transformers import SamConfig, SamModel

from xai_lib import segment_anything
from xai_lib.segment_anything import best_boxes, load_sam, without_torchvision
from xai_lib.segmentation import Segmenter, segments_of_masks

try:  # transformers 5 splits the processors by what they need
    from transformers.models.sam import image_processing_pil_sam as processing
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil as Processor
except ImportError:
    from transformers.models.sam import image_processing_sam as processing
    from transformers.models.sam.image_processing_sam import SamImageProcessor as Processor

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
EVERYTHING = {"points_per_crop": 4, "pred_iou_thresh": -100.0, "stability_score_thresh": 0.0}


@pytest.fixture(autouse=True)
def not_loaded():
    load_sam.cache_clear()
    yield
    load_sam.cache_clear()


@pytest.fixture
def generator():
    """Return a mask-generation pipeline around a random Segment Anything of 64 pixels."""
    size = {"image_size": 64, "patch_size": 16}
    config = SamConfig(
        vision_config={
            **size,
            "hidden_size": 16,
            "output_channels": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "window_size": 2,
            "global_attn_indexes": [0],
            "mlp_dim": 16,
            "num_pos_feats": 8,
        },
        prompt_encoder_config={**size, "hidden_size": 16, "mask_input_channels": 4},
        mask_decoder_config={
            "hidden_size": 16,
            "mlp_dim": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 16,
        },
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = SamModel(config).eval()
    processor = Processor(
        size={"longest_edge": 64},
        pad_size={"height": 64, "width": 64},
        mask_size={"longest_edge": 16},
        mask_pad_size={"height": 16, "width": 16},
    )
    found = transformers.pipeline(
        "mask-generation", model=model, image_processor=processor, device="cpu"
    )
    return without_torchvision(found)


def replace_pipeline(monkeypatch, pipeline):
    # transformers puts another object in its own place, so the one imported above may be stale
    monkeypatch.setattr(sys.modules["transformers"], "pipeline", pipeline)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Return intersection over union by counting the unit squares of two boxes."""

    def squares(box):
        left, top, right, bottom = (int(v) for v in box)
        return {(x, y) for x in range(left, right) for y in range(top, bottom)}

    union = squares(one) | squares(other)
    return len(squares(one) & squares(other)) / len(union) if union else 0.0


boxes_and_scores = st.lists(
    st.tuples(*[st.integers(0, 4)] * 4, st.sampled_from([0.1, 0.5, 0.9])), max_size=8
)


@settings(max_examples=100, deadline=None)
@given(boxes_and_scores, st.sampled_from([0.0, 0.3, 0.7, 1.0]))
def test_boxes_against_a_slow_choice(rows, threshold):
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h, _ in rows], float).reshape(-1, 4)
    scores = np.array([row[-1] for row in rows])
    expected: list[int] = []
    for i in sorted(range(len(rows)), key=lambda i: (-scores[i], i)):
        if all(overlap(boxes[i], boxes[j]) <= threshold for j in expected):
            expected.append(i)
    assert best_boxes(boxes, scores, threshold) == expected


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.randoms(use_true_random=False))
def test_masks_survive_the_encoding_of_transformers(height, width, random):
    mask = np.array([[random.random() < 0.5 for _ in range(width)] for _ in range(height)])
    (encoded,) = processing._mask_to_rle(torch.from_numpy(mask)[None])
    assert segment_anything._decoded(encoded).tolist() == mask.tolist()


def test_masks_of_a_random_network(generator):
    found = generator(fromarray(PICTURE), **EVERYTHING, crops_nms_thresh=1.0, output_rle_mask=True)
    assert len(found["masks"]) > 1
    for mask, encoded in zip(found["masks"], found["rle_mask"], strict=True):
        assert mask.shape == PICTURE.shape[:2]
        assert np.array_equal(mask, processing._rle_to_mask(encoded))
    scores = found["scores"].tolist()
    assert scores == sorted(scores, reverse=True)


def test_overlapping_masks_of_a_random_network_are_left_out(generator):
    settings_of = {**EVERYTHING, "output_bboxes_mask": True}
    every = generator(fromarray(PICTURE), **settings_of, crops_nms_thresh=1.0)
    few = generator(fromarray(PICTURE), **settings_of, crops_nms_thresh=0.2)
    kept: list[int] = []
    for i, box in enumerate(every["bounding_boxes"].numpy()):
        if all(overlap(box, every["bounding_boxes"][j].numpy()) <= 0.2 for j in kept):
            kept.append(i)
    assert len(kept) < len(every["masks"])
    assert len(few["masks"]) == len(kept)
    for mask, i in zip(few["masks"], kept, strict=True):
        assert np.array_equal(mask, every["masks"][i])


def test_segments_of_a_random_network(generator, monkeypatch):
    monkeypatch.setattr(
        segment_anything, "load_sam", lambda: lambda image: generator(image, **EVERYTHING)
    )
    masks = generator(fromarray(PICTURE), **EVERYTHING)["masks"]
    expected = segments_of_masks(masks, PICTURE.shape[:2])
    assert np.array_equal(Segmenter("sam")(PICTURE), expected)
    assert expected.max() > 0


def test_a_picture_without_masks_is_one_segment(generator, monkeypatch):
    monkeypatch.setattr(segment_anything, "load_sam", lambda: generator)
    # a random network is sure of nothing
    assert Segmenter("sam")(PICTURE).tolist() == np.zeros((40, 56)).tolist()


def test_weights_are_loaded_once(generator, monkeypatch):
    asked = []

    def pipeline(task, **arguments):
        asked.append((task, arguments["model"]))
        return generator

    replace_pipeline(monkeypatch, pipeline)
    assert Segmenter("sam")(PICTURE).shape == (40, 56)
    assert Segmenter("sam")(PICTURE).shape == (40, 56)
    assert asked == [("mask-generation", "facebook/sam-vit-base")]


@pytest.mark.parametrize("error", [OSError, ImportError])
def test_without_weights_the_error_names_what_works(error, monkeypatch):
    def pipeline(*_, **__):
        raise error("We couldn't connect.\nMore words.")

    replace_pipeline(monkeypatch, pipeline)
    with pytest.raises(ValueError, match=r"couldn't connect\.\).*slic, quickshift and grid"):
        Segmenter("sam")(PICTURE)
