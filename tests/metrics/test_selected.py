"""Agreement and log-odds: a black box whose logit is a sum of word weights, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from xai_lib.metrics import agreement_between, log_odds, predict_selected
from xai_lib.metrics.selection import random_words


def flags(*values: int) -> np.ndarray:
    return np.array(values, dtype=bool)


def test_agreement_by_hand(box, four):
    # Whole: 1.25, class 1. good alone: 2, class 1. bad poor: class 0. fine poor: 0.25, class 1.
    first, second = flags(1, 0, 0, 0), flags(0, 1, 0, 1)
    third = np.stack([flags(0, 0, 1, 1), second])
    found = predict_selected(
        [four, four], {"a": [first, second], "b": [second, second], "draws": [third, third]}, box,
        keep=True, removal="drop",
    )  # fmt: skip
    assert len(box.requests) == 1
    assert found["a"].agreement().tolist() == [1.0, 0.0]
    assert found["b"].agreement().tolist() == [0.0, 0.0]
    assert found["draws"].agreement().tolist() == [0.5, 0.5]
    assert found["draws"].agreement(all_draws=True).tolist() == [0.0, 0.0]
    # Both: the first document's selections differ in class, the second's are the same.
    assert agreement_between(found["a"], found["b"]).tolist() == [0.0, 1.0]
    assert found["a"].counts.tolist() == [[1], [2]]
    assert found["a"].kept


def test_delta_log_odds_by_hand(box, four):
    # Class 1: the log-odds are the logit, and a removed word takes its weight along.
    first, second = flags(1, 0, 0, 0), flags(0, 1, 0, 1)
    draws = np.stack([first, second, flags(0, 0, 1, 0)])
    found = predict_selected(
        [four], {"a": [first], "b": [second], "draws": [draws]}, box, keep=False, removal="drop"
    )
    assert found["a"].delta_log_odds()[0] == pytest.approx(2.0)
    assert found["b"].delta_log_odds()[0] == pytest.approx(-1.25)
    assert found["draws"].delta_log_odds()[0] == pytest.approx((2.0 - 1.25 + 0.5) / 3)
    # Of class 0 it is the other way round: bad poor has logit -1.25 for class 1.
    two = box.instance("bad poor")
    found = predict_selected([two], {"a": [flags(1, 0)]}, box, keep=False, removal="drop")
    assert found["a"].delta_log_odds()[0] == pytest.approx(1.0)


def test_documents_without_a_choice_do_not_count(box, four):
    one = box.instance("good")
    selections = [flags(1, 1, 1, 1), flags(0, 0, 0, 0), flags(1, 0, 0, 0), flags(1)]
    documents = [four, four, four, one]
    found = predict_selected(documents, {"a": selections}, box, keep=True, removal="drop")["a"]
    assert found.partial.tolist() == [False, False, True, False]
    assert np.isnan(found.agreement()).tolist() == [True, True, False, True]
    assert np.isnan(found.delta_log_odds()).tolist() == [True, True, False, True]
    # Another method may say which documents count: nothing left is a tie, so class 0.
    where = flags(1, 1, 0, 0)
    assert found.agreement(where)[:2].tolist() == [1.0, 0.0]
    assert np.isnan(agreement_between(found, found)).tolist() == [True, True, False, True]
    assert agreement_between(found, found, where)[:2].tolist() == [1.0, 1.0]


def test_random_draws_are_averaged(box, four):
    draws = random_words(4, 2, 0, four.text)
    found = predict_selected([four], {"r": [draws]}, box, keep=True, removal="drop")["r"]
    weights = np.array([2.0, -1.0, 0.5, -0.25])
    alone = [float((weights * row).sum()) > 0 for row in draws]
    assert found.agreement()[0] == pytest.approx(np.mean(alone))
    assert found.agreement(all_draws=True)[0] == float(all(alone))


def test_the_mask_token_is_the_default(box, four):
    asked = []

    class Recorded:
        def predict_masked(self, instances, masks, removal):
            asked.append(removal)
            return box.predict_masked(instances, masks, "drop")

    predict_selected([four], {"a": [flags(1, 0, 0, 0)]}, Recorded(), keep=True)
    assert asked == ["mask"]


def test_log_odds():
    assert log_odds(np.array([0.5, 0.8])) == pytest.approx([0.0, math.log(4)])
    # Clipped at a millionth on both sides.
    limit = math.log(999999)
    sure = np.array([1.0, 1 - 1e-9, 0.0, 1e-9])
    assert log_odds(sure) == pytest.approx([limit, limit, -limit, -limit])
    # The released code: what rounds to one has log-odds 0, what does not has all it has.
    released = log_odds(np.array([1.0, 1 - 1e-9, 0.8, 1 - 1e-5]), saturated_zero=True)
    assert released[:3] == pytest.approx([0.0, 0.0, math.log(4)], abs=1e-6)
    assert released[3] == pytest.approx(math.log(99999), abs=1e-2)
    assert np.isfinite(log_odds(np.array([0.0]), saturated_zero=True)).all()


def test_saturation_turns_a_fall_into_a_rise(box):
    box.weights = {"sure": 30.0, "likely": 3.0}
    document = box.instance("sure likely")
    removed = predict_selected(
        [document], {"a": [flags(1, 0)]}, box, keep=False, removal="drop"
    )["a"]  # fmt: skip
    assert removed.delta_log_odds()[0] == pytest.approx(math.log(999999) - 3.0)
    assert removed.delta_log_odds(saturated_zero=True)[0] == pytest.approx(-3.0, abs=1e-5)


def test_what_does_not_fit_is_refused(box, four):
    good = flags(1, 0, 0, 0)
    cases = ([], [good, good], [flags(1, 0)])
    for some in cases:
        with pytest.raises(ValueError, match=r"'a'.*must have, for each of 1 documents"):
            predict_selected([four], {"a": some}, box, keep=True, removal="drop")
    with pytest.raises(ValueError, match=r"'a'.*as many draws"):
        predict_selected([four, four], {"a": [good, np.stack([good, good])]}, box, True, "drop")
    with pytest.raises(ValueError, match="must hold booleans"):
        predict_selected([four], {"a": [np.array([1.0, 0, 0, 0])]}, box, True, "drop")
    with pytest.raises(ValueError, match="must not be empty"):
        predict_selected([], {"a": []}, box, True)
    draws = predict_selected([four], {"a": [np.stack([good, good])]}, box, True, "drop")["a"]
    with pytest.raises(ValueError, match="one draw each"):
        agreement_between(draws, draws)
