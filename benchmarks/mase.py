"""MASE's noise on embeddings against LIME's masks, at equal numbers of model calls."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from benchmarks.results import Row, spread
from benchmarks.settings import MAX_LENGTH, Settings, texts_of
from benchmarks.worker import wait
from xai_lib.data import Dataset
from xai_lib.explainers import make_explainer
from xai_lib.models import load_classifier

AT_MOST = 1.0
# What a removed word leaves behind: nothing, so that inputs are shorter; or a mask token, so that
# they are as long as the text, as inputs with noise are.
SIDES = {"mase": "", "drop": "LIME masks", "mask": "LIME masks that leave a mask token"}


def rows(settings: Settings, dataset: Dataset, data_dir: Path | None = None) -> list[Row]:
    """Explain one text by MASE and by LIME in turn, in one process.

    Both in float32, which MASE needs: bfloat16 rounds away what its noise changes.

    Returns
    -------
    list of Row
        Wall time of MASE divided by that of LIME which drops words, and of LIME which masks them;
        only the first is to be at most 1. Seconds and model calls are in the details.
    """
    words, n = settings.lipex_words, settings.lipex_samples
    (text,), joined = texts_of(dataset, words)
    box = load_classifier(settings.model, settings.device, "float32", MAX_LENGTH, data_dir=data_dir)
    explainers = {
        "mase": make_explainer("mase", n_samples=n),
        "drop": make_explainer("lime", n_samples=n, removal="drop"),
        "mask": make_explainer("lime", n_samples=n, removal="mask"),
    }
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    calls: dict[str, int] = {}
    for repeat in range(settings.repeats + 1):  # The first round warms up.
        for side, explainer in explainers.items():
            start = time.perf_counter()
            (found,) = explainer.explain([text], box, settings.seed)
            wait(box.device)
            if repeat:
                seconds[side].append(time.perf_counter() - start)
            calls[side] = found.model_calls
    return [
        Row(
            "mase",
            f"mase-{words}-{side}",
            f"MASE: wall time of {n} noisy inputs of {words} words over that of {SIDES[side]}",
            **spread([a / b for a, b in zip(seconds["mase"], seconds[side], strict=True)]),
            at_most=AT_MOST if side == "drop" else None,
            details={
                "our_seconds": float(np.median(seconds["mase"])),
                "their_seconds": float(np.median(seconds[side])),
                "our_calls": calls["mase"],
                "their_calls": calls[side],
                "precision": box.precision,
                "joined_texts": joined,
            },
        )
        for side in ("drop", "mask")
    ]
