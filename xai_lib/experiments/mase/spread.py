"""Convergence: what two seeds have in common, by number of model calls."""

from __future__ import annotations

from xai_lib.experiments.mase.methods import explain_sample
from xai_lib.experiments.mase.removal import ABSOLUTE
from xai_lib.experiments.mase.sample import Sample
from xai_lib.experiments.mase.twice import SHIFT, Twice, twice_values
from xai_lib.experiments.rows import Row, compare_rows, defined_row

COMPARED = ("mase", "lime", "kernel_shap")


def convergence_rows(sample: Sample) -> tuple[list[Row], list[Row]]:
    """Explain texts twice at several numbers of model calls.

    Parameters
    ----------
    sample
        The first ``spread_texts`` of its texts are used, at the numbers of calls ``spread_calls``
        of the profile. Without them there are no rows.

    Returns
    -------
    rows, comparisons : list of dict
        For each measure of `twice_values`, method and number of calls ``n_samples``; MASE minus
        LIME and minus KernelSHAP, paired by text.
    """
    numbers, key, seed = sample.setting.profile, sample.setting.key, sample.seed
    some = sample.head(numbers.get("spread_texts", 0))
    rows: list[Row] = []
    pairs: list[Row] = []
    if not some.rounds:
        return rows, pairs
    budgets = numbers["spread_calls"]
    kept = sorted({numbers["calls"], max(budgets)})
    for calls in budgets:
        first, second = (explain_sample(some, calls, COMPARED, kept, shift) for shift in (0, SHIFT))
        runs = {"mase": Twice(first["mase"], second["mase"])}
        runs[ABSOLUTE] = Twice(first["mase"], second["mase"], "abs")
        runs |= {method: Twice(first[method], second[method]) for method in COMPARED[1:]}
        found = twice_values(some, runs)
        for measure in found["mase"]:
            place: Row = {"setting": key, "measure": measure}
            values = {method: table[measure] for method, table in found.items()}
            rows += [
                defined_row({**place, "method": method, "n_samples": calls}, column, seed)
                for method, column in values.items()
            ]
            against = [("mase", other) for other in COMPARED[1:]]
            pairs += compare_rows({**place, "n_samples": calls}, values, against, seed)
    return rows, pairs
