"""Figure 2 and Table 2: pictures, saliency methods, and what the size of a segment explains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from xai_lib.experiments.lipex.removal import KS, removal_rates
from xai_lib.experiments.lipex.sample import Sample, gather
from xai_lib.experiments.rows import Row, compare_rows, defined_row, interval
from xai_lib.experiments.study import Setting, progress
from xai_lib.explainers import make_explainer
from xai_lib.explainers.lime import Lime
from xai_lib.explainers.lipex import Lipex
from xai_lib.image_explanation import ImageExplanation
from xai_lib.metrics import remove_top, top_k_jaccard
from xai_lib.models import load_classifier
from xai_lib.store import stored_explanations

# The paper's name of a method, and ours with its settings.
SALIENCY: dict[str, tuple[str, dict[str, Any]]] = {
    "xrai": ("xrai", {}),
    "guided_ig": ("guided_ig", {}),
    "blur_ig": ("blur_ig", {}),
    "vanilla_gradient": ("vanilla_gradient", {}),
    "smoothgrad": ("pixel_smoothgrad", {}),
    "integrated_gradients": ("pixel_integrated_gradients", {}),
    "grad_cam": ("grad_cam", {}),
}
PATHS = ("xrai", "guided_ig", "blur_ig", "integrated_gradients")
# What needs no gradient: our additions to Table 2.
FLOORS = ("occlusion", "segment_size", "random")
POOL = (3, 4, 5)
TOP = 5
# How segments are cut and taken out, beside the default, and in which number format.
IMAGE_VARIANTS: dict[str, dict[str, str]] = {
    "SLIC, mean colour (default)": {},
    "SLIC, mean colour, in float32": {"precision": "float32"},
    "SLIC, black": {"removal": "black"},
    "SLIC, blurred": {"removal": "blur"},
    "quickshift, mean colour": {"segmenter": "quickshift"},
    "equal tiles, mean colour": {"segmenter": "grid"},
}


def saliency(sample: Sample, n: int) -> dict[str, list[ImageExplanation]]:
    """Explain the first n pictures by the saliency methods, kept on disk, and by the floors.

    The score of a segment is the sum of the weights of its pixels, as in the paper. A profile
    that gives ``saliency_steps`` makes the methods with a path shorter.
    """
    setting = sample.setting
    steps = setting.profile.get("saliency_steps")
    found = {}
    for name, (method, defaults) in SALIENCY.items():
        settings = {**defaults, **({"n_steps": steps} if steps and name in PATHS else {})}
        found[name] = stored_explanations(
            make_explainer(method, **settings),
            sample.instances[:n],
            setting.classifier,
            sample.seed,
            progress(f"{setting.key}, {name} of {n} pictures"),
        )
    for name in FLOORS:
        how = {"removal": sample.removal} if name == "occlusion" else {}
        found[name] = make_explainer(name, **how).explain(
            sample.instances[:n], setting.classifier, sample.seed
        )
    return found


def by_mean(explanations: Sequence[ImageExplanation]) -> list[ImageExplanation]:
    """Score segments by the mean weight of their pixels in place of the sum."""
    return [replace(one, weights=one.weights / one.sizes) for one in explanations]


def segment_size_rows(
    sample: Sample, explanations: Mapping[str, Sequence[ImageExplanation]]
) -> list[Row]:
    """Measure how much of each method's score is the size of the segments.

    Parameters
    ----------
    sample
        The pictures.
    explanations
        For each method those of the first n pictures; each saliency method is also scored by
        the mean over a segment.

    Returns
    -------
    list of dict
        For each method the share of changed predictions over K = 3 to 5, the share of the
        picture that its top five segments cover, and the rank correlation of the sizes of
        segments with their absolute scores; pictures where one of the two does not vary are
        left out of it.
    """
    every = {name: list(some) for name, some in explanations.items()}
    every |= {f"{name} (mean)": by_mean(every[name]) for name in SALIENCY if name in every}
    changed = removal_rates(sample, every)
    rows: list[Row] = []
    key, seed = sample.setting.key, sample.seed
    for name, some in every.items():
        areas = [one.sizes[one.ranking()[:TOP]].sum() / one.sizes.sum() for one in some]
        pooled = changed[name][:, [KS.index(k) for k in POOL]].mean(axis=1)
        measured = {
            "changed, K = 3 to 5": pooled,
            "share of the picture in the top 5": np.array(areas),
            "rank correlation with size": np.array([_with_size(one) for one in some]),
        }
        for what, values in measured.items():
            rows.append(
                defined_row({"setting": key, "method": name, "measure": what}, values, seed)
            )
    return rows


def measure_rows(
    sample: Sample, explanations: Mapping[str, Sequence[ImageExplanation]]
) -> tuple[list[Row], list[Row]]:
    """Measure the same removals in other ways: by probability, and among all ImageNet classes.

    Parameters
    ----------
    sample
        The pictures; the profile names in ``all_classes`` the same network with all its outputs.
    explanations
        For each method those of the first n pictures; they are of the data set's classes.

    Returns
    -------
    rows, comparisons : list of dict
        For each method, means over K = 3 to 5: how far the probability of the predicted class
        falls; whether the class changes that is first among all outputs; how far its probability
        falls. LIPEx against each other method.
    """
    setting, seed = sample.setting, sample.seed
    n = min(len(some) for some in explanations.values())
    rankings = {name: [one.ranking() for one in some[:n]] for name, some in explanations.items()}
    wide = load_classifier(setting.profile["all_classes"], setting.device)
    given = (sample.instances[:n], rankings)
    few = remove_top(*given, setting.classifier, POOL, sample.removal)
    many = remove_top(*given, wide, POOL, sample.removal)
    setting.classifier.calls += wide.calls  # So that the cost of this item has them.
    measures = {
        "fall of the probability": {name: one.drop for name, one in few.items()},
        "changed among all classes": {name: one.changed for name, one in many.items()},
        "fall among all classes": {name: one.drop for name, one in many.items()},
    }
    rows: list[Row] = []
    pairs: list[Row] = []
    for measure, found in measures.items():
        values = {name: some.mean(axis=1) for name, some in found.items()}
        for name, some in values.items():
            place = {"setting": setting.key, "method": name, "measure": measure}
            rows.append({**place, **interval(some, seed)})
        against = [("lipex", other) for other in values if other != "lipex"]
        pairs += compare_rows({"setting": setting.key, "measure": measure}, values, against, seed)
    return rows, pairs


def _with_size(one: ImageExplanation) -> float:
    scores = np.abs(one.weights[one.predicted])
    if np.ptp(scores) == 0 or np.ptp(one.sizes) == 0:
        return float("nan")
    return float(spearmanr(scores, one.sizes).statistic)


def picture_rows(
    sample: Sample, explanations: Mapping[str, Sequence[ImageExplanation]], k: int = 6
) -> list[Row]:
    """Remove the top k segments of some pictures; Figure 2 shows these segments.

    Parameters
    ----------
    sample
        The pictures.
    explanations
        For each method those of some first pictures.
    k
        Number of segments.

    Returns
    -------
    list of dict
        For each picture and method the fall of the probability of the predicted class, and the
        share of the picture that was removed.
    """
    n = min(len(some) for some in explanations.values())
    rankings = {name: [one.ranking() for one in some[:n]] for name, some in explanations.items()}
    removed = remove_top(
        sample.instances[:n], rankings, sample.setting.classifier, (k,), sample.removal
    )
    return [
        {
            "image": i + 1,
            "class": some[i].classes[some[i].predicted],
            "method": name,
            "fall": float(removed[name].drop[i, 0]),
            "area": float(some[i].sizes[rankings[name][i][:k]].sum() / some[i].sizes.sum()),
        }
        for i in range(n)
        for name, some in explanations.items()
    ]


def image_variant_rows(
    setting: Setting, n: int, lipex: Lipex, seed: int
) -> tuple[list[Row], list[Row]]:
    """Cut and remove segments in other ways, for LIPEx, LIME and the size alone.

    Parameters
    ----------
    setting
        The pictures and the black box; its profile can list some of `IMAGE_VARIANTS` under
        ``variants``, the default first.
    n
        Number of pictures.
    lipex
        LIPEx with its settings; LIME gets as many perturbations.
    seed
        Seed of draw and perturbations.

    Returns
    -------
    rows, comparisons : list of dict
        For each variant and method the share of changed predictions over K = 3 to 5, the number
        of segments, and where these are the default's, what LIPEx's top five share with the
        default's (Jaccard index); LIPEx against LIME and against size.
    """
    rows: list[Row] = []
    pairs: list[Row] = []
    default: list[np.ndarray] = []
    for variant in setting.profile.get("variants", IMAGE_VARIANTS):
        how = IMAGE_VARIANTS[variant]
        given = {name: value for name, value in how.items() if name != "precision"}
        where = _in_format(setting, how.get("precision"))
        sample = gather(where, seed, rounds=1, per_round=n, texts=0, **given)  # type: ignore[arg-type]
        found: dict[str, list[Any]] = {"lipex": sample.explain(lipex)}
        found["lime"] = sample.explain(Lime(n_samples=lipex.n_samples))
        found["segment_size"] = make_explainer("segment_size").explain(
            sample.instances, where.classifier, seed
        )
        changed = removal_rates(sample, found)
        place: Row = {"setting": setting.key, "variant": variant}
        pooled = {
            name: values[:, [KS.index(k) for k in POOL]].mean(axis=1)
            for name, values in changed.items()
        }
        for name, values in pooled.items():
            rows.append({**place, "measure": f"{name}, changed", **interval(values, seed)})
        counts = np.array([one.n_features for one in sample.instances], dtype=float)
        rows.append({**place, "measure": "segments", **interval(counts, seed)})
        rankings = [one.ranking() for one in found["lipex"]]
        default = default or rankings
        if "segmenter" not in how:
            shared = [top_k_jaccard(*pair, TOP) for pair in zip(default, rankings, strict=True)]
            measure = "lipex, top five in common with the default"
            rows.append({**place, "measure": measure, **interval(np.array(shared), seed)})
        against = [("lipex", "lime"), ("lipex", "segment_size")]
        pairs += compare_rows(place, pooled, against, seed)
    return rows, pairs


def _in_format(setting: Setting, precision: str | None) -> Setting:
    """Give the setting a black box in another number format, whose calls are counted with its."""
    if precision is None:
        return setting
    other = replace(setting, profile={**setting.profile, "precision": precision})
    setting.others[precision] = other.classifier
    return other
