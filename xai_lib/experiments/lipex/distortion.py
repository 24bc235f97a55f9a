"""Figure 4: whether the explanation follows when the model's last layer is damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xai_lib.experiments.lipex.sample import Sample
from xai_lib.experiments.rows import Row, interval
from xai_lib.experiments.study import progress
from xai_lib.explainers.lipex import fit_lipex
from xai_lib.masks import Neighbourhood
from xai_lib.metrics import distort_head, head_probabilities, paired_difference, total_variation
from xai_lib.rng import generator


def distortion_rows(
    sample: Sample, n: int, sigmas: Sequence[float], draws: int
) -> tuple[list[Row], list[Row]]:
    """Add noise to the last layer and follow the model and LIPEx refitted on the noisy model.

    What enters the last layer does not change with the noise, so each perturbation passes
    through the network once for all noise levels.

    Parameters
    ----------
    sample
        The texts.
    n
        Number of texts followed.
    sigmas
        Standard deviations of the noise on each weight.
    draws
        Noisy layers at each level.

    Returns
    -------
    rows, comparisons : list of dict
        Series ``accuracy``, ``model_tv``, ``lipex_tv`` at each sigma; LIPEx minus model.
    """
    setting, seed = sample.setting, sample.seed
    layer = setting.classifier.output_layer()
    weight, bias = layer.weight.float().numpy(force=True), layer.bias.float().numpy(force=True)
    rng = generator(seed, "distortion", setting.key)
    heads = {
        sigma: [distort_head(weight, bias, sigma, rng) for _ in range(draws)] for sigma in sigmas
    }
    model_tv, lipex_tv, correct = (np.zeros((n, len(sigmas), draws)) for _ in range(3))
    report = progress("distortion")
    for i, one in enumerate(sample.instances[:n]):
        near = sample.near[i].head(setting.profile["base"])
        features = setting.classifier.masked_features([one], [near.masks])[0]
        before = head_probabilities(features, weight, bias)
        start = _surrogate_at_input(replace(near, probabilities=before))
        for s, sigma in enumerate(sigmas):
            for d, (noisy, offset) in enumerate(heads[sigma]):
                after = head_probabilities(features, noisy, offset)
                moved = _surrogate_at_input(replace(near, probabilities=after))
                model_tv[i, s, d] = total_variation(before[0], after[0])
                lipex_tv[i, s, d] = total_variation(start, moved)
                correct[i, s, d] = np.argmax(after[0]) == sample.labels[i]
        report(i + 1, n)
    rows: list[Row] = []
    pairs: list[Row] = []
    for s, sigma in enumerate(sigmas):
        place = {"setting": setting.key, "sigma": sigma}
        series = {"accuracy": correct, "model_tv": model_tv, "lipex_tv": lipex_tv}
        for name, values in series.items():
            rows.append({**place, "series": name, **interval(values[:, s].mean(axis=1), seed)})
        ours, theirs = lipex_tv[:, s].mean(axis=1), model_tv[:, s].mean(axis=1)
        gap = paired_difference(ours, theirs, seed)
        pairs.append(
            {
                **place,
                "first": "lipex",
                "second": "model",
                "difference": gap.mean,
                "low": gap.low,
                "high": gap.high,
                "n": gap.n,
            }
        )
    return rows, pairs


def _surrogate_at_input(near: Neighbourhood) -> np.ndarray:
    part = fit_lipex(near)
    logits = part.weights.sum(axis=1)
    shifted = np.exp(logits - logits.max())
    return shifted / shifted.sum()
