"""The figures of the PFLex chapter, drawn from results alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xai_lib import papers
from xai_lib.report.cells import select
from xai_lib.report.drawings import from_result
from xai_lib.report.panels import (
    base_style,
    curve,
    distinct,
    legend_below,
    log_ticks,
    name_panel,
    panels,
    printed_point,
    rows_with,
)
from xai_lib.report.results import Result
from xai_lib.report.schema import Row
from xai_lib.report.style import method_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COSINE_BINS = np.linspace(-1.0, 1.0, 21)


@from_result
def distance_curves(result: Result) -> Figure:
    """Draw Figure 3: how far words are from [CLS], layer by layer.

    Parameters
    ----------
    result
        Rows ``setting, layer, series, mean, low, high, n``; series ``important`` and ``other``.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per setting.
    """
    settings = distinct(result.rows, "setting")
    fig, axes = panels(len(settings), share=False)
    for ax, setting in zip(axes, settings, strict=True):
        for series in ("important", "other"):
            curve(ax, result, {"setting": setting, "series": series}, "layer", series)
        name_panel(ax, result, setting, "layer (0: what enters the first)")
        ax.set_xticks(distinct(select(result.rows, {"setting": setting}), "layer"))
        ax.set_ylim(bottom=0)
    axes[0].set_ylabel("mean distance of words to [CLS]")
    axes[-1].legend(loc="best")
    return fig


@from_result
def stress_curves(result: Result, measure: str = "accuracy") -> Figure:
    """Draw Figure 6: what is left of the predictions when the top words are removed.

    Parameters
    ----------
    result
        Rows ``setting, measure, method, k, mean, low, high, n``. Numbers that the paper prints
        are drawn as hollow markers.
    measure
        ``"accuracy"`` or ``"retention"``.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per setting.
    """
    settings = distinct(result.rows, "setting")
    fig, axes = panels(len(settings), legend=True)
    for ax, setting in zip(axes, settings, strict=True):
        where = {"setting": setting, "measure": measure}
        for method in distinct(rows_with(result, where), "method"):
            curve(ax, result, {**where, "method": method}, "k", method)
        for cell in select(result.published or (), where):
            printed_point(ax, cell, "k")
        name_panel(ax, result, setting, "words removed (k)")
        ax.set_ylim(0, 1.03)
    axes[0].set_ylabel(_NAMES[measure])
    legend_below(fig, axes)
    return fig


def cosine_histograms(
    values: Mapping[str, np.ndarray],
    shares: Sequence[float],
    shown: Sequence[float] = (1.0, 0.5, 0.2, 0.1),
) -> Figure:
    """Draw Figure 7: histograms of the texts' cosine with LIME, at several filters.

    Parameters
    ----------
    values
        For each method (n, len(shares)) cosines; the first is drawn as bars, the others as
        outlines. NaN is left out.
    shares
        Shares of the words, in the order of the columns.
    shown
        Those to draw.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per share.

    Raises
    ------
    ValueError
        If a share to draw is not among `shares`.
    """
    missing = [share for share in shown if share not in shares]
    if missing:
        raise ValueError(f"no share {missing}; there are: {', '.join(map(str, shares))}")
    fig, axes = panels(len(shown))
    for ax, share in zip(axes, shown, strict=True):
        drawn: list[Any] = []
        for i, (method, table) in enumerate(values.items()):
            found = table[:, list(shares).index(share)]
            found = found[~np.isnan(found)]
            height = np.histogram(found, COSINE_BINS)[0] / max(len(found), 1)
            colour, name = base_style(method).colour, method_name(method)
            if i == 0:
                bars = ax.bar(COSINE_BINS[:-1], height, np.diff(COSINE_BINS), align="edge",
                              color=colour, edgecolor="white", linewidth=0.6,
                              label=name)  # fmt: skip
                drawn.append(bars)
            else:
                drawn.append(ax.stairs(height, COSINE_BINS, color=colour, lw=1.4, label=name))
        ax.set_title("all words" if share == 1 else f"top {share:.0%}")
        ax.set_xlabel("cosine with LIME")
        ax.set_xlim(-1, 1)
    axes[0].set_ylabel("share of texts")
    axes[0].legend(handles=drawn, loc="upper left")
    return fig


@from_result
def agreement_curves(result: Result) -> Figure:
    """Draw Figure 7 as curves: the mean cosine with LIME against the filter.

    Parameters
    ----------
    result
        Rows ``setting, share, method, mean, low, high, n``. Numbers that the paper prints are
        drawn as hollow markers in every panel: it does not say for which data.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per setting.
    """
    settings = distinct(result.rows, "setting")
    fig, axes = panels(len(settings), legend=True)
    for ax, setting in zip(axes, settings, strict=True):
        for method in distinct(rows_with(result, {"setting": setting}), "method"):
            curve(ax, result, {"setting": setting, "method": method}, "share", method)
        for cell in result.published or ():
            if cell.get("setting", setting) == setting:
                printed_point(ax, cell, "share")
        name_panel(ax, result, setting, "share of words compared")
        ax.set_xlim(1.04, 0)
        ax.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}")
        ax.set_ylim(top=1.05)
    axes[0].set_ylabel("mean cosine with LIME")
    legend_below(fig, axes)
    return fig


@from_result
def cost_bars(result: Result, quantity: str = "seconds", setting: str | None = None) -> Figure:
    """Draw Figure 8: what one explanation costs, by length, the paper's bars beside ours.

    Parameters
    ----------
    result
        Rows ``setting, words, quantity, method, mean, low, high, n``.
    quantity
        ``"seconds"``, ``"gmacs"``, ``"gmacs_whole"`` or ``"model_calls"``. The paper counts
        multiply-accumulates over whole texts: its bars stand beside ``gmacs_whole``.
    setting
        Which one to draw; default the first.

    Returns
    -------
    matplotlib.figure.Figure
        Groups of bars on a logarithmic scale with their values, ours full, the paper's hatched.

    Raises
    ------
    ValueError
        If there are no such rows.
    """
    import matplotlib.pyplot as plt

    setting = result.rows[0]["setting"] if setting is None else setting
    rows = rows_with(result, {"setting": setting, "quantity": quantity})
    lengths = distinct(rows, "words")
    bars: dict[str, list[Row]] = {}
    for row in rows:
        bars.setdefault(method_name(row["method"]), []).append(row)
    for cell in select(result.published or (), {"quantity": quantity}):
        if cell["words"] in lengths:
            # LIME with whatever number of perturbations the paper used at this length.
            name = base_style(cell["method"]).name
            bars.setdefault(f"{name}, paper", []).append(cell)
    fig, ax = plt.subplots(figsize=(8.2, 3.6))
    width = 0.86 / len(bars)
    seen: list[str] = []
    for i, (name, cells) in enumerate(bars.items()):
        at = np.array([lengths.index(cell["words"]) for cell in cells])
        style = base_style(cells[0]["method"])
        ours = not name.endswith(", paper")
        alpha = max(0.3, 1 - 0.3 * seen.count(style.name)) if ours else 1.0
        x = at - 0.43 + (i + 0.5) * width
        ax.bar(
            x, [cell["mean"] for cell in cells], 0.92 * width, edgecolor=style.colour, label=name,
            color=style.colour if ours else "white", alpha=alpha, hatch=None if ours else "////",
            linewidth=0.8,
        )  # fmt: skip
        _errors(ax, x, cells)
        for place, cell in zip(x, cells, strict=True):
            top = cell["mean"] if cell.get("high") is None else max(cell["mean"], cell["high"])
            ax.annotate(
                _two_digits(cell["mean"]), (place, top), xytext=(0, 2), ha="center",
                textcoords="offset points", fontsize=7,
            )  # fmt: skip
        seen += [style.name] if ours else []
    ax.set_yscale("log")
    ax.set_xticks(range(len(lengths)), [f"{words} words" for words in lengths])
    ax.grid(axis="x", visible=False)
    ax.set_ylabel(_NAMES[quantity])
    ax.set_title(papers.paper(result.paper).setting_name(setting))
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return fig


def _two_digits(value: float) -> str:
    """Write a number with two digits and without an exponent."""
    return f"{float(f'{value:.2g}'):.10g}"


_NAMES = {
    "accuracy": "accuracy against the gold class",
    "retention": "share that keeps the predicted class",
    "seconds": "seconds per text",
    "gmacs": "10⁹ multiply-accumulates per text",
    "gmacs_whole": "10⁹ multiply-accumulates, whole texts",
    "model_calls": "inputs sent through the model",
}


@from_result
def size_curves(
    result: Result, measures: Sequence[str] = ("spearman", "cosine", "accuracy at k = 1")
) -> Figure:
    """Draw what a head is worth against the number of texts that the teacher explained.

    Parameters
    ----------
    result
        Rows ``setting, texts, measure, mean, low, high, n``.
    measures
        Measures to draw, a panel each.

    Returns
    -------
    matplotlib.figure.Figure
        A curve for each setting.
    """
    fig, axes = panels(len(measures), share=False)
    settings = distinct(result.rows, "setting")
    for ax, measure in zip(axes, measures, strict=True):
        for setting, shade in zip(settings, ("pflex", "model"), strict=False):
            name = papers.paper(result.paper).setting_name(setting)
            curve(ax, result, {"setting": setting, "measure": measure}, "texts", shade, name)
        log_ticks(ax, distinct(result.rows, "texts"))
        ax.tick_params(axis="x", rotation=45)
        ax.set_title(measure[:1].upper() + measure[1:])
        ax.set_xlabel("texts explained by LIME")
    axes[0].legend(loc="best")
    return fig


def _errors(ax: Axes, x: np.ndarray, cells: Sequence[Row]) -> None:
    means = np.array([cell["mean"] for cell in cells])
    ends = [
        [np.nan if cell.get(end) is None else cell[end] for cell in cells]
        for end in ("low", "high")
    ]
    spread = np.abs(np.array(ends, dtype=float) - means)
    ax.errorbar(x, means, spread, fmt="none", ecolor="#1a1a1a", elinewidth=0.9)
