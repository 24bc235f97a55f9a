"""Classifiers from scratch: words and masks, batches, hidden states, files, explainers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from xai_lib.explainers import make_explainer
from xai_lib.models import Classifier, batching, load_classifier
from xai_lib.models.networks import new_network
from xai_lib.models.scratch import ScratchClassifier, is_scratch_folder, load_scratch
from xai_lib.models.vocabulary import WordVocabulary
from xai_lib.models.whitebox import EmbeddingPrediction, Vocabulary, WhiteBox

WORDS = ["good", "bad", "film", "rain", "don't", "中"]  # 2 to 7
CLASSES = ["one", "two", "three"]
TEXTS = [
    "Good film, bad rain!",
    "film",
    "a good film; a good good film",
    "",
    "RAIN don't xyzzy",
    "?!",
    "bad bad bad bad rain",
]


def make_box(max_words: int = 8, precision: str = "float32", seed: int = 0) -> ScratchClassifier:
    network = new_network(len(WORDS) + 2, 3, 6, seed=seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 2.0
    vocabulary = WordVocabulary(WORDS)
    return ScratchClassifier(network, vocabulary, "small", CLASSES, "cpu", precision, max_words)


@pytest.fixture
def box() -> ScratchClassifier:
    return make_box()


def slow(box: ScratchClassifier, ids: list[int]) -> np.ndarray:
    """Probabilities of one input, alone."""
    with torch.no_grad():
        logits = box.model(box.model.embedding(torch.tensor([ids])))[0].double()
    return torch.softmax(logits, dim=0).numpy()


# Words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Good film, bad rain!", [2, 4, 3, 5]),
        ("Don't xyzzy 中中", [6, 1, 7, 7]),
        ("good " * 20, [2] * 8),
        ("", [0]),
        (" ?! ", [0]),
    ],
)
def test_words_that_are_read(box: ScratchClassifier, text: str, ids: list[int]) -> None:
    (found,) = box.predict_proba([text])
    np.testing.assert_allclose(found, slow(box, ids), atol=1e-6, rtol=0)
    one = box.instance(text)
    everything = np.ones((1, one.n_features), dtype=bool)
    np.testing.assert_allclose(box.predict_masked(one, everything)[0], found, atol=1e-6, rtol=0)
    np.testing.assert_array_equal(
        box.embed([one]).embeddings[0], box.model.embedding.weight[torch.tensor(ids)]
    )


def test_an_empty_text_is_no_unknown_word(box: ScratchClassifier) -> None:
    empty, unknown = box.predict_proba(["", "xyzzy"])
    assert np.abs(empty - unknown).max() > 0.01
    assert box.padding_embedding().abs().sum() == 0


def test_the_budget_of_words(box: ScratchClassifier) -> None:
    one = box.instance("good bad film " * 4)
    assert (one.n_features, one.truncated_words) == (8, 4)
    assert box.max_words == box.max_length == 8
    kinds = box.instance("good bad film " * 4, "type")
    assert kinds.features == ("good", "bad", "film")


@pytest.mark.parametrize(
    ("removal", "ids"),
    [("drop", [2, 5]), ("mask", [2, 1, 1, 5]), ("pad", [2, 0, 0, 5])],
)
def test_removed_words(box: ScratchClassifier, removal: str, ids: list[int]) -> None:
    one = box.instance("Good film, bad rain!")
    mask = np.array([[True, False, False, True]])
    found = box.predict_masked(one, mask, removal)[0]
    np.testing.assert_allclose(found, slow(box, ids), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("removal", "ids"), [("drop", [0]), ("mask", [1, 1, 1]), ("pad", [0, 0, 0])]
)
def test_no_word_left(box: ScratchClassifier, removal: str, ids: list[int]) -> None:
    found = box.predict_masked(box.instance("good bad film"), np.zeros((1, 3)), removal)[0]
    np.testing.assert_allclose(found, slow(box, ids), atol=1e-6, rtol=0)


def test_all_occurrences_of_a_type_go(box: ScratchClassifier) -> None:
    one = box.instance("good film good rain", "type")
    found = box.predict_masked(one, np.array([[False, True, True]]))[0]
    np.testing.assert_allclose(found, slow(box, [4, 5]), atol=1e-6, rtol=0)


def test_words_do_not_grow_together(box: ScratchClassifier) -> None:
    one = box.instance("good中bad")
    found = box.predict_masked(one, np.array([[True, False, True]]))[0]
    np.testing.assert_allclose(found, slow(box, [2, 3]), atol=1e-6, rtol=0)


# Batches --------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 4])
def test_company_changes_no_answer(
    box: ScratchClassifier, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(batching.PADDING_STEP, "cpu", step)
    monkeypatch.setitem(batching.TOKEN_BUDGET, "cpu", 20)
    together = box.predict_proba(TEXTS)
    assert box.calls == len(TEXTS)
    alone = np.concatenate([box.predict_proba([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-6, rtol=0)
    expected = [slow(box, box._tokenise([text])[0].tolist()) for text in TEXTS]
    np.testing.assert_allclose(together, expected, atol=1e-6, rtol=0)
    instances = [box.instance(text) for text in TEXTS]
    masks = [np.random.default_rng(0).random((9, one.n_features)) < 0.6 for one in instances]
    every = box.predict_masked(instances, masks)
    for one, rows, answers in zip(instances, masks, every, strict=True):
        for row, answer in zip(rows, answers, strict=True):
            words = [word for word, kept in zip(one.words, row, strict=True) if kept]
            ids = box.vocabulary.ids(words).tolist() or [0]
            np.testing.assert_allclose(answer, slow(box, ids), atol=1e-6, rtol=0)


def test_bfloat16_rounds_predictions_only() -> None:
    exact, rounded = make_box(), make_box(precision="bfloat16")
    one = exact.predict_proba(TEXTS)
    other = rounded.predict_proba(TEXTS)
    assert (rounded.precision, make_box(precision="auto").precision) == ("bfloat16", "float32")
    # Eight bits: 0.004 relative in each of a few sums.
    assert 0 < np.abs(one - other).max() < 0.05
    assert {p.dtype for p in rounded.network.parameters()} == {torch.float32}
    assert exact.identity == rounded.identity
    assert exact.fingerprint != rounded.fingerprint


# The inside -----------------------------------------------------------------------------------


def test_it_is_a_white_box(box: ScratchClassifier) -> None:
    for protocol in (WhiteBox, EmbeddingPrediction, Vocabulary):
        assert isinstance(box, protocol)
    assert box.vocabulary_embeddings().shape == (8, 6)


def test_embeddings_give_the_logits_of_the_words(box: ScratchClassifier) -> None:
    embedded = box.embed([box.instance(text) for text in TEXTS], width=8)
    assert embedded.embeddings.shape == (len(TEXTS), 8, 6)
    assert embedded.word[0].tolist() == [0, 1, 2, 3, -1, -1, -1, -1]
    assert embedded.attention.sum(dim=1).tolist() == [4, 1, 7, 1, 3, 1, 5]
    assert embedded.word[3].tolist() == [-1] * 8
    for run in (box.logits_from_embeddings, box.predict_from_embeddings):
        logits = run(embedded.embeddings, embedded.attention).detach().double()
        found = torch.softmax(logits, dim=1)
        np.testing.assert_allclose(found, box.predict_proba(TEXTS), atol=1e-6, rtol=0)


def test_hidden_states(box: ScratchClassifier) -> None:
    found = box.word_states([box.instance(text) for text in TEXTS], (0, 1))
    assert (box.n_layers, box.width) == (1, 6)
    np.testing.assert_allclose(found.probabilities, box.predict_proba(TEXTS), atol=1e-6, rtol=0)
    assert found.counts.tolist() == [4, 1, 7, 0, 3, 0, 5]
    assert found.tokens.tolist() == [1] * 20
    start = 0
    for text, count, first in zip(TEXTS, found.counts, found.first, strict=True):
        ids = torch.tensor([box._tokenise([text])[0].tolist()])
        embeddings = box.model.embedding(ids)
        states = box.model.states(embeddings)
        words = found.words[start : start + count]
        if count:
            torch.testing.assert_close(words[:, 0], embeddings[0], atol=1e-6, rtol=0)
            torch.testing.assert_close(words[:, 1], states[0], atol=1e-6, rtol=0)
        for layer in (0, 1):
            torch.testing.assert_close(first[layer], box.model.pool(states)[0], atol=1e-6, rtol=0)
        start += count


def test_what_the_last_layer_reads(box: ScratchClassifier) -> None:
    one = box.instance(TEXTS[0])
    masks = np.array([[True] * 4, [False, True, True, False]])
    (features,) = box.masked_features([one], [masks])
    logits = features @ box.output_layer().weight.numpy().T + box.output_layer().bias.numpy()
    odds = np.exp(logits)
    expected = box.predict_masked(one, masks)
    np.testing.assert_allclose(odds / odds.sum(axis=1, keepdims=True), expected, atol=1e-6, rtol=0)


def test_gradient_times_input_by_finite_differences(box: ScratchClassifier) -> None:
    text = "good film bad rain"
    (found,) = make_explainer("input_x_gradient").explain([text], box)
    embeddings = box.embed([box.instance(text)]).embeddings.double()
    network = new_network(8, 3, 6).double().eval()
    network.load_state_dict(box.model.state_dict())
    network.requires_grad_(False)
    step = 1e-5
    for i in range(4):
        change = torch.zeros_like(embeddings)
        change[0, i] = step * embeddings[0, i]
        slope = (network(embeddings + change) - network(embeddings - change))[0] / (2 * step)
        np.testing.assert_allclose(found.weights[:, i], slope, atol=1e-5, rtol=0)


def test_integrated_gradients_are_complete(box: ScratchClassifier) -> None:
    text = "good film bad rain"
    (found,) = make_explainer("integrated_gradients", n_steps=64).explain([text], box)
    with torch.no_grad():
        whole, nothing = (
            box.model(box.model.embedding(torch.tensor([ids])))[0]
            for ids in ([2, 4, 3, 5], [0, 0, 0, 0])
        )
    np.testing.assert_allclose(found.weights.sum(axis=1), whole - nothing, atol=1e-3, rtol=0)


@pytest.mark.parametrize("text", ["good", "good film bad rain"])
def test_deeplift_has_chords_in_place_of_tangents(box: ScratchClassifier, text: str) -> None:
    """Both tanh become linear, with the slope between the baseline and the text."""
    (found,) = make_explainer("deeplift").explain([text], box)
    network, ids = box.model, box.vocabulary.ids(text.split())
    embeddings = network.embedding.weight[torch.from_numpy(ids)][None].clone().requires_grad_()

    def inputs_of_tanh(embedded: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        states = network.states(embedded)
        alpha = torch.softmax(torch.tanh(states) @ network.attention.weight[0], dim=1)
        return states, (alpha[:, :, None] * states).sum(dim=1)

    def chord(at: torch.Tensor, base: torch.Tensor) -> torch.Tensor:
        return (torch.tanh(at) - torch.tanh(base)) / (at - base)

    with torch.no_grad():
        at, base = (inputs_of_tanh(one) for one in (embeddings, torch.zeros_like(embeddings)))
        slopes = [chord(one, other) for one, other in zip(at, base, strict=True)]
    # The same values as the network has, but with the slopes of the chords.
    states = network.states(embeddings)
    lines = torch.tanh(at[0]) + slopes[0] * (states - at[0])
    alpha = torch.softmax(lines @ network.attention.weight[0], dim=1)
    pooled = (alpha[:, :, None] * states).sum(dim=1)
    logits = network.output(torch.tanh(at[1]) + slopes[1] * (pooled - at[1]))[0]
    for c in range(3):
        (slope,) = torch.autograd.grad(logits[c], embeddings, retain_graph=True)
        expected = (slope * embeddings).sum(dim=2)[0].detach()
        np.testing.assert_allclose(found.weights[c], expected, atol=1e-5, rtol=0)


# Files ----------------------------------------------------------------------------------------


def test_a_folder_gives_the_same_classifier(box: ScratchClassifier, tmp_path: Path) -> None:
    assert not is_scratch_folder(tmp_path)
    box.save(tmp_path)
    assert is_scratch_folder(tmp_path)
    again = load_scratch(tmp_path, device="cpu")
    assert (again.name, again.classes, again.max_words) == ("small", box.classes, 8)
    assert again.identity == box.identity
    assert again.fingerprint == box.fingerprint
    np.testing.assert_array_equal(again.predict_proba(TEXTS), box.predict_proba(TEXTS))
    found: Classifier = load_classifier(tmp_path, device="cpu", max_length=3)
    assert isinstance(found, ScratchClassifier)
    assert found.max_words == 3
    assert found.identity != box.identity
    assert load_scratch(tmp_path, "other", "cpu").name == "other"
    assert {p.name for p in tmp_path.iterdir()} == {
        "scratch.json", "vocabulary.json", "model.safetensors",
    }  # fmt: skip


def test_folders_that_are_none(box: ScratchClassifier, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"lacks scratch\.json, vocabulary\.json, model\.safe"):
        load_scratch(tmp_path)
    box.save(tmp_path)
    (tmp_path / "vocabulary.json").unlink()
    with pytest.raises(ValueError, match=r"lacks vocabulary\.json\."):
        load_scratch(tmp_path)
    box.save(tmp_path)
    WordVocabulary(WORDS[:3]).save(tmp_path / "vocabulary.json")
    with pytest.raises(ValueError, match=r"(?s)weights .* do not fit: .*embedding\.weight"):
        load_scratch(tmp_path)
    box.save(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(ValueError, match="do not fit"):
        load_scratch(tmp_path)
    config = json.loads((tmp_path / "scratch.json").read_text())
    (tmp_path / "scratch.json").write_text(json.dumps({**config, "architecture": "gru"}))
    with pytest.raises(ValueError, match=r"'gru'. Valid: bilstm-attention"):
        load_scratch(tmp_path)


def test_what_makes_no_classifier() -> None:
    network, vocabulary = new_network(8, 3, 6), WordVocabulary(WORDS)
    with pytest.raises(ValueError, match="max_words must be at least 1, got 0"):
        ScratchClassifier(network, vocabulary, "small", CLASSES, max_words=0)
    with pytest.raises(ValueError, match=r"8 words and 3 outputs, .* 8 words .* and 2 classes"):
        ScratchClassifier(network, vocabulary, "small", CLASSES[:2])
    with pytest.raises(ValueError, match=r"8 words and 3 outputs, .* 7 words"):
        ScratchClassifier(network, WordVocabulary(WORDS[:5]), "small", CLASSES)
    with pytest.raises(ValueError, match=r"Unknown precision 'int8'"):
        ScratchClassifier(network, vocabulary, "small", CLASSES, "cpu", "int8")
