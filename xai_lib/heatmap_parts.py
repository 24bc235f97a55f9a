"""Parts of heat maps that texts and pictures share: probabilities, legend, classes x features."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from xai_lib.ink import (
    AGAINST,
    FOR,
    INK,
    PAPER,
    attribute,
    clean,
    duration,
    isolated,
    signed,
    tint,
)
from xai_lib.matrix_explanation import MatrixExplanation

MAX_COLUMNS = 10
MAX_BARS = 6
# A title that lists a thousand classes would be longer than all the rest.
MAX_NAMES = 20

# The class keeps MathJax away: "$5 or $6" in a text is not a formula.
ROOT = (
    '<div class="tex2jax_ignore mathjax_ignore" translate="no" role="group" aria-label="{label}" '
    'style="color:inherit;font-size:.9rem;line-height:1.5;max-width:60rem;margin:.4rem 0;'
    'text-align:left">{content}</div>'
)
ROW = "display:flex;flex-wrap:wrap;align-items:center;gap:.2rem .55rem;margin:.4rem 0"
NUMBER = "font-variant-numeric:tabular-nums"
SMALL = "font-size:.8rem"
_CELL = f"padding:.16rem .3rem;border:2px solid {PAPER};{NUMBER}"
_CLIP = "max-width:8.5rem;overflow:hidden;text-overflow:ellipsis;white-space:nowrap"


def header(explanation: MatrixExplanation) -> str:
    """Write the probabilities of the likeliest classes, each above a bar."""
    order = by_probability(explanation)
    chips = []
    for index in order[:MAX_BARS]:
        probability = explanation.probabilities[index]
        name, value = clean(explanation.classes[index]), f"{probability:.2f}"
        if index == explanation.predicted:
            name, value = f"<strong>{name}</strong>", f"<strong>{value}</strong>"
        chips.append(
            '<span style="display:inline-block;min-width:4.6rem">'
            f'<span style="display:flex;justify-content:space-between;gap:.5rem;{SMALL};'
            f'line-height:1.3;{NUMBER}"><span>{name}</span><span>{value}</span></span>'
            '<span aria-hidden="true" style="display:block;height:.3rem;border-radius:.15rem;'
            'background:rgba(128,136,146,.3)"><span style="display:block;height:.3rem;'
            f"border-radius:.15rem;background:#6f7b88;width:{100 * probability:.1f}%"
            '"></span></span></span>'
        )
    if len(order) > MAX_BARS:
        chips.append(f'<span style="{SMALL}">+ {len(order) - MAX_BARS} more</span>')
    return f'<div style="{ROW};gap:.3rem .9rem">{"".join(chips)}</div>'


def legend(explanation: MatrixExplanation, shown: int, scale: float) -> str:
    """Write what the colours mean for one class, and what the explanation has cost."""
    key = ""
    if scale and explanation.explained[shown]:
        name = isolated(explanation.classes[shown])
        key = (
            f'<span>against {name}</span><span style="{NUMBER}">{signed(-scale, scale)}</span>'
            f'{bar()}<span style="{NUMBER}">{signed(scale, scale)}</span><span>for {name}</span>'
        )
    calls = f"{explanation.model_calls} model call{'' if explanation.model_calls == 1 else 's'}"
    return (
        f'<div style="{ROW};{SMALL}">{key}<span style="margin-left:auto">'
        f"{isolated(explanation.method)} · {calls} · {duration(explanation.seconds)}</span></div>"
    )


def bar() -> str:
    """Draw the scale of colours."""
    return (
        '<span aria-hidden="true" style="display:inline-block;width:9rem;height:.7rem;'
        "border-radius:3px;border:1px solid #c4cad1;"
        f'background:linear-gradient(90deg,{AGAINST},{PAPER},{FOR})"></span>'
    )


def notes_below(notes: Sequence[str]) -> str:
    """Write remarks (HTML), one a line."""
    return "".join(f'<div style="{SMALL};margin:.2rem 0">{note}</div>' for note in notes)


def strongest(explanation: MatrixExplanation) -> list[int]:
    """List the features with the largest absolute weight in any class, at most `MAX_COLUMNS`."""
    weights = np.abs(explanation.weights[explanation.explained])
    if not weights.size:
        return []
    strength = weights.max(axis=0)
    order = np.argsort(-strength, kind="stable")[:MAX_COLUMNS]
    return [int(i) for i in order if strength[i] > 0]


def matrix(
    explanation: MatrixExplanation,
    shown: int,
    scale: float,
    max_classes: int,
    name: Callable[[int], tuple[str, str]],
    noun: str,
    corner: str = "",
) -> tuple[str, list[str]]:
    """Write the table of classes and features.

    Parameters
    ----------
    explanation
        What to show.
    shown
        Index of the class that is always a row.
    scale
        The absolute weight of the strongest colour, above 0.
    max_classes
        Number of rows at most, the likeliest classes first.
    name
        From a feature to its HTML and its title.
    noun
        What the features are, in the plural.
    corner
        HTML of the first cell, above the classes.

    Returns
    -------
    str, list of str
        The table of the `strongest` features, and what must be said below it.
    """
    explained = explanation.explained
    columns = strongest(explanation)
    order = [index for index in by_probability(explanation) if explained[index]]
    rows = order[:max_classes]
    if explained[shown] and shown not in rows:
        rows[-1] = shown

    blank = f"{_CELL};border-color:transparent;background:transparent;color:inherit;{_CLIP}"
    line = '<tr style="background:transparent">'
    html = [f'{line}<td style="{blank}">{corner}</td>']
    for i in columns:
        label, title = name(i)
        html.append(
            f'<th scope="col" style="{blank};text-align:center;font-weight:600" '
            f'title="{attribute(title)}">{label}</th>'
        )
    html.append("</tr>")
    side = f"{blank};text-align:right;font-weight:"
    for index in rows:
        of = explanation.classes[index]
        html.append(
            f'{line}<th scope="row" style="{side}{600 if index == shown else 400}" '
            f'title="{attribute(of)}">{clean(of)}</th>'
        )
        for i in columns:
            weight = explanation.weights[index, i]
            html.append(
                f'<td style="{_CELL};background:{tint(weight, scale)};color:{INK};'
                f'text-align:center;white-space:nowrap">{signed(weight, scale)}</td>'
            )
        html.append("</tr>")
    others = [one for one, yes in zip(explanation.classes, explained, strict=True) if not yes]
    if others:
        label = clean(others[0]) if len(others) == 1 else f"{len(others)} other classes"
        title = "not explained: " + ", ".join(others[:MAX_NAMES])
        if len(others) > MAX_NAMES:
            title += f" and {len(others) - MAX_NAMES} more"
        dash = f'<td style="{blank};text-align:center" title="not explained">–</td>'
        html.append(
            f'{line}<th scope="row" style="{side}400" title="{attribute(title)}">{label}</th>'
            f"{dash * len(columns)}</tr>"
        )
    notes = []
    if len(columns) < explanation.n_features:
        notes.append(
            f"Columns: the {len(columns)} of {explanation.n_features} {noun} with the largest "
            "absolute weight in any class."
        )
    if len(rows) < len(order):
        notes.append(f"Rows: {len(rows)} of {len(order)} classes.")
    table = (
        f'<div role="region" aria-label="weights of classes and {noun}" tabindex="0" '
        'style="overflow-x:auto"><table style="border-collapse:separate;border-spacing:0;'
        f'border:0;width:auto;margin:.3rem 0;color:inherit;{SMALL};line-height:1.3">'
        f"{''.join(html)}</table></div>"
    )
    return table, [" ".join(notes)] if notes else []


def by_probability(explanation: MatrixExplanation) -> list[int]:
    """List the classes, the likeliest first, equal ones by position."""
    return [int(i) for i in np.argsort(-explanation.probabilities, kind="stable")]


def scale_of(weights: np.ndarray) -> float:
    """Return the largest finite absolute weight, 1 if only infinite ones differ from 0."""
    sizes = np.abs(weights[~np.isnan(weights)])
    if not sizes.any():
        return 0.0
    finite = sizes[np.isfinite(sizes)]
    return float(finite.max()) if finite.any() else 1.0


def summary(explanation: MatrixExplanation, shown: int, noun: str) -> str:
    """Say in two sentences what a heat map shows, for those who do not see it."""
    predicted = explanation.classes[explanation.predicted]
    probability = explanation.probabilities[explanation.predicted]
    said = (
        f"Explanation by {explanation.method}: predicted {predicted}, "
        f"probability {probability:.2f}."
    )
    if explanation.n_features and explanation.explained[shown]:
        scale = scale_of(explanation.weights)
        best = ", ".join(f"{one} {signed(w, scale)}" for one, w in explanation.top(5, shown))
        said += f" Strongest {noun} for class {explanation.classes[shown]}: {best}."
    return said
