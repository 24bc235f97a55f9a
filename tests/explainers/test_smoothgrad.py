from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from xai_lib.explainers import make_explainer
from xai_lib.models.huggingface import HuggingFaceClassifier
from xai_lib.models.tiny import tiny_bert

TEXTS = ["good bad rain", "it was a dark, dark surprise", "don't"]


@pytest.fixture(scope="module")
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


def linear(box: HuggingFaceClassifier, slope: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replace the network: the logits are sums over tokens, each with a slope of its own."""

    def logits(embeddings: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        place = torch.arange(1, embeddings.shape[1] + 1)[None, :, None]
        return (embeddings * attention[..., None] * place).sum(dim=1) @ slope.T

    monkeypatch.setattr(box, "logits_from_embeddings", logits)
    return box


def test_a_linear_black_box_gives_the_gradient_exactly(
    tiny: HuggingFaceClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    slope = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 16))).float()
    box = linear(tiny, slope, monkeypatch)
    more = {"n_draws": 7, "stdev_share": 0.5}
    for plain, other in (
        ("input_x_gradient", {}),
        ("saliency", {"aggregation": "sum", "times_input": False}),
        ("saliency", {"aggregation": "l1", "times_input": False}),
    ):
        same = {key: value for key, value in other.items() if key == "aggregation"}
        expected = make_explainer(plain, **same).explain(TEXTS, box)
        found = make_explainer("smoothgrad", **more, **other).explain(TEXTS, box)
        for one, true in zip(found, expected, strict=True):
            np.testing.assert_allclose(one.weights, true.weights, rtol=1e-5, atol=1e-5)
            assert np.abs(true.weights).max() > 0.1
            # The prediction, and for each of 3 classes the draws.
            assert one.model_calls == 1 + 3 * 7


def test_without_noise_it_is_input_x_gradient(tiny: HuggingFaceClassifier) -> None:
    found = make_explainer("smoothgrad", n_draws=3, stdev_share=0.0).explain(TEXTS, tiny)
    for one, other in zip(
        found, make_explainer("input_x_gradient").explain(TEXTS, tiny), strict=True
    ):
        np.testing.assert_allclose(one.weights, other.weights, rtol=1e-4, atol=1e-5)


def test_the_noise_is_what_it_is_called(
    tiny: HuggingFaceClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Record what the network sees for "dark, dark": two words around a comma."""
    seen: list[torch.Tensor] = []
    box = linear(tiny, torch.ones(3, 16), monkeypatch)
    run = box.logits_from_embeddings

    def record(embeddings: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        seen.append(embeddings.detach().clone())
        return run(embeddings, attention)

    monkeypatch.setattr(box, "logits_from_embeddings", record)
    more = {"n_draws": 400, "stdev_share": 0.2, "target": "predicted"}
    make_explainer("smoothgrad", **more).explain(["dark, rain"], box)
    own = box.embed([box.instance("dark, rain")])
    words = own.word[0] >= 0
    assert words.tolist() == [False, True, False, True, False]
    moved = torch.cat(seen) - own.embeddings
    assert moved.shape == (400, 5, 16)
    assert not moved[:, ~words].any()
    inside = own.embeddings[0, words]
    spread = 0.2 * float(inside.max() - inside.min())
    assert float(moved[:, words].std()) == pytest.approx(spread, rel=0.03)
    assert abs(float(moved[:, words].mean())) < 0.03 * spread
    assert (moved[:, words].std(dim=0) > 0.7 * spread).all(), "independent in every coordinate"


def test_the_noise_depends_on_seed_and_text_only(tiny: HuggingFaceClassifier) -> None:
    smooth = make_explainer("smoothgrad", n_draws=4)
    first = smooth.explain(TEXTS, tiny, seed=3)
    assert smooth.explain(TEXTS, tiny, seed=3) == first
    (alone,) = smooth.explain(TEXTS[1:2], tiny, seed=3)
    np.testing.assert_array_equal(alone.weights, first[1].weights)
    (types,) = make_explainer("smoothgrad", n_draws=4, group="type").explain(TEXTS[1:2], tiny, 3)
    dark = [i for i, word in enumerate(first[1].words) if word == "dark"]
    summed = first[1].weights[:, dark].sum(axis=1)
    np.testing.assert_allclose(types.weights[:, types.words.index("dark")], summed, rtol=1e-6)
    (other,) = smooth.explain(TEXTS[:1], tiny, seed=4)
    assert np.abs(other.weights - first[0].weights).max() > 1e-3


def test_draws_in_several_batches(
    tiny: HuggingFaceClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    smooth = make_explainer("smoothgrad", n_draws=7)
    whole = smooth.explain(TEXTS[:1], tiny)[0].weights
    # Five tokens and three classes: two draws at a time.
    monkeypatch.setattr("xai_lib.explainers.smoothgrad.token_budget", lambda _: 30)
    np.testing.assert_allclose(smooth.explain(TEXTS[:1], tiny)[0].weights, whole, rtol=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_draws": 0}, "n_draws must be at least 1 noisy copy, got 0"),
        ({"stdev_share": -0.1}, "stdev_share must be a number of 0 or more, got -0.1"),
        ({"stdev_share": float("nan")}, "stdev_share must be a number of 0 or more, got nan"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_explainer("smoothgrad", **settings)
