"""Explanations as HTML: one string without script, style sheet or address of another site.

Colours are opaque tints with dark ink on them, because a style attribute cannot ask whether the
page is dark; everything around them inherits the colour of the page. Blue supports a class and
orange speaks against it, which people with any colour vision tell apart; strong weights are also
underlined, solid for and dotted against, for a print without colour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from xai_lib.explanation import Explanation
from xai_lib.ink import (
    AGAINST,
    FADED,
    FOR,
    INK,
    PAPER,
    UNDERLINE_AGAINST,
    UNDERLINE_FOR,
    attribute,
    clean,
    duration,
    isolated,
    share,
    signed,
    tint,
)

MAX_COLUMNS = 10
MAX_BARS = 6

# The class keeps MathJax away: "$5 or $6" in a text is not a formula.
_ROOT = (
    '<div class="tex2jax_ignore mathjax_ignore" translate="no" role="group" aria-label="{label}" '
    'style="color:inherit;font-size:.9rem;line-height:1.5;max-width:60rem;margin:.4rem 0;'
    'text-align:left">{content}</div>'
)
_PANEL = (
    f"background:{PAPER};color:{INK};border:1px solid #c4cad1;border-radius:6px;"
    "padding:.55rem .75rem;text-align:start;white-space:pre-wrap;"
    "overflow-wrap:anywhere;line-height:1.75"
)
_ROW = "display:flex;flex-wrap:wrap;align-items:center;gap:.2rem .55rem;margin:.4rem 0"
_NUMBER = "font-variant-numeric:tabular-nums"
_SMALL = "font-size:.8rem"
_CELL = f"padding:.16rem .3rem;border:2px solid {PAPER};{_NUMBER}"
_CLIP = "max-width:8.5rem;overflow:hidden;text-overflow:ellipsis;white-space:nowrap"


def to_html(explanation: Explanation, of: int | str | None = None, max_classes: int = 10) -> str:
    """Draw one explanation: probabilities, the text as a heat map, and classes x words.

    The heat map shows one class. The table has the classes in order of probability as its rows
    and the words with the largest absolute weight in any class as its columns, as in Figure 1 of
    the LIPEx paper. Both use one scale, the largest absolute weight of all classes.

    Parameters
    ----------
    explanation
        What to draw.
    of
        Index or name of the class of the heat map. Default: the predicted class.
    max_classes
        Number of rows that the table has at most; the class of the heat map is always one.

    Returns
    -------
    str
        A ``<div>`` with inline styles.

    Raises
    ------
    ValueError
        If there is no such class, or `max_classes` is below 1.
    """
    if max_classes < 1:
        raise ValueError(f"max_classes must be at least 1, got {max_classes}.")
    shown = explanation.class_index(of)
    scale = _scale(explanation.weights)
    notes = []
    if not explanation.n_features:
        notes.append("The model reads no word of this text, so there is nothing to explain.")
    elif not explanation.explained[shown]:
        name = isolated(explanation.classes[shown])
        notes.append(f"{isolated(explanation.method)} does not explain the class {name}.")
    elif not scale:
        notes.append("All weights are 0.")
    if explanation.truncated_words:
        many = explanation.truncated_words != 1
        notes.append(
            f"{explanation.truncated_words} word{'s' if many else ''} beyond the model's limit "
            f"{'were' if many else 'was'} not read."
        )
    table, table_notes = _matrix(explanation, shown, scale, max_classes)
    content = [
        _header(explanation),
        f'<div dir="auto" style="{_PANEL}">{_text(explanation, shown, scale)}</div>',
        _legend(explanation, shown, scale),
        table,
        *(f'<div style="{_SMALL};margin:.2rem 0">{note}</div>' for note in notes + table_notes),
    ]
    return _ROOT.format(label=attribute(_summary(explanation, shown)), content="".join(content))


def compare_html(explanations: Sequence[Explanation], of: int | str | None = None) -> str:
    """Draw what several methods say about one text, one below the other.

    Weights of different methods have different units, so each method has its own scale: its
    largest absolute weight for the class, which is printed below its name.

    Parameters
    ----------
    explanations
        Explanations of the same text with the same classes.
    of
        Index or name of the class. Default: the class that the first explanation predicts.

    Returns
    -------
    str
        A ``<div>`` with inline styles.

    Raises
    ------
    ValueError
        If there is no explanation, texts or classes differ, or there is no such class.
    """
    explanations = list(explanations)
    if not explanations:
        raise ValueError("There is nothing to compare: the list of explanations is empty.")
    first = explanations[0]
    for other in explanations[1:]:
        if other.text != first.text:
            raise ValueError(f"The texts differ: {first.text!r:.60} and {other.text!r:.60}.")
        if other.classes != first.classes:
            raise ValueError(f"The classes differ: {first.classes} and {other.classes}.")
    shown = first.class_index(of)
    plain = "border:0;background:transparent;color:inherit;text-align:left;vertical-align:top"
    head = f"{plain};{_SMALL};font-weight:600;padding:.1rem .6rem .1rem 0"
    heading = (
        f'<tr style="background:transparent"><th scope="col" style="{head}">method, largest</th>'
        f'<th scope="col" style="{head}">weights for {isolated(first.classes[shown])}</th></tr>'
    )
    rows = [heading]
    for one in explanations:
        scale = _scale(one.weights[shown])
        largest = "±" + signed(scale, scale).lstrip("+") if one.explained[shown] else "–"
        rows.append(
            f'<tr style="background:transparent"><th scope="row" style="{plain};font-weight:600;'
            f'line-height:1.4;padding:.5rem .6rem .2rem 0;white-space:nowrap">{clean(one.method)}'
            f'<span style="display:block;font-weight:400;{_SMALL};{_NUMBER}">{largest}</span></th>'
            f'<td style="{plain};padding:.15rem 0;width:100%;white-space:normal">'
            f'<div dir="auto" style="{_PANEL}">{_text(one, shown, scale)}</div></td></tr>'
        )
    legend = (
        f'<div style="{_ROW};{_SMALL}"><span>against</span>{_bar()}<span>for '
        f"{isolated(first.classes[shown])}</span></div>"
        f'<div style="{_SMALL};margin:.2rem 0">Each method is scaled to its own largest absolute '
        "weight, the number below its name.</div>"
    )
    content = (
        f'<table style="border-collapse:collapse;border:0;width:100%;margin:0;color:inherit">'
        f"{''.join(rows)}</table>{legend}"
    )
    label = f"{len(explanations)} explanations of one text for class {first.classes[shown]}"
    return _ROOT.format(label=attribute(label), content=content)


# -- parts --------------------------------------------------------------------------------------


def _header(explanation: Explanation) -> str:
    order = _by_probability(explanation)
    chips = []
    for index in order[:MAX_BARS]:
        probability = explanation.probabilities[index]
        name, value = clean(explanation.classes[index]), f"{probability:.2f}"
        if index == explanation.predicted:
            name, value = f"<strong>{name}</strong>", f"<strong>{value}</strong>"
        chips.append(
            '<span style="display:inline-block;min-width:4.6rem">'
            f'<span style="display:flex;justify-content:space-between;gap:.5rem;{_SMALL};'
            f'line-height:1.3;{_NUMBER}"><span>{name}</span><span>{value}</span></span>'
            '<span aria-hidden="true" style="display:block;height:.3rem;border-radius:.15rem;'
            'background:rgba(128,136,146,.3)"><span style="display:block;height:.3rem;'
            f"border-radius:.15rem;background:#6f7b88;width:{100 * probability:.1f}%"
            '"></span></span></span>'
        )
    if len(order) > MAX_BARS:
        chips.append(f'<span style="{_SMALL}">+ {len(order) - MAX_BARS} more</span>')
    return f'<div style="{_ROW};gap:.3rem .9rem">{"".join(chips)}</div>'


def _text(explanation: Explanation, shown: int, scale: float) -> str:
    """Write the original characters, with the words of one class coloured."""
    text = explanation.text
    weights = explanation.weights[shown]
    explained = bool(explanation.explained[shown])
    pieces, cursor = [], 0
    places = sorted(
        (start, end, feature)
        for feature, spans in enumerate(explanation.span_groups())
        for start, end in spans
    )
    for start, end, feature in places:
        pieces.append(clean(text[cursor:start]))
        word, cursor = clean(text[start:end]), end
        if not explained:
            pieces.append(word)
            continue
        style = f"background:{tint(weights[feature], scale)};border-radius:3px;padding:1px"
        if share(weights[feature], scale) >= 0.25:
            line = (
                f"solid {UNDERLINE_FOR}" if weights[feature] > 0 else f"dotted {UNDERLINE_AGAINST}"
            )
            style += f";border-bottom:2px {line}"
        pieces.append(
            f'<span style="{style}" title="{signed(weights[feature], scale)}">{word}</span>'
        )
    tail = clean(text[cursor:])
    if explanation.truncated_words:
        tail = f'<span style="color:{FADED}" title="not read by the model">{tail}</span>'
    pieces.append(tail)
    if not text.strip():
        pieces.append(f'<em style="color:{FADED}">(empty text)</em>')
    return "".join(pieces)


def _legend(explanation: Explanation, shown: int, scale: float) -> str:
    key = ""
    if scale and explanation.explained[shown]:
        name = isolated(explanation.classes[shown])
        key = (
            f'<span>against {name}</span><span style="{_NUMBER}">{signed(-scale, scale)}</span>'
            f'{_bar()}<span style="{_NUMBER}">{signed(scale, scale)}</span><span>for {name}</span>'
        )
    calls = f"{explanation.model_calls} model call{'' if explanation.model_calls == 1 else 's'}"
    return (
        f'<div style="{_ROW};{_SMALL}">{key}<span style="margin-left:auto">'
        f"{isolated(explanation.method)} · {calls} · {duration(explanation.seconds)}</span></div>"
    )


def _bar() -> str:
    return (
        '<span aria-hidden="true" style="display:inline-block;width:9rem;height:.7rem;'
        "border-radius:3px;border:1px solid #c4cad1;"
        f'background:linear-gradient(90deg,{AGAINST},{PAPER},{FOR})"></span>'
    )


def _matrix(
    explanation: Explanation, shown: int, scale: float, max_classes: int
) -> tuple[str, list[str]]:
    """Return the table of classes and words, and what must be said below it."""
    explained = explanation.explained
    if not scale or len(explanation.classes) == 1:
        return "", []
    strength = np.abs(explanation.weights[explained]).max(axis=0)
    columns = [i for i in np.argsort(-strength, kind="stable")[:MAX_COLUMNS] if strength[i] > 0]
    order = [index for index in _by_probability(explanation) if explained[index]]
    rows = order[:max_classes]
    if explained[shown] and shown not in rows:
        rows[-1] = shown

    blank = f"{_CELL};border-color:transparent;background:transparent;color:inherit;{_CLIP}"
    names = _numbered(explanation.words)
    line = '<tr style="background:transparent">'
    html = [f'{line}<td style="{blank}"></td>']
    for i in columns:
        label, title = names[i]
        html.append(
            f'<th scope="col" style="{blank};text-align:center;font-weight:600" '
            f'title="{attribute(title)}">{label}</th>'
        )
    html.append("</tr>")
    side = f"{blank};text-align:right;font-weight:"
    for index in rows:
        name = explanation.classes[index]
        html.append(
            f'{line}<th scope="row" style="{side}{600 if index == shown else 400}" '
            f'title="{attribute(name)}">{clean(name)}</th>'
        )
        for i in columns:
            weight = explanation.weights[index, i]
            html.append(
                f'<td style="{_CELL};background:{tint(weight, scale)};color:{INK};'
                f'text-align:center;white-space:nowrap">{signed(weight, scale)}</td>'
            )
        html.append("</tr>")
    others = [name for name, yes in zip(explanation.classes, explained, strict=True) if not yes]
    if others:
        label = clean(others[0]) if len(others) == 1 else f"{len(others)} other classes"
        title = "not explained: " + ", ".join(others)
        dash = f'<td style="{blank};text-align:center" title="not explained">–</td>'
        html.append(
            f'{line}<th scope="row" style="{side}400" title="{attribute(title)}">{label}</th>'
            f"{dash * len(columns)}</tr>"
        )
    notes = []
    if len(columns) < explanation.n_features:
        notes.append(
            f"Columns: the {len(columns)} of {explanation.n_features} words with the largest "
            "absolute weight in any class."
        )
    if len(rows) < len(order):
        notes.append(f"Rows: {len(rows)} of {len(order)} classes.")
    table = (
        '<div role="region" aria-label="weights of classes and words" tabindex="0" '
        'style="overflow-x:auto"><table style="border-collapse:separate;border-spacing:0;'
        f'border:0;width:auto;margin:.3rem 0;color:inherit;{_SMALL};line-height:1.3">'
        f"{''.join(html)}</table></div>"
    )
    return table, [" ".join(notes)] if notes else []


def _by_probability(explanation: Explanation) -> list[int]:
    return [int(i) for i in np.argsort(-explanation.probabilities, kind="stable")]


def _scale(weights: np.ndarray) -> float:
    """Return the largest finite absolute weight, 1 if only infinite ones differ from 0."""
    sizes = np.abs(weights[~np.isnan(weights)])
    if not sizes.any():
        return 0.0
    finite = sizes[np.isfinite(sizes)]
    return float(finite.max()) if finite.any() else 1.0


def _summary(explanation: Explanation, shown: int) -> str:
    name = explanation.classes[explanation.predicted]
    probability = explanation.probabilities[explanation.predicted]
    said = f"Explanation by {explanation.method}: predicted {name}, probability {probability:.2f}."
    if explanation.n_features and explanation.explained[shown]:
        scale = _scale(explanation.weights)
        best = ", ".join(f"{word} {signed(w, scale)}" for word, w in explanation.top(5, shown))
        said += f" Strongest words for class {explanation.classes[shown]}: {best}."
    return said


def _numbered(words: Sequence[str]) -> list[tuple[str, str]]:
    """Return HTML and title of each word; words that repeat are numbered."""
    total, seen = Counter(words), Counter[str]()
    labels = []
    for position, word in enumerate(words, start=1):
        seen[word] += 1
        label, title = clean(word), f"{word} (word {position} of {len(words)})"
        if total[word] > 1:
            label += f'<sub style="font-weight:400;line-height:0">{seen[word]}</sub>'
        labels.append((label, title))
    return labels
