"""The ledger of claims: each claim with its verdict, as a frame, as a table, as a box."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import pandas as pd

from xai_lib import papers
from xai_lib.report import cells
from xai_lib.report.cells import NOT_TESTABLE, VERDICTS
from xai_lib.report.html import Html, card, muted, small, table
from xai_lib.report.judging import Verdict, verdicts

# Colour, and a sign that tells the verdicts apart without it. White on each colour reads at
# 4.5 : 1 or better.
BADGES = {
    cells.REPRODUCED: ("#1b6e3c", "✓"),
    cells.PARTLY: ("#8a5a00", "≈"),
    cells.NOT_REPRODUCED: ("#a3201f", "✗"),
    cells.NOT_TESTABLE: ("#5a5f66", "–"),
}


def claims_frame(
    names: Iterable[str] | None = None, folder: str | Path | None = None
) -> pd.DataFrame:
    """List every claim with its verdict.

    Parameters
    ----------
    names
        The papers; all by default.
    folder
        Where the results are.

    Returns
    -------
    pandas.DataFrame
        One row per claim: ``paper``, ``claim``, ``by``, ``statement``, ``where``, ``criterion``,
        ``reads``, ``verdict``, ``effect``, ``low``, ``high``, ``n``, ``sentence``, ``basis``.
    """
    rows = []
    for name in papers.papers() if names is None else names:
        for claim, verdict in zip(papers.claims(name), verdicts(name, folder), strict=True):
            rows.append(
                {
                    "paper": name,
                    "claim": claim.id,
                    "by": claim.by,
                    "statement": claim.statement,
                    "where": claim.where,
                    "criterion": claim.criterion,
                    "reads": ", ".join(claim.reads),
                    "verdict": verdict.verdict,
                    "effect": verdict.effect,
                    "low": verdict.low,
                    "high": verdict.high,
                    "n": verdict.n,
                    "sentence": verdict.sentence,
                    "basis": verdict.basis,
                }
            )
    return pd.DataFrame(rows)


def claims_table(names: Iterable[str] | None = None, folder: str | Path | None = None) -> Html:
    """Show every claim with its verdict, the finding, and the rule that decided.

    Parameters
    ----------
    names
        The papers; all by default.
    folder
        Where the results are.

    Returns
    -------
    Html
        One card per paper; a notebook shows it, a page can include it.
    """
    chosen = list(papers.papers() if names is None else names)
    return Html("\n".join(_ledger(name, folder) for name in chosen))


def _ledger(name: str, folder: str | Path | None) -> str:
    about = papers.paper(name)
    found = verdicts(name, folder)
    rows = []
    for claim, verdict in zip(papers.claims(name), found, strict=True):
        added = " " + muted("(a question of this book)") if claim.by == "ours" else ""
        rows.append(
            [
                f"{escape(claim.statement)}{added}<br>{muted(escape(claim.where))}",
                badge(verdict.verdict),
                f"{escape(verdict.sentence)}<br>" + small(f"Criterion: {escape(claim.criterion)}."),
            ]
        )
    note = " ".join(f"Results from {escape(text)}." for text in _grounds(found))
    caption = f"{summary(found)} Intervals are 95 %. {note}".strip()
    content = table(["What is claimed", "Verdict", "What we found"], rows, caption, wrap=True)
    title = f"{about.short}: {about.title.removeprefix(about.short).lstrip(' –-:')}"
    heading = f'<div style="font-weight:600;margin-bottom:0.4em">{escape(title)}</div>'
    return card(heading + content, f"Claims of {about.short} and their verdicts")


def summary(found: Sequence[Verdict]) -> str:
    """Count the verdicts in words.

    Parameters
    ----------
    found
        The verdicts.

    Returns
    -------
    str
        ``"Of 22 claims: 9 reproduced, 3 partly, 2 not reproduced, 8 not testable here."``
    """
    counts = Counter(verdict.verdict for verdict in found)
    parts = [f"{counts[name]} {name}" for name in VERDICTS if counts[name]]
    return f"Of {len(found)} claims: {', '.join(parts)}." if parts else "No claims."


def badge(verdict: str) -> str:
    """Show a verdict as a coloured label with a sign, so that colour is not needed to read it.

    Parameters
    ----------
    verdict
        One of the four verdicts.

    Returns
    -------
    str
        HTML.
    """
    colour, sign = BADGES[verdict]
    return (
        f'<span style="background:{colour};color:#ffffff;border-radius:4px;padding:0.15em 0.5em;'
        f'white-space:nowrap;font-size:0.95em"><span aria-hidden="true">{sign}</span> '
        f"{escape(verdict)}</span>"
    )


def verdict_box(paper: str, folder: str | Path | None = None) -> Html:
    """Sum up what came of a paper's claims, for the head of its notebook.

    Parameters
    ----------
    paper
        Name of the paper.
    folder
        Where the results are.

    Returns
    -------
    Html
        One line per claim: verdict, statement, what had to come out, finding. Claims that cannot
        be tested are gathered under their reason.
    """
    found = verdicts(paper, folder)
    lines = []
    waiting: dict[str, list[str]] = {}
    for claim, verdict in zip(papers.claims(paper), found, strict=True):
        if verdict.verdict == NOT_TESTABLE:
            waiting.setdefault(verdict.sentence, []).append(claim.statement)
            continue
        added = f" {muted('(a question of this book)')}" if claim.by == "ours" else ""
        lines.append(
            f"{badge(verdict.verdict)} {escape(claim.statement)}{added}"
            f"<br>{small(escape(f'Wanted: {claim.criterion}. {verdict.sentence}'))}"
        )
    for reason, statements in waiting.items():
        text = " ".join(escape(statement) for statement in statements)
        lines.append(f"{badge(NOT_TESTABLE)} {text}<br>{small(escape(reason))}")
    listed = "".join(f'<li style="margin:0.55em 0;list-style:none">{line}</li>' for line in lines)
    grounds = " ".join(f"Results from {escape(text)}." for text in _grounds(found))
    content = (
        f'<div style="font-weight:600">{escape(summary(found))}</div>'
        f'<ul style="padding:0;margin:0.4em 0">{listed}</ul><div>{small(grounds)}</div>'
    )
    source = {"table": "verdict_box", "paper": paper}
    return card(content, f"Verdicts on the claims of {papers.paper(paper).short}", source)


def _grounds(found: Sequence[Verdict]) -> list[str]:
    return list(dict.fromkeys(verdict.basis for verdict in found if verdict.basis))


def show_verdicts(paper: str) -> None:
    """Put the verdict box at the head of a notebook, to be filled by `fill_verdicts` at its end.

    Parameters
    ----------
    paper
        Name of the paper.
    """
    box = card("The verdicts appear here when the notebook has run to its end.", "Verdicts")
    _display(box, paper, update=False)


def fill_verdicts(paper: str) -> None:
    """Replace the box that `show_verdicts` made by the verdicts on the results now at hand.

    Parameters
    ----------
    paper
        Name of the paper.
    """
    _display(verdict_box(paper), paper, update=True)


def _display(box: Html, paper: str, update: bool) -> None:
    from IPython.display import HTML, display

    # The identity has to be the same in every run, or executed notebooks would differ.
    display(HTML(box), display_id=f"verdicts-{paper}", update=update)
