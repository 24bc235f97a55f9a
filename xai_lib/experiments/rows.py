"""Rows of a result: means with intervals, and p-values corrected for a whole table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xai_lib.metrics import (
    compare_pairs,
    holm,
    mean_with_interval,
    t_interval,
    wilson_interval,
)

if TYPE_CHECKING:
    from xai_lib.experiments.study import Setting

Row = dict[str, Any]


def interval(values: np.ndarray, seed: int) -> Row:
    """Summarise values: mean, 95 % interval and n, as columns of a row."""
    found = mean_with_interval(values, seed=seed)
    return {"mean": found.mean, "low": found.low, "high": found.high, "n": found.n}


def estimate_row(place: Row, values: np.ndarray, seed: int) -> Row:
    """Write a mean with its 95 % interval and n under the columns of `place`."""
    return {**place, **interval(values, seed)}


def runs_row(place: Row, values: np.ndarray, least: float = -np.inf, most: float = np.inf) -> Row:
    """Write the mean over a few runs with its t-interval.

    Parameters
    ----------
    place
        Columns that say where.
    values
        (n,) one number for each run. A single one has no interval.
    least, most
        What the quantity can be: an interval ends there, which a t-interval of two runs would not.
    """
    found = t_interval(values)
    place = {**place, "mean": found.mean, "low": None, "high": None, "n": found.n}
    if found.n > 1:
        place |= {"low": max(found.low, least), "high": min(found.high, most)}
    return place


def yes_or_no(values: np.ndarray) -> np.ndarray:
    """Return values as booleans if all of them are 0 or 1, and otherwise as they are.

    For what is true or false of a text and was averaged over runs: where the runs say the same of
    each text, the mean is a share of texts, with the intervals and tests of one.
    """
    values = np.asarray(values)
    return values.astype(bool) if np.isin(values, (0, 1)).all() else values


def defined_row(place: Row, values: np.ndarray, seed: int, share: bool = False) -> Row:
    """Write a mean over the values that are not NaN.

    Parameters
    ----------
    place
        Columns that say where.
    values
        (n,) numbers or booleans. The row's n says how many are not NaN, 0 if there are none.
    seed
        Seed of the bootstrap.
    share
        Whether a value is true or false, or the mean of that over runs, see `yes_or_no`.
    """
    kept = _defined(values)
    values = np.asarray(values)[kept]
    if not len(values):
        return {**place, "mean": None, "low": None, "high": None, "n": 0}
    return estimate_row(place, yes_or_no(values) if share else values, seed)


def compare_rows(
    place: Row,
    values: Mapping[str, np.ndarray],
    pairs: Sequence[tuple[str, str]],
    seed: int,
    share: bool = False,
) -> list[Row]:
    """Compare methods on the texts on which both are defined.

    Parameters
    ----------
    place
        Columns that say where.
    values
        For each method (n,) booleans or numbers, text by text; NaN where it is not defined.
    pairs
        Which to compare, first minus second; a pair with a method that is not there is left
        out.
    seed
        Seed of the bootstrap.
    share
        As for `defined_row`.

    Returns
    -------
    list of dict
        See `xai_lib.metrics.compare_pairs`; without ``p_holm``, which `with_holm` gives to a
        whole table. A pair that shares no text is left out.
    """
    rows: list[Row] = []
    for first, second in pairs:
        if first not in values or second not in values:
            continue
        both = _defined(values[first]) & _defined(values[second])
        if not both.any():
            continue
        pair = {name: np.asarray(values[name])[both] for name in (first, second)}
        if share:
            pair = {name: yes_or_no(some) for name, some in pair.items()}
        found = dict(compare_pairs(pair, first, seed=seed).iloc[0])
        rows.append({**place, **{str(k): v for k, v in found.items() if k != "p_holm"}})
    return rows


def compared_rows(
    place: Row,
    column: str,
    tables: Mapping[str, Mapping[str, np.ndarray]],
    reference: str,
    seed: int,
) -> tuple[list[Row], list[Row]]:
    """Write a row for each measure and method, and compare one method with the others.

    Parameters
    ----------
    place
        Columns that say where.
    column
        Name of the column for the methods.
    tables
        For each method, for each measure (n,) values; NaN where one is not defined.
    reference
        The method compared with the others.
    seed
        Seed of the bootstrap.

    Returns
    -------
    rows, comparisons : list of dict
        With a column ``measure``.
    """
    rows: list[Row] = []
    pairs: list[Row] = []
    for measure in next(iter(tables.values())):
        where: Row = {**place, "measure": measure}
        values = {name: table[measure] for name, table in tables.items()}
        rows += [defined_row({**where, column: name}, some, seed) for name, some in values.items()]
        others = [(reference, name) for name in values if name != reference]
        pairs += compare_rows(where, values, others, seed)
    return rows, pairs


def with_holm(pairs: list[Row]) -> list[Row]:
    """Correct the p-values of all comparisons of one table for their number (Holm)."""
    corrected = holm(np.array([pair["p"] for pair in pairs]))
    return [{**pair, "p_holm": float(p)} for pair, p in zip(pairs, corrected, strict=True)]


def with_holm_by_kind(pairs: list[Row], kinds: Sequence[str]) -> list[Row]:
    """Correct the p-values of each kind of comparison of a table for their number (Holm).

    Parameters
    ----------
    pairs
        Comparisons with columns ``first``, ``second`` and ``p``.
    kinds
        Names of a second that make a kind of their own; all others of one first are one kind.
    """
    families: dict[tuple[str, str], list[int]] = {}
    for i, pair in enumerate(pairs):
        second = pair["second"] if pair["second"] in kinds else ""
        families.setdefault((pair["first"], second), []).append(i)
    found = list(pairs)
    for family in families.values():
        for i, pair in zip(family, with_holm([pairs[i] for i in family]), strict=True):
            found[i] = pair
    return found


def black_box_rows(settings: Iterable[Setting]) -> list[Row]:
    """List the held-out accuracy of the black boxes with Wilson's 95 % interval."""
    rows: list[Row] = []
    for setting in settings:
        card = setting.classifier.card
        n = int(card["n_test"])
        low, high = wilson_interval(round(card["accuracy"] * n), n)
        rows.append(
            {
                "setting": setting.key,
                "data": setting.profile["dataset"],
                "model": card["name"],
                "mean": float(card["accuracy"]),
                "low": low,
                "high": high,
                "n": n,
            }
        )
    return rows


def _defined(values: np.ndarray) -> np.ndarray:
    return ~np.isnan(np.asarray(values, dtype=np.float64))
