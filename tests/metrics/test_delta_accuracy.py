from __future__ import annotations

import numpy as np
import pytest

from xai_lib.metrics.delta_accuracy import (
    DeltaAccuracy,
    accuracy_loss,
    delta_accuracy,
    random_rankings,
)
from xai_lib.metrics.faithfulness import Removal, remove_top
from xai_lib.text import make_instance

# Three texts, two removals, two classes; predicted at first 0, 1, 0.
ORIGINAL = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
AFTER = np.array(
    [
        [[0.4, 0.6], [0.7, 0.3]],  # 1, then 0 again
        [[0.3, 0.7], [0.5, 0.5]],  # 1, then a tie, which goes to 0
        [[0.1, 0.9], [0.2, 0.8]],  # 1, 1
    ]
)
REMOVAL = Removal(ORIGINAL, AFTER, (1, 3))


def test_against_gold_labels_by_hand():
    found = delta_accuracy(REMOVAL, np.array([0, 1, 1]))
    # The third text was wrong and becomes right.
    assert found.values.tolist() == [[1, 0], [0, 1], [-1, -1]]
    assert found.ks == (1, 3)
    # Accuracy 2/3 before; 2/3 after one word, 2/3 after three.
    np.testing.assert_allclose(found.curve, [0, 0])
    np.testing.assert_allclose(found.of_texts, [0.5, 0.5, -1])
    assert found.mean == 0


def test_against_the_models_own_predictions_by_hand():
    found = delta_accuracy(REMOVAL)
    assert found.values.tolist() == [[1, 0], [0, 1], [1, 1]]
    np.testing.assert_allclose(found.curve, [2 / 3, 2 / 3])
    assert found.mean == pytest.approx(2 / 3)
    np.testing.assert_array_equal(found.values, REMOVAL.changed)


def test_always_wrong_texts_change_nothing():
    labels = np.array([2, 2])
    original = np.eye(3)[[0, 1]]
    after = np.eye(3)[[[1], [0]]]
    assert accuracy_loss(original, after, labels).tolist() == [[0], [0]]
    assert accuracy_loss(original, after).tolist() == [[1], [1]]


def test_random_removal_as_the_zero():
    found = delta_accuracy(REMOVAL, np.array([0, 1, 0]))  # [[1, 0], [0, 1], [1, 1]]
    floors = [
        DeltaAccuracy(np.array([[1.0, 0], [0, 0], [0, 0]]), (1, 3)),
        DeltaAccuracy(np.array([[0.0, 0], [0, 0], [-1, 1]]), (1, 3)),
    ]
    beyond = found.beyond(floors)
    assert beyond.values.tolist() == [[0.5, 0], [0, 1], [1.5, 0.5]]
    np.testing.assert_allclose(beyond.curve, [2 / 3, 0.5])
    assert beyond.ks == (1, 3)


def test_curve_of_a_known_black_box(box, four):
    # Logits of "good bad fine poor": 1.25, class 1. Removing good, fine, poor, bad in turn:
    # -0.75, -1.25, -1, 0, all class 0. The other order, bad first: 2.25, 2.5, 2, 0.
    best, worst = np.array([0, 2, 3, 1]), np.array([1, 3, 2, 0])
    found = remove_top([four], {"best": [best], "worst": [worst]}, box, ks=(0, 1, 2, 3, 4, 9))
    gold = np.array([1])
    assert delta_accuracy(found["best"], gold).curve.tolist() == [0, 1, 1, 1, 1, 1]
    assert delta_accuracy(found["worst"], gold).curve.tolist() == [0, 0, 0, 0, 1, 1]
    # Against the other label the model is wrong at first, and right once the class has changed.
    assert delta_accuracy(found["best"], np.array([0])).curve.tolist() == [0, -1, -1, -1, -1, -1]


def test_random_rankings_are_orders_that_only_seed_and_text_decide():
    instances = [make_instance(text) for text in ("a b c d e f g h", "", "x y z u v w q r")]
    found = random_rankings(instances, seed=3)
    assert [sorted(one.tolist()) for one in found] == [list(range(8)), [], list(range(8))]
    again = random_rankings(instances[::-1], seed=3)[::-1]
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert found[0].tolist() != found[2].tolist()
    assert found[0].tolist() != random_rankings(instances, seed=4)[0].tolist()


def test_every_feature_comes_first_equally_often():
    one = make_instance("a b c d")
    first = [random_rankings([one], seed)[0][0] for seed in range(2000)]
    # A share of 1/4 of 2000 has a standard error of 19.4.
    assert np.abs(np.bincount(first) - 500).max() < 4 * 19.4


@pytest.mark.parametrize(
    ("original", "after", "labels", "message"),
    [
        (np.empty((0, 2)), np.empty((0, 1, 2)), None, "none of them 0"),
        (np.ones((1, 2)), np.empty((1, 0, 2)), None, "none of them 0"),
        (np.ones(2), np.ones((1, 1, 2)), None, r"shape \(n, C\)"),
        (np.ones((2, 2)), np.ones((1, 1, 2)), None, "do not fit"),
        (np.ones((1, 2)), np.ones((1, 1, 3)), None, "do not fit"),
        (np.ones((2, 2)), np.ones((2, 1, 2)), np.array([0]), "labels must be 2 whole numbers"),
        (np.ones((1, 2)), np.ones((1, 1, 2)), np.array([0.5]), "labels must be 1 whole numbers"),
        (np.ones((1, 2)), np.ones((1, 1, 2)), np.array([2]), "from 0 to 1"),
        (np.ones((1, 2)), np.ones((1, 1, 2)), np.array([-1]), "from 0 to 1"),
    ],
)
def test_wrong_input(original, after, labels, message):
    with pytest.raises(ValueError, match=message):
        accuracy_loss(original, after, labels)


def test_wrong_baselines():
    found = delta_accuracy(REMOVAL)
    with pytest.raises(ValueError, match="must not be empty"):
        found.beyond([])
    with pytest.raises(ValueError, match=r"3 texts and ks \(1, 2\), not 3 and \(1, 3\)"):
        found.beyond([DeltaAccuracy(found.values, (1, 2))])
    with pytest.raises(ValueError, match="2 texts"):
        found.beyond([DeltaAccuracy(found.values[:2], (1, 3))])
