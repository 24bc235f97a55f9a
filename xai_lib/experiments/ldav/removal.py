"""Figures 2 to 7 and tables 4 to 7: what a network says when its top words become padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xai_lib.experiments.ldav.methods import AS_PRINTED, LDAV, OTHERS, RANDOM, Rankings, rank
from xai_lib.experiments.ldav.networks import network, runs_of
from xai_lib.experiments.ldav.sample import Sample
from xai_lib.experiments.rows import Row, compare_rows, defined_row
from xai_lib.experiments.study import progress
from xai_lib.metrics import remove_each, remove_shares, share_counts, switching_points
from xai_lib.text import TextInstance

KS = tuple(range(11))
POOLED = "1-10"
# Of the words: Figure 3's 6 % and Figure 6's 4 % are among them.
SHARES = (0.02, 0.04, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3)
AOPC: dict[str, tuple[float, ...]] = {
    "imdb": (0.10, 0.13, 0.16, 0.20, 0.23),
    "kaggle": (0.10, 0.13, 0.16, 0.20, 0.23),
    "dbpedia": (0.15, 0.21, 0.28, 0.34, 0.40),
    "ag_news": (0.15, 0.21, 0.28, 0.34, 0.40),
    "snli": (0.10, 0.20, 0.25, 0.30, 0.35),
    "roberta": (0.01, 0.05, 0.10, 0.20, 0.50),
}
"""Setting -> shares of the words over which comprehensiveness is averaged (Sections 4.3 to 4.5)."""

SWITCHING, NEVER = "switching point", "never switches"
RETAINED, LOG_RATIO = "same prediction", "log ratio"
COMPREHENSIVENESS, SUFFICIENCY = "comprehensiveness", "sufficiency"
# Of a text and a run they are true or false.
SHARES_OF_TEXTS = (NEVER, RETAINED)
_CHUNK = 100

Values = dict[str, dict[str, np.ndarray]]
"""Measure -> method -> (n,) or (n, L) values, NaN for a text that a method does not explain."""


def aopc_shares(setting: str) -> tuple[float, ...]:
    """Return the shares of a setting of the paper.

    Raises
    ------
    ValueError
        If the paper has none for it.
    """
    for part in ("roberta", *AOPC):
        if part in setting:
            return AOPC[part]
    raise ValueError(f"no thresholds for the setting {setting!r}; known: {', '.join(AOPC)}")


def remove(
    instances: Sequence[TextInstance],
    rankings: Rankings,
    box: Any,
    shares: Sequence[float],
    title: str = "",
) -> Values:
    """Turn each method's top words into padding, one after another, and ask again.

    Parameters
    ----------
    instances
        n texts with a word at least.
    rankings
        For each method the rankings of the first texts, as many as it explains.
    box
        The network.
    shares
        For comprehensiveness and sufficiency.
    title
        For the progress line.

    Returns
    -------
    dict
        ``switching point`` and ``never switches`` (n,); ``same prediction`` and ``log ratio``
        (n, 11 + 8), at `KS` words and at `SHARES` of the words; ``comprehensiveness`` and
        ``sufficiency`` (n,), means over `shares`.
    """
    n = len(instances)
    values: Values = {}
    report = progress(title)
    for length in sorted({len(some) for some in rankings.values()}, reverse=True):
        same = {name: some for name, some in rankings.items() if len(some) == length}
        parts: list[Values] = []
        for start in range(0, length, _CHUNK):
            part = slice(start, min(start + _CHUNK, length))
            ranked = {name: some[part] for name, some in same.items()}
            parts.append(_remove_some(instances[part], ranked, box, shares))
            report(part.stop, length)
        for measure, of_method in parts[0].items():
            for name in of_method:
                found = np.concatenate([one[measure][name] for one in parts]).astype(np.float64)
                whole = np.full((n, *found.shape[1:]), np.nan)
                whole[:length] = found
                values.setdefault(measure, {})[name] = whole
    order = list(rankings)
    return {measure: {name: found[name] for name in order} for measure, found in values.items()}


def _remove_some(
    instances: Sequence[TextInstance], rankings: Rankings, box: Any, shares: Sequence[float]
) -> Values:
    sizes = np.array([one.n_features for one in instances])
    at_share = np.array([share_counts(size, SHARES) for size in sizes])
    at_k = np.minimum(KS, sizes[:, None])
    columns = np.concatenate([at_k, at_share], axis=1)
    values: Values = {}
    for name, found in remove_each(instances, rankings, box).items():
        switching = switching_points(found, sizes)
        # In front of the first removal stands none at all.
        kept = np.hstack([np.ones((len(sizes), 1)), found.retained])
        ratio = np.hstack([np.zeros((len(sizes), 1)), found.log_ratio])
        for measure, one in (
            (SWITCHING, switching.points),
            (NEVER, ~switching.switched),
            (RETAINED, np.take_along_axis(kept, columns, axis=1)),
            (LOG_RATIO, np.take_along_axis(ratio, columns, axis=1)),
        ):
            values.setdefault(measure, {})[name] = one
    for measure, keep in ((COMPREHENSIVENESS, False), (SUFFICIENCY, True)):
        cut = remove_shares(instances, rankings, box, shares, removal="pad", keep=keep)
        values[measure] = {name: found.aopc for name, found in cut.items()}
    return values


def over_runs(runs: Sequence[Values]) -> Values:
    """Average the values of each text over the runs."""
    return {
        measure: {
            name: np.mean([one[measure][name] for one in runs], axis=0) for name in runs[0][measure]
        }
        for measure in runs[0]
    }


def removal_values(
    sample: Sample,
    training: str = LDAV,
    methods: Sequence[str] = (LDAV, *OTHERS),
    rename: Mapping[str, str] | None = None,
    what: str = "explained_runs",
    settings: Mapping[str, Any] | None = None,
) -> Values:
    """Explain all runs of a training, and remove what each method ranks first.

    Parameters
    ----------
    sample
        The texts.
    training
        A name of `xai_lib.experiments.ldav.networks.TRAININGS`.
    methods
        Names that `make_method` takes.
    rename
        What a method is called in the results.
    what
        Key of the profile that says how many runs.
    settings
        Of LDAV, in place of its defaults.

    Returns
    -------
    dict
        See `remove`; each text's mean over the runs.
    """
    setting = sample.setting
    shares = aopc_shares(setting.key)
    called = rename or {}
    found = []
    for run in runs_of(setting, what):
        box = network(setting, training, run)
        instances = sample.instances(box)
        ranked = rank(methods, instances, box, setting.profile, sample.seed, settings)
        named = {called.get(name, name): some for name, some in ranked.items()}
        title = f"{setting.key}, {training}, run {run}, removal"
        found.append(remove(instances, named, box, shares, title))
    return over_runs(found)


def main_values(sample: Sample) -> Values:
    """Do it for all methods on the networks with class vectors, and for LDAV as printed.

    The latter explains networks of its own, whose losses are equations 1 to 3 as they stand, by
    Euclidean distance.
    """
    values = removal_values(sample)
    printed = removal_values(
        sample, "as printed", [LDAV], {LDAV: AS_PRINTED}, settings={"distance": "euclidean"}
    )
    return {measure: {**found, **printed[measure]} for measure, found in values.items()}


def pretrained_values(sample: Sample) -> Values:
    """Do it for the network with class vectors, LDAV and random words, as the paper has it."""
    return removal_values(sample, LDAV, [LDAV, RANDOM])


def curve_rows(
    sample: Sample,
    values: Values,
    measure: str,
    reference: Sequence[str] = (LDAV, AS_PRINTED),
    named: bool = False,
) -> tuple[list[Row], list[Row]]:
    """Write one measure along the number and the share of words removed.

    Parameters
    ----------
    sample
        Gives setting and seed.
    values
        From `removal_values`.
    measure
        ``"same prediction"`` or ``"log ratio"``.
    reference
        Methods compared with all others, as far as they are there.
    named
        Write the measure into a column, for an item that has several.

    Returns
    -------
    rows, comparisons : list of dict
        Rows for each k and each share; comparisons for each share and for each text's mean over 1
        to 10 words.
    """
    place: Row = {"setting": sample.setting.key, **({"measure": measure} if named else {})}
    table, share = values[measure], measure in SHARES_OF_TEXTS
    rows: list[Row] = []
    pairs: list[Row] = []
    columns: list[Row] = [
        *({"k": k, "share": None} for k in KS),
        *({"k": None, "share": share} for share in SHARES),
    ]
    for j, where in enumerate(columns):
        here = {name: found[:, j] for name, found in table.items()}
        rows += _rows({**place, **where}, here, sample.seed, share)
        if where["share"] is not None:
            pairs += against({**place, **where}, here, reference, sample.seed, share)
    pooled = {name: found[:, 1 : len(KS)].mean(axis=1) for name, found in table.items()}
    last: Row = {**place, "k": POOLED, "share": None}
    rows += _rows(last, pooled, sample.seed)
    pairs += against(last, pooled, reference, sample.seed)
    return rows, pairs


def measure_rows(
    sample: Sample,
    values: Values,
    measures: Sequence[str],
    compared: Sequence[str] | None = None,
    reference: Sequence[str] = (LDAV, AS_PRINTED),
) -> tuple[list[Row], list[Row]]:
    """Write measures that are one number for each text.

    Parameters
    ----------
    sample, values, reference
        As for `curve_rows`.
    measures
        Names of measures.
    compared
        Those of them whose methods are compared; default all.

    Returns
    -------
    rows, comparisons : list of dict
    """
    rows: list[Row] = []
    pairs: list[Row] = []
    for measure in measures:
        place: Row = {"setting": sample.setting.key, "measure": measure}
        share = measure in SHARES_OF_TEXTS
        rows += _rows(place, values[measure], sample.seed, share)
        if compared is None or measure in compared:
            pairs += against(place, values[measure], reference, sample.seed, share)
    return rows, pairs


def against(
    place: Row,
    values: Mapping[str, np.ndarray],
    reference: Sequence[str],
    seed: int,
    share: bool = False,
) -> list[Row]:
    """Compare each of some methods with all the others, on the texts that both explain.

    For `share` see `xai_lib.experiments.rows.compare_rows`.
    """
    pairs = [
        (first, second)
        for i, first in enumerate(one for one in reference if one in values)
        for second in values
        if second != first and second not in reference[:i]
    ]
    return compare_rows(place, values, pairs, seed, share)


def _rows(
    place: Row, values: Mapping[str, np.ndarray], seed: int, share: bool = False
) -> list[Row]:
    return [
        defined_row({**place, "method": name}, some, seed, share) for name, some in values.items()
    ]
