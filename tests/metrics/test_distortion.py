from __future__ import annotations

import numpy as np
import pytest

from xai_lib.metrics.distortion import distort_head, distortion_curve, head_probabilities
from xai_lib.rng import generator

WEIGHT = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
BIAS = np.array([0.0, 0.0, 1.0])


def test_probabilities_by_hand():
    # Logits 0, ln 2, 0 + bias ln 3 - so 1 : 2 : 3.
    p = head_probabilities(np.array([[0.0, np.log(2)]]), WEIGHT, np.array([0.0, 0.0, np.log(3)]))
    np.testing.assert_allclose(p, [[1 / 6, 2 / 6, 3 / 6]], atol=1e-15)
    np.testing.assert_allclose(head_probabilities(np.zeros((2, 2)), WEIGHT), np.full((2, 3), 1 / 3))


def test_large_logits_do_not_overflow():
    p = head_probabilities(np.array([[2000.0, 1999.0]]), WEIGHT)
    e = np.exp(-1)
    np.testing.assert_allclose(p, [[1 / (1 + e), e / (1 + e), 0]], atol=1e-15)


def test_noise_is_added_to_the_weights_only():
    noise = generator(0, "test").standard_normal((3, 2))
    weight, bias = distort_head(WEIGHT, BIAS, 0.5, generator(0, "test"))
    np.testing.assert_array_equal(weight, WEIGHT + 0.5 * noise)
    np.testing.assert_array_equal(bias, BIAS)
    assert WEIGHT[0, 0] == 1.0


def test_noise_on_the_bias_is_an_option():
    rng = generator(0, "test")
    noise, bias_noise = rng.standard_normal((3, 2)), rng.standard_normal(3)
    weight, bias = distort_head(WEIGHT, BIAS, 2.0, generator(0, "test"), include_bias=True)
    np.testing.assert_array_equal(weight, WEIGHT + 2 * noise)
    np.testing.assert_array_equal(bias, BIAS + 2 * bias_noise)
    assert distort_head(WEIGHT, None, 1.0, generator(0, "test"), include_bias=True)[1] is None


def test_no_noise_changes_nothing():
    weight, bias = distort_head(WEIGHT, BIAS, 0.0, generator(0, "test"))
    np.testing.assert_array_equal(weight, WEIGHT)
    np.testing.assert_array_equal(bias, BIAS)


def test_the_noise_has_the_standard_deviation_asked_for():
    weight, _ = distort_head(np.zeros((100, 400)), None, 0.3, generator(0, "test"))
    # The standard error of a standard deviation of 40 000 draws is 0.3 / sqrt(80 000) = 0.00106.
    assert abs(weight.std() - 0.3) < 4 * 0.00106
    assert abs(weight.mean()) < 4 * 0.3 / 200


def test_curve_by_hand():
    features = np.array([[np.log(2), 0.0], [0.0, np.log(4)]])
    swapped = (WEIGHT[[1, 0, 2]], None)
    curve = distortion_curve(
        features,
        np.array([0, 1]),
        (WEIGHT, None),
        {0.0: [(WEIGHT, None), (WEIGHT, None)], 1.0: [swapped, (WEIGHT, None)]},
    )
    assert curve.sigmas.tolist() == [0.0, 1.0]
    assert curve.correct.tolist() == [[[True, True], [True, True]], [[False, False], [True, True]]]
    # 2:1:1 becomes 1:2:1, distance 1/4; 1:4:1 becomes 4:1:1, distance 3/6.
    np.testing.assert_allclose(
        curve.total_variation, [[[0, 0], [0, 0]], [[0.25, 0.5], [0, 0]]], atol=1e-15
    )


@pytest.mark.parametrize("sigma", [-0.1, np.nan, np.inf])
def test_refused_sigma(sigma):
    with pytest.raises(ValueError, match="sigma"):
        distort_head(WEIGHT, BIAS, sigma, generator(0))


def test_refused_shapes():
    with pytest.raises(ValueError, match="weight must have shape"):
        distort_head(np.zeros(3), None, 1.0, generator(0))
    with pytest.raises(ValueError, match=r"bias must have shape \(3,\)"):
        distort_head(WEIGHT, np.zeros(2), 1.0, generator(0))
    with pytest.raises(ValueError, match=r"features must have shape \(n, 2\)"):
        head_probabilities(np.zeros((1, 3)), WEIGHT)


def test_refused_curves():
    x, y, head = np.zeros((2, 2)), np.array([0, 1]), (WEIGHT, BIAS)
    with pytest.raises(ValueError, match="features must not be empty"):
        distortion_curve(np.zeros((0, 2)), np.array([]), head, {0.0: [head]})
    with pytest.raises(ValueError, match=r"labels must have shape \(2,\)"):
        distortion_curve(x, y[:1], head, {0.0: [head]})
    for damaged in ({}, {0.0: []}, {0.0: [head], 1.0: [head, head]}):
        with pytest.raises(ValueError, match="same number of damaged layers"):
            distortion_curve(x, y, head, damaged)
