"""Explanations of pictures as HTML: one string without script, style sheet or other address.

Two pictures stand side by side: what the classifier reads, and the same in grey with each segment
in the colour of its weight, blue for and orange against as in `xai_lib.heatmap`. The numbers on
it are those of the table below; their rings are solid for and dotted against, for a print without
colour. Both pictures lie on a white card, because a style attribute cannot ask whether the page
is dark; everything around them inherits the colour of the page.
"""

from __future__ import annotations

from xai_lib.heatmap_parts import (
    NUMBER,
    ROOT,
    SMALL,
    header,
    legend,
    matrix,
    notes_below,
    scale_of,
    strongest,
    summary,
)
from xai_lib.image_explanation import ImageExplanation
from xai_lib.ink import (
    FADED,
    INK,
    PAPER,
    UNDERLINE_AGAINST,
    UNDERLINE_FOR,
    attribute,
    clean,
    isolated,
    signed,
)
from xai_lib.segment_drawing import COARSE, canvas, label_point, png, readable, weight_map

# CSS pixels of the longer side of each picture.
SHOWN = 304

_PAIR = "display:flex;flex-wrap:wrap;align-items:flex-end;gap:.5rem .8rem;margin:.4rem 0"
_BOX = f"flex:1 1 12rem;min-width:0;max-width:{SHOWN}px"
_CARD = f"position:relative;background:{PAPER};line-height:0"
_PICTURE = (
    f"display:block;width:100%;max-width:100%;height:auto;margin:0;padding:0;background:{PAPER};"
    "border:0;border-radius:0;filter:none"
)
_LABEL = (
    f"position:absolute;transform:translate(-50%,-50%);background:{PAPER};color:{INK};"
    "border-radius:.7rem;padding:.1rem .22rem;font-size:.68rem;line-height:1;font-weight:600;"
    f"{NUMBER}"
)


def to_html(
    explanation: ImageExplanation, of: int | str | None = None, max_classes: int = 10
) -> str:
    """Draw one explanation: probabilities, the picture as a heat map, and classes x segments.

    The heat map shows one class. The table has the classes in order of probability as its rows
    and the segments with the largest absolute weight in any class as its columns; their numbers
    stand on the heat map. Both use one scale, the largest absolute weight of all classes.

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
        A ``<div>`` with inline styles and two PNG pictures inside.

    Raises
    ------
    ValueError
        If there is no such class, or `max_classes` is below 1.
    """
    if max_classes < 1:
        raise ValueError(f"max_classes must be at least 1, got {max_classes}.")
    shown = explanation.class_index(of)
    scale = scale_of(explanation.weights)
    numbered = strongest(explanation)
    many = explanation.n_features
    notes = [f"{many} segment{'' if many == 1 else 's'} ({clean(explanation.segmenter)})."]
    if not explanation.explained[shown]:
        name = isolated(explanation.classes[shown])
        notes.append(f"{isolated(explanation.method)} does not explain the class {name}.")
    elif not scale:
        notes.append("All weights are 0.")
    table = ""
    if scale:
        table, more = matrix(
            explanation, shown, scale, max_classes,
            lambda i: (str(i + 1), describe_segment(explanation, i)), "segments", "segment",
        )  # fmt: skip
        if explanation.explained[shown]:
            notes[0] += (
                " Numbers on the picture: the columns of the table; solid ring for the class, "
                "dotted ring against it."
            )
        notes += more
    content = [
        header(explanation),
        f'<div style="{_PAIR}">',
        _box(_read_caption(explanation), png(readable(explanation)), _read_alt(explanation),
             explanation.image.shape),
        _box(_map_caption(explanation, shown), png(weight_map(explanation, shown, scale)),
             _map_alt(explanation, shown, scale, numbered), explanation.image.shape,
             _labels(explanation, shown, scale, numbered)),
        "</div>",
        legend(explanation, shown, scale),
        table,
        notes_below(notes),
    ]  # fmt: skip
    label = attribute(summary(explanation, shown, "segments"))
    return ROOT.format(label=label, content="".join(content))


def describe_segment(explanation: ImageExplanation, segment: int) -> str:
    """Say where a segment lies and how large it is: ``"segment 3, top left, 812 pixels"``."""
    pixels = int(explanation.sizes[segment])
    return (
        f"{explanation.features[segment]}, {place(explanation, segment)}, "
        f"{pixels} pixel{'' if pixels == 1 else 's'}"
    )


def place(explanation: ImageExplanation, segment: int) -> str:
    """Name the ninth of the picture that holds the centre of mass of a segment."""
    part = 3 * (explanation.centres[segment] + 0.5) / explanation.segments.shape
    row, column = (int(min(p, 2)) for p in part)
    words = (("top", "", "bottom")[row], ("left", "", "right")[column])
    return " ".join(word for word in words if word) or "centre"


# -- parts --------------------------------------------------------------------------------------


def _box(caption: str, source: str, alt: str, shape: tuple[int, ...], labels: str = "") -> str:
    style = _PICTURE + (";image-rendering:pixelated" if max(shape) < COARSE else "")
    height, width = canvas(shape)
    # A tall or wide picture keeps its shape: its longer side is as long as that of a square.
    wide = f"width:{100 * width / max(height, width):.4g}%"
    return (
        f'<div style="{_BOX}"><div style="{SMALL};line-height:1.3;margin:0 0 .2rem">{caption}'
        f'</div><div style="{_CARD};{wide}"><img alt="{attribute(alt)}" width="{width}" '
        f'height="{height}" style="{style}" src="{source}">{labels}</div></div>'
    )


def _labels(explanation: ImageExplanation, shown: int, scale: float, numbered: list[int]) -> str:
    height, width = explanation.segments.shape
    explained = bool(explanation.explained[shown])
    html = []
    for segment in numbered:
        row, column = label_point(explanation, segment)
        ring, title = f"solid {FADED}", ""
        if explained:
            weight = float(explanation.weights[shown, segment])
            title = f": {signed(weight, scale)}"
            if weight:
                ring = f"solid {UNDERLINE_FOR}" if weight > 0 else f"dotted {UNDERLINE_AGAINST}"
        title = attribute(describe_segment(explanation, segment) + title)
        html.append(
            f'<span aria-hidden="true" style="{_LABEL};border:2px {ring};'
            f'left:{100 * column / width:.4g}%;top:{100 * row / height:.4g}%" '
            f'title="{title}">{segment + 1}</span>'
        )
    return "".join(html)


def _read_caption(explanation: ImageExplanation) -> str:
    height, width, _ = explanation.image.shape
    return f"as the classifier reads it, {width} × {height} pixels"


def _map_caption(explanation: ImageExplanation, shown: int) -> str:
    if not explanation.explained[shown]:
        return "its segments, without weights"
    return f"weights for {isolated(explanation.classes[shown])}"


def _read_alt(explanation: ImageExplanation) -> str:
    height, width, _ = explanation.image.shape
    return f"The picture as the classifier reads it, {width} by {height} pixels."


def _map_alt(explanation: ImageExplanation, shown: int, scale: float, numbered: list[int]) -> str:
    said = f"The same picture in grey, cut into {explanation.n_features} segments"
    if not explanation.explained[shown]:
        return f"{said}, without colours."
    name = explanation.classes[shown]
    said += f" with the colours of their weights for class {name}."
    row = explanation.weights[shown]
    for word, sign in (("For", 1), ("Against", -1)):
        listed = sorted((i for i in numbered if sign * row[i] > 0), key=lambda i: -abs(row[i]))
        if listed:
            parts = [
                f"{i + 1} ({place(explanation, i)}) {signed(float(row[i]), scale)}" for i in listed
            ]
            said += f" {word} {name}: segment{'' if len(listed) == 1 else 's'} {', '.join(parts)}."
    return said
