"""Rows of the benchmark, the file they are kept in, and the table that shows them."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from xai_lib.report.provenance import commit, device_name, versions

SCHEMA = 1
FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
HEADER = {"schema": int, "commit": str, "machine": dict, "versions": dict, "settings": dict}


@dataclass(frozen=True)
class Row:
    """One measured number.

    Attributes
    ----------
    group
        What was measured together with it.
    name
        Unique name.
    what
        One line for a reader.
    value, low, high
        Median, smallest and largest of the repeats; for a share or a number of samples the
        estimate and its 95 % interval. None where the measurement gives none.
    n
        Number of repeats, or of texts.
    at_least, at_most
        What is wanted, if anything.
    details
        Seconds, model calls, memory and what else belongs to it.
    commit
        Of the code that measured it.
    """

    group: str
    name: str
    what: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    at_least: float | None = None
    at_most: float | None = None
    details: dict[str, Any] = field(default_factory=dict)
    commit: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the value is as wanted; None where nothing is wanted or measured."""
        if self.value is None or (self.at_least is None and self.at_most is None):
            return None
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )


def spread(values: list[float]) -> dict[str, Any]:
    """Give the fields of a `Row` that summarise repeats."""
    return {
        "value": float(np.median(values)),
        "low": float(min(values)),
        "high": float(max(values)),
        "n": len(values),
    }


class Results:
    """The rows measured so far, on disk after each group.

    Parameters
    ----------
    path
        The JSON file.
    settings
        Settings of the run as plain data.
    device
        Where the black box runs.
    resume
        Keep the rows of an earlier run, which must be of the same machine, versions and settings.
    order
        Groups in the order in which their rows stand in the file; others come behind them.

    Raises
    ------
    ValueError
        If rows should be kept that cannot stand in one table with new ones; says what differs.
    """

    def __init__(
        self,
        path: Path,
        settings: dict[str, Any],
        device: str,
        resume: bool = False,
        order: Sequence[str] = (),
    ) -> None:
        self.path = path
        self._place = {group: i for i, group in enumerate(order)}
        self.header: dict[str, Any] = {
            "schema": SCHEMA,
            "commit": commit(),
            "machine": machine(device),
            "versions": versions(),
            "settings": settings,
        }
        self.rows: list[Row] = []
        if resume and path.is_file():
            kept = check(json.loads(path.read_text("utf-8")))
            if kept["rows"] and (other := _differences(self.header, kept)):
                raise ValueError(
                    f"{path.name} holds {len(kept['rows'])} rows that cannot stand in one table "
                    f"with new ones, and would be lost: {'; '.join(other)}. Give another file "
                    "with --out, or measure everything anew without --only and --resume."
                )
            self.rows = [_row(found) for found in kept["rows"]]

    def done(self, group: str) -> bool:
        """Tell whether a group was measured."""
        return any(row.group == group for row in self.rows)

    def add(self, rows: list[Row]) -> None:
        """Add the rows of a group, in place of earlier ones, and write the file."""
        groups = {row.group for row in rows}
        rows = [replace(row, commit=row.commit or self.header["commit"]) for row in rows]
        self.rows = [row for row in self.rows if row.group not in groups] + rows
        self.rows.sort(key=lambda row: self._place.get(row.group, len(self._place)))
        text = json.dumps(check(self.document()), indent=1, allow_nan=False) + "\n"
        scratch = self.path.with_suffix(".tmp")
        scratch.write_text(text, "utf-8")
        scratch.replace(self.path)

    def document(self) -> dict[str, Any]:
        """Return what the file holds."""
        rows = [asdict(row) | {"reached": row.reached} for row in self.rows]
        return self.header | {"rows": rows}

    def table(self) -> Table:
        """Lay out the rows."""
        table = Table(
            "measured", "value", "from - to", "n", "wanted", "seconds", "calls", "peak MiB"
        )
        for row in self.rows:
            wanted = "" if row.at_least is None else f">= {row.at_least:g}"
            wanted = wanted if row.at_most is None else f"<= {row.at_most:g}"
            if row.reached is not None:
                wanted += " yes" if row.reached else " NO"
            pairs = [
                " / ".join(_short(row.details[f"{side}_{key}"]) for side in ("our", "their"))
                if f"their_{key}" in row.details
                else ""
                for key in ("seconds", "calls", "peak_mib")
            ]
            ends = "" if row.low is None else f"{_short(row.low)} - {_short(row.high)}"
            table.add_row(row.what, _short(row.value), ends, str(row.n), wanted, *pairs)
        table.caption = "pairs: ours / theirs"
        return table


def machine(device: str) -> dict[str, Any]:
    """Describe what ran: device, bfloat16, processor flags, threads, Python."""
    import torch

    from xai_lib.models.precision import fast_bfloat16

    try:
        known = set(Path("/proc/cpuinfo").read_text("utf-8").split())
    except OSError:
        known = set()
    return {
        "device": device_name(device),
        "bfloat16": fast_bfloat16(device),
        "cpu_flags": [flag for flag in FLAGS if flag in known],
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
    }


def check(document: Any) -> dict[str, Any]:
    """Return a results document, or raise a ValueError that names what is wrong with it."""
    if not isinstance(document, dict):
        raise ValueError("a results file must hold an object")
    for key, kind in (HEADER | {"rows": list}).items():
        if not isinstance(document.get(key), kind):
            raise ValueError(f"results: {key!r} must be of type {kind.__name__}")
    if document["schema"] != SCHEMA:
        raise ValueError(f"results: schema {document['schema']} is not {SCHEMA}")
    names = [_row(found).name for found in document["rows"]]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"results: rows {repeated} appear more than once")
    return document


def _differences(header: dict[str, Any], kept: dict[str, Any]) -> list[str]:
    """Say in what rows differ that should stand in one table with those that were kept.

    Each row tells its own repeats. A setting that the kept ones do not know came with a group of
    rows that is not among them.
    """
    free = {"repeats", "row_seconds"}
    return [
        f"{key} was {part.get(key)!r}, is {header[name].get(key)!r}"
        for name, part in ((name, kept[name]) for name in ("machine", "versions", "settings"))
        for key in sorted(set(part) if name == "settings" else set(part) | set(header[name]))
        if key not in free and part.get(key) != header[name].get(key)
    ]


def _row(found: dict[str, Any]) -> Row:
    plain = {key: value for key, value in found.items() if key != "reached"}
    try:
        row = Row(**plain)
    except TypeError as error:
        raise ValueError(f"results: not a row: {error}") from error
    for key in ("value", "low", "high"):
        number = getattr(row, key)
        if number is not None and not np.isfinite(number):
            raise ValueError(f"results: {key} of row {row.name!r} is not finite")
    return row


def _short(value: float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.3g}"
