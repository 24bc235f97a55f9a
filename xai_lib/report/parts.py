"""Results of a run of some settings, joined with what earlier runs found for the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from xai_lib.metrics import holm
from xai_lib.report.results import Result
from xai_lib.report.schema import ResultError, Row, columns_of, plain

Correction = Callable[[list[Row]], list[Row]]


def joined(
    earlier: Result,
    fields: Mapping[str, Any],
    order: Sequence[str],
    run: Sequence[str],
    correct: Correction | None = None,
    of: Sequence[str] = (),
) -> dict[str, Any]:
    """Put the rows of settings that were not run again back into a table.

    Parameters
    ----------
    earlier
        The item as it was.
    fields
        What was found now: ``rows``, ``comparisons``, ``data``, ``black_box``, ``provenance``.
    order
        Keys of all settings, as the profile lists them.
    run
        Keys of those that were run.
    correct
        Gives comparisons their ``p_holm``, where families are smaller than the table; default:
        all comparisons of the table are one family.
    of
        Keys of the settings that the item is known to have, on file or not: they may be added.

    Returns
    -------
    dict
        The same fields for the whole table. Rows and comparisons of the settings in `run` are the
        new ones, p-values of the whole table are corrected anew (Holm), and
        ``provenance["kept"]`` lists whose the other rows are: each run with its ``settings`` and
        the provenance they had. A row whose setting is none of `order` says something where there
        is nothing else to say (of cells that are missing: none), and goes when there is.

    Raises
    ------
    ResultError
        If rows do not say of which setting they are and the item is not of one setting alone,
        which was run; or if the item was of none of the settings of the new rows.
    """
    column = _column(earlier.rows, order)
    if column is None:
        return _anew(earlier, fields)
    if not all(column in row for row in (*earlier.rows, *fields["rows"])):
        raise ResultError(f"{earlier.item}: rows without a {column} cannot be joined")
    before, now = (
        [key for key in order if key in {row[column] for row in rows}]
        for rows in (earlier.rows, fields["rows"])
    )
    if before and now and not (set(before) & set(now) or set(now) <= set(of)):
        raise ResultError(
            f"{earlier.item} is of {', '.join(before)}, and not of {', '.join(now)}: "
            "tag its cells with only- and a setting that it is of, or run all settings"
        )
    left = [key for key in before if key not in run]
    names = {part: {entry["name"] for entry in fields[part]} for part in ("data", "black_box")}
    found = {
        "rows": _together(earlier.rows, fields["rows"], column, left, order),
        "comparisons": _corrected(
            _together(earlier.comparisons, fields["comparisons"], column, left, order), correct
        ),
        **{
            part: [one for one in getattr(earlier, part) if one["name"] not in names[part]]
            + list(fields[part])
            for part in ("data", "black_box")
        },
    }
    kept = _kept(earlier, left)
    return {**found, "provenance": {**fields["provenance"], **({"kept": kept} if kept else {})}}


def _column(rows: Sequence[Row], order: Sequence[str]) -> str | None:
    """Find the column that names settings, None without one."""
    for name in ("setting", "data"):
        if any(row.get(name) in order for row in rows):
            return name
    return "setting" if any("setting" in row for row in rows) else None


def _anew(earlier: Result, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Accept an item of one setting as it is now, if it is of the same."""
    boxes = [{entry["name"] for entry in one} for one in (earlier.black_box, fields["black_box"])]
    if boxes[0] != boxes[1]:
        raise ResultError(
            f"{earlier.item}: rows name no setting, and its black boxes were "
            f"{', '.join(sorted(boxes[0]))} and now are {', '.join(sorted(boxes[1]))}"
        )
    return dict(fields)


def _together(
    before: Sequence[Row],
    after: Sequence[Mapping[str, Any]],
    column: str,
    left: Sequence[str],
    order: Sequence[str],
) -> list[Row]:
    rows = [row for row in before if row[column] in left] + [dict(row) for row in after]
    said = [row for row in rows if row[column] in order]
    return sorted(said, key=lambda row: order.index(row[column])) if said else rows


def _kept(earlier: Result, left: Sequence[str]) -> list[Row]:
    """Describe where the rows of settings come from: an earlier run, or those before it."""
    own = dict(earlier.provenance)
    before = [
        {**one, "settings": still}
        for one in own.pop("kept", [])
        if (still := [key for key in one["settings"] if key in left])
    ]
    latest = [key for key in left if all(key not in one["settings"] for one in before)]
    return [*before, {"settings": latest, **own}] if latest else before


def _corrected(pairs: list[Row], correct: Correction | None) -> list[Row]:
    if not pairs or not all("p_holm" in pair for pair in pairs):
        return pairs
    found = (correct or _one_family)(pairs)
    return [{**pair, "p_holm": plain("p_holm", pair["p_holm"])} for pair in found]


def _one_family(pairs: list[Row]) -> list[Row]:
    p = holm(np.array([pair["p"] for pair in pairs], dtype=float))
    return [{**pair, "p_holm": one} for pair, one in zip(pairs, p, strict=True)]


def columns_joined(earlier: Result, rows: Sequence[Row]) -> tuple[str, ...]:
    """Order columns as they were; what is new comes last."""
    found = columns_of(rows)
    kept = [name for name in earlier.columns if name in found]
    return (*kept, *(name for name in found if name not in kept))
