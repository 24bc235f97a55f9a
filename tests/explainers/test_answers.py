"""Probabilities or their logarithms: what changes in a method, and what must not change."""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from xai_lib import explain_corpus
from xai_lib.explainers import make_explainer
from xai_lib.explainers.answers import as_answers
from xai_lib.explainers.kernel_shap import KernelShap
from xai_lib.explainers.lime import Lime, fit_lime
from xai_lib.explainers.occlusion import Occlusion
from xai_lib.masks import neighbourhoods
from xai_lib.models import as_classifier
from xai_lib.models.function import FunctionClassifier
from xai_lib.rng import generator
from xai_lib.store import stored_answers

SWITCHED = ("lime", "kernel_shap", "occlusion")
LOG = "log_probability"


def game(texts: list[str]) -> np.ndarray:
    """Probabilities in which words interact without any pattern: a table of random numbers."""
    rows = []
    for text in texts:
        odds = np.exp(generator(7, "".join(sorted(text.split()))).standard_normal(3))
        rows.append(odds / odds.sum())
    return np.array(rows)


@pytest.fixture
def box() -> FunctionClassifier:
    return as_classifier(game, ["x", "y", "z"])


def test_logarithms_by_hand() -> None:
    given = np.array([[1.0, 0.0], [math.exp(-2), 1e-13]])
    np.testing.assert_array_equal(as_answers(given, "probability"), given)
    floor = -12 * math.log(10)
    np.testing.assert_allclose(as_answers(given, LOG), [[0, floor], [-2, floor]], rtol=1e-14)


def test_logarithms_are_taken_in_double_precision() -> None:
    rounded = np.array([1e-13, 0.3], dtype=np.float32)
    found = as_answers(rounded, LOG)
    assert found.dtype == np.float64
    assert found.tolist() == [math.log(1e-12), math.log(float(rounded[1]))]


def test_occlusion_by_hand() -> None:
    answers = {
        "a b": (0.9, 0.1), "[MASK] b": (0.6, 0.4), "a [MASK]": (1.0, 0.0),
    }  # fmt: skip
    box = as_classifier(lambda texts: np.array([answers[text] for text in texts]), ["x", "y"])
    (found,) = Occlusion(removal="mask", answers=LOG).explain(["a b"], box)
    expected = [
        [math.log(0.9 / 0.6), math.log(0.9)],
        [math.log(0.1 / 0.4), math.log(0.1) + 12 * math.log(10)],
    ]
    np.testing.assert_allclose(found.weights, expected, rtol=1e-12)
    np.testing.assert_array_equal(found.probabilities, [0.9, 0.1])


def test_kernel_shap_is_the_average_over_orders(box: FunctionClassifier) -> None:
    words = "abcd"
    expected = np.zeros((3, 4))
    for order in itertools.permutations(range(4)):
        before, present = np.log(game([""])[0]), ""
        for i in order:
            present += " " + words[i]
            after = np.log(game([present])[0])
            expected[:, i] += (after - before) / 24
            before = after
    (found,) = KernelShap(n_samples=16, answers=LOG).explain([" ".join(words)], box)
    np.testing.assert_allclose(found.weights, expected, atol=1e-10)
    np.testing.assert_array_equal(found.probabilities, game(["a b c d"])[0])
    # The surrogate is a model of probabilities, exact at both ends.
    ends = found.surrogate(np.array([np.zeros(4), np.ones(4)]))
    np.testing.assert_allclose(ends, game(["", "a b c d"]), rtol=1e-12)


class Named(FunctionClassifier):
    """A function whose answers may be stored."""

    fingerprint = "game"


def test_kernel_shap_asks_the_same_for_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XAI_CACHE_DIR", str(tmp_path))
    box = Named(game, ["x", "y", "z"])
    plain, logarithm = KernelShap(n_samples=40), KernelShap(n_samples=40, answers=LOG)
    assert plain.asked() == logarithm.asked()
    instances = box.instances(["a b c d e f g"])
    kept = stored_answers(plain, instances, box, seed=3)
    box.calls = 0
    assert stored_answers(logarithm, instances, box, seed=3)[0].tolist() == kept[0].tolist()
    assert box.calls == 0
    (found,) = logarithm.explain_answers(instances, kept, box, seed=3)
    gained = np.log(kept[0][0]) - np.log(kept[0][1])
    np.testing.assert_allclose(found.weights.sum(axis=1), gained, atol=1e-12)


@pytest.mark.parametrize("n_features", [None, 3])
def test_lime_is_a_regression_on_logarithms(box: FunctionClassifier, n_features: int) -> None:
    text = "a b c d e f g h i j"
    settings = {"n_samples": 300, "n_features": n_features, "selection": "highest_weights"}
    (found,) = Lime(**settings, answers=LOG).explain([text], box, seed=1)
    (near,) = neighbourhoods(box.instances([text]), box, 300, seed=1)
    kernel = np.exp(-((100 * (1 - np.sqrt(near.masks.mean(axis=1)))) ** 2) / (2 * 25**2))
    weight = (kernel * near.counts)[:, None]

    def ridge(columns: list[int], c: int, penalty: float) -> np.ndarray:
        x = np.c_[np.ones(len(near.masks)), near.masks[:, columns]].astype(float)
        y = np.log(near.probabilities[:, c])
        square = x.T @ (weight * x) + penalty * np.diag([0.0] + [1.0] * len(columns))
        return np.linalg.solve(square, x.T @ (weight[:, 0] * y))

    for c in range(3):
        # The lime package chooses by the weights of a first fit with a small penalty.
        size = np.abs(ridge(list(range(10)), c, 0.01)[1:])
        columns = np.argsort(-size)[: n_features or 10].tolist()
        solved = ridge(columns, c, 1.0)
        expected = np.zeros(10)
        expected[columns] = solved[1:]
        np.testing.assert_allclose(found.weights[c], expected, atol=1e-9)
        assert found.intercept[c] == pytest.approx(solved[0], abs=1e-9)
    masks = near.masks[:4].astype(float)
    likely = np.exp(found.intercept + masks @ found.weights.T)
    np.testing.assert_allclose(found.surrogate(masks), likely, rtol=1e-14)
    np.testing.assert_array_equal(found.probabilities, game([text])[0])


def test_lime_where_no_row_has_a_weight(box: FunctionClassifier) -> None:
    (near,) = neighbourhoods(box.instances(["a b c"]), box, 8)
    fit = fit_lime(near.within(0.0), weighting="one_minus_cosine", answers=LOG)
    np.testing.assert_allclose(np.exp(fit.intercept), game(["a b c"])[0], rtol=1e-14)
    assert fit.link == "log"


@pytest.mark.parametrize("method", SWITCHED)
def test_the_default_is_not_written(method: str, box: FunctionClassifier, tmp_path: Path) -> None:
    """What was stored before the switch existed must still be found."""
    plain = make_explainer(method)
    assert plain == make_explainer(method, answers="probability")
    assert "answers" not in plain.settings()
    assert {**plain.settings(), "answers": "probability"} == asdict(plain)
    assert make_explainer(method, answers=LOG).settings() == {**plain.settings(), "answers": LOG}
    before = explain_corpus(["a b"], box, method, out=tmp_path, progress=False)
    assert "answers" not in before.manifest["settings"]
    with pytest.raises(ValueError, match=r"settings\.answers is nothing there"):
        explain_corpus(["a b"], box, method, out=tmp_path, progress=False, answers=LOG)


def test_settings_as_they_were_before_the_switch() -> None:
    assert list(Lime().settings()) == [
        "n_samples", "group", "removal", "sampler", "n_features", "selection",
    ]  # fmt: skip
    assert list(KernelShap().settings()) == ["n_samples", "group", "removal"]
    assert list(Occlusion().settings()) == ["group", "removal"]


@pytest.mark.parametrize("method", SWITCHED)
def test_unknown_answers(method: str) -> None:
    with pytest.raises(ValueError, match=r"'logit'.*probability, log_probability"):
        make_explainer(method, answers="logit")
