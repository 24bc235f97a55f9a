"""Figures that can be read by everyone: a white card, a text for those who cannot see it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from xai_lib.report.drawings import source_of
from xai_lib.report.html import MUTED, Html
from xai_lib.report.style import method_name, method_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xai_lib.explanation import Explanation

# Pixels per shown pixel: sharp on dense screens and in print.
SCALE = 2
# Red to blue over white; the two ends differ in lightness too for the colour-blind.
DIVERGING = "RdBu"


def show(fig: Figure, alt: str, caption: str = "") -> None:
    """Display a figure in a notebook, with a text alternative, and close it.

    Parameters
    ----------
    fig
        A matplotlib figure.
    alt
        What the figure shows, for those who do not see it: what is plotted and what comes out.
    caption
        HTML below the figure, for instance :func:`xai_lib.report.tables.caption`.

    Raises
    ------
    ValueError
        If `alt` is empty.
    """
    import matplotlib.pyplot as plt
    from IPython.display import HTML, display

    display(HTML(figure_html(fig, alt, caption)))
    plt.close(fig)


def figure_html(fig: Figure, alt: str, caption: str = "") -> Html:
    """Write a figure as HTML that needs no other file.

    Parameters
    ----------
    fig
        A matplotlib figure.
    alt
        Text alternative, plain.
    caption
        HTML.

    Returns
    -------
    Html
        A group of the picture, as PNG inside the page, and the caption. The same figure gives
        the same bytes: no date and no version is written into the picture. A figure drawn from
        a result says so, see `xai_lib.report.drawings`.

    Raises
    ------
    ValueError
        If `alt` is empty.
    """
    if not alt.strip():
        raise ValueError("alt must say what the figure shows; it is empty")
    buffer = io.BytesIO()
    dpi = fig.get_dpi()
    fig.savefig(
        buffer, format="png", dpi=SCALE * dpi, facecolor="white", metadata={"Software": None}
    )
    width = round(fig.get_figwidth() * dpi)
    picture = base64.b64encode(buffer.getvalue()).decode("ascii")
    below = (
        f'<div style="color:{MUTED};background:#ffffff;font-size:0.85em;line-height:1.4;'
        f'text-align:left;padding:0.4em 0 0">{caption}</div>'
        if caption
        else ""
    )
    # Not `figure` and `figcaption`: themes give these a colour that does not suit a white card.
    source = source_of(fig)
    mark = "" if source is None else f' data-figure="{escape(source)}"'
    return Html(
        f'<div role="group"{mark} style="background:#ffffff;border:1px solid #d0d0d0;'
        'border-radius:6px;padding:0.8em 1em;margin:0.8em 0;max-width:100%;overflow-x:auto">'
        f'<img alt="{escape(alt)}" width="{width}" '
        'style="max-width:100%;height:auto;background:#ffffff;padding:0;filter:none" '
        f'src="data:image/png;base64,{picture}">{below}</div>'
    )


def curve_with_band(
    ax: Axes,
    x: Sequence[float] | np.ndarray,
    mean: Sequence[float] | np.ndarray,
    low: Sequence[float | None] | np.ndarray,
    high: Sequence[float | None] | np.ndarray,
    method: str,
    label: str | None = None,
) -> None:
    """Draw means with their intervals as a curve in a band.

    Parameters
    ----------
    ax
        Where to draw.
    x, mean, low, high
        (n,) numbers; an interval that is None leaves a gap in the band.
    method
        Gives colour, marker and line.
    label
        For the legend; the method's name by default.
    """
    style = method_style(method)
    below, above = (
        np.array([np.nan if v is None else v for v in end], dtype=float) for end in (low, high)
    )
    ax.fill_between(
        np.asarray(x, dtype=float), below, above, color=style.colour, alpha=0.15, linewidth=0
    )
    ax.plot(x, mean, label=method_name(method) if label is None else label, **style.plot())


def matrix_and_bars(
    lipex: Explanation, lime: Explanation, max_classes: int = 6, max_features: int = 12
) -> Figure:
    """Draw LIPEx's matrix beside LIME's bars, as in Figures 1, 6 and 7 of the LIPEx paper.

    Parameters
    ----------
    lipex, lime
        Explanations of the same text with the same features.
    max_classes
        Rows shown, the most probable classes first.
    max_features
        Columns shown: the words with the largest weight in any of the shown rows, in the order of
        the text.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the two do not explain the same features, or there is no word to show.
    """
    import matplotlib.pyplot as plt
    from matplotlib.colors import TwoSlopeNorm

    if (lipex.text, lipex.spans, lipex.classes) != (lime.text, lime.spans, lime.classes):
        raise ValueError("the two explanations are not of the same text, features and classes")
    classes = np.argsort(-lipex.probabilities, kind="stable")[:max_classes]
    weights = np.nan_to_num(lipex.weights[classes])
    strongest = np.argsort(-np.abs(weights).max(axis=0, initial=0.0), kind="stable")
    chosen = [f for f in strongest[:max_features] if np.abs(weights[:, f]).max() > 0]
    if not chosen:
        raise ValueError("LIPEx gives no word a weight; there is nothing to draw")
    features = np.sort(np.array(chosen))
    shown = weights[:, features]
    words = [lipex.words[f] for f in features]

    height = 1.7 + 0.34 * max(len(classes), 0.75 * len(features))
    fig, (left, right) = plt.subplots(
        1, 2, figsize=(8.6, height), gridspec_kw={"width_ratios": [2.5, 1]}
    )
    top = float(np.abs(shown).max())
    image = left.imshow(
        shown, cmap=DIVERGING, norm=TwoSlopeNorm(0.0, -top, top), aspect="auto"
    )  # blue supports
    left.set_xticks(range(len(words)), words, rotation=40, ha="right", rotation_mode="anchor")
    names = [f"{lipex.classes[c]} ({lipex.probabilities[c]:.2f})" for c in classes]
    left.set_yticks(range(len(names)), names)
    left.grid(False)
    left.spines[:].set_visible(False)
    left.tick_params(length=0)
    left.set_title("LIPEx: weight of each word for each class")
    for i in range(shown.shape[0]):
        for j in range(shown.shape[1]):
            dark = abs(shown[i, j]) > 0.6 * top
            colour = "white" if dark else "#1a1a1a"
            text = f"{shown[i, j]:.1f}" if top >= 1 else f"{shown[i, j]:.2f}"
            left.text(j, i, text.replace("-0.0", "0.0") if top >= 1 else text, ha="center",
                      va="center", color=colour, fontsize=8)  # fmt: skip
    bar = fig.colorbar(image, ax=left, shrink=0.85, pad=0.02)
    bar.outline.set_visible(False)

    values = np.nan_to_num(lime.weights[lime.predicted, features])
    order = np.argsort(np.abs(values), kind="stable")
    style = method_style("lime")
    right.barh(range(len(order)), values[order], color=style.colour, height=0.7)
    right.set_yticks(range(len(order)), [words[i] for i in order])
    right.axvline(0, color="#555555", linewidth=0.8)
    right.tick_params(axis="y", length=0)
    right.grid(axis="y", visible=False)
    right.set_title(f"LIME: {lime.classes[lime.predicted]}")
    right.set_xlabel("weight (probability)")
    return fig
