"""KernelSHAP: Shapley values of the words by one constrained weighted regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import comb

from xai_lib.explainers.answered import AnsweredExplainer
from xai_lib.explainers.answers import LINK_OF, as_answers
from xai_lib.explainers.base import Attribution
from xai_lib.instance import Instance
from xai_lib.masks import all_masks, check_budget, distinct
from xai_lib.models.base import Classifier
from xai_lib.rng import generator


def shapley_kernel(masks: np.ndarray) -> np.ndarray:
    """Weight masks so that weighted least squares over all of them gives Shapley values.

    Parameters
    ----------
    masks
        (n, F) bool, none of them empty or full.

    Returns
    -------
    (n,) float64 array
        (F - 1) / (binom(F, s) s (F - s)) for a mask that keeps s features.

    References
    ----------
    Lundberg & Lee (2017), "A unified approach to interpreting model predictions", theorem 2.
    """
    n_features = masks.shape[1]
    kept = masks.sum(axis=1)
    return (n_features - 1) / (comb(n_features, kept) * kept * (n_features - kept))


def sample_coalitions(n_features: int, n_pairs: int, rng: np.random.Generator) -> np.ndarray:
    """Draw coalitions from the distribution proportional to the Shapley kernel.

    Parameters
    ----------
    n_features
        F, at least 2.
    n_pairs
        Number of draws; each is followed by its complement.
    rng
        Source of randomness.

    Returns
    -------
    (2 n_pairs, F) bool array
        Neither empty nor full. The size s is drawn with probability proportional to
        1 / (s (F - s)), which is the kernel summed over all coalitions of that size, so that
        the draws need no weights and nothing underflows in long texts.

    References
    ----------
    Covert & Lee (2021), "Improving KernelSHAP", section 3 (paired sampling).
    """
    sizes = np.arange(1, n_features)
    chance = 1.0 / (sizes * (n_features - sizes))
    drawn = rng.choice(sizes, n_pairs, p=chance / chance.sum())
    rank = np.argsort(np.argsort(rng.random((n_pairs, n_features)), axis=1), axis=1)
    masks = rank < drawn[:, None]
    return np.stack([masks, ~masks], axis=1).reshape(-1, n_features)


def solve_shapley(
    masks: np.ndarray, answers: np.ndarray, weights: np.ndarray, empty: np.ndarray, full: np.ndarray
) -> np.ndarray:
    """Fit an additive model that is exact for the empty and the full mask.

    Minimises sum w (v(z) - v(0) - z' phi)^2 under sum phi = v(1) - v(0). Writing phi as the equal
    share plus a part whose sum is zero removes the constraint; the pseudo-inverse leaves the
    equal share where the masks do not tell features apart, so no set of masks is too small.

    Parameters
    ----------
    masks
        (n, F) bool; n may be 0.
    answers
        (n, C) answers of the black box.
    weights
        (n,) weights of the masks.
    empty, full
        (C,) answers with no feature and with all features.

    Returns
    -------
    (C, F) float64 array
        Each row sums to ``full - empty``.
    """
    n_features = masks.shape[1]
    share = (full - empty) / n_features
    z = masks.astype(np.float64)
    left = answers - empty - z.sum(axis=1, keepdims=True) * share
    # Scaled to a largest weight of 1, lest the kernel underflows between its sizes.
    scaled = (weights / weights.max() if len(weights) else weights)[:, None]
    centred = z - z.mean(axis=1, keepdims=True)
    gram = centred.T @ (scaled * centred)
    solved = np.linalg.pinv(gram, rcond=1e-10, hermitian=True) @ (centred.T @ (scaled * left))
    return (solved + share).T


@dataclass(frozen=True)
class KernelShap(AnsweredExplainer):
    """KernelSHAP for all classes from one set of coalitions of words.

    Where all 2^F coalitions fit the budget they are enumerated, and the values are the Shapley
    values to rounding. Otherwise coalitions are drawn in complementary pairs. A coalition drawn
    twice is sent once.

    Attributes
    ----------
    n_samples
        Budget in model calls, the whole and the empty text included; at least 2.
    group, removal
        See `xai_lib.text.TextInstance` and `Classifier.predict_masked`.
    answers
        What is shared out: ``"probability"`` or ``"log_probability"``, see
        `xai_lib.explainers.answers`. The coalitions are the same.

    References
    ----------
    Lundberg & Lee (2017), "A unified approach to interpreting model predictions", section 4.1;
    Covert & Lee (2021), "Improving KernelSHAP", equations 7 to 9.

    Notes
    -----
    The baseline is the text with all words removed, and separators left in place. The diagnostic
    ``exact`` is 1 where all coalitions were enumerated.

    The code of L2E (Situ et al. 2021) masks words and shares out log-probabilities, as
    ``removal="mask", answers="log_probability"`` does, but takes the answer to the empty text as
    0, and lets shap select words by a penalty.
    """

    name: ClassVar[str] = "kernel_shap"
    modalities: ClassVar[tuple[str, ...]] = ("text", "image")
    n_samples: int = 2000
    group: str = "position"
    removal: str = "drop"
    answers: str = "probability"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_budget(self.n_samples)

    def asked(self) -> list[str | float | bool]:
        """Return what the coalitions depend on; see `AnsweredExplainer.asked`."""
        return [self.n_samples, self.removal]

    def ask(self, instances: Sequence[Any], classifier: Classifier, seed: int) -> list[np.ndarray]:
        """Return the answers to coalitions; see `AnsweredExplainer.ask`."""
        masks = [self._coalitions(one, seed)[0] for one in instances]
        return classifier.predict_masked(instances, masks, self.removal)

    def fit_answers(
        self,
        instances: Sequence[Any],
        answers: Sequence[np.ndarray],
        classifier: Classifier,
        seed: int,
    ) -> list[Attribution]:
        """Fit to the answers to coalitions; see `AnsweredExplainer.fit_answers`."""
        found = []
        for one, answer in zip(instances, answers, strict=True):
            rows, weights = self._coalitions(one, seed)
            values = as_answers(answer, self.answers)
            full, empty = values[0], values[1]
            phi = solve_shapley(rows[2:], values[2:], weights, empty, full)
            exact = {"exact": float(len(rows) == 2 ** rows.shape[1])}
            link = LINK_OF[self.answers]
            found.append(Attribution(phi, answer[0], len(rows), empty, link, exact))
        return found

    def _coalitions(self, one: Instance, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return distinct masks, full and empty first, and the weights of the others."""
        n_features = one.n_features
        ends = np.array([[True], [False]]).repeat(n_features, axis=1)
        if 2**n_features <= self.n_samples:
            inner = all_masks(n_features, self.n_samples)[0][1:-1]
            return np.concatenate([ends, inner]), shapley_kernel(inner)
        rng = generator(seed, one.content, self.name, self.group, self.n_samples)
        drawn = sample_coalitions(n_features, (self.n_samples - 2) // 2, rng)
        rows, index = distinct(drawn)
        return np.concatenate([ends, rows]), np.bincount(index, minlength=len(rows)).astype(float)
