"""Explain what a text classifier said, with the methods of five papers and their baselines."""

from __future__ import annotations

from typing import Any

from xai_lib.corpus import explain_corpus
from xai_lib.explainers import make_explainer, methods
from xai_lib.explanation import Explanation
from xai_lib.models import Classifier, as_classifier, load_classifier

__version__ = "0.1.0"
__all__ = [
    "Classifier",
    "Explanation",
    "as_classifier",
    "explain",
    "explain_corpus",
    "load_classifier",
    "methods",
]


def explain(
    text: str, classifier: Classifier, method: str = "lipex", seed: int = 0, **settings: Any
) -> Explanation:
    """Explain one text.

    Parameters
    ----------
    text
        Any string.
    classifier
        The black box, from `load_classifier` or `as_classifier`.
    method
        A name of `methods`.
    seed
        Fixes all randomness: the same call gives the same bits.
    **settings
        Settings of the method, such as ``n_samples`` or ``group``.

    Returns
    -------
    Explanation
        Shows itself as a heat map in a notebook.

    Raises
    ------
    ValueError
        If the method or a setting is unknown, or the method needs more of the black box (its
        gradients) than it offers.
    """
    if not isinstance(text, str):
        raise ValueError(f"A text must be a string, got {type(text).__name__}.")
    return make_explainer(method, **settings).explain([text], classifier, seed)[0]
