"""LIPEx: one softmax-linear model that matches all class probabilities around one text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.optimize import minimize

from xai_lib.explainers.base import Attribution
from xai_lib.explainers.sampled import SampledExplainer
from xai_lib.masks import (
    PROXIMITIES,
    Neighbourhood,
    distinct,
    lime_kernel,
    proximity,
)
from xai_lib.rng import generator
from xai_lib.surrogates import forward_selection, moments
from xai_lib.text import TextInstance

SOLVERS = ("lbfgs", "adam")
SELECTIONS = ("per_class", "as_printed", "none")
# Table 6 of the paper, and what it does not state: at most 200 epochs, from zero.
ADAM = {"learning_rate": 0.01, "batch_size": 128, "epochs": 200}


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


def lipex_loss(
    parameters: np.ndarray,
    masks: np.ndarray,
    roots: np.ndarray,
    mass: float,
    penalty: float,
    bias: bool = False,
) -> tuple[float, np.ndarray]:
    """Evaluate LIPEx's loss and its gradient.

    The weighted mean of the squared Hellinger distance H^2(q, p) = 1 - sum_c sqrt(q_c p_c) is
    linear in sqrt(p), so perturbations with equal masks enter through the sum of their weighted
    square roots only.

    Parameters
    ----------
    parameters
        W row by row, (C f,), followed by the biases (C,) if `bias`.
    masks
        (g, f) float: distinct masks on the chosen features.
    roots
        (g, C): sum over the perturbations of a mask of pi sqrt(p), divided by their number n.
    mass
        Sum of pi over all perturbations, divided by n.
    penalty
        lambda.
    bias
        Whether the surrogate has one; it is not penalised.

    Returns
    -------
    loss : float
    gradient : array like `parameters`

    References
    ----------
    LIPEx, Equation 6.
    """
    n_classes, f = roots.shape[1], masks.shape[1]
    weights = parameters[: n_classes * f].reshape(n_classes, f)
    logits = masks @ weights.T
    if bias:
        logits = logits + parameters[n_classes * f :]
    logits = logits - logits.max(axis=1, keepdims=True)
    q = np.exp(logits)
    q /= q.sum(axis=1, keepdims=True)
    affinity = np.sqrt(q) * roots
    total = affinity.sum(axis=1, keepdims=True)
    loss = mass - total.sum() + penalty / 2 * float((weights**2).sum())
    slope = 0.5 * (q * total - affinity)
    gradient = (slope.T @ masks + penalty * weights).ravel()
    if bias:
        gradient = np.concatenate([gradient, slope.sum(axis=0)])
    return float(loss), gradient


def _adam(
    near: Neighbourhood,
    columns: np.ndarray,
    pi: np.ndarray,
    penalty: float,
    bias: bool,
    rng: np.random.Generator,
) -> np.ndarray:
    """Minimise by Adam on mini-batches of perturbations, from zero (Table 6 of the paper)."""
    draws = near.draws
    if draws is None:
        # About as many rows as a draw has; what rounding adds or takes goes into the weight, so
        # that a mask expected less than half a time counts too.
        copies = np.maximum(np.round(near.counts), 1).astype(int)
        draws = np.repeat(np.arange(len(near.masks)), copies)
        pi = pi * near.counts / copies * (copies.sum() / near.counts.sum())
    batch = int(ADAM["batch_size"])
    masks = near.masks[:, columns].astype(float)
    roots = np.sqrt(near.probabilities) * pi[:, None]
    size = near.probabilities.shape[1] * (len(columns) + bool(bias))
    w, first, second, step, last = np.zeros(size), np.zeros(size), np.zeros(size), 0, []
    for _ in range(int(ADAM["epochs"])):
        order = rng.permutation(draws)
        epoch_loss = 0.0
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            loss, slope = lipex_loss(
                w, masks[rows], roots[rows] / len(rows), pi[rows].mean(), penalty, bias
            )
            epoch_loss += loss * len(rows) / len(order)
            step += 1
            first = 0.9 * first + 0.1 * slope
            second = 0.999 * second + 0.001 * slope**2
            w = w - ADAM["learning_rate"] * (first / (1 - 0.9**step)) / (
                np.sqrt(second / (1 - 0.999**step)) + 1e-8
            )
        last.append(epoch_loss)
        if len(last) > 10 and abs(last[-11] - last[-1]) < 1e-5 * abs(last[-11]):
            break
    return w


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
        Weight of a perturbation, see `xai_lib.masks.proximity`.
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
    arguments = (groups.astype(float), roots, mass, penalty, bias)
    if solver == "lbfgs":
        start = np.zeros(n_classes * (len(columns) + bool(bias)))
        solution = minimize(
            lipex_loss,
            start,
            args=arguments,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 2000, "maxfun": 4000, "ftol": 1e-11, "gtol": 1e-7, "maxcor": 20},
        ).x
    else:
        solution = _adam(near, columns, weight, penalty, bias, rng or np.random.default_rng(0))
    # Adding one vector to the rows of all classes changes no probability; the penalty settles
    # on rows with mean zero, and so does the exact centring here.
    matrix = solution[: n_classes * len(columns)].reshape(n_classes, len(columns))
    matrix = matrix - matrix.mean(axis=0)
    intercept = solution[n_classes * len(columns) :] if bias else np.zeros(n_classes)
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

    def fit(self, one: TextInstance, near: Neighbourhood, seed: int = 0) -> Attribution:
        """Fit the surrogate; see `SampledExplainer.fit`."""
        rng = generator(seed, one.read_text, self.name, self.solver)
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
