"""The curve of the ranking's accuracy against the number of samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

NAMES = {"lime": "plain", "paired": "paired", "stratified": "stratified"}
COLOURS = {"lime": "#0072B2", "paired": "#D55E00", "stratified": "#1A1A1A"}
MARKERS = {"lime": "s", "paired": "o", "stratified": "^"}


def draw(document: dict[str, Any], path: Path) -> None:
    """Draw the accuracy curves of a results document into a file.

    Parameters
    ----------
    document
        As in ``benchmarks/results.json``.
    path
        Where to write; the ending decides the format.

    Raises
    ------
    ValueError
        If the document has no curve.
    """
    from matplotlib.figure import Figure

    from xai_lib.report.style import styled

    # The rows of one length share their plain curve.
    lengths: dict[int, dict[str, dict[str, Any]]] = {}
    for row in document["rows"]:
        if "curve" in row["details"]:
            curves = lengths.setdefault(row["details"]["words"], {})
            for curve in (row["details"]["plain"], row["details"]["curve"]):
                curves[curve["sampler"]] = curve
    if not lengths:
        raise ValueError("The results have no accuracy curve yet; measure calls-short first.")
    with styled():
        figure = Figure(figsize=(3.6 * len(lengths), 3.2), layout="constrained")
        axes = figure.subplots(1, len(lengths), sharey=True, squeeze=False)[0]
        for ax, (words, curves) in zip(axes, sorted(lengths.items()), strict=True):
            for name, curve in curves.items():
                means = [point["mean"] for point in curve["spearman"]]
                ax.plot(
                    curve["budgets"],
                    means,
                    label=NAMES[name],
                    color=COLOURS[name],
                    marker=MARKERS[name],
                )
            ax.set_xscale("log")
            ax.set_title(f"{words} words")
            ax.set_xlabel("samples")
        axes[0].set_ylabel("Spearman correlation with the reference")
        axes[-1].legend()
        figure.savefig(path)
