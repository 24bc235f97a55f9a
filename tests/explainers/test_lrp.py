"""Relevance once more in a slow form: messages R_{i<-j} between single neurons, in loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import erf, expit, softmax

from tests.explainers.networks import (
    CLASSES,
    FAMILIES,
    WIDTH,
    attention_of,
    draw,
    make_hub,
    make_network,
)
from xai_lib.explainers.gradients import InputXGradient
from xai_lib.explainers.lrp import Lrp, relevance
from xai_lib.explainers.lrp_rules import exchanged, lstm_rule
from xai_lib.models.networks import new_network
from xai_lib.models.scratch import ScratchClassifier
from xai_lib.models.vocabulary import WordVocabulary

EPSILON = 0.05  # large, so that a misplaced one shows


# Slow rules -------------------------------------------------------------------------------------


def back_linear(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, above: np.ndarray, epsilon: float = EPSILON
) -> np.ndarray:
    """R_i = sum over j of x_i w_ji / (z_j + epsilon sign(z_j)) R_j."""
    found = np.zeros_like(x)
    for j, relevant in enumerate(above):
        z = bias[j] + sum(x[i] * weight[j, i] for i in range(len(x)))
        for i in range(len(x)):
            found[i] += x[i] * weight[j, i] / (z + epsilon * (1 if z >= 0 else -1)) * relevant
    return found


def back_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, above: np.ndarray, eps: float):
    """Messages of y_j = weight_j (x_j - mean) / deviation + bias_j with a constant deviation."""
    d, found = len(x), np.zeros_like(x)
    deviation = math.sqrt(sum((value - x.mean()) ** 2 for value in x) / d + eps)
    for j in range(d):
        y = weight[j] * (x[j] - x.mean()) / deviation + bias[j]
        for i in range(d):
            part = weight[j] * ((i == j) - 1 / d) * x[i] / deviation
            found[i] += part / y * above[j]
    return found


def norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> np.ndarray:
    return weight * (x - x.mean()) / math.sqrt(((x - x.mean()) ** 2).mean() + eps) + bias


def numbers(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    weight = layer.weight.numpy()
    return weight, np.zeros(len(weight)) if layer.bias is None else layer.bias.numpy()


def layer(x: np.ndarray, module: Any) -> np.ndarray:
    weight, bias = numbers(module)
    return x @ weight.T + bias


def one_hot(logits: np.ndarray, c: int) -> np.ndarray:
    return np.where(np.arange(len(logits)) == c, logits, 0.0)


def block_with_relevance(
    u: np.ndarray,
    parts: dict[str, Any],
    heads: int,
    activation: Callable[[np.ndarray], np.ndarray],
    eps: float,
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """A block of a Transformer on (T, d); its output, and the way back for relevance."""
    n_words, d = u.shape
    q, k, v = (layer(u, parts[name]) for name in ("query", "key", "value"))
    size = d // heads
    mixed = np.zeros_like(u)
    weights = np.zeros((heads, n_words, n_words))
    for h in range(heads):
        own = slice(h * size, (h + 1) * size)
        weights[h] = softmax(q[:, own] @ k[:, own].T / math.sqrt(size), axis=1)
        mixed[:, own] = weights[h] @ v[:, own]
    added = layer(mixed, parts["joined"])
    first, second = numbers(parts["norm1"]), numbers(parts["norm2"])
    middle = np.array([norm(row, *first, eps) for row in u + added])
    inner = layer(middle, parts["inner"])
    outer = layer(activation(inner), parts["outer"])
    out = np.array([norm(row, *second, eps) for row in middle + outer])

    def back(above: np.ndarray) -> np.ndarray:
        found, of_values = np.zeros_like(u), np.zeros_like(u)
        for t in range(n_words):
            both = back_norm(middle[t] + outer[t], *second, above[t], eps)
            of_outer = outer[t] / (middle[t] + outer[t]) * both
            of_inner = back_linear(activation(inner[t]), *numbers(parts["outer"]), of_outer)
            of_middle = middle[t] / (middle[t] + outer[t]) * both
            of_middle += back_linear(middle[t], *numbers(parts["inner"]), of_inner)
            both = back_norm(u[t] + added[t], *first, of_middle, eps)
            found[t] += u[t] / (u[t] + added[t]) * both
            of_added = added[t] / (u[t] + added[t]) * both
            of_mixed = back_linear(mixed[t], *numbers(parts["joined"]), of_added)
            for s in range(n_words):
                for j in range(d):
                    share = weights[j // size, t, s] * v[s, j] / mixed[t, j]
                    of_values[s, j] += share * of_mixed[j]
        for s in range(n_words):
            found[s] += back_linear(u[s], *numbers(parts["value"]), of_values[s])
        return found

    return out, back


def lstm_with_relevance(
    x: np.ndarray, lstm: torch.nn.LSTM
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """An LSTM step by step on (T, d); its states, and the way back for relevance."""
    of_x, of_h = lstm.weight_ih_l0.numpy(), lstm.weight_hh_l0.numpy()
    bias = lstm.bias_ih_l0.numpy() + lstm.bias_hh_l0.numpy()
    d = of_h.shape[1]
    h, c, steps = np.zeros(d), np.zeros(d), []
    for value in x:
        z = of_x @ value + of_h @ h + bias
        i, f, o = expit(z[:d]), expit(z[d : 2 * d]), expit(z[3 * d :])
        g = np.tanh(z[2 * d : 3 * d])
        new = f * c + i * g
        steps.append((value, h, f * c, i * g, new))
        h, c = o * np.tanh(new), new
    states = np.array([*(step[1] for step in steps[1:]), h])
    signal = slice(2 * d, 3 * d)
    both = np.concatenate([of_x[signal], of_h[signal]], axis=1)

    def back(above: np.ndarray) -> np.ndarray:
        found, of_state, of_cell = np.zeros_like(x), np.zeros(d), np.zeros(d)
        for t in range(len(x) - 1, -1, -1):
            value, before, kept, entered, cell = steps[t]
            of_cell = of_cell + of_state + above[t]  # o tanh(c): the gate gets nothing
            of_signal = entered / cell * of_cell
            of_cell = kept / cell * of_cell
            shared = back_linear(np.concatenate([value, before]), both, bias[signal], of_signal)
            found[t], of_state = shared[: len(value)], shared[len(value) :]
        return found

    return states, back


# The networks against the slow rules ------------------------------------------------------------


@pytest.mark.parametrize("c", range(CLASSES))
def test_chain_of_layers_by_messages(c: int) -> None:
    class Chain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = torch.nn.Linear(4, 5), torch.nn.Linear(5, CLASSES)

        def forward(self, x: torch.Tensor, attention: torch.Tensor | None) -> torch.Tensor:
            return self.second(torch.tanh(self.first(x)).sum(dim=1))

    chain = Chain().double().requires_grad_(False)
    x = draw(1, 2, 4)
    values, logit = relevance(chain, x, None, torch.tensor([c]), "epsilon", EPSILON)
    words = x[0].numpy()
    hidden = np.tanh(layer(words, chain.first))
    logits = layer(hidden.sum(axis=0), chain.second)
    above = back_linear(hidden.sum(axis=0), *numbers(chain.second), one_hot(logits, c))
    for t, word in enumerate(words):
        share = hidden[t] / hidden.sum(axis=0) * above
        expected = back_linear(word, *numbers(chain.first), share)
        np.testing.assert_allclose(values[0, t], expected, rtol=1e-10)
    np.testing.assert_allclose(logit[0], logits[c], rtol=1e-12)


@pytest.mark.parametrize("c", [0, 2])
def test_bilstm_by_messages(c: int) -> None:
    network: Any = make_network("bilstm")
    x = draw(1, 4, WIDTH)
    values, _ = relevance(network, x, None, torch.tensor([c]), "epsilon", EPSILON)
    words = x[0].numpy()
    first, back_first = lstm_with_relevance(words, network.forwards)
    second, back_second = lstm_with_relevance(words[::-1], network.backwards)
    states = first + second[::-1]
    weights = softmax(np.tanh(states) @ network.attention.weight.numpy()[0])
    pooled = weights @ states
    logits = layer(np.tanh(pooled), network.output)
    above = back_linear(np.tanh(pooled), *numbers(network.output), one_hot(logits, c))
    of_states = np.array([weights[t] * states[t] / pooled * above for t in range(4)])
    expected = back_first(first / states * of_states)
    expected += back_second((second[::-1] / states * of_states)[::-1])[::-1]
    np.testing.assert_allclose(values[0], expected, rtol=1e-9)


@pytest.mark.parametrize("c", [0, 1])
def test_transformer_by_messages(c: int) -> None:
    network: Any = make_network("transformer")
    network.heads = 2
    x = draw(1, 3, WIDTH)
    values, _ = relevance(network, x, None, torch.tensor([c]), "epsilon", EPSILON)
    words = x[0].numpy()
    u = words + network.positions.weight[:3].numpy()
    names = ("query", "key", "value", "joined", "inner", "outer")
    parts = {name: getattr(network, name) for name in names}
    parts |= {"norm1": network.attention_norm, "norm2": network.feed_forward_norm}
    out, back = block_with_relevance(u, parts, 2, lambda z: np.maximum(z, 0), 1e-5)
    logits = layer(out.mean(axis=0), network.output)
    above = back_linear(out.mean(axis=0), *numbers(network.output), one_hot(logits, c))
    of_words = back(out / out.sum(axis=0) * above)
    np.testing.assert_allclose(values[0], words / u * of_words, rtol=1e-8)


@pytest.mark.parametrize("c", [0, 1])
def test_bert_by_messages(c: int) -> None:
    network = make_hub("Bert", layers=1)
    x, there = draw(1, 3, 8), torch.ones(1, 3, dtype=torch.int64)
    values, _ = relevance(network, x, there, torch.tensor([c]), "epsilon", EPSILON)
    bert = network.model.bert
    words, table, one = x[0].numpy(), bert.embeddings, bert.encoder.layer[0]
    entered = words + table.position_embeddings.weight[:3].numpy()
    entered = entered + table.token_type_embeddings.weight[0].numpy()
    gain = numbers(table.LayerNorm)
    u = np.array([norm(row, *gain, 1e-12) for row in entered])
    parts = {name: getattr(one.attention.self, name) for name in ("query", "key", "value")}
    parts |= {"joined": one.attention.output.dense, "norm1": one.attention.output.LayerNorm}
    parts |= {"inner": one.intermediate.dense, "outer": one.output.dense}
    parts |= {"norm2": one.output.LayerNorm}

    def gelu(z: np.ndarray) -> np.ndarray:
        return z * (1 + erf(z / math.sqrt(2))) / 2

    out, back = block_with_relevance(u, parts, 2, gelu, 1e-12)
    pooled = np.tanh(layer(out[0], bert.pooler.dense))
    logits = layer(pooled, network.model.classifier)
    above = back_linear(pooled, *numbers(network.model.classifier), one_hot(logits, c))
    of_out = np.zeros_like(out)
    of_out[0] = back_linear(out[0], *numbers(bert.pooler.dense), above)
    of_u = back(of_out)
    for t in range(3):
        of_entered = back_norm(entered[t], *gain, of_u[t], 1e-12)
        np.testing.assert_allclose(values[0, t], words[t] / entered[t] * of_entered, rtol=1e-7)


# Conservation -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bilstm", "transformer", "decomposable"])
def test_without_biases_relevance_sums_to_the_logit(name: str) -> None:
    network = make_network(name, biases=False)
    x, there = draw(1, 5, WIDTH).expand(CLASSES, -1, -1), attention_of(name).expand(CLASSES, -1)
    values, logits = relevance(network, x, there, torch.arange(CLASSES), "epsilon", 1e-14)
    np.testing.assert_allclose(values.sum(dim=(1, 2)), logits, rtol=1e-9)
    np.testing.assert_allclose(logits, network(x[:1], there[:1])[0], rtol=1e-12)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", FAMILIES)
def test_relevance_of_transformers_sums_to_the_logit(family: str, attention: str) -> None:
    network = make_hub(family, biases=False)
    network.model.set_attn_implementation(attention)
    x, there = draw(2, 5, 8), torch.tensor([[1] * 5, [1, 1, 1, 0, 0]])
    values, logits = relevance(network, x, there, torch.tensor([0, 2]), "epsilon", 1e-14)
    np.testing.assert_allclose(values.sum(dim=(1, 2)), logits, rtol=1e-8)
    np.testing.assert_allclose(logits, network(x, there)[[0, 1], [0, 2]], rtol=1e-12)
    assert (values[1, 3:] == 0).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_kernel_of_the_attention_does_not_matter(family: str) -> None:
    network, found = make_hub(family), []
    x, there = draw(2, 5, 8), torch.tensor([[1] * 5, [1, 1, 1, 0, 0]])
    for attention in ("eager", "sdpa"):
        network.model.set_attn_implementation(attention)
        found.append(relevance(network, x, there, torch.tensor([0, 2]))[0])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6, atol=1e-12)


def test_relu_network_without_biases_is_input_times_gradient() -> None:
    layers = [torch.nn.Linear(4, 6, bias=False), torch.nn.ReLU(inplace=True)]
    layers += [torch.nn.Linear(6, 6, bias=False), torch.nn.ReLU()]
    inner = torch.nn.Sequential(*layers, torch.nn.Linear(6, CLASSES, bias=False)).double()

    class Net(torch.nn.Module):
        def forward(self, x: torch.Tensor, attention: torch.Tensor | None) -> torch.Tensor:
            return inner(x.mean(dim=1))

    x = draw(1, 3, 4).requires_grad_()
    logit = Net()(x, None)[0, 1]
    (gradient,) = torch.autograd.grad(logit, x)
    values, _ = relevance(Net(), x, None, torch.tensor([1]), "epsilon", 1e-14)
    np.testing.assert_allclose(values, (x * gradient).detach(), rtol=1e-9)


# What must not matter ---------------------------------------------------------------------------


@pytest.mark.parametrize("rules", ["epsilon", "deepexplain"])
@pytest.mark.parametrize("name", ["bilstm", "transformer", "decomposable"])
def test_padding_and_batches_change_nothing(name: str, rules: str) -> None:
    network = make_network(name)
    x, alone = draw(1, 5, WIDTH), attention_of(name)
    expected, _ = relevance(network, x, alone, torch.tensor([1]), rules)
    padded = torch.cat([x, draw(1, 2, WIDTH, seed=1)], dim=1)
    batch = torch.cat([draw(1, 7, WIDTH, seed=2), padded])
    there = torch.cat([attention_of(name)[:, [0, 1, 1, 2, 3, 3, 4]], attention_of(name, 2)])
    found, _ = relevance(network, batch, there, torch.tensor([0, 1]), rules)
    np.testing.assert_allclose(found[1, :5], expected[0], rtol=1e-9)
    assert (found[1, 5:] == 0).all()


@pytest.mark.parametrize("rules", ["epsilon", "deepexplain"])
@pytest.mark.parametrize("name", ["bilstm", "transformer", "decomposable", *FAMILIES])
def test_answers_stay_and_the_network_is_left_as_it_was(name: str, rules: str) -> None:
    hub = name in FAMILIES
    network = make_hub(name) if hub else make_network(name)
    x, there = draw(1, 5, 8 if hub else WIDTH).requires_grad_(), attention_of(name)

    def gradient() -> np.ndarray:
        return torch.autograd.grad(network(x, there)[0, 1], x)[0].numpy()

    plain, before = network(x, there).detach().numpy(), gradient()
    with exchanged(network, rules, EPSILON):
        np.testing.assert_allclose(network(x, there).detach(), plain, rtol=1e-10)
        if rules == "epsilon":  # DeepExplain's has nothing to change in Electra
            assert not np.allclose(gradient(), before)
    np.testing.assert_array_equal(gradient(), before)
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
def test_lstm_runs_as_torch_runs_it(batch_first: bool, biases: bool) -> None:
    lstm = torch.nn.LSTM(3, 5, bias=biases, batch_first=batch_first).double()
    x, start = draw(2, 4, 3), (draw(1, 2, 5), draw(1, 2, 5, seed=1))
    x = x if batch_first else x.transpose(0, 1)
    expected, ends = lstm(x, start)
    weights = list(lstm.parameters())
    found = lstm_rule(x, start, weights, batch_first, EPSILON)
    for one, other in zip(found, (expected, *ends), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


# DeepExplain ------------------------------------------------------------------------------------


def input_times_gradient(network: torch.nn.Module, x: torch.Tensor, c: int) -> np.ndarray:
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(x, None)[0, c], x)
    return (x * gradient).detach().numpy()


def test_deepexplain_is_input_times_gradient_where_there_is_only_relu() -> None:
    network, x = make_network("transformer"), draw(1, 5, WIDTH)
    values, _ = relevance(network, x, None, torch.tensor([2]), "deepexplain", 1e-12)
    np.testing.assert_allclose(values, input_times_gradient(network, x, 2), rtol=1e-8)
    changed, _ = relevance(network, x, None, torch.tensor([2]), "epsilon", 1e-12)
    assert not np.allclose(values, changed, rtol=0.1)


def test_deepexplain_replaces_the_slope_of_every_tanh_it_sees() -> None:
    network: Any = make_network("bilstm")
    x = draw(1, 3, WIDTH)

    class Times(torch.nn.Module):
        """Multiplies by tanh(z) / (z + epsilon sign(z)) at the values z that it saw first."""

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            if not hasattr(self, "ratio"):
                self.ratio = torch.tanh(z) / (z + EPSILON * torch.sign(z))
                self.offset = torch.tanh(z) - self.ratio * z
            return self.ratio * z + self.offset

    values, _ = relevance(network, x, None, torch.tensor([0]), "deepexplain", EPSILON)
    network.attention_tanh, network.pooled_tanh = Times(), Times()
    network(x)
    expected = np.zeros_like(x[0])
    for t in range(3):
        for j in range(WIDTH):
            moved = torch.zeros_like(x)
            moved[0, t, j] = 1e-6
            up, down = network(x + moved)[0, 0], network(x - moved)[0, 0]
            expected[t, j] = x[0, t, j] * (up - down) / 2e-6
    np.testing.assert_allclose(values[0], expected, rtol=1e-5, atol=1e-8)


# The explainer ----------------------------------------------------------------------------------


@pytest.fixture
def box() -> ScratchClassifier:
    vocabulary = WordVocabulary(["good", "bad", "fine", "rain"])
    network = new_network(len(vocabulary), CLASSES, 6, seed=1)
    for parameter in network.parameters():
        parameter.data *= 3
    return ScratchClassifier(network, vocabulary, "box", ["a", "b", "c"], "cpu", "float32")


def test_weights_of_words_are_sums_over_coordinates(box: ScratchClassifier) -> None:
    text = "good bad fine"
    (found,) = Lrp(epsilon=EPSILON).explain([text], box)
    embedded = box.embed([box.instance(text)])
    gaps = []
    for c in range(CLASSES):
        values, logit = relevance(
            box.model, embedded.embeddings, None, torch.tensor([c]), "epsilon", EPSILON
        )
        expected = values[0].double().sum(dim=1)
        np.testing.assert_allclose(found.weights[c], expected, rtol=1e-5, atol=1e-6)
        gaps.append(abs(float(expected.sum() - logit)))
    assert found.diagnostics["completeness_gap"] == pytest.approx(max(gaps), rel=1e-5)
    assert found.model_calls == CLASSES + 1
    (types,) = Lrp(epsilon=EPSILON, group="type").explain(["good bad good"], box)
    (places,) = Lrp(epsilon=EPSILON).explain(["good bad good"], box)
    joined = np.stack([places.weights[:, [0, 2]].sum(axis=1), places.weights[:, 1]], axis=1)
    np.testing.assert_allclose(types.weights, joined, rtol=1e-12)


def test_predicted_class_alone(box: ScratchClassifier) -> None:
    (every,), (one,) = (Lrp(target=t).explain(["good rain"], box) for t in ("all", "predicted"))
    np.testing.assert_allclose(one.weights[one.predicted], every.weights[one.predicted], rtol=1e-6)
    assert one.explained.tolist() == [c == one.predicted for c in range(CLASSES)]


def test_epsilon_lrp_is_not_input_times_gradient(box: ScratchClassifier) -> None:
    (one,), (other,) = (m.explain(["good bad"], box) for m in (Lrp(), InputXGradient()))
    assert not np.allclose(one.weights, other.weights, rtol=0.1)


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match=r"'alpha'.*epsilon, deepexplain"):
        Lrp(rules="alpha")
    for epsilon in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="epsilon must be a finite number above 0"):
            Lrp(epsilon=epsilon)


UNRULED: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], str]] = {
    "sigmoid": (torch.sigmoid, "Sigmoid"),
    "square": (torch.square, "Pow"),
    "two signals": (lambda x: x * (x + 1), "Mul"),
    "quotient": (lambda x: 1 / (x + 9), "(Div|Reciprocal)"),
    "quotient of signals": (lambda x: x / (x.sum() + 9), "Div"),
    "products of words": (lambda x: x @ x.transpose(1, 2) @ x, "Bmm"),
    "two layers": (lambda x: torch.nn.LSTM(4, 4, 2).double()(x)[0], "Sigmoid"),
    "both ways": (lambda x: torch.nn.LSTM(4, 2, bidirectional=True).double()(x)[0], "Sigmoid"),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNRULED)
def test_what_has_no_rule_is_named(kind: str) -> None:
    change, named = UNRULED[kind]

    class Net(torch.nn.Module):
        def forward(self, x: torch.Tensor, attention: torch.Tensor | None) -> torch.Tensor:
            return change(x).sum(dim=1)

    x = draw(1, 3, 4)
    with pytest.raises(ValueError, match=f"'lrp' has no rule for .*{named}.*linear layers.*tanh"):
        relevance(Net(), x, None, torch.tensor([0]))
    relevance(Net(), x, None, torch.tensor([0]), "deepexplain")


def test_answers_that_hang_on_no_word_are_an_error() -> None:
    class Net(torch.nn.Module):
        def forward(self, x: torch.Tensor, attention: torch.Tensor | None) -> torch.Tensor:
            return torch.softmax(x, dim=2).sum(dim=1)

    with pytest.raises(ValueError, match="no way from the logits to the embeddings"):
        relevance(Net(), draw(1, 3, 4), None, torch.tensor([0]))
