"""Batches and fine-tuning."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xai_lib.models.tiny import tiny_bert
from xai_lib.models.training import Recipe, batches_by_length, fine_tune


@pytest.mark.parametrize("n", [0, 1, 31, 32, 33, 5000])
@pytest.mark.parametrize("batch_size", [1, 8, 32])
def test_batches_cover_each_text_once(n, batch_size):
    if n == 5000 and batch_size == 1:
        n = 500
    lengths = np.random.default_rng(0).integers(3, 200, n)
    batches = list(batches_by_length(lengths, batch_size, np.random.default_rng(1)))
    indices = np.concatenate(batches) if batches else np.zeros(0)
    assert sorted(indices) == list(range(n))
    assert all(1 <= len(batch) <= batch_size for batch in batches)
    assert len(batches) >= -(-n // batch_size)


def test_batches_hold_texts_of_similar_length_in_another_order():
    lengths = np.random.default_rng(0).integers(3, 200, 2000)
    batches = list(batches_by_length(lengths, 20, np.random.default_rng(1)))
    padded = sum(lengths[batch].max() * len(batch) for batch in batches)
    assert padded < 1.1 * lengths.sum()
    longest = [lengths[batch].max() for batch in batches]
    assert longest != sorted(longest)
    again = list(batches_by_length(lengths, 20, np.random.default_rng(1)))
    other = list(batches_by_length(lengths, 20, np.random.default_rng(2)))
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(batches, other, strict=True))


def test_recipe_as_plain_data():
    recipe = Recipe(epochs=1, n_train=5)
    assert recipe.to_dict() == {
        "epochs": 1,
        "batch_size": 64,
        "learning_rate": 2e-4,
        "weight_decay": 0.01,
        "warmup": 0.1,
        "max_length": 128,
        "n_train": 5,
        "seed": 0,
    }


TEXTS = ["good film", "bad film", "good good plot", "a bad bad plot"] * 4
LABELS = np.array([1, 0, 1, 0] * 4)


def trained(seed: int = 0, epochs: int = 8) -> tuple[dict[str, torch.Tensor], list, np.ndarray]:
    model, tokenizer = tiny_bert(TEXTS, ["no", "yes"], hidden=16, layers=1, heads=2, max_length=16)
    steps: list[tuple[int, int, float]] = []
    recipe = Recipe(epochs=epochs, batch_size=8, learning_rate=0.02, seed=seed, max_length=16)
    before = torch.get_rng_state()
    seconds = fine_tune(
        model, tokenizer, TEXTS, LABELS, recipe, progress=lambda *step: steps.append(step)
    )
    assert torch.equal(before, torch.get_rng_state()), "the global generator is left alone"
    assert seconds > 0
    assert not model.training
    with torch.no_grad():
        inputs = tokenizer(TEXTS[:4], padding=True, return_tensors="pt")
        answers = model(**inputs).logits.argmax(dim=1).numpy()
    return model.state_dict(), steps, answers


def test_fine_tuning_learns_reports_and_repeats():
    weights, steps, answers = trained()
    assert answers.tolist() == [1, 0, 1, 0]
    assert [(step, of) for step, of, _ in steps] == [(i, 16) for i in range(1, 17)]
    assert steps[-1][2] < 0.3 < steps[0][2]
    again, other_steps, _ = trained()
    assert steps == other_steps
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    other, _, _ = trained(seed=1, epochs=1)
    assert not all(torch.equal(weights[name], other[name]) for name in weights)


def test_a_lone_surrogate_is_read_as_a_character_that_is_no_text():
    weights = []
    for strange in ("\ud800", "\ufffd"):
        texts = [f"good {strange} film", *TEXTS[1:]]
        model, tokenizer = tiny_bert(TEXTS, ["no", "yes"], hidden=16, layers=1, heads=2)
        fine_tune(model, tokenizer, texts, LABELS, Recipe(epochs=1, batch_size=8, max_length=16))
        weights.append(model.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize(
    "labels, message",
    [
        ([1, 0, 2, 0], r"The label of text 2 is 2\. Valid labels are the whole numbers 0 to 1, "),
        ([1, 0, 1], r"one label: labels must have the shape \(4,\), got \(3,\)"),
    ],
)
def test_labels_that_are_none_are_named(labels, message):
    model, tokenizer = tiny_bert(TEXTS, ["no", "yes"], hidden=16, layers=1, heads=2, max_length=16)
    with pytest.raises(ValueError, match=message):
        fine_tune(model, tokenizer, TEXTS[:4], np.array(labels), Recipe(epochs=1))


def test_tiny_bert_reads_its_words_in_lower_case():
    model, tokenizer = tiny_bert(["Good film, don't go"], ["a", "b"], seed=3)
    tokens = tokenizer.convert_ids_to_tokens(tokenizer("GOOD film. unseen")["input_ids"])
    assert tokens == ["[CLS]", "good", "film", ".", "[UNK]", "[SEP]"]
    again, _ = tiny_bert(["Good film, don't go"], ["a", "b"], seed=3)
    other, _ = tiny_bert(["Good film, don't go"], ["a", "b"], seed=4)
    first, second, third = (m.state_dict()["classifier.weight"] for m in (model, again, other))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)
    assert model.config.id2label == {0: "a", 1: "b"}
