"""Results of a run of one modality, joined with what an earlier run found for the other one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xai_lib.metrics import holm
from xai_lib.report.results import Result
from xai_lib.report.schema import ResultError, Row, columns_of, plain


def joined(earlier: Result, fields: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    """Put the rows of settings that were not run again back into a table.

    Parameters
    ----------
    earlier
        The item as it was.
    fields
        What was found now: ``rows``, ``comparisons``, ``data``, ``black_box``, ``provenance``.
    order
        Keys of all settings, as the profile lists them.

    Returns
    -------
    dict
        The same fields for the whole table. Rows and comparisons of the settings in ``fields`` are
        the new ones, p-values are corrected anew for the whole table (Holm), and
        ``provenance["kept"]`` says whose the other rows are: their ``settings``, and the
        provenance they had. A table whose rows name no setting is new as a whole.

    Raises
    ------
    ResultError
        If only some rows say of which setting they are.
    """
    if not any("setting" in row for row in (*earlier.rows, *fields["rows"])):
        return dict(fields)  # Of one setting alone, which was run.
    for name, rows in (("earlier", earlier.rows), ("new", fields["rows"])):
        if not all("setting" in row for row in rows):
            raise ResultError(f"{earlier.item}: {name} rows without a setting cannot be joined")
    now = {row["setting"] for row in fields["rows"]}
    left = [key for key in order if key in {row["setting"] for row in earlier.rows} - now]
    if not left:
        return dict(fields)

    def whole(before: Sequence[Row], after: Sequence[Mapping[str, Any]]) -> list[Row]:
        rows = [row for row in before if row["setting"] in left] + [dict(row) for row in after]
        return sorted(rows, key=lambda row: order.index(row["setting"]))

    names = {part: {entry["name"] for entry in fields[part]} for part in ("data", "black_box")}
    return {
        "rows": whole(earlier.rows, fields["rows"]),
        "comparisons": _corrected(whole(earlier.comparisons, fields["comparisons"])),
        **{
            part: [one for one in getattr(earlier, part) if one["name"] not in names[part]]
            + list(fields[part])
            for part in ("data", "black_box")
        },
        "provenance": {**fields["provenance"], "kept": _kept(earlier, left)},
    }


def _kept(earlier: Result, left: Sequence[str]) -> Row:
    """Describe where the rows of settings come from: an earlier run, or one before it."""
    own = dict(earlier.provenance)
    before = own.pop("kept", None)
    if before is not None and set(left) <= set(before["settings"]):
        return dict(before)
    return {"settings": list(left), **own}


def _corrected(pairs: list[Row]) -> list[Row]:
    if not pairs or not all("p_holm" in pair for pair in pairs):
        return pairs
    p = holm(np.array([pair["p"] for pair in pairs], dtype=float))
    return [{**pair, "p_holm": plain("p_holm", one)} for pair, one in zip(pairs, p, strict=True)]


def columns_joined(earlier: Result, rows: Sequence[Row]) -> tuple[str, ...]:
    """Order columns as they were; what is new comes last."""
    found = columns_of(rows)
    kept = [name for name in earlier.columns if name in found]
    return (*kept, *(name for name in found if name not in kept))
