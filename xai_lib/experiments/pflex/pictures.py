"""Figures 1, 2, 4 and 5: single sentences, and the sizes of the heads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from torch import nn

from xai_lib.experiments.rows import Row
from xai_lib.explainers.pflex_head import HEADS, Head
from xai_lib.explanation import Explanation

if TYPE_CHECKING:
    from xai_lib.experiments.pflex.sample import Sample


def weight_rows(explanations: Sequence[Explanation]) -> list[Row]:
    """List the weights of one text's words for the predicted class, method by method."""
    return [
        {
            "method": one.method,
            "feature": word,
            "weight": float(weight),
            "model_calls": one.model_calls,
            "class": one.classes[one.predicted],
        }
        for one in explanations
        for word, weight in zip(one.words, one.weights[one.predicted], strict=True)
    ]


def head_sizes(width: int) -> list[Row]:
    """List the layers of both heads over hidden states of some width.

    Parameters
    ----------
    width
        Length of a hidden state of the black box.

    Returns
    -------
    list of dict
        For each linear layer ``head, layer, inputs, outputs, parameters`` (weights and biases).
    """
    rows: list[Row] = []
    for kind in HEADS:
        linear = [one for one in Head(width, kind).layers if isinstance(one, nn.Linear)]
        for number, layer in enumerate(linear, 1):
            rows.append(
                {
                    "head": kind,
                    "layer": number,
                    "inputs": layer.in_features,
                    "outputs": layer.out_features,
                    "parameters": sum(p.numel() for p in layer.parameters()),
                }
            )
    return rows


def typical_texts(sample: Sample, n: int, least: int = 6, most: int = 20) -> list[int]:
    """Choose test texts to show, before any explanation is looked at.

    Parameters
    ----------
    sample
        The test texts.
    n
        Number of texts wanted.
    least, most
        Numbers of words between which a text may have.

    Returns
    -------
    list of int
        The first that the black box gets right, each of another class as long as there are
        classes left; at least one.
    """
    chosen: dict[int, int] = {}
    for i, one in enumerate(sample.test.lime):
        label = int(sample.test.labels[i])
        fits = least <= len(one.words) <= most
        if fits and one.predicted == label and label not in chosen and len(chosen) < n:
            chosen[label] = i
    return sorted(chosen.values()) or [0]


def heat_map_rows(key: str, shown: Iterable[Sequence[Explanation]]) -> list[Row]:
    """List the weights behind heat maps: for each text the explanations of several methods."""
    return [
        {
            "setting": key,
            "text": number,
            "class": one.classes[one.predicted],
            "method": one.method,
            "position": position,
            "feature": word,
            "weight": float(weight),
        }
        for number, explanations in enumerate(shown, 1)
        for one in explanations
        for position, (word, weight) in enumerate(
            zip(one.words, one.weights[one.predicted], strict=True)
        )
    ]
