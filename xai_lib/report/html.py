"""Small pieces of HTML: inline styles, no scripts, readable on light and dark pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

# A card of its own colours. A page's theme may put any background behind an output, and with
# inherited colours the text could meet a background it was not made for.
CARD = (
    "background:#ffffff;color:#1a1a1a;border:1px solid #d0d0d0;border-radius:6px;"
    "padding:0.8em 1em;margin:0.8em 0;max-width:100%;overflow-x:auto;line-height:1.4;"
)
MUTED = "#595959"
RULE = "1px solid #d9d9d9"
TABLE = "border-collapse:collapse;border:0;margin:0;width:auto;color:#1a1a1a;font-size:0.84em;"
CELL = (
    f"padding:0.28em 0.4em;border:0;border-bottom:{RULE};text-align:left;vertical-align:top;"
    "background:#ffffff;color:#1a1a1a;"
)
HEAD = "font-weight:600;border-bottom:2px solid #8c8c8c;"
# What a table of many columns has in place: eight of them fit the width of a page's text.
DENSE_TABLE, DENSE_CELL = "font-size:0.78em;", "padding:0.28em 0.25em;"
CAPTION = f"color:{MUTED};font-size:0.85em;padding:0.6em 0 0;"


class Html(str):
    """A string of HTML that a notebook shows as such."""

    def _repr_html_(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        # A notebook keeps this beside the HTML; the whole string would double every output.
        return f"<HTML of {len(self)} characters>"


def muted(text: str) -> str:
    """Wrap HTML that must stay on one line in a smaller, greyer style.

    Parameters
    ----------
    text
        HTML.

    Returns
    -------
    str
        HTML.
    """
    return f'<span style="color:{MUTED};font-size:0.86em;white-space:nowrap">{text}</span>'


def small(text: str) -> str:
    """Wrap HTML that may break over lines in a smaller, greyer style.

    Parameters
    ----------
    text
        HTML.

    Returns
    -------
    str
        HTML.
    """
    return f'<span style="color:{MUTED};font-size:0.9em">{text}</span>'


def table(
    head: list[str],
    rows: list[list[str]],
    caption: str,
    headers: int = 1,
    wrap: bool = False,
    dense: bool = False,
) -> str:
    """Write a table.

    Parameters
    ----------
    head
        Column heads, HTML.
    rows
        Cells, HTML; one list per row, as long as `head`. The last cell of a shorter row is
        spread over the columns left; leading cells that repeat the row above are merged. A row
        of one cell is a heading of the rows below it.
    caption
        HTML.
    headers
        Number of leading cells of a row that name it.
    wrap
        The leading cells hold sentences: give them room.
    dense
        There are many columns: smaller print, less room between them.

    Returns
    -------
    str
        HTML; the heads have scopes for screen readers.
    """
    cell = CELL + DENSE_CELL * dense
    lines = [f'<table style="{TABLE}{DENSE_TABLE * dense}">']
    lines.append("<thead><tr>")
    lines += [f'<th scope="col" style="{cell}{HEAD}">{text}</th>' for text in head]
    lines.append("</tr></thead><tbody>")
    width = "min-width:14em" if wrap else ""
    for r, row in enumerate(rows):
        if len(row) == 1 < len(head):
            if r:
                lines.append("</tbody><tbody>")
            style = f"{cell}font-weight:600;padding-top:0.7em;"
            span = f'scope="rowgroup" colspan="{len(head)}"'
            lines.append(f'<tr><th {span} style="{style}">{row[0]}</th></tr>')
            continue
        lines.append("<tr>")
        for i, text in enumerate(row):
            if i >= headers:
                # A short last row speaks for all columns that are left.
                rest = len(head) - i if i == len(row) - 1 else 1
                span = f' colspan="{rest}"' if rest > 1 else ""
                lines.append(f'<td{span} style="{cell}">{text}</td>')
            elif r == 0 or not _repeats(row, rows[r - 1], i):
                same = 1
                while r + same < len(rows) and _repeats(rows[r + same], row, i):
                    same += 1
                span = f' rowspan="{same}"' if same > 1 else ""
                style = f"{cell}font-weight:500;{width}"
                lines.append(f'<th scope="row"{span} style="{style}">{text}</th>')
        lines.append("</tr>")
    lines.append("</tbody></table>")
    if caption:
        # Not a `caption` element: that would be as narrow as a table of two columns.
        lines.append(f'<div style="{CAPTION}">{caption}</div>')
    return "\n".join(lines)


def _repeats(row: list[str], above: list[str], i: int) -> bool:
    """Tell whether two rows agree up to cell i; a heading of rows agrees with none of them."""
    return (len(row) == 1) == (len(above) == 1) and row[: i + 1] == above[: i + 1]


def card(content: str, label: str, source: Mapping[str, Any] | None = None) -> Html:
    """Put content on a card.

    Parameters
    ----------
    content
        HTML.
    label
        Plain text that tells a screen reader what the card is.
    source
        What it was drawn from, so that `xai_lib.report.redraw` can draw it anew.

    Returns
    -------
    Html
    """
    mark = "" if source is None else f' data-source="{escape(json.dumps(source))}"'
    return Html(
        f'<div role="region" aria-label="{escape(label)}"{mark} tabindex="0" style="{CARD}">'
        f"{content}</div>"
    )
