"""Draw an executed notebook's figures, tables and verdicts anew, from the results beside it."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from xai_lib.report.claims import verdict_box
from xai_lib.report.drawings import drawn_again
from xai_lib.report.figures import figure_html
from xai_lib.report.html import Html
from xai_lib.report.results import load_result
from xai_lib.report.style import styled
from xai_lib.report.tables import caption, comparisons_table, paper_vs_ours

_CAPTION = re.compile(r'<span data-caption="([^"/]*)/([^"]*)">.*?</span>', re.DOTALL)
_SOURCE = re.compile(r'<div role="region" [^>]*?data-source="([^"]*)"')
_FIGURE = re.compile(r'<div role="group" data-figure="([^"]*)"')
_ALT = "the text alternative stays"
_PICTURE = re.compile(r'(<img alt="[^"]*")([^>]*>)')


def redraw(notebook: NotebookNode, results: Path) -> int:
    """Draw each figure, table, caption and box of verdicts anew, in place.

    What they show is in the results, so that an axis, a caption, a unit or a rule that decides a
    claim can be mended without executing the notebook. Prints stay as they are, and so do figures
    that show more than a result holds, such as pictures.

    Parameters
    ----------
    notebook : NotebookNode
        An executed notebook.
    results : Path
        Folder with a folder of results for each paper.

    Returns
    -------
    int
        How many outputs were drawn anew.
    """
    drawn = 0
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            before = "".join(data.get("text/html", ""))
            if found := _SOURCE.match(before):
                html = _draw(json.loads(unescape(found[1])), results)
            elif _FIGURE.match(before) or _CAPTION.search(before):
                text = before
                if found := _FIGURE.match(before):
                    text = _with_picture(before, unescape(found[1]), results)
                html = Html(
                    _CAPTION.sub(lambda one: caption(load_result(one[1], one[2], results)), text)
                )
            else:
                continue
            data["text/html"] = str(html)
            if str(data.get("text/plain", "")).startswith("<HTML of "):
                data["text/plain"] = repr(html)
            drawn += 1
    return drawn


def _draw(source: dict[str, Any], results: Path) -> Html:
    if source["table"] == "verdict_box":
        return verdict_box(source["paper"], results)
    result = load_result(source["paper"], source["item"], results)
    if source["table"] == "comparisons_table":
        return comparisons_table(result, source["where"])
    return paper_vs_ours(result)


def _with_picture(before: str, source: str, results: Path) -> str:
    """Put the figure, drawn anew, in the place of the picture."""
    import matplotlib.pyplot as plt

    with styled():
        fig = drawn_again(source, results)
        again = _PICTURE.search(figure_html(fig, alt=_ALT))
        plt.close(fig)
    assert again is not None
    return _PICTURE.sub(lambda old: f"{old[1]}{again[2]}", before, count=1)
