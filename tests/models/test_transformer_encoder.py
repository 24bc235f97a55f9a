"""The small Transformer: Vaswani et al.'s equations by hand, padding, gradients, sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xai_lib.models import batching
from xai_lib.models.networks import new_network
from xai_lib.models.scratch import ScratchClassifier
from xai_lib.models.transformer_encoder import TransformerEncoder
from xai_lib.models.vocabulary import WordVocabulary

WIDTH, HEADS, CLASSES, PLACES = 8, 4, 3, 12


@pytest.fixture
def network() -> TransformerEncoder:
    """A float64 network with weights so large that every word counts."""
    network = new_network(10, CLASSES, WIDTH, seed=1, network="transformer", n_positions=PLACES)
    assert isinstance(network, TransformerEncoder)
    network.double().eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter *= 2.0
    return network


def linear(network: TransformerEncoder, name: str, rows: np.ndarray) -> np.ndarray:
    layer = getattr(network, name)
    return rows @ layer.weight.numpy().T + layer.bias.numpy()


def normed(network: TransformerEncoder, name: str, rows: np.ndarray) -> np.ndarray:
    layer = getattr(network, name)
    out = []
    for row in rows:
        centred = row - row.mean()
        out.append(centred / np.sqrt((centred**2).mean() + 1e-5))
    return np.array(out) * layer.weight.numpy() + layer.bias.numpy()


def by_hand(network: TransformerEncoder, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Everything that is computed for one text of (T, d) embeddings, word by word."""
    entered = inputs + network.positions.weight.numpy()[: len(inputs)]
    query, key, value = (linear(network, name, entered) for name in ("query", "key", "value"))
    size = WIDTH // HEADS
    mixed = np.zeros_like(entered)
    for head in range(HEADS):
        own = slice(head * size, (head + 1) * size)
        for t in range(len(inputs)):
            scores = np.array([query[t, own] @ k[own] for k in key]) / np.sqrt(size)
            alpha = np.exp(scores) / np.exp(scores).sum()
            mixed[t, own] = sum(a * v[own] for a, v in zip(alpha, value, strict=True))
    middle = normed(network, "attention_norm", entered + linear(network, "joined", mixed))
    inner = np.maximum(linear(network, "inner", middle), 0)
    states = normed(network, "feed_forward_norm", middle + linear(network, "outer", inner))
    pooled = states.mean(axis=0)
    return {"states": states, "pooled": pooled, "logits": linear(network, "output", pooled)}


def some_texts(lengths: tuple[int, ...]) -> list[torch.Tensor]:
    rng = np.random.default_rng(2)
    return [torch.from_numpy(rng.standard_normal((n, WIDTH))) for n in lengths]


@pytest.mark.parametrize("length", [1, 2, 7])
def test_forward_pass_by_hand(network: TransformerEncoder, length: int) -> None:
    (text,) = some_texts((length,))
    found = by_hand(network, text.numpy())
    states = network.states(text[None])
    np.testing.assert_allclose(states[0], found["states"], atol=1e-12, rtol=0)
    np.testing.assert_allclose(network.pool(states)[0], found["pooled"], atol=1e-12, rtol=0)
    np.testing.assert_allclose(network(text[None])[0], found["logits"], atol=1e-12, rtol=0)


@pytest.mark.parametrize("fill", [0.0, 7.0])
@pytest.mark.parametrize("width", [7, PLACES])
def test_padding_changes_nothing(network: TransformerEncoder, width: int, fill: float) -> None:
    texts = some_texts((3, 7, 1, 5))
    embeddings = torch.full((4, width, WIDTH), fill, dtype=torch.float64)
    attention = torch.zeros(4, width, dtype=torch.int64)
    for i, text in enumerate(texts):
        embeddings[i, : len(text)] = text
        attention[i, : len(text)] = 1
    states = network.states(embeddings, attention)
    logits = network(embeddings, attention)
    for i, text in enumerate(texts):
        found = by_hand(network, text.numpy())
        np.testing.assert_allclose(states[i, : len(text)], found["states"], atol=1e-12, rtol=0)
        np.testing.assert_allclose(logits[i], found["logits"], atol=1e-12, rtol=0)


def test_gradients_are_finite_differences(network: TransformerEncoder) -> None:
    (text,) = some_texts((4,))
    embeddings = torch.cat([text, torch.ones(2, WIDTH, dtype=torch.float64)])[None]
    embeddings.requires_grad_()
    attention = torch.tensor([[1, 1, 1, 1, 0, 0]])
    (found,) = torch.autograd.grad(network(embeddings, attention)[0, 1], embeddings)
    expected, step = np.zeros((4, WIDTH)), 1e-5
    for t, k in np.ndindex(4, WIDTH):
        move = np.zeros((4, WIDTH))
        move[t, k] = step
        high, low = (by_hand(network, text.numpy() + s * move)["logits"][1] for s in (1, -1))
        expected[t, k] = (high - low) / (2 * step)
    np.testing.assert_allclose(found[0, :4], expected, atol=1e-8, rtol=0)
    assert np.abs(expected).max() > 0.01
    assert found[0, 4:].abs().sum() == 0


def test_the_order_of_words_counts(network: TransformerEncoder) -> None:
    (text,) = some_texts((5,))
    assert (network(text[None]) - network(text.flip(0)[None])).abs().max() > 0.01


def test_sizes_that_are_the_defaults() -> None:
    network = new_network(10, 2, network="transformer")
    assert isinstance(network, TransformerEncoder)
    assert network.settings() == {
        "width": 128, "dropout": [0.1], "n_positions": 256, "heads": 4, "feed_forward": 256,
    }  # fmt: skip
    dropouts = [m.p for m in network.modules() if isinstance(m, torch.nn.Dropout)]
    assert dropouts == [0.1] * 4
    assert network.embedding.weight[0].abs().sum() == 0
    # Of 32768 numbers: a standard error of 0.0012.
    assert float(network.positions.weight.std()) == pytest.approx(0.3, abs=0.01)


def test_relu_runs_once(network: TransformerEncoder) -> None:
    runs: list[torch.nn.Module] = []
    network.relu.register_forward_hook(lambda module, _, __: runs.append(module))
    network(some_texts((3,))[0][None])
    assert runs == [m for m in network.modules() if isinstance(m, torch.nn.ReLU)]


def test_what_makes_no_network(network: TransformerEncoder) -> None:
    with pytest.raises(ValueError, match=r"width 6 is no multiple of the 4 heads"):
        TransformerEncoder(10, 2, 6)
    with pytest.raises(ValueError, match=r"at least 1, got 0, 4 and 256"):
        TransformerEncoder(10, 2, 8, n_positions=0)
    with pytest.raises(ValueError, match=r"dropout must be one number .* got \(0.1, 0.2\)"):
        TransformerEncoder(10, 2, 8, (0.1, 0.2))
    with pytest.raises(ValueError, match=r"at most 12 tokens, got 13"):
        network(torch.zeros(1, 13, WIDTH, dtype=torch.float64))


@pytest.mark.parametrize("step", [1, 4])
def test_company_changes_no_answer(
    network: TransformerEncoder, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(batching.PADDING_STEP, "cpu", step)
    monkeypatch.setitem(batching.TOKEN_BUDGET, "cpu", 20)
    words = [f"w{i}" for i in range(8)]  # 2 to 9
    box = ScratchClassifier(
        network, WordVocabulary(words), "small", ["x", "y", "z"], "cpu", "float32", PLACES
    )
    rows = [[2, 3, 4], [], [9], [1, 5, 6, 2, 2, 7, 8, 3, 2, 4, 5, 6], [5, 1]]
    texts = [" ".join(box.vocabulary.token(i).strip("[]") for i in row) for row in rows]
    assert box._tokenise(texts[:1])[0].tolist() == rows[0]
    found = box.predict_proba(texts)
    table = network.embedding.weight.double().numpy()
    for row, answer in zip(rows, found, strict=True):
        logits = by_hand(network, table[row or [0]])["logits"]
        odds = np.exp(logits - logits.max())
        np.testing.assert_allclose(answer, odds / odds.sum(), atol=1e-5, rtol=0)
    one = box.instance(texts[0])
    mask = np.array([[True, False, True]])
    for removal, row in (("drop", [2, 4]), ("mask", [2, 1, 4]), ("pad", [2, 0, 4])):
        logits = by_hand(network, table[row])["logits"]
        odds = np.exp(logits - logits.max())
        answer = box.predict_masked(one, mask, removal)[0]
        np.testing.assert_allclose(answer, odds / odds.sum(), atol=1e-5, rtol=0)


def test_a_budget_beyond_the_places(network: TransformerEncoder) -> None:
    vocabulary = WordVocabulary([f"w{i}" for i in range(8)])
    with pytest.raises(ValueError, match=r"'x' reads at most 12 words, got a budget of 13"):
        ScratchClassifier(network, vocabulary, "x", ["x", "y", "z"], "cpu", "float32", PLACES + 1)
