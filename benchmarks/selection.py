"""Forward selection against that of the ``lime`` package, on the same rows."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.results import Row, spread
from benchmarks.settings import Settings
from xai_lib.masks import lime_kernel, sample_masks
from xai_lib.models.transformer_whitebox import softmax
from xai_lib.rng import generator
from xai_lib.surrogates import forward_selection, moments

N_CLASSES = 6
AT_LEAST = 30.0


def problem(settings: Settings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make masks (n, F), answers (n, C) of a softmax of few words and noise, and weights (n,)."""
    n_rows, n_features, _ = settings.selection
    rng = generator(settings.seed, "benchmark", "selection")
    masks = sample_masks(n_features, n_rows, rng)
    effects = rng.normal(size=(n_features, N_CLASSES)) * (rng.random((n_features, 1)) < 0.1)
    logits = masks @ effects + 0.3 * rng.normal(size=(n_rows, N_CLASSES))
    return masks, softmax(logits), lime_kernel(masks)


def rows(settings: Settings) -> list[Row]:
    """Time both on one class after the other and compare the picks.

    Raises
    ------
    AssertionError
        If the picks differ.
    """
    from lime.lime_base import LimeBase

    masks, answers, weights = problem(settings)
    n_rows, n_features, k = settings.selection
    theirs = LimeBase(lambda distances: distances, random_state=settings.seed)
    dense = masks.astype(float)
    forward_selection(moments(masks, answers, weights), k)
    our_seconds, their_seconds = [], []
    for repeat in range(max(settings.repeats, 3)):
        c = repeat % N_CLASSES
        start = time.perf_counter()
        picks = forward_selection(moments(masks, answers[:, [c]], weights), k)[0]
        between = time.perf_counter()
        expected = theirs.forward_selection(dense, answers[:, c], weights, k)
        their_seconds.append(time.perf_counter() - between)
        our_seconds.append(between - start)
        if picks.tolist() != expected.tolist():
            raise AssertionError(f"class {c}: picked {picks}, the lime package {expected}")
    start = time.perf_counter()
    forward_selection(moments(masks, answers, weights), k)
    all_classes = time.perf_counter() - start
    ratios = [b / a for a, b in zip(our_seconds, their_seconds, strict=True)]
    return [
        Row(
            "selection",
            "selection",
            f"forward selection of {k}, {n_rows} x {n_features}, one class",
            **spread(ratios),
            at_least=AT_LEAST,
            details={
                "identical_picks": True,
                "our_seconds": float(np.median(our_seconds)),
                "their_seconds": float(np.median(their_seconds)),
                "our_seconds_all_classes": all_classes,
                "classes": N_CLASSES,
            },
        )
    ]
