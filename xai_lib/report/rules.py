"""The rules that turn results into verdicts.

A rule is a function of a claim's parameters and of the results that the claim reads. It gives an
`Outcome`: a verdict, the effect that decided with its 95 % interval, and a sentence. Every rule
looks at one or more *cells* (a data set, an angle, a pair of methods). A cell

- holds if its whole interval lies on the claimed side,
- leans if only its estimate does,
- fails otherwise,

and the claim is `reproduced` if all cells hold, `not reproduced` if all fail, else `partly`. The
effect shown is that of the weakest cell. Settings that a run left out are named in the sentence.

What the rules read
-------------------
Columns of ``rows`` are written ``setting, ...: mean, low, high, n``; columns of ``comparisons``
(paired differences) ``setting, first, second, ...: difference, low, high, n``.

========================  ====================================================================
rule                      reads
========================  ====================================================================
``paired_advantage``      comparisons: setting, first, second, and k (1, 2, ..., and the pooled
                          ``"1-5"``) or the columns named in ``cells``; p_holm if there is one
``level``                 rows: setting, the columns named in ``where`` and ``cells``; mean
``trend``                 rows: setting, the columns in ``where`` and ``along``; mean
``level_and_trend``       as ``level`` and ``trend``
``tracks``                comparisons: setting, first, second, sigma
``identical``             rows: setting, method, k; mean
``time_saving``           comparisons in seconds: setting, first, second, mean_second
========================  ====================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

from xai_lib import papers
from xai_lib.report.cells import (
    FAILS,
    HOLDS,
    LEANS,
    NOT_REPRODUCED,
    NOT_TESTABLE,
    PARTLY,
    REPRODUCED,
    Cell,
    NotTestableError,
    Outcome,
    Results,
    as_list,
    combine,
    difference_of,
    not_run,
    one_sided,
    result_of,
    rows_of,
    select,
    setting_name,
    settings_run,
    spread_cells,
    text_of,
    two_sided,
    verdict_of,
)
from xai_lib.report.schema import ResultError, Row
from xai_lib.report.style import method_name

SIGNIFICANCE = 0.05

Rule = Callable[[Results, papers.Claim], Outcome]
RULES: dict[str, Rule] = {}


def rule(name: str) -> Callable[[Rule], Rule]:
    """Register a rule under the name that claims use."""

    def register(function: Rule) -> Rule:
        RULES[name] = function
        return function

    return register


def decide(results: Results, claim: papers.Claim) -> Outcome:
    """Apply the rule of a claim.

    Parameters
    ----------
    results
        The results at hand, by item.
    claim
        The claim.

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError
        If the rule is unknown; the message lists those there are.
    ResultError
        If a result lacks a column that the rule reads.
    """
    if claim.rule not in RULES:
        raise ValueError(f"claim {claim.id!r}: no rule {claim.rule!r}; rules: {', '.join(RULES)}")
    try:
        return RULES[claim.rule](results, claim)
    except NotTestableError as reason:
        text = claim.pending or str(reason)
        sentence = text[:1].upper() + text[1:].rstrip(".") + "."
        return Outcome(NOT_TESTABLE, None, None, None, None, sentence)


@rule("paired_advantage")
def paired_advantage(results: Results, claim: papers.Claim) -> Outcome:
    """`first` beats each `second` on the same inputs.

    Parameters: ``item``, ``settings``, ``first``, ``second`` (one or a list), and ``k``, the
    label of the pooled comparison (each input's mean over all K), or ``cells``, a mapping of a
    column to the values that count (``present``: all there are). A pooled cell that holds only
    leans if `second` is surely better at some single K.
    """
    wanted = claim.parameters
    result = result_of(results, claim)
    cells: list[Cell] = []
    single: list[Row] = []
    seconds = as_list(wanted["second"])
    compared = {row["second"] for row in result.comparisons}
    absent = [method_name(second) for second in seconds if second not in compared]
    if len(absent) == len(seconds):
        raise NotTestableError(f"{result.item} has no comparison with {', '.join(absent)}")
    for setting in settings_run(result.comparisons, claim):
        for second in [s for s in seconds if s in compared]:
            pair = {"setting": setting, "first": wanted["first"], "second": second}
            for where in spread_cells(result.comparisons, pair, wanted.get("cells", {})):
                place = {**where, "k": wanted["k"]} if "k" in wanted else where
                alone = _single_ks(result.comparisons, where) if "k" in wanted else []
                single += alone
                for row in rows_of(result, "comparisons", place):
                    cell = one_sided(claim, place, row, "difference", 0.0, above=True)
                    turned = any(r["high"] is not None and r["high"] < 0 for r in alone)
                    if turned and cell.status == HOLDS:
                        cell = replace(cell, status=LEANS)
                    cells.append(cell)
    outcome = combine(cells, claim, result.comparisons, sign=True)
    if absent:
        outcome = replace(outcome, sentence=f"{outcome.sentence} Not run: {', '.join(absent)}.")
    tested = [row for row in single if row.get("p_holm") is not None]
    if not tested:
        return outcome
    better = sum(r["p_holm"] < SIGNIFICANCE and r["difference"] > 0 for r in tested)
    worse = sum(r["p_holm"] < SIGNIFICANCE and r["difference"] < 0 for r in tested)
    detail = (
        f" At single K, after Holm's correction: better in {better}, worse in {worse} of "
        f"{len(tested)} comparisons."
    )
    return replace(outcome, sentence=outcome.sentence + detail)


@rule("level")
def level(results: Results, claim: papers.Claim) -> Outcome:
    """A mean lies above ``at_least`` or below ``at_most`` in every cell.

    Parameters: ``item``, ``settings``, ``where`` (columns and values that pick the rows),
    ``cells`` (columns whose every value is a cell), ``at_least`` or ``at_most``, ``label``.
    """
    return combine(_level_cells(results, claim), claim, result_of(results, claim).rows)


@rule("trend")
def trend(results: Results, claim: papers.Claim) -> Outcome:
    """A mean ``rises`` or ``falls`` from one value of a column to another.

    Parameters: ``item``, ``settings``, ``where``, ``along``, ``from``, ``to``, ``direction``.
    The interval of the difference is put together from those of the two means as if they were
    independent (Zou and Donner 2008); on the same inputs the true one is narrower.
    """
    cells = _trend_cells(results, claim)
    return combine(cells, claim, result_of(results, claim).rows, sign=True)


@rule("level_and_trend")
def level_and_trend(results: Results, claim: papers.Claim) -> Outcome:
    """A mean lies on the claimed side everywhere, and rises or falls: `level` and `trend`.

    Parameters: those of both; the cells of the level are the values of ``along``.
    """
    levels, trends = _level_cells(results, claim), _trend_cells(results, claim)
    outcome = combine(levels, claim, result_of(results, claim).rows)
    moved = min(trends, key=lambda cell: cell.margin_low)
    return replace(
        outcome,
        verdict=verdict_of(cell.status for cell in levels + trends),
        sentence=f"{outcome.sentence} Trend: {text_of(moved, sign=True)}.",
    )


@rule("tracks")
def tracks(results: Results, claim: papers.Claim) -> Outcome:
    """Two curves stay within a tolerance of each other at every noise level above 0.

    Parameters: ``item``, ``settings``, ``first``, ``second``, ``tolerance``. Reproduced if at
    every level the whole interval of the difference lies within the tolerance, not reproduced
    if at most of the levels the estimate itself lies outside, else partly.
    """
    wanted = claim.parameters
    result = result_of(results, claim)
    cells = []
    for setting in settings_run(result.comparisons, claim):
        where = {"setting": setting, "first": wanted["first"], "second": wanted["second"]}
        for row in rows_of(result, "comparisons", where, needs=["sigma"]):
            if row["sigma"] > 0:
                place = {**where, "sigma": row["sigma"]}
                cells.append(two_sided(claim, place, row, wanted["tolerance"]))
    if not cells:
        raise NotTestableError("no noise level above 0 was run")
    outcome = combine(cells, claim, result.comparisons, sign=True)
    outside = sum(cell.status == FAILS for cell in cells)
    if outcome.verdict == REPRODUCED:
        return outcome
    verdict = NOT_REPRODUCED if 2 * outside > len(cells) else PARTLY
    return replace(outcome, verdict=verdict)


@rule("identical")
def identical(results: Results, claim: papers.Claim) -> Outcome:
    """Two methods have the same mean, up to a tolerance, at every single K.

    Parameters: ``item``, ``settings``, ``first``, ``second``, ``tolerance``. The question is
    whether the numbers are the same, so the means decide; the interval shown is that of
    independent means.
    """
    wanted = claim.parameters
    result = result_of(results, claim)
    cells = []
    for setting in settings_run(result.rows, claim):
        for row in rows_of(result, "rows", {"setting": setting, "method": wanted["first"]}):
            where = {"setting": setting, "k": row["k"]}
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


def _level_cells(results: Results, claim: papers.Claim) -> list[Cell]:
    wanted = claim.parameters
    result = result_of(results, claim)
    columns = wanted.get("cells", [wanted["along"]] if "along" in wanted else [])
    above = "at_least" in wanted
    border = wanted["at_least"] if above else wanted["at_most"]
    cells = []
    for setting in settings_run(result.rows, claim):
        where = {"setting": setting, **wanted.get("where", {})}
        # A row with n = 0 says that the setting has no input to measure this on.
        found = select(result.rows, where)
        if found and all(row.get("n") == 0 for row in found):
            continue
        for row in rows_of(result, "rows", where, needs=columns):
            place = {**where, **{column: row[column] for column in columns}}
            cells.append(one_sided(claim, place, row, "mean", border, above))
    if not cells:
        raise NotTestableError("no input of this run can be measured on it")
    return cells


def _trend_cells(results: Results, claim: papers.Claim) -> list[Cell]:
    wanted = claim.parameters
    result = result_of(results, claim)
    rises = wanted["direction"] == "rises"
    along = wanted["along"]
    cells = []
    for setting in settings_run(result.rows, claim):
        where = {"setting": setting, **wanted.get("where", {})}
        start = rows_of(result, "rows", {**where, along: wanted["from"]})[0]
        end = rows_of(result, "rows", {**where, along: wanted["to"]})[0]
        row = difference_of(end, start)
        name = "K" if along == "k" else along
        change = f"from {name} = {wanted['from']} to {wanted['to']}"
        place = {"setting": setting, "change": change}
        cells.append(one_sided(claim, place, row, "difference", 0.0, above=rises))
    return cells
