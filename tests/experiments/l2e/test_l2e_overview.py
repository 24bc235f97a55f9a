"""Counts, examples and cells that are missing."""

from __future__ import annotations

import numpy as np
import pytest

from xai_lib.experiments.l2e.overview import (
    accuracy_rows,
    data_rows,
    example_rows,
    label_rows,
    missing_rows,
    teacher_cost_rows,
)

approx = pytest.approx


def test_counts(make_setting, make_data, cell):
    train = make_data(["good film"] * 4, [1] * 4, "train")
    test = make_data(["bad", "good film and sun"], [0, 1])
    rows = data_rows({"cola": make_setting("cola", train, test)})
    assert [(row["data"], row["split"], row["quantity"], row["value"]) for row in rows] == [
        ("cola", "train", "texts", 4), ("cola", "test", "texts", 2), ("cola", None, "words", 2.5),
    ]  # fmt: skip
    setting = make_setting("cola", train, test)
    setting.splits["made_up", None, False, "", "validation"] = test
    row = cell(data_rows({"cola": setting}), split="validation")
    assert (row["quantity"], row["value"]) == ("texts", 2)


def test_accuracy_with_and_without_neutral_copies(make_setting, make_data, cell):
    # The black box says: right, wrong, right; the fourth is a copy.
    test = make_data(["good", "bad", "poor", "film"], [1, 1, 0, 1], copy_of=[None, None, None, 0])
    found = accuracy_rows({
        "news": make_setting("news", test=make_data(["good"], [1])),
        "movies": make_setting("movies", test=test),
    })  # fmt: skip
    assert [(row["setting"], row["split"], row["mean"], row["n"]) for row in found] == [
        # The card's: 75 % of 8.
        ("news", "test", 0.75, 8), ("movies", "test", 0.75, 8),
        ("movies", "test, originals", approx(2 / 3), 3),
    ]  # fmt: skip
    # Wilson's interval of 2 in 3.
    z, p, n = 1.959963984540054, 2 / 3, 3
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
    assert (found[2]["low"], found[2]["high"]) == (approx(centre - half), approx(centre + half))


def test_cost_of_the_teachers(make_explained, write):
    explained = make_explained()
    for name, n in (("lime", 3), ("lrp", 2)):
        explained.taught[name] = write(["good"] * n, [[1]] * n)
    rows = teacher_cost_rows([explained])
    # 0.5 s each; only LIME has samples.
    assert [tuple(row.values()) for row in rows] == [
        ("news", "lime", 3, 20, 1.5), ("news", "lrp", 2, None, 1.0),
    ]  # fmt: skip


def test_labels_of_the_first_document_if_none_is_long_enough(make_explained):
    rows = label_rows(make_explained())
    assert [(row["position"], row["feature"], row["weight"], row["label"]) for row in rows] == [
        (1, "good", 2.0, 2), (2, "film", 0.5, 0), (3, "the", 0.0, 0), (4, "rain", -1.0, -1),
    ]  # fmt: skip


def test_an_example_and_its_neighbour(make_explained, worth, cell):
    # The first shares "good film rain" of five words with 3: more than half. The second shares
    # one of six with 4. The third shares one of five with 3, the most of those that may.
    rows = example_rows(make_explained(near=((3, 4), (4, -1), (3, -1))))
    assert {(row["text"], row["document"], row["class"]) for row in rows} == {
        (1, "good fine", "positive"), (2, "good sun rain film", "positive"),
    }  # fmt: skip
    # Removed are "good" and "fine"; "good rain" and "rain film".
    found = {(row["text"], row["explanation"]): row for row in rows}
    for key, words, odds in (
        ((1, "none"), "", 4.0), ((1, "teacher"), "good", 1.0), ((1, "l2e"), "fine", 3.0),
        ((2, "none"), "", 3.0), ((2, "teacher"), "good rain", 0.5),
        ((2, "l2e"), "rain film", 3.5),
    ):  # fmt: skip
        assert found[key]["words"] == words
        assert found[key]["probability"] == approx(1 / (1 + np.exp(-odds))), key
    assert len(rows) == 6


def test_a_document_without_neighbours_is_no_example(make_explained):
    # Row -1 is not the last text of the pool, with which the second shares one of six words.
    rows = example_rows(make_explained(near=((3, 4), (-1, -1), (4, -1))))
    assert "bad film fine sun" not in {row["document"] for row in rows}
    rows = example_rows(make_explained(near=((-1, -1),) * 3))
    assert {row["document"] for row in rows} == {"good film the rain"}


def test_missing_cells(make_explained):
    explained = make_explained()
    (row,) = missing_rows([explained])
    assert row == {
        "table": "none", "setting": "none", "formulation": "none", "teacher": "none",
        "explanation": "none", "reason": "no cell is missing",
    }  # fmt: skip
    explained.missing["lrp", "ranking"] = "nothing to learn"
    assert [tuple(row.values()) for row in missing_rows([explained, make_explained()])] == [
        ("all", "news", "ranking", "lrp", "l2e", "nothing to learn")
    ]
    # In a run of other settings nothing was explained, and nothing is said.
    assert missing_rows([]) == []
