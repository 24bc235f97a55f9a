"""Explanations as HTML: one string without script, style sheet or address of another site.

Colours are opaque tints with dark ink on them, because a style attribute cannot ask whether the
page is dark; everything around them inherits the colour of the page. Blue supports a class and
orange speaks against it, which people with any colour vision tell apart; strong weights are also
underlined, solid for and dotted against, for a print without colour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from xai_lib.explanation import Explanation
from xai_lib.heatmap_parts import (
    NUMBER,
    ROOT,
    ROW,
    SMALL,
    bar,
    header,
    legend,
    matrix,
    notes_below,
    scale_of,
    summary,
)
from xai_lib.ink import (
    FADED,
    INK,
    PAPER,
    UNDERLINE_AGAINST,
    UNDERLINE_FOR,
    attribute,
    clean,
    isolated,
    share,
    signed,
    tint,
)

_PANEL = (
    f"background:{PAPER};color:{INK};border:1px solid #c4cad1;border-radius:6px;"
    "padding:.55rem .75rem;text-align:start;white-space:pre-wrap;"
    "overflow-wrap:anywhere;line-height:1.75"
)


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
    scale = scale_of(explanation.weights)
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
    table = ""
    if scale and len(explanation.classes) > 1:
        names = _numbered(explanation.words)
        table, more = matrix(explanation, shown, scale, max_classes, lambda i: names[i], "words")
        notes += more
    content = [
        header(explanation),
        f'<div dir="auto" style="{_PANEL}">{_text(explanation, shown, scale)}</div>',
        legend(explanation, shown, scale),
        table,
        notes_below(notes),
    ]
    return ROOT.format(
        label=attribute(summary(explanation, shown, "words")), content="".join(content)
    )


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
    head = f"{plain};{SMALL};font-weight:600;padding:.1rem .6rem .1rem 0"
    heading = (
        f'<tr style="background:transparent"><th scope="col" style="{head}">method, largest</th>'
        f'<th scope="col" style="{head}">weights for {isolated(first.classes[shown])}</th></tr>'
    )
    rows = [heading]
    for one in explanations:
        scale = scale_of(one.weights[shown])
        largest = "±" + signed(scale, scale).lstrip("+") if one.explained[shown] else "–"
        rows.append(
            f'<tr style="background:transparent"><th scope="row" style="{plain};font-weight:600;'
            f'line-height:1.4;padding:.5rem .6rem .2rem 0;white-space:nowrap">{clean(one.method)}'
            f'<span style="display:block;font-weight:400;{SMALL};{NUMBER}">{largest}</span></th>'
            f'<td style="{plain};padding:.15rem 0;width:100%;white-space:normal">'
            f'<div dir="auto" style="{_PANEL}">{_text(one, shown, scale)}</div></td></tr>'
        )
    legend = (
        f'<div style="{ROW};{SMALL}"><span>against</span>{bar()}<span>for '
        f"{isolated(first.classes[shown])}</span></div>"
        f'<div style="{SMALL};margin:.2rem 0">Each method is scaled to its own largest absolute '
        "weight, the number below its name.</div>"
    )
    content = (
        f'<table style="border-collapse:collapse;border:0;width:100%;margin:0;color:inherit">'
        f"{''.join(rows)}</table>{legend}"
    )
    label = f"{len(explanations)} explanations of one text for class {first.classes[shown]}"
    return ROOT.format(label=attribute(label), content=content)


# -- parts --------------------------------------------------------------------------------------


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
