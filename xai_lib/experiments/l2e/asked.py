"""Words that teachers, students and chance select, and what the black box says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from xai_lib.experiments.l2e.explained import Explained, Run, labels, predicted_weights
from xai_lib.explainers.l2e import L2E
from xai_lib.metrics.selected import Selected, predict_selected
from xai_lib.metrics.selection import (
    high_positive,
    negative,
    positive,
    random_words,
    top_positive,
    top_share,
    top_words,
)

Selection = list[np.ndarray]
KINDS = ("positive", "negative", "ranking")


def ask(
    explained: Explained, selections: Mapping[str, Sequence[np.ndarray]], keep: bool
) -> dict[str, Selected]:
    """Ask the black box of the documents with the selected words alone, or without them."""
    box = explained.sample.setting.classifier
    instances = [box.instance(text) for text in explained.sample.documents.texts]
    return predict_selected(instances, selections, box, keep)


def ranked(run: Run, n: int, order: str = "abs") -> Selection:
    """Select the top 30 % of the words of the first n documents.

    A teacher's words by the size of their weights, unless `order` says otherwise; a student's
    score says that size already.
    """
    return [
        top_share(predicted_weights(one), order="signed" if one.method == L2E.name else order)
        for one in run[:n]
    ]


def labelled(run: Run, n: int, kind: str) -> Selection:
    """Select the ``"positive"`` or ``"negative"`` words of the first n documents."""
    rule = positive if kind == "positive" else negative
    return [rule(labels(one)) for one in run[:n]]


def selected_by(run: Run, n: int, kind: str, order: str = "abs") -> Selection:
    """Select the words of one of `KINDS`."""
    return ranked(run, n, order) if kind == "ranking" else labelled(run, n, kind)


def most_positive(run: Run, n: int) -> Selection:
    """Select the high positive words, or the low positive ones where there are none."""
    return [high_positive(labels(one)) for one in run[:n]]


def as_many(run: Run, selection: Selection, which: str = "above zero") -> Selection:
    """Select as many of a teacher's words as another selection has.

    The top ones ``"above zero"``, or the ``"highest"`` or ``"lowest"`` whatever their sign.
    """
    rules = {"above zero": top_positive, "highest": top_words, "lowest": _bottom_words}
    return [
        rules[which](predicted_weights(one), int(chosen.sum()))
        for one, chosen in zip(run, selection, strict=False)
    ]


def _bottom_words(weights: np.ndarray, count: int) -> np.ndarray:
    return top_words(-weights, count)


def at_random(explained: Explained, selection: Selection) -> Selection:
    """Select as many words at random, several times."""
    sample = explained.sample
    draws = int(sample.setting.profile["random_draws"])
    return [
        random_words(len(chosen), int(chosen.sum()), sample.seed, text, draws)
        for chosen, text in zip(selection, sample.documents.texts, strict=True)
    ]


def mean_defined(tables: Sequence[np.ndarray]) -> np.ndarray:
    """Average (n,) values over students, where they are defined."""
    some = np.stack(tables)
    counts = (~np.isnan(some)).sum(axis=0)
    return np.where(counts > 0, np.nansum(some, axis=0) / np.maximum(counts, 1), np.nan)
