"""Checks of what goes into an explanation. Each returns the value in its final form."""

from __future__ import annotations

import dataclasses
import itertools
import operator
from typing import Any

import numpy as np

from xai_lib.text import Span


def check_strings(what: str, values: Any) -> tuple[str, ...]:
    """Return strings as a tuple, or raise a ValueError that says what is wrong with `what`."""
    if isinstance(values, str):
        raise ValueError(f"{what} must be a tuple of strings, got the string {values!r:.60}.")
    values = tuple(values)
    for value in values:
        if not isinstance(value, str):
            raise ValueError(f"{what} must hold strings, got {type(value).__name__}: {value!r:.60}")
    # numpy's subclass of str would come back from JSON as another type
    return tuple(str(value) for value in values)


def check_spans(spans: Any, text: str, n_features: int) -> Any:
    """Return spans as tuples of ints, or raise a ValueError if they do not fit the text."""
    if len(spans) == n_features and _in_order(spans, len(text)):
        return tuple(spans)
    checked: list[Any] = []
    seen: list[Span] = []
    for feature, entry in enumerate(spans):
        several = bool(len(entry)) and hasattr(entry[0], "__len__")
        pairs = []
        for pair in entry if several else [entry]:
            if len(pair) != 2:
                raise ValueError(f"Span {feature} must be (start, end), got {tuple(pair)!r}.")
            start, end = operator.index(pair[0]), operator.index(pair[1])
            if not 0 <= start < end <= len(text):
                raise ValueError(
                    f"Span {feature} is {(start, end)}, but must hold at least one of the "
                    f"{len(text)} characters of the text."
                )
            pairs.append((start, end))
        seen.extend(pairs)
        checked.append(tuple(pairs) if several else pairs[0])
    if len(checked) != n_features:
        raise ValueError(f"spans has {len(checked)} entries, but there are {n_features} words.")
    seen.sort()
    for one, following in itertools.pairwise(seen):
        if following[0] < one[1]:
            raise ValueError(f"Spans {one} and {following} overlap.")
    return tuple(checked)


def _in_order(spans: Any, length: int) -> bool:
    """Tell whether spans are pairs as `find_words` gives them, one behind the other: most are."""
    cursor = 0
    for span in spans:
        if type(span) is not tuple or len(span) != 2:
            return False
        start, end = span
        if type(start) is not int or type(end) is not int or not cursor <= start < end <= length:
            return False
        cursor = end
    return True


def floats(what: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return a read-only float64 copy, or raise a ValueError if it has another shape."""
    array = np.array(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"{what} must have the shape {shape}, got {array.shape}.")
    array.flags.writeable = False
    return array


def check_labels(labels: Any, n_texts: int, n_classes: int) -> np.ndarray:
    """Return a label for each text as (n,) int64, or raise a ValueError that says what is wrong."""
    array = np.asarray(labels)
    if array.shape != (n_texts,):
        raise ValueError(
            "Each text needs one label: labels must have the shape "
            f"{(n_texts,)}, got {array.shape}."
        )
    valid = f"Valid labels are the whole numbers 0 to {n_classes - 1}, one for each class."
    if n_texts and array.dtype.kind not in "iub":
        raise ValueError(f"labels must hold class indices, got {array[0]!r}. {valid}")
    bad = np.flatnonzero((array < 0) | (array >= n_classes))
    if len(bad):
        raise ValueError(f"The label of text {bad[0]} is {array[bad[0]]}. {valid}")
    return array.astype(np.int64)


# What a setting may be, by its annotation, and how to say so.
_SETTINGS: dict[str, tuple[tuple[type, ...], str]] = {
    "int": ((int, np.integer), "a whole number"),
    "float": ((int, float, np.integer, np.floating), "a number"),
    "bool": ((bool, np.bool_), "True or False"),
    "str": ((str,), "a string"),
}


def check_setting_types(settings: Any) -> None:
    """Raise a ValueError for a field of a dataclass that is no number, string or truth value.

    Only fields annotated as one of these, or as one of these or None, are looked at.
    """
    for field in dataclasses.fields(settings):
        kind, _, rest = str(field.type).partition(" | ")
        value = getattr(settings, field.name)
        if kind not in _SETTINGS or rest not in ("", "None") or (rest and value is None):
            continue
        valid, said = _SETTINGS[kind]
        if not isinstance(value, valid) or (kind != "bool" and isinstance(value, bool)):
            also = " or None" if rest else ""
            raise ValueError(f"{field.name} must be {said}{also}, got {value!r:.60}.")
        if kind == "float" and isinstance(value, int):
            try:
                float(value)
            except OverflowError as error:
                raise ValueError(f"{field.name} is too large a number.") from error


def whole(what: str, value: Any) -> int:
    """Return a whole number from 0 on as an int, or raise a ValueError that names `what`."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ValueError(f"{what} must be a whole number, got {value!r}.")
    if operator.index(value) < 0:
        raise ValueError(f"{what} must not be negative, got {value}.")
    return operator.index(value)
