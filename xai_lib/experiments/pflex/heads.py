"""What a head is worth: readings of what the paper leaves open, and another teacher."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xai_lib.experiments.pflex.agreement import mean_over_runs
from xai_lib.experiments.pflex.runs import Run, explain_runs, fit_heads, shortest, shuffled
from xai_lib.experiments.pflex.stress import stress_values
from xai_lib.experiments.rows import Row, compared_rows
from xai_lib.explainers.pflex import PFLex

if TYPE_CHECKING:
    from xai_lib.experiments.pflex.sample import Sample

AGREEMENT = ("cosine", "spearman", "top-1")
AFTER_ONE = {"accuracy at k = 1": "accuracy", "retention at k = 1": "retention"}
QUALITY = (*AGREEMENT, *AFTER_ONE)
DEFAULT, SHUFFLED = "paper", "shuffled"
# What changes of the default settings.
VARIANTS: dict[str, dict[str, Any]] = {
    DEFAULT: {},
    "released": {"head": "released"},
    "raw": {"target": "raw"},
    "standardised": {"target": "standardised"},
    SHUFFLED: {},
}


def quality(sample: Sample, runs: Sequence[Run]) -> dict[str, np.ndarray]:
    """Measure agreement with LIME on the test texts, and what is left without the top word.

    Parameters
    ----------
    sample
        The test texts.
    runs
        A head's explanations of the first of them, one list for each seed of its training.

    Returns
    -------
    dict of str to (n,) array
        The measures of `QUALITY`, averaged over runs; NaN where one is not defined.
    """
    n = shortest({"head": runs})
    agreed = mean_over_runs([run[:n] for run in runs], sample.test.lime[:n])
    removed = stress_values(sample, {"head": runs}, (1,))
    found = {name: agreed[name] for name in AGREEMENT}
    return found | {name: removed[what]["head"][:, 0] for name, what in AFTER_ONE.items()}


def fit_variants(
    sample: Sample,
    settings: PFLex,
    seeds: Sequence[int] = (0,),
    n_train: int | None = None,
    names: Sequence[str] = tuple(VARIANTS),
    report: Callable[[int, int], None] | None = None,
) -> dict[str, list[PFLex]]:
    """Train the heads of `VARIANTS`, all on the same training texts.

    Parameters
    ----------
    sample
        LIME's explanations of the training texts.
    settings
        The default; a variant changes one thing.
    seeds
        Seeds of the training.
    n_train
        Number of training texts; default all.
    names
        Which variants.
    report
        Called as ``report(done, all)``.

    Returns
    -------
    dict of str to list of PFLex
        A fitted head for each seed. ``shuffled`` learns weights that were permuted within each
        text.

    Raises
    ------
    ValueError
        If a variant is unknown.
    """
    unknown = [name for name in names if name not in VARIANTS]
    if unknown:
        raise ValueError(f"no variant {', '.join(unknown)}; valid: {', '.join(VARIANTS)}")
    lime = sample.train.lime[:n_train]
    found: dict[str, list[PFLex]] = {}
    for done, name in enumerate(names, 1):
        teacher = shuffled(lime, sample.seed) if name == SHUFFLED else lime
        one = replace(settings, **VARIANTS[name])
        found[name] = fit_heads(one, teacher, sample.setting.classifier, seeds)
        if report is not None:
            report(done, len(names))
    return found


def variant_rows(
    sample: Sample, heads: Mapping[str, Sequence[PFLex]], n_test: int | None = None
) -> tuple[list[Row], list[Row]]:
    """Compare variants of the head on the test texts.

    Parameters
    ----------
    sample
        The test texts.
    heads
        For each variant its fitted heads, see `fit_variants`; the first is compared with the
        others.
    n_test
        Number of test texts; default all.

    Returns
    -------
    rows, comparisons : list of dict
        For each measure of `QUALITY` and variant.
    """
    texts = [one.text for one in sample.test.instances[:n_test]]
    box = sample.setting.classifier
    tables = {name: quality(sample, explain_runs(some, texts, box)) for name, some in heads.items()}
    first = next(iter(heads))
    return compared_rows({"setting": sample.setting.key}, "variant", tables, first, sample.seed)


def teacher_rows(
    sample: Sample, heads: Mapping[str, Sequence[PFLex]], n_test: int | None = None
) -> tuple[list[Row], list[Row]]:
    """Compare heads that were trained on the weights of different teachers.

    Parameters
    ----------
    sample
        The test texts.
    heads
        For each teacher, ``"lime"`` and ``"lipex"``, its fitted heads, one for each seed; the
        first teacher is compared with the other.
    n_test
        Number of test texts; default all.

    Returns
    -------
    rows, comparisons : list of dict
        For each teacher accuracy and retention when the top word is removed, and ``spearman``
        and ``cosine`` with either teacher's explanations, as ``"cosine with lipex"``.
    """
    texts = [one.text for one in sample.test.instances[:n_test]]
    judges = {"lime": sample.test.lime, "lipex": sample.test.lipex}
    tables: dict[str, dict[str, np.ndarray]] = {}
    for teacher, some in heads.items():
        runs = explain_runs(some, texts, sample.setting.classifier)
        measured = quality(sample, runs)
        tables[teacher] = {name: measured[name] for name in AFTER_ONE}
        for judge, reference in judges.items():
            agreed = mean_over_runs(runs, reference)
            found = {f"{name} with {judge}": agreed[name] for name in ("spearman", "cosine")}
            tables[teacher] |= found
    first = next(iter(heads))
    return compared_rows({"setting": sample.setting.key}, "teacher", tables, first, sample.seed)
