"""The figures of the L2E chapter about time and about human rationales, drawn from results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from xai_lib import papers
from xai_lib.report.drawings import from_result
from xai_lib.report.panels import (
    base_style,
    distinct,
    legend_below,
    name_panel,
    rows_with,
    spans,
)
from xai_lib.report.results import Result
from xai_lib.report.schema import Row
from xai_lib.report.style import method_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

from xai_lib.report.l2e_pairs import INK, PAPER, TEACHERS

# Height of a name, width of a letter, distance of a name from its point: shares of a panel.
_HEIGHT, _LETTER, _GAP = 0.06, 0.0068, 0.014


def times(results: Sequence[Result]) -> Figure:
    """Draw the seconds of one document for each method, on a logarithmic axis.

    Parameters
    ----------
    results
        Rows ``setting, method, mean, low, high``; ``l2e`` among the methods.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each result and setting. A diamond stands where a teacher would be if the
        paper's number of times held on this machine: that number times the student's seconds.
    """
    import matplotlib.pyplot as plt

    places = [(one, s) for one in results for s in distinct(one.rows, "setting")]
    columns = min(2, len(places))
    deep = -(-len(places) // columns)
    fig, axes = plt.subplots(
        deep, columns, figsize=(8.6 if columns > 1 else 5.6, 2.4 * deep + 0.5), squeeze=False
    )
    for ax, (result, setting) in zip(axes.flat, places, strict=False):
        run = {row["method"]: row for row in rows_with(result, {"setting": setting})}
        claimed = {cell["teacher"]: cell["mean"]
                   for cell in papers.published(result.paper, "speed") or []}  # fmt: skip
        methods = [one for one in ("l2e", *TEACHERS) if one in run]
        own = run["l2e"]["mean"]
        for i, method in enumerate(methods):
            row = run[method]
            ax.barh(
                [i], [row["mean"]], height=0.62, color=base_style(method).colour, xerr=spans([row]),
                error_kw={"ecolor": INK, "elinewidth": 1.2, "capsize": 2.5},
            )  # fmt: skip
            if method in claimed:
                ax.plot(
                    [claimed[method] * own], [i], marker="D", markersize=7, linestyle="",
                    markerfacecolor="white", markeredgecolor=INK,
                    label="the student's time, times the paper's factor",
                )  # fmt: skip
        ax.set_xscale("log")
        # Bars on a logarithmic axis need a foot: half of the shortest time.
        ax.set_xlim(left=min(row["mean"] for row in run.values()) / 2)
        ax.axvline(own, color=INK, linewidth=0.9, linestyle=":", label="the student's time")
        ax.set_yticks(range(len(methods)), [method_name(one) for one in methods])
        ax.invert_yaxis()
        ax.set_title(papers.paper(result.paper).setting_name(setting))
        ax.set_xlabel("seconds of one document")
        ax.grid(axis="y", visible=False)
    for ax in axes.flat[len(places) :]:
        ax.set_visible(False)
    legend_below(fig, list(axes.flat[: len(places)]))
    return fig


@from_result
def precision_recall(result: Result) -> Figure:
    """Draw recall against precision, an arrow from each teacher to its student.

    Parameters
    ----------
    result
        Rows ``setting, class, measure (precision, recall), teacher, explanation, mean, low, high``
        in percent.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each class of documents. Thin lines join points of the same F1.
    """
    import matplotlib.pyplot as plt

    classes = distinct(result.rows, "class")
    fig, axes = plt.subplots(
        1, len(classes), figsize=(8.6 if len(classes) > 1 else 5.6, 4.4), squeeze=False, sharey=True
    )
    found = {of: _points(result, of) for of in classes}
    rows = [pair for points in found.values() for pair in points.values()]
    right = 1.15 * max(x["mean"] + spans([x])[1, 0] for x, _ in rows)
    top = min(105.0, 1.15 * max(y["mean"] + spans([y])[1, 0] for _, y in rows))
    for ax, (of, points) in zip(axes[0], found.items(), strict=True):
        for teacher in [one for one in TEACHERS if one in {name for name, _ in points}]:
            style = base_style(teacher)
            for words, face in (("teacher", "white"), ("l2e", style.colour)):
                if (teacher, words) not in points:
                    continue
                x, y = points[teacher, words]
                ax.errorbar(
                    [x["mean"]], [y["mean"]], xerr=spans([x]), yerr=spans([y]), fmt=style.marker,
                    color=style.colour, markerfacecolor=face, markersize=7, elinewidth=0.7,
                    label=style.name if words == "l2e" else None,
                )  # fmt: skip
            if {(teacher, "teacher"), (teacher, "l2e")} <= points.keys():
                start, end = (
                    tuple(one["mean"] for one in points[teacher, w]) for w in ("teacher", "l2e")
                )
                ax.annotate("", end, start, arrowprops={
                    "arrowstyle": "->", "color": style.colour, "linewidth": 1.1,
                    "shrinkA": 5, "shrinkB": 5,
                })  # fmt: skip
        ax.set_xlim(0, right)
        ax.set_ylim(0, top)
        _equal_f1(ax, right, top)
        ax.set_title(f"{str(of).capitalize()} reviews")
        ax.set_xlabel("precision (percent)")
        ax.set_ylabel("recall (percent)")
        ax.label_outer()
    axes[0, 0].plot([], [], "o", color=INK, markerfacecolor="white", label="hollow: teacher")
    axes[0, 0].plot([], [], "o", color=INK, label="full: its student")
    legend_below(fig, list(axes[0]))
    return fig


def _points(result: Result, of: object) -> dict[tuple[str, str], tuple[Row, Row]]:
    """Find precision and recall of each teacher's and student's words."""
    points = {}
    for x in rows_with(result, {"class": of, "measure": "precision"}):
        place = {c: x[c] for c in ("class", "teacher", "explanation")}
        for y in rows_with(result, {**place, "measure": "recall"}):
            points[x["teacher"], x["explanation"]] = (x, y)
    return points


def _equal_f1(ax: Axes, right: float, top: float) -> None:
    for f1 in (5, 10, 15, 20, 30, 40, 60):
        # Recall at which the F1 is f1; below f1 / 2 no recall reaches it.
        x = np.linspace(f1 / 2 * 1.001, right, 400)
        y = f1 * x / (2 * x - f1)
        inside = (y <= top) & (y >= 0)
        # A label at the very edge would be cut.
        if inside.any() and x[inside][0] < 0.9 * right:
            ax.plot(x[inside], y[inside], color="#c4c4c4", linewidth=0.8, zorder=0)
            ax.text(
                x[inside][0], y[inside][0], f" F1 = {f1}", color=PAPER, fontsize=7,
                ha="left", va="top", zorder=0,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            )  # fmt: skip


@from_result
def frontier(result: Result) -> Figure:
    """Draw what explanations find against what they cost.

    Parameters
    ----------
    result
        Rows ``setting, method, seconds, seconds_low, seconds_high, mean, low, high``.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each setting, each point with its name. A line runs along the methods that no
        other beats in both.
    """
    import matplotlib.pyplot as plt

    settings = distinct(result.rows, "setting")
    fig, axes = plt.subplots(
        len(settings), 1, figsize=(8.6, 3.6 * len(settings) + 0.3), squeeze=False
    )
    for ax, setting in zip(axes.flat, settings, strict=True):
        rows = rows_with(result, {"setting": setting})
        for row in rows:
            style = base_style(row["method"])
            seconds = {c: row[f"seconds{e}"] for c, e in
                       (("mean", ""), ("low", "_low"), ("high", "_high"))}  # fmt: skip
            ax.errorbar(
                [row["seconds"]], [row["mean"]], xerr=spans([seconds]), yerr=spans([row]),
                fmt=style.marker, color=style.colour, markersize=7, elinewidth=0.8,
            )  # fmt: skip
        best = unbeaten(rows)
        ax.plot(
            [row["seconds"] for row in best], [row["mean"] for row in best], color="#9a9a9a",
            linewidth=1, zorder=0, label="no other method is both faster and better",
        )  # fmt: skip
        ax.set_xscale("log")
        # Room for names to the right of the slowest.
        slowest, fastest = (f(row["seconds"] for row in rows) for f in (max, min))
        ax.set_xlim(fastest / 2, slowest * (2 * slowest / fastest) ** 0.2)
        _name_points(ax, rows)
        name_panel(ax, result, setting, "seconds of one document")
        ax.set_ylabel("log-odds lost without the top 30 %")
    legend_below(fig, list(axes.flat))
    return fig


def unbeaten(rows: Sequence[Row]) -> list[Row]:
    """Give the methods that no other beats in both time and the mean, the fastest first.

    Parameters
    ----------
    rows
        With ``seconds`` (low is good) and ``mean`` (high is good).

    Returns
    -------
    list of dict
    """
    best: list[Row] = []
    for row in sorted(rows, key=lambda row: (row["seconds"], -row["mean"])):
        if not best or row["mean"] > best[-1]["mean"]:
            best.append(row)
    return best


def _name_points(ax: Axes, rows: Sequence[Row]) -> None:
    """Write the name of each point to its right, higher or lower where it would meet another."""
    from matplotlib.patheffects import withStroke

    low, high = ax.get_ylim()
    left, right = np.log(ax.get_xlim())
    labels = []
    for row in rows:
        base, _, rest = row["method"].partition(" ")
        labels.append(method_name(base) + (f" of {method_name(rest.strip('()'))}" if rest else ""))
    points = [
        ((np.log(row["seconds"]) - left) / (right - left), (row["mean"] - low) / (high - low))
        for row in rows
    ]
    heights = free_heights(points, [_LETTER * len(label) + _GAP for label in labels], _HEIGHT)
    for row, label, (x, _), y in zip(rows, labels, points, heights, strict=True):
        ax.annotate(
            label, (row["seconds"], row["mean"]),
            (np.exp(left + (x + _GAP) * (right - left)), low + y * (high - low)),
            fontsize=7, va="center", color=base_style(row["method"]).colour, zorder=4,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
            arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": "#9a9a9a"},
        )  # fmt: skip


def free_heights(
    points: Sequence[tuple[float, float]], widths: Sequence[float], height: float
) -> list[float]:
    """Find heights at which labels to the right of points meet neither each other nor a point.

    Parameters
    ----------
    points
        (x, y) as shares of the panel.
    widths, height
        Of the labels, as shares of the panel.

    Returns
    -------
    list of float
        For each point the nearest free height, found from below; its own where there is none.
    """
    found: dict[int, float] = {}
    for i in sorted(range(len(points)), key=lambda i: points[i][1]):
        x, own = points[i]
        steps = (sign * k * height / 3 for k in range(40) for sign in (1, -1))
        free = (
            y
            for y in (own + step for step in steps)
            if height / 2 <= y <= 1 - height / 2
            and not any(
                x - widths[j] < points[j][0] < x + widths[i] and abs(y - found[j]) < 0.999 * height
                for j in found
            )
            and not any(
                j != i and _GAP / 2 < other[0] - x < widths[i] and abs(y - other[1]) < 0.7 * height
                for j, other in enumerate(points)
            )
        )
        found[i] = next(free, own)
    return [found[i] for i in range(len(points))]
