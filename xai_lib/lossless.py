"""Plain values to standard JSON and back without losing a bit.

Standard JSON knows neither NaN nor infinities, and it merges two lone surrogates that stand side
by side into one character. Arrays of numbers write null for NaN and strings for infinities; other
values write such a number as ``{"$float": "nan"}`` and such a string as ``{"$join": [...]}``.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

# Two lone surrogates side by side are two characters in Python but one in JSON.
_SEAM = re.compile("(?<=[\ud800-\udbff])(?=[\udc00-\udfff])")


def plain(value: Any, where: str) -> Any:
    """Copy a setting as plain Python values, so that it survives JSON unchanged.

    Parameters
    ----------
    value
        None, a boolean, number, string, array, or lists, tuples and dictionaries of them.
    where
        What to call the value in an error message.

    Returns
    -------
    object
        The same with lists for tuples and arrays.

    Raises
    ------
    ValueError
        If JSON cannot hold the value.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray):
        return plain(value.tolist(), where)
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str) or key.startswith("$"):
                raise ValueError(f"{where} has the key {key!r}; keys are strings without '$'.")
        return {key: plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    raise ValueError(f"{where} is a {type(value).__name__}, which JSON cannot hold.")


def numbers_to_json(value: Any) -> Any:
    """Turn a float or nested lists of floats into JSON: null for NaN, strings for infinities."""
    if isinstance(value, list):
        return [numbers_to_json(item) for item in value]
    if math.isfinite(value):
        return value
    return None if math.isnan(value) else str(value)


def array_from_json(value: Any) -> np.ndarray:
    """Read a list of numbers, or a list of such lists, as a float64 array."""
    if value and isinstance(value[0], list):
        return np.array(
            [[number_from_json(item) for item in row] for row in value], dtype=np.float64
        )
    return np.array([number_from_json(item) for item in value], dtype=np.float64)


def number_from_json(value: float | str | None) -> float:
    """Read one number; null is NaN."""
    return math.nan if value is None else float(value)


def encode(value: Any) -> Any:
    """Turn a value that `plain` accepts, tuples allowed, into one that JSON holds unchanged."""
    if isinstance(value, str):
        pieces = _SEAM.split(value)
        return value if len(pieces) == 1 else {"$join": pieces}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items()}
    return value


def decode(value: Any) -> Any:
    """Undo `encode`."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if isinstance(value, dict):
        if "$join" in value:
            return "".join(value["$join"])
        if "$float" in value:
            return float(value["$float"])
        return {key: decode(item) for key, item in value.items()}
    return value
