"""The loss of LIPEx and two ways to minimise it."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from xai_lib.masks import Neighbourhood

SOLVERS = ("lbfgs", "adam")
# Table 6 of the paper, and what it does not state: at most 200 epochs, from zero.
ADAM = {"learning_rate": 0.01, "batch_size": 128, "epochs": 200}
# Masks, weighted square roots of the answers, mass, penalty and bias, as `lipex_loss` takes them.
LossArguments = tuple[np.ndarray, np.ndarray, float, float, bool]


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


def minimise_adam(
    near: Neighbourhood,
    columns: np.ndarray,
    pi: np.ndarray,
    penalty: float,
    bias: bool,
    rng: np.random.Generator,
    learning_rate: float = ADAM["learning_rate"],
    batch_size: int = int(ADAM["batch_size"]),
    epochs: int = int(ADAM["epochs"]),
) -> np.ndarray:
    """Minimise by Adam on mini-batches of perturbations, from zero.

    Parameters
    ----------
    near, columns, pi, penalty, bias
        Perturbations, chosen features, weight of each perturbation, lambda, and whether the
        surrogate has a bias.
    rng
        Order of the mini-batches.
    learning_rate, batch_size, epochs
        Table 6 of the paper; stops earlier when the loss of ten epochs changes by less than
        1e-5 of itself.

    Returns
    -------
    (size,) float64 array
        Parameters as `lipex_loss` takes them.
    """
    draws = near.draws
    if draws is None:
        # About as many rows as a draw has; what rounding adds or takes goes into the weight, so
        # that a mask expected less than half a time counts too.
        copies = np.maximum(np.round(near.counts), 1).astype(int)
        draws = np.repeat(np.arange(len(near.masks)), copies)
        pi = pi * near.counts / copies * (copies.sum() / near.counts.sum())
    masks = near.masks[:, columns].astype(float)
    roots = np.sqrt(near.probabilities) * pi[:, None]
    size = near.probabilities.shape[1] * (len(columns) + bool(bias))
    w, first, second, step, last = np.zeros(size), np.zeros(size), np.zeros(size), 0, []
    for _ in range(epochs):
        order = rng.permutation(draws)
        epoch_loss = 0.0
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            loss, slope = lipex_loss(
                w, masks[rows], roots[rows] / len(rows), pi[rows].mean(), penalty, bias
            )
            epoch_loss += loss * len(rows) / len(order)
            step += 1
            first = 0.9 * first + 0.1 * slope
            second = 0.999 * second + 0.001 * slope**2
            w = w - learning_rate * (first / (1 - 0.9**step)) / (
                np.sqrt(second / (1 - 0.999**step)) + 1e-8
            )
        last.append(epoch_loss)
        if len(last) > 10 and abs(last[-11] - last[-1]) < 1e-5 * abs(last[-11]):
            break
    return w


def minimise_lbfgs(arguments: LossArguments, size: int) -> np.ndarray:
    """Minimise by L-BFGS from zero, to convergence.

    Parameters
    ----------
    arguments
        What `lipex_loss` takes after the parameters.
    size
        Number of parameters.

    Returns
    -------
    (size,) float64 array
    """
    found = minimize(
        lipex_loss,
        np.zeros(size),
        args=arguments,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 2000, "maxfun": 4000, "ftol": 1e-11, "gtol": 1e-7, "maxcor": 20},
    )
    return np.asarray(found.x)
