"""Panels of curves drawn from the rows of a result, with the paper's points."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xai_lib import papers
from xai_lib.report.cells import select
from xai_lib.report.figures import curve_with_band
from xai_lib.report.results import Result
from xai_lib.report.schema import Row
from xai_lib.report.style import SERIES, MethodStyle, method_name, method_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def base_style(method: str) -> MethodStyle:
    """Give a method's look whatever is said behind its name: ``"lime (1000)"``."""
    return method_style(styled_name(method))


def styled_name(method: str) -> str:
    """Give the name under which a method's look is known: ``"lime"`` for ``"lime (1000)"``."""
    return method if method in SERIES else method.partition(" ")[0]


def distinct(rows: Sequence[Row], column: str) -> list[Any]:
    """List the values of a column in the order they first appear."""
    return list(dict.fromkeys(row[column] for row in rows))


def rows_with(result: Result, where: Mapping[str, object]) -> list[Row]:
    """Pick the rows that have a mean.

    Parameters
    ----------
    result
        Has a column ``mean``.
    where
        Columns and values.

    Returns
    -------
    list of dict
        At least one.

    Raises
    ------
    ValueError
        If there are none; the message names item and columns.
    """
    rows = [row for row in select(result.rows, where) if row["mean"] is not None]
    if not rows:
        wanted = ", ".join(f"{column} = {value!r}" for column, value in where.items())
        raise ValueError(f"{result.item} of {result.paper} has no rows with {wanted}")
    return rows


def curve(
    ax: Axes,
    result: Result,
    where: Mapping[str, object],
    x: str,
    method: str,
    label: str | None = None,
    position: Callable[[Any], float] = float,
    band: bool = True,
) -> None:
    """Draw the rows of one curve with their intervals, see `curve_with_band`.

    Parameters
    ----------
    ax
        Where to draw.
    result, where
        See `rows_with`.
    x
        Column to draw along, sorted.
    method
        Gives the look; anything behind a blank does not count.
    label
        For the legend; the method's name by default.
    position
        From a value of that column to a number. Without it, rows whose value is no number (those
        that pool others, ``"1-10"``) are left out.
    band
        Whether the intervals are drawn.
    """
    rows = rows_with(result, where)
    if position is float:
        rows = [row for row in rows if not isinstance(row[x], str)]
    rows.sort(key=lambda row: position(row[x]))
    mean, low, high = ([row[name] for row in rows] for name in ("mean", "low", "high"))
    if not band:
        low = high = [None] * len(rows)
    at = [position(row[x]) for row in rows]
    name = method_name(method) if label is None else label
    curve_with_band(ax, at, mean, low, high, styled_name(method), name)


def printed_point(ax: Axes, cell: Row, x: str) -> None:
    """Draw a number that the paper prints as a hollow marker, once named in the legend."""
    style = base_style(cell["method"])
    name = f"{style.name}, paper"
    _, names = ax.get_legend_handles_labels()
    ax.plot(
        [float(cell[x])], [cell["mean"]], color=style.colour, marker=style.marker, linestyle="",
        markersize=10, markerfacecolor="none", markeredgewidth=1.4,
        label="_" if name in names else name,
    )  # fmt: skip


def name_panel(ax: Axes, result: Result, setting: object, x: str) -> None:
    """Write the name of the data set above a panel and that of the axis below it."""
    ax.set_title(papers.paper(result.paper).setting_name(str(setting)))
    ax.set_xlabel(x)


def panels(n: int, share: bool = True, legend: bool = False) -> tuple[Figure, list[Axes]]:
    """Make n panels side by side.

    Parameters
    ----------
    n
        Number of panels.
    share
        Whether they have the vertical axis in common.
    legend
        Leave room for `legend_below`.

    Returns
    -------
    figure, list of axes
    """
    import matplotlib.pyplot as plt

    width = 4.8 if n == 1 else min(4.1 * n, 8.6)
    height = 4.1 if legend else 3.3
    fig, axes = plt.subplots(1, n, figsize=(width, height), sharey=share, squeeze=False)
    return fig, list(axes[0])


def grid(
    n: int, columns: int = 2, legend: bool = True, share: bool = True
) -> tuple[Figure, list[Axes]]:
    """Make n panels in rows.

    Parameters
    ----------
    n
        Number of panels.
    columns
        Panels in a row.
    legend
        Leave room for `legend_below`.
    share
        Whether all panels have both axes in common.

    Returns
    -------
    figure, list of axes
        The n axes, row by row; places that are left over are blank.
    """
    import matplotlib.pyplot as plt

    columns = min(columns, n)
    rows = -(-n // columns)
    size = (min(4.3 * columns, 8.6), (2.5 if share else 3.1) * rows + 0.9 * legend)
    fig, axes = plt.subplots(rows, columns, figsize=size, sharex=share, sharey=share, squeeze=False)
    for ax in axes.flat[n:]:
        ax.set_visible(False)
    return fig, list(axes.flat[:n])


def log_ticks(ax: Axes, values: Sequence[float]) -> None:
    """Make the horizontal axis logarithmic, with a tick at each value."""
    ax.set_xscale("log")
    ax.set_xticks(sorted(values), [f"{value:g}" for value in sorted(values)])
    ax.minorticks_off()


def legend_below(fig: Figure, axes: Sequence[Axes]) -> None:
    """Put one legend for all panels below them."""
    entries: dict[str, Any] = {}
    for ax in axes:
        handles, names = ax.get_legend_handles_labels()
        entries |= dict(zip(names, handles, strict=True))
    columns = 4 if len(axes) > 1 else 2
    fig.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=columns)


def spans(rows: Sequence[Row]) -> np.ndarray:
    """Give the lengths of intervals to both sides, for matplotlib's error bars.

    Parameters
    ----------
    rows
        With ``mean``, ``low``, ``high``.

    Returns
    -------
    numpy.ndarray
        (2, n); 0 where a sample is too small for an interval.
    """
    ends = [
        [row["mean"] - (row["mean"] if row["low"] is None else row["low"]) for row in rows],
        [(row["mean"] if row["high"] is None else row["high"]) - row["mean"] for row in rows],
    ]
    return np.maximum(np.array(ends, dtype=float), 0)
