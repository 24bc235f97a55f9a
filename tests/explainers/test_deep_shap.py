"""Multipliers once more in a slow form: forwards, number by number, beside both values."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import erf, expit

from tests.explainers.networks import (
    CLASSES,
    FAMILIES,
    WIDTH,
    attention_of,
    draw,
    make_hub,
    make_network,
)
from xai_lib.explainers.deep_shap import DeepShap, contributions
from xai_lib.explainers.deep_shap_network import lstm, multiplied
from xai_lib.explainers.deep_shap_rules import Pairs, logarithmic_mean
from xai_lib.models.huggingface import HuggingFaceClassifier
from xai_lib.models.tiny import tiny_bert

OURS = ("bilstm", "transformer", "decomposable")


def share(network: Any, x: torch.Tensor, r: torch.Tensor, there: Any, *classes: int) -> Any:
    return contributions(network, x, r, there, torch.tensor(classes))


# Slow rules -------------------------------------------------------------------------------------


class Two:
    """A number of the text, the same number of the reference, and its multipliers of the inputs."""

    def __init__(self, x: float, r: float, m: np.ndarray) -> None:
        self.x, self.r, self.m = x, r, m

    def __add__(self, other: Any) -> Two:
        if not isinstance(other, Two):
            return Two(self.x + other, self.r + other, self.m)
        return Two(self.x + other.x, self.r + other.r, self.m + other.m)

    def __mul__(self, other: Any) -> Two:
        if not isinstance(other, Two):
            return Two(self.x * other, self.r * other, self.m * other)
        m = self.m * (other.x + other.r) / 2 + other.m * (self.x + self.r) / 2
        return Two(self.x * other.x, self.r * other.r, m)

    __radd__, __rmul__ = __add__, __mul__

    def __sub__(self, other: Any) -> Two:
        return self + other * -1.0


def each(function: Callable[[float], float], values: Any) -> Any:
    """Apply a function of one number to each, with the slope of the secant."""

    def of(one: Two) -> Two:
        x, r = function(one.x), function(one.r)
        return Two(x, r, one.m * (x - r) / (one.x - one.r))

    return np.vectorize(of, otypes=[object])(values)


def inputs_of(x: np.ndarray, r: np.ndarray) -> np.ndarray:
    """The inputs (T, d), each of which is its own only input."""
    own = np.eye(x.size)
    pairs = [Two(*both) for both in zip(x.ravel(), r.ravel(), own, strict=True)]
    return np.array(pairs, dtype=object).reshape(x.shape)


def softmax(row: np.ndarray) -> np.ndarray:
    total = each(math.log, sum(each(math.exp, row)))[()]
    return each(math.exp, np.array([one - total for one in row]))


def layer(x: np.ndarray, module: Any) -> np.ndarray:
    weight = module.weight.numpy()
    bias = np.zeros(len(weight)) if module.bias is None else module.bias.numpy()
    return x @ weight.T.astype(object) + bias


def norm(x: np.ndarray, module: Any) -> np.ndarray:
    centred = x - sum(x) * (1 / len(x))
    variance = sum(centred * centred) * (1 / len(x)) + module.eps
    scale = each(lambda v: v**-0.5, variance)[()]
    return np.array([one * scale for one in centred]) * module.weight.numpy() + module.bias.numpy()


def block(u: np.ndarray, parts: dict[str, Any], heads: int, activation: Any) -> np.ndarray:
    """A block of a Transformer on (T, d)."""
    q, k, v = (layer(u, parts[name]) for name in ("query", "key", "value"))
    size, mixed = u.shape[1] // heads, np.empty_like(u)
    for h in range(heads):
        own = slice(h * size, (h + 1) * size)
        for t in range(len(u)):
            weights = softmax(k[:, own] @ q[t, own] * (1 / math.sqrt(size)))
            mixed[t, own] = weights @ v[:, own]
    added = u + layer(mixed, parts["joined"])
    middle = np.array([norm(row, parts["norm1"]) for row in added])
    outer = layer(each(activation, layer(middle, parts["inner"])), parts["outer"])
    return np.array([norm(row, parts["norm2"]) for row in middle + outer])


def run_lstm(words: np.ndarray, module: torch.nn.LSTM) -> np.ndarray:
    of_x, of_h = module.weight_ih_l0.numpy(), module.weight_hh_l0.numpy()
    bias = module.bias_ih_l0.numpy() + module.bias_hh_l0.numpy()
    d = of_h.shape[1]
    h: Any = np.zeros(d)
    c: Any = np.zeros(d)
    states = []
    for word in words:
        z = word @ of_x.T.astype(object) + h @ of_h.T.astype(object) + bias
        i, f, o = (each(expit, z[k * d : (k + 1) * d]) for k in (0, 1, 3))
        c = f * c + i * each(math.tanh, z[2 * d : 3 * d])
        h = o * each(math.tanh, c)
        states.append(h)
    return np.array(states)


def assert_same(values: torch.Tensor, logit: Two, x: np.ndarray, r: np.ndarray) -> None:
    expected = logit.m * (x - r).ravel()
    # The slow form is right: its parts add up.
    assert expected.sum() == pytest.approx(logit.x - logit.r, rel=1e-9)
    np.testing.assert_allclose(values.ravel(), expected, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("c", [0, 1])
def test_transformer_number_by_number(c: int) -> None:
    network: Any = make_network("transformer")
    network.heads = 2
    x, r = draw(1, 3, WIDTH), draw(1, 1, 3, WIDTH, seed=1)
    values, gap = share(network, x, r, None, c)
    words = inputs_of(x[0].numpy(), r[0, 0].numpy())
    names = ("query", "key", "value", "joined", "inner", "outer")
    parts = {name: getattr(network, name) for name in names}
    parts |= {"norm1": network.attention_norm, "norm2": network.feed_forward_norm}
    entered = words + network.positions.weight[:3].numpy()
    out = block(entered, parts, 2, lambda z: max(z, 0.0))
    logit = layer(sum(out) * (1 / 3), network.output)[c]
    assert_same(values, logit, x[0].numpy(), r[0, 0].numpy())
    assert abs(gap[0]) < 1e-12


@pytest.mark.parametrize("c", [0, 1])
def test_bert_number_by_number(c: int) -> None:
    network = make_hub("Bert", layers=1)
    x, r = draw(1, 3, 8), draw(1, 1, 3, 8, seed=1)
    values, _ = share(network, x, r, torch.ones(1, 3, dtype=torch.int64), c)
    bert = network.model.bert
    words, table, one = inputs_of(x[0].numpy(), r[0, 0].numpy()), bert.embeddings, bert.encoder
    entered = words + table.position_embeddings.weight[:3].numpy()
    entered = entered + table.token_type_embeddings.weight[0].numpy()
    u = np.array([norm(row, table.LayerNorm) for row in entered])
    one = one.layer[0]
    parts = {name: getattr(one.attention.self, name) for name in ("query", "key", "value")}
    parts |= {"joined": one.attention.output.dense, "norm1": one.attention.output.LayerNorm}
    parts |= {"inner": one.intermediate.dense, "outer": one.output.dense}
    parts |= {"norm2": one.output.LayerNorm}
    out = block(u, parts, 2, lambda z: z * (1 + erf(z / math.sqrt(2))) / 2)
    pooled = each(math.tanh, layer(out[0], bert.pooler.dense))
    logit = layer(pooled, network.model.classifier)[c]
    assert_same(values, logit, x[0].numpy(), r[0, 0].numpy())


@pytest.mark.parametrize("c", [0, 2])
def test_bilstm_number_by_number(c: int) -> None:
    network: Any = make_network("bilstm")
    x, r = draw(1, 3, WIDTH), draw(1, 1, 3, WIDTH, seed=1)
    values, _ = share(network, x, r, None, c)
    words = inputs_of(x[0].numpy(), r[0, 0].numpy())
    states = run_lstm(words, network.forwards) + run_lstm(words[::-1], network.backwards)[::-1]
    weights = softmax(layer(each(math.tanh, states), network.attention)[:, 0])
    logit = layer(each(math.tanh, weights @ states), network.output)[c]
    assert_same(values, logit, x[0].numpy(), r[0, 0].numpy())


def test_a_written_out_function_is_one_function() -> None:
    """What is made of products and powers of one number has the slope of its own secant."""
    from transformers.activations import NewGELUActivation

    x, r = draw(1, 2, 3), draw(1, 1, 2, 3, seed=1)
    gelu = NewGELUActivation()

    class Net(torch.nn.Module):
        def forward(self, z: torch.Tensor, attention: Any) -> torch.Tensor:
            return gelu(z).sum(dim=1)

    values, _ = share(Net(), x, r, None, 1)
    z = np.stack([x[0].numpy(), r[0, 0].numpy()])
    y = 0.5 * z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))
    expected = np.where(np.arange(3) == 1, y[0] - y[1], 0.0)
    np.testing.assert_allclose(values[0], expected, rtol=1e-9)


# Completeness -----------------------------------------------------------------------------------


def made(name: str) -> tuple[Any, int]:
    return (make_hub(name), 8) if name in FAMILIES else (make_network(name), WIDTH)


@pytest.mark.parametrize("kind", [torch.float64, torch.float32])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("name", [*OURS, *FAMILIES])
def test_values_sum_to_the_difference(name: str, attention: str, kind: torch.dtype) -> None:
    network, d = made(name)
    if name in FAMILIES:
        network.model.set_attn_implementation(attention)
    network = network.to(kind)
    x, r = draw(3, 5, d).to(kind), draw(3, 4, 5, d, seed=1).to(kind)
    there = attention_of(name).repeat(3, 1)
    if name != "decomposable":
        there[1, 3:] = 0
    values, gap = share(network, x, r, there, 0, 1, 2)
    own = network(x, there)[range(3), range(3)]
    others = [network(r[:, k], there)[range(3), range(3)] for k in range(4)]
    difference = (own - sum(others) / 4).double()
    close, rounding = (1e-10, 1e-12) if kind == torch.float64 else (1e-4, 3e-6)
    np.testing.assert_allclose(values.sum(dim=(1, 2)), difference, rtol=close, atol=rounding)
    np.testing.assert_allclose(gap, values.sum(dim=(1, 2)) - difference, atol=rounding)
    if name != "decomposable":
        assert (values[1, 3:] == 0).all()


@pytest.mark.parametrize("size", [1.0, 30.0, 1000.0])
def test_softmax_with_scores_far_apart(size: float) -> None:
    """Exponentials would be too large or too small for a number, and some scores are masked."""
    scores = (size * draw(3, 5)).float()
    scores[:, 4] = -torch.inf
    values = scores.clone().requires_grad_()
    p = Pairs(1, 3).softmax(values, 1)
    above = draw(3, 5, seed=1).float()
    (slope,) = torch.autograd.grad(p, values, above)
    assert torch.isfinite(slope).all()
    assert (slope[:, 4] == 0).all()
    change = torch.nan_to_num(scores - scores[0], nan=0.0).double()
    found = (slope.double() * change).sum(dim=1)
    expected = (above.double() * (p - p[0]).double().detach()).sum(dim=1)
    np.testing.assert_allclose(found[1:], expected[1:], atol=2e-6 * max(1.0, size / 30))


def test_softmax_does_not_see_what_all_scores_share() -> None:
    scores, above = draw(2, 4), draw(2, 4, seed=1)

    def slope(moved: torch.Tensor) -> torch.Tensor:
        values = moved.clone().requires_grad_()
        return torch.autograd.grad(Pairs(1, 2).softmax(values, 1), values, above)[0][1]

    # All by the same, and those of the text alone by more than an exponential holds.
    np.testing.assert_allclose(slope(scores + 300.0), slope(scores), rtol=1e-9)
    assert torch.isfinite(slope(scores + torch.tensor([[900.0], [0.0]]))).all()


@pytest.mark.parametrize("kind", [torch.float64, torch.float32])
def test_logarithmic_mean_is_the_integral_of_the_way(kind: torch.dtype) -> None:
    points, weights = np.polynomial.legendre.leggauss(60)
    ratios = np.array([0.0, 1e-9, 1e-4, 2e-3, 0.05, 0.08, 0.5, 3.0, -0.01, -0.06, -7.0])
    a = 0.3
    b = a * np.exp(ratios)
    ways = a * np.exp(np.outer((points + 1) / 2, ratios))
    given = [torch.from_numpy(one).to(kind) for one in (np.full_like(b, a), b, ratios)]
    found = logarithmic_mean(*given)
    np.testing.assert_allclose(
        found, (weights / 2) @ ways, rtol=1e-12 if kind == torch.float64 else 3e-6
    )
    zero = torch.zeros(2, dtype=kind)
    assert logarithmic_mean(zero, zero, torch.tensor([0.0, 5.0], dtype=kind)).tolist() == [0, 0]


# Known cases ------------------------------------------------------------------------------------


class Mlp(torch.nn.Module):
    """Two hidden layers, whose activations are modules that captum finds."""

    def __init__(self, activation: type[torch.nn.Module]) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(4, 6), activation(), torch.nn.Linear(6, 5), activation(),
            torch.nn.Linear(5, CLASSES),
        ).double()  # fmt: skip
        for i, parameter in enumerate(self.parameters()):
            parameter.data = draw(*parameter.shape, seed=i)
        self.requires_grad_(False)

    def forward(self, x: torch.Tensor, attention: Any = None) -> torch.Tensor:
        return self.layers(x)


@pytest.mark.filterwarnings("ignore::UserWarning")  # captum announces its hooks
@pytest.mark.parametrize("activation", [torch.nn.ReLU, torch.nn.Tanh, torch.nn.Sigmoid])
def test_as_captum_in_a_network_of_activations(activation: type[torch.nn.Module]) -> None:
    captum = pytest.importorskip("captum.attr")
    network = Mlp(activation)
    x, r = draw(3, 4), draw(3, 1, 4, seed=1)
    values, _ = share(network, x, r, None, 0, 1, 2)
    expected = captum.DeepLift(network).attribute(x, r[:, 0], target=torch.tensor([0, 1, 2]))
    np.testing.assert_allclose(values, expected.detach(), rtol=1e-9)


def test_mean_over_references() -> None:
    network, x, r = make_network("transformer"), draw(2, 3, WIDTH), draw(2, 3, 3, WIDTH, seed=1)
    values, _ = share(network, x, r, None, 1, 2)
    each_one = [share(network, x, r[:, [k]], None, 1, 2)[0] for k in range(3)]
    np.testing.assert_allclose(values, sum(each_one) / 3, rtol=1e-9)


def test_linear_network_is_gradient_times_difference() -> None:
    class Net(torch.nn.Module):
        def forward(self, x: torch.Tensor, attention: Any) -> torch.Tensor:
            return torch.nn.functional.linear(x.mean(dim=1), weight, bias)

    weight, bias = draw(CLASSES, 4), draw(CLASSES)
    x, r = draw(1, 3, 4), draw(1, 2, 3, 4, seed=1)
    values, _ = share(Net(), x, r, None, 2)
    np.testing.assert_allclose(values[0], weight[2] / 3 * (x[0] - r[0].mean(dim=0)), rtol=1e-12)


@pytest.mark.parametrize("name", [*OURS, "Bert"])
def test_a_reference_equal_to_the_text_gives_nothing(name: str) -> None:
    network, d = made(name)
    x = draw(1, 5, d)
    values, gap = share(network, x, x[:, None], attention_of(name), 1)
    assert (values == 0).all()
    # The two answers are of two batches, whose last digit may differ.
    assert gap.tolist() == pytest.approx([0], abs=1e-14)


@pytest.mark.parametrize("name", ["bilstm", "transformer", "Bert"])
def test_near_the_text_it_is_the_gradient(name: str) -> None:
    """In float32, where differences of functions would be nothing but rounding."""
    network, d = made(name)
    x, step = draw(1, 5, d), 1e-6 * draw(1, 5, d, seed=1)
    inputs = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(network(inputs, attention_of(name))[0, 1], inputs)
    near = (x.float() + step.float())[:, None]
    values, _ = share(copy.deepcopy(network).float(), x.float(), near, attention_of(name), 1)
    made_step = x.float().double() - near[:, 0].double()
    expected = (slope * made_step).numpy()
    np.testing.assert_allclose(values, expected, rtol=2e-3, atol=2e-3 * np.abs(expected).max())


# What must not matter ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
def test_padding_and_batches_change_nothing(name: str) -> None:
    network = make_network(name)
    x, r, alone = draw(1, 5, WIDTH), draw(1, 2, 5, WIDTH, seed=1), attention_of(name)
    expected, _ = share(network, x, r, alone, 1)
    padding = draw(1, 2, WIDTH, seed=2)
    padded = torch.cat([x, padding], dim=1)
    others = torch.cat([r, padding[:, None].expand(1, 2, 2, WIDTH)], dim=2)
    batch = torch.cat([draw(1, 7, WIDTH, seed=3), padded])
    references = torch.cat([draw(1, 2, 7, WIDTH, seed=4), others])
    there = torch.cat([attention_of(name)[:, [0, 1, 1, 2, 3, 3, 4]], attention_of(name, 2)])
    found, _ = share(network, batch, references, there, 0, 1)
    np.testing.assert_allclose(found[1, :5], expected[0], rtol=1e-8)
    assert (found[1, 5:] == 0).all()


@pytest.mark.parametrize("name", [*OURS, *FAMILIES])
def test_answers_stay_and_the_network_is_left_as_it_was(name: str) -> None:
    network, d = made(name)
    x, there = draw(2, 5, d), attention_of(name).repeat(2, 1)
    plain = network(x, there).numpy()
    with multiplied(Pairs(1, 2)):
        found = network(x.clone().requires_grad_(), there)
    np.testing.assert_allclose(found.detach(), plain, rtol=1e-10)
    inputs = x.clone().requires_grad_()
    assert "_Matmul" not in str(network(inputs, there).grad_fn.next_functions)
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
def test_lstm_runs_as_torch_runs_it(batch_first: bool, biases: bool) -> None:
    module = torch.nn.LSTM(3, 5, bias=biases, batch_first=batch_first).double()
    x, start = draw(2, 4, 3), (draw(1, 2, 5), draw(1, 2, 5, seed=1))
    x = x if batch_first else x.transpose(0, 1)
    expected, ends = module(x, start)
    found = lstm(Pairs(1, 2), x, start, list(module.parameters()), batch_first)
    for one, other in zip(found, (expected, *ends), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


# What has no rule -------------------------------------------------------------------------------


class Does(torch.nn.Module):
    """A network that does something to its input."""

    def __init__(self, what: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.what = what

    def forward(self, x: torch.Tensor, attention: Any) -> torch.Tensor:
        return self.what(x)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (lambda x: x.amax(dim=1), "no rule for Amax"),
        (lambda x: torch.log_softmax(x.sum(dim=1), dim=1), "no rule for LogSoftmax"),
        (lambda x: x.clone().mul_(x).sum(dim=1), "no rule for Mul"),
        (lambda x: torch.tanh(x.transpose(0, 1)).sum(dim=0), r"batch in the first.*\(3, 2, 4\)"),
        (lambda x: x.detach().sum(dim=1), "no way from the logits"),
        (
            lambda x: torch.nn.functional.scaled_dot_product_attention(
                x, x, x, is_causal=True
            ).sum(dim=1),
            "no rule for attention that is causal",
        ),
    ],
)  # fmt: skip
def test_what_it_has_no_rule_for_is_named(what: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"'deep_shap'.*{message}"):
        share(Does(what), draw(1, 3, 4), draw(1, 1, 3, 4, seed=1), None, 0)


# The explainer ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def box() -> HuggingFaceClassifier:
    texts = ["good bad fine poor rain sun dark it was not"]
    model, tokenizer = tiny_bert(texts, ["x", "y", "z"], hidden=16, heads=2, max_length=16, seed=3)
    for parameter in model.parameters():
        if parameter.ndim == 2:
            parameter.data *= 20.0
    return HuggingFaceClassifier(model, tokenizer, "tiny", device="cpu", precision="float32")


def logits_of(box: HuggingFaceClassifier, text: str) -> np.ndarray:
    """Logits of a text, in which words may be tokens in brackets."""
    ids = box.tokenizer(text, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return box.model.double()(input_ids=ids).logits[0].numpy()


@pytest.fixture(autouse=True)
def _stays_in_float32(box: HuggingFaceClassifier) -> Any:
    yield
    box.model.float()


TEXT = "good, bad fine. Poor"
PLACED = {
    (): ["[PAD], [PAD] [PAD]. [PAD]"],
    ("sun! rain it dark",): ["sun, rain it. dark"],
    ("was it not sun rain sun", "dark"): ["was, it not. sun", "dark, [PAD] [PAD]. [PAD]"],
    ("",): ["[PAD], [PAD] [PAD]. [PAD]"],
}


@pytest.mark.parametrize("references", PLACED, ids=str)
def test_words_sum_to_the_difference_to_texts(
    box: HuggingFaceClassifier, references: tuple[str, ...]
) -> None:
    (found,) = DeepShap(references=references).explain([TEXT], box)
    others = [logits_of(box, text) for text in PLACED[references]]
    difference = logits_of(box, TEXT) - sum(others) / len(others)
    np.testing.assert_allclose(found.weights.sum(axis=1), difference, rtol=1e-4)
    assert found.diagnostics["completeness_gap"] < 1e-4 * np.abs(difference).max()
    assert found.model_calls == 1 + 3 * (1 + len(others))


def test_the_text_as_its_own_reference(box: HuggingFaceClassifier) -> None:
    (found,) = DeepShap(references=(TEXT,)).explain([TEXT], box)
    assert found.weights.tolist() == [[0.0] * 4] * 3


def test_the_predicted_class_alone(box: HuggingFaceClassifier) -> None:
    (every,) = DeepShap(references=("sun rain",)).explain([TEXT], box)
    (one,) = DeepShap(references=("sun rain",), target="predicted").explain([TEXT], box)
    assert one.explained.tolist() == [c == every.predicted for c in range(3)]
    np.testing.assert_allclose(one.weights[one.predicted], every.weights[one.predicted], rtol=1e-4)
    assert one.model_calls == 1 + 2


def test_references_are_drawn_by_text_and_seed(box: HuggingFaceClassifier) -> None:
    words = ["good", "bad", "fine", "poor", "rain", "sun", "dark"]
    explainer = DeepShap(references=tuple(words), n_references=3)
    texts = ["it was good", "it was not", "it was bad"]
    instances = box.instances(texts)
    embedded: Any = explainer.embed(box, instances, 0, seed=4)
    table = box.vocabulary_embeddings()
    first = {tuple(table[box.tokenizer.convert_tokens_to_ids(word)].tolist()) for word in words}
    drawn = []
    for i in range(3):
        own = [tuple(row.tolist()) for row in embedded.references[i, :, 1]]
        assert len(set(own)) == 3
        assert set(own) <= first
        drawn.append(own)
        alone: Any = explainer.embed(box, instances[i : i + 1], 0, seed=4)
        assert torch.equal(alone.references[0], embedded.references[i])
    assert len({str(own) for own in drawn}) > 1
    other: Any = explainer.embed(box, instances, 0, seed=5)
    assert not torch.equal(other.references, embedded.references)
    # Where there are no more than wanted, all are taken.
    every: Any = DeepShap(references=tuple(words), n_references=9).embed(box, instances, 0, 0)
    assert {tuple(row.tolist()) for row in every.references[0, :, 1]} == first


def test_settings_have_a_digest_of_the_texts() -> None:
    import hashlib

    digest = hashlib.sha256(b'["a", "b"]').hexdigest()[:16]
    assert DeepShap(references=["a", "b"]).settings() == {
        "aggregation": "sum",
        "target": "all",
        "group": "position",
        "references": f"2 texts, sha256 {digest}",
        "n_references": 10,
    }
    assert DeepShap().settings()["references"] == "padding"
    assert hash(DeepShap(references=["a"])) == hash(DeepShap(references=("a",)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"references": "one text"}, "several texts, got 'one text'"),
        ({"references": ("a", 3)}, "several texts"),
        ({"n_references": 0}, "at least 1 text, got 0"),
    ],
)
def test_settings_that_are_wrong(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DeepShap(**settings)
