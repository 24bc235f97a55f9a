"""The experiments of LIPEx on text: what each figure and table measures, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xai_lib.experiments.study import Setting, progress
from xai_lib.explainers import make_explainer
from xai_lib.explainers.lime import Lime, fit_lime
from xai_lib.explainers.lipex import Lipex, fit_lipex, select_features
from xai_lib.explanation import Explanation
from xai_lib.masks import Neighbourhood
from xai_lib.metrics import (
    compare_pairs,
    distort_head,
    head_probabilities,
    holm,
    mean_with_interval,
    measure,
    paired_difference,
    remove_top,
    reprediction_match,
    sd_over_rounds,
    top_k_jaccard,
    total_variation,
    tv_at_input,
)
from xai_lib.report.lipex_figures import angle
from xai_lib.rng import generator
from xai_lib.store import stored_neighbourhoods
from xai_lib.text import TextInstance

KS = (1, 2, 3, 4, 5)
POOLED = "1-5"
# Explained from its own passes through the network; ranked without sign and without class, as in
# the code the paper took them from.
GRADIENTS: dict[str, dict[str, Any]] = {
    "guided_backprop": {"aggregation": "l1", "target": "predicted"},
    "saliency": {"aggregation": "l1", "target": "predicted"},
    "input_x_gradient": {"aggregation": "l1", "target": "predicted"},
    "deeplift": {"aggregation": "l1", "target": "predicted"},
    "occlusion": {"removal": "pad"},
    "random": {},
}
Row = dict[str, Any]
RECORDED = (
    "figure-1",
    "figure-6",
    "figure-7",
    "class-overlap",
    "figure-3",
    "figure-4",
    "table-1",
    "table-3",
    "table-4",
    "equal-budget",
    "figure-5",
    "table-7",
    "table-5",
    "table-6",
    "variants",
)


@dataclass(frozen=True, eq=False)
class Sample:
    """Texts of a setting with their perturbations, answered once and used by many experiments.

    Attributes
    ----------
    setting
        Where they come from.
    instances, labels
        n texts (features are word types, as in the paper) and their gold classes.
    near
        Perturbations of each; the first `len(rounds)` texts have the full budget.
    rounds
        Round of each of the first texts.
    seed
        Seed of everything.
    """

    setting: Setting
    instances: list[TextInstance]
    labels: np.ndarray
    near: list[Neighbourhood]
    rounds: np.ndarray
    seed: int

    def explain(self, explainer: Lime | Lipex, n: int | None = None) -> list[Explanation]:
        """Explain the first n texts (default all) from the stored perturbations."""
        return explainer.explain_neighbourhoods(
            self.instances[:n], self.near[:n], self.setting.classifier, self.seed
        )

    def lime_like(self, explanations: Sequence[Explanation], n_samples: int) -> list[Explanation]:
        """Explain by LIME with as many features as each of LIPEx's explanations has.

        The paper always calls LIME on f features, f the size of LIPEx's union.
        """
        settings = Lime(n_samples=n_samples, group="type")
        found: list[Explanation] = []
        for one, near, other in zip(self.instances, self.near, explanations, strict=False):
            lime = replace(settings, n_features=int(other.diagnostics["n_selected"]))
            found += lime.explain_neighbourhoods([one], [near], self.setting.classifier, self.seed)
        return found


def gather(setting: Setting, seed: int, min_words: int = 2, **counts: int) -> Sample:
    """Draw the texts of a setting and have their perturbations answered (kept on disk).

    Parameters
    ----------
    setting
        The setting; its profile gives ``rounds``, ``per_round``, ``texts``, ``full`` (budget of
        the texts in rounds) and ``base`` (budget of the others).
    seed
        Seed of the draw and the perturbations.
    min_words
        Skip shorter texts.
    **counts
        Replace numbers of the profile.

    Returns
    -------
    Sample
    """
    numbers = {**setting.profile, **counts}
    in_rounds = numbers["rounds"] * numbers["per_round"]
    n = max(numbers["texts"], in_rounds)
    drawn = setting.test.sample(n, seed, min_words=min_words)
    black_box = setting.classifier
    instances = [black_box.instance(text, "type") for text in drawn.texts]
    near: list[Neighbourhood] = []
    for part, budget in ((instances[:in_rounds], "full"), (instances[in_rounds:], "base")):
        if part:
            title = f"{setting.key}, {numbers[budget]} perturbations of {len(part)} texts"
            near += stored_neighbourhoods(
                part,
                black_box,
                numbers[budget],
                seed,
                enumerate_up_to=min(numbers["budgets"]),
                progress=progress(title),
            )
    rounds = np.repeat(np.arange(numbers["rounds"]), numbers["per_round"])
    return Sample(setting, instances, drawn.labels, near, rounds, seed)


# Removal of the top features (Tables 1 and 4, equal budget) -----------------------------------


def removal_rates(
    sample: Sample, explanations: Mapping[str, Sequence[Explanation]], by: str = "abs"
) -> dict[str, np.ndarray]:
    """Remove each method's top K words and see whether the predicted class changes.

    Parameters
    ----------
    sample
        The texts.
    explanations
        For each method the explanations of the first n texts.
    by
        ``"abs"`` ranks by absolute weight, as the paper does; ``"signed"`` by weight.

    Returns
    -------
    dict of str to (n, 5) bool array
    """
    n = min(len(some) for some in explanations.values())
    rankings = {
        method: [one.ranking(by=by) for one in some[:n]] for method, some in explanations.items()
    }
    removed = remove_top(sample.instances[:n], rankings, sample.setting.classifier, KS)
    return {method: found.changed for method, found in removed.items()}


def removal_table(
    sample: Sample,
    explanations: Mapping[str, Sequence[Explanation]],
    reference: str,
    n_samples: int | Mapping[str, int] | None = None,
    pooled: bool = False,
) -> tuple[list[Row], list[Row]]:
    """Share of predictions that change when the top K words go, and paired comparisons.

    Parameters
    ----------
    sample, explanations
        See `removal_rates`.
    reference
        Method that is compared with all others.
    n_samples
        Number of perturbations, written into the rows: one for all, or one for each method.
    pooled
        Add a row for the mean over all K of each text.

    Returns
    -------
    rows, comparisons : list of dict
        A row for each method and K with 95 % interval, n and the spread over rounds; a
        comparison for each K and for the mean over all K of each text.
    """
    changed = removal_rates(sample, explanations)
    key, seed = sample.setting.key, sample.seed
    rows: list[Row] = []
    for method, values in changed.items():
        size = n_samples.get(method) if isinstance(n_samples, Mapping) else n_samples
        place: Row = {"setting": key, "method": method}
        place |= {} if size is None else {"n_samples": size}
        columns = dict(zip(KS, values.T, strict=True))
        if pooled:
            columns |= {POOLED: values.mean(axis=1)}
        for k, column in columns.items():
            spread = sd_over_rounds(column, sample.rounds[: len(column)])[1]
            rows.append({**place, "k": k, **_estimate(column, seed), "sd": spread})
    pairs: list[Row] = []
    shared: Row = {"setting": key}
    shared |= {"n_samples": n_samples} if isinstance(n_samples, int) else {}
    for k in (*KS, POOLED):
        column_of = {
            method: values.mean(axis=1) if isinstance(k, str) else values[:, KS.index(k)]
            for method, values in changed.items()
        }
        frame = compare_pairs(column_of, reference, seed=seed)
        pairs += [{**shared, "k": k, **dict(pair)} for _, pair in frame.iterrows()]
    return rows, pairs


def with_holm(pairs: list[Row]) -> list[Row]:
    """Correct the p-values of all comparisons of one table for their number (Holm)."""
    corrected = holm(np.array([pair["p"] for pair in pairs]))
    return [{**pair, "p_holm": float(p)} for pair, p in zip(pairs, corrected, strict=True)]


def baselines(sample: Sample, n: int) -> dict[str, list[Explanation]]:
    """Explain the first n texts by the gradient methods, occlusion and at random."""
    texts = [one.text for one in sample.instances[:n]]
    return {
        method: make_explainer(method, group="type", **settings).explain(
            texts, sample.setting.classifier, sample.seed
        )
        for method, settings in GRADIENTS.items()
    }


def matching_rows(sample: Sample, explanations: Sequence[Explanation]) -> list[Row]:
    """Share of texts where LIPEx names the model's class after the top K words are gone."""
    n = len(explanations)
    black_box = sample.setting.classifier
    match = reprediction_match(explanations, sample.instances[:n], black_box, KS)
    return [
        {"setting": sample.setting.key, "k": k, **_estimate(match[:, j], sample.seed),
         "sd": sd_over_rounds(match[:, j], sample.rounds[:n])[1]}
        for j, k in enumerate(KS)
    ]  # fmt: skip


def matrix_rows(explanations: Sequence[Explanation], classes: int = 6, k: int = 5) -> list[Row]:
    """List the k strongest words of the most probable classes of some texts, with weights."""
    return [
        {"text": number, "class": one.classes[c], "feature": one.words[f],
         "weight": one.weights[c, f]}
        for number, one in enumerate(explanations, start=1)
        for c in np.argsort(-one.probabilities, kind="stable")[:classes]
        for f in one.ranking(int(c))[:k]
    ]  # fmt: skip


# Figure 3 -------------------------------------------------------------------------------------


def distance_rows(values: np.ndarray, key: str, method: str, seed: int) -> list[Row]:
    """Summarise total variations: the mean, and the shares of texts within two bounds."""
    found = [("mean", values)]
    found += [(f"share_at_most_{bound}", values <= bound) for bound in (0.05, 0.1)]
    return [
        {"setting": key, "method": method, "statistic": name, **_estimate(data, seed)}
        for name, data in found
    ]


# Figure 4 -------------------------------------------------------------------------------------


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
            rows.append({**place, "series": name, **_estimate(values[:, s].mean(axis=1), seed)})
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


# Figure 5 and Table 7 -------------------------------------------------------------------------


def angle_rows(
    sample: Sample, deltas: Sequence[str], k: int = 5
) -> tuple[list[Row], list[Row], list[Row]]:
    """Find the top features again from perturbations within an angle of the text.

    The features are those that LIPEx selects from all perturbations, for both methods and all
    angles (Algorithm 2). A text with no perturbation within an angle but itself is left out
    there; n says how many remain.

    Parameters
    ----------
    sample
        The texts, all with the full budget.
    deltas
        Angles such as ``"pi/16"``; the last is the widest.
    k
        Number of top features.

    Returns
    -------
    rows, comparisons, counts : list of dict
        For Figure 5, and for Table 7.
    """
    names = ("lime", "lipex", "lipex_vs_lime", "overlap")
    values = {name: np.full((len(sample.instances), len(deltas)), np.nan) for name in names}
    counts = np.zeros((len(sample.instances), len(deltas)))
    for i, near in enumerate(sample.near):
        columns = select_features(near, 5)
        whole = _two_rankings(near, columns)
        for j, delta in enumerate(deltas):
            inside = near.within(angle(delta))
            counts[i, j] = inside.counts.sum()
            if len(inside.masks) < 2:
                continue
            lime, lipex = _two_rankings(inside, columns)
            values["lime"][i, j] = top_k_jaccard(lime, whole[0], k)
            values["lipex"][i, j] = top_k_jaccard(lipex, whole[1], k)
            values["lipex_vs_lime"][i, j] = top_k_jaccard(lipex, whole[0], k)
            values["overlap"][i, j] = len(set(lipex[:k]) & set(whole[0][:k])) / len(lipex[:k])
    rows: list[Row] = []
    pairs: list[Row] = []
    inside_rows: list[Row] = []
    for j, delta in enumerate(deltas):
        place = {"setting": sample.setting.key, "delta": delta}
        seen = np.isfinite(values["lipex"][:, j])
        inside_rows.append({"modality": "text", **place, **_estimate(counts[:, j], sample.seed)})
        if not seen.any():
            nothing = {"mean": None, "low": None, "high": None, "n": 0}
            rows += [{**place, "series": name, **nothing} for name in names]
            continue
        for name in names:
            estimate = _estimate(values[name][seen, j], sample.seed)
            rows.append({**place, "series": name, **estimate})
        columns_of = {name: values[name][seen, j] for name in ("lipex", "lime")}
        frame = compare_pairs(columns_of, "lipex", seed=sample.seed)
        pairs += [{**place, **dict(pair)} for _, pair in frame.iterrows()]
    return rows, pairs, inside_rows


def _two_rankings(near: Neighbourhood, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rank the given features for the predicted class by LIME and by LIPEx."""
    lime = fit_lime(near, columns=columns)
    lipex = fit_lipex(near, columns=columns)
    predicted = int(np.argmax(near.probabilities[0]))
    ranked = [
        columns[np.argsort(-np.abs(part.weights[predicted, columns]), kind="stable")]
        for part in (lime, lipex)
    ]
    return ranked[0], ranked[1]


def expected_within(n_features: int, n_samples: int, delta: float) -> float:
    """Count the perturbations that LIME's sampler is expected to draw within an angle.

    1 + (n - 1) #{s : sqrt((F - s) / F) >= cos delta} / F, the text itself being the first.
    """
    kept = np.arange(n_features) / n_features
    inside = np.arccos(np.sqrt(kept)) <= delta + 1e-12
    return 1 + (n_samples - 1) * float(inside.sum()) / n_features


# Table 5 --------------------------------------------------------------------------------------


def timing_rows(
    setting: Setting, texts: Sequence[str], budgets: Mapping[str, Sequence[int]], seed: int
) -> tuple[list[Row], list[Row]]:
    """Time one explanation of all classes, forward passes included, one text at a time.

    Parameters
    ----------
    setting
        Gives the black box.
    texts
        n texts.
    budgets
        For ``"lipex"`` and ``"lime"`` the numbers of perturbations; the first of each are
        compared.
    seed
        Seed of the perturbations.

    Returns
    -------
    rows, comparisons : list of dict
    """
    seconds: dict[tuple[str, int], np.ndarray] = {}
    rows: list[Row] = []
    for method, sizes in budgets.items():
        for size in sizes:
            explainer = make_explainer(method, n_samples=size, group="type")

            def explain(text: str, explainer: Any = explainer) -> object:
                return explainer.explain([text], setting.classifier, seed)

            timing = measure(explain, texts, setting.classifier)
            seconds[method, size] = timing.seconds
            rows.append(
                {
                    "setting": setting.key,
                    "method": method,
                    "n_samples": size,
                    **_estimate(timing.seconds, seed),
                    "model_calls": float(timing.model_calls.mean()),
                }
            )
    first, second = seconds["lipex", budgets["lipex"][0]], seconds["lime", budgets["lime"][0]]
    gap = paired_difference(first, second, seed)
    pair = {
        "setting": setting.key,
        "first": "lipex",
        "second": "lime",
        "difference": gap.mean,
        "low": gap.low,
        "high": gap.high,
        "n": gap.n,
        "mean_second": float(second.mean()),
    }
    return rows, [pair]


# Class overlap and variants -------------------------------------------------------------------


def class_overlap(explanations: Sequence[Explanation], k: int = 5) -> np.ndarray:
    """Jaccard index of the top k features of the two most probable classes, (n,)."""
    values = []
    for one in explanations:
        first, second = np.argsort(-one.probabilities, kind="stable")[:2]
        nonzero = int((one.weights != 0).any(axis=0).sum())
        depth = min(k, nonzero)
        values.append(
            top_k_jaccard(one.ranking(int(first)), one.ranking(int(second)), depth)
            if depth
            else 1.0
        )
    return np.array(values)


VARIANTS: dict[str, dict[str, Any]] = {
    "default (LIME's kernel)": {},
    "pi = 1 - cos, as printed": {"pi": "one_minus_cosine"},
    "pi = cos": {"pi": "cosine"},
    "pi = 1": {"pi": "one"},
    "with a bias": {"bias": True},
    "Algorithm 1 as printed": {"selection": "as_printed"},
    "all words": {"selection": "none"},
    "Adam, as in Table 6": {"solver": "adam"},
}
SIGNED = "positive weights only"


def variant_rows(sample: Sample, lipex: Lipex, n: int) -> list[Row]:
    """Measure LIPEx as the paper may have meant it, variant by variant, on the same texts."""
    found = {name: sample.explain(replace(lipex, **some), n) for name, some in VARIANTS.items()}
    changed = removal_rates(sample, found)
    positive = {SIGNED: found[next(iter(VARIANTS))]}
    changed |= removal_rates(sample, positive, by="signed")
    measured: list[tuple[str, str, np.ndarray]] = []
    for name, values in changed.items():
        measured += [(name, f"changed at K = {k}", values[:, k - 1]) for k in (1, 5)]
    for name, some in found.items():
        match = reprediction_match(some, sample.instances[:n], sample.setting.classifier, KS)
        measured.append((name, "class foreseen at K = 5", match[:, 4]))
        measured.append((name, "total variation at the text", tv_at_input(some)))
    key, seed = sample.setting.key, sample.seed
    return [
        {"setting": key, "variant": name, "measure": what, **_estimate(values, seed)}
        for name, what, values in measured
    ]


def _estimate(values: np.ndarray, seed: int) -> Row:
    found = mean_with_interval(values, seed=seed)
    return {"mean": found.mean, "low": found.low, "high": found.high, "n": found.n}


def estimate_row(place: Row, values: np.ndarray, seed: int) -> Row:
    """Write a mean with its 95 % interval and n under the columns of `place`."""
    return {**place, **_estimate(values, seed)}
