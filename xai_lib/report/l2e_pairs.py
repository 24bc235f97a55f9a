"""The figures of the L2E chapter that join a student with its teacher, drawn from results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from xai_lib import papers
from xai_lib.report.cells import SIGNIFICANCE, select
from xai_lib.report.drawings import from_result
from xai_lib.report.panels import base_style, distinct, legend_below, spans
from xai_lib.report.results import Result
from xai_lib.report.schema import Row
from xai_lib.report.style import method_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEACHERS = ("occlusion", "gradient", "lrp", "lime", "kernel_shap", "deep_shap", "random")
INK, PAPER = "#1a1a1a", "#6e6e6e"
# Columns that part a table into panels, beside the data set.
_PANELS = ("formulation", "filter", "class", "texts")
_FILTERS = {"none": "all words", "annotated": "annotated words", "stop words": "no stop words"}
# What has no student: how it is drawn and named.
_LINES = (
    ("random", ":", "random words"),
    ("human", "--", "human rationales"),
    ("every word", "-.", "every word"),
)
# Where in a teacher's line the points stand: ours from and to, the paper's.
_FROM, _TO, _PRINTED = -0.26, -0.04, 0.24
# Letters in a line of a label below three panels, and of label and title of four.
_WIDE, _NARROW = 30, 20


@from_result
def dumbbells(
    result: Result,
    label: str,
    where: Mapping[str, object] | None = None,
    column: str = "explanation",
    values: Sequence[str] = ("teacher", "l2e"),
) -> Figure:
    """Draw a number for teacher and student, joined by a line, with the paper's pair below it.

    Parameters
    ----------
    result
        Rows ``setting, teacher, mean, low, high, n``, `column`, and any of ``formulation, filter,
        class, texts``. Comparisons of the last with the first of `values` put a star where p_holm
        is below 0.05.
    label
        What the horizontal axis shows.
    where
        Columns and values that pick the rows and the printed cells.
    column, values
        What is joined: two or three values of that column.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each setting and each value of the further columns, a line for each teacher;
        upright lines are random words, human rationales, or all words. A hollow marker is the
        first of `values`, a full one the last.
    """
    import matplotlib.pyplot as plt

    chosen = dict(where or {})
    rows = select(result.rows, chosen)
    keys = [key for key in _PANELS if key in result.columns and key not in chosen]
    settings = distinct(rows, "setting")
    lines = list(dict.fromkeys(tuple(row[key] for key in keys) for row in rows))
    places = [
        place
        for line in lines
        for setting in settings
        if select(rows, place := {**dict(zip(keys, line, strict=True)), "setting": setting})
    ]
    pairs = [row for row in rows if row[column] in values]
    teachers = [one for one in TEACHERS if one in distinct(pairs, "teacher")]
    columns = len(settings) if len(settings) > 1 else min(3, len(places))
    deep = -(-len(places) // columns)
    height = 0.7 + 0.34 * len(teachers)
    fig, axes = plt.subplots(
        deep, columns, figsize=(8.6 if columns > 1 else 5.2, height * deep + 0.6),
        sharey=True, squeeze=False,
    )  # fmt: skip
    printed = papers.published(result.paper, result.item) or []
    for ax, place in zip(axes.flat, places, strict=False):
        for i, teacher in enumerate(teachers):
            spot = {**chosen, **place, "teacher": teacher}
            _pair(ax, result, spot, column, values, i)
            _printed_pair(ax, printed, spot, column, values, i)
        _levels(ax, rows, place, column)
        title = _title(result, place, keys, len(settings))
        ax.set_title(title if columns < 4 else fill(title, _NARROW))
        ax.set_yticks(range(len(teachers)), [method_name(one) for one in teachers])
        ax.set_ylim(len(teachers) - 0.4, -0.6)
        ax.set_xlabel(label if columns < 3 else fill(label, _WIDE if columns < 4 else _NARROW))
        ax.grid(axis="y", visible=False)
    for ax in axes.flat[len(places) :]:
        ax.set_visible(False)
    used = list(axes.flat[: len(places)])
    starred = any(text.get_text() == "*" for ax in used for text in ax.texts)
    _explain(used[0], values, starred)
    legend_below(fig, used)
    return fig


def _pair(ax: Axes, result: Result, spot: Row, column: str, values: Sequence[str], i: int) -> None:
    """Draw the points of one teacher, joined, and a star if the difference is significant."""
    style = base_style(spot["teacher"])
    found = [
        (value, row)
        for value in values
        for row in select(result.rows, {**spot, column: value})
        if row["mean"] is not None
    ]
    if not found:
        ax.text(0.02, i, "no number", transform=ax.get_yaxis_transform(), color=PAPER,
                fontsize=7, va="center")  # fmt: skip
        return
    depth = dict(zip(values, np.linspace(i + _FROM, i + _TO, len(values)), strict=True))
    ax.plot(
        [row["mean"] for _, row in found], [depth[value] for value, _ in found],
        color=style.colour, linewidth=1,
    )  # fmt: skip
    for value, row in found:
        marker, face = _look(values, value, style.colour)
        ax.errorbar(
            [row["mean"]], [depth[value]], xerr=spans([row]), fmt=marker, color=style.colour,
            markersize=5, markerfacecolor=face, elinewidth=1.2,
        )  # fmt: skip
    pair = {**spot, "first": values[-1], "second": values[0]}
    for row in select(result.comparisons, pair):
        if row.get("p_holm") is not None and row["p_holm"] < SIGNIFICANCE:
            right = max(one["mean"] + spans([one])[1, 0] for _, one in found)
            ax.annotate("*", (right, i), (3, -4), textcoords="offset points", color=INK)


def _printed_pair(
    ax: Axes, printed: Sequence[Row], spot: Row, column: str, values: Sequence[str], i: int
) -> None:
    """Draw the paper's points of one teacher, below ours."""
    ends = [
        (value, cell["mean"])
        for value in values
        for cell in printed
        if cell.get(column) == value
        and all(cell[key] == wanted for key, wanted in spot.items() if key in cell)
    ]
    if not ends:
        return
    at = i + _PRINTED
    ax.plot([end for _, end in ends], [at] * len(ends), color=PAPER, linewidth=1)
    for value, end in ends:
        marker, face = _look(values, value, PAPER)
        ax.plot([end], [at], marker, color=PAPER, markerfacecolor=face, markersize=4)
    ax.plot([], [], "-", color=PAPER, linewidth=1, label="paper")


def _levels(ax: Axes, rows: Sequence[Row], place: Row, column: str) -> None:
    """Draw what has no student as upright lines."""
    for who, line, name in _LINES:
        for row in select(rows, {**place, "teacher": who, column: who}):
            if row["mean"] is not None:
                ax.axvline(row["mean"], color=INK, linewidth=1, linestyle=line, label=name)


def _explain(ax: Axes, values: Sequence[str], starred: bool) -> None:
    """Add to the legend what hollow and full markers and a star mean."""
    for value in values:
        marker, face = _look(values, value, INK)
        ax.plot([], [], marker, color=INK, markerfacecolor=face, label=method_name(value))
    if starred:
        ax.plot([], [], marker="$*$", color=INK, linestyle="", label="p < 0.05 (Holm)")


def _look(values: Sequence[str], value: str, colour: str) -> tuple[str, str]:
    """Give marker and face: hollow for the first value, full for the last."""
    if value == values[0]:
        return "o", "white"
    return ("o", colour) if value == values[-1] else ("D", "#d9d9d9")


def _title(result: Result, place: Row, keys: Sequence[str], settings: int) -> str:
    """Name a panel; a data set that is the only one is left out where more is to be said."""
    setting = papers.paper(result.paper).setting_name(str(place["setting"]))
    said = {key: str(place[key]) for key in keys}
    if "filter" in said:
        said["filter"] = _FILTERS.get(said["filter"], said["filter"])
    if "texts" in said:
        said["texts"] += " texts"
    names = list(said.values())
    if settings > 1 or not names:
        return ", ".join([setting, *names])
    title = ", ".join(names)
    return title[:1].upper() + title[1:]
