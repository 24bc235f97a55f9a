"""Log-odds lost at equal numbers of words: does a student choose better words, or only more."""

from __future__ import annotations

import numpy as np

from xai_lib.experiments.l2e.asked import (
    Selection,
    as_many,
    ask,
    at_random,
    labelled,
    mean_defined,
)
from xai_lib.experiments.l2e.explained import Explained
from xai_lib.experiments.l2e.faithfulness import STUDENT, TEACHER
from xai_lib.experiments.rows import Row, compare_rows, defined_row

WORDS = "words, %"
# Kinds of a student's words: those that speak for the class, and those against it.
KINDS = {"positive": "highest", "negative": "lowest"}
SO_MANY, SO_MANY_RANDOM, EVERY = "as many of the teacher's", "as many random", "every word"
PERCENT = 100.0


def equal_number_rows(explained: Explained, kind: str = "positive") -> tuple[list[Row], list[Row]]:
    """Remove as many words as a student calls positive, or negative: Tables 2 and 8.

    The paper masks as many words by student as by teacher (section 4.5); `log_odds_rows` lets each
    take all that it calls so. Here the teacher's top words (of negative ones the last), whatever
    their sign, and random ones are as many as the student's.

    Parameters
    ----------
    explained
        Its profile gives ``random_draws``.
    kind
        ``"positive"`` or ``"negative"``.

    Returns
    -------
    rows, comparisons : list of dict
        Measures: the log-odds lost without the words, and the words in percent of the document's.
        Values are means over a teacher's students; a teacher without one is left out. Without
        any word: a row of no teacher.
    """
    sample, lost = explained.sample, f"{kind} log-odds"
    rows: list[Row] = []
    pairs: list[Row] = []
    for name in explained.names:
        tables = [_measured(explained, one, lost) for one in _choices(explained, name, kind)]
        if not tables:
            continue
        place: Row = {"setting": sample.setting.key, "teacher": name}
        for measure in (lost, WORDS):
            where: Row = {**place, "measure": measure}
            means = {
                key: mean_defined([table[key][measure] for table in tables]) for key in tables[0]
            }
            rows += [
                defined_row({**where, "explanation": key}, values, sample.seed)
                for key, values in means.items()
                if key != EVERY
            ]
            if measure == lost:
                against = [(STUDENT, other) for other in (SO_MANY, SO_MANY_RANDOM, EVERY)]
                pairs += compare_rows(where, means, against, sample.seed)
    return rows + _bare_rows(explained, lost), pairs


def _bare_rows(explained: Explained, lost: str) -> list[Row]:
    """Remove every word, which asks no explanation."""
    sample = explained.sample
    some = next(iter(explained.teachers.values()))[: sample.n]
    every = [np.ones(one.n_features, dtype=bool) for one in some]
    place: Row = {"setting": sample.setting.key, "teacher": EVERY, "explanation": EVERY}
    return [
        defined_row({**place, "measure": measure}, values, sample.seed)
        for measure, values in _measured(explained, {EVERY: every}, lost)[EVERY].items()
    ]


def _choices(explained: Explained, name: str, kind: str) -> list[dict[str, Selection]]:
    """Return, for each student of a teacher, the words of every kind."""
    n = explained.sample.n
    own = explained.teachers[name]
    choices = []
    for run in explained.runs.get((name, "labelling"), []):
        picked = labelled(run, n, kind)
        choices.append(
            {
                TEACHER: labelled(own, n, kind),
                STUDENT: picked,
                SO_MANY: as_many(own, picked, KINDS[kind]),
                SO_MANY_RANDOM: at_random(explained, picked),
                EVERY: [np.ones(len(one), dtype=bool) for one in picked],
            }
        )
    return choices


def _measured(
    explained: Explained, chosen: dict[str, Selection], lost: str
) -> dict[str, dict[str, np.ndarray]]:
    """Return for each kind of words the (n,) log-odds lost and the (n,) shares of the words."""
    everywhere = np.ones(explained.sample.n, dtype=bool)
    return {
        key: {
            lost: one.delta_log_odds(everywhere),
            WORDS: PERCENT * one.counts.mean(axis=1) / one.n_words,
        }
        for key, one in ask(explained, chosen, keep=False).items()
    }
