"""Rules about means: how high they are, how they move, how they compare with a number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import product

from xai_lib import papers
from xai_lib.report.cells import (
    Cell,
    NotTestableError,
    Outcome,
    Results,
    combine,
    difference_of,
    one_sided,
    result_of,
    rows_of,
    select,
    setting_name,
    settings_run,
    text_of,
    two_sided,
    verdict_of,
)
from xai_lib.report.results import Result
from xai_lib.report.rule_registry import rule
from xai_lib.report.schema import ResultError, Row


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
    Where the border is 1, the question is which of the two is larger; if the result compares them
    on the same inputs, that comparison's interval takes its place, over the lower mean.
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
            found = ratio_of(over, under)
            if border == 1:
                found |= _paired_ends(result, shared, over, under)
            cell = one_sided(claim, place, found, "mean", border, above)
            cells.append(replace(cell, label=f"{one['label']}, {setting_name(claim, setting)}"))
    return combine(cells, claim, result.rows)


def _paired_ends(result: Result, where: Row, over: Row, under: Row) -> Row:
    """Give the ends of a ratio of two methods from their paired difference, if there is one."""
    pair = {"first": over.get("method"), "second": under.get("method")}
    for row in select(result.comparisons, {**where, **pair}):
        if row["low"] is not None and row["high"] is not None:
            return {end: 1 + row[end] / under["mean"] for end in ("low", "high")}
    return {}


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
    NotTestableError
        If a mean is not above zero.
    """
    rows = [{c: row[c] for c in ("mean", "low", "high", "n")} for row in (over, under)]
    if min(row["mean"] for row in rows) <= 0:
        means = " and ".join(str(row["mean"]) for row in rows)
        raise NotTestableError(f"means of {means} have no ratio")
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
            cell = select(result.rows, where | more)
            if cell and all(row.get("n") == 0 for row in cell):
                continue
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
