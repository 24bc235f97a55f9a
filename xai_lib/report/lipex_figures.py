"""The figures of the LIPEx chapter, drawn from results alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from xai_lib.report.cells import select
from xai_lib.report.drawings import from_result
from xai_lib.report.panels import curve, distinct, grid, log_ticks, name_panel, panels
from xai_lib.report.results import Result
from xai_lib.report.style import angle_name, method_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ANGLE = re.compile(r"(\d*)pi/(\d+)")


def angle(label: str) -> float:
    """Read an angle such as ``"pi/16"`` or ``"7pi/30"``.

    Parameters
    ----------
    label
        The angle as written in results.

    Returns
    -------
    float
        Radians.

    Raises
    ------
    ValueError
        If it is not written so.
    """
    match = _ANGLE.fullmatch(label)
    if match is None:
        raise ValueError(f"not an angle such as pi/16 or 7pi/30: {label!r}")
    return int(match[1] or 1) * np.pi / int(match[2])


@from_result
def tv_histograms(result: Result, bound: float = 0.1) -> Figure:
    """Draw Figure 3: how far the surrogate's distribution is from the model's at the input.

    Parameters
    ----------
    result
        Rows of ``statistic`` ``"bin"`` with the lower end of each bin, ``from``, and the shares
        ``"share_at_most_0.05"`` and ``"share_at_most_0.1"``, for each setting.
    bound
        Where to draw the line of the claim's criterion.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per setting. A setting without bins has bars up to the larger bound, and says so.
    """
    settings = distinct(result.rows, "setting")
    fig, axes = grid(len(settings), legend=False)
    for ax, setting in zip(axes, settings, strict=True):
        found = {
            (row["statistic"], row.get("from")): row["mean"]
            for row in select(result.rows, {"setting": setting, "method": "lipex"})
        }
        bins = sorted((start, share) for (name, start), share in found.items() if name == "bin")
        share = found[f"share_at_most_{bound:g}", None]
        said = f"{share:.0%} at most {bound:g}"
        if not bins:
            first = found["share_at_most_0.05", None]
            bins = [(0.0, first), (0.05, share - first)]
            said += ";\nabove, no bins were kept"
        edges, heights = zip(*bins, strict=True)
        ax.bar(
            edges, heights, 0.05, align="edge", color=method_style("lipex").colour,
            edgecolor="white", linewidth=0.6,
        )  # fmt: skip
        ax.axvline(bound, color="#1a1a1a", linestyle="--", linewidth=1)
        ax.text(bound + 0.02, 0.97, said, va="top", transform=ax.get_xaxis_transform())
        name_panel(ax, result, setting, "total variation, 0 to 1")
        ax.set_xlim(0, 1)
    for ax in axes[:-2]:
        ax.set_xlabel("")
    for ax in axes[::2]:
        ax.set_ylabel("share of inputs")
    return fig


@from_result
def distortion_panels(result: Result) -> Figure:
    """Draw Figure 4: accuracy under noise, and how far model and LIPEx move.

    Parameters
    ----------
    result
        Rows ``setting, sigma, series, mean, low, high, n``; series ``accuracy``, ``model_tv``
        and ``lipex_tv``.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels for each setting.
    """
    settings = distinct(result.rows, "setting")
    fig, axes = grid(2 * len(settings), legend=False, share=False)
    for setting, left, right in zip(settings, axes[::2], axes[1::2], strict=True):
        where = {"setting": setting}
        curve(left, result, {**where, "series": "accuracy"}, "sigma", "model")
        left.set_ylabel("accuracy of the model")
        curve(right, result, {**where, "series": "model_tv"}, "sigma", "model")
        curve(right, result, {**where, "series": "lipex_tv"}, "sigma", "lipex", "LIPEx")
        right.set_ylabel("mean total variation\nto the original")
        right.legend()
        for ax in (left, right):
            name_panel(ax, result, setting, "σ of the noise on the last layer")
            ax.set_ylim(-0.03, 1.03)
    return fig


@from_result
def angle_curves(result: Result) -> Figure:
    """Draw Figure 5: how stable the top features are under an angle limit.

    Parameters
    ----------
    result
        Rows ``setting, delta, series, mean, low, high, n``; series ``lime``, ``lipex`` and
        ``lipex_vs_lime``.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per setting.
    """
    settings = distinct(result.rows, "setting")
    fig, axes = grid(len(settings), legend=False, share=False)
    labels = {"lipex": "LIPEx with LIPEx", "lime": "LIME with LIME"}
    for ax, setting in zip(axes, settings, strict=True):
        for series in ("lipex", "lime", "lipex_vs_lime"):
            where = {"setting": setting, "series": series}
            curve(ax, result, where, "delta", series, labels.get(series), angle)
        deltas = distinct(select(result.rows, {"setting": setting}), "delta")
        ax.set_xticks([angle(d) for d in deltas], [angle_name(d) for d in deltas])
        ax.set_ylim(0, 1.03)
        name_panel(ax, result, setting, "largest angle to the input (radians)")
    for ax in axes[::2]:
        ax.set_ylabel("mean Jaccard index\nof the top features")
    axes[-1].legend(loc="best")
    return fig


@from_result
def budget_curves(result: Result, k: int | str = "1-5") -> Figure:
    """Draw the comparison of LIPEx and LIME at equal numbers of perturbations.

    Parameters
    ----------
    result
        Rows ``setting, n_samples, method, k, mean, low, high, n``.
    k
        The number of removed words to draw; ``"1-5"`` is the mean over 1 to 5.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per setting.
    """
    settings = distinct(result.rows, "setting")
    fig, axes = panels(len(settings))
    for ax, setting in zip(axes, settings, strict=True):
        rows = select(result.rows, {"setting": setting})
        for method in distinct(rows, "method"):
            where = {"setting": setting, "method": method, "k": k}
            curve(ax, result, where, "n_samples", method)
        log_ticks(ax, distinct(rows, "n_samples"))
        name_panel(ax, result, setting, "perturbations of each method")
    removed = f"K = {str(k).replace('-', ' to ')}"
    axes[0].set_ylabel(f"share of predictions that change\n({removed})")
    axes[-1].legend(loc="best")
    return fig
