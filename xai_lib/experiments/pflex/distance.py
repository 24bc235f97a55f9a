"""Figure 3: how far words are from [CLS], layer by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from xai_lib.experiments.rows import Row, compare_rows, defined_row
from xai_lib.explanation import Explanation
from xai_lib.text import TextInstance

if TYPE_CHECKING:
    from xai_lib.experiments.pflex.sample import Sample

SERIES = ("important", "other")
ORDERS = ("abs", "signed")
METRICS = ("euclidean", "cosine")
# Texts whose states of all layers are in memory at the same time.
_CHUNK = 64


def important_features(weights: np.ndarray, share: float, by: str = "abs") -> np.ndarray:
    """Mark the features that matter most.

    Parameters
    ----------
    weights
        (F,) weights.
    share
        Share of the features, rounded up, at least one of them; of equal weights the first.
    by
        ``"abs"``: the largest absolute weights; ``"signed"``: the largest weights, those that
        support the class.

    Returns
    -------
    (F,) bool array

    Raises
    ------
    ValueError
        If the share or the order is not valid.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1: {share}")
    if by not in ORDERS:
        raise ValueError(f"unknown order {by!r}; valid: {', '.join(ORDERS)}")
    k = max(1, math.ceil(round(share * len(weights), 9)))
    chosen = np.zeros(len(weights), dtype=bool)
    chosen[np.argsort(-(np.abs(weights) if by == "abs" else weights), kind="stable")[:k]] = True
    return chosen


def distance_values(
    sample: Sample, n: int = 100, share: float = 0.2, by: str = "abs", metric: str = "euclidean"
) -> dict[str, np.ndarray]:
    """Measure, in every layer, how far the words of each text are from [CLS] on average.

    Parameters
    ----------
    sample
        The first `n` test texts are used; LIME says which words are important.
    n
        Number of texts.
    share, by
        Which of a text's word types count as important, see `important_features`.
    metric
        ``"euclidean"``, or ``"cosine"``: 1 minus the cosine, which the length of the vectors
        does not enter.

    Returns
    -------
    dict of str to (n, L + 1) array
        ``important`` and ``other``; column 0 is what enters the first layer. NaN for a text
        that lacks words of either kind. Words that the model sees nothing of are left out.

    Raises
    ------
    ValueError
        If the share, the order or the metric is not valid.
    """
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}; valid: {', '.join(METRICS)}")
    instances, lime = sample.test.instances[:n], sample.test.lime[:n]
    parts = [
        _chunk(sample, instances[i : i + _CHUNK], lime[i : i + _CHUNK], share, by, metric)
        for i in range(0, len(instances), _CHUNK)
    ]
    found = np.concatenate(parts)
    return {name: found[:, i] for i, name in enumerate(SERIES)}


def _chunk(
    sample: Sample,
    instances: Sequence[TextInstance],
    lime: Sequence[Explanation],
    share: float,
    by: str,
    metric: str,
) -> np.ndarray:
    """Return the (n, 2, L + 1) mean distances of important and other words of some texts."""
    black_box = sample.setting.classifier
    layers = range(black_box.n_layers + 1)
    states = black_box.word_states(instances, tuple(layers))
    text = np.repeat(np.arange(len(instances)), states.counts)
    first = states.first[torch.from_numpy(text).to(states.first.device)]
    if metric == "euclidean":
        apart = torch.linalg.vector_norm(states.words - first, dim=2)
    else:
        apart = 1 - torch.nn.functional.cosine_similarity(states.words, first, dim=2)
    values = apart.double().numpy(force=True)
    ends = np.cumsum(states.counts)
    found = np.full((len(instances), len(SERIES), len(layers)), np.nan)
    for i, (one, explained) in enumerate(zip(instances, lime, strict=True)):
        place = slice(int(ends[i] - states.counts[i]), int(ends[i]))
        top = important_features(explained.weights[explained.predicted], share, by)
        seen = states.tokens[place] > 0
        of_word = top[one.feature_of_word]
        sides = (of_word & seen, ~of_word & seen)
        if all(kept.any() for kept in sides):
            found[i] = [values[place][kept].mean(axis=0) for kept in sides]
    return found


def distance_rows(
    sample: Sample, n: int = 100, share: float = 0.2, by: str = "abs", metric: str = "euclidean"
) -> tuple[list[Row], list[Row]]:
    """Compare the distance to [CLS] of LIME's important words with that of the other words.

    Parameters
    ----------
    sample, n, share, by, metric
        See `distance_values`.

    Returns
    -------
    rows, comparisons : list of dict
        For each layer and ``series``, ``important`` and ``other`` words, the mean over texts;
        the paired difference, important minus other.
    """
    values = distance_values(sample, n, share, by, metric)
    rows: list[Row] = []
    pairs: list[Row] = []
    for layer in range(values[SERIES[0]].shape[1]):
        place: Row = {"setting": sample.setting.key, "layer": layer}
        columns = {name: found[:, layer] for name, found in values.items()}
        for name, column in columns.items():
            rows.append(defined_row({**place, "series": name}, column, sample.seed))
        pairs += compare_rows(place, columns, [SERIES], sample.seed)
    return rows, pairs
