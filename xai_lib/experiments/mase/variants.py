"""Other readings of MASE: estimator, noise, response and ranking."""

from __future__ import annotations

from typing import Any

from xai_lib.experiments.mase.answers import explain_by
from xai_lib.experiments.mase.sample import Sample
from xai_lib.experiments.mase.twice import CORRELATION, DELTA, SHIFT, Twice, twice_values
from xai_lib.experiments.rows import Row, compare_rows, defined_row
from xai_lib.explainers.mase import Mase
from xai_lib.models.whitebox import Vocabulary

REFERENCE = "word, ridge"
_FULL: dict[str, Any] = {"variant": "full", "estimator": "leg"}
# Settings of each variant, and how its words are ranked.
VARIANTS: dict[str, tuple[dict[str, Any], str]] = {
    REFERENCE: ({}, "signed"),
    "word, LEG": ({"estimator": "leg"}, "signed"),
    "word, smooth noise": ({"covariance": "smooth"}, "signed"),
    "word, logit": ({"response": "logit"}, "signed"),
    "word, absolute": ({}, "abs"),
    "word, gradient scale": ({"rescale": True}, "signed"),
    "word, not antithetic": ({"antithetic": False}, "signed"),
    "all coordinates": (_FULL, "signed"),
    "all coordinates, absolute": (_FULL, "abs"),
}


def variant_rows(sample: Sample) -> tuple[list[Row], list[Row]]:
    """Explain texts twice by each variant; those that ask the same share the answers.

    Parameters
    ----------
    sample
        The first ``variant_texts`` of its texts are used, with ``calls`` model calls. Without
        them there are no rows.

    Returns
    -------
    rows, comparisons : list of dict
        For each ``variant`` and measure, Delta Accuracy and the rank correlation of two seeds,
        see `twice_values`; the default minus each other variant. Variants with noise in all
        coordinates need a black box that shows its vocabulary.
    """
    numbers = sample.setting.profile
    some = sample.head(numbers.get("variant_texts", 0))
    rows: list[Row] = []
    pairs: list[Row] = []
    if not some.rounds:
        return rows, pairs
    runs: dict[str, Twice] = {}
    for name, (settings, by) in VARIANTS.items():
        if settings is _FULL and not isinstance(sample.setting.classifier, Vocabulary):
            continue
        mase = Mase(n_samples=numbers["calls"], **settings)
        same = [r for r in runs.values() if r.first[0].settings == mase.settings()]
        runs[name] = (
            same[0]._replace(by=by)
            if same
            else Twice(explain_by(some, mase), explain_by(some, mase, SHIFT), by)
        )
    found = twice_values(some, runs)
    for measure in (DELTA, CORRELATION):
        place: Row = {"setting": sample.setting.key, "measure": measure}
        values = {name: table[measure] for name, table in found.items()}
        rows += [
            defined_row({**place, "variant": name}, column, sample.seed)
            for name, column in values.items()
        ]
        against = [(REFERENCE, name) for name in values if name != REFERENCE]
        pairs += compare_rows(place, values, against, sample.seed)
    return rows, pairs
