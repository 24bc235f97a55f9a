"""LIPEx: one softmax-linear model that matches all class probabilities around one text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from xai_lib.explainers.base import Attribution
from xai_lib.explainers.lipex_solvers import (
    SOLVERS,
    LossArguments,
    lipex_loss,
    minimise_adam,
    minimise_lbfgs,
)
from xai_lib.explainers.sampled import SampledExplainer
from xai_lib.instance import Instance
from xai_lib.masks import (
    PROXIMITIES,
    Neighbourhood,
    distinct,
    lime_kernel,
    proximity,
)
from xai_lib.rng import generator
from xai_lib.surrogates import forward_selection, moments

SELECTIONS = ("per_class", "as_printed", "none")


def select_features(near: Neighbourhood, k: int, selection: str = "per_class") -> np.ndarray:
    """Choose the features of the explanation: the union over classes of forward selections.

    Parameters
    ----------
    near
        Perturbations of one instance.
    k
        Features for each class.
    selection
        ``"per_class"``: LIME's forward selection for each class, then the union.
        ``"as_printed"``: Algorithm 1 to the letter, where the features chosen for the class at
        hand are never part of the model, so that all k steps return the same feature.
        ``"none"``: all features.

    Returns
    -------
    (f,) int array
        Sorted.

    Raises
    ------
    ValueError
        If the selection is unknown.

    References
    ----------
    LIPEx, Algorithm 1 (Appendix A).
    """
    if selection not in SELECTIONS:
        raise ValueError(f"Unknown selection {selection!r}. Valid: {', '.join(SELECTIONS)}.")
    if selection == "none":
        return np.arange(near.masks.shape[1])
    parts = moments(near.masks, near.probabilities, near.counts * lime_kernel(near.masks))
    if selection == "per_class":
        return np.unique(forward_selection(parts, k))
    chosen: list[int] = []
    for c in range(near.probabilities.shape[1]):
        if len(chosen) == near.masks.shape[1]:
            break
        chosen.append(_best_addition(parts.gram, parts.cross[:, c], chosen))
    return np.unique(chosen)


def _best_addition(gram: np.ndarray, cross: np.ndarray, chosen: list[int]) -> int:
    """Return the feature that raises R^2 most beside those already chosen."""
    solved = np.linalg.pinv(gram[np.ix_(chosen, chosen)], hermitian=True)
    left = np.diag(gram) - np.einsum("fa,ab,fb->f", gram[:, chosen], solved, gram[:, chosen])
    residual = cross - gram[:, chosen] @ solved @ cross[chosen]
    gain = np.where(left > 1e-10 * np.diag(gram), residual**2 / np.maximum(left, 1e-300), 0.0)
    gain[chosen] = -1.0
    return int(np.argmax(gain))


def fit_lipex(
    near: Neighbourhood,
    n_features: int = 5,
    pi: str = "lime",
    bias: bool = False,
    solver: str = "lbfgs",
    penalty: float = 0.001,
    selection: str = "per_class",
    columns: np.ndarray | None = None,
    rng: np.random.Generator | None = None,
) -> Attribution:
    """Fit LIPEx's matrix on perturbations already answered.

    Parameters
    ----------
    near
        Perturbations of one instance.
    n_features
        Features chosen for each class before the union.
    pi
        Weight of a perturbation, see `xai_lib.masks.proximity`. Where none has a weight, the
        penalty alone decides: the matrix is zero and its distribution uniform.
    bias
        Whether the surrogate has a bias for each class; the paper's has none.
    solver
        ``"lbfgs"`` (to convergence) or ``"adam"`` (the paper's settings).
    penalty
        lambda.
    selection
        See `select_features`.
    columns
        Use exactly these features, in place of a selection.
    rng
        Order of the mini-batches, for Adam.

    Returns
    -------
    Attribution
        Weights (C, F), zero outside the chosen features; link ``"softmax"``; ``loss``,
        ``n_selected`` and total variation at the text itself as diagnostics.

    References
    ----------
    LIPEx, Equations 5 and 6, Table 6.
    """
    if columns is None:
        columns = select_features(near, n_features, selection)
    n_classes = near.probabilities.shape[1]
    weight = proximity(near.masks, pi)
    n = near.counts.sum()
    groups, index = distinct(near.masks[:, columns])
    roots = np.zeros((len(groups), n_classes))
    np.add.at(roots, index, np.sqrt(near.probabilities) * (near.counts * weight / n)[:, None])
    mass = float((near.counts * weight).sum() / n)
    arguments: LossArguments = (groups.astype(float), roots, mass, penalty, bias)
    solution = (
        minimise_lbfgs(arguments, n_classes * (len(columns) + bool(bias)))
        if solver == "lbfgs"
        else minimise_adam(near, columns, weight, penalty, bias, rng or np.random.default_rng(0))
    )
    # Adding one vector to the rows of all classes changes no probability, nor does one number on
    # all biases; the penalty settles on rows with mean zero, and so does the exact centring here.
    matrix = solution[: n_classes * len(columns)].reshape(n_classes, len(columns))
    matrix = matrix - matrix.mean(axis=0)
    intercept = solution[n_classes * len(columns) :] if bias else np.zeros(n_classes)
    intercept = intercept - intercept.mean()
    weights = np.zeros((n_classes, near.masks.shape[1]))
    weights[:, columns] = matrix
    loss, _ = lipex_loss(solution, *arguments)
    logits = matrix.sum(axis=1) + intercept
    q = np.exp(logits - logits.max())
    answer = near.probabilities[0]
    return Attribution(
        weights,
        answer,
        near.model_calls,
        intercept,
        "softmax",
        {
            "loss": loss,
            "n_selected": float(len(columns)),
            "total_variation": float(0.5 * np.abs(q / q.sum() - answer).sum()),
        },
    )


@dataclass(frozen=True)
class Lipex(SampledExplainer):
    """LIPEx: a classes x words matrix W whose softmax(W z) matches the black box near the text.

    Attributes
    ----------
    n_features
        Features chosen for each class by forward selection; the matrix has their union.
    pi
        Weight of a perturbation: ``"lime"`` (default), ``"one_minus_cosine"`` (as printed),
        ``"cosine"``, ``"one"``.
    bias
        Whether the surrogate has a bias for each class.
    solver
        ``"lbfgs"`` or ``"adam"``.
    penalty
        lambda of Equation 6.
    selection
        See `select_features`.
    n_samples, group, removal, sampler
        See `SampledExplainer`.

    References
    ----------
    Zhu, Cangelosi, Sen & Mukherjee (2023), "LIPEx - Locally Interpretable Probabilistic
    Explanations - To Look Beyond The True Class", Equations 5 and 6, Algorithm 1, Table 6.

    Notes
    -----
    Deviations: pi is LIME's kernel, because the printed 1 - cos is a distance and gives the text
    itself no weight; features are selected per class as LIME does, because Algorithm 1 as
    printed returns one feature a class; L-BFGS solves the same problem to convergence.
    Columns of W have mean zero over the classes, which changes no probability.
    """

    name: ClassVar[str] = "lipex"
    n_features: int = 5
    pi: str = "lime"
    bias: bool = False
    solver: str = "lbfgs"
    penalty: float = 0.001
    selection: str = "per_class"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        for what, value, valid in (
            ("pi", self.pi, tuple(PROXIMITIES)),
            ("solver", self.solver, SOLVERS),
            ("selection", self.selection, SELECTIONS),
        ):
            if value not in valid:
                raise ValueError(f"Unknown {what} {value!r}. Valid: {', '.join(valid)}.")
        if self.n_features < 1:
            raise ValueError(f"n_features must be at least 1, got {self.n_features}.")
        if self.penalty < 0:
            raise ValueError(f"penalty must not be negative, got {self.penalty}.")

    def fit(self, one: Instance, near: Neighbourhood, seed: int = 0) -> Attribution:
        """Fit the surrogate; see `SampledExplainer.fit`."""
        rng = generator(seed, one.content, self.name, self.solver)
        return fit_lipex(
            near,
            self.n_features,
            self.pi,
            self.bias,
            self.solver,
            self.penalty,
            self.selection,
            rng=rng,
        )
