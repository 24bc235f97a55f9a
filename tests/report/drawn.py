"""Made-up rows, and what of them stands in a figure."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure


def mean(value: float, half: float = 0.1, **columns: Any) -> dict[str, Any]:
    """Write a row; a mean among the columns is written over."""
    return {**columns, "mean": value, "low": value - half, "high": value + half, "n": 50}


def curves(ax: Axes) -> dict[Any, list[list[float]]]:
    """Return the points of each line by its label."""
    return {line.get_label(): line.get_xydata().round(4).tolist() for line in ax.get_lines()}


def shown(fig: Figure) -> list[str]:
    """Return the words of the only legend."""
    (legend,) = fig.legends
    return [text.get_text() for text in legend.get_texts()]
