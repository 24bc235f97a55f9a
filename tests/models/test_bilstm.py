"""The network: Zhou et al.'s equations by hand, padding, gradients, dropout."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xai_lib.models.bilstm import BiLSTMAttention
from xai_lib.models.networks import new_network

WIDTH, CLASSES = 6, 3


@pytest.fixture
def network() -> BiLSTMAttention:
    """A float64 network with weights so large that every word counts."""
    network = new_network(10, CLASSES, WIDTH, seed=1).double().eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter *= 2.0
    return network


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm_by_hand(weights: dict[str, np.ndarray], inputs: np.ndarray) -> np.ndarray:
    """Hochreiter & Schmidhuber's cell, word by word; torch stacks the gates i, f, g, o."""
    hidden, cell, out = np.zeros(WIDTH), np.zeros(WIDTH), []
    for x in inputs:
        gates = weights["weight_ih_l0"] @ x + weights["bias_ih_l0"]
        gates = gates + weights["weight_hh_l0"] @ hidden + weights["bias_hh_l0"]
        i, f, g, o = np.split(gates, 4)
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
        hidden = sigmoid(o) * np.tanh(cell)
        out.append(hidden)
    return np.array(out)


def by_hand(network: BiLSTMAttention, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Everything that is computed for one text, (T, d) embeddings."""
    weights = {
        name: {key: value.numpy() for key, value in getattr(network, name).state_dict().items()}
        for name in ("forwards", "backwards", "attention", "output")
    }
    there = lstm_by_hand(weights["forwards"], inputs)
    back = lstm_by_hand(weights["backwards"], inputs[::-1])[::-1]
    states = there + back
    scores = np.array([weights["attention"]["weight"][0] @ np.tanh(h) for h in states])
    alpha = np.exp(scores) / np.exp(scores).sum()
    pooled = np.tanh(sum(a * h for a, h in zip(alpha, states, strict=True)))
    logits = weights["output"]["weight"] @ pooled + weights["output"]["bias"]
    return {"states": states, "alpha": alpha, "pooled": pooled, "logits": logits}


def some_texts(lengths: tuple[int, ...]) -> list[torch.Tensor]:
    rng = np.random.default_rng(2)
    return [torch.from_numpy(rng.standard_normal((n, WIDTH))) for n in lengths]


def padded(texts: list[torch.Tensor], width: int, fill: float) -> tuple[torch.Tensor, torch.Tensor]:
    embeddings = torch.full((len(texts), width, WIDTH), fill, dtype=torch.float64)
    attention = torch.zeros(len(texts), width, dtype=torch.int64)
    for i, text in enumerate(texts):
        embeddings[i, : len(text)] = text
        attention[i, : len(text)] = 1
    return embeddings, attention


@pytest.mark.parametrize("length", [1, 2, 7])
def test_forward_pass_by_hand(network: BiLSTMAttention, length: int) -> None:
    (text,) = some_texts((length,))
    found = by_hand(network, text.numpy())
    states = network.states(text[None])
    np.testing.assert_allclose(states[0], found["states"], atol=1e-12, rtol=0)
    np.testing.assert_allclose(network.weights(states)[0], found["alpha"], atol=1e-12, rtol=0)
    np.testing.assert_allclose(network.pool(states)[0], found["pooled"], atol=1e-12, rtol=0)
    np.testing.assert_allclose(network(text[None])[0], found["logits"], atol=1e-12, rtol=0)


@pytest.mark.parametrize("fill", [0.0, 7.0])
@pytest.mark.parametrize("width", [7, 12])
def test_padding_changes_nothing(network: BiLSTMAttention, width: int, fill: float) -> None:
    texts = some_texts((3, 7, 1, 5))
    embeddings, attention = padded(texts, width, fill)
    states = network.states(embeddings, attention)
    weights = network.weights(states, attention)
    logits = network(embeddings, attention)
    for i, text in enumerate(texts):
        found = by_hand(network, text.numpy())
        np.testing.assert_allclose(states[i, : len(text)], found["states"], atol=1e-12, rtol=0)
        np.testing.assert_allclose(weights[i, : len(text)], found["alpha"], atol=1e-12, rtol=0)
        assert weights[i, len(text) :].abs().sum() == 0
        np.testing.assert_allclose(logits[i], found["logits"], atol=1e-12, rtol=0)


def test_gradients_are_finite_differences(network: BiLSTMAttention) -> None:
    texts = some_texts((4, 2))
    embeddings, attention = padded(texts, 5, 0.0)
    inputs = embeddings.clone().requires_grad_()
    (found,) = torch.autograd.grad(network(inputs, attention)[:, 1].sum(), inputs)
    for i, text in enumerate(texts):
        expected, step = np.zeros(text.shape), 1e-5
        for t in range(len(text)):
            for k in range(WIDTH):
                move = np.zeros(text.shape)
                move[t, k] = step
                high, low = (
                    by_hand(network, text.numpy() + sign * move)["logits"][1] for sign in (1, -1)
                )
                expected[t, k] = (high - low) / (2 * step)
        # Rounding of the logits over the step: 1e-16 / 1e-5, and some.
        np.testing.assert_allclose(found[i, : len(text)], expected, atol=1e-9, rtol=0)
        assert np.abs(expected).max() > 0.05
        assert found[i, len(text) :].abs().sum() == 0


def test_untrained_embeddings_have_the_spread_that_is_asked_for() -> None:
    table = new_network(2000, 2, 50, embedding_std=0.5).embedding.weight.detach()
    assert table[0].abs().sum() == 0
    # Of 1e5 numbers: standard errors of 0.0016 and 0.0011.
    assert table[1:].mean() == pytest.approx(0, abs=0.01)
    assert table[1:].std() == pytest.approx(0.5, abs=0.01)


def test_padding_stays_zero_and_tanh_runs_once(network: BiLSTMAttention) -> None:
    assert network.embedding.weight[0].abs().sum() == 0
    runs: list[torch.nn.Module] = []
    tanhs = [module for module in network.modules() if isinstance(module, torch.nn.Tanh)]
    for module in tanhs:
        module.register_forward_hook(lambda module, _, __: runs.append(module))
    network(some_texts((3,))[0][None])
    assert runs == [network.attention_tanh, network.pooled_tanh] == tanhs


def test_dropout_is_where_the_paper_has_it() -> None:
    network = new_network(10, CLASSES, 64, seed=1)
    shares = (network.embedding_dropout.p, network.state_dropout.p, network.pooled_dropout.p)
    assert shares == (0.3, 0.3, 0.5)
    dropped: dict[str, float] = {}

    def watch(name: str) -> None:
        module = getattr(network, name)
        module.register_forward_hook(
            lambda _, __, out: dropped.update({name: float((out == 0).float().mean())})
        )

    for name in ("embedding_dropout", "state_dropout", "pooled_dropout"):
        watch(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network.train()(torch.ones(40, 20, 64))
    # Standard deviations: 0.002, 0.002 and 0.01.
    assert dropped["embedding_dropout"] == pytest.approx(0.3, abs=0.01)
    assert dropped["state_dropout"] == pytest.approx(0.3, abs=0.01)
    assert dropped["pooled_dropout"] == pytest.approx(0.5, abs=0.05)


def test_the_seed_fixes_the_weights_and_leaves_torch_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = (new_network(10, 2, 4, seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["output.weight"], other["output.weight"])


@pytest.mark.parametrize("sizes", [(1, 2, 4), (5, 1, 4), (5, 2, 0)])
def test_sizes_that_make_no_network(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"2 words .*, 2 classes and a width of 1"):
        BiLSTMAttention(*sizes)


@pytest.mark.parametrize("dropout", [(0.1, 0.2), (0.1, 0.2, 1.0), (-0.1, 0.2, 0.3)])
def test_dropout_that_is_none(dropout: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="dropout must be three numbers"):
        BiLSTMAttention(5, 2, 4, dropout)  # type: ignore[arg-type]
