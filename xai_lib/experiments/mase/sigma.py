"""The size of the noise: what MASE is worth with it, and its limit as it tends to 0."""

from __future__ import annotations

import numpy as np

from xai_lib.experiments.mase.answers import Run, explain_by
from xai_lib.experiments.mase.methods import make_method
from xai_lib.experiments.mase.sample import Sample
from xai_lib.experiments.mase.twice import CORRELATION, DELTA, SHIFT, Twice, twice_values
from xai_lib.experiments.rows import Row, defined_row
from xai_lib.explainers.mase import Mase
from xai_lib.metrics import cosine_agreement

R2 = "held-out R2"
COSINE = "cosine with gradient x input"
DISTANCE = "relative distance"


def sigma_rows(sample: Sample) -> list[Row]:
    """Explain texts twice by MASE with noise of several sizes.

    Parameters
    ----------
    sample
        The first ``sigma_texts`` of its texts are used, with the noise ``sigmas`` and the number
        of model calls ``calls`` of the profile. Without them there are no rows.

    Returns
    -------
    list of dict
        For each ``sigma`` and measure: how well the linear model of the predicted class predicts
        the answers to noise that it was not fitted to (mean of both seeds), Delta Accuracy and
        the rank correlation of two seeds, see `twice_values`.
    """
    numbers = sample.setting.profile
    some = sample.head(numbers.get("sigma_texts", 0))
    rows: list[Row] = []
    for sigma in numbers.get("sigmas", ()) if some.rounds else ():
        mase = Mase(n_samples=numbers["calls"], sigma=sigma)
        both = Twice(explain_by(some, mase), explain_by(some, mase, SHIFT))
        found = twice_values(some, {"mase": both})["mase"]
        r2 = [[one.diagnostics["r2_held_out"] for one in run] for run in (both.first, both.second)]
        found[R2] = np.mean(r2, axis=0)
        place: Row = {"setting": sample.setting.key, "sigma": sigma}
        rows += [
            defined_row({**place, "measure": measure}, found[measure], sample.seed)
            for measure in (R2, DELTA, CORRELATION)
        ]
    return rows


def limit_rows(sample: Sample) -> list[Row]:
    """Compare MASE with gradient times input as the noise tends to 0.

    Parameters
    ----------
    sample
        The first ``limit_texts`` of its texts are used, with the noise ``limit_sigmas`` and
        ``limit_calls`` model calls. Without them there are no rows.

    Returns
    -------
    list of dict
        For each ``sigma`` and measure of `closeness`. MASE explains logits, rescaled.
    """
    numbers = sample.setting.profile
    some = sample.head(numbers.get("limit_texts", 0))
    rows: list[Row] = []
    if not some.rounds:
        return rows
    gradient = make_method("input_x_gradient", 0)
    texts = [one.text for one in some.instances]
    truth = gradient.explain(texts, sample.setting.classifier, sample.seed)
    for sigma in numbers["limit_sigmas"]:
        mase = Mase(numbers["limit_calls"], sigma=sigma, response="logit", rescale=True)
        place: Row = {"setting": sample.setting.key, "sigma": sigma}
        rows += [
            defined_row({**place, "measure": measure}, values, sample.seed)
            for measure, values in closeness(explain_by(some, mase), truth).items()
        ]
    return rows


def closeness(found: Run, truth: Run) -> dict[str, np.ndarray]:
    """Compare weights for the predicted class with true ones.

    Parameters
    ----------
    found, truth
        n explanations each, of the same texts.

    Returns
    -------
    dict of str to (n,) array
        Their cosine, and the length of their difference over that of the true ones; NaN where
        all true weights are 0.
    """
    cosines, distances = [], []
    for one, other in zip(found, truth, strict=True):
        weights, true = one.weights[other.predicted], other.weights[other.predicted]
        length = float(np.linalg.norm(true))
        cosines.append(cosine_agreement(true, weights)[0])
        distances.append(float(np.linalg.norm(weights - true)) / length if length else np.nan)
    return {COSINE: np.array(cosines), DISTANCE: np.array(distances)}
