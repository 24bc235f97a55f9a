"""What the teacher costs: when PFLex pays off, and how many explanations its training needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from xai_lib.experiments.pflex.heads import quality
from xai_lib.experiments.pflex.runs import explain_runs, fit_heads
from xai_lib.experiments.rows import Row, defined_row
from xai_lib.explainers.pflex import PFLex
from xai_lib.metrics import paired_difference

if TYPE_CHECKING:
    from xai_lib.experiments.pflex.sample import Sample

SIZES = (50, 100, 200, 400, 800, 1600, 3200)


def break_even_rows(
    key: str,
    seconds: Mapping[str, np.ndarray],
    teacher_seconds: float,
    training_seconds: float,
    seed: int,
) -> list[Row]:
    """Count from how many texts on PFLex, its teacher and its training cost less than LIME.

    Parameters
    ----------
    key
        The setting.
    seconds
        For each method (n,) measured seconds of one explanation, of the same texts:
        ``"pflex"``, and each LIME it is compared with.
    teacher_seconds, training_seconds
        Spent once: explaining the training texts, and fitting the head.
    seed
        Seed of the bootstrap.

    Returns
    -------
    list of dict
        For each LIME ``mean``, the number N of texts with ``teacher + training + N pflex = N
        lime`` in mean seconds (it may be a fraction; PFLex is cheaper above it), and its
        interval from that of the paired difference, with what is spent once taken as known.
        None throughout where LIME is not slower, or not surely.

    Raises
    ------
    ValueError
        If there are no seconds of ``"pflex"`` or a cost is negative.
    """
    if "pflex" not in seconds:
        raise ValueError(f"seconds must hold 'pflex': {', '.join(seconds)}")
    if teacher_seconds < 0 or training_seconds < 0:
        raise ValueError(f"costs must not be negative: {teacher_seconds}, {training_seconds}")
    once = float(teacher_seconds + training_seconds)
    rows: list[Row] = []
    for method, each in seconds.items():
        if method == "pflex":
            continue
        saved = paired_difference(each, seconds["pflex"], seed)
        found: Row = {"mean": None, "low": None, "high": None, "n": saved.n}
        if saved.low > 0:
            ends = {"low": once / saved.high, "high": once / saved.low}
            found |= {"mean": once / saved.mean, **ends}
        elif saved.mean > 0 and np.isnan(saved.low):  # One text has no interval.
            found["mean"] = once / saved.mean
        spent = {
            "teacher_seconds": float(teacher_seconds),
            "training_seconds": float(training_seconds),
            "seconds": float(np.mean(each)),
            "pflex_seconds": float(np.mean(seconds["pflex"])),
        }
        rows.append({"setting": key, "method": method, **found, **spent})
    return rows


def teacher_size_rows(
    sample: Sample,
    pflex: PFLex,
    sizes: Sequence[int] = SIZES,
    seeds: Sequence[int] = (0,),
    n_test: int | None = None,
    report: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Train heads on the first of the teacher's texts, and measure them on the test texts.

    Parameters
    ----------
    sample
        LIME's explanations of the training texts, in turns over the classes; the test texts.
    pflex
        Settings of the heads.
    sizes
        Numbers of training texts, the first of all. Those beyond the number at hand are
        replaced by all there are, which are always trained on.
    seeds
        Seeds of the training; each text's values are averaged over them.
    n_test
        Number of test texts; default all.
    report
        Called as ``report(done, all)``.

    Returns
    -------
    list of dict
        For each number of ``texts`` a row for each measure of
        `xai_lib.experiments.pflex.heads.QUALITY`; ``words`` is the number of words in them, and
        ``training_seconds`` the mean time of one training.
    """
    every = len(sample.train.lime)
    box, seed = sample.setting.classifier, sample.seed
    texts = [one.text for one in sample.test.instances[:n_test]]
    wanted = sorted({min(int(size), every) for size in sizes} | {every})
    rows: list[Row] = []
    for done, size in enumerate(wanted, 1):
        heads = fit_heads(pflex, sample.train.lime[:size], box, seeds)
        spent = {
            "words": int(heads[0].facts["n_words"]),
            "training_seconds": float(np.mean([head.facts["seconds"] for head in heads])),
        }
        for name, values in quality(sample, explain_runs(heads, texts, box)).items():
            place: Row = {"setting": sample.setting.key, "texts": size, "measure": name}
            rows.append(defined_row(place, values, seed) | spent)
        if report is not None:
            report(done, len(wanted))
    return rows
