"""The teachers' settings, and their explanations on disk."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from xai_lib.data.wheels import cache_folder
from xai_lib.experiments.l2e import NAMES
from xai_lib.experiments.l2e import teachers as module
from xai_lib.experiments.l2e.teachers import make_teacher, stored_corpus
from xai_lib.explainers import make_explainer

NUMBERS = {"n_samples": 37}
WORDS = ("good", "bad", "fine", "poor", "sun", "rain")
TEXTS = [f"{a} film {b}" for a in WORDS[:3] for b in WORDS[3:]] + ["good sun"]


def test_names():
    assert NAMES == ("occlusion", "gradient", "lrp", "lime", "kernel_shap", "deep_shap")


@pytest.mark.parametrize(
    ("name", "method", "own"),
    [
        ("occlusion", "occlusion", {"removal": "mask", "answers": "log_probability"}),
        ("gradient", "input_x_gradient", {"target": "predicted"}),
        ("lrp", "lrp", {"target": "predicted"}),
        ("lime", "lime", {"removal": "mask", "answers": "log_probability", "n_samples": 37}),
        (
            "kernel_shap", "kernel_shap",
            {"removal": "mask", "answers": "log_probability", "n_samples": 37},
        ),
        ("deep_shap", "deep_shap", {"target": "predicted", "references": ("a b", "c")}),
        ("random", "random", {}),
    ],
)  # fmt: skip
def test_settings(name, method, own):
    made = make_teacher(name, NUMBERS, ["a b", "c"])
    assert made.name == method
    assert {key: getattr(made, key) for key in own} == own
    # All others are as the method has them.
    found, default = made.settings(), make_explainer(method).settings()
    assert {k: v for k, v in found.items() if k not in own} == {
        k: v for k, v in default.items() if k not in own
    }


def test_references_are_part_of_the_settings():
    some = [make_teacher("deep_shap", NUMBERS, texts) for texts in (["a", "b"], ["a", "c"], [])]
    assert len({str(one.settings()["references"]) for one in some}) == 3


def test_changed_settings_come_last():
    changed = make_teacher("lime", NUMBERS, changed={"answers": "probability", "n_samples": 5})
    assert (changed.answers, changed.n_samples, changed.removal) == ("probability", 5, "mask")


def test_unknown_teacher():
    with pytest.raises(ValueError, match=r"no teacher 'shap'; valid: occlusion, .*deep_shap, rand"):
        make_teacher("shap", NUMBERS)


def folders():
    return {one.name for one in (cache_folder() / "explanations").iterdir()}


def same(found, expected):
    assert [one.text for one in found] == [one.text for one in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.weights, other.weights)


@pytest.fixture
def blocks(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 4)


def test_stored_explanations_are_those_of_the_teacher(blocks, make_setting, box, make_box):
    setting, teacher = make_setting(), make_teacher("occlusion", NUMBERS)
    expected = teacher.explain(TEXTS, make_box(), 3)
    same(stored_corpus(teacher, TEXTS, setting, 3), expected)
    # The whole text, and each word masked: nine texts of three words and one of two. All were
    # asked now, so none were stored before.
    calls = 9 * 4 + 3
    assert box.calls == calls
    assert box.stored_calls == {}
    same(stored_corpus(teacher, TEXTS, setting, 3), expected)
    assert box.calls == calls
    assert sum(box.stored_calls.values()) == calls
    # Read once more, they do not count once more.
    stored_corpus(teacher, TEXTS, setting, 3)
    assert sum(box.stored_calls.values()) == calls
    assert len(folders()) == 3


def test_lists_share_their_whole_blocks(blocks, make_setting, box):
    setting, teacher = make_setting(), make_teacher("random", NUMBERS)
    long = stored_corpus(teacher, TEXTS, setting, 3)
    assert box.calls == 10
    # The first four are there; a block of two is another than the one of four.
    same(stored_corpus(teacher, TEXTS[:6], setting, 3), long[:6])
    assert (box.calls, sum(box.stored_calls.values())) == (12, 4)
    same(stored_corpus(teacher, TEXTS[:8], setting, 3), long[:8])
    assert (box.calls, sum(box.stored_calls.values())) == (12, 8)
    assert stored_corpus(teacher, [], setting, 3) == []


def test_what_is_missing_is_done_again(blocks, make_setting, box, monkeypatch):
    setting, teacher = make_setting(), make_teacher("random", NUMBERS)
    answers = box.function

    def stops(texts):
        if TEXTS[5] in texts:
            raise KeyboardInterrupt
        return answers(texts)

    monkeypatch.setattr(box, "function", stops)
    with pytest.raises(KeyboardInterrupt):
        stored_corpus(teacher, TEXTS, setting, 3)
    before = box.calls
    monkeypatch.setattr(box, "function", answers)
    found = stored_corpus(teacher, TEXTS, setting, 3)
    assert box.calls - before == 6, "the first block of four was done"
    one = sorted(folders())[0]
    shutil.rmtree(cache_folder() / "explanations" / one)
    before = box.calls
    same(stored_corpus(teacher, TEXTS, setting, 3), found)
    assert box.calls - before in (4, 2)


def test_seed_method_settings_and_black_box_have_their_own(blocks, make_setting, make_box):
    setting, texts = make_setting(), TEXTS[:2]
    teacher = make_teacher("lime", {"n_samples": 8})
    first = stored_corpus(teacher, texts, setting, 3)
    assert len(folders()) == 1
    stored_corpus(teacher, texts, setting, 4)
    stored_corpus(make_teacher("lime", {"n_samples": 9}), texts, setting, 3)
    stored_corpus(make_teacher("random", NUMBERS), texts, setting, 3)
    assert len(folders()) == 4
    other = make_setting()
    other.__dict__["classifier"] = make_box("another")
    same(stored_corpus(teacher, texts, other, 3), first)
    assert len(folders()) == 5
