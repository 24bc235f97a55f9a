"""What the command line reads and shows: settings, a table of an explanation, an HTML page."""

from __future__ import annotations

import json
from html import escape as html_text
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from xai_lib.explanation import Explanation
    from xai_lib.image_explanation import ImageExplanation
    from xai_lib.matrix_explanation import MatrixExplanation

# Of a network with a thousand classes nobody wants all.
CLASSES_SHOWN = 20


def read_settings(pairs: list[str]) -> dict[str, Any]:
    """Read NAME=VALUE; a value is JSON where it can be (5, 0.1, true, null), else a string."""
    settings: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"--set needs NAME=VALUE, not {pair!r}")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    return settings


def explanation_table(explanation: MatrixExplanation, top: int) -> Table:
    """Lay out the strongest features of the likeliest classes."""
    table = Table("class", "probability", "strongest features (+ supports the class)")
    explained = explanation.explained
    likeliest = sorted(
        range(len(explanation.classes)), key=lambda c: (-explanation.probabilities[c], c)
    )
    for index in likeliest[:CLASSES_SHOWN]:
        words = "not explained by this method"
        if explained[index]:
            pairs = explanation.top(top, of=index)
            words = "  ".join(f"{word} {weight:+.3f}" for word, weight in pairs) or "no features"
        table.add_row(
            escape(explanation.classes[index]),
            f"{explanation.probabilities[index]:.3f}",
            escape(words),
            style="bold" if index == explanation.predicted else "",
        )
    return table


def explanation_page(explanation: Explanation | ImageExplanation) -> str:
    """Make a whole HTML page of the heat map, readable in a light and a dark browser."""
    title = html_text(f"{explanation.method}: {explanation.classes[explanation.predicted]}")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n</head>\n<body>\n{explanation.to_html()}\n</body>\n</html>\n"
    )
