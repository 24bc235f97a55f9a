"""Overlap of neighbours' explanations, worked out word by word.

The first document has the neighbours 3 and 4, the second 4, the third none.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from xai_lib.experiments.l2e.quality import main_measures, quality
from xai_lib.experiments.l2e.stability import overlap, overlap_rows, random_run
from xai_lib.explainers import make_explainer


def percent(*values):
    return [float("nan") if one is None else float(100 * one) for one in values]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # good 2, rain -1. Against good 2, sun -1, rain -2, film 1: one of five in common; against
        # poor 2, rain -1: one of three. The second has bad 1, sun -2: none of four.
        ({}, (Fraction(1, 5) + Fraction(1, 3), 0)),
        # +good -rain. Against +good +film -sun -rain: 2 of 4; against +poor -rain: 1 of 3.
        ({"merged": True}, (Fraction(2, 4) + Fraction(1, 3), 0)),
        # Sums over the neighbours, divided by 2 again.
        ({"divided": True}, (Fraction(2, 8), 0)),
        # Without the rain: good 2 against good 2, sun -1, film 1; against poor 2.
        ({"keep": "all but rain"}, (Fraction(1, 3), 0)),
    ],
)
def test_labelled_words(make_explained, settings, expected):
    explained = make_explained()
    run = explained.runs["lime", "labelling"][0]
    if "keep" in settings:
        settings = {"keep": [np.array([word != "rain" for word in one.words]) for one in run]}
    found = overlap(explained, run, "lexical", **settings)
    np.testing.assert_allclose(found, percent(expected[0] / 2, expected[1], None))


def test_labels_of_the_teacher(make_explained):
    explained = make_explained()
    # good 2, film 1, rain -1 against good -1, sun 1, rain 2: none of six; against poor 1, rain -1,
    # film 2: one of five. bad 1, film -1, fine -2, sun 2 against the latter: none.
    found = overlap(explained, explained.teachers["lime"], "semantic")
    np.testing.assert_allclose(found, percent(Fraction(1, 10), 0, None))


def test_ranked_words(make_explained):
    explained = make_explained()
    # Student: film the; rain film 1/3, film 1/2. And bad film; film 1/2.
    found = overlap(explained, explained.runs["lime", "ranking"][0], "lexical", "ranking")
    np.testing.assert_allclose(
        found, percent((Fraction(1, 3) + Fraction(1, 2)) / 2, Fraction(1, 2), None)
    )
    # Teacher, by size: good rain; good rain; rain. And film fine.
    found = overlap(explained, explained.teachers["lime"], "lexical", "ranking")
    np.testing.assert_allclose(found, percent((1 + Fraction(1, 2)) / 2, 0, None))


def test_rows(make_explained, cell):
    explained = make_explained(near=((3, 4), (4, -1), (3, -1)))
    rows, pairs = overlap_rows(explained, "semantic")
    place = {"formulation": "ranking", "teacher": "lime"}
    # The third: fine against rain film; good against good rain.
    student = cell(rows, **place, explanation="l2e")
    assert (student["mean"], student["n"]) == (pytest.approx(100 * (5 / 12 + 1 / 2 + 0) / 3), 3)
    teacher = cell(rows, **place, explanation="teacher")
    assert teacher["mean"] == pytest.approx(100 * (3 / 4 + 0 + 1 / 2) / 3)
    pair = cell(pairs, **place)
    assert (pair["first"], pair["second"]) == ("l2e", "teacher")
    assert pair["difference"] == pytest.approx(student["mean"] - teacher["mean"])
    assert len(rows) == 2 * 3
    assert len(pairs) == 2


def slow_iou(words, other):
    """Divide the common types of the top words by the joint ones."""
    return len(words & other) / len(words | other)


def test_random_weights_are_a_control(make_explained, box, cell):
    explained = make_explained()
    rows, _ = overlap_rows(explained, "lexical")
    found = make_explainer("random").explain(list(explained.sample.pool.texts), box, 7)
    assert [one.weights.tolist() for one in random_run(explained)] == [
        one.weights.tolist() for one in found
    ]
    tops = []
    for one, k in zip(found, (2, 2, 1, 2, 1), strict=True):
        own = one.weights[one.predicted]
        order = sorted(range(len(own)), key=lambda i: -abs(own[i]))
        tops.append({one.words[i].lower() for i in order[:k]})
    first = (slow_iou(tops[0], tops[3]) + slow_iou(tops[0], tops[4])) / 2
    control = cell(rows, formulation="ranking", teacher="random", explanation="random")
    assert control["mean"] == pytest.approx(100 * (first + slow_iou(tops[1], tops[4])) / 2)
    assert control["n"] == 2
    assert cell(rows, formulation="labelling", teacher="random")["n"] == 2


def test_lime_is_compared_with_the_others_by_semantic_neighbours(make_explained, cell):
    first = make_explained()
    lime = [one.weights[one.predicted] for one in first.teachers["lime"]]
    flat = ([1, 0, 0, 0], [1, 0, 0, 0], [1, 0], [1, 0, 0, 0], [0, 1, 0])
    explained = make_explained(teachers={"lime": lime, "lrp": flat})
    _, pairs = overlap_rows(explained, "semantic")
    # LRP: good against good, rain; bad against rain. By size as by label, but two words are taken
    # by size: good film against good sun, and rain; bad film against rain.
    pair = cell(pairs, first="lime", second="lrp", formulation="labelling")
    assert pair["explanation"] == "teacher"
    assert pair["difference"] == pytest.approx(100 * ((0.1 + 0) / 2 - (0.5 + 0) / 2))
    pair = cell(pairs, first="lime", second="lrp", formulation="ranking")
    assert pair["difference"] == pytest.approx(100 * ((0.75 + 0) / 2 - (1 / 6 + 0) / 2))
    _, pairs = overlap_rows(explained, "lexical")
    assert {pair["second"] for pair in pairs} == {"teacher"}
    assert {pair["teacher"] for pair in pairs} == {"lime"}, "LRP has no student"


def test_quality_of_labelled_words(make_explained):
    explained = make_explained()
    second = explained.teachers["lime"]
    found = quality(explained, [explained.runs["lime", "labelling"][0], second])
    # Means over both, 4/15 and 1/10 as above.
    np.testing.assert_allclose(found["iou"], percent(Fraction(11, 60), 0, None))
    # Teacher, merged: +good +film -rain against +sun +rain -good, and +poor +film -rain.
    merged = (Fraction(5, 12) + Fraction(2, 4) / 2) / 2
    # The second: +bad -sun against +poor -rain; +bad +sun -film -fine against +poor +film -rain.
    np.testing.assert_allclose(found["merged iou"], percent(merged, 0, None))
    np.testing.assert_allclose(found["positive log-odds"], [(3 + 3) / 2, (2 + 1.5) / 2, 4])
    # Kept are good and bad; good, sun (wrong) and good. The student keeps all of the third.
    np.testing.assert_allclose(found["agreement"], [100, 50, 100])
    assert list(main_measures(explained, [second])) == ["iou", "positive log-odds"]
