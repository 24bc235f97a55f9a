"""The figures of the MASE chapter, drawn from results alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from xai_lib import papers
from xai_lib.report.cells import select
from xai_lib.report.drawings import from_result
from xai_lib.report.panels import (
    base_style,
    curve,
    distinct,
    grid,
    legend_below,
    log_ticks,
    name_panel,
    panels,
    rows_with,
)
from xai_lib.report.results import Result
from xai_lib.report.schema import Row
from xai_lib.report.style import METHODS, method_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = ("mase", "mase (absolute)", "lime", "kernel_shap", "input_x_gradient", "random")
# Six bands in one panel hide each other: those of the claim, and of chance.
WITH_BAND = ("mase", "lime", "random")
POOLED = "1-10"
# The reading of Delta Accuracy that the claims are about.
MAIN: Row = {"removal": "drop", "labels": "gold"}


@from_result
def delta_curves(result: Result, methods: Sequence[str] = SHOWN) -> Figure:
    """Draw the accuracy lost against the number of top words deleted.

    Parameters
    ----------
    result
        Rows ``setting, removal, labels, method, k, mean, low, high, n``.
    methods
        Those to draw, as far as they were run.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per setting; intervals of `WITH_BAND` only.
    """
    settings = distinct(result.rows, "setting")
    fig, axes = grid(len(settings))
    for ax, setting in zip(axes, settings, strict=True):
        where = {**MAIN, "setting": setting}
        run = distinct(rows_with(result, where), "method")
        for method in [one for one in methods if one in run]:
            curve(ax, result, {**where, "method": method}, "k", method, band=method in WITH_BAND)
        name_panel(ax, result, setting, "words deleted (k)")
        ax.set_ylabel("accuracy lost")
        ax.label_outer()
    legend_below(fig, axes)
    return fig


@from_result
def advantage(
    result: Result,
    firsts: Sequence[str] = ("mase", "mase (absolute)"),
    seconds: Sequence[str] = ("lime", "kernel_shap"),
) -> Figure:
    """Draw the differences in Delta Accuracy, averaged over k, with their intervals.

    Parameters
    ----------
    result
        Comparisons ``setting, removal, labels, k, first, second, difference, low, high``.
    firsts, seconds
        The pairs to draw: a panel for each first, a mark for each second.

    Returns
    -------
    matplotlib.figure.Figure
        One line for each setting; right of zero the first is better.
    """
    settings = distinct(result.comparisons, "setting")
    fig, axes = panels(len(firsts), legend=True)
    fig.set_figheight(1.6 + 0.33 * len(settings))
    paper = papers.paper(result.paper)
    for ax, first in zip(axes, firsts, strict=True):
        for i, second in enumerate(seconds):
            where = {**MAIN, "k": POOLED, "first": first, "second": second}
            rows = select(result.comparisons, where)
            at = [settings.index(row["setting"]) + 0.3 * (i - 0.5) for row in rows]
            middle = np.array([row["difference"] for row in rows])
            span = np.array([[row["low"], row["high"]] for row in rows], dtype=float).T
            style = base_style(second)
            ax.errorbar(
                middle, at, xerr=np.abs(span - middle), fmt=style.marker, color=style.colour,
                markersize=5, elinewidth=1.3, label=f"against {style.name}",
            )  # fmt: skip
        ax.axvline(0, color="#1a1a1a", linewidth=0.9)
        ax.set_yticks(range(len(settings)), [paper.setting_name(s) for s in settings])
        ax.set_title(method_name(first))
        ax.set_xlabel("difference in Delta Accuracy")
        ax.grid(axis="y", visible=False)
    axes[0].invert_yaxis()
    ends = [ax.get_xlim() for ax in axes]
    for ax in axes:
        ax.set_xlim(min(low for low, _ in ends), max(high for _, high in ends))
    legend_below(fig, axes)
    return fig


@from_result
def curves_by_setting(result: Result, measure: str, x: str, label: str) -> Figure:
    """Draw one measure of several methods along a logarithmic axis.

    Parameters
    ----------
    result
        Rows ``setting, measure, method, mean, low, high, n`` and the column `x`.
    measure
        The measure.
    x, label
        Column to draw along, and what it is.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per setting.
    """
    rows = rows_with(result, {"measure": measure})
    settings = distinct(rows, "setting")
    fig, axes = grid(len(settings))
    for ax, setting in zip(axes, settings, strict=True):
        for method in distinct(select(rows, {"setting": setting}), "method"):
            where = {"setting": setting, "measure": measure, "method": method}
            curve(ax, result, where, x, method)
        log_ticks(ax, distinct(rows, x))
        name_panel(ax, result, setting, label)
        ax.set_ylabel(measure)
        ax.label_outer()
    legend_below(fig, axes)
    return fig


@from_result
def sigma_curves(result: Result) -> Figure:
    """Draw each measure of MASE against the strength of the noise.

    Parameters
    ----------
    result
        Rows ``setting, sigma, measure, mean, low, high, n``.

    Returns
    -------
    matplotlib.figure.Figure
        A row of panels for each setting, a panel for each measure.
    """
    import matplotlib.pyplot as plt

    settings, measures = distinct(result.rows, "setting"), distinct(result.rows, "measure")
    fig, axes = plt.subplots(
        len(settings), len(measures), figsize=(8.6, 2.1 * len(settings) + 0.3), sharex=True,
        sharey="col", squeeze=False,
    )  # fmt: skip
    for line, setting in zip(axes, settings, strict=True):
        for ax, measure in zip(line, measures, strict=True):
            curve(ax, result, {"setting": setting, "measure": measure}, "sigma", "mase")
            log_ticks(ax, distinct(result.rows, "sigma"))
            ax.tick_params(axis="x", rotation=45)
            ax.set_title(measure[:1].upper() + measure[1:], fontsize="small")
            ax.set_xlabel("σ")
            ax.label_outer()
        line[0].set_ylabel(papers.paper(result.paper).setting_name(setting), fontsize="small")
        for ax in line:
            ax.yaxis.set_tick_params(labelleft=True)
    return fig


@from_result
def limit_curves(result: Result) -> Figure:
    """Draw how MASE leaves gradient times input as the noise grows.

    Parameters
    ----------
    result
        Rows ``setting, sigma, measure, mean, low, high, n``.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each measure, a curve for each setting. What grows a hundredfold has a
        logarithmic axis.
    """
    measures, settings = distinct(result.rows, "measure"), distinct(result.rows, "setting")
    fig, axes = panels(len(measures), share=False, legend=True)
    for ax, measure in zip(axes, measures, strict=True):
        # Settings are no methods; they borrow looks that can be told apart.
        for setting, look in zip(settings, METHODS, strict=False):
            name = papers.paper(result.paper).setting_name(setting)
            curve(ax, result, {"setting": setting, "measure": measure}, "sigma", look, name)
        log_ticks(ax, distinct(result.rows, "sigma"))
        means = [row["mean"] for row in rows_with(result, {"measure": measure})]
        if min(means) > 0 and max(means) > 100 * min(means):
            ax.set_yscale("log")
        ax.set_title(measure[:1].upper() + measure[1:])
        ax.set_xlabel("σ")
    legend_below(fig, axes)
    return fig
