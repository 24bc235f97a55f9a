"""Which words are selected: small cases written out."""

from __future__ import annotations

import numpy as np
import pytest

from xai_lib.metrics import selection as s

WEIGHTS = np.array([0.5, -2.0, 0.0, 1.5, 0.5, -0.1])


def chosen(mask: np.ndarray) -> list[int]:
    return np.flatnonzero(mask).tolist()


def test_the_largest_weights():
    assert chosen(s.top_words(WEIGHTS, 2)) == [0, 3]
    assert chosen(s.top_words(WEIGHTS, 2, "abs")) == [1, 3]
    assert chosen(s.top_words(WEIGHTS, 9)) == list(range(6))
    assert chosen(s.top_words(WEIGHTS, 0)) == []
    # 0.3 of 6 words is 2, of 10 words 3 and not 4, of 11 words 4, of 1 word 1.
    assert chosen(s.top_share(WEIGHTS)) == [0, 3]
    assert chosen(s.top_share(WEIGHTS, order="abs")) == [1, 3]
    assert [s.top_share(np.zeros(n)).sum() for n in (0, 1, 10, 11)] == [0, 1, 3, 4]
    assert chosen(s.top_share(np.zeros(10))) == [0, 1, 2]


def test_words_of_one_sign():
    assert chosen(s.top_positive(WEIGHTS, 2)) == [0, 3]
    # There are three above zero, and two below.
    assert chosen(s.top_positive(WEIGHTS, 5)) == [0, 3, 4]
    assert chosen(s.top_negative(WEIGHTS, 1)) == [1]
    assert chosen(s.top_negative(WEIGHTS, 5)) == [1, 5]


def test_words_by_label():
    labels = np.array([2, 1, 0, -1, -2, 2])
    assert chosen(s.high_positive(labels)) == [0, 5]
    assert chosen(s.high_positive(np.array([1, 0, 1, -2]))) == [0, 2]
    assert chosen(s.high_positive(np.array([0, -1]))) == []
    assert chosen(s.positive(labels)) == [0, 1, 5]
    assert chosen(s.negative(labels)) == [3, 4]
    all_positive = np.array([1, 2, 1])
    assert chosen(s.positive(all_positive)) == [0, 1, 2]
    assert chosen(s.positive(all_positive, not_all=True)) == [1]
    assert chosen(s.positive(labels, not_all=True)) == [0, 1, 5]


def test_a_teacher_has_as_many_words_as_the_student():
    student = np.array([1, 2, -1, 0, 0, 0])
    assert s.matched_labels(student, WEIGHTS).tolist() == [2, -2, 0, 2, 0, 0]
    # It has no more than it has.
    assert s.matched_labels(np.array([2, 2, 2, 2, -2, 0]), WEIGHTS).tolist() == [2, -2, 0, 2, 2, 0]
    assert s.matched_labels(np.zeros(6, dtype=int), WEIGHTS).tolist() == [0] * 6


def test_as_many_words_for_a_rationale():
    keep = np.array([True, True, False, False, True, True])
    labels = np.array([2, 0, 0, 2, 1, 2])
    student, teacher = s.rationale_selections(labels, WEIGHTS, keep)
    # High positive and no stop word: 0 and 5. Of the words that count 0 and 4 weigh most.
    assert (chosen(student), chosen(teacher)) == ([0, 5], [0, 4])
    # Of all words 3 and 0 weigh most, and 3 does not count: the teacher is left with one.
    student, teacher = s.rationale_selections(labels, WEIGHTS, keep, released=True)
    assert (chosen(student), chosen(teacher)) == ([0, 5], [0])
    # Where no high positive word counts, the low positive ones do.
    student, teacher = s.rationale_selections(np.array([0, 0, 0, 2, 1, 0]), WEIGHTS, keep)
    assert (chosen(student), chosen(teacher)) == ([4], [0])


def test_random_words_depend_on_what_is_asked():
    found = s.random_words(9, 4, 0, "a text")
    assert found.shape == (5, 9)
    assert found.sum(axis=1).tolist() == [4] * 5
    assert len({tuple(row) for row in found}) > 1
    assert np.array_equal(found[:2], s.random_words(9, 4, 0, "a text", draws=2))
    assert not np.array_equal(found, s.random_words(9, 4, 1, "a text"))
    assert not np.array_equal(found, s.random_words(9, 4, 0, "another text"))
    assert s.random_words(3, 3, 0, "x").all()
    assert not s.random_words(3, 0, 0, "x").any()
    # Each word is as likely: 2000 draws of 2 of 4, each 1000 times, give or take 5 sd of 22.
    often = s.random_words(4, 2, 0, "x", draws=2000).sum(axis=0)
    assert np.abs(often - 1000).max() < 112


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="weights must be finite"):
        s.top_words(np.array([np.nan]), 1)
    with pytest.raises(ValueError, match="unknown order 'big'; valid: signed, abs"):
        s.top_words(WEIGHTS, 1, "big")
    with pytest.raises(ValueError, match="count must be 0 or more"):
        s.top_words(WEIGHTS, -1)
    with pytest.raises(ValueError, match="Cannot select 3 of 2 words"):
        s.random_words(2, 3, 0, "x")
