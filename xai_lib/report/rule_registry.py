"""Where the rules of claims are registered under their names."""

from __future__ import annotations

from collections.abc import Callable

from xai_lib import papers
from xai_lib.report.cells import (
    Outcome,
    Results,
)

Rule = Callable[[Results, papers.Claim], Outcome]


RULES: dict[str, Rule] = {}


def rule(name: str) -> Callable[[Rule], Rule]:
    """Register a rule under the name that claims use."""

    def register(function: Rule) -> Rule:
        RULES[name] = function
        return function

    return register
