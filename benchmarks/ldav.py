"""What an LDAV explanation costs beyond the prediction that it explains, and against LIME."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.amortised import (
    BLOCKS,
    details,
    interleaved,
    interleaved_pair,
    ratio_of_medians,
    untrained_bert,
)
from benchmarks.results import Row
from benchmarks.settings import Settings
from xai_lib.data import Dataset, DatasetNotFound
from xai_lib.explainers import make_explainer
from xai_lib.models.base import Classifier
from xai_lib.models.huggingface import HuggingFaceClassifier
from xai_lib.models.zoo import load_named
from xai_lib.models.zoo_entries import ZOO

ONE_AT_MOST, LIME_AT_LEAST = 1.10, 100.0
LIME_SAMPLES = 1000
LIME_TEXTS_A_REPEAT = 10


def first_with_data(names: Sequence[str], data_dir: Path | None) -> str:
    """Return the first network of the zoo whose data can be loaded."""
    for name in names:
        try:
            ZOO[name].data("test", data_dir)
        except DatasetNotFound:
            continue
        return name
    raise DatasetNotFound(f"None of these has its data here: {', '.join(names)}.")


def rows(settings: Settings, data_dir: Path | None = None) -> list[Row]:
    """Measure explanations by LDAV against plain predictions and against LIME.

    Returns
    -------
    list of Row
        One text at a time, a corpus in one call, and LIME's time over LDAV's; for a small network
        from scratch and for a pretrained encoder. For an encoder of the size that the paper
        explains without LIME, which would take minutes.
    """
    found = []
    for names, precision, which in (
        (settings.ldav_models, "float32", ""),
        (settings.ldav_encoders, "auto", "-encoder"),
    ):
        name = first_with_data(names, data_dir)
        box = load_named(name, settings.device, precision, data_dir=data_dir)
        test = ZOO[name].data("test", data_dir)
        found += rows_of(settings, box, test, which)
    assert isinstance(box, HuggingFaceClassifier)
    large = untrained_bert(box, *settings.amortised_size)
    return found + rows_of(settings, large, test, "-large", lime=False)


def rows_of(
    settings: Settings, box: Classifier, test: Dataset, which: str, lime: bool = True
) -> list[Row]:
    """Measure the rows of one network; `which` ends their names."""
    shuffled = test.sample(len(test), seed=settings.seed, min_words=2).texts
    endless = itertools.cycle(shuffled)
    single = [next(endless) for _ in range(settings.amortised_calls)]
    corpus = [next(endless) for _ in range(settings.amortised_texts)]
    explainer = make_explainer("ldav")
    one = interleaved_pair(explainer, box, [[text] for text in single])
    many = interleaved_pair(explainer, box, [corpus] * settings.repeats, settings.row_seconds)
    found = [
        Row(
            "ldav",
            f"ldav-one{which}",
            f"LDAV of one text against predicting it, {len(single)} texts one by one, {box.name}",
            **ratio_of_medians(one, BLOCKS),
            at_most=ONE_AT_MOST,
            details=details(one, box, single, 1),
        ),
        Row(
            "ldav",
            f"ldav-corpus{which}",
            f"LDAV of {len(corpus)} texts against predicting them, {box.name}",
            **ratio_of_medians(many, len(many)),
            at_most=ONE_AT_MOST,
            details=details(many, box, corpus, len(corpus)),
        ),
    ]
    if not lime:
        return found
    some = single[: LIME_TEXTS_A_REPEAT * settings.repeats]
    methods = (make_explainer("lime", n_samples=LIME_SAMPLES), explainer)
    sides = [
        lambda i, method=method: method.explain([some[i]], box, settings.seed) for method in methods
    ]
    for side in sides:  # Kernels are chosen on first use.
        side(0)
    against_lime = interleaved(sides, len(some), box.device, settings.row_seconds)
    row = Row(
        "ldav",
        f"ldav-lime{which}",
        f"LIME with {LIME_SAMPLES} samples against LDAV, wall time of one text, {box.name}",
        **ratio_of_medians(against_lime, settings.repeats),
        at_least=LIME_AT_LEAST,
        details={
            "median_words": float(np.median([len(text.split()) for text in single])),
            "precision": box.precision,
        },
    )
    return [*found, row]
