"""What a method explains of the black box's answers: the probabilities, or their logarithms."""

from __future__ import annotations

import numpy as np

ANSWERS = ("probability", "log_probability")
# Below this a probability counts as this, so that a logarithm is never minus infinity.
SMALLEST = 1e-12
# The link of a surrogate that was fitted to such answers, see `Explanation.surrogate`.
LINK_OF = {"probability": "identity", "log_probability": "log"}


def check_answers(answers: str) -> None:
    """Raise a ValueError that lists the valid answers."""
    if answers not in ANSWERS:
        raise ValueError(f"Unknown answers {answers!r}. Valid answers are: {', '.join(ANSWERS)}.")


def as_answers(probabilities: np.ndarray, answers: str) -> np.ndarray:
    """Turn probabilities into what is explained.

    Parameters
    ----------
    probabilities
        Of any shape, from 0 to 1.
    answers
        ``"probability"`` leaves them as they are. ``"log_probability"`` is their natural
        logarithm, that of 1e-12 for what is less.

    Returns
    -------
    float64 array of the same shape

    Raises
    ------
    ValueError
        If there are no such answers; lists the valid ones.
    """
    check_answers(answers)
    if answers == "probability":
        return np.asarray(probabilities, dtype=np.float64)
    return np.log(np.maximum(probabilities, SMALLEST, dtype=np.float64))
