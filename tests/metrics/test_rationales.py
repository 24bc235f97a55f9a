"""Words selected against words marked: counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from xai_lib.metrics import RationaleScore, content_words, rationale_score, stop_words


def test_by_hand():
    selected = np.array([1, 1, 0, 0, 1], dtype=bool)
    rationale = np.array([0, 1, 1, 0, 1], dtype=bool)
    # Two of three, and two of three.
    assert rationale_score(selected, rationale) == RationaleScore(
        2 / 3, 2 / 3, pytest.approx(2 / 3)
    )
    # Without the last word: one of two, one of two; without the first too: one of one, one of two.
    keep = np.array([1, 1, 1, 1, 0], dtype=bool)
    assert rationale_score(selected, rationale, keep) == RationaleScore(0.5, 0.5, 0.5)
    keep[0] = False
    assert rationale_score(selected, rationale, keep) == RationaleScore(
        1.0, 0.5, pytest.approx(2 / 3)
    )


def test_nothing_selected_or_marked():
    some, none = np.array([True, False]), np.array([False, False])
    nothing = RationaleScore(0.0, 0.0, 0.0)
    assert rationale_score(none, some) == nothing
    assert rationale_score(some, none) == nothing
    assert rationale_score(some, ~some) == nothing
    assert rationale_score([], []) == nothing
    # Words that do not count are selected by neither.
    assert rationale_score(some, some, ~some) == nothing


def test_stop_words_and_contractions():
    text = "The film's plot isn't very I'm don’t can't it's good won't"
    assert content_words(text.split()).tolist() == [
        False, True, True, False, False, False, False, False, False, True, False,
    ]  # fmt: skip
    assert content_words(()).shape == (0,)
    assert len(stop_words()) == 318


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="must be of one length"):
        rationale_score([True], [True, False])
    with pytest.raises(ValueError, match="must be of one length"):
        rationale_score([True], [True], [True, False])
