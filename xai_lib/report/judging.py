"""Verdicts: what the results at hand say of each claim of a paper."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xai_lib import papers
from xai_lib.report import rules
from xai_lib.report.cells import NOT_TESTABLE
from xai_lib.report.results import Result, load_result


@dataclass(frozen=True)
class Verdict:
    """What came of a claim.

    Attributes
    ----------
    claim_id
        Name of the claim.
    verdict
        ``"reproduced"``, ``"partly"``, ``"not reproduced"`` or ``"not testable here"``.
    effect, low, high, n
        The number that decided (of the weakest cell), its 95 % interval and sample size; None
        where nothing was tested.
    sentence
        The finding, or why there is none, in words.
    paper
        The paper.
    basis
        Profile, data and black box of the results read, stand-ins named; empty if none.
    """

    claim_id: str
    verdict: str
    effect: float | None
    low: float | None
    high: float | None
    n: int | None
    sentence: str
    paper: str
    basis: str


def verdicts(paper: str, folder: str | Path | None = None) -> list[Verdict]:
    """Judge every claim of a paper by the results at hand.

    Parameters
    ----------
    paper
        Name of the paper.
    folder
        Where the results are; :func:`xai_lib.report.results.results_dir` by default.

    Returns
    -------
    list of Verdict
        In the order of :func:`xai_lib.papers.claims`.

    Raises
    ------
    ValueError
        If the paper is unknown.
    ResultError
        If a result lacks what a rule reads.
    """
    results: dict[str, Result] = {}
    for item in papers.items(paper):
        try:
            results[item.id] = load_result(paper, item.id, folder)
        except FileNotFoundError:
            continue
    return [judge(claim, results) for claim in papers.claims(paper)]


def judge(claim: papers.Claim, results: dict[str, Result]) -> Verdict:
    """Judge one claim.

    Parameters
    ----------
    claim
        The claim.
    results
        The results at hand, by item.

    Returns
    -------
    Verdict
    """
    outcome = rules.decide(results, claim)
    read = results.get(claim.parameters.get("item", ""))
    tested = read is not None and outcome.verdict != NOT_TESTABLE
    return Verdict(
        claim_id=claim.id,
        verdict=outcome.verdict,
        effect=outcome.effect,
        low=outcome.low,
        high=outcome.high,
        n=outcome.n,
        sentence=outcome.sentence,
        paper=claim.paper,
        basis=basis(read) if read is not None and tested else "",
    )


def basis(result: Result) -> str:
    """Say on what a result rests: profile, data, black boxes, and what they stand in for.

    Parameters
    ----------
    result
        The result.

    Returns
    -------
    str
        Plain text.
    """
    parts = [f"profile {result.profile}"]
    names = [_with_stand_in(entry, entry["name"]) for entry in result.data]
    parts += list(dict.fromkeys(names))
    parts += [
        _with_stand_in(entry, f"{entry['name']} (held-out accuracy {accuracy(entry)})")
        for entry in result.black_box
    ]
    return "; ".join(parts)


def accuracy(black_box: dict[str, Any]) -> str:
    """Write the held-out accuracy of a black box, with its test size."""
    return f"{black_box['held_out_accuracy']:.3f} on {black_box['test_size']}"


def _with_stand_in(entry: dict[str, Any], text: str) -> str:
    stands_for = entry.get("stands_for")
    return f"{text}, standing in for {stands_for}" if stands_for else text
