"""Cells: the single numbers a rule looks at, how they are found in results and put in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xai_lib import papers
from xai_lib.report.results import Result
from xai_lib.report.schema import ResultError, Row
from xai_lib.report.style import angle_name, method_name

REPRODUCED = "reproduced"
PARTLY = "partly"
NOT_REPRODUCED = "not reproduced"
NOT_TESTABLE = "not testable here"
VERDICTS = (REPRODUCED, PARTLY, NOT_REPRODUCED, NOT_TESTABLE)

# A difference with a corrected p-value below it is called significant.
SIGNIFICANCE = 0.05

HOLDS, LEANS, FAILS = "holds", "leans", "fails"
_ORDER = {FAILS: 0, LEANS: 1, HOLDS: 2}
# Columns whose values are words of the paper.
_QUOTED = ("phrase", "lexicon")

Results = Mapping[str, Result]


class NotTestableError(Exception):
    """The results at hand hold nothing that the claim could be tested on; says why."""


@dataclass(frozen=True)
class Outcome:
    """What a rule found.

    Attributes
    ----------
    verdict
        One of `VERDICTS`.
    effect, low, high, n
        The number that decided, its 95 % interval and its sample size.
    sentence
        The finding in words.
    """

    verdict: str
    effect: float | None
    low: float | None
    high: float | None
    n: int | None
    sentence: str


@dataclass(frozen=True)
class Cell:
    """One number with its interval, and how far it lies on the claimed side.

    Attributes
    ----------
    label
        What it is, for readers.
    effect, low, high, n
        The number, its interval (None if the sample is too small) and sample size.
    margin, margin_low
        Distance of the effect, and of the end of its interval that speaks against the claim,
        from the border; positive on the claimed side.
    status
        `HOLDS`, `LEANS` or `FAILS`.
    """

    label: str
    effect: float
    low: float | None
    high: float | None
    n: int
    margin: float
    margin_low: float
    status: str


def difference_of(end: Row, start: Row) -> Row:
    """Subtract two means.

    Parameters
    ----------
    end, start
        Rows with ``mean``, ``low``, ``high``, ``n``.

    Returns
    -------
    dict
        ``difference`` (end minus start), ``n`` (the smaller one) and the interval of independent
        means, put together from the two (Zou and Donner 2008); None if one has none.
    """
    difference = end["mean"] - start["mean"]
    low = high = None
    if None not in (end["low"], end["high"], start["low"], start["high"]):
        low = difference - math.hypot(end["mean"] - end["low"], start["high"] - start["mean"])
        high = difference + math.hypot(end["high"] - end["mean"], start["mean"] - start["low"])
    return {"difference": difference, "low": low, "high": high, "n": min(end["n"], start["n"])}


def one_sided(
    claim: papers.Claim, place: Row, row: Row, value: str, border: float, above: bool
) -> Cell:
    """Judge a number that has to lie above a border, or below it.

    Parameters
    ----------
    claim
        For the label.
    place
        Columns and values that say which number it is.
    row
        Holds ``low``, ``high``, ``n`` and the number under `value`.
    value
        ``"mean"``, which may lie on the border, or ``"difference"``, which has to pass it.
    border
        The border.
    above
        Whether the claimed side is above it.

    Returns
    -------
    Cell
    """
    effect, low, high = row[value], row["low"], row["high"]
    side = 1 if above else -1
    against = low if above else high
    margin = side * (effect - border)
    margin_low = margin if against is None else side * (against - border)
    may_touch = value == "mean"
    status = LEANS if margin > 0 or (may_touch and margin == 0) else FAILS
    if against is not None and (margin_low > 0 or (may_touch and margin_low == 0)):
        status = HOLDS
    return Cell(label_of(claim, place), effect, low, high, row["n"], margin, margin_low, status)


def two_sided(claim: papers.Claim, place: Row, row: Row, tolerance: float) -> Cell:
    """Judge a difference that has to stay within a tolerance on both sides of zero.

    Parameters
    ----------
    claim, place
        For the label.
    row
        ``difference``, ``low``, ``high``, ``n``.
    tolerance
        Largest absolute difference allowed.

    Returns
    -------
    Cell
        Holds if the whole interval lies within, leans if only the estimate does.
    """
    effect, low, high = row["difference"], row["low"], row["high"]
    margin = tolerance - abs(effect)
    known = low is not None and high is not None
    margin_low = tolerance - max(abs(low), abs(high)) if known else margin
    status = LEANS if margin >= 0 else FAILS
    if known and margin_low >= 0:
        status = HOLDS
    return Cell(label_of(claim, place), effect, low, high, row["n"], margin, margin_low, status)


def combine(
    cells: Sequence[Cell], claim: papers.Claim, rows: Iterable[Row], sign: bool = False
) -> Outcome:
    """Turn cells into a verdict, and put the weakest of them in words.

    Parameters
    ----------
    cells
        At least one.
    claim
        The claim.
    rows
        What the cells were taken from; settings of the claim that it lacks are named.
    sign
        Show a sign before the numbers.

    Returns
    -------
    Outcome
    """
    weakest = min(cells, key=lambda cell: (_ORDER[cell.status], cell.margin_low))
    text = text_of(weakest, sign)
    if len(cells) > 1:
        held = sum(cell.status == HOLDS for cell in cells)
        leaning = sum(cell.status == LEANS for cell in cells)
        also = f", in {leaning} more by the estimate alone" if leaning else ""
        text = f"Holds in {held} of {len(cells)} cases{also}; weakest: {text}"
    sentence = f"{text[:1].upper()}{text[1:]}.{not_run(rows, claim)}"
    verdict = verdict_of(cell.status for cell in cells)
    return Outcome(verdict, weakest.effect, weakest.low, weakest.high, weakest.n, sentence)


def verdict_of(statuses: Iterable[str]) -> str:
    """Give the verdict for the statuses of all cells."""
    found = set(statuses)
    if found == {HOLDS}:
        return REPRODUCED
    return NOT_REPRODUCED if found == {FAILS} else PARTLY


def text_of(cell: Cell, sign: bool) -> str:
    """Write a cell: label, number, interval, sample size."""

    def show(value: float) -> str:
        # A number that rounds to zero has no sign worth showing.
        text = f"{value:+.3f}" if sign else f"{value:.3f}"
        return text if float(text) else f"{0:.3f}"

    interval = ""
    if cell.low is not None and cell.high is not None:
        interval = f" [{show(cell.low)}, {show(cell.high)}]"
    return f"{cell.label}: {show(cell.effect)}{interval}, n = {cell.n}"


def label_of(claim: papers.Claim, place: Row) -> str:
    """Say in words what a cell is: who against whom, where, at which K or angle, of what."""
    parts = []
    # A claim may say of further columns how they are named: {teacher: "taught by {}"}.
    said = claim.parameters.get("say", {})
    for column, value in place.items():
        if column in said:
            parts.append(said[column].format(method_name(str(value))))
        elif column == "setting":
            parts.append(setting_name(claim, value))
        elif column == "k":
            parts.append(f"K = {str(value).replace('-', ' to ')}")
        elif column == "delta":
            parts.append(f"within {angle_name(str(value))}")
        elif column == "sigma":
            parts.append(f"σ = {value:g}")
        elif column == "n_samples":
            parts.append(f"{value} perturbations")
        elif column == "change":
            parts.append(str(value))
        elif column in _QUOTED:
            parts.append(f'"{value}"')
    where = ", ".join(parts)
    if "first" in place:
        return f"{method_name(place['first'])} minus {method_name(place['second'])}, {where}"
    label = claim.parameters.get("label")
    return f"{label}, {where}" if label and "change" not in place else where


def setting_name(claim: papers.Claim, setting: str) -> str:
    """Name a setting of the claim's paper for readers."""
    return papers.paper(claim.paper).setting_name(setting)


def item_named(claim: papers.Claim) -> str:
    """Name the item that a claim's rule reads for readers."""
    return papers.item(claim.paper, claim.parameters["item"]).name


def result_of(results: Results, claim: papers.Claim) -> Result:
    """Find the result that a claim's rule reads, or say that it cannot be tested."""
    item = claim.parameters["item"]
    if item not in results:
        raise NotTestableError(f"no result for {item_named(claim)} in this run")
    return results[item]


def settings_run(rows: Iterable[Row], claim: papers.Claim) -> list[str]:
    """Give the settings of the claim that were run, in the claim's order."""
    present = {row.get("setting") for row in rows}
    found = [s for s in claim.parameters["settings"] if s in present]
    if not found:
        names = ", ".join(setting_name(claim, s) for s in claim.parameters["settings"])
        raise NotTestableError(f"{item_named(claim)} was not run on {names}")
    return found


def not_run(rows: Iterable[Row], claim: papers.Claim) -> str:
    """Name the settings of the claim that were left out; empty if there are none."""
    found = settings_run(rows, claim)
    names = [setting_name(claim, s) for s in claim.parameters["settings"] if s not in found]
    return f" Not run: {', '.join(names)}." if names else ""


def spread_cells(rows: Sequence[Row], where: Row, cells: Mapping[str, Any]) -> list[Row]:
    """Spread a selection over the cells that a claim names.

    Parameters
    ----------
    rows
        The rows there are.
    where
        The selection: columns and values.
    cells
        For each further column the values that count, or ``"present"`` for all there are.

    Returns
    -------
    list of dict
        One selection per cell.

    Raises
    ------
    NotTestableError
        If none of the values is there.
    """
    spread = [where]
    for column, wanted in cells.items():
        present = list(dict.fromkeys(row.get(column) for row in select(rows, where)))
        values = present if wanted == "present" else [v for v in wanted if v in present]
        spread = [{**place, column: v} for place in spread for v in values if v is not None]
        if not spread:
            raise NotTestableError(f"no comparison has a {column} that the claim asks for")
    return spread


def select(rows: Iterable[Row], where: Mapping[str, Any]) -> list[Row]:
    """Pick the rows whose columns have the given values."""
    return [row for row in rows if all(row.get(c) == value for c, value in where.items())]


def rows_of(
    result: Result, part: str, where: Mapping[str, Any], needs: Iterable[str] = ()
) -> list[Row]:
    """Find entries of a result that a rule cannot do without.

    Parameters
    ----------
    result
        The result.
    part
        ``"rows"`` or ``"comparisons"``.
    where
        Columns and values.
    needs
        Columns wanted beside the number, its interval and n.

    Returns
    -------
    list of dict
        At least one.

    Raises
    ------
    ResultError
        If there is none, or one lacks a column: the setting was run, so this is a slip of the
        notebook that no verdict should hide.
    """
    entries = result.rows if part == "rows" else result.comparisons
    # An entry with n = 0 says that there was no input to measure this on.
    found = [entry for entry in select(entries, where) if entry.get("n") != 0]
    place = f"{result.item} of {result.paper}"
    if not found:
        wanted = ", ".join(f"{column} = {value!r}" for column, value in where.items())
        raise ResultError(f"{place} has no entry of {part} with {wanted}")
    value = "mean" if part == "rows" else "difference"
    for row in found:
        lacking = [c for c in (value, "low", "high", "n", *needs) if c not in row]
        if lacking or row[value] is None:
            raise ResultError(
                f"{place}: an entry of {part} lacks {', '.join(lacking) or value}: {row}"
            )
    return found


def as_list(value: Any) -> list[Any]:
    """Give a list as it is, and anything else as a list of one."""
    return list(value) if isinstance(value, (list, tuple)) else [value]
