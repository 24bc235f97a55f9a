"""Decomposable attention and its classifier: by hand, which words are whose, every explainer."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from xai_lib.explainers import explainer_class, make_explainer, methods
from xai_lib.explainers.amortised import AmortisedExplainer
from xai_lib.models import batching, load_classifier
from xai_lib.models.decomposable import DecomposableAttention
from xai_lib.models.networks import new_network
from xai_lib.models.pair_classifier import PairClassifier, as_scratch
from xai_lib.models.scratch import ScratchClassifier
from xai_lib.models.vocabulary import WordVocabulary

WIDTH = 6
WORDS = ["good", "bad", "film", "rain"]  # 2 to 5, and 8 to 11 in the second text
CLASSES = ["one", "two", "three"]
PAIRS = [
    "Good film!\nbad rain, bad film",
    "rain\nrain",
    "film rain",
    "\ngood good good",
    "",
    "bad xyzzy\n",
    "good\nbad\nfilm",
]


def make_network(seed: int = 1) -> DecomposableAttention:
    network = new_network(len(WORDS) + 2, 3, WIDTH, seed=seed, network="decomposable")
    assert isinstance(network, DecomposableAttention)
    network.eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter *= 2.0
    return network


@pytest.fixture
def box() -> PairClassifier:
    network = make_network()
    network.add_class_vectors(0)
    found = as_scratch(network, WordVocabulary(WORDS), "pairs", CLASSES, "cpu", "float32", 8)
    assert isinstance(found, PairClassifier)
    return found


def feed(part: torch.nn.Sequential, row: np.ndarray) -> np.ndarray:
    for layer in part:
        if isinstance(layer, torch.nn.Linear):
            row = np.maximum(layer.weight.numpy() @ row + layer.bias.numpy(), 0)
    return row


def by_hand(network: Any, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Logits of one pair, word by word."""
    scores = np.array([[feed(network.attend, a) @ feed(network.attend, b) for b in second]
                       for a in first])  # fmt: skip
    left, right = np.zeros(WIDTH), np.zeros(WIDTH)
    for i, a in enumerate(first):
        odds = np.exp(scores[i] - scores[i].max())
        beta = sum(w * b for w, b in zip(odds / odds.sum(), second, strict=True))
        left += feed(network.compare, np.concatenate([a, beta]))
    for j, b in enumerate(second):
        odds = np.exp(scores[:, j] - scores[:, j].max())
        alpha = sum(w * a for w, a in zip(odds / odds.sum(), first, strict=True))
        right += feed(network.compare, np.concatenate([b, alpha]))
    pooled = feed(network.aggregate, np.concatenate([left, right]))
    return network.output.weight.numpy() @ pooled + network.output.bias.numpy()


def slow(box: PairClassifier, first: list[int], second: list[int]) -> np.ndarray:
    """Probabilities of one pair of word numbers."""
    network = box.model
    table = network.embedding.weight.double().numpy()
    logits = by_hand(network, table[first or [0]], table[second or [0]])
    odds = np.exp(logits - logits.max())
    return odds / odds.sum()


# The network ----------------------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [(1, 1), (3, 2), (1, 4)])
@pytest.mark.parametrize("padding", [0, 3])
def test_forward_pass_by_hand(lengths: tuple[int, int], padding: int) -> None:
    network = make_network().double()
    rng = np.random.default_rng(0)
    first, second = (rng.standard_normal((n, WIDTH)) for n in lengths)
    filler = rng.standard_normal((padding, WIDTH))
    embeddings = torch.from_numpy(np.concatenate([first, second, filler]))[None]
    attention = torch.tensor([[1] * lengths[0] + [2] * lengths[1] + [0] * padding])
    expected = by_hand(network, first, second)
    np.testing.assert_allclose(network(embeddings, attention)[0], expected, atol=1e-10, rtol=0)
    assert np.ptp(expected) > 0.01


def test_gradients_do_not_reach_padding_and_are_finite_differences() -> None:
    network = make_network().double()
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((6, WIDTH))
    inputs = torch.from_numpy(rows)[None].requires_grad_()
    attention = torch.tensor([[1, 1, 2, 2, 2, 0]])
    (found,) = torch.autograd.grad(network(inputs, attention)[0, 0], inputs)
    step = 1e-6
    for t, k in itertools.product(range(5), range(WIDTH)):
        high, low = rows[:5].copy(), rows[:5].copy()
        high[t, k] += step
        low[t, k] -= step
        slope = (by_hand(network, high[:2], high[2:]) - by_hand(network, low[:2], low[2:]))[0]
        assert float(found[0, t, k]) == pytest.approx(slope / (2 * step), abs=1e-5)
    assert found[0, 5].abs().sum() == 0


def test_numbers_say_whose_a_word_is() -> None:
    network = make_network()
    numbers = torch.tensor([[2, 6 + 2, 6 + 1, 0]])
    embeddings, part = network.read(numbers, torch.tensor([[1, 1, 1, 0]]))
    assert part is not None
    assert part.tolist() == [[1, 2, 2, 0]]
    assert torch.equal(embeddings[0], network.embedding.weight[[2, 2, 1, 0]])
    whole = network.read(numbers, None)[1]
    assert whole is not None
    assert whole.tolist() == [[1, 2, 2, 1]]
    with pytest.raises(ValueError, match="needs the attention"):
        network(embeddings)


def test_every_relu_runs_once() -> None:
    network, runs = make_network(), []
    relus = [module for module in network.modules() if isinstance(module, torch.nn.ReLU)]
    for module in relus:
        module.register_forward_hook(lambda module, _, __: runs.append(module))
    network(torch.ones(1, 2, WIDTH), torch.tensor([[1, 2]]))
    assert runs == relus
    assert len(runs) == 6


# The classifier -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        (PAIRS[0], [2, 4], [3, 5, 3, 4]),
        (PAIRS[2], [4, 5], []),
        (PAIRS[3], [], [2, 2, 2]),
        (PAIRS[4], [], []),
        (PAIRS[5], [3, 1], []),
        (PAIRS[6], [2], [3, 4]),
        ("good " * 6 + "\n" + "bad " * 6, [2] * 6, [3, 3]),
        ("good " * 20, [2] * 8, []),
        ("\n" + "good " * 20, [], [2] * 8),
    ],
)
def test_words_that_are_read(
    box: PairClassifier, text: str, first: list[int], second: list[int]
) -> None:
    expected = slow(box, first, second)
    np.testing.assert_allclose(box.predict_proba([text])[0], expected, atol=1e-5, rtol=0)
    one = box.instance(text)
    whole = np.ones((1, one.n_features), dtype=bool)
    for removal in ("drop", "mask", "pad"):
        found = box.predict_masked(one, whole, removal)[0]
        np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)
    embedded = box.embed([one], width=8)
    logits = box.logits_from_embeddings(embedded.embeddings, embedded.attention)
    predicted = box.predict_from_embeddings(embedded.embeddings, embedded.attention)
    for found in (logits, predicted):
        odds = torch.softmax(found.double(), dim=1)[0]
        np.testing.assert_allclose(odds, expected, atol=1e-5, rtol=0)
    assert (embedded.attention == 2).sum() == max(len(second), 1)
    assert embedded.word[0].max(initial=-1) == len(first) + len(second) - 1


@pytest.mark.parametrize(
    ("removal", "mask", "first", "second"),
    [
        ("drop", [1, 0, 0, 1], [2], [5]),
        ("drop", [0, 0, 1, 1], [], [3, 5]),
        ("drop", [0, 0, 0, 0], [], []),
        ("mask", [1, 0, 0, 1], [2, 1], [1, 5]),
        ("pad", [1, 0, 0, 1], [2, 0], [0, 5]),
        ("pad", [0, 0, 0, 0], [0, 0], [0, 0]),
    ],
)
def test_removed_words(
    box: PairClassifier, removal: str, mask: list[int], first: list[int], second: list[int]
) -> None:
    one = box.instance("good film\nbad rain")
    found = box.predict_masked(one, np.array([mask], dtype=bool), removal)[0]
    np.testing.assert_allclose(found, slow(box, first, second), atol=1e-5, rtol=0)


def test_one_word_type_in_both_texts(box: PairClassifier) -> None:
    one = box.instance("good film\ngood rain", "type")
    assert one.features == ("good", "film", "rain")
    found = box.predict_masked(one, np.array([[False, True, True]]))[0]
    np.testing.assert_allclose(found, slow(box, [4], [5]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("step", [1, 4])
def test_company_changes_no_answer(
    box: PairClassifier, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(batching.PADDING_STEP, "cpu", step)
    monkeypatch.setitem(batching.TOKEN_BUDGET, "cpu", 20)
    texts = [*PAIRS, "good " * 9, "\n" + "bad " * 9]
    together = box.predict_proba(texts)
    alone = np.concatenate([box.predict_proba([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5, rtol=0)
    states = box.word_states([box.instance(text) for text in texts], (0, 1))
    np.testing.assert_allclose(states.probabilities, together, atol=1e-5, rtol=0)
    assert states.counts.tolist() == [6, 2, 2, 3, 0, 2, 3, 8, 8]


def test_a_folder_gives_the_same_classifier(box: PairClassifier, tmp_path: Path) -> None:
    box.save(tmp_path)
    again: Any = load_classifier(tmp_path, device="cpu")
    assert isinstance(again, PairClassifier)
    assert again.identity == box.identity
    np.testing.assert_array_equal(again.predict_proba(PAIRS), box.predict_proba(PAIRS))
    assert torch.equal(again.class_vectors, box.class_vectors)


def test_one_text_or_two() -> None:
    vocabulary = WordVocabulary(WORDS)
    with pytest.raises(ValueError, match=r"'x' reads pairs; .*as_scratch"):
        ScratchClassifier(make_network(), vocabulary, "x", CLASSES, "cpu")
    with pytest.raises(ValueError, match=r"'x' reads one text; .*as_scratch"):
        PairClassifier(new_network(6, 3, WIDTH), vocabulary, "x", CLASSES, "cpu")


# Every explainer ------------------------------------------------------------------------------

SMALL = {
    name: {key: 20 for key in ("n_samples",) if hasattr(explainer_class(name), key)}
    | {key: 4 for key in ("n_steps", "n_draws") if hasattr(explainer_class(name), key)}
    for name in methods()
}


@pytest.mark.parametrize(
    "method",
    [
        name
        for name in methods()
        if "text" in explainer_class(name).modalities
        and not issubclass(explainer_class(name), AmortisedExplainer)
    ],
)
@pytest.mark.parametrize("text", [PAIRS[0], PAIRS[2], PAIRS[3], PAIRS[4]])
def test_every_explainer_runs(method: str, text: str, box: PairClassifier) -> None:
    pytest.importorskip("captum")
    (found,) = make_explainer(method, **SMALL[method]).explain([text], box)
    one = box.instance(text)
    assert found.words == one.words
    assert found.weights.shape == (3, len(one.words))
    assert np.isfinite(found.weights).all()
    np.testing.assert_allclose(found.probabilities, box.predict_proba([text])[0], atol=1e-6)


def test_occlusion_by_hand(box: PairClassifier) -> None:
    (found,) = make_explainer("occlusion").explain(["good film\nbad rain"], box)
    whole = slow(box, [2, 4], [3, 5])
    without = [([4], [3, 5]), ([2], [3, 5]), ([2, 4], [5]), ([2, 4], [3])]
    for i, (first, second) in enumerate(without):
        np.testing.assert_allclose(
            found.weights[:, i], whole - slow(box, first, second), atol=1e-5, rtol=0
        )
