from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xai_lib.metrics.faithfulness import Removal, prediction_change, removal_masks, remove_top
from xai_lib.models.function import as_classifier


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, dtype=float)))


def test_masks_of_four_words():
    masks = removal_masks(4, np.array([2, 0, 3, 1]), ks=(0, 1, 3, 9))
    assert masks.tolist() == [
        [True, True, True, True],
        [True, True, False, True],
        [False, True, False, False],
        [False, False, False, False],
    ]


def test_a_partial_ranking_spares_what_it_does_not_name():
    assert removal_masks(3, np.array([1]), ks=(5,)).tolist() == [[True, False, True]]
    assert removal_masks(3, np.array([], dtype=int), ks=(5,)).all()


def test_no_features():
    assert removal_masks(0, np.array([]), ks=(1, 2)).shape == (2, 0)


@pytest.mark.parametrize(
    "ranking, ks, message",
    [
        ([0, 0], (1,), "twice"),
        ([0, 4], (1,), "from 0 to 3"),
        ([-1], (1,), "from 0 to 3"),
        ([0.5], (1,), "feature indices"),
        ([[0]], (1,), "feature indices"),
        ([0], (-1,), "ks"),
        ([0], (1.5,), "ks"),
    ],
)
def test_invalid_rankings_and_ks(ranking, ks, message):
    with pytest.raises(ValueError, match=message):
        removal_masks(4, np.array(ranking), ks)


@given(st.permutations(range(6)), st.lists(st.integers(0, 9), min_size=1))
def test_masks_remove_k_and_are_nested(order, ks):
    masks = removal_masks(6, np.array(order), sorted(ks))
    assert (~masks).sum(axis=1).tolist() == [min(k, 6) for k in sorted(ks)]
    assert (masks[:-1] >= masks[1:]).all()


def test_change_by_hand(box, four):
    # Logits left: best first -0.75, -1.25 (fine gone), -0.25 (bad gone), 0: class 0 throughout.
    # Worst first: 1.5 (poor gone), 2.5 (bad gone), 2 (fine gone), 0 (a tie: class 0).
    changed = prediction_change(
        [four, four], [np.array([0, 2, 1, 3]), np.array([3, 1, 2, 0])], box, ks=(1, 2, 3, 4, 5)
    )
    assert changed.tolist() == [
        [True, True, True, True, True],
        [False, False, False, True, True],
    ]


def test_drop_by_hand(box, four):
    result = remove_top([four], {"m": [np.array([0, 2, 1, 3])]}, box, ks=(1, 3))["m"]
    assert result.predicted.tolist() == [1]
    np.testing.assert_allclose(
        result.drop, [sigmoid(1.25) - sigmoid([-0.75, -0.25])], rtol=0, atol=1e-15
    )
    assert result.probabilities.shape == (1, 2, 2)
    assert result.ks == (1, 3)


def test_drop_follows_the_class_of_each_text():
    result = Removal(
        original=np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]]),
        probabilities=np.array([[[0.1, 0.7, 0.2]], [[0.25, 0.25, 0.5]]]),
        ks=(1,),
    )
    np.testing.assert_allclose(result.drop, [[-0.2], [0.35]], atol=1e-15)
    assert result.changed.tolist() == [[False], [True]]


def test_ties_go_to_the_lowest_class():
    result = Removal(
        original=np.array([[0.5, 0.5], [0.3, 0.7]]),
        probabilities=np.array([[[0.5, 0.5]], [[0.5, 0.5]]]),
        ks=(1,),
    )
    assert result.predicted.tolist() == [0, 1]
    assert result.changed.tolist() == [[False], [True]]


def test_methods_share_one_request_and_the_whole_text(box, four):
    short = box.instance("bad poor")
    rankings = {
        "best": [np.array([0, 2, 1, 3]), np.array([1, 0])],
        "worst": [np.array([3, 1, 2, 0]), np.array([0, 1])],
    }
    results = remove_top([four, short], rankings, box, ks=(1, 2))
    assert len(box.requests) == 1
    assert [len(masks) for masks in box.requests[0]] == [1 + 2 * 2, 1 + 2 * 2]
    assert list(results) == ["best", "worst"]
    assert results["best"].original is results["worst"].original
    for method, ranked in rankings.items():
        alone = prediction_change([four, short], ranked, box, ks=(1, 2))
        assert results[method].changed.tolist() == alone.tolist()
    # bad poor: -1.25, class 0; without poor -1, without both 0: class 0 all along.
    assert results["best"].changed[1].tolist() == [False, False]


def test_text_without_words_never_changes(box):
    empty = box.instance(" ... ")
    assert empty.n_features == 0
    result = remove_top([empty], {"m": [np.array([], dtype=int)]}, box, ks=(1, 5))["m"]
    assert result.changed.tolist() == [[False, False]]
    assert result.drop.tolist() == [[0.0, 0.0]]


def test_on_a_classifier_of_the_library():
    classifier = as_classifier(
        lambda texts: np.array([[0.9, 0.1] if "good" in text else [0.2, 0.8] for text in texts]),
        classes=("yes", "no"),
    )
    instances = [classifier.instance(text) for text in ("good one", "a good good day", "bad")]
    rankings = [np.array([0, 1]), np.array([1, 2, 0, 3]), np.array([0])]
    changed = prediction_change(instances, rankings, classifier, ks=(1, 2))
    assert changed.tolist() == [[True, True], [False, True], [False, False]]


@pytest.mark.parametrize(
    "instances, rankings, ks, message",
    [
        (0, {"m": []}, (1,), "instances must not be empty"),
        (1, {}, (1,), "rankings must not be empty"),
        (1, {"m": [np.array([0])]}, (), "ks must not be empty"),
        (1, {"m": []}, (1,), r"rankings\['m'\] has 0 rankings for 1"),
    ],
)
def test_empty_or_unequal_input(box, four, instances, rankings, ks, message):
    with pytest.raises(ValueError, match=message):
        remove_top([four] * instances, rankings, box, ks)
