"""Log-odds lost at equal numbers of words, where every answer is a sum over words."""

from __future__ import annotations

import numpy as np
import pytest

from xai_lib.experiments.l2e import asked as asked_module
from xai_lib.experiments.l2e.equal_number import equal_number_rows

approx = pytest.approx


@pytest.fixture(autouse=True)
def ends(monkeypatch):
    """Random words are the first ones, then the last ones."""

    def draw(n_words, count, seed, text, draws):
        place = np.arange(n_words)
        return np.stack([place < count, place >= n_words - count])

    monkeypatch.setattr(asked_module, "random_words", draw)


def of(rows, **where):
    found = [row for row in rows if all(row[k] == v for k, v in where.items())]
    assert {row["n"] for row in found} == {3}
    return {row["explanation"]: row["mean"] for row in found}


def test_equal_number(make_explained, cell):
    rows, pairs = equal_number_rows(make_explained())
    # The student takes "good" 3, "bad" 2, both words 4. As many of the teacher's: "good" 3, "sun"
    # -0.5, both; at random "good" or "rain" 1.25, "bad" or "sun" 0.75, both; all words 2.5, 0.5, 4.
    # The teacher's own: "good film" 3, "bad sun" 1.5, both.
    assert of(rows, teacher="lime", measure="positive log-odds") == {
        "teacher": approx(8.5 / 3),
        "l2e": approx(3),
        "as many of the teacher's": approx(6.5 / 3),
        "as many random": approx(2),
    }
    assert of(rows, teacher="every word", measure="positive log-odds") == {
        "every word": approx(7 / 3)
    }
    # One of four words, one of four, two of two; the teacher two, two, two.
    assert of(rows, teacher="lime", measure="words, %") == {
        "teacher": approx(200 / 3),
        "l2e": approx(50),
        "as many of the teacher's": approx(50),
        "as many random": approx(50),
    }
    assert of(rows, teacher="every word", measure="words, %") == {"every word": approx(100)}
    assert {(one["first"], one["second"]): one["difference"] for one in pairs} == {
        ("l2e", "as many of the teacher's"): approx(3 - 6.5 / 3),
        ("l2e", "as many random"): approx(1),
        ("l2e", "every word"): approx(3 - 7 / 3),
    }
    assert {one["measure"] for one in pairs} == {"positive log-odds"}


def test_equal_number_is_of_any_sign_and_a_mean_over_students(make_explained):
    weights = [[2, 0.5, 0, -1], [0.4, -1, -2, 0.5], [3, 1], [-4, 1, 2, 0], [1, -3, 2]]
    all_words = [[1] * len(one) for one in weights]
    nothing = [[-1] * len(one) for one in weights]
    explained = make_explained(
        teachers={"occlusion": weights, "lime": weights}, labellers={"lime": [all_words, nothing]}
    )
    rows, _ = equal_number_rows(explained)
    # Of two students one takes every word, negative ones of the teacher's too, the other none.
    lost = of(rows, measure="positive log-odds")
    half = approx(7 / 6)
    assert lost["l2e"] == lost["as many of the teacher's"] == lost["as many random"] == half
    assert lost["every word"] == approx(7 / 3)
    assert of(rows, measure="words, %")["l2e"] == approx(50)
    # Occlusion has no student.
    assert {row["teacher"] for row in rows} == {"lime", "every word"}


def test_negative_words_are_the_last_of_the_teacher(make_explained):
    rows, pairs = equal_number_rows(make_explained(), "negative")
    # The student calls "rain" negative, then "sun", and no word of the third: -0.5, -0.5, 0. As
    # many of the teacher's last words: "rain" -0.5, "fine" -1 of the negative document, none. The
    # teacher's own are "film" too, which is worth nothing.
    assert of(rows, teacher="lime", measure="negative log-odds") == {
        "teacher": approx((-0.5 - 1 + 0) / 3),
        "l2e": approx(-1 / 3),
        "as many of the teacher's": approx((-0.5 - 1 + 0) / 3),
        "as many random": approx((1.25 + 0.75 + 0) / 3),
    }
    shares = of(rows, teacher="lime", measure="words, %")
    assert shares["teacher"] == approx((25 + 50 + 0) / 3)
    assert shares["as many of the teacher's"] == shares["l2e"] == approx(50 / 3)
    assert {one["measure"] for one in pairs} == {"negative log-odds"}
    assert {row["measure"] for row in rows} == {"negative log-odds", "words, %"}
