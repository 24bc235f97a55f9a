"""The rules that turn results into verdicts.

A rule is a function of a claim's parameters and of the results that the claim reads. It gives an
`Outcome`: a verdict, the effect that decided with its 95 % interval, and a sentence. Every rule
looks at one or more *cells* (a data set, an angle, a pair of methods). A cell

- holds if its whole interval lies on the claimed side,
- leans if only its estimate does,
- fails otherwise,

and the claim is `reproduced` if all cells hold, `not reproduced` if all fail, else `partly`. The
effect shown is that of the weakest cell. Settings that a run left out are named in the sentence.
`mostly` and `never_worse` count cells instead: a share of them decides, and is the effect shown.

What the rules read
-------------------
Columns of ``rows`` are written ``setting, ...: mean, low, high, n``; columns of ``comparisons``
(paired differences) ``setting, first, second, ...: difference, low, high, n``.

========================  ====================================================================
rule                      reads
========================  ====================================================================
``paired_advantage``      comparisons: setting, first, second, and k (1, 2, ..., and the pooled
                          ``"1-5"``) or the columns named in ``cells``; p_holm if there is one
``level``                 rows: setting, the columns named in ``where`` and ``cells``; mean
``near``                  rows: setting, the columns named in ``where``; mean
``ratio``                 rows: setting, the columns in ``where``, ``over`` and ``under``; mean
``trend``                 rows: setting, the columns in ``where`` and ``along``; mean
``level_and_trend``       as ``level`` and ``trend``
``tracks``                comparisons: setting, first, second, sigma or the column ``along``
``identical``             rows: setting, method, the columns in ``where``, k if there is one; mean
``time_saving``           comparisons in seconds: setting, first, second, mean_second
``mostly``                comparisons: setting, first, second, the columns in ``cells``; p_holm
``never_worse``           as ``mostly``
========================  ====================================================================
"""

from __future__ import annotations

from xai_lib import papers
from xai_lib.report import rules_means, rules_pairs, rules_tally  # noqa: F401 - they register theirs
from xai_lib.report.cells import NOT_TESTABLE, NotTestableError, Outcome, Results
from xai_lib.report.rule_registry import RULES


def decide(results: Results, claim: papers.Claim) -> Outcome:
    """Apply the rule of a claim.

    Parameters
    ----------
    results
        The results at hand, by item.
    claim
        The claim.

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError
        If the rule is unknown; the message lists those there are.
    ResultError
        If a result lacks a column that the rule reads.
    """
    if claim.rule not in RULES:
        raise ValueError(f"claim {claim.id!r}: no rule {claim.rule!r}; rules: {', '.join(RULES)}")
    try:
        return RULES[claim.rule](results, claim)
    except NotTestableError as reason:
        text = str(reason)
        sentence = text[:1].upper() + text[1:].rstrip(".") + "."
        return Outcome(NOT_TESTABLE, None, None, None, None, sentence)
