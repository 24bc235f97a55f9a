"""How many samples three samplers need for the ranking of a LIME with very many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.results import Row
from benchmarks.settings import MAX_LENGTH, Settings, texts_of
from xai_lib.data import Dataset
from xai_lib.explainers.lime import fit_lime
from xai_lib.masks import (
    SIZE_SAMPLERS,
    Neighbourhood,
    all_masks,
    distinct,
    neighbourhoods,
    sample_masks,
)
from xai_lib.metrics.agreement import rank_correlation, top_k_overlap
from xai_lib.metrics.intervals import mean_with_interval
from xai_lib.models import load_classifier
from xai_lib.models.base import Classifier
from xai_lib.rng import generator
from xai_lib.text import TextInstance

K = 5
RESAMPLES = 2000
Draw = Callable[[int, str], Neighbourhood]


def tabulated(
    one: TextInstance, classifier: Classifier, n: int, reference: int
) -> tuple[Neighbourhood, Draw]:
    """Ask for all 2^F masks once; then draws of any seed and sampler cost nothing.

    Returns
    -------
    reference : Neighbourhood
        All masks with the counts expected of `reference` draws.
    draw : function
        ``draw(seed, sampler)`` gives a draw of n perturbations.
    """
    masks, counts = all_masks(one.n_features, reference)
    table = classifier.predict_masked(one, masks)

    def draw(seed: int, sampler: str) -> Neighbourhood:
        rng = generator(seed, "benchmark", "budget", one.read_text, sampler)
        rows, index = distinct(sample_masks(one.n_features, n, rng, sampler))
        # `all_masks` counts down, the first feature being the lowest binary digit.
        place = len(masks) - 1 - rows @ (1 << np.arange(one.n_features))
        return Neighbourhood(rows, np.bincount(index).astype(float), table[place], index)

    return Neighbourhood(masks, counts, table), draw


def sampled(
    one: TextInstance, classifier: Classifier, n: int, reference: int
) -> tuple[Neighbourhood, Draw]:
    """Like `tabulated` for a longer text: everything is drawn and asked for."""

    def ask(seed: int, sampler: str, size: int) -> Neighbourhood:
        return neighbourhoods([one], classifier, size, seed, sampler, enumerate_up_to=0)[0]

    # The reference has a seed that no draw has.
    return ask(-1, "lime", reference), lambda seed, sampler: ask(seed, sampler, n)


def accuracy(
    reference: Neighbourhood, draw: Draw, budgets: Sequence[int], seeds: Sequence[int], sampler: str
) -> np.ndarray:
    """Compare LIMEs with few samples to the reference.

    Returns
    -------
    (3, B) float64 array
        For each budget, means over the seeds of Spearman's correlation of the absolute weights
        of the predicted class, of the overlap of the top five, and of the distinct model calls.
    """
    of = int(np.argmax(reference.probabilities[0]))
    exact = np.abs(fit_lime(reference).weights[of])
    found = np.zeros((len(seeds), 3, len(budgets)))
    for i, seed in enumerate(seeds):
        whole = draw(seed, sampler)
        for j, budget in enumerate(budgets):
            near = whole.head(budget)
            weights = np.abs(fit_lime(near).weights[of])
            found[i, :, j] = (
                rank_correlation(exact, weights),
                top_k_overlap(exact, weights, K),
                near.model_calls,
            )
    return found.mean(axis=0)


def needed(budgets: Sequence[int], curve: np.ndarray, target: float) -> float | None:
    """Interpolate, in the logarithm of the budget, where a curve reaches a value; None: never."""
    rising = np.maximum.accumulate(curve)
    if rising[-1] < target or rising[0] >= target:
        return None
    j = int(np.argmax(rising >= target))
    share = (target - rising[j - 1]) / (rising[j] - rising[j - 1])
    low, high = np.log(budgets[j - 1]), np.log(budgets[j])
    return float(np.exp(low + share * (high - low)))


def gain(budgets: Sequence[int], plain: np.ndarray, other: np.ndarray) -> float | None:
    """Divide the budget in the middle by what another sampler needs for plain's accuracy there.

    Parameters
    ----------
    budgets
        B budgets.
    plain, other
        (B,) accuracies.

    Returns
    -------
    float or None
        None where the other curve does not pass that accuracy within the budgets.
    """
    middle = len(budgets) // 2
    found = needed(budgets, other, float(plain[middle]))
    return None if found is None else budgets[middle] / found


def rows(
    settings: Settings, dataset: Dataset, length: str, data_dir: Path | None = None
) -> list[Row]:
    """Measure the curve on texts of one length, ``"short"`` or ``"long"``.

    Returns
    -------
    list of Row
        For paired and stratified samples: by how much fewer of them reach the accuracy of plain
        samples at the middle budget, with a 95 % bootstrap interval over texts. The curves are
        in the details.
    """
    words, n_texts, n_seeds = settings.short if length == "short" else settings.long
    texts, joined = texts_of(dataset, words, n_texts)
    classifier = load_classifier(
        settings.model, settings.device, "auto", MAX_LENGTH, data_dir=data_dir
    )
    budgets = settings.budgets
    seeds = [settings.seed + i for i in range(n_seeds)]
    prepare = tabulated if length == "short" else sampled
    # (texts, samplers, 3, budgets)
    found = np.zeros((n_texts, len(SIZE_SAMPLERS), 3, len(budgets)))
    for i, text in enumerate(texts):
        one = classifier.instance(text)
        reference, draw = prepare(one, classifier, max(budgets), settings.reference_samples)
        for s, sampler in enumerate(SIZE_SAMPLERS):
            found[i, s] = accuracy(reference, draw, budgets, seeds, sampler)
    plain, middle = SIZE_SAMPLERS.index("lime"), len(budgets) // 2
    details = {
        "words": words,
        "texts": n_texts,
        "joined_texts": joined,
        "seeds": n_seeds,
        "precision": classifier.precision,
        "reference": f"all masks, expected counts of {settings.reference_samples} samples"
        if length == "short"
        else f"{settings.reference_samples} samples",
        "target_spearman": float(found[:, plain, 0, middle].mean()),
        "target_budget": budgets[middle],
    }
    rng = generator(settings.seed, "benchmark", "bootstrap")
    picks = rng.integers(0, n_texts, (RESAMPLES, n_texts))
    measured = []
    for s, sampler in enumerate(SIZE_SAMPLERS):
        curve = {
            "sampler": sampler,
            "budgets": list(budgets),
            "spearman": _curve(found[:, s, 0]),
            "top5": _curve(found[:, s, 1]),
            "distinct_calls": found[:, s, 2].mean(axis=0).round(1).tolist(),
        }
        if sampler == "lime":
            details["plain"] = curve
            continue
        value = gain(budgets, found[:, plain, 0].mean(axis=0), found[:, s, 0].mean(axis=0))
        resampled = [
            gain(budgets, found[rows_, plain, 0].mean(axis=0), found[rows_, s, 0].mean(axis=0))
            for rows_ in picks
        ]
        finite = [number for number in resampled if number is not None]
        whole = len(finite) == RESAMPLES and value is not None
        low, high = np.quantile(finite, [0.025, 0.975]).tolist() if whole else (None, None)
        measured.append(
            Row(
                f"calls-{length}",
                f"calls-{words}-{sampler}",
                f"{sampler} samples: times fewer than {budgets[middle]} plain ones for the same "
                f"ranking, {words} words",
                value,
                low,
                high,
                n_texts,
                details=details | {"curve": curve},
            )
        )
    return measured


def _curve(values: np.ndarray) -> list[dict[str, float | None]]:
    """Summarise (texts, budgets) values: mean and 95 % interval over texts at each budget."""
    points = []
    for column in values.T:
        one = mean_with_interval(column)
        ends = [None if np.isnan(end) else round(end, 4) for end in (one.low, one.high)]
        points.append({"mean": round(one.mean, 4), "low": ends[0], "high": ends[1]})
    return points
