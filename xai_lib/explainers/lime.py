"""LIME: a weighted linear model of the black box around one text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from xai_lib.explainers.answers import LINK_OF, as_answers
from xai_lib.explainers.base import Attribution
from xai_lib.explainers.sampled import SampledExplainer
from xai_lib.instance import Instance
from xai_lib.masks import Neighbourhood, proximity
from xai_lib.surrogates import check_selection, moments, ridge, select


def fit_lime(
    near: Neighbourhood,
    n_features: int | None = None,
    selection: str = "auto",
    columns: Sequence[int] | np.ndarray | None = None,
    weighting: str = "lime",
    answers: str = "probability",
) -> Attribution:
    """Fit LIME's surrogate for every class on perturbations already answered.

    Parameters
    ----------
    near
        Perturbations of one instance.
    n_features
        Number of features of each class; None keeps all.
    selection
        How they are chosen, see `xai_lib.surrogates.select`.
    columns
        Use exactly these features for every class, in place of a selection.
    weighting
        See `xai_lib.masks.proximity`.
    answers
        What is fitted: ``"probability"`` or ``"log_probability"``, see
        `xai_lib.explainers.answers`.

    Returns
    -------
    Attribution
        Weights (C, F), zero for features not chosen; intercept; link ``"identity"``, or
        ``"log"`` where logarithms were fitted; weighted R^2 of the predicted class as ``r2``, NaN
        where the answers do not vary. If no perturbation has a weight (``"one_minus_cosine"``
        where only the text itself is there), nothing can be fitted: weights are zero, the
        intercept is the answer, ``r2`` is NaN.

    References
    ----------
    Ribeiro, Singh & Guestrin (2016), "Why should I trust you?", equations 1 and 2.
    """
    n_all, n_classes = near.masks.shape[1], near.probabilities.shape[1]
    answer, link = near.probabilities[0], LINK_OF[answers]
    values = as_answers(near.probabilities, answers)
    weights, intercept, score = (
        np.zeros((n_classes, n_all)),
        np.zeros(n_classes),
        np.zeros(n_classes),
    )
    weight = near.counts * proximity(near.masks, weighting)
    if not weight.any():
        undefined = {"r2": float("nan")}
        return Attribution(weights, answer, near.model_calls, values[0], link, undefined)
    parts = moments(near.masks, values, weight)
    chosen = (
        select(parts, n_features, selection)
        if columns is None
        else np.tile(np.asarray(columns, dtype=int), (n_classes, 1))
    )
    if all((row == chosen[0]).all() for row in chosen):
        coefficients, intercept, score = ridge(parts, chosen[0])
        weights[:, chosen[0]] = coefficients.T
    else:
        for c, row in enumerate(chosen):
            one_class = type(parts)(
                parts.gram, parts.cross[:, [c]], parts.total[[c]], parts.mean_x, parts.mean_y[[c]]
            )
            coefficients, offset, r2 = ridge(one_class, row)
            weights[c, row], intercept[c], score[c] = coefficients[:, 0], offset[0], r2[0]
    return Attribution(
        weights,
        answer,
        near.model_calls,
        intercept,
        link,
        {"r2": float(score[int(np.argmax(answer))])},
    )


@dataclass(frozen=True)
class Lime(SampledExplainer):
    """LIME for text, for all classes from one set of perturbations.

    Attributes
    ----------
    n_features
        Features in the explanation of each class; None keeps all.
    selection
        How they are chosen; see `xai_lib.surrogates.select`.
    answers
        What is fitted: ``"probability"`` or ``"log_probability"``, see
        `xai_lib.explainers.answers`. The perturbations are the same.
    n_samples, group, removal, sampler
        See `SampledExplainer`.

    References
    ----------
    Ribeiro, Singh & Guestrin (2016), "Why should I trust you?".

    Notes
    -----
    Features are word positions; ``group="type"`` gives the bag of words of the ``lime`` package.
    Coefficients equal those of that package on the same perturbations.

    The code of L2E (Situ et al. 2021) masks words and fits log-probabilities, as
    ``removal="mask", answers="log_probability"`` does.
    """

    name: ClassVar[str] = "lime"
    n_samples: int = 5000
    n_features: int | None = None
    selection: str = "auto"
    answers: str = "probability"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_selection(self.selection)
        if self.n_features is not None and self.n_features < 1:
            raise ValueError(f"n_features must be at least 1 or None, got {self.n_features}.")

    def fit(self, one: Instance, near: Neighbourhood, seed: int = 0) -> Attribution:
        """Fit the surrogate; see `SampledExplainer.fit`."""
        return fit_lime(near, self.n_features, self.selection, answers=self.answers)
