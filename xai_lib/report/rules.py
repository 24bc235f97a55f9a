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
``near``                  rows: setting, the columns named in ``where``; mean
``ratio``                 rows: setting, the columns in ``where``, ``over`` and ``under``; mean
``trend``                 rows: setting, the columns in ``where`` and ``along``; mean
``level_and_trend``       as ``level`` and ``trend``
``tracks``                comparisons: setting, first, second, sigma or the column ``along``
``identical``             rows: setting, method, k; mean
``time_saving``           comparisons in seconds: setting, first, second, mean_second
========================  ====================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import product

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
from xai_lib.report.results import Result
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
        raise NotTestableError(f"{result.item} has no comparison with {', '.join(absent)}")
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


@rule("level")
def level(results: Results, claim: papers.Claim) -> Outcome:
    """A mean lies above ``at_least`` or below ``at_most`` in every cell.

    Parameters: ``item``, ``settings``, ``where`` (columns and values that pick the rows),
    ``cells`` (columns whose every value is a cell, or a mapping of a column to the values that
    all have to be there), ``at_least`` or ``at_most``, ``label``.
    """
    return combine(_level_cells(results, claim), claim, result_of(results, claim).rows)


@rule("near")
def near(results: Results, claim: papers.Claim) -> Outcome:
    """A mean lies within a tolerance of a printed number, on either side.

    Parameters: ``item``, ``settings``, ``where``, ``value`` (the printed number), ``tolerance``,
    ``label``. A cell holds if its whole interval lies within, leans if only the mean does.
    """
    wanted = claim.parameters
    result = result_of(results, claim)
    cells = []
    for setting in settings_run(result.rows, claim):
        where = {"setting": setting, **wanted.get("where", {})}
        found = select(result.rows, where)
        if found and all(row.get("n") == 0 for row in found):
            continue
        for row in rows_of(result, "rows", where):
            ends = [None if row[c] is None else row[c] - wanted["value"] for c in ("low", "high")]
            gap = {"difference": row["mean"] - wanted["value"], "low": ends[0], "high": ends[1]}
            cell = two_sided(claim, where, gap | {"n": row["n"]}, wanted["tolerance"])
            cells.append(replace(cell, effect=row["mean"], low=row["low"], high=row["high"]))
    if not cells:
        raise NotTestableError("no input of this run can be measured on it")
    return combine(cells, claim, result.rows)


@rule("ratio")
def ratio(results: Results, claim: papers.Claim) -> Outcome:
    """One mean over another lies above ``at_least`` or below ``at_most`` in every cell.

    Parameters: ``item``, ``settings``, ``where``, ``at_least`` or ``at_most``, and ``ratios``, a
    list of cells with ``over`` and ``under``, the columns and values that pick the two rows beside
    ``where`` (``last``: the largest number in that column), and a ``label``. The interval is put
    together from those of the two logarithms as if they were independent (Zou and Donner 2008).
    """
    wanted = claim.parameters
    result = result_of(results, claim)
    above = "at_least" in wanted
    border = wanted["at_least"] if above else wanted["at_most"]
    cells = []
    for setting in settings_run(result.rows, claim):
        place = {"setting": setting}
        for one in wanted["ratios"]:
            shared = {**place, **wanted.get("where", {})}
            over, under = (_single_row(result, {**shared, **one[p]}) for p in ("over", "under"))
            cell = one_sided(claim, place, ratio_of(over, under), "mean", border, above)
            cells.append(replace(cell, label=f"{one['label']}, {setting_name(claim, setting)}"))
    return combine(cells, claim, result.rows)


def ratio_of(over: Row, under: Row) -> Row:
    """Divide two positive means.

    Parameters
    ----------
    over, under
        Rows with ``mean``, ``low``, ``high``, ``n``.

    Returns
    -------
    dict
        ``mean``, ``n`` (the smaller one) and the interval of independent means, from those of the
        logarithms (Zou and Donner 2008); None if one has none above zero.

    Raises
    ------
    ResultError
        If a mean is not above zero.
    """
    rows = [{c: row[c] for c in ("mean", "low", "high", "n")} for row in (over, under)]
    if min(row["mean"] for row in rows) <= 0:
        raise ResultError(f"no ratio of means that are not above zero: {over}, {under}")
    if any(row["low"] is None or row["high"] is None or row["low"] <= 0 for row in rows):
        rows = [{**row, "low": None, "high": None} for row in rows]
    logs = [
        {c: None if row[c] is None else math.log(row[c]) for c in ("mean", "low", "high")}
        | {"n": row["n"]}
        for row in rows
    ]
    gap = difference_of(*logs)
    ends = {c: None if gap[c] is None else math.exp(gap[c]) for c in ("low", "high")}
    return {"mean": rows[0]["mean"] / rows[1]["mean"], **ends, "n": gap["n"]}


@rule("trend")
def trend(results: Results, claim: papers.Claim) -> Outcome:
    """A mean ``rises`` or ``falls`` from one value of a column to another.

    Parameters: ``item``, ``settings``, ``where``, ``along``, ``from``, ``to``, ``direction``,
    and ``by``, how far it has to move at least (by default anything above zero). The interval of
    the difference is put together from those of the two means as if they were independent (Zou
    and Donner 2008); on the same inputs the true one is narrower.
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


def _single_row(result: Result, where: Row) -> Row:
    """Find the one row of a selection in which ``last`` stands for a column's largest number."""
    exact = {column: value for column, value in where.items() if value != "last"}
    for column in where.keys() - exact.keys():
        numbers = [row[column] for row in rows_of(result, "rows", exact, needs=[column])]
        exact[column] = max(numbers)
    found = rows_of(result, "rows", exact)
    if len(found) > 1:
        wanted = ", ".join(f"{column} = {value!r}" for column, value in exact.items())
        raise ResultError(f"{result.item} of {result.paper} has {len(found)} rows with {wanted}")
    return found[0]


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
    spread: list[Row] = [{}]
    if isinstance(columns, Mapping):
        spread = [dict(zip(columns, v, strict=True)) for v in product(*columns.values())]
    above = "at_least" in wanted
    border = wanted["at_least"] if above else wanted["at_most"]
    cells = []
    for setting in settings_run(result.rows, claim):
        where = {"setting": setting, **wanted.get("where", {})}
        # A row with n = 0 says that the setting has no input to measure this on.
        found = select(result.rows, where)
        if found and all(row.get("n") == 0 for row in found):
            continue
        for more in spread:
            for row in rows_of(result, "rows", where | more, needs=columns):
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
        border = wanted.get("by", 0.0) * (1 if rises else -1)
        cells.append(one_sided(claim, place, row, "difference", border, above=rises))
    return cells
