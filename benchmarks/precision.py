"""Whether bfloat16 keeps the words that float32 finds."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from benchmarks.results import Row
from benchmarks.settings import Settings
from xai_lib.data import Dataset
from xai_lib.explainers.lime import Lime
from xai_lib.explanation import Explanation
from xai_lib.metrics.agreement import top_k_overlap
from xai_lib.metrics.intervals import wilson_interval
from xai_lib.models import load_classifier
from xai_lib.text import find_words

AT_LEAST = 0.95
K = 5


def rows(settings: Settings, dataset: Dataset, data_dir: Path | None = None) -> list[Row]:
    """Explain texts of the test set in both formats, with the same perturbations.

    Returns
    -------
    list of Row
        Share of texts whose five most important words for the class predicted in float32 are
        the same set in bfloat16. Texts have more than five words.
    """
    shuffled = dataset.sample(len(dataset), seed=settings.seed).texts
    texts = [text for text in shuffled if len(find_words(text)) > K][: settings.precision_texts]
    method = Lime(n_samples=settings.precision_samples)
    found: dict[str, list[Explanation]] = {}
    seconds = {}
    for precision in ("float32", "bfloat16"):
        classifier = load_classifier(settings.model, settings.device, precision, data_dir=data_dir)
        start = time.perf_counter()
        found[precision] = method.explain(texts, classifier, settings.seed)
        seconds[precision] = time.perf_counter() - start
    overlaps, ordered, gaps = [], [], []
    for exact, rounded in zip(found["float32"], found["bfloat16"], strict=True):
        of = exact.predicted
        a, b = exact.weights[of], rounded.weights[of]
        overlaps.append(top_k_overlap(a, b, K))
        ordered.append(bool((exact.ranking(of)[:K] == rounded.ranking(of)[:K]).all()))
        strengths = np.sort(np.abs(a))[::-1]
        gaps.append(float((strengths[K - 1] - strengths[K]) / max(strengths[0], 1e-300)))
    kept = np.array(overlaps) == 1.0
    low, high = wilson_interval(float(kept.sum()), len(kept))
    predicted = [
        exact.predicted == rounded.predicted
        for exact, rounded in zip(found["float32"], found["bfloat16"], strict=True)
    ]
    return [
        Row(
            "bfloat16",
            "bfloat16-top5",
            f"texts whose top {K} words bfloat16 keeps, LIME {settings.precision_samples}",
            float(kept.mean()),
            low,
            high,
            len(kept),
            at_least=AT_LEAST,
            details={
                "mean_overlap": float(np.mean(overlaps)),
                "same_order": float(np.mean(ordered)),
                "same_prediction": float(np.mean(predicted)),
                # How close the fifth and the sixth word are, as a share of the strongest.
                "gap_where_changed": [
                    round(g, 5) for g, k in zip(gaps, kept, strict=True) if not k
                ],
                "median_gap": float(np.median(gaps)),
                "float32_seconds": seconds["float32"],
                "bfloat16_seconds": seconds["bfloat16"],
            },
        )
    ]
