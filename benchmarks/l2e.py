"""How long a student of L2E takes to explain, against the methods that it learns from."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.amortised import interleaved
from benchmarks.ldav import first_with_data
from benchmarks.results import Row, spread
from benchmarks.settings import Settings
from benchmarks.worker import wait
from xai_lib.explainers import make_explainer, methods
from xai_lib.explainers.base import Explainer
from xai_lib.explainers.l2e import L2E
from xai_lib.models.base import Classifier
from xai_lib.models.zoo import load_named
from xai_lib.models.zoo_entries import ZOO
from xai_lib.text import make_instance

GRADIENT_AT_LEAST, LIME_AT_LEAST = 5.0, 50.0
# What the student costs does not depend on its weights, so a few texts and one epoch do.
LESSONS = 8
# The paper's teachers, and how many samples it gives those that sample. The gradient is that of
# the class that is explained, as for the student.
TEACHERS: dict[str, dict[str, Any]] = {
    "occlusion": {},
    "input_x_gradient": {"target": "predicted"},
    "lrp": {"target": "predicted"},
    "deep_shap": {"target": "predicted"},
    "lime": {"n_samples": 1000},
    "kernel_shap": {"n_samples": 1000},
}
SAMPLING = ("lime", "kernel_shap", "deep_shap")
WANTED = {"input_x_gradient": GRADIENT_AT_LEAST, "lime": LIME_AT_LEAST}


def student(classifier: Classifier, texts: Sequence[str], seed: int = 0) -> L2E:
    """Fit a student of the paper's size on a few texts for one epoch.

    It runs in the number format of the black box: what it would choose by itself depends on what
    it has learnt, which here is next to nothing.
    """
    lessons = make_explainer("occlusion").explain(texts, classifier, seed)
    short = classifier.device == "cpu" and classifier.precision == "bfloat16"
    student = L2E(epochs=1, precision="bfloat16" if short else "float32")
    return student.fit(lessons, classifier, seed)


def rows(settings: Settings, data_dir: Path | None = None) -> list[Row]:
    """Measure explanations of the same texts, one by one, by a student and by its teachers.

    Returns
    -------
    list of Row
        Seconds of the student for a text, without and with the prediction of the black box, and
        for each teacher its time over either. What is wanted is of the student alone: whoever asks
        for an explanation has the prediction. Words are found and numbered in all of these times.
        Teachers that sample are given fewer texts.
    """
    name = first_with_data(settings.l2e_models, data_dir)
    box = load_named(name, settings.device, "auto", data_dir=data_dir)
    test = ZOO[name].data("test", data_dir)
    texts = test.sample(len(test), seed=settings.seed, min_words=2).texts
    texts, lessons = texts[: settings.l2e_texts], texts[-LESSONS:]
    explainer = student(box, lessons, settings.seed)
    predicted = box.predict_proba(texts).argmax(axis=1)

    def alone(i: int) -> object:
        return explainer.scores([make_instance(texts[i])], [int(predicted[i])])

    def asking(i: int) -> object:
        return explainer.explain([texts[i]], box)

    for i in range(min(3, len(texts))):  # Kernels are chosen on first use.
        alone(i), asking(i)
    taken = interleaved((alone, asking), len(texts), box.device)
    common = {
        "precision": explainer.precision,
        "median_words": float(np.median([len(make_instance(text).spans) for text in texts])),
    }
    found = [
        Row(
            "l2e",
            row,
            f"Seconds of L2E for a text, {what} the black box's prediction, {name}",
            **spread(each.tolist()),
            details=common,
        )
        for row, what, each in (
            ("l2e-alone", "without", taken[:, 0]),
            ("l2e-asking", "with", taken[:, 1]),
        )
    ]
    for teacher, given in TEACHERS.items():
        if teacher not in methods("text"):
            continue
        n = min(len(texts), settings.l2e_sampled) if teacher in SAMPLING else len(texts)
        method = make_explainer(teacher, **given)
        theirs = timed(method, box, texts[:n], settings.seed)
        for row, what, side, wanted in (
            (f"l2e-{teacher}", "alone", alone, WANTED.get(teacher)),
            (f"l2e-{teacher}-asking", "and a prediction", asking, None),
        ):
            ours = timed_calls(side, n, box.device)
            found.append(
                Row(
                    "l2e",
                    row,
                    f"{teacher} against L2E {what}, {n} texts one by one, wall time, {name}",
                    value=float(theirs.sum() / ours.sum()),
                    **bounds(theirs, ours),
                    n=n,
                    at_least=wanted,
                    details={
                        **common,
                        "their_seconds": float(theirs.mean()),
                        "our_seconds": float(ours.mean()),
                    },
                )
            )
    return found


def timed(method: Explainer, box: Classifier, texts: Sequence[str], seed: int) -> np.ndarray:
    """Time explanations of texts one by one, (n,) seconds, after a warm-up."""
    method.explain(texts[:1], box, seed)
    return timed_calls(lambda i: method.explain([texts[i]], box, seed), len(texts), box.device)


def timed_calls(call: Callable[[int], object], n: int, device: str) -> np.ndarray:
    """Time calls with the numbers 0 to n - 1, (n,) seconds."""
    taken = np.empty(n)
    for i in range(n):
        start = time.perf_counter()
        call(i)
        wait(device)
        taken[i] = time.perf_counter() - start
    return taken


def bounds(theirs: np.ndarray, ours: np.ndarray, blocks: int = 10) -> dict[str, Any]:
    """Give the smallest and the largest ratio of sums over blocks of consecutive texts."""
    blocks = min(blocks, len(ours))
    parts = zip(np.array_split(theirs, blocks), np.array_split(ours, blocks), strict=True)
    ratios = [float(one.sum() / other.sum()) for one, other in parts]
    return {"low": min(ratios), "high": max(ratios)}
