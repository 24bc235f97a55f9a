"""Seconds and model calls of one explanation."""

from __future__ import annotations

from xai_lib.experiments.mase.methods import compared, make_method
from xai_lib.experiments.mase.sample import Sample
from xai_lib.experiments.rows import Row, compare_rows, estimate_row
from xai_lib.experiments.turns import SECONDS, in_turns


def cost_rows(sample: Sample) -> tuple[list[Row], list[Row]]:
    """Explain texts by each method, one at a time, with nothing read from disk.

    Parameters
    ----------
    sample
        The first ``cost_texts`` of its texts are explained, with ``calls`` model calls by the
        methods that sample. Without them there are no rows.

    Returns
    -------
    rows, comparisons : list of dict
        For each method and measure; MASE's seconds minus those of each other method, paired by
        text.
    """
    numbers, key, seed = sample.setting.profile, sample.setting.key, sample.seed
    texts = [one.text for one in sample.head(numbers.get("cost_texts", 0)).instances]
    rows: list[Row] = []
    if not texts:
        return rows, []
    methods = {
        method: make_method(method, numbers["calls"], numbers) for method in compared(numbers)
    }
    found = in_turns(methods, texts, sample.setting.classifier, seed, key)
    for name, values in found.items():
        place: Row = {"setting": key, "measure": name}
        rows += [estimate_row({**place, "method": m}, some, seed) for m, some in values.items()]
    against = [("mase", method) for method in methods if method != "mase"]
    place = {"setting": key, "measure": SECONDS}
    return rows, compare_rows(place, found[SECONDS], against, seed)
