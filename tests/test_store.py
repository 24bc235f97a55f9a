"""Answers on disk: the same as without, asked once, redone when a file was cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from xai_lib.explainers import make_explainer
from xai_lib.explainers.answered import AnsweredExplainer
from xai_lib.masks import neighbourhoods
from xai_lib.models import as_classifier
from xai_lib.models.image import ImageFunctionClassifier
from xai_lib.segmentation import Segmenter
from xai_lib.store import stored_answers, stored_explanations, stored_neighbourhoods

if TYPE_CHECKING:
    from pathlib import Path

    from xai_lib.models.huggingface import HuggingFaceClassifier

TEXTS = ["the old table was quite wonderful near the window today", "a gloomy and slow day", "one"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XAI_CACHE_DIR", str(tmp_path))
    return tmp_path / "neighbourhoods"


def test_equals_the_direct_call_and_asks_once(
    planted_classifier: HuggingFaceClassifier, cache: Path
) -> None:
    instances = [planted_classifier.instance(text, "type") for text in TEXTS]
    direct = neighbourhoods(instances, planted_classifier, 60, seed=3, enumerate_up_to=8)
    stored = stored_neighbourhoods(instances, planted_classifier, 60, seed=3, enumerate_up_to=8)
    calls = planted_classifier.calls
    again = stored_neighbourhoods(instances, planted_classifier, 60, seed=3, enumerate_up_to=8)
    assert planted_classifier.calls == calls
    assert len(list(cache.glob("*.npz"))) == 3
    for one, first, second in zip(direct, stored, again, strict=True):
        np.testing.assert_array_equal(one.masks, first.masks)
        np.testing.assert_array_equal(one.counts, first.counts)
        np.testing.assert_allclose(one.probabilities, first.probabilities, atol=1e-6)
        np.testing.assert_array_equal(first.probabilities, second.probabilities)
        assert (one.draws is None) == (second.draws is None)
    assert stored[0].draws is not None
    assert stored[2].draws is None


def test_what_stored_answers_had_cost_is_counted_once_each(
    planted_classifier: HuggingFaceClassifier, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stored(texts: list[str]) -> int:
        instances = [planted_classifier.instance(text, "type") for text in texts]
        stored_neighbourhoods(instances, planted_classifier, 60, enumerate_up_to=0)
        return sum(planted_classifier.stored_calls.values())

    monkeypatch.setattr(planted_classifier, "stored_calls", {})
    before = planted_classifier.calls
    assert stored(TEXTS[:2]) == 0
    asked = planted_classifier.calls - before
    # What this process asked for is in its own count, however often it is read again.
    assert stored(TEXTS[:2]) == 0
    # Another process finds the two on disk; "one" has two masks and is asked now.
    monkeypatch.setattr(planted_classifier, "stored_calls", {})
    before = planted_classifier.calls
    assert stored(TEXTS) == asked
    assert planted_classifier.calls - before == 2
    assert stored(TEXTS) == asked
    assert len(planted_classifier.stored_calls) == 3


def test_another_setting_is_another_answer(
    planted_classifier: HuggingFaceClassifier, cache: Path
) -> None:
    instances = [planted_classifier.instance(TEXTS[0], "type")]
    stored_neighbourhoods(instances, planted_classifier, 30, seed=0)
    stored_neighbourhoods(instances, planted_classifier, 30, seed=1)
    stored_neighbourhoods(instances, planted_classifier, 31, seed=0)
    assert len(list(cache.glob("*.npz"))) == 3


def test_a_file_that_was_cut_off_is_redone(
    planted_classifier: HuggingFaceClassifier, cache: Path
) -> None:
    instances = [planted_classifier.instance(text) for text in TEXTS[:2]]
    first = stored_neighbourhoods(instances, planted_classifier, 40)
    broken = sorted(cache.glob("*.npz"))[0]
    broken.write_bytes(broken.read_bytes()[:100])
    seen: list[tuple[int, int]] = []
    second = stored_neighbourhoods(
        instances, planted_classifier, 40, progress=lambda done, every: seen.append((done, every))
    )
    for one, other in zip(first, second, strict=True):
        # In float32 the last digit depends on how many inputs share a batch.
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)
    assert seen == [(2, 2)]
    assert not list(cache.glob("*.tmp"))


def answered(method: str, **settings: object) -> AnsweredExplainer:
    explainer = make_explainer(method, **settings)
    assert isinstance(explainer, AnsweredExplainer)
    return explainer


@pytest.mark.parametrize("method", ["mase", "kernel_shap"])
def test_kept_answers_give_the_same_explanation(
    planted_classifier: HuggingFaceClassifier, cache: Path, method: str
) -> None:
    box, explainer = planted_classifier, answered(method, n_samples=41)
    instances = [box.instance(text) for text in TEXTS]
    before = box.calls
    answers = stored_answers(explainer, instances, box, seed=3)
    asked = box.calls - before
    assert asked == sum(map(len, answers))
    broken = sorted(cache.glob("*.npz"))[0]
    again = stored_answers(explainer, instances, box, seed=3)
    assert box.calls - before == asked
    for one, other in zip(answers, again, strict=True):
        np.testing.assert_array_equal(one, other)
    found = explainer.explain_answers(instances, answers, box, 3)
    for one, other in zip(found, explainer.explain(TEXTS, box, 3), strict=True):
        np.testing.assert_allclose(one.weights, other.weights, atol=1e-5)
        assert (one.model_calls, one.settings) == (other.model_calls, other.settings)
    broken.write_bytes(broken.read_bytes()[:80])
    stored_answers(explainer, instances, box, seed=3)
    assert asked < box.calls - before - sum(one.model_calls for one in found) < 2 * asked


def test_methods_share_what_they_ask_alike(
    planted_classifier: HuggingFaceClassifier, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = planted_classifier
    instances = [box.instance(text) for text in TEXTS[:2]]

    def files(method: str, seed: int = 0, **settings: object) -> int:
        stored_answers(answered(method, **settings), instances, box, seed)
        return len(list(cache.glob("*.npz"))) // 2

    assert files("mase", n_samples=21) == 1
    assert files("mase_sparse", n_samples=21, penalty=0.3) == 1
    assert files("mase", n_samples=22, estimator="leg", response="logit", rescale=True) == 1
    assert files("mase", n_samples=21, sigma=0.2) == 2
    assert files("mase", n_samples=21, covariance="smooth") == 3
    assert files("mase", n_samples=11, antithetic=False) == 4
    assert files("mase", n_samples=21, variant="full", estimator="leg") == 5
    assert files("mase", n_samples=21, precision="prediction") == 6
    assert files("mase", n_samples=21, seed=1) == 7
    assert files("kernel_shap", n_samples=21) == 8
    assert files("kernel_shap", n_samples=21, removal="mask") == 9
    # Another process finds the answers of 21 inputs for each of two texts.
    monkeypatch.setattr(box, "stored_calls", {})
    assert files("mase_sparse", n_samples=21) == 9
    assert sum(box.stored_calls.values()) == 2 * 21


class Coloured(ImageFunctionClassifier):
    """Knows the mean red, and can be told apart from other black boxes."""

    fingerprint = "red"

    def __init__(self) -> None:
        super().__init__(self.shares, ["red", "other"], (8, 8), Segmenter("grid", 4))

    @staticmethod
    def shares(images: np.ndarray) -> np.ndarray:
        red = images[..., 0].mean(axis=(1, 2)) / 255
        return np.stack([red, 1 - red], axis=1)


def test_kept_explanations_are_those_of_the_explainer(cache: Path) -> None:
    box = Coloured()
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (8, 8, 3)).astype(np.uint8) for _ in range(3)]
    instances = box.instances(pictures)
    explainer = make_explainer("occlusion", removal="black")
    stored = stored_explanations(explainer, instances, box, seed=1)
    calls = box.calls
    again = stored_explanations(explainer, instances, box, seed=1)
    assert box.calls == calls
    assert len(list(cache.glob("*.npz"))) == 3
    for one, other, picture in zip(stored, again, pictures, strict=True):
        assert one == other == explainer.explain([picture], box, seed=1)[0]
        assert one.seconds == other.seconds > 0


def test_kept_explanations_of_texts(
    planted_classifier: HuggingFaceClassifier, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = planted_classifier
    monkeypatch.setattr(box, "stored_calls", {})
    explainer = make_explainer("lime", n_samples=30)
    texts = [*TEXTS, *(f"{text} tender" for text in TEXTS * 2)]  # 9, more than one chunk
    instances = [box.instance(text) for text in texts]
    seen: list[tuple[int, int]] = []
    before = box.calls
    stored = stored_explanations(
        explainer, instances, box, 2, lambda done, every: seen.append((done, every))
    )
    assert seen == [(8, 9), (9, 9)]
    asked = box.calls - before
    assert len(list(cache.glob("*.npz"))) == 6  # Three texts are there twice.
    direct = explainer.explain(texts, box, 2)
    before = box.calls
    for one, other in zip(stored, direct, strict=True):
        assert (one.text, one.words, one.spans) == (other.text, other.words, other.spans)
        assert (one.predicted, one.seed, one.method) == (other.predicted, 2, "lime")
        assert (one.model_calls, one.settings) == (other.model_calls, other.settings)
        np.testing.assert_allclose(one.weights, other.weights, atol=1e-5)
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)
        assert one.seconds > 0
    assert asked >= sum(one.model_calls for one in stored[:6])
    # Another process reads them; what they had cost is counted once for each text.
    monkeypatch.setattr(box, "stored_calls", {})
    again = stored_explanations(explainer, instances, box, 2)
    assert again == stored
    assert box.calls == before
    assert sum(box.stored_calls.values()) == sum(one.model_calls for one in stored[:6])
    # Other settings, another seed and another method are kept apart.
    for other, seed in (
        (make_explainer("lime", n_samples=31), 2), (explainer, 3), (make_explainer("occlusion"), 2)
    ):  # fmt: skip
        stored_explanations(other, instances[:1], box, seed)
    assert len(list(cache.glob("*.npz"))) == 9


def test_answers_of_a_function_are_not_kept(cache: Path) -> None:
    box = as_classifier(lambda texts: np.full((len(texts), 2), 0.5), ["a", "b"], name="mine")
    with pytest.raises(ValueError, match=r"black box 'mine'.* cannot be stored"):
        stored_neighbourhoods([box.instance("a text")], box, 10)
