"""The figures of the LDAV chapter, drawn from results; the clouds of texts from their points."""

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
    grid,
    legend_below,
    log_ticks,
    name_panel,
    panels,
    rows_with,
)
from xai_lib.report.results import Result
from xai_lib.report.schema import Row
from xai_lib.report.style import method_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = (
    "ldav",
    "ldav (as printed)",
    "integrated_gradients",
    "shapley_sampling",
    "occlusion",
    "lrp",
    "input_x_gradient",
    "lime",
    "saliency",
    "random",
)
# Ten bands on one another hide the curves; those of the others are in the tables.
BANDS = ("ldav", "ldav (as printed)", "random")
_FORMS = {"ldav": "unit vectors, cosine", "as printed": "as printed, Euclidean"}


@from_result
def removal_curves(result: Result, label: str, measure: str | None = None) -> Figure:
    """Draw what remains against the number of top words that became padding.

    Parameters
    ----------
    result
        Rows ``setting, k, share, method, mean, low, high, n``, and ``measure`` where there are
        several.
    label
        What the vertical axis shows.
    measure
        Which of them.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per setting. LDAV and random words have a band of their intervals.
    """
    settings = distinct(result.rows, "setting")
    fig, axes = grid(len(settings), share=False)
    for ax, setting in zip(axes, settings, strict=True):
        where: Row = {"setting": setting, "share": None}
        if measure is not None:
            where["measure"] = measure
        run = distinct(rows_with(result, where), "method")
        for method in [one for one in SHOWN if one in run]:
            name = method_name(method) + ", 95 % band" * (method in BANDS)
            place = {**where, "method": method}
            curve(ax, result, place, "k", method, name, band=method in BANDS)
        name_panel(ax, result, setting, "words masked (k)")
        ax.set_ylabel(label)
    legend_below(fig, axes)
    return fig


@from_result
def beside_printed(result: Result, measure: str, label: str) -> Figure:
    """Draw one number of each method with its interval, and the printed one beside it.

    Parameters
    ----------
    result
        Rows ``setting, measure, method, mean, low, high``.
    measure
        Which measure.
    label
        What the horizontal axis shows.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per setting, one line per method; hollow diamonds are the paper's.
    """
    settings = distinct(result.rows, "setting")
    fig, axes = grid(len(settings), share=False)
    printed = papers.published(result.paper, result.item) or []
    run = distinct(rows_with(result, {"measure": measure}), "method")
    methods = [one for one in SHOWN if one in run]
    fig.set_figheight((0.9 + 0.24 * len(methods)) * -(-len(settings) // 2) + 0.6)
    for ax, setting in zip(axes, settings, strict=True):
        where = {"setting": setting, "measure": measure}
        for i, method in enumerate(methods):
            style = base_style(method)
            for row in select(result.rows, {**where, "method": method}):
                if row["mean"] is None:
                    continue
                span = [[row["mean"] - row["low"]], [row["high"] - row["mean"]]]
                ax.errorbar(
                    [row["mean"]], [i], xerr=span, fmt=style.marker, color=style.colour,
                    markersize=5, elinewidth=1.3,
                    label="ours, 95 % interval" if i == 0 else None,
                )  # fmt: skip
            # Tables 6 and 7 have one measure, and their cells do not name it.
            for cell in select(
                [{"measure": measure, **cell} for cell in printed], {**where, "method": method}
            ):
                ax.plot(
                    [cell["mean"]], [i], marker="D", markersize=7, markerfacecolor="none",
                    color="#1a1a1a", linestyle="", label="paper" if i == 0 else None,
                )  # fmt: skip
        ax.set_yticks(range(len(methods)), [method_name(one) for one in methods])
        ax.invert_yaxis()
        name_panel(ax, result, setting, label)
        ax.grid(axis="y", visible=False)
    legend_below(fig, axes)
    return fig


@from_result
def correlations(result: Result) -> Figure:
    """Draw the correlations of the class vectors, a matrix per setting.

    Parameters
    ----------
    result
        Rows ``setting, class, other, mean``; those of the class ``"largest"`` are left out.

    Returns
    -------
    matplotlib.figure.Figure
    """
    settings = distinct(result.rows, "setting")
    fig, axes = panels(len(settings), share=False)
    for ax, setting in zip(axes, settings, strict=True):
        rows = [one for one in rows_with(result, {"setting": setting}) if one["class"] != "largest"]
        classes = distinct(rows, "class")
        table = np.array([row["mean"] for row in rows]).reshape(len(classes), len(classes))
        ax.imshow(table, cmap="PuOr", vmin=-1, vmax=1)
        for i, j in np.ndindex(table.shape):
            ink = "white" if abs(table[i, j]) > 0.6 else "#1a1a1a"
            ax.text(j, i, f"{table[i, j]:.2f}", ha="center", va="center", color=ink, fontsize=8)
        ax.set_xticks(range(len(classes)), classes, rotation=30, ha="right")
        ax.set_yticks(range(len(classes)), classes)
        ax.grid(visible=False)
        name_panel(ax, result, setting, "")
    return fig


def clouds(found: Mapping[str, Any], titles: Mapping[str, str]) -> Figure:
    """Draw mean embeddings of texts on two principal components, coloured by predicted class.

    Parameters
    ----------
    found
        Name -> cloud, with ``points`` (n, 2), ``predicted`` (n,) and ``classes``.
    titles
        Name -> title of its panel.

    Returns
    -------
    matplotlib.figure.Figure
        All panels have the same scale; their components differ, as their texts' embeddings do.
    """
    import seaborn as sns

    fig, axes = panels(len(found), share=False, legend=True)
    reach = 1.05 * max(float(np.abs(cloud.points).max(initial=0)) for cloud in found.values())
    markers = "osD^vPX*<>"
    for ax, (name, cloud) in zip(axes, found.items(), strict=True):
        colours = sns.color_palette("colorblind", len(cloud.classes))
        for i, (label, colour) in enumerate(zip(cloud.classes, colours, strict=True)):
            some = cloud.points[cloud.predicted == i]
            ax.scatter(
                some[:, 0], some[:, 1], s=11, color=[colour], alpha=0.7, linewidths=0,
                marker=markers[i % len(markers)], label=label,
            )  # fmt: skip
        if reach > 0:
            ax.set(xlim=(-reach, reach), ylim=(-reach, reach))
        ax.set_title(titles[name])
        ax.set_xlabel("first component")
        ax.set_ylabel("second component")
    legend_below(fig, axes)
    return fig


@from_result
def sensitivity(result: Result, measure: str, trainings: Sequence[str]) -> Figure:
    """Draw one measure against the weight of L3, a curve for each weight of L2.

    Parameters
    ----------
    result
        Rows ``setting, training, rho1, rho2, measure, mean, low, high``.
    measure
        Which measure.
    trainings
        Forms of L3; a panel for each setting and form.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import seaborn as sns

    paper = papers.paper(result.paper)
    settings = distinct(result.rows, "setting")
    fig, axes = grid(len(settings) * len(trainings), columns=len(trainings))
    places = [(setting, training) for setting in settings for training in trainings]
    for ax, (setting, training) in zip(axes, places, strict=True):
        where = {"setting": setting, "training": training, "measure": measure}
        rows = rows_with(result, where)
        weights = sorted(distinct(rows, "rho1"))
        colours = sns.color_palette("colorblind", len(weights))
        for weight, colour in zip(weights, colours, strict=True):
            some = sorted(select(rows, {"rho1": weight}), key=lambda row: row["rho2"])
            at = [row["rho2"] for row in some]
            middle = np.array([row["mean"] for row in some])
            span = np.array([[row["low"], row["high"]] for row in some]).T
            ax.errorbar(
                at, middle, yerr=np.abs(span - middle), color=colour, marker="o", markersize=4,
                label=rf"$\rho_1$ = {weight:g}",
            )  # fmt: skip
        log_ticks(ax, distinct(rows, "rho2"))
        ax.set_title(f"{paper.setting_name(setting)}: {_FORMS.get(training, training)}")
        ax.set_xlabel(r"weight of L3 ($\rho_2$)")
        ax.set_ylabel(measure)
    legend_below(fig, axes)
    return fig
