"""Agreement and log-odds: Tables 1, 2, 8 and 9."""

from __future__ import annotations

import numpy as np

from xai_lib.experiments.l2e.asked import (
    as_many,
    ask,
    at_random,
    mean_defined,
    most_positive,
    ranked,
    selected_by,
)
from xai_lib.experiments.l2e.explained import Explained
from xai_lib.experiments.l2e.students import FORMULATIONS
from xai_lib.experiments.rows import Row, compare_rows, defined_row
from xai_lib.metrics.selected import agreement_between

PERCENT = 100.0
TEACHER, STUDENT, BOTH, RANDOM = "teacher", "l2e", "both", "random"
ALL_FIVE = "random (all five)"
_NOTHING = np.array([np.nan])


def agreement_rows(explained: Explained) -> tuple[list[Row], list[Row]]:
    """Keep only the selected words and see whether the class stays: Table 1.

    Parameters
    ----------
    explained
        Its profile gives ``random_draws``.

    Returns
    -------
    rows, comparisons : list of dict
        In percent. Documents of which no word or every word is selected do not count. A gain is
        that of the student over its teacher, compared between formulations.
    """
    sample = explained.sample
    rows: list[Row] = []
    pairs: list[Row] = []
    gains: dict[str, dict[str, np.ndarray]] = {}
    for formulation in FORMULATIONS:
        place: Row = {"setting": sample.setting.key, "formulation": formulation}
        for name in explained.names:
            values = _agreement(explained, name, formulation)
            where: Row = {**place, "teacher": name}
            rows += [
                defined_row({**where, "explanation": key}, values.get(key, _NOTHING), sample.seed)
                for key in (TEACHER, STUDENT, BOTH)
            ]
            pairs += compare_rows(where, values, [(STUDENT, TEACHER)], sample.seed)
            if values:
                gains.setdefault(name, {})[formulation] = values[STUDENT] - values[TEACHER]
        rows += _random_rows(explained, formulation, place)
    for name, gain in gains.items():
        where = {"setting": sample.setting.key, "teacher": name}
        pairs += compare_rows(where, gain, [("labelling", "ranking")], sample.seed)
    return rows, pairs


def _agreement(explained: Explained, name: str, formulation: str) -> dict[str, np.ndarray]:
    """Return the (n,) values of a teacher, its students, and the two with each other."""
    n = explained.sample.n
    runs = explained.runs.get((name, formulation), [])
    found: dict[str, list[np.ndarray]] = {key: [] for key in (TEACHER, STUDENT, BOTH)}
    for run in runs:
        if formulation == "ranking":
            chosen = {STUDENT: ranked(run, n), TEACHER: ranked(explained.teachers[name], n)}
        else:
            high = most_positive(run, n)
            chosen = {STUDENT: high, TEACHER: as_many(explained.teachers[name], high)}
        asked = ask(explained, chosen, keep=True)
        counted = asked[STUDENT].partial & asked[TEACHER].partial
        for key in (STUDENT, TEACHER):
            found[key].append(asked[key].agreement(counted) * PERCENT)
        both = agreement_between(asked[STUDENT], asked[TEACHER], counted)
        found[BOTH].append(both * PERCENT)
    return {key: mean_defined(some) for key, some in found.items() if some}


def _random_rows(explained: Explained, formulation: str, place: Row) -> list[Row]:
    """Do the same with random words: the mean over the draws, and all of them as coded."""
    sample = explained.sample
    ran = [name for name in explained.names if (name, formulation) in explained.runs]
    if not ran:
        return []
    # As many as the students select: of 30 % all select as many, of labels the middle student.
    run = explained.runs[ran[len(ran) // 2], formulation][0]
    as_they = ranked(run, sample.n) if formulation == "ranking" else most_positive(run, sample.n)
    asked = ask(explained, {RANDOM: at_random(explained, as_they)}, keep=True)[RANDOM]
    kinds = {RANDOM: asked.agreement(), ALL_FIVE: asked.agreement(all_draws=True)}
    return [
        defined_row({**place, "teacher": RANDOM, "explanation": key}, some * PERCENT, sample.seed)
        for key, some in kinds.items()
    ]


def log_odds_rows(explained: Explained, kind: str) -> tuple[list[Row], list[Row]]:
    """Remove words and see what log-odds of the predicted class are lost: Tables 2, 8 and 9.

    Parameters
    ----------
    explained
        Its profile gives ``random_draws``.
    kind
        ``"positive"`` and ``"negative"``: words with such labels. ``"ranking"``: the top 30 %.

    Returns
    -------
    rows, comparisons : list of dict
        A document without such a word loses nothing. Random words are as many as the teacher
        selects; their row is the mean over the teachers.
    """
    sample = explained.sample
    values: dict[str, dict[str, np.ndarray]] = {key: {} for key in (TEACHER, STUDENT, RANDOM)}
    for name in explained.names:
        for key, some in _lost(explained, name, kind).items():
            values[key][name] = some
    rows: list[Row] = []
    pairs: list[Row] = []
    for name in explained.names:
        where: Row = {"setting": sample.setting.key, "teacher": name}
        own = {key: some[name] for key, some in values.items() if name in some}
        rows += [
            defined_row({**where, "explanation": key}, own.get(key, _NOTHING), sample.seed)
            for key in (TEACHER, STUDENT)
        ]
        against = [(STUDENT, TEACHER)]
        if kind == "positive":
            against += [(STUDENT, RANDOM), (TEACHER, RANDOM)]
        pairs += compare_rows(where, own, against, sample.seed)
    where = {"setting": sample.setting.key, "teacher": RANDOM, "explanation": RANDOM}
    rows.append(defined_row(where, np.mean(list(values[RANDOM].values()), axis=0), sample.seed))
    if kind == "positive":
        for key in (TEACHER, STUDENT):
            where = {"setting": sample.setting.key, "explanation": key}
            others = [("lime", name) for name in values[key] if name != "lime"]
            pairs += compare_rows(where, values[key], others, sample.seed)
    return rows, pairs


def _lost(explained: Explained, name: str, kind: str) -> dict[str, np.ndarray]:
    """Return the (n,) log-odds lost without the words of a teacher, its students, and chance."""
    n = explained.sample.n
    everywhere = np.ones(n, dtype=bool)
    picked = selected_by(explained.teachers[name], n, kind)
    formulation = "ranking" if kind == "ranking" else "labelling"
    runs = explained.runs.get((name, formulation), [])
    chosen = {TEACHER: picked, RANDOM: at_random(explained, picked)}
    chosen |= {f"{STUDENT} {i}": selected_by(run, n, kind) for i, run in enumerate(runs)}
    fell = {
        key: one.delta_log_odds(everywhere)
        for key, one in ask(explained, chosen, keep=False).items()
    }
    found = {key: fell[key] for key in (TEACHER, RANDOM)}
    if runs:
        found[STUDENT] = mean_defined([fell[f"{STUDENT} {i}"] for i in range(len(runs))])
    return found
