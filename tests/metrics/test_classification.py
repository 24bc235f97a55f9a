from __future__ import annotations

import numpy as np
import pytest

from xai_lib.metrics.classification import (
    expected_calibration_error,
    macro_f1,
    macro_f1_with_empty,
)

# Class 0: 2 right, 1 missed, 1 too many: F1 = 4/6. Class 1: 1 right, 1 missed, 1 too many: 2/4.
# Class 2: 1 right, nothing else: 1.
LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 0, 2])


def test_macro_f1_by_hand():
    assert macro_f1(LABELS, PREDICTED, 3) == pytest.approx((2 / 3 + 1 / 2 + 1) / 3, abs=1e-15)


def test_a_class_that_does_not_occur_counts_as_zero():
    without = macro_f1(LABELS, PREDICTED, 3)
    assert macro_f1(LABELS, PREDICTED, 4) == pytest.approx(without * 3 / 4, abs=1e-15)
    assert macro_f1_with_empty(without, 3, 4) == pytest.approx(without * 3 / 4, abs=1e-15)


def test_a_class_that_is_only_predicted_counts_as_zero():
    # Class 0: 1 right, 1 missed: 2/3.
    assert macro_f1(np.array([0, 0]), np.array([0, 1]), 2) == pytest.approx(1 / 3, abs=1e-15)


def test_fourteen_of_fifteen_classes():
    """Labels from 1 to 14 in a network with 15 outputs, as the LDAV paper must have had them."""
    labels = np.repeat(np.arange(14), 50)
    predicted = labels.copy()
    predicted[::50] = (labels[::50] + 1) % 14  # Of each class one goes to the next: F1 = 49/50.
    assert macro_f1(labels, predicted, 14) == pytest.approx(0.98, abs=1e-15)
    shifted = macro_f1(labels + 1, predicted + 1, 15)
    assert shifted == pytest.approx(0.98 * 14 / 15, abs=1e-15)
    assert macro_f1_with_empty(0.98, 14, 15) == pytest.approx(shifted, abs=1e-15)


@pytest.mark.parametrize(
    "labels, predicted, n, message",
    [
        ([], [], 2, "labels must be"),
        ([0, 1], [0], 2, "one shape"),
        ([0, 2], [0, 1], 2, "labels must be from 0 to 1"),
        ([0, 1], [0, -1], 2, "predicted must be from 0 to 1"),
        ([0.0, 1.0], [0, 1], 2, "whole numbers"),
    ],
)
def test_invalid_classes(labels, predicted, n, message):
    with pytest.raises(ValueError, match=message):
        macro_f1(np.array(labels), np.array(predicted), n)


def test_invalid_number_of_empty_classes():
    with pytest.raises(ValueError, match="n_classes <= n_counted: 15, 14"):
        macro_f1_with_empty(0.5, 15, 14)


def test_calibration_by_hand():
    # Four bins. Confidence 0.6 and 0.7 (bin 3 of 4), right and wrong: |1 - 1.3| = 0.3.
    # Confidence 0.9 and 1.0 (bin 4), both right: |2 - 1.9| = 0.1. Together 0.4 of 4 texts.
    p = np.array([[0.6, 0.4], [0.3, 0.7], [0.9, 0.1], [0.0, 1.0]])
    labels = np.array([0, 0, 0, 1])
    assert expected_calibration_error(p, labels, 4) == pytest.approx(0.1, abs=1e-12)
    # In one bin: 3 right, confidences add up to 3.2.
    assert expected_calibration_error(p, np.array([0, 0, 0, 1]), 1) == pytest.approx(
        0.05, abs=1e-12
    )


def test_a_border_belongs_to_the_bin_below():
    # 0.75 with 0.7 in bin 3, both wrong, 1.45; 0.8 in bin 4, right, 0.2 too little.
    p = np.array([[0.75, 0.25], [0.7, 0.3], [0.8, 0.2]])
    found = expected_calibration_error(p, np.array([1, 1, 0]), 4)
    assert found == pytest.approx((1.45 + 0.2) / 3, abs=1e-12)
    # Were it in bin 4 with 0.8, 0.7 and |1 - 1.55| would be left.
    assert found != pytest.approx((0.7 + 0.55) / 3, abs=1e-3)


def test_calibrated_by_construction():
    p = np.tile([0.75, 0.25], (4, 1))
    assert expected_calibration_error(p, np.array([0, 0, 0, 1])) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize(
    "p, labels, bins, message",
    [
        (np.zeros((0, 2)), [], 15, "probabilities must have shape"),
        ([0.5, 0.5], [0], 15, "probabilities must have shape"),
        ([[0.5, np.nan]], [0], 15, "from 0 to 1"),
        ([[1.5, -0.5]], [0], 15, "from 0 to 1"),
        ([[0.5, 0.5]], [2], 15, "labels must be from 0 to 1"),
        ([[0.5, 0.5]], [0, 1], 15, "one class for each of 1 rows"),
        ([[0.5, 0.5]], [0], 0, "n_bins"),
    ],
)
def test_invalid_probabilities(p, labels, bins, message):
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(np.array(p), np.array(labels), bins)
