from __future__ import annotations

import numpy as np
import pytest

from xai_lib.explainers.occlusion import Occlusion
from xai_lib.explainers.random import Random
from xai_lib.models import as_classifier

ANSWERS = {
    "a b a": (0.7, 0.3),
    " b a": (0.6, 0.4),
    "a  a": (0.9, 0.1),
    "a b ": (0.2, 0.8),
    " b ": (0.5, 0.5),
    "[MASK] b a": (0.1, 0.9),
    "a [MASK] a": (0.3, 0.7),
    "a b [MASK]": (0.4, 0.6),
    "[PAD] b [PAD]": (0.25, 0.75),
    "a [PAD] a": (0.75, 0.25),
}


@pytest.mark.parametrize(
    ("settings", "of_first_class"),
    [
        ({}, [0.1, -0.2, 0.5]),
        ({"removal": "mask"}, [0.6, 0.4, 0.3]),
        ({"group": "type"}, [0.2, -0.2]),
        ({"group": "type", "removal": "pad"}, [0.45, -0.05]),
    ],
)
def test_by_hand(settings: dict[str, str], of_first_class: list[float]) -> None:
    box = as_classifier(lambda texts: np.array([ANSWERS[text] for text in texts]), ["x", "y"])
    (found,) = Occlusion(**settings).explain(["a b a"], box)
    expected = [of_first_class, [-weight for weight in of_first_class]]
    np.testing.assert_allclose(found.weights, expected, atol=1e-14)
    np.testing.assert_array_equal(found.probabilities, [0.7, 0.3])
    assert found.model_calls == len(of_first_class) + 1 == box.calls


def test_random_is_standard_normal_and_belongs_to_seed_and_text() -> None:
    box = as_classifier(lambda texts: np.full((len(texts), 2), 0.5), ["x", "y"])
    long = " ".join(["word"] * 5000)
    first, other = Random().explain([long, long + " more"], box, seed=1)
    assert first.weights.shape == (2, 5000)
    # Standard errors: 0.01 of the mean, 0.007 of the deviation, 0.014 of the correlation.
    assert abs(first.weights.mean()) < 0.04
    assert abs(first.weights.std() - 1) < 0.03
    assert abs(np.corrcoef(first.weights)[0, 1]) < 0.06
    assert abs(np.corrcoef(first.weights[0], other.weights[0, :5000])[0, 1]) < 0.06
    (again,) = Random().explain([long], box, seed=2)
    assert abs(np.corrcoef(first.weights[0], again.weights[0])[0, 1]) < 0.06
    assert first.model_calls == 1
