"""Intersection over union between neighbours: by hand, and against a loop over types."""

from __future__ import annotations

import math

import numpy as np
import pytest

from xai_lib.metrics import merge_labels, neighbour_iou, neighbour_ious, words_by_label
from xai_lib.rng import generator

FIRST = words_by_label(("a", "b", "c", "d", "A"), (2, 1, 0, -1, 1))
SECOND = words_by_label(("b", "a", "e", "d", "c"), (2, 1, -2, -1, 0))


def test_words_are_collected_by_label():
    # "a" is high positive in one place and low positive in another.
    assert {2: {"a"}, 1: {"b", "a"}, -1: {"d"}} == FIRST
    assert merge_labels(FIRST) == {1: {"a", "b"}, -1: {"d"}}
    kept = words_by_label(("a", "b", "c"), (2, 1, -1), [False, True, True])
    assert kept == {1: {"b"}, -1: {"c"}}
    assert words_by_label(("A", "b", "a"), [True, False, True]) == {1: {"a"}}
    assert words_by_label((), ()) == {}


def test_four_labels_by_hand():
    # 2: {a} {b}: 0 of 2. 1: {b, a} {a}: 1 of 2. -1: {d} {d}: 1 of 1. -2: {} {e}: 0 of 1.
    assert neighbour_iou(FIRST, [SECOND]) == 2 / 6
    # positive: {a, b} {a, b}: 2 of 2. negative: {d} {d, e}: 1 of 2.
    assert neighbour_iou(FIRST, [SECOND], merged=True) == 3 / 4


def test_the_mean_is_over_neighbours():
    nothing = words_by_label(("x",), (0,))
    # 2/6, 1, and with a neighbour without words 0 of 4.
    others = [SECOND, FIRST, nothing]
    assert neighbour_iou(FIRST, others) == pytest.approx((2 / 6 + 1 + 0) / 3)
    # The released code: (2 + 4 + 0) of (6 + 4 + 4), divided by three.
    assert neighbour_iou(FIRST, others, divided=True) == pytest.approx(6 / 14 / 3)
    # Merged: 3 of 4, 3 of 3, 0 of 3.
    assert neighbour_iou(FIRST, others, True, True) == pytest.approx(6 / 10 / 3)


def test_nothing_in_common_and_no_neighbours():
    nothing = words_by_label(("x",), (0,))
    assert neighbour_iou(nothing, [nothing, nothing]) == 0
    assert neighbour_iou(nothing, [nothing], divided=True) == 0
    assert math.isnan(neighbour_iou(FIRST, []))
    assert math.isnan(neighbour_iou(FIRST, [], divided=True))


@pytest.mark.parametrize("merged", [False, True])
def test_many_documents_are_what_a_loop_over_types_gives(merged):
    rng = generator(0, "overlap")
    documents = []
    for _ in range(12):
        n = int(rng.integers(0, 15))
        documents.append((list(rng.choice(list("abcdef"), n)), rng.integers(-2, 3, n)))
    near = rng.integers(0, 12, (12, 3))
    near[4] = -1
    near[5, 1:] = -1
    found = neighbour_ious([words_by_label(*one) for one in documents], near, merged=merged)

    def has(document: int, word: str, label: int) -> bool:
        words, labels = documents[document]
        given = np.sign(labels) if merged else labels
        return any(w == word and g == label for w, g in zip(words, given, strict=True))

    for i in range(12):
        ratios = []
        for j in near[i]:
            if j < 0:
                continue
            pairs = [
                (has(i, word, label), has(j, word, label))
                for word in "abcdef"
                for label in (-2, -1, 1, 2)
            ]
            joint = sum(a or b for a, b in pairs)
            ratios.append(sum(a and b for a, b in pairs) / joint if joint else 0.0)
        assert found[i] == pytest.approx(np.mean(ratios) if ratios else math.nan, nan_ok=True)
    some = neighbour_ious([words_by_label(*one) for one in documents], near[[7, 2]], [7, 2], merged)
    assert some == pytest.approx(found[[7, 2]])


def test_what_does_not_fit_is_refused():
    with pytest.raises(
        ValueError, match=r"Unknown labels \[3\]. Valid labels are: -2, -1, 0, 1, 2"
    ):
        words_by_label(("a",), (3,))
    with pytest.raises(ValueError, match="2 words need as many labels"):
        words_by_label(("a", "b"), (1,))
    with pytest.raises(ValueError, match="a row for each of 2"):
        neighbour_ious([FIRST, SECOND], np.zeros((1, 3), dtype=int))
