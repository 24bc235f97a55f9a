"""Draw tables, captions and verdicts of an executed notebook anew, from the results beside it."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from xai_lib.report.claims import verdict_box
from xai_lib.report.html import Html
from xai_lib.report.results import load_result
from xai_lib.report.tables import caption, comparisons_table, paper_vs_ours

_CAPTION = re.compile(r'<span data-caption="([^"/]*)/([^"]*)">.*?</span>', re.DOTALL)
_SOURCE = re.compile(r'<div role="region" [^>]*?data-source="([^"]*)"')


def redraw(notebook: NotebookNode, results: Path) -> int:
    """Draw each table, caption and box of verdicts anew, in place.

    What they show is in the results, so that a caption, a unit or a rule that decides a claim can
    be mended without executing the notebook. Figures and prints stay as they were drawn.

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
            elif _CAPTION.search(before):
                html = Html(
                    _CAPTION.sub(lambda one: caption(load_result(one[1], one[2], results)), before)
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
