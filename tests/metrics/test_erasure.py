from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from xai_lib.metrics.erasure import remove_shares, share_counts


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, dtype=float)))


class Recorded:
    """Passes requests on to a box that knows one removal only, and notes which was asked for."""

    def __init__(self, box):
        self.box, self.removals = box, []

    def predict_masked(self, instances, masks, removal):
        self.removals.append(removal)
        return self.box.predict_masked(instances, masks, "drop")


def test_counts_are_rounded_up():
    # AG News has 20 words: 15, 21, 28, 34, 40 % of them are 3, 4.2, 5.6, 6.8, 8.
    assert share_counts(20, (0.15, 0.21, 0.28, 0.34, 0.40)) == (3, 5, 6, 7, 8)
    assert share_counts(50, (0.10, 0.13, 0.16, 0.20, 0.23)) == (5, 7, 8, 10, 12)


def test_counts_at_the_ends():
    assert share_counts(4, (0, 0.001, 1)) == (0, 1, 4)
    assert share_counts(1, (0.1,)) == (1,)
    assert share_counts(3, (1e-12,)) == (1,)
    assert share_counts(0, (0, 0.5, 1)) == (0, 0, 0)
    assert 0.07 * 100 > 7
    assert share_counts(100, (0.07,)) == (7,)


@pytest.mark.parametrize(
    "n, shares, message",
    [(-1, (0.5,), "n_features"), (4, (1.01,), "shares"), (4, (-0.1,), "shares")],
)
def test_invalid_counts(n, shares, message):
    with pytest.raises(ValueError, match=message):
        share_counts(n, shares)


def test_comprehensiveness_by_hand(box, four):
    # Ranking good, fine, poor, bad. A quarter: good goes, logit -0.75. 30 % are two words: good
    # and fine go, -1.25. All go: 0.
    found = remove_shares([four], {"m": [np.array([0, 2, 3, 1])]}, box, (0.25, 0.3, 1), "drop")["m"]
    assert found.counts.tolist() == [[1, 2, 4]]
    assert found.shares == (0.25, 0.3, 1.0)
    assert not found.kept
    drop = sigmoid(1.25) - sigmoid([-0.75, -1.25, 0])
    np.testing.assert_allclose(found.drop, [drop], rtol=0, atol=1e-15)
    np.testing.assert_allclose(found.aopc, [drop.sum() / 3], rtol=0, atol=1e-15)


def test_sufficiency_by_hand(box, four):
    # What is left: good, 2; good and fine, 2.5; the whole text, 1.25.
    ranking = {"m": [np.array([0, 2, 3, 1])]}
    found = remove_shares([four], ranking, box, (0.25, 0.3, 1), "drop", keep=True)["m"]
    assert found.kept
    drop = sigmoid(1.25) - sigmoid([2, 2.5, 1.25])
    np.testing.assert_allclose(found.drop, [drop], rtol=0, atol=1e-15)
    np.testing.assert_allclose(found.aopc, [drop.mean()], rtol=0, atol=1e-15)


def test_the_two_curves_of_ldav_by_hand(box, four):
    # Class 1 is predicted. Without poor: 1.5, class 1; without poor and bad: 2.5, class 1;
    # without all four a tie, class 0.
    ranking = {"m": [np.array([3, 1, 2, 0])]}
    found = remove_shares([four], ranking, box, (0, 0.25, 0.5, 1), "drop")["m"]
    assert found.retained.tolist() == [[True, True, True, False]]
    logs = np.log(sigmoid([1.25, 1.5, 2.5, 0]) / sigmoid(1.25))
    np.testing.assert_allclose(found.log_ratio, [logs], rtol=0, atol=1e-14)


def test_a_log_ratio_is_finite(box, four):
    box.weights |= {"good": 60.0, "bad": -30.0}
    ranking = {"m": [np.array([0, 1, 2, 3])]}
    found = remove_shares([four], ranking, box, (0.25,), "drop")["m"]
    # The logit falls from 30.25 to -29.75, whose probability of 1e-13 counts as 1e-12.
    np.testing.assert_allclose(found.log_ratio, [[np.log(1e-12)]], rtol=1e-12)


def test_methods_and_lengths_share_one_request(box, four):
    short = box.instance("poor bad")
    rankings = {
        "first": [np.array([0, 1, 2, 3]), np.array([0, 1])],
        "second": [np.array([3, 2, 1, 0]), np.array([1, 0])],
    }
    found = remove_shares([four, short], rankings, box, (0.5, 0.6), "drop")
    assert len(box.requests) == 1
    assert found["first"].counts.tolist() == [[2, 3], [1, 2]]
    whole, *cut = box.requests[0][1]
    assert whole.tolist() == [True, True]
    # poor goes, both go; bad goes, both go.
    assert np.array(cut).tolist() == [[False, True], [False, False], [True, False], [False, False]]
    # bad poor has logit -1.25, class 0; left are bad -1 and nothing, then poor -0.25 and nothing.
    before = sigmoid(1.25)
    np.testing.assert_allclose(found["first"].drop[1], before - sigmoid([1, 0]), atol=1e-15)
    np.testing.assert_allclose(found["second"].drop[1], before - sigmoid([0.25, 0]), atol=1e-15)


def test_words_become_padding_unless_told_otherwise(box, four):
    recorded = Recorded(box)
    remove_shares([four], {"m": [np.array([0, 1, 2, 3])]}, recorded, (0.5,))
    assert recorded.removals == ["pad"]


def test_a_text_without_words(box):
    empty = box.instance("...")
    none = {"m": [np.array([], dtype=int)]}
    for keep in (False, True):
        found = remove_shares([empty], none, box, (0.1, 1), "drop", keep)["m"]
        assert found.aopc.tolist() == [0.0]
        assert found.retained.all()


def test_removed_and_kept_words_are_complements(box):
    three = box.instance("good bad fine")
    shares = (0, 0.2, 1 / 3, 0.5, 0.9, 1)
    for order in permutations(range(3)):
        ranking = {"m": [np.array(order)]}
        gone = remove_shares([three], ranking, box, shares, "drop")["m"]
        kept = remove_shares([three], ranking, box, shares, "drop", keep=True)["m"]
        # The logits of the two halves add up to that of the whole, which is 1.5.
        logits = [np.log(r.probabilities[0, :, 1] / r.probabilities[0, :, 0]) for r in (gone, kept)]
        np.testing.assert_allclose(sum(logits), 1.5, rtol=0, atol=1e-12)
        assert gone.counts.tolist() == kept.counts.tolist() == [[0, 1, 1, 2, 3, 3]]


@pytest.mark.parametrize(
    "instances, rankings, shares, message",
    [
        (0, {"m": []}, (0.1,), "instances must not be empty"),
        (1, {}, (0.1,), "rankings must not be empty"),
        (1, {"m": [np.array([0])]}, (), "shares must not be empty"),
        (1, {"m": []}, (0.1,), r"rankings\['m'\] has 0 rankings for 1"),
        (1, {"m": [np.array([0])]}, (10,), "shares must be from 0 to 1: 10"),
    ],
)
def test_invalid_input(box, four, instances, rankings, shares, message):
    with pytest.raises(ValueError, match=message):
        remove_shares([four] * instances, rankings, box, shares)
