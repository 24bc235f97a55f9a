"""Explain what a classifier said, with the methods of five papers and their baselines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from xai_lib.corpus import explain_corpus
from xai_lib.explainers import as_explainer, make_explainer, methods
from xai_lib.explainers.base import Explainer
from xai_lib.explanation import Explanation
from xai_lib.models import Classifier, as_classifier, as_image_classifier, load_classifier

if TYPE_CHECKING:
    from xai_lib.explainers.amortised import AmortisedExplainer

__version__ = "0.1.0"
__all__ = [
    "Classifier",
    "Explanation",
    "as_classifier",
    "as_image_classifier",
    "explain",
    "explain_corpus",
    "load_classifier",
    "load_explainer",
    "make_explainer",
    "methods",
]


def explain(
    text: Any,
    classifier: Classifier,
    method: str | Explainer = "lipex",
    seed: int = 0,
    **settings: Any,
) -> Any:
    """Explain one text, or one picture.

    Parameters
    ----------
    text
        Any string; for an image classifier a file, a Pillow image or an array of pixels.
    classifier
        The black box, from `load_classifier`, `as_classifier` or `as_image_classifier`.
    method
        A name of `methods`, or an explainer, such as one that was fitted.
    seed
        Fixes all randomness: the same call gives the same bits.
    **settings
        Settings of the method, such as ``n_samples`` or ``group``, if `method` is a name.

    Returns
    -------
    Explanation, or ImageExplanation for a picture
        Shows itself as a heat map in a notebook.

    Raises
    ------
    ValueError
        If the method or a setting is unknown, or the method needs more of the black box (its
        gradients, its hidden states) than it offers, or has to be fitted first.
    """
    if getattr(classifier, "modality", "text") == "text" and not isinstance(text, str):
        raise ValueError(f"A text must be a string, got {type(text).__name__}.")
    return as_explainer(method, settings).explain([text], classifier, seed)[0]


def load_explainer(folder: str | Path) -> AmortisedExplainer:
    """Read a fitted explainer (`pflex`, `l2e`) from the folder that its `save` wrote.

    Parameters
    ----------
    folder
        The folder.

    Returns
    -------
    AmortisedExplainer
        Of the method that was saved.

    Raises
    ------
    ValueError
        If the folder has no fitted explainer, or a damaged one.
    """
    from xai_lib.explainers.amortised import load_explainer as load

    return load(folder)
