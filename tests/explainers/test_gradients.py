from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from xai_lib.explainers import make_explainer
from xai_lib.explainers.gradient_base import aggregate
from xai_lib.models import Classifier
from xai_lib.models.huggingface import HuggingFaceClassifier
from xai_lib.models.tiny import tiny_bert
from xai_lib.models.whitebox import Embedded, WhiteBox
from xai_lib.text import TextInstance, find_words

pytest.importorskip("captum")

METHODS = (
    "saliency", "guided_backprop", "input_x_gradient", "integrated_gradients", "deeplift",
    "smoothgrad",
)  # fmt: skip
TABLE = torch.tensor([[0.5], [1.0], [2.0], [1.0]])  # padding, start, p, q


class Relus(Classifier):
    """Two hidden units on the sum s of one-dimensional embeddings, small enough to do by hand.

    Logits are relu(s - 1) and 5 relu(s - 3) - relu(s - 1).
    """

    def __init__(self, device: str = "cpu") -> None:
        super().__init__("relus", ["x", "y"])
        self.device = device
        self.widths: list[tuple[int, ...]] = []
        first, second = torch.nn.Linear(1, 2), torch.nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            first.weight.copy_(torch.tensor([[1.0], [1.0]]))
            first.bias.copy_(torch.tensor([-1.0, -3.0]))
            second.weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 5.0]]))
        self.network = torch.nn.Sequential(first, torch.nn.ReLU(), second).requires_grad_(False)
        self.network.eval()

    def _ids(self, text: str) -> list[int]:
        return [1] + [{"p": 2, "q": 3}[text[a:b]] for a, b in find_words(text)]

    def _probabilities_of_texts(self, texts: list[str]) -> np.ndarray:
        self.calls += len(texts)
        summed = torch.stack([TABLE[self._ids(text)].sum(dim=0) for text in texts])
        return torch.softmax(self.network(summed).double(), dim=1).numpy()

    def _probabilities_of_masks(
        self, instances: list[TextInstance], masks: list[np.ndarray], removal: str
    ) -> list[np.ndarray]:
        return [
            self._probabilities_of_texts([one.render(row, removal) for row in rows])
            for one, rows in zip(instances, masks, strict=True)
        ]

    def embed(self, instances: Sequence[TextInstance], width: int = 0) -> Embedded:
        ids = [self._ids(one.text) for one in instances]
        width = max([width, *map(len, ids)])
        padded = torch.tensor([row + [0] * (width - len(row)) for row in ids])
        attention = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
        word = np.array([[-1, *range(len(r) - 1), *[-1] * (width - len(r))] for r in ids])
        return Embedded(TABLE[padded], attention, word)

    def padding_embedding(self) -> torch.Tensor:
        return TABLE[0]

    def logits_from_embeddings(
        self, embeddings: torch.Tensor, attention: torch.Tensor
    ) -> torch.Tensor:
        self.widths.append(tuple(embeddings.shape[:2]))
        return self.network((embeddings * attention[..., None]).sum(dim=1))


@pytest.fixture
def tiny() -> HuggingFaceClassifier:
    words = "good bad fine poor it was a surprise don t dark rain"
    model, tokenizer = tiny_bert(
        [words], ["joy", "anger", "fear"], hidden=16, layers=2, heads=2, max_length=32
    )
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter *= 30.0
    return HuggingFaceClassifier(model, tokenizer, "tiny", device="cpu", precision="float32")


# For "p q": s = 1 + 2 + 1 = 4, both units are on.
BY_HAND = {
    "saliency": [[1, 1], [4, 4]],  # 5 - 1
    "guided_backprop": [[1, 1], [5, 5]],  # the -1 is stopped at its unit
    "input_x_gradient": [[2, 1], [8, 4]],
    # Noise of 0.15 on each of two words does not move s = 4 below 3: the slope is the same.
    "smoothgrad": [[2, 1], [8, 4]],
    # From s = 0 the units go 0 to 3 and 0 to 1: slopes 3/4 and 1/4, so 3/4 and 5/4 - 3/4.
    "deeplift": [[1.5, 0.75], [1, 0.5]],
    # From s = 1 + 0.5 + 0.5 = 2 the second unit is on half of the way: slopes 1 and 5/2 - 1.
    "integrated_gradients": [[1.5, 0.5], [2.25, 0.75]],
}


@pytest.mark.parametrize("method", METHODS)
def test_by_hand(method: str) -> None:
    (found,) = make_explainer(method).explain(["p q"], Relus())
    np.testing.assert_allclose(found.weights, BY_HAND[method], atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_word_types_are_summed(method: str) -> None:
    (places,) = make_explainer(method).explain(["p q p"], Relus())
    (types,) = make_explainer(method, group="type").explain(["p q p"], Relus())
    summed = np.stack([places.weights[:, 0] + places.weights[:, 2], places.weights[:, 1]], axis=1)
    np.testing.assert_allclose(types.weights, summed, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_fixed_shapes_give_the_same(method: str) -> None:
    texts = ["p q", "q", "p p p q q", "q p"]
    box = Relus(device="cuda")  # by name only: takes the way of padded batches of one size
    found = make_explainer(method).explain(texts, box)
    for one, other in zip(found, make_explainer(method).explain(texts, Relus()), strict=True):
        np.testing.assert_allclose(one.weights, other.weights, atol=1e-6)
        assert one.model_calls == other.model_calls
    assert {width for _, width in box.widths} == {32}
    alone = Relus(device="cuda")
    make_explainer(method).explain(["q"], alone)
    assert set(alone.widths) == set(box.widths)
    assert sum(one.model_calls for one in found) == box.calls


def test_aggregation_by_hand() -> None:
    values = np.array([[[3.0, -4.0], [0.0, 1.0]]])
    np.testing.assert_allclose(aggregate(values, "sum"), [[-1, 1]])
    np.testing.assert_allclose(aggregate(values, "l1"), [[7, 1]])
    np.testing.assert_allclose(aggregate(values, "l2"), [[5, 1]])


@pytest.mark.parametrize("aggregation", ["sum", "l1", "l2"])
def test_pieces_of_a_word_are_summed(tiny: HuggingFaceClassifier, aggregation: str) -> None:
    text = "good, don't"
    tokens = tiny.tokenizer.convert_ids_to_tokens(tiny.tokenizer(text)["input_ids"])
    assert tokens == ["[CLS]", "good", ",", "don", "'", "t", "[SEP]"] or tokens[4] == "[UNK]"
    ids = torch.tensor(tiny.tokenizer(text)["input_ids"])[None]
    expected = np.empty((3, 2))
    for c in range(3):
        inputs = tiny.model.get_input_embeddings()(ids).requires_grad_()
        logit = tiny.model(inputs_embeds=inputs).logits[0, c]
        (slope,) = torch.autograd.grad(logit, inputs)
        values = (slope * inputs)[0].detach().double()
        per_token = {"sum": values.sum(1), "l1": values.abs().sum(1), "l2": values.norm(dim=1)}
        expected[c] = [per_token[aggregation][1], per_token[aggregation][3:6].sum()]
    (found,) = make_explainer("input_x_gradient", aggregation=aggregation).explain([text], tiny)
    assert found.words == ("good", "don't")
    np.testing.assert_allclose(found.weights, expected, rtol=1e-3, atol=1e-5)


def test_integrated_gradients_are_complete(tiny: HuggingFaceClassifier) -> None:
    text = "it was a dark, dark surprise"
    ids = torch.tensor(tiny.tokenizer(text)["input_ids"])[None]
    baseline = ids.clone()
    baseline[0, [1, 2, 3, 4, 6, 7]] = tiny.tokenizer.pad_token_id  # all words; 5 is the comma
    with torch.no_grad():
        ones = torch.ones_like(ids)
        gained = [tiny.model(one, attention_mask=ones).logits[0].numpy() for one in (ids, baseline)]
    rough, found = (
        make_explainer("integrated_gradients", n_steps=n).explain([text], tiny)[0] for n in (4, 60)
    )
    missing = np.abs(rough.weights.sum(axis=1) - (gained[0] - gained[1])).max()
    np.testing.assert_allclose(rough.diagnostics["completeness_gap"], missing, rtol=1e-3)
    assert missing > 0.01
    np.testing.assert_allclose(found.weights.sum(axis=1), gained[0] - gained[1], atol=1e-5)
    assert found.diagnostics["completeness_gap"] < 1e-5


@pytest.mark.parametrize("aggregation", ["sum", "l1", "l2"])
def test_guided_backprop_is_saliency_on_bert(tiny: HuggingFaceClassifier, aggregation: str) -> None:
    texts = ["good bad rain", "it was a surprise"]
    guided, plain = (
        make_explainer(method, aggregation=aggregation).explain(texts, tiny)
        for method in ("guided_backprop", "saliency")
    )
    for one, other in zip(guided, plain, strict=True):
        np.testing.assert_array_equal(one.weights, other.weights)


def test_deeplift_is_input_x_gradient_on_bert_but_for_the_tanh(
    tiny: HuggingFaceClassifier,
) -> None:
    texts = ["good bad rain", "it was a surprise"]

    def both(box: HuggingFaceClassifier) -> list[np.ndarray]:
        return [
            np.concatenate([one.weights for one in make_explainer(m).explain(texts, box)], axis=1)
            for m in ("deeplift", "input_x_gradient")
        ]

    one, other = both(tiny)
    assert np.abs(one - other).max() > 1e-2
    model = copy.deepcopy(tiny.model)
    model.bert.pooler.activation = torch.nn.Identity()
    one, other = both(HuggingFaceClassifier(model, tiny.tokenizer, "no tanh", None, "cpu"))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_embeddings_give_the_logits_of_the_ids(tiny: HuggingFaceClassifier) -> None:
    assert isinstance(tiny, WhiteBox)
    texts = ["good", "it was a dark, dark surprise", "bad rain"]
    together = tiny.embed([tiny.instance(text) for text in texts], width=20)
    assert together.embeddings.shape == (3, 20, 16)
    assert together.word[0].tolist() == [-2, 0, -2] + [-1] * 17
    assert together.attention.sum(dim=1).tolist() == [3, 9, 4]
    logits = tiny.logits_from_embeddings(together.embeddings, together.attention)
    for text, row in zip(texts, logits, strict=True):
        ids = torch.tensor(tiny.tokenizer(text)["input_ids"])[None]
        np.testing.assert_allclose(row, tiny.model(ids).logits[0], rtol=1e-4, atol=1e-4)
    capped = tiny.embed([tiny.instance("good")], width=99)
    assert capped.embeddings.shape[1] == tiny.max_length == 32


def test_padding_does_not_change_gradients(tiny: HuggingFaceClassifier) -> None:
    instances = [tiny.instance(text) for text in ("good bad", "it was a dark surprise")]

    def slopes(embedded: Embedded) -> torch.Tensor:
        inputs = embedded.embeddings.clone().requires_grad_()
        logits = tiny.logits_from_embeddings(inputs, embedded.attention)
        return torch.autograd.grad(logits[:, 0].sum(), inputs)[0]

    padded, alone = slopes(tiny.embed(instances)), slopes(tiny.embed(instances[:1]))
    np.testing.assert_allclose(padded[0, :4], alone[0], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(padded[0, 4:], 0, atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_predicted_class_only(method: str, tiny: HuggingFaceClassifier) -> None:
    texts = ["good bad", "it was a dark surprise"]
    every = make_explainer(method).explain(texts, tiny)
    chosen = make_explainer(method, target="predicted").explain(texts, tiny)
    for one, full in zip(chosen, every, strict=True):
        own, whole = one.weights[one.predicted], full.weights[one.predicted]
        np.testing.assert_allclose(own, whole, rtol=1e-5, atol=1e-5 * np.abs(whole).max())
        assert one.explained.tolist() == [c == one.predicted for c in range(3)]
        assert full.model_calls - 1 == 3 * (one.model_calls - 1)


def test_bfloat16_predictions_leave_gradients_in_float32(tiny: HuggingFaceClassifier) -> None:
    rounded = HuggingFaceClassifier(tiny.model, tiny.tokenizer, "rounded", None, "cpu", "bfloat16")
    (one,) = make_explainer("saliency").explain(["good bad"], rounded)
    (other,) = make_explainer("saliency").explain(["good bad"], tiny)
    np.testing.assert_array_equal(one.weights, other.weights)
    assert not np.array_equal(one.probabilities, other.probabilities)


def _hooks(module: torch.nn.Module) -> int:
    return sum(
        len(hooks)
        for part in module.modules()
        for hooks in (part._forward_hooks, part._forward_pre_hooks, part._backward_hooks)
    )


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_left_behind(
    method: str, tiny: HuggingFaceClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    for box in (tiny, Relus()):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            make_explainer(method).explain(["p q"], box)
        assert _hooks(box.network) == 0
        assert not box.network.training
        assert all(parameter.grad is None for parameter in box.network.parameters())
    broken = Relus()

    def fail(*_: Any) -> torch.Tensor:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(broken, "logits_from_embeddings", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        make_explainer(method).explain(["p q"], broken)
    assert _hooks(broken.network) == 0


def test_gradients_that_are_not_finite_are_an_error() -> None:
    box = Relus()
    with torch.no_grad():
        box.network[2].weight.fill_(3e38)
    box._probabilities_of_texts = lambda texts: np.full((len(texts), 2), 0.5)  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="'relus' are not finite for the text 'p q'"):
        make_explainer("deeplift").explain(["p q"], box)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"aggregation": "mean"}, "'mean'.*sum, l1, l2"),
        ({"target": "gold"}, "'gold'.*all, predicted"),
        ({"n_steps": 1}, "n_steps must be at least 2 points, got 1"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_explainer("integrated_gradients", **settings)


def test_missing_captum_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "captum", None)
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(ImportError, match=r"pip install 'xai_lib\[gradients\]'"):
        make_explainer("saliency").explain(["p q"], Relus())
