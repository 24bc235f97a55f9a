"""Rules about many pairs at once: in how many cells one side is ahead, or behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from statistics import median

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
    item_named,
    not_run,
    one_sided,
    result_of,
    select,
    settings_run,
)
from xai_lib.report.results import Result
from xai_lib.report.rule_registry import rule
from xai_lib.report.schema import ResultError, Row
from xai_lib.report.style import method_name


@rule("mostly")
def mostly(results: Results, claim: papers.Claim) -> Outcome:
    """`first` is ahead of `second` in more than a share of the cells.

    Parameters: ``item``, ``settings``, ``first``, ``second`` (one or a list each), ``cells`` (a
    mapping of a column to the values that count), ``better: lower`` where the smaller number wins,
    ``share`` (0.5), ``each`` (a column within whose every value the share has to be exceeded),
    ``border`` (0) and ``certain`` (true). A cell holds

    - with a border of 0, if the difference lies on the claimed side with p_holm below 0.05,
    - with another border (a margin), if its whole interval lies beyond it,
    - if not ``certain``, if the estimate does,

    and leans if only the estimate does. Reproduced if enough cells hold, not reproduced if too few
    hold or lean, else partly. The effect is the share of the cells that hold, of the weakest group.
    """
    wanted = claim.parameters
    tally = _tally(results, claim)
    share = wanted.get("share", 0.5)
    groups: dict[object, list[Cell]] = {}
    for place, _, cell in tally.cells:
        groups.setdefault(place[wanted["each"]] if "each" in wanted else None, []).append(cell)
    held = {name: _share(group, (HOLDS,)) for name, group in groups.items()}
    leaning = {name: _share(group, (HOLDS, LEANS)) for name, group in groups.items()}
    verdict = PARTLY
    if all(part > share for part in held.values()):
        verdict = REPRODUCED
    elif all(part <= share for part in leaning.values()):
        verdict = NOT_REPRODUCED
    total = sum(len(group) for group in groups.values())
    count = sum(cell.status == HOLDS for _, _, cell in tally.cells)
    lost = sum(one for _, one, _ in tally.cells)
    text = f"{tally.pair}: {_how(claim)} in {count} of {total} cells"
    text += f", significantly the other way in {lost}"
    if "each" in wanted:
        text += f" ({_by_group(claim, groups)})"
    return Outcome(verdict, min(held.values()), None, None, total, f"{text}. {tally.rest}")


@rule("never_worse")
def never_worse(results: Results, claim: papers.Claim) -> Outcome:
    """`first` is significantly worse than `second` in no cell.

    Parameters: ``item``, ``settings``, ``first``, ``second`` (one or a list each), ``cells``,
    ``better: lower`` as in `mostly`. Significant is p_holm below 0.05. Reproduced if there is no
    such cell, not reproduced if more than half are, else partly. The effect is the share of the
    cells in which `first` is significantly worse. A small sample passes easily.
    """
    tally = _tally(results, claim)
    worse = sum(lost for _, lost, _ in tally.cells)
    total = len(tally.cells)
    verdict = PARTLY
    if not worse:
        verdict = REPRODUCED
    elif 2 * worse > total:
        verdict = NOT_REPRODUCED
    word = "higher" if claim.parameters.get("better") == "lower" else "lower"
    sentence = f"{tally.pair}: significantly {word} in {worse} of {total} cells. {tally.rest}"
    return Outcome(verdict, worse / total, None, None, total, sentence)


@dataclass(frozen=True)
class _Tally:
    """Each cell's place, whether the test says that it is lost, and the cell; then words."""

    cells: Sequence[tuple[Row, bool, Cell]]
    pair: str
    rest: str


def _tally(results: Results, claim: papers.Claim) -> _Tally:
    wanted = claim.parameters
    result = result_of(results, claim)
    above = wanted.get("better") != "lower"
    border, certain = wanted.get("border", 0.0), wanted.get("certain", True)
    found: list[tuple[Row, bool, Cell]] = []
    absent = 0
    for place in _places(result, claim):
        row = _single(result, place)
        if row is None:
            absent += 1
            continue
        sure = row["p_holm"] is not None and row["p_holm"] < SIGNIFICANCE
        ahead = row["difference"] > 0 if above else row["difference"] < 0
        cell = one_sided(claim, place, row, "difference", border, above)
        if not certain:
            cell = replace(cell, status=FAILS if cell.status == FAILS else HOLDS)
        elif border == 0:
            status = FAILS if not ahead else HOLDS if sure else LEANS
            cell = replace(cell, status=status)
        found.append((place, sure and not ahead and row["difference"] != 0, cell))
    if not found:
        raise NotTestableError(f"{item_named(claim)} has no comparison that the claim asks for")
    first, second = (_names(wanted[side]) for side in ("first", "second"))
    effects = [cell.effect for _, _, cell in found]
    rest = (
        f"Median difference {median(effects):+.3g}, from {min(effects):+.3g} to {max(effects):+.3g}"
    )
    if absent:
        rest += f"; {absent} cell{'s' * (absent > 1)} without a number"
    rest += f".{not_run(result.comparisons, claim)}"
    return _Tally(found, f"{first[:1].upper()}{first[1:]} minus {second}", rest)


def _places(result: Result, claim: papers.Claim) -> Iterable[Row]:
    """List every cell that the claim asks for in the settings that were run."""
    wanted = claim.parameters
    cells = wanted.get("cells", {})
    for setting in settings_run(result.comparisons, claim):
        pairs = product(as_list(wanted["first"]), as_list(wanted["second"]))
        for (first, second), values in product(list(pairs), list(product(*cells.values()))):
            place = {"setting": setting, "first": first, "second": second}
            yield place | dict(zip(cells, values, strict=True))


def _single(result: Result, place: Row) -> Row | None:
    rows = select(result.comparisons, place)
    if not rows:
        return None
    where = ", ".join(f"{column} = {value!r}" for column, value in place.items())
    if len(rows) > 1:
        raise ResultError(f"{result.item} of {result.paper}: {len(rows)} comparisons with {where}")
    if "p_holm" not in rows[0]:
        raise ResultError(f"{result.item} of {result.paper}: no p_holm with {where}")
    return rows[0]


def _share(cells: Sequence[Cell], statuses: Sequence[str]) -> float:
    return sum(cell.status in statuses for cell in cells) / len(cells)


def _how(claim: papers.Claim) -> str:
    """Say what a cell that holds does."""
    wanted = claim.parameters
    lower = wanted.get("better") == "lower"
    border, certain = wanted.get("border", 0.0), wanted.get("certain", True)
    if border:
        return f"{'surely ' if certain else ''}{'below' if lower else 'above'} {border:+g}"
    return f"{'significantly ' if certain else ''}{'lower' if lower else 'higher'}"


def _by_group(claim: papers.Claim, groups: Mapping[object, Sequence[Cell]]) -> str:
    """Say for each group how many of its cells hold."""
    paper = papers.paper(claim.paper)
    parts = []
    for value, cells in groups.items():
        setting = claim.parameters["each"] == "setting"
        name = paper.setting_name(str(value)) if setting else method_name(str(value))
        parts.append(f"{name} {sum(cell.status == HOLDS for cell in cells)} of {len(cells)}")
    return ", ".join(parts)


def _names(value: object) -> str:
    names = [method_name(str(one)) for one in as_list(value)]
    return names[0] if len(names) == 1 else f"each of {', '.join(names)}"
