"""The shape of a result: what JSON can hold, which fields there must be, what an interval is."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

Row = dict[str, Any]

SIGNIFICANT_DIGITS = 6
# Below this many values an interval may be missing: no median interval exists below 6.
SMALLEST_SAMPLE_WITH_INTERVAL = 6

_DATA = ({"name", "source", "sha256", "rows"}, {"split", "stands_for", "notes", "dropped"})
_BLACK_BOX = (
    {"name", "held_out_accuracy", "test_size"},
    {"data", "stands_for", "precision", "notes"},
)
_PROVENANCE = (
    {"commit", "device", "packages", "python", "seed", "seconds", "model_calls"},
    {"notebook", "precision", "cached_model_calls", "kept"},
)
_KEPT = (_PROVENANCE[0] | {"settings"}, _PROVENANCE[1] - {"kept"})
_SHA256 = re.compile(r"[0-9a-f]{64}")


class ResultError(ValueError):
    """A result does not have the shape that readers of results rely on."""


def columns_of(rows: Sequence[Row]) -> tuple[str, ...]:
    """List the columns of rows in the order they first appear."""
    return tuple(dict.fromkeys(column for row in rows for column in row))


def plain(where: str, value: Any) -> Any:
    """Turn a value into what JSON can hold, the same on every machine.

    Parameters
    ----------
    where
        What to call the value in an error.
    value
        Numbers, strings, None, and lists and mappings of them, numpy's included.

    Returns
    -------
    object
        Floats with 6 significant digits, NaN as None.

    Raises
    ------
    ResultError
        If a value is infinite or of another type.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(f"{where}.{key}", entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(f"{where}[{i}]", entry) for i, entry in enumerate(value)]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if math.isinf(value):
            raise ResultError(f"{where} is infinite")
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    raise ResultError(f"{where} is a {type(value).__name__}; results hold numbers and strings")


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _count(value: Any, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def check(result: Mapping[str, Any]) -> None:
    """Check everything that readers of results rely on.

    Parameters
    ----------
    result
        The fields of a result by name, with plain values.

    Raises
    ------
    ResultError
        If something is missing, unknown or wrong; the message names the field and the row.
    """
    for name in ("paper", "item", "title", "profile"):
        if not isinstance(result[name], str) or not result[name]:
            raise ResultError(f"{name} must be a string that is not empty")
    if not result["rows"]:
        raise ResultError("rows is empty: a result holds at least one row")
    if not all(isinstance(c, str) for c in result["columns"]):
        raise ResultError(f"columns must be names: {result['columns']}")
    if len(set(result["columns"])) != len(result["columns"]):
        raise ResultError(f"columns repeat: {result['columns']}")
    found = set(columns_of(result["rows"]))
    if found != set(result["columns"]):
        raise ResultError(
            f"columns and rows disagree: only in columns {sorted(set(result['columns']) - found)}, "
            f"only in rows {sorted(found - set(result['columns']))}"
        )
    for i, row in enumerate(result["rows"]):
        if row.get("mean") is not None:
            _check_interval(f"rows[{i}]", row, "mean")
    for i, row in enumerate(result["comparisons"]):
        _check_keys(f"comparisons[{i}]", row, {"first", "second", "difference"}, None)
        _check_interval(f"comparisons[{i}]", row, "difference")
        for name in ("p", "p_holm"):
            if row.get(name) is not None and not (_number(row[name]) and 0 <= row[name] <= 1):
                raise ResultError(f"comparisons[{i}].{name} is no probability: {row[name]!r}")
    for i, row in enumerate(result["data"]):
        _check_keys(f"data[{i}]", row, *_DATA)
        if not isinstance(row["sha256"], str) or not _SHA256.fullmatch(row["sha256"]):
            raise ResultError(f"data[{i}].sha256 must be 64 hexadecimal digits: {row['sha256']!r}")
        if not _count(row["rows"]):
            raise ResultError(f"data[{i}].rows must be a count: {row['rows']!r}")
    for i, row in enumerate(result["black_box"]):
        _check_keys(f"black_box[{i}]", row, *_BLACK_BOX)
        accuracy = row["held_out_accuracy"]
        if not (_number(accuracy) and 0 <= accuracy <= 1):
            raise ResultError(f"black_box[{i}].held_out_accuracy must be a share: {accuracy!r}")
        if not _count(row["test_size"], 1):
            raise ResultError(f"black_box[{i}].test_size must be a count: {row['test_size']!r}")
    _check_keys("provenance", result["provenance"], *_PROVENANCE)
    for i, one in enumerate(result["provenance"].get("kept", [])):
        _check_keys(f"provenance.kept[{i}]", one, *_KEPT)
    if not isinstance(result["provenance"]["packages"], Mapping):
        raise ResultError("provenance.packages must map names to versions")
    for name in ("seconds", "model_calls", "cached_model_calls"):
        value = result["provenance"].get(name, 0)
        if not (_number(value) and value >= 0):
            raise ResultError(f"provenance.{name} must be a number from 0: {value!r}")


def _check_keys(where: str, row: Any, required: set[str], optional: set[str] | None) -> None:
    if not isinstance(row, Mapping):
        raise ResultError(f"{where} must be an object, not {type(row).__name__}")
    missing = required - set(row)
    if missing:
        raise ResultError(f"{where} lacks {', '.join(sorted(missing))}")
    unknown = set(row) - required - optional if optional is not None else set()
    if unknown:
        valid = ", ".join(sorted(required | (optional or set())))
        raise ResultError(f"{where} has unknown {', '.join(sorted(unknown))}; valid: {valid}")


def _check_interval(where: str, row: Row, name: str) -> None:
    """Check that a mean or a difference has n and an interval around it."""
    _check_keys(where, row, {name, "n", "low", "high"}, None)
    value, low, high, n = row[name], row["low"], row["high"], row["n"]
    if not _number(value):
        raise ResultError(f"{where}.{name} must be a number: {value!r}")
    if not _count(n, 1):
        raise ResultError(f"{where}.n must be a count from 1: {n!r}")
    if low is None and high is None:
        if n >= SMALLEST_SAMPLE_WITH_INTERVAL:
            raise ResultError(f"{where} has n = {n} but no interval")
        return
    if not (_number(low) and _number(high)):
        raise ResultError(f"{where} has half an interval: low {low!r}, high {high!r}")
    # Each end was rounded on its own, so that equal numbers can part in the last digit.
    slack = 10 ** (1 - SIGNIFICANT_DIGITS) * max(abs(value), abs(low), abs(high))
    if not low - slack <= value <= high + slack:
        raise ResultError(f"{where}: {name} {value} lies outside [{low}, {high}]")
