"""Rules about two methods on the same inputs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from xai_lib import papers
from xai_lib.report.cells import (
    FAILS,
    HOLDS,
    LEANS,
    NOT_REPRODUCED,
    PARTLY,
    REPRODUCED,
    SIGNIFICANCE,
    Cell,
    NotTestableError,
    Outcome,
    Results,
    as_list,
    combine,
    difference_of,
    item_named,
    not_run,
    one_sided,
    result_of,
    rows_of,
    select,
    setting_name,
    settings_run,
    spread_cells,
    two_sided,
)
from xai_lib.report.rule_registry import rule
from xai_lib.report.schema import ResultError, Row
from xai_lib.report.style import method_name


@rule("paired_advantage")
def paired_advantage(results: Results, claim: papers.Claim) -> Outcome:
    """`first` beats each `second` on the same inputs.

    Parameters: ``item``, ``settings``, ``first``, ``second`` (one or a list), and ``k``, the
    label of the pooled comparison (each input's mean over all K), or ``cells``, a mapping of a
    column to the values that count (``present``: all there are); ``better: lower`` where the
    smaller number wins. A pooled cell that holds only leans if `second` is surely better at some
    single K.
    """
    wanted = claim.parameters
    above = wanted.get("better") != "lower"
    result = result_of(results, claim)
    cells: list[Cell] = []
    single: list[Row] = []
    seconds = as_list(wanted["second"])
    compared = {row["second"] for row in result.comparisons}
    absent = [method_name(second) for second in seconds if second not in compared]
    if len(absent) == len(seconds):
        raise NotTestableError(f"{item_named(claim)} has no comparison with {', '.join(absent)}")
    for setting in settings_run(result.comparisons, claim):
        for second in [s for s in seconds if s in compared]:
            pair = {"setting": setting, "first": wanted["first"], "second": second}
            for where in spread_cells(result.comparisons, pair, wanted.get("cells", {})):
                place = {**where, "k": wanted["k"]} if "k" in wanted else where
                alone = _single_ks(result.comparisons, where) if "k" in wanted else []
                single += alone
                for row in rows_of(result, "comparisons", place):
                    cell = one_sided(claim, place, row, "difference", 0.0, above)
                    turned = [one_sided(claim, where, r, "difference", 0.0, not above)
                              for r in alone]  # fmt: skip
                    if cell.status == HOLDS and HOLDS in {one.status for one in turned}:
                        cell = replace(cell, status=LEANS)
                    cells.append(cell)
    outcome = combine(cells, claim, result.comparisons, sign=True)
    if absent:
        outcome = replace(outcome, sentence=f"{outcome.sentence} Not run: {', '.join(absent)}.")
    tested = [row for row in single if row.get("p_holm") is not None]
    if not tested:
        return outcome
    side = 1 if above else -1
    better = sum(r["p_holm"] < SIGNIFICANCE and side * r["difference"] > 0 for r in tested)
    worse = sum(r["p_holm"] < SIGNIFICANCE and side * r["difference"] < 0 for r in tested)
    detail = (
        f" At single K, after Holm's correction: better in {better}, worse in {worse} of "
        f"{len(tested)} comparisons."
    )
    return replace(outcome, sentence=outcome.sentence + detail)


@rule("tracks")
def tracks(results: Results, claim: papers.Claim) -> Outcome:
    """Two curves stay within a tolerance of each other at every level above 0.

    Parameters: ``item``, ``settings``, ``first``, ``second``, ``where`` (further columns that pick
    the comparisons), ``tolerance``, and ``along``, the column that the curves run along if it is
    not ``sigma``; only its numbers above 0 count, not a pooled ``"1-5"``. Reproduced if at every
    level the whole interval of the difference lies within the tolerance, not reproduced if at
    most of the levels the estimate itself lies outside, else partly.
    """
    wanted = claim.parameters
    along = wanted.get("along", "sigma")
    result = result_of(results, claim)
    cells = []
    for setting in settings_run(result.comparisons, claim):
        where = {"setting": setting, "first": wanted["first"], "second": wanted["second"]}
        where |= wanted.get("where", {})
        for row in rows_of(result, "comparisons", where, needs=[along]):
            if isinstance(row[along], (int, float)) and row[along] > 0:
                place = {**where, along: row[along]}
                cells.append(two_sided(claim, place, row, wanted["tolerance"]))
    if not cells:
        name = "noise level" if along == "sigma" else along
        raise NotTestableError(f"no {name} above 0 was run")
    outcome = combine(cells, claim, result.comparisons, sign=True)
    outside = sum(cell.status == FAILS for cell in cells)
    if outcome.verdict == REPRODUCED:
        return outcome
    verdict = NOT_REPRODUCED if 2 * outside > len(cells) else PARTLY
    return replace(outcome, verdict=verdict)


@rule("identical")
def identical(results: Results, claim: papers.Claim) -> Outcome:
    """Two methods have the same mean, up to a tolerance, at every single K, where rows have a K.

    Parameters: ``item``, ``settings``, ``first``, ``second``, ``where`` (further columns that pick
    the rows), ``tolerance``. The question is whether the numbers are the same, so the means
    decide; the interval shown is that of independent means.
    """
    wanted = claim.parameters
    result = result_of(results, claim)
    cells = []
    for setting in settings_run(result.rows, claim):
        picked = {"setting": setting, **wanted.get("where", {})}
        for row in rows_of(result, "rows", {**picked, "method": wanted["first"]}):
            where = {**picked, "k": row["k"]} if "k" in row else picked
            other = rows_of(result, "rows", {**where, "method": wanted["second"]})[0]
            place = {**where, "first": wanted["first"], "second": wanted["second"]}
            cell = two_sided(claim, place, difference_of(row, other), wanted["tolerance"])
            cells.append(replace(cell, status=HOLDS if cell.margin >= 0 else FAILS))
    cells.sort(key=lambda cell: cell.margin)
    return combine(cells, claim, result.rows, sign=True)


@rule("time_saving")
def time_saving(results: Results, claim: papers.Claim) -> Outcome:
    """`first` takes a claimed share less time than `second`.

    Parameters: ``item``, ``settings``, ``first``, ``second``, ``claimed``. The effect is the
    mean over the settings of the saving, 1 - time of `first` / time of `second`; its interval
    comes from those of the paired differences in seconds, with the mean time of `second` taken
    as known, and treats the settings as independent. Reproduced if the interval lies above zero
    and reaches the claimed saving, partly if it lies above zero but below the claimed one.
    """
    wanted = claim.parameters
    result = result_of(results, claim)
    savings = []
    for setting in settings_run(result.comparisons, claim):
        where = {"setting": setting, "first": wanted["first"], "second": wanted["second"]}
        found = rows_of(result, "comparisons", where, needs=["mean_second"])
        if len(found) > 1:
            raise ResultError(f"{result.item}: {len(found)} comparisons for setting {setting!r}")
        savings.append(_saving(found[0]))
    effect = math.fsum(s["effect"] for s in savings) / len(savings)
    low = high = None
    if all(s["low"] is not None for s in savings):
        low = effect - math.hypot(*(s["effect"] - s["low"] for s in savings)) / len(savings)
        high = effect + math.hypot(*(s["high"] - s["effect"] for s in savings)) / len(savings)
        high = min(high, 1.0)  # More than all of the time cannot be saved.
    n = sum(s["n"] for s in savings)
    verdict = NOT_REPRODUCED
    if low is not None and high is not None and low > 0:
        verdict = REPRODUCED if high >= wanted["claimed"] else PARTLY
    names = [setting_name(claim, s) for s in settings_run(result.comparisons, claim)]
    each = ", ".join(f"{name} {s['effect']:.1%}" for name, s in zip(names, savings, strict=True))
    interval = f" [{low:.1%}, {high:.1%}]" if low is not None else ""
    sentence = (
        f"{method_name(wanted['first'])} saves {effect:.1%}{interval} of the time of "
        f"{method_name(wanted['second'])}, n = {n} ({each}); claimed: {wanted['claimed']:.0%}."
        f"{not_run(result.comparisons, claim)}"
    )
    return Outcome(verdict, effect, low, high, n, sentence)


def _single_ks(rows: Iterable[Row], where: Row) -> list[Row]:
    return [row for row in select(rows, where) if isinstance(row.get("k"), int)]


def _saving(row: Row) -> Row:
    """Turn a difference in seconds into a share of the time of the second method."""
    time, low, high = row["mean_second"], row["low"], row["high"]
    return {
        "effect": -row["difference"] / time,
        "low": None if low is None or high is None else -high / time,
        "high": None if low is None or high is None else -low / time,
        "n": row["n"],
    }
