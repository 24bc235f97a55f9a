"""Figures of explanations of pictures: their top segments, and how large these are."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from xai_lib.image_explanation import ImageExplanation
from xai_lib.ink import UNDERLINE_AGAINST, UNDERLINE_FOR
from xai_lib.report.cells import select
from xai_lib.report.drawings import from_result
from xai_lib.report.panels import base_style, distinct, legend_below, name_panel, panels
from xai_lib.report.results import Result
from xai_lib.report.schema import Row
from xai_lib.report.style import method_name
from xai_lib.segment_drawing import borders, enlarged

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What a hidden segment looks like: mostly this grey, with a trace of the picture.
HIDDEN = 216.0
TRACE = 0.12
# Pixels of the longer side of a drawn picture at least: borders are thin lines then.
FINE = 448
# Magenta: neither sky nor shadow nor lawn swallows it.
BORDER = (255, 0, 200)


def top_segments(
    rows: Sequence[Mapping[str, ImageExplanation]],
    k: int = 6,
    gold: Sequence[str] | None = None,
    by: str = "abs",
) -> Figure:
    """Draw Figure 2 of the LIPEx paper: the segments that matter most, by several methods.

    Parameters
    ----------
    rows
        For each picture its explanations by name of the method, the same methods in each row.
    k
        How many segments to show; all if there are fewer.
    gold
        For each picture the name of the right class.
    by
        Order of the segments, see `MatrixExplanation.ranking`.

    Returns
    -------
    matplotlib.figure.Figure
        One row for each picture: the picture with the borders of its segments, then for each
        method the `k` top segments for the predicted class. Their outline is blue if they
        support the class and orange if they speak against it.

    Raises
    ------
    ValueError
        If there is nothing to draw, `k` is below 1, rows have different methods, the
        explanations of a row are not of the same picture, or `gold` has another length.
    """
    import matplotlib.pyplot as plt

    methods = _methods(rows, k)
    if gold is not None and len(gold) != len(rows):
        raise ValueError(f"gold has {len(gold)} classes, but there are {len(rows)} pictures.")
    columns = len(methods) + 1
    # The first column also holds the names of the classes.
    side = min(1.5, 7.5 / columns)
    fig, axes = plt.subplots(
        len(rows), columns, squeeze=False,
        figsize=(side * columns + 1.15, side * len(rows) * 1.06 + 0.45),
    )  # fmt: skip
    for i, row in enumerate(rows):
        first = row[methods[0]]
        _picture(axes[i, 0], with_borders(first))
        lines = ([] if gold is None else [gold[i]]) + [
            f"says {first.classes[first.predicted]} {first.probabilities[first.predicted]:.2f}"
        ]
        title = "\n".join("\n".join(textwrap.wrap(line, 15)) for line in lines)
        axes[i, 0].set_ylabel(title, rotation=0, ha="right", va="center", fontsize=8)
        for ax, method in zip(axes[i, 1:], methods, strict=True):
            _picture(ax, only_top(row[method], k, by))
    for ax, name in zip(axes[0], ["picture", *map(method_name, methods)], strict=True):
        ax.set_title("\n".join(textwrap.wrap(name, 12)), fontsize=8.5, loc="center")
    return fig


def with_borders(explanation: ImageExplanation) -> np.ndarray:
    """Draw a picture with thin lines between its segments.

    Parameters
    ----------
    explanation
        Has the picture.

    Returns
    -------
    (H, W, 3) uint8 array
        A whole multiple of the picture's size, at least `FINE` pixels on the longer side.
    """
    picture, segments = _fine(explanation)
    picture[borders(segments)] = BORDER
    return picture


def only_top(explanation: ImageExplanation, k: int, by: str = "abs") -> np.ndarray:
    """Draw a picture of which only the top segments are seen, the rest is grey.

    Parameters
    ----------
    explanation
        Has the picture, and weights for the predicted class.
    k
        Number of segments.
    by
        Their order, see `MatrixExplanation.ranking`.

    Returns
    -------
    (H, W, 3) uint8 array
        As large as `with_borders` makes it.
    """
    picture, segments = _fine(explanation)
    weights = explanation.weights[explanation.predicted]
    chosen = explanation.ranking(by=by)[:k]
    kept = np.zeros(explanation.n_features, dtype=bool)
    kept[chosen] = True
    grey = picture.mean(axis=2, keepdims=True)
    hidden = np.rint((1 - TRACE) * HIDDEN + TRACE * grey).astype(np.uint8)
    drawn = np.where(kept[segments][..., None], picture, hidden)
    for segment in chosen:
        sign = UNDERLINE_FOR if weights[segment] >= 0 else UNDERLINE_AGAINST
        colour = [int(sign[i : i + 2], 16) for i in (1, 3, 5)]
        drawn[_outline(segments == segment, kept[segments])] = colour
    return drawn


@from_result
def area_scatter(
    result: Result, changed: str, area: str = "share of the picture in the top 5"
) -> Figure:
    """Draw what share of predictions changes against the share of the picture that was removed.

    Parameters
    ----------
    result
        Rows ``setting, method, measure, mean, low, high``.
    changed, area
        Measures of the vertical and of the horizontal axis.

    Returns
    -------
    matplotlib.figure.Figure
        One panel for each setting, one point with two intervals for each method.
    """
    settings = distinct(result.rows, "setting")
    fig, axes = panels(len(settings), legend=True)
    for ax, setting in zip(axes, settings, strict=True):
        here = select(result.rows, {"setting": setting})
        for method in distinct(here, "method"):
            (x,) = select(here, {"method": method, "measure": area})
            (y,) = select(here, {"method": method, "measure": changed})
            style = base_style(method)
            ax.errorbar(
                [x["mean"]], [y["mean"]], xerr=_ends(x), yerr=_ends(y), fmt=style.marker,
                color=style.colour, markersize=6, elinewidth=1, label=method_name(method),
                markerfacecolor="none" if " " in method else style.colour,
            )  # fmt: skip
        name_panel(ax, result, str(setting), "share of the picture that was removed, K = 5")
    axes[0].set_ylabel("share of predictions that change\n(K = 3 to 5)")
    legend_below(fig, axes)
    return fig


def _ends(row: Row) -> np.ndarray:
    """Return how far the interval of a mean reaches down and up, (2, 1)."""
    return np.array([[row["mean"] - row["low"]], [row["high"] - row["mean"]]])


# -- parts --------------------------------------------------------------------------------------


def _methods(rows: Sequence[Mapping[str, ImageExplanation]], k: int) -> list[str]:
    """Return the methods of all rows, or raise a ValueError that says what does not fit."""
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}.")
    if not rows or not rows[0]:
        raise ValueError("There is nothing to draw: no picture, or no method.")
    methods = list(rows[0])
    for number, row in enumerate(rows, start=1):
        if set(row) != set(methods):
            raise ValueError(f"Row {number} has the methods {list(row)}, the first {methods}.")
        first = row[methods[0]]
        for method, other in row.items():
            same = (
                np.array_equal(first.image, other.image)
                and np.array_equal(first.segments, other.segments)
                and (first.classes, first.predicted) == (other.classes, other.predicted)
            )
            if not same:
                raise ValueError(
                    f"Row {number}: {method!r} and {methods[0]!r} are not of the same picture, "
                    "segments, classes and prediction."
                )
    return methods


def _fine(explanation: ImageExplanation) -> tuple[np.ndarray, np.ndarray]:
    """Return picture and segments, both enlarged by a whole factor."""
    factor = max(1, -(-FINE // max(explanation.segments.shape)))
    height, width = (factor * side for side in explanation.segments.shape)
    picture = explanation.image.repeat(factor, axis=0).repeat(factor, axis=1)
    return picture, enlarged(explanation.segments, height, width)


def _outline(inside: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Mark the border of a region: mostly outside on the grey, where each colour can be seen."""
    from scipy.ndimage import binary_dilation, binary_erosion

    outside = binary_dilation(inside, iterations=2) & ~kept
    return outside | (inside & ~binary_erosion(inside))


def _picture(ax: Axes, picture: np.ndarray) -> None:
    ax.imshow(picture, interpolation="antialiased")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    ax.spines[:].set_visible(False)
