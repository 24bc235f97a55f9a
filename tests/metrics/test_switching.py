from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from xai_lib.metrics.faithfulness import Removal
from xai_lib.metrics.switching import remove_each, switching_points


def points(box, instances, rankings):
    removal = remove_each(instances, {"m": rankings}, box, "drop")["m"]
    return switching_points(removal, [one.n_features for one in instances])


def test_by_hand(box, four):
    # Class 1 with logit 1.25. good first: -0.75, switched with 1 of 4. poor first: 1.5, then bad
    # 2.5, then fine 2, then nothing left, a tie: class 0 with 4 of 4. fine first: 0.75, then good:
    # -1.25, 2 of 4.
    orders = [np.array([0, 1, 2, 3]), np.array([3, 1, 2, 0]), np.array([2, 0, 1, 3])]
    found = points(box, [four] * 3, orders)
    assert found.points.tolist() == [0.25, 1.0, 0.5]
    assert found.counts.tolist() == [1, 4, 2]
    assert found.switched.tolist() == [True, True, True]
    assert len(box.requests) == 1


def test_a_class_that_never_switches(box):
    # bad poor is class 0, and so is nothing.
    two = box.instance("bad poor")
    found = points(box, [two], [np.array([0, 1])])
    assert found.points.tolist() == [1.0]
    assert found.counts.tolist() == [2]
    assert found.switched.tolist() == [False]


def test_the_length_of_another_text_does_not_matter(box, four):
    # good bad: logit 1; without good -1. It has two words, and 1 of 2 goes.
    short = box.instance("bad good")
    found = points(box, [four, short], [np.array([3, 1, 2, 0]), np.array([1, 0])])
    assert found.points.tolist() == [1.0, 0.5]


def test_a_class_that_comes_back_has_switched(box):
    # Whole 0.75: 1. Without good -1.25: 0. Without bad too -0.25: 0. Left of fine is 0.5: class 1.
    three = box.instance("good bad fine poor")
    found = points(box, [three], [np.array([0, 1, 3, 2])])
    assert found.counts.tolist() == [1]
    assert found.switched.tolist() == [True]


def test_a_text_without_words(box, four):
    empty = box.instance("...")
    nothing = np.array([], dtype=int)
    for instances, rankings in (
        ([empty], [nothing]),
        ([empty, four], [nothing, np.array([0, 1, 2, 3])]),
    ):
        found = points(box, instances, rankings)
        assert (found.points[0], found.counts[0], found.switched[0]) == (1.0, 0, False)


def test_words_that_a_ranking_leaves_out_stay(box, four):
    found = points(box, [four], [np.array([3, 1])])
    assert found.points.tolist() == [1.0]
    assert found.switched.tolist() == [False]


def test_padding_is_the_default(box, four):
    asked = []

    class Recorded:
        def predict_masked(self, instances, masks, removal):
            asked.append(removal)
            return box.predict_masked(instances, masks, "drop")

    remove_each([four], {"m": [np.array([0, 1, 2, 3])]}, Recorded())
    assert asked == ["pad"]


def test_as_counted_one_by_one():
    """Every course that the answers of texts with 1 to 4 words can take."""
    courses = [list(flags) for n in range(1, 5) for flags in product([False, True], repeat=n)]
    # Answers stay the last ones once a text has no more words.
    rows = np.array([flags + flags[-1:] * (4 - len(flags)) for flags in courses])
    after = np.where(rows[..., None], [0.0, 1.0], [1.0, 0.0])
    original = np.tile([1.0, 0.0], (len(rows), 1))
    sizes = [len(flags) for flags in courses]
    found = switching_points(Removal(original, after, (1, 2, 3, 4)), sizes)
    for flags, point, switched in zip(courses, found.points, found.switched, strict=True):
        assert switched == (True in flags)
        assert point == ((flags.index(True) + 1) / len(flags) if True in flags else 1.0)


def test_ks_must_be_all_of_them():
    removal = Removal(np.ones((1, 2)) / 2, np.ones((1, 2, 2)) / 2, (1, 3))
    with pytest.raises(ValueError, match=r"ks must be 1, 2, ... up to 3: \(1, 3\)"):
        switching_points(removal, [3])
    with pytest.raises(ValueError, match="one number for each of 1 instances"):
        switching_points(removal, [3, 3])
