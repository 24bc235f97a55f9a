"""Texts in rounds, and explanations of them from answers on disk."""

from __future__ import annotations

import numpy as np
import pytest

from xai_lib.experiments.mase import (
    METHODS,
    Round,
    Sample,
    explain,
    explain_sample,
    gather,
    make_method,
)
from xai_lib.experiments.mase.methods import compared
from xai_lib.experiments.study import Setting
from xai_lib.explanation import Explanation
from xai_lib.text import find_words


def alike(found: list[Explanation], expected: list[Explanation]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert (one.text, one.words, one.predicted) == (other.text, other.words, other.predicted)
        assert (one.model_calls, one.settings, one.seed) == (
            other.model_calls, other.settings, other.seed,
        )  # fmt: skip
        # Answers are float32 on disk; LIPEx stops its search a little elsewhere.
        atol = 2e-3 if one.method == "lipex" else 1e-5
        np.testing.assert_allclose(one.weights, other.weights, atol=atol)


def test_rounds_share_no_text(setting: Setting, sample: Sample) -> None:
    assert [(part.seed, len(part.instances)) for part in sample.rounds] == [(3, 4), (8, 4)]
    texts = [one.text for one in sample.instances]
    assert len(set(texts)) == 8
    assert not set(texts) & set(setting.train.texts)
    labels = dict(zip(setting.test.texts, setting.test.labels.tolist(), strict=True))
    assert sample.labels.tolist() == [labels[text] for text in texts]
    assert [part.labels.tolist() for part in sample.rounds] == [
        [labels[text] for text in part.texts] for part in sample.rounds
    ]
    assert all(len(find_words(text)) >= 2 for text in texts)
    assert {one.group for one in sample.instances} == {"position"}
    again, other = gather(setting, seed=1), gather(setting, seed=2)
    assert [one.text for one in again.instances] == texts
    assert [one.text for one in other.instances] != texts


def test_training_texts_and_short_ones_are_left_out(setting: Setting) -> None:
    known, *others = setting.test.texts[:4]
    few = Setting("few", {**setting.profile, "seeds": [0], "per_round": 3}, "cpu")
    test = setting.test.take(range(4))
    few.__dict__.update(classifier=setting.classifier, test=test, train=test.take([0]))
    for seed in range(5):
        assert sorted(one.text for one in gather(few, seed).instances) == sorted(others)
    few.__dict__["test"] = test.first_words(1)
    with pytest.raises(ValueError, match="Cannot draw 3 rows with 2 words or more"):
        gather(few, 0)
    assert known not in others


def test_the_first_texts_keep_their_seeds(sample: Sample) -> None:
    first = sample.head(5)
    assert [(part.seed, len(part.instances)) for part in first.rounds] == [(3, 4), (8, 1)]
    assert first.instances == sample.instances[:5]
    assert first.labels.tolist() == sample.labels[:5].tolist()
    assert [len(part.instances) for part in sample.head(4).rounds] == [4]
    assert sample.head(0).rounds == []
    assert len(sample.head(99).instances) == 8


def test_explanations_equal_those_of_texts_and_are_asked_once(sample: Sample) -> None:
    box = sample.setting.classifier
    found = explain_sample(sample, 40)
    assert tuple(found) == METHODS
    for method, run in found.items():
        explainer = make_method(method, 40)
        direct = [
            one for part in sample.rounds for one in explainer.explain(part.texts, box, part.seed)
        ]
        alike(run, direct)
    before = box.calls
    again = explain_sample(sample, 40, ["mase", "mase_sparse", "lime", "lipex", "kernel_shap"])
    assert box.calls == before
    assert all(again[method] == found[method] for method in again)


def test_the_sparse_variant_and_lipex_pay_nothing(sample: Sample) -> None:
    box, some = sample.setting.classifier, sample.head(2)
    for one, other in (("mase", "mase_sparse"), ("lime", "lipex"), ("mase_sparse", "mase")):
        shift = {"mase": 50, "lime": 50, "mase_sparse": 51}[one]
        before = box.calls
        first = explain_sample(some, 40, [one], shift=shift)[one]
        assert box.calls - before == sum(found.model_calls for found in first) > 0
        before = box.calls
        explain_sample(some, 40, [other], shift=shift)
        assert box.calls == before
        assert {found.seed for found in first} == {3 + shift}


@pytest.mark.parametrize("calls", [20, 40])
def test_small_budgets_come_from_the_answers_to_large_ones(sample: Sample, calls: int) -> None:
    # Five words have 32 masks: drawn with a budget of 20, enumerated with 40.
    setting, box = sample.setting, sample.setting.classifier
    texts = [*setting.test.first_words(5).texts[:2], *sample.rounds[0].texts[:2]]
    given = Round(70 + calls, [box.instance(text) for text in texts], np.zeros(4, dtype=int))
    explain(setting, given, 100, ["mase", "lime"], kept=[10, 100])
    before = box.calls
    found = explain(setting, given, calls, ["mase", "lime"], kept=[10, 100])
    assert box.calls - before <= 2 * min(calls, 32), "the short texts by LIME"
    found |= explain(setting, given, calls, ["kernel_shap"], kept=[10, 100])
    for method, run in found.items():
        alike(run, make_method(method, calls).explain(texts, box, given.seed))


def test_a_profile_sets_what_gradients_cost_and_leaves_methods_out() -> None:
    numbers = {"gradient_steps": 8, "gradient_draws": 5, "left_out": ["lipex"]}
    assert make_method("integrated_gradients", 0, numbers).settings()["n_steps"] == 8
    assert make_method("smoothgrad", 0, numbers).settings()["n_draws"] == 5
    assert make_method("lime", 30, numbers).settings()["n_samples"] == 30
    assert compared(numbers) == tuple(method for method in METHODS if method != "lipex")
    assert compared({}) == METHODS


def test_unknown_methods_are_named() -> None:
    with pytest.raises(ValueError, match="no compared method 'shap'; valid: mase, mase_sparse"):
        make_method("shap", 10)
