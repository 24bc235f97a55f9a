"""Where the right word is known, and what the released code does otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from xai_lib.experiments.l2e import planted, released
from xai_lib.experiments.l2e.planted import planted_rows
from xai_lib.experiments.l2e.released import _of_class, switch_rows
from xai_lib.explainers import make_explainer

approx = pytest.approx

# Which word decides: "good", "bad", "poor", and "sun", which "fine" beats.
TEXTS = ("the good rain", "bad film sun", "film in poor", "fine film sun")
PLACES = ([1], [0], [2], [2])


def test_planted_words_that_come_first(make_setting, make_data, write, monkeypatch, cell):
    taught = []

    class Student:
        """Always ranks the first word of a text first, by labelling; the last one by ranking."""

        def __init__(self, sign):
            self.sign = sign

        def explain(self, texts, box, seed):
            return write(texts, [[3 * self.sign, 2 * self.sign, self.sign]] * len(texts), "l2e")

    def fitted(student, lessons, setting, seed):
        taught.append((lessons[0].method, student.formulation, len(lessons), seed))
        return Student(1 if student.formulation == "labelling" else -1)

    monkeypatch.setattr(planted, "fitted", fitted)
    train = make_data(["good film", "bad rain", "poor sun"], [1, 0, 0], "train")
    test = make_data([*TEXTS, "good"], [1, 0, 0, 1, 1], planted=[*PLACES, [0]])
    setting = make_setting("planted", train, test, train_texts=2, test_texts=4)
    rows = planted_rows(setting, 5)
    assert taught == [
        (name, formulation, 2, 5)
        for name in ("occlusion", "random")
        for formulation in ("ranking", "labelling")
    ]
    # Occlusion finds what changes the answer most: all but the last.
    assert cell(rows, teacher="occlusion", formulation="teacher")["mean"] == 0.75
    chance = make_explainer("random").explain(list(TEXTS), setting.classifier, 5)
    right = [
        max(range(3), key=lambda i: one.weights[one.predicted][i]) in places
        for one, places in zip(chance, PLACES, strict=True)
    ]
    assert cell(rows, teacher="random", formulation="teacher")["mean"] == sum(right) / 4
    for name in ("occlusion", "random"):
        # The first word: "bad". The last: "poor" and "sun".
        found = cell(rows, teacher=name, formulation="labelling")
        assert (found["mean"], found["n"]) == (0.25, 4)
        assert cell(rows, teacher=name, formulation="ranking")["mean"] == 0.5
    # A share has Wilson's interval, which stays above 0.
    assert found["low"] == approx(0.04559, abs=1e-5)


def test_weights_of_a_class_in_the_place_of_the_predicted(write):
    (one,) = write(["good film"], [[3, -1]])
    assert one.predicted == 1
    first = _of_class(one, 0)
    # The other row is 10 higher, see `write`.
    assert first.weights[1].tolist() == [13, 9]
    assert np.isnan(first.weights[0]).all()
    assert _of_class(one, 1).weights[1].tolist() == [3, -1]
    assert (first.predicted, first.text, first.method) == (1, one.text, one.method)


def test_opposite_sign_and_gold_label(make_explained, monkeypatch, cell):
    texts = make_explained().sample.pool.texts
    weights = [one.weights[one.predicted] for one in make_explained().teachers["lime"]]
    # The second document is predicted negative and labelled positive.
    explained = make_explained(teachers={"gradient": weights}, labels=(1, 1, 1, 1, 0))
    asked = []

    def stored(explainer, some, setting, seed):
        assert tuple(some) == texts
        asked.append((explainer.name, explainer.target, seed))
        return explained.teachers["gradient"]

    monkeypatch.setattr(released, "stored_corpus", stored)
    rows, pairs = switch_rows(explained)
    assert asked == [("input_x_gradient", "all", 7)]
    measured_otherwise = {"sure is even", "high and low as one"}
    assert {row["variant"] for row in rows} == {
        "default", "gold label", "opposite sign", *measured_otherwise,
    }  # fmt: skip
    assert {row["measure"] for row in rows} == {"agreement", "positive log-odds", "iou"}
    lost = {
        variant: cell(rows, variant=variant, measure="positive log-odds")["mean"]
        for variant in ("default", "gold label", "opposite sign")
    }
    # As in the tests of log-odds. Opposite: "rain" -0.5, "film fine" -1, nothing. Gold label: the
    # weights of the other class are all positive in the second, and it loses -0.5 as a whole.
    assert lost == {
        "default": approx(8.5 / 3), "opposite sign": approx(-0.5),
        "gold label": approx((3 + 0.5 + 4) / 3),
    }  # fmt: skip
    pair = cell(pairs, second="opposite sign", measure="positive log-odds")
    assert (pair["first"], pair["difference"]) == ("default", approx(8.5 / 3 + 0.5))


def test_changed_settings_reach_the_teacher(make_explained, cell):
    weights = [one.weights[one.predicted] for one in make_explained().teachers["lime"]]
    explained = make_explained(teachers={"occlusion": weights, "random": weights})
    rows, _ = switch_rows(explained)
    assert {(row["teacher"], row["variant"]) for row in rows} == {
        ("occlusion", name)
        for name in ("default", "probability", "sure is even", "high and low as one")
    }
    # By probabilities, occlusion's positive words are those that speak for the class: good; bad;
    # good fine.
    found = cell(rows, variant="probability", measure="positive log-odds")
    assert found["mean"] == approx((3 + 2 + 4) / 3)


def test_sure_answers_that_count_as_even(make_explained, worth, monkeypatch, cell):
    # The first and the third document are positive with a probability of 1 in float32.
    monkeypatch.setitem(worth.__globals__["WORTH"], "good", 20.0)
    weights = [one.weights[one.predicted] for one in make_explained().teachers["lime"]]
    monkeypatch.setitem(released.CHANGED, "lime", {})
    rows, pairs = switch_rows(make_explained(teachers={"lime": weights}))
    where = {"measure": "positive log-odds"}
    clipped = np.log(999_999)
    # "the rain" is left, -0.5; "film fine", 1 for the other class; nothing.
    default = cell(rows, variant="default", **where)["mean"]
    assert default == approx((clipped + 0.5 + 1.5 + clipped) / 3)
    even = cell(rows, variant="sure is even", **where)["mean"]
    assert even == approx((0.5 + 1.5 + 0) / 3, abs=1e-6)
    assert cell(pairs, second="sure is even")["difference"] == approx(default - even)


def test_labels_as_they_are_compared_by_the_code(make_explained, monkeypatch, cell):
    monkeypatch.setitem(released.CHANGED, "lime", {})
    rows, _ = switch_rows(make_explained())
    found = {row["variant"]: row["mean"] for row in rows if row["measure"] == "iou"}
    assert list(found) == ["default", "high and low as one", "as one, as many as the student's"]
    # First and fifth text: film of good, film, poor; rain of rain. Others have nothing in common.
    assert found["high and low as one"] == approx(100 * (0 + 2 / 4) / 2 / 2)
    # The students have one word each there: good, film; rain.
    assert found["as one, as many as the student's"] == approx(100 * (0 + 1 / 3) / 2 / 2)


def test_where_every_weight_is_positive(make_explained, monkeypatch, cell):
    weights = [[2, 0.5, 0.1, 1], [0.4, 1, 2, 0.5], [3, 1], [1, 2, 3, 4], [1, 2, 3]]
    explained = make_explained(teachers={"lrp": weights})
    monkeypatch.setattr(released, "stored_corpus", lambda *_: explained.teachers["lrp"])
    rows, _ = switch_rows(explained)
    where = {"measure": "positive log-odds"}
    # Every word: the whole log-odds are lost. Words above the mean: "film the" is left; "bad sun",
    # one more than before; "fine".
    every = cell(rows, variant="no negative weights", **where)["mean"]
    assert every == approx((2.5 + 0.5 + 4) / 3)
    high = cell(rows, variant="no negative weights, not every word", **where)["mean"]
    assert high == approx((2.5 - 1 + 3) / 3)
