"""Labels of words, and the words that are selected for the black box."""

from __future__ import annotations

import numpy as np
import pytest

from xai_lib.experiments.l2e.asked import (
    as_many,
    ask,
    at_random,
    labelled,
    mean_defined,
    most_positive,
    ranked,
    selected_by,
)
from xai_lib.experiments.l2e.explained import labels, predicted_weights


def places(selection):
    return [np.flatnonzero(one).tolist() for one in selection]


def test_labels_of_a_teacher_are_cut_and_those_of_a_student_rounded(make_explained):
    explained = make_explained()
    # Of the first: the positive weights have mean 1.25; a single negative one is low.
    assert [labels(one).tolist() for one in explained.teachers["lime"]] == [
        [2, 1, 0, -1], [1, -1, -2, 2], [2, 1], [-1, 1, 2, 0], [1, -1, 2],
    ]  # fmt: skip
    student = explained.runs["lime", "labelling"][0]
    assert [labels(one).tolist() for one in student] == [
        [2, 0, 0, -1], [1, 0, 0, -2], [1, 1], [2, -1, -2, 1], [2, -1, 0],
    ]  # fmt: skip
    # The other row of a teacher is 10 higher.
    assert predicted_weights(explained.teachers["lime"][1]).tolist() == [0.4, -1, -2, 0.5]
    assert explained.predicted.tolist() == [1, 0, 1, 1, 0]
    assert explained.names == ["lime"]


def test_teachers_are_ranked_by_size_and_students_by_score(make_explained):
    explained = make_explained()
    teacher = explained.teachers["lime"]
    # 30 % rounded up: 2 of 4 words, 1 of 2.
    assert places(ranked(teacher, 3)) == [[0, 3], [1, 2], [0]]
    assert places(ranked(teacher, 3, "signed")) == [[0, 1], [0, 3], [0]]
    student = explained.runs["lime", "ranking"][0]
    assert places(ranked(student, 3)) == [[1, 2], [0, 1], [1]]
    assert places(selected_by(student, 2, "ranking")) == [[1, 2], [0, 1]]
    assert places(selected_by(teacher, 1, "ranking", "signed")) == [[0, 1]]


def test_words_by_label(make_explained):
    explained = make_explained()
    teacher, student = explained.teachers["lime"], explained.runs["lime", "labelling"][0]
    assert places(labelled(teacher, 3, "positive")) == [[0, 1], [0, 3], [0, 1]]
    assert places(labelled(teacher, 3, "negative")) == [[3], [1, 2], []]
    assert places(selected_by(student, 3, "positive")) == [[0], [0], [0, 1]]
    assert places(selected_by(student, 3, "negative")) == [[3], [3], []]
    # High ones where there are some, else low ones.
    assert places(most_positive(teacher, 3)) == [[0], [3], [0]]
    assert places(most_positive(student, 3)) == [[0], [0], [0, 1]]


def test_as_many_words_of_the_teacher_with_weights_above_0(make_explained):
    teacher = make_explained().teachers["lime"]
    wanted = [np.arange(4) < 3, np.arange(4) < 1, np.arange(2) < 0]
    # The first has two weights above 0, where three are wanted.
    assert places(as_many(teacher, wanted)) == [[0, 1], [3], []]


def test_random_words_are_as_many_and_drawn_for_each_text(make_explained):
    explained = make_explained(random_draws=9)
    wanted = [np.arange(4) < 2, np.arange(4) < 1, np.arange(2) < 2]
    found = at_random(explained, wanted)
    assert [one.shape for one in found] == [(9, 4), (9, 4), (9, 2)]
    assert [set(one.sum(axis=1).tolist()) for one in found] == [{2}, {1}, {2}]
    assert len({tuple(row) for row in found[0].tolist()}) > 1
    assert places(found[0]) == places(at_random(explained, wanted)[0])
    with pytest.raises(ValueError, match="zip"):
        at_random(explained, wanted[:2])


@pytest.mark.parametrize(("keep", "odds"), [(True, [2.5, 1.0, 3.0]), (False, [0.0, -1.5, 1.0])])
def test_words_are_kept_or_masked(make_explained, worth, keep, odds):
    explained = make_explained()
    found = ask(explained, {"": ranked(explained.teachers["lime"], 3)}, keep)[""]
    positive = found.probabilities[:, 0, 1]
    np.testing.assert_allclose(np.log(positive / (1 - positive)), odds, atol=1e-12)
    np.testing.assert_allclose(
        np.log(found.original[:, 1] / found.original[:, 0]), [2.5, -0.5, 4.0], atol=1e-12
    )


def test_students_are_averaged_where_they_are_defined():
    nan = np.nan
    found = mean_defined([np.array([1, nan, nan, 0]), np.array([3, 2, nan, 1])])
    np.testing.assert_array_equal(found, [2, 2, nan, 0.5])
