from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xai_lib.explanation import Explanation
from xai_lib.metrics.fidelity import (
    clip_to_distribution,
    hellinger2,
    reprediction_match,
    total_variation,
    tv_at_input,
)

positive = arrays(np.float64, (5, 4), elements=st.floats(1e-3, 1.0))


def explanation(instance, weights, probabilities=(0.25, 0.75), link="softmax", **more):
    return Explanation(
        text=instance.text,
        words=instance.features,
        spans=instance.spans,
        classes=("no", "yes"),
        probabilities=np.array(probabilities, dtype=float),
        predicted=int(np.argmax(probabilities)),
        weights=np.array(weights, dtype=float).reshape(2, -1),
        method="test",
        seed=0,
        model_calls=0,
        seconds=0.0,
        link=link,
        **more,
    )


def test_distances_by_hand():
    p, q = (
        np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]),
        np.array([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0]]),
    )
    np.testing.assert_allclose(total_variation(p, q), [0.5, 1.0], atol=1e-15)
    # 1 - (sqrt(.5 .2) + sqrt(.5 .3)) = 1 - 0.31622777 - 0.38729833
    np.testing.assert_allclose(hellinger2(p, q), [0.2964739, 1.0], atol=1e-7)
    assert total_variation(p[0], q[0]).shape == ()


@given(positive, positive)
def test_distances_are_bounded_and_ordered(p, q):
    p, q = (x / x.sum(axis=1, keepdims=True) for x in (p, q))
    tv, h2 = total_variation(p, q), hellinger2(p, q)
    assert ((tv >= 0) & (tv <= 1)).all()
    np.testing.assert_allclose(h2, 1 - np.sqrt(p * q).sum(axis=1), atol=1e-12)
    # Le Cam: H^2 <= TV <= sqrt(H^2 (2 - H^2)).
    assert (h2 <= tv + 1e-12).all()
    assert (tv <= np.sqrt(h2 * (2 - h2)) + 1e-9).all()
    np.testing.assert_array_equal(tv, total_variation(q, p))
    np.testing.assert_array_equal(total_variation(p, p), np.zeros(5))


@pytest.mark.parametrize(
    "p, q",
    [([[0.5, 0.5]], [[1.0]]), (1.0, 1.0), (np.empty((2, 0)), np.empty((2, 0))), ([np.nan], [1.0])],
)
def test_distances_refuse_what_cannot_be_compared(p, q):
    for distance in (total_variation, hellinger2):
        with pytest.raises(ValueError, match="p and q"):
            distance(np.array(p), np.array(q))


def test_hellinger_refuses_negative_values():
    with pytest.raises(ValueError, match="negative"):
        hellinger2(np.array([-0.1, 1.1]), np.array([0.5, 0.5]))


def test_clip_to_distribution():
    rows = np.array([[-0.2, 0.3, 0.9], [0.2, 0.3, 0.5], [-1.0, 0.0, -2.0]])
    np.testing.assert_allclose(
        clip_to_distribution(rows), [[0, 0.25, 0.75], [0.2, 0.3, 0.5], [1 / 3] * 3], atol=1e-15
    )


def test_tv_at_the_input_by_hand(four):
    # Row 1 sums to ln 3, row 0 to 0: softmax gives 1/4, 3/4, the black box says 0.35, 0.65.
    fits = explanation(four, [[0] * 4, [np.log(3), 1, -1, 0]], (0.25, 0.75))
    misses = explanation(four, [[0] * 4, [np.log(3), 0, 0, 0]], (0.35, 0.65))
    np.testing.assert_allclose(tv_at_input([fits, misses]), [0.0, 0.1], atol=1e-15)


def test_tv_of_a_linear_surrogate(four):
    # Its row is -0.1, 0.9; clipped and divided by the sum 0, 1.
    linear = explanation(
        four,
        [[-0.6, 0, 0, 0], [0.4, 0, 0, 0]],
        (0.2, 0.8),
        link="identity",
        intercept=np.array([0.5, 0.5]),
    )
    np.testing.assert_allclose(tv_at_input([linear]), [0.2], atol=1e-15)
    np.testing.assert_allclose(tv_at_input([linear], normalise=True), [0.2], atol=1e-15)
    over = explanation(
        four, [[0.1] * 4, [0.4] * 4], (0.2, 0.8), link="identity", intercept=np.zeros(2)
    )
    # Its row is 0.4, 1.6: half the L1 distance to 0.2, 0.8 is 0.5; divided by 2 it is exact.
    np.testing.assert_allclose(tv_at_input([over]), [0.5], atol=1e-15)
    np.testing.assert_allclose(tv_at_input([over], normalise=True), [0.0], atol=1e-15)


def test_tv_without_words(box):
    empty = explanation(box.instance(""), [], (0.3, 0.7))
    np.testing.assert_allclose(tv_at_input([empty]), [0.2], atol=1e-15)  # softmax of nothing


def test_reprediction_by_hand(box, four):
    # The surrogate knows good and bad only. The black box: see test_faithfulness.
    weights = [[0] * 4, [2, -1, 0, 0]]
    ranked = explanation(four, weights)
    # k=1: good gone, surrogate -1, box -0.75: 0 and 0. k=2: good, bad gone, surrogate 0 (tie: 0),
    # box 0.25: 1. k=3: also fine: 0 and -0.25. k=4: 0 and 0.
    match = reprediction_match([ranked], [four], box, ks=(1, 2, 3, 4, 9))
    assert match.tolist() == [[True, False, True, True, True]]


def test_the_exact_surrogate_always_matches(box):
    instances = [box.instance(t) for t in ("good bad fine poor", "poor bad", "fine", "")]
    exact = [
        explanation(i, [[0] * i.n_features, [box.weights[w] for w in i.features]])
        for i in instances
    ]
    assert reprediction_match(exact, instances, box).all()
    assert len(box.requests) == 1


def test_a_method_of_one_class_is_refused(four, box):
    one = explanation(four, [[np.nan] * 4, [1, 0, 0, 0]])
    with pytest.raises(ValueError, match="explains all classes"):
        tv_at_input([one])
    with pytest.raises(ValueError, match="explains all classes"):
        reprediction_match([one], [four], box)


def test_a_method_without_surrogate_is_refused(four):
    with pytest.raises(ValueError, match="test"):
        tv_at_input([explanation(four, [[0] * 4, [1, 0, 0, 0]], link=None)])


def test_empty_or_unequal_input(box, four):
    fine = explanation(four, [[0] * 4, [1, 0, 0, 0]])
    with pytest.raises(ValueError, match="explanations must not be empty"):
        tv_at_input([])
    with pytest.raises(ValueError, match="explanations must not be empty"):
        reprediction_match([], [], box)
    with pytest.raises(ValueError, match="ks must not be empty"):
        reprediction_match([fine], [four], box, ks=())
    with pytest.raises(ValueError, match="1 explanations for 2 instances"):
        reprediction_match([fine], [four, four], box)
    with pytest.raises(ValueError, match="4 features was given for an instance of 2"):
        reprediction_match([fine], [box.instance("good bad")], box)
