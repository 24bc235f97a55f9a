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

LOST, WORDS = "positive log-odds", "words, %"
SO_MANY, SO_MANY_RANDOM, EVERY = "as many of the teacher's", "as many random", "every word"
PERCENT = 100.0


def equal_number_rows(explained: Explained) -> tuple[list[Row], list[Row]]:
    """Remove as many words as a student calls positive.

    The paper masks as many words by student as by teacher (section 4.5); `log_odds_rows` lets each
    take all that it calls positive. Here the teacher's top words, whatever their sign, and random
    ones are as many as the student's.

    Parameters
    ----------
    explained
        Its profile gives ``random_draws``.

    Returns
    -------
    rows, comparisons : list of dict
        Measures: the log-odds lost without the words, and the words in percent of the document's.
        Values are means over a teacher's students; a teacher without one is left out. Without
        any word: a row of no teacher.
    """
    sample = explained.sample
    rows: list[Row] = []
    pairs: list[Row] = []
    for name in explained.names:
        tables = [_measured(explained, chosen) for chosen in _choices(explained, name)]
        if not tables:
            continue
        place: Row = {"setting": sample.setting.key, "teacher": name}
        for measure in (LOST, WORDS):
            where: Row = {**place, "measure": measure}
            means = {
                key: mean_defined([table[key][measure] for table in tables]) for key in tables[0]
            }
            rows += [
                defined_row({**where, "explanation": key}, values, sample.seed)
                for key, values in means.items()
                if key != EVERY
            ]
            if measure == LOST:
                against = [(STUDENT, other) for other in (SO_MANY, SO_MANY_RANDOM, EVERY)]
                pairs += compare_rows(where, means, against, sample.seed)
    return rows + _bare_rows(explained), pairs


def _bare_rows(explained: Explained) -> list[Row]:
    """Remove every word, which asks no explanation."""
    sample = explained.sample
    some = next(iter(explained.teachers.values()))[: sample.n]
    every = [np.ones(one.n_features, dtype=bool) for one in some]
    place: Row = {"setting": sample.setting.key, "teacher": EVERY, "explanation": EVERY}
    return [
        defined_row({**place, "measure": measure}, values, sample.seed)
        for measure, values in _measured(explained, {EVERY: every})[EVERY].items()
    ]


def _choices(explained: Explained, name: str) -> list[dict[str, Selection]]:
    """Return, for each student of a teacher, the words of every kind."""
    n = explained.sample.n
    own = explained.teachers[name]
    choices = []
    for run in explained.runs.get((name, "labelling"), []):
        picked = labelled(run, n, "positive")
        choices.append(
            {
                TEACHER: labelled(own, n, "positive"),
                STUDENT: picked,
                SO_MANY: as_many(own, picked, any_sign=True),
                SO_MANY_RANDOM: at_random(explained, picked),
                EVERY: [np.ones(len(one), dtype=bool) for one in picked],
            }
        )
    return choices


def _measured(
    explained: Explained, chosen: dict[str, Selection]
) -> dict[str, dict[str, np.ndarray]]:
    """Return for each kind of words the (n,) log-odds lost and the (n,) shares of the words."""
    everywhere = np.ones(explained.sample.n, dtype=bool)
    return {
        key: {
            LOST: one.delta_log_odds(everywhere),
            WORDS: PERCENT * one.counts.mean(axis=1) / one.n_words,
        }
        for key, one in ask(explained, chosen, keep=False).items()
    }
