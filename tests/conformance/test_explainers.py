"""One suite for every explainer: what each must do whatever its idea is."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xai_lib import as_classifier, explain, methods
from xai_lib.explainers import explainer_class, make_explainer
from xai_lib.explainers.amortised import AmortisedExplainer
from xai_lib.explainers.base import Explainer
from xai_lib.explainers.lime import Lime
from xai_lib.explanation import Explanation
from xai_lib.models import Classifier
from xai_lib.models.huggingface import HuggingFaceClassifier
from xai_lib.models.token_whitebox import TokenWhiteBox

pytest.importorskip("captum")


SETTINGS: dict[str, dict[str, Any]] = {
    "lime": {"n_samples": 40},
    "lipex": {"n_samples": 40},
    "kernel_shap": {"n_samples": 40},
    "shapley_sampling": {"n_samples": 40},
    "partition_shap": {"n_samples": 40},
    "integrated_gradients": {"n_steps": 6},
    "smoothgrad": {"n_draws": 5},
    "pflex": {"epochs": 2, "learning_rate": 1e-2},
    "l2e": {"blocks": 1, "heads": 2, "width": 16, "epochs": 2},
    "mase": {"n_samples": 41},
    "mase_sparse": {"n_samples": 41, "covariance": "smooth"},
}
# Those for pictures alone have tests of their own.
TEXT_METHODS = methods("text")
# Fitted on a few explanations by LIME, see `ready`. What comes out is what was taught, so nothing
# is known about it from the black box alone: a linear model, a constant one, words in another
# order. They explain the predicted class and leave the others out.
AMORTISED = [name for name in TEXT_METHODS if issubclass(explainer_class(name), AmortisedExplainer)]
# They read what was learnt together with the network, so nothing is known about them from its
# answers alone either. They explain all classes.
LEARNT = ["ldav"]
WHITE = [
    name
    for name in TEXT_METHODS
    if explainer_class(name).white_box and name not in [*AMORTISED, *LEARNT]
]
BLACK = [name for name in TEXT_METHODS if name not in [*WHITE, *AMORTISED, *LEARNT]]
# White-box methods that are not told the gradient but sample around it.
SAMPLED = ["mase", "mase_sparse"]
GRADIENTS = [name for name in WHITE if name not in SAMPLED]
PAIRS = [
    *[(name, box) for name in BLACK for box in ("softmax", "tiny", "bilstm")],
    *[(name, box) for name in WHITE for box in ("embedding", "tiny", "bilstm", "transformer")],
    *[(name, box) for name in AMORTISED for box in ("tiny", "bilstm")],
    *[(name, box) for name in LEARNT for box in ("bilstm", "transformer")],
]
EACH = pytest.mark.parametrize(("method", "name"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
BUDGETED = [name for name in TEXT_METHODS if hasattr(explainer_class(name), "n_samples")]

TEXTS = (
    "good bad fine poor",
    "It was not a good surprise, what a dark dark rain!",
    "bad",
    "sun rain sun dark",
    "",
)
DEGENERATE = {
    "empty": "",
    "blanks": " \t\n ",
    "emoji": "\U0001f600 \U0001f469\u200d\U0001f52c",
    "punctuation": "?! ... --",
    "one word": "good",
    "same words": "good good good good",
    "unknown": "xyzzy qwfp zxcv",
    "too long": "good bad rain " * 30,
    "long end": "good" + " !" * 60,
    "zero width": "go\u200bod b\u200dad \u200b",
    "right to left": "\u0637\u0642\u0633 \u062c\u0645\u064a\u0644 \u05d8\u05d5\u05d1",
    "no spaces": "\u4eca\u5929\u5929\u6c14\u5f88\u597d",
    "markup": "<b>good</b> & <script>alert('bad')</script>",
    "control": "good\x00bad\x07\r\nfine",
    "combining": "go\u0301od fine\u0308",
}


LESSONS = ("good bad fine poor", "it was not a dark surprise", "sun rain, sun", "what a bad rain")
FITTED: dict[tuple[str, ...], Explainer] = {}


def ready(method: str, box: Classifier, **more: Any) -> Explainer:
    """Make an explainer; one that has to be fitted is fitted once for each black box."""
    explainer = make_explainer(method, **{**SETTINGS.get(method, {}), **more})
    if not isinstance(explainer, AmortisedExplainer):
        return explainer
    assert isinstance(box, TokenWhiteBox)
    key = (method, box.identity, *(f"{k}={v}" for k, v in explainer.settings().items()))
    if key not in FITTED:
        # On a copy, so that what fitting asks is not counted where explaining is.
        own = copy.deepcopy(box)
        FITTED[key] = explainer.fit(Lime(n_samples=20).explain(LESSONS, own), own)
    return FITTED[key]


def run(method: str, texts: Sequence[str], box: Classifier, **more: Any) -> list[Explanation]:
    seed = more.pop("seed", 0)
    return ready(method, box, **more).explain(texts, box, seed)


def explained_rows(method: str, found: Explanation) -> np.ndarray:
    """Weights of the classes that a method explains: all, or the predicted one."""
    every = np.ones(len(found.classes), dtype=bool)
    wanted = np.arange(len(every)) == found.predicted if method in AMORTISED else every
    if found.n_features:
        assert found.explained.tolist() == wanted.tolist()
    return found.weights[wanted]


def test_every_method_is_covered() -> None:
    assert AMORTISED == ["pflex", "l2e"]
    assert set(WHITE) == {
        "saliency", "guided_backprop", "input_x_gradient", "integrated_gradients", "deeplift",
        "deep_shap", "smoothgrad", "lrp", "mase", "mase_sparse",
    }  # fmt: skip
    assert set(WHITE) | set(BLACK) | set(AMORTISED) | set(LEARNT) == set(TEXT_METHODS)


# Determinism ----------------------------------------------------------------------------------


@EACH
def test_same_call_same_bits(method: str, name: str, boxes: dict[str, Classifier]) -> None:
    np.random.seed(1)  # noqa: NPY002  (a global generator must not matter)
    first = run(method, TEXTS, boxes[name])
    np.random.seed(2)  # noqa: NPY002
    assert run(method, TEXTS, boxes[name]) == first


@EACH
def test_alone_in_a_batch_and_in_another_order(
    method: str, name: str, boxes: dict[str, Classifier]
) -> None:
    together = run(method, TEXTS, boxes[name], seed=5)
    backwards = run(method, TEXTS[::-1], boxes[name], seed=5)[::-1]
    for text, one, other in zip(TEXTS, together, backwards, strict=True):
        (alone,) = run(method, [text], boxes[name], seed=5)
        for same in (other, alone):
            assert (same.words, same.model_calls) == (one.words, one.model_calls)
            np.testing.assert_allclose(same.weights, one.weights, atol=1e-6, rtol=0)
            np.testing.assert_allclose(same.probabilities, one.probabilities, atol=1e-6, rtol=0)


def test_another_process_gives_the_same(boxes: dict[str, Classifier]) -> None:
    asked = {
        "kernel_shap": {"n_samples": 20},
        "shapley_sampling": {"n_samples": 20},
        "integrated_gradients": {"n_steps": 4},
        "smoothgrad": {"n_draws": 3},
        "mase": {"n_samples": 20},
    }
    script = f"""
        import json, runpy
        from xai_lib.explainers import make_explainer
        box = runpy.run_path({str(Path(__file__).with_name("conftest.py"))!r})["make_box"]("tiny")
        for method, settings in {asked!r}.items():
            found = make_explainer(method, **settings).explain([{TEXTS[1]!r}], box, 3)[0]
            print(json.dumps(found.weights.tolist()))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("[[")]
    for (method, settings), line in zip(asked.items(), lines, strict=True):
        (here,) = make_explainer(method, **settings).explain([TEXTS[1]], boxes["tiny"], 3)
        np.testing.assert_allclose(here.weights, json.loads(line), atol=1e-6, rtol=0)


@pytest.mark.parametrize("method", ["lime", "kernel_shap", "shapley_sampling", "random", *SAMPLED])
def test_the_seed_matters_where_there_is_chance(method: str, boxes: dict[str, Classifier]) -> None:
    box = boxes["embedding" if method in WHITE else "softmax"]
    first, second = (run(method, [TEXTS[1]], box, seed=seed) for seed in (0, 1))
    assert not np.allclose(first[0].weights, second[0].weights)


# What is known about the answer ---------------------------------------------------------------


@pytest.mark.parametrize(
    "method", ["kernel_shap", "shapley_sampling", "partition_shap", "occlusion", "lime"]
)
def test_linear_model_is_recovered(
    method: str, boxes: dict[str, Classifier], coefficients: Callable[[Sequence[str]], np.ndarray]
) -> None:
    text = "good bad, fine poor rain"
    budget = {} if method == "occlusion" else {"n_samples": 10**6 if method == "lime" else 500}
    (found,) = run(method, [text], boxes["linear"], **budget)
    # LIME's ridge penalty of 1 against about 1e6 weighted rows leaves 5 digits.
    atol = 1e-6 if method == "lime" else 1e-12
    np.testing.assert_allclose(found.weights, coefficients(found.words), atol=atol, rtol=0)


def test_linear_model_is_recovered_from_sampled_coalitions(
    boxes: dict[str, Classifier], coefficients: Callable[[Sequence[str]], np.ndarray]
) -> None:
    text = "good bad fine poor rain sun dark " * 3  # 21 words, 2 million coalitions
    (found,) = run("kernel_shap", [text], boxes["linear"], n_samples=150)
    assert found.diagnostics == {"exact": 0.0}
    np.testing.assert_allclose(found.weights, coefficients(found.words), atol=1e-12, rtol=0)


@pytest.mark.parametrize("method", ["lime", "lipex"])
def test_sampled_surrogates_rank_the_words_of_a_linear_model(
    method: str, boxes: dict[str, Classifier]
) -> None:
    (found,) = run(method, ["good bad fine poor rain"], boxes["linear"], n_samples=5000)
    # joy: 9 good, -8 bad, 4 fine, -2 poor, -1 rain
    centred = found.weights - found.weights.mean(axis=0)
    assert np.argsort(-centred[0]).tolist() == [0, 2, 4, 3, 1]


@pytest.mark.parametrize("method", GRADIENTS)
def test_gradients_of_an_embedding_linear_model(method: str, boxes: dict[str, Classifier]) -> None:
    box: Any = boxes["embedding"]
    (found,) = run(method, ["good dark good"], box)
    own = box.table[[box.index[word] for word in ("good", "dark", "good")]].double().numpy()
    slope = box.network.weight.double().numpy()
    size = np.abs(slope).sum(axis=1, keepdims=True).repeat(3, axis=1)
    # LRP: epsilon takes its part of each logit; the start token is an unknown word.
    start = box.table[1].double().numpy()
    logits = slope @ (own.sum(axis=0) + start) + box.network.bias.double().numpy()
    absorbed = (np.abs(logits) / (np.abs(logits) + 1e-4))[:, None]
    expected = {
        "saliency": size,
        "guided_backprop": size,
        "input_x_gradient": slope @ own.T,
        "smoothgrad": slope @ own.T,
        "lrp": slope @ own.T * absorbed,
        "deeplift": slope @ own.T,
        "integrated_gradients": slope @ (own - box.table[0].double().numpy()).T,
        "deep_shap": slope @ (own - box.table[0].double().numpy()).T,
    }[method]
    np.testing.assert_allclose(found.weights, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("method", "name"), [pair for pair in PAIRS if pair[1] != "embedding"])
def test_classes_in_another_order(
    method: str,
    name: str,
    boxes: dict[str, Classifier],
    permuted: Callable[[Classifier, Sequence[int]], Classifier],
) -> None:
    if method == "random":
        pytest.skip("random weights do not know the classes")
    order = [2, 0, 1]
    text = "good bad fine rain"
    (one,) = run(method, [text], boxes[name])
    (other,) = run(method, [text], permuted(boxes[name], order))
    # LIPEx stops its search a little elsewhere.
    atol = 1e-4 if method == "lipex" else 1e-5
    np.testing.assert_allclose(other.weights, one.weights[order], atol=atol, rtol=0)
    assert other.classes == tuple(one.classes[c] for c in order)


@pytest.mark.parametrize(
    "method", ["lime", "lipex", "kernel_shap", "shapley_sampling", "occlusion", *GRADIENTS]
)
def test_words_in_another_order(method: str, boxes: dict[str, Classifier]) -> None:
    box = boxes["embedding" if method in WHITE else "softmax"]
    order = [3, 1, 0, 2]
    words = ["good", "bad", "fine", "dark"]
    (one,) = run(method, [" ".join(words)], box)  # 16 masks: all are asked for
    (other,) = run(method, [" ".join(words[i] for i in order)], box)
    atol = 1e-4 if method == "lipex" else 1e-5
    np.testing.assert_allclose(other.weights, one.weights[:, order], atol=atol, rtol=0)


@pytest.mark.parametrize("method", [name for name in (*BLACK, *WHITE) if name != "random"])
def test_constant_model_gives_no_word_a_weight(method: str, boxes: dict[str, Classifier]) -> None:
    import torch

    if method in WHITE:
        tiny: Any = boxes["tiny"]
        model = copy.deepcopy(tiny.model)
        with torch.no_grad():
            model.classifier.weight.zero_()
        box: Classifier = HuggingFaceClassifier(
            model, tiny.tokenizer, "constant", None, "cpu", "float32"
        )
    else:
        box = as_classifier(lambda texts: np.full((len(texts), 2), 0.5), ["a", "b"])
    (found,) = run(method, ["good bad fine"], box)
    np.testing.assert_allclose(found.weights, 0.0, atol=1e-9)


@pytest.mark.parametrize("method", BLACK)
def test_one_class(method: str) -> None:
    box = as_classifier(lambda texts: np.ones((len(texts), 1)), ["only"])
    (found,) = run(method, ["good bad fine"], box)
    assert found.weights.shape == (1, 3)
    assert np.isfinite(found.weights).all()
    assert found.predicted == 0


# Degenerate inputs ----------------------------------------------------------------------------


@EACH
@pytest.mark.parametrize("text", DEGENERATE.values(), ids=DEGENERATE.keys())
@pytest.mark.parametrize("group", ["position", "type"])
def test_degenerate_input(
    method: str, name: str, text: str, group: str, boxes: dict[str, Classifier]
) -> None:
    box = boxes[name]
    one = box.instance(text, group)
    (found,) = run(method, [text], box, group=group)
    assert found.text == text
    assert found.words == one.features
    assert found.weights.shape == (3, one.n_features)
    assert np.isfinite(explained_rows(method, found)).all()
    assert found.truncated_words == one.truncated_words
    assert len(found.top(99)) == one.n_features  # k larger than the number of words
    assert found.probabilities.sum() == pytest.approx(1, abs=1e-6)
    if not one.n_features:
        assert found.model_calls == 1
    assert Explanation.from_json(found.to_json()) == found
    assert "<script" not in found.to_html()


def test_degenerate_inputs_are_what_they_are_called(boxes: dict[str, Classifier]) -> None:
    counts = {key: boxes["tiny"].instance(text).n_features for key, text in DEGENERATE.items()}
    assert [counts[key] for key in ("empty", "blanks", "punctuation")] == [0, 0, 0]
    assert [counts[key] for key in ("emoji", "one word", "same words")] == [2, 1, 4]
    assert counts["too long"] == 22  # 24 tokens without the two special ones
    assert boxes["tiny"].instance(DEGENERATE["too long"]).truncated_words == 68
    assert boxes["tiny"].instance(DEGENERATE["same words"], "type").n_features == 1


@EACH
def test_json_round_trip(method: str, name: str, boxes: dict[str, Classifier]) -> None:
    for found in run(method, TEXTS, boxes[name]):
        again = Explanation.from_json(found.to_json())
        assert again == found
        assert again.weights.tobytes() == found.weights.tobytes()
        assert again.settings == ready(method, boxes[name]).settings()


# Cost -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "name"), [pair for pair in PAIRS if pair[1] != "embedding"])
def test_model_calls_are_what_the_model_sees(
    method: str,
    name: str,
    boxes: dict[str, Classifier],
    counted: Callable[[Classifier], tuple[Classifier, list[int]]],
) -> None:
    box, seen = counted(boxes[name])
    found = run(method, TEXTS, box)
    assert sum(one.model_calls for one in found) == sum(seen) == box.calls
    alone = []
    for text in TEXTS:
        seen.clear()
        run(method, [text], box)
        alone.append(sum(seen))
    assert [one.model_calls for one in found] == alone


@pytest.mark.parametrize("method", BUDGETED)
@pytest.mark.parametrize("n_samples", [2, 3, 7, 16, 31, 40])
def test_the_budget_is_kept(method: str, n_samples: int, boxes: dict[str, Classifier]) -> None:
    box = boxes["embedding" if method in WHITE else "softmax"]
    for found in run(method, TEXTS[:4], box, n_samples=n_samples):
        assert 2 <= found.model_calls <= n_samples
        assert np.isfinite(found.weights).all()


# Errors ---------------------------------------------------------------------------------------


def test_unknown_method(boxes: dict[str, Classifier]) -> None:
    with pytest.raises(ValueError, match=r"'shapley'.*lime, lipex, kernel_shap"):
        explain("good", boxes["linear"], method="shapley")


@pytest.mark.parametrize("method", TEXT_METHODS)
def test_unknown_settings(method: str) -> None:
    explainer = make_explainer(method)
    # The digest of what was fitted is found out, not set. At their default, later settings are
    # left out of `settings`, and are valid all the same.
    valid = {*explainer.settings(), *explainer.later_settings} - {"digest"}
    with pytest.raises(ValueError, match=f"{method}.*'n_smaples'.*Valid settings are: ") as refused:
        make_explainer(method, n_smaples=5)
    named = str(refused.value).partition("Valid settings are: ")[2].rstrip(".")
    assert set(named.split(", ")) == valid & {one.name for one in dataclasses.fields(explainer)}
    with pytest.raises(ValueError, match=r"'word'.*position, type"):
        make_explainer(method, group="word")


@pytest.mark.parametrize("method", [n for n in BLACK if n != "random"])
def test_unknown_removal(method: str) -> None:
    with pytest.raises(ValueError, match=r"'delete'.*drop, mask, pad"):
        make_explainer(method, removal="delete")


@pytest.mark.parametrize("method", BUDGETED)
@pytest.mark.parametrize("n_samples", [1, 0, -5])
def test_budget_below_two(method: str, n_samples: int) -> None:
    with pytest.raises(ValueError, match=f"n_samples must be at least 2 .*{n_samples}"):
        make_explainer(method, n_samples=n_samples)


@pytest.mark.parametrize("method", methods())
def test_settings_of_another_type_are_named(method: str) -> None:
    wrong = {"int": "abc", "float": [1], "bool": "yes", "str": 3}
    for field in dataclasses.fields(explainer_class(method)):
        kind = str(field.type).removesuffix(" | None")
        if field.init and kind in wrong:
            with pytest.raises(ValueError, match=f"{field.name} must be "):
                make_explainer(method, **{field.name: wrong[kind]})


@pytest.mark.parametrize("method", TEXT_METHODS)
def test_one_string_in_place_of_a_list(method: str, boxes: dict[str, Classifier]) -> None:
    with pytest.raises(ValueError, match="list of texts"):
        run(method, "good", boxes["tiny"])


BAD_ANSWERS = {
    "nan": (lambda p: p * np.nan, "not finite"),
    "infinite": (lambda p: np.where(p == p.max(), np.inf, p), "not finite"),
    "unnormalised": (lambda p: p * 2, "no distribution"),
    "negative": (lambda p: p + np.array([-2.0, 1.0, 1.0]), "no distribution"),
    "too few columns": (lambda p: p[:, :2], "shape"),
    "too few rows": (lambda p: p[:-1], "shape"),
}


@pytest.mark.parametrize("method", BLACK)
@pytest.mark.parametrize("kind", BAD_ANSWERS)
def test_bad_answers_of_the_black_box(method: str, kind: str, boxes: dict[str, Classifier]) -> None:
    change, message = BAD_ANSWERS[kind]

    def answer(texts: list[str]) -> np.ndarray:
        return change(boxes["softmax"].predict_proba(texts))

    text = "good bad fine"
    named = "" if "few" in kind else "good"
    with pytest.raises(ValueError, match=f"'broken'.*{message}.*{named}"):
        run(method, [text], as_classifier(answer, boxes["softmax"].classes, "broken"))


@pytest.mark.parametrize("method", LEARNT)
def test_network_that_answers_nan(method: str, boxes: dict[str, Classifier]) -> None:
    box: Any = copy.deepcopy(boxes["bilstm"])
    box.model.output.bias.fill_(float("nan"))
    with pytest.raises(ValueError, match=r"'bilstm'.*not finite.*good"):
        run(method, ["good bad"], box)


@pytest.mark.parametrize("method", LEARNT)
@pytest.mark.parametrize("text", ["good bad", ""])
@pytest.mark.parametrize("name", ["linear", "tiny"])
def test_learnt_methods_say_what_they_need(
    method: str, text: str, name: str, boxes: dict[str, Classifier]
) -> None:
    listed = re.escape(", ".join(BLACK))
    with pytest.raises(ValueError, match=f"'{method}' needs class vectors.*'{name}'.*{listed}"):
        run(method, [text], boxes[name])


@pytest.mark.parametrize("method", [name for name in TEXT_METHODS if name not in LEARNT])
def test_transformer_that_answers_nan(method: str, boxes: dict[str, Classifier]) -> None:
    tiny: Any = boxes["tiny"]
    box = HuggingFaceClassifier(
        copy.deepcopy(tiny.model), tiny.tokenizer, "broken", None, "cpu", "float32"
    )
    ready(method, box)  # Fitted, and `identity` read, while the model still answers.
    box.model.classifier.bias.fill_(float("nan"))
    with pytest.raises(ValueError, match=r"'broken'.*not finite.*good"):
        run(method, ["good bad"], box)


@pytest.mark.parametrize("method", WHITE)
@pytest.mark.parametrize("text", ["good bad", ""])
def test_white_box_methods_say_what_they_need(
    method: str, text: str, boxes: dict[str, Classifier]
) -> None:
    listed = re.escape(", ".join(BLACK))
    needed = "the embedding layer" if method in SAMPLED else "gradients"
    with pytest.raises(ValueError, match=f"'{method}' needs {needed}.*'linear'.*{listed}"):
        run(method, [text], boxes["linear"])


@pytest.mark.parametrize("method", AMORTISED)
@pytest.mark.parametrize("text", ["good bad", ""])
def test_amortised_methods_say_what_they_need(
    method: str, text: str, boxes: dict[str, Classifier]
) -> None:
    tiny, linear = boxes["tiny"], boxes["linear"]
    with pytest.raises(ValueError, match=f"'{method}'.*fit.*load"):
        make_explainer(method).explain([text], tiny)
    # What one black box taught does not explain another.
    needed = "hidden states" if explainer_class(method).white_box else "black box 'tiny'"
    with pytest.raises(ValueError, match=f"'{method}'.*{needed}.*'linear'") as refused:
        ready(method, tiny).explain([text], linear)
    assert not explainer_class(method).white_box or ", ".join(BLACK) in str(refused.value)
