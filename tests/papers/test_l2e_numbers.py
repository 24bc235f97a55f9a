"""The printed numbers of the L2E paper, against the lines of its tables and its own arithmetic."""

from __future__ import annotations

from itertools import product

import pytest

from xai_lib import papers

TEACHERS = {
    "Occ.": "occlusion", "Occlusion": "occlusion", "Grad.": "gradient", "Gradient": "gradient",
    "LRP": "lrp", "LIME": "lime", "K'SHAP": "kernel_shap", "D'SHAP": "deep_shap",
}  # fmt: skip
SIX = ("occlusion", "gradient", "lrp", "lime", "kernel_shap", "deep_shap")
ALONE = {"Random": "random", "Human": "human"}
EXPLANATIONS = {"A": "teacher", "L2E": "l2e", "Both": "both"}
SETTINGS = ("news", "sst2", "cola")
SIX_COLUMNS = tuple(product(("ranking", "labelling"), SETTINGS))
THREE_COLUMNS = tuple((setting,) for setting in SETTINGS)
MEASURES = tuple(product(("positive", "negative"), ("precision", "recall", "f1")))
FILTERS = tuple((name,) for name in ("none", "annotated", "stop words"))

# The lines of the tables as they stand in the paper; "-" where it has no number.
TABLE_1 = """
    Random 60 37 65 43.6 45.8 70
    Occ. A 94 88 67 81 89 76
    L2E 89 83 65 84 90 80
    Both 89 85 98 82 85 94
    Grad. A 89 73 65 87 71 68
    L2E 91 66 65 94 70 70
    Both 85 73 100 89 77 92
    LRP A 97 95 67 85 83 62
    L2E 90 83 67 86 85 52
    Both 93 84 100 90 83 90
    LIME A 100 86 67 99 84 71
    L2E 96 81 65 98 82 80
    Both 96 81 98 97 80 89
    K'SHAP A 79 34 63 70 23 72
    L2E 89 70 63 90 70 72
    Both 80 58 100 74 51 100
    D'SHAP A 82 68 65 81 70 59
    L2E 77 70 65 82 73 59
    Both 76 64 100 78 69 100"""
TABLE_2 = """
    Random 0.57±0.11 1.93±0.17 1.92±0.1
    Occ. A 3.69±1.2 5.04±1.55 -
    L2E 6.82±1.06 4.79±1.16 -
    Grad. A 2.69±1.2 5.29±0.83 1.87±0.24
    L2E 6.59±1.31 6.47±0.74 1.8±0.24
    LRP A 1.87±0.67 4.48±0.89 1.18±0.46
    L2E 2.09±0.7 3.68±0.86 0.92±0.37
    LIME A 11.06±0.86 5.7±1.51 1.41±0.44
    L2E 11.31±0.53 5.26±0.91 1.41±0.44
    K'SHAP A 4.33±1.21 0.22±0.37 1.96±0.28
    L2E 3.24±0.92 2.81±0.65 1.97±0.24
    D'SHAP A 1.16±0.54 4.82±2.65 1.22±0.58
    L2E 2.25±0.72 7.61±1.86 1.02±0.48"""
TABLE_3 = """
    Random 6.19±0.38 3.74±0.39 9.29±0.9 11.0±0.6 6.75±0.36 19.25±1.45
    Occlusion A 7.18±1.35 4.58±1.19 15.59±3.88 10.82±1.34 7.04±0.87 23.67±3.76
    L2E 8.96±1.67 8.52±1.48 21.26±3.72 13.94±1.49 8.38±0.75 26.47±3.84
    Gradient A 7.17±1.17 3.87±0.97 8.63±1.89 9.02±1.06 6.33±0.74 10.4±1.84
    L2E 10.36±1.77 7.41±1.2 20.75±4.11 14.38±1.42 7.27±0.67 22.09±3.61
    LRP A 10.2±1.74 1.13±0.46 10.92±2.25 13.84±1.45 6.28±0.79 22.53±3.37
    L2E 11.2±1.95 7.75±1.22 19.45±3.8 14.67±1.48 7.45±0.79 26.45±3.84
    LIME A 8.24±1.3 3.01±0.87 13.96±2.96 8.61±1.11 6.92±0.86 17.48±3.49
    L2E 12.44±1.94 5.01±0.88 16.78±3.82 13.89±1.47 8.24±0.73 25.35±3.82
    K'SHAP A 7.47±1.52 2.49±0.72 19.12±3.91 5.75±1.2 1.47±0.52 22.39±4.8
    L2E 12.84±1.97 2.82±0.83 18.78±3.96 9.15±1.63 1.73±0.53 21.82±4.7
    D'SHAP A 6.68±1.08 2.87±0.71 16.8±4.18 7.22±1.02 6.66±0.88 13.05±3.23
    L2E 8.67±1.3 1.43±0.68 20.82±3.71 10.05±1.38 8.41±0.81 21.88±3.89"""
TABLE_4 = """
    Occ. A 9 42 14 12 41 16
    L2E 10 92 18 12 82 19
    Grad. A 9 21 12 13 26 15
    L2E 11 49 17 15 47 18
    LRP A 7 5 5 12 18 14
    L2E 12 12 11 12 28 16
    LIME A 12 39 17 15 42 21
    L2E 11 45 17 13 49 20
    K'SHAP A 11 2 3 11 2 3
    L2E 10 2 2 14 2 3
    D'SHAP A 9 22 12 12 28 16
    L2E 11 50 17 13 54 20"""
TABLE_5 = """
    Human 5.83±0.27 5.83±0.27 3.06±0.27
    Occ. A 4.53±0.38 5.8±0.28 2.46±0.19
    L2E 4.57±0.38 5.86±0.27 2.48±0.19
    Grad. A 4.06±0.25 3.64±0.31 1.65±0.15
    L2E 4.41±0.33 4.7±0.34 2.33±0.19
    LRP A 1.89±0.15 1.08±0.27 1.7±0.13
    L2E 4.01±0.24 5.66±0.43 2.45±0.17
    LIME A 1.36±0.08 1.05±0.16 0.93±0.07
    L2E 2.19±0.17 1.93±0.25 1.97±0.15
    K'SHAP A 0.03±0.04 0.06±0.09 0.03±0.04
    L2E 0.45±0.17 0.69±0.59 0.45±0.17
    D'SHAP A 4.29±0.18 3.33±0.29 1.61±0.13
    L2E 4.39±0.25 4.02±0.3 2.37±0.17"""
TABLE_7 = """
    Random 7.36±0.34 6.34±0.54 11.94±0.92 13.11±0.57 13.1±0.51 23.35±1.45
    Occlusion A 7.5±1.23 8.15±1.35 16.83±3.37 12.36±1.26 13.5±1.19 28.78±3.51
    L2E 10.51±1.63 14.11±1.86 23.37±3.71 16.8±1.26 15.56±0.89 31.78±3.56
    Gradient A 7.05±1.11 5.14±1.05 11.95±2.33 10.32±0.96 11.5±0.87 13.36±1.95
    L2E 11.92±1.79 13.8±1.7 22.52±3.81 17.35±1.16 13.77±0.8 25.77±3.38
    LRP A 10.34±1.64 2.67±0.58 12.37±2.27 16.33±1.23 12.76±0.84 26.69±3.16
    L2E 11.87±1.92 12.52±1.61 21.87±3.85 17.6±1.21 14.84±0.73 31.8±3.55
    LIME A 8.65±1.22 6.42±1.17 16.8±3.19 9.83±0.97 13.92±1.13 20.56±3.38
    L2E 13.89±2.02 11.23±1.61 18.9±3.85 16.71±1.25 16.24±0.74 30.48±3.53
    K'SHAP A 8.85±1.44 5.74±1.31 22.17±4.02 6.96±1.13 4.8±1.0 25.9±4.78
    L2E 14.59±1.77 8.79±1.52 21.92±4.03 10.79±1.39 5.67±1.01 25.12±4.69
    D'SHAP A 7.2±1.05 5.31±1.13 19.74±3.91 8.35±0.89 11.88±1.04 14.38±3.38
    L2E 10.98±1.27 4.93±1.14 23.77±3.62 12.53±1.16 16.24±0.71 25.38±3.65"""
TABLE_8 = """
    Random 0.57±0.11 1.93±0.17 1.92±0.1
    Occ. A -0.69±0.36 1.47±1.1 -
    L2E -0.39±0.4 1.57±1.15 -
    Grad. A 0.12±0.21 0.99±0.55 1.53±0.36
    L2E 0.05±0.29 0.87±0.41 1.48±0.33
    LIME A -0.4±0.26 1.51±1.24 1.05±0.71
    L2E -0.41±0.27 1.03±0.95 1.04±0.76
    K'SHAP A 1.57±0.7 3.78±0.91 -
    L2E 0.46±0.33 1.8±0.76 -
    D'SHAP A 0.83±0.44 0.37±0.52 1.67±0.29
    L2E 1.19±0.6 0.5±0.78 1.93±0.22"""
TABLE_9 = """
    Random 0.57±0.11 1.93±0.17 1.92±0.1
    Occ. A 3.03±0.79 4.84±0.86 1.87±0.23
    L2E 1.78±0.67 3.08±0.75 1.9±0.23
    Grad. A 1.13±0.56 2.17±0.66 1.95±0.22
    L2E 0.91±0.54 1.74±0.56 1.88±0.23
    LRP A 2.89±0.78 4.41±0.86 1.93±0.22
    L2E 2.43±0.65 2.64±0.68 1.87±0.23
    LIME A 6.96±1.02 5.01±0.89 1.86±0.22
    L2E 5.03±0.95 2.93±0.62 1.89±0.23
    K'SHAP A 4.51±1.19 0.2±0.32 1.97±0.23
    L2E 1.8±0.77 2.25±0.67 2.03±0.23
    D'SHAP A 0.22±0.29 2.74±0.68 1.92±0.23
    L2E 0.57±0.33 2.98±0.77 1.85±0.23"""
TABLE_6 = """
    news 108000/12000/7600 38
    sst2 6920/872/1821 17
    cola 8551/527/516 8
    movies 2864/320/200 666"""


def read(block, columns):
    """Read a table: (columns, teacher, explanation) -> (mean, half-width or None)."""
    cells, teacher = {}, ""
    for line in block.strip().splitlines():
        name, *numbers = line.split()
        if name in ALONE:
            teacher = explanation = ALONE[name]
        else:
            if name in TEACHERS:
                teacher = TEACHERS[name]
                name, *numbers = numbers
            explanation = EXPLANATIONS[name]
        for column, text in zip(columns, numbers, strict=True):
            if text != "-":
                mean, _, half = text.partition("±")
                cells[*column, teacher, explanation] = (float(mean), float(half) if half else None)
    return cells


def by_key(item, *keys, value="mean", fixed=None):
    rows = papers.published("l2e", item)
    assert rows is not None
    fixed = fixed or {}
    assert all(set(row) == {*keys, *fixed, value, "sd"} for row in rows)
    assert all(row[column] == wanted for row in rows for column, wanted in fixed.items())
    cells = {tuple(row[key] for key in keys): (row[value], row["sd"]) for row in rows}
    assert len(cells) == len(rows), "a cell occurs twice"
    return cells


def test_every_figure_and_table_is_listed():
    listed = {item.id for item in papers.items("l2e") if item.kind != "added"}
    tables = {f"table-{i}" for i in range(1, 10)}
    assert listed == {f"figure-{i}" for i in range(1, 8)} | tables
    printed = {item.id for item in papers.items("l2e") if item.printed}
    assert printed == tables | {"figure-1", "speed", "black-boxes"}


@pytest.mark.parametrize(
    ("item", "block", "number"),
    [("table-1", TABLE_1, 19 * 6), ("table-3", TABLE_3, 13 * 6), ("table-7", TABLE_7, 13 * 6)],
)
def test_tables_with_both_formulations(item, block, number):
    wanted = read(block, SIX_COLUMNS)
    assert len(wanted) == number
    assert by_key(item, "formulation", "setting", "teacher", "explanation") == wanted


@pytest.mark.parametrize(
    ("item", "block", "number"),
    # Two empty cells in Table 2; in Table 8 four, and no LRP.
    [("table-2", TABLE_2, 13 * 3 - 2), ("table-8", TABLE_8, 11 * 3 - 4), ("table-9", TABLE_9, 39)],
)
def test_tables_of_log_odds(item, block, number):
    wanted = read(block, THREE_COLUMNS)
    assert len(wanted) == number
    assert by_key(item, "setting", "teacher", "explanation") == wanted


def test_movie_rationales():
    wanted = read(TABLE_4, MEASURES)
    assert len(wanted) == 12 * 6
    fixed = {"setting": "movies"}
    assert by_key("table-4", "class", "measure", "teacher", "explanation", fixed=fixed) == wanted
    wanted = read(TABLE_5, FILTERS)
    assert len(wanted) == 13 * 3
    fixed = {"setting": "movies", "divided": True}
    assert by_key("table-5", "filter", "teacher", "explanation", fixed=fixed) == wanted


def test_sizes_of_the_data_sets():
    rows = papers.published("l2e", "table-6")
    assert rows is not None
    cells = {(row["data"], row["split"], row["quantity"]): row["value"] for row in rows}
    wanted = {}
    for line in TABLE_6.strip().splitlines():
        name, sizes, words = line.split()
        for split, size in zip(("train", "validation", "test"), sizes.split("/"), strict=True):
            wanted[name, split, "texts"] = int(size)
        wanted[name, None, "words"] = int(words)
    assert len(rows) == 16
    assert cells == wanted
    # 900 and 900 annotated reviews: without 8 long ones, validation and test, and a neutral copy
    # each but in the test set (Appendix F).
    assert cells["movies", "train", "texts"] == 2 * (1800 - 160 - 200 - 8)
    assert cells["movies", "validation", "texts"] == 2 * 160


def test_numbers_that_stand_in_sentences():
    rows = papers.published("l2e", "figure-1")
    assert rows is not None
    assert [(row["text"], row["explanation"], row["probability"]) for row in rows] == [
        (1, "none", 0.99), (1, "teacher", 0.14), (1, "l2e", 0.007),
        (2, "none", 0.98), (2, "teacher", 0.66), (2, "l2e", 0.004),
    ]  # fmt: skip
    assert by_key("speed", "teacher") == {
        ("gradient",): (5, None), ("lrp",): (10, None),
        ("fastest",): (5, None), ("slowest",): (7.5e4, None),
    }  # fmt: skip
    assert by_key("black-boxes", "setting", "split") == {
        ("news", "test"): (0.926, None), ("sst2", "test"): (0.9, None),
        ("cola", "test"): (0.74, None), ("movies", "train"): (0.8383, None),
        ("movies", "validation"): (0.7968, None), ("movies", "test"): (0.745, None),
    }  # fmt: skip


def gains(block, columns, teachers=SIX):
    """Return L2E minus its teacher for each column and teacher that has both."""
    cells = read(block, columns)
    return {
        (*column, teacher): cells[*column, teacher, "l2e"][0]
        - cells[*column, teacher, "teacher"][0]
        for column in columns
        for teacher in teachers
        if (*column, teacher, "l2e") in cells
    }


def test_what_the_text_says_of_agreement():
    gained = gains(TABLE_1, SIX_COLUMNS)
    # "The agreement of L2E-Ranking is lower than that of Occlusion for the three datasets".
    for setting in SETTINGS:
        assert (
            gained["ranking", setting, "occlusion"] < 0 < gained["labelling", setting, "occlusion"]
        )
    # What the comments of two claims say.
    ranking = [gained["ranking", s, t] for s in SETTINGS for t in SIX]
    assert (min(ranking), max(ranking)) == (-12, 36)
    assert sum(gain > -10 for gain in ranking) == 17
    both = {key: cell[0] for key, cell in read(TABLE_1, SIX_COLUMNS).items() if key[-1] == "both"}
    assert min(cell for key, cell in both.items() if key[2] != "kernel_shap") == 64
    # "58% and 51%".
    assert both["ranking", "sst2", "kernel_shap", "both"] == 58
    assert both["labelling", "sst2", "kernel_shap", "both"] == 51


def test_random_words_have_one_number_for_three_different_choices():
    """As many random words as positive ones, as negative ones, and as 30 % cost the same."""
    found = [
        {key: cell for key, cell in read(block, THREE_COLUMNS).items() if key[-1] == "random"}
        for block in (TABLE_2, TABLE_8, TABLE_9)
    ]
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 3


def test_what_the_printed_intervals_say_of_the_ranking_students():
    cells = read(TABLE_9, THREE_COLUMNS)
    below = []
    for setting, teacher in product(SETTINGS, SIX):
        student, half = cells[setting, teacher, "l2e"]
        own, other = cells[setting, teacher, "teacher"]
        if student + half < own - other:
            below.append((setting, teacher))
    assert below == [
        ("news", "kernel_shap"), ("sst2", "occlusion"), ("sst2", "lrp"), ("sst2", "lime")
    ]  # fmt: skip


def test_what_the_printed_means_say_of_lime():
    def ahead(cells, places):
        return sum(
            cells[*place, "lime", "teacher"][0] > cells[*place, other, "teacher"][0]
            for place in places
            for other in SIX
            if other != "lime" and (*place, other, "teacher") in cells
        )

    faithful = read(TABLE_2, THREE_COLUMNS)
    assert [ahead(faithful, [(setting,)]) for setting in SETTINGS] == [5, 5, 2]
    stable = read(TABLE_3, SIX_COLUMNS)
    formulations = ("ranking", "labelling")
    assert [ahead(stable, [(f, setting) for f in formulations]) for setting in SETTINGS] == [
        6,
        7,
        4,
    ]


def test_mean_f1_is_at_most_the_f1_of_the_means():
    """F1 is concave in precision and recall; half a point of rounding on each of the three."""
    cells = read(TABLE_4, MEASURES)
    for of, teacher, words in product(("positive", "negative"), SIX, ("teacher", "l2e")):
        precision, recall, f1 = (
            cells[of, measure, teacher, words][0] for measure in ("precision", "recall", "f1")
        )
        precision, recall = precision + 0.5, recall + 0.5
        assert f1 - 0.5 <= 2 * precision * recall / (precision + recall)


def test_recall_is_above_precision_where_the_claim_says_so():
    cells = read(TABLE_4, MEASURES)
    not_above = {
        (of, teacher)
        for of, teacher, words in product(("positive", "negative"), SIX, ("teacher", "l2e"))
        if cells[of, "recall", teacher, words] <= cells[of, "precision", teacher, words]
    }
    # "Besides LRP for the positive reviews and Kernel SHAP for both".
    assert not_above == {
        ("positive", "lrp"),
        ("positive", "kernel_shap"),
        ("negative", "kernel_shap"),
    }
    (claim,) = (c for c in papers.claims("l2e") if c.id == "l2e-movies-recall-above-precision")
    assert set(claim.parameters["cells"]["teacher"]) == set(SIX) - {"lrp", "kernel_shap"}


def test_claims_name_teachers_and_columns_that_the_items_have():
    """A slip of the pen in a claim would read as a cell that was not run."""
    known = {
        "teacher": {*SIX, "random", "present"}, "formulation": {"ranking", "labelling"},
        "explanation": {"teacher", "l2e"}, "class": {"positive", "negative"},
        "measure": {
            "precision", "recall", "f1", "iou", "positive log-odds", "negative log-odds",
        },
        "filter": {"none", "annotated", "stop words"}, "divided": {False}, "texts": {"present"},
    }  # fmt: skip
    for claim in papers.claims("l2e"):
        assert claim.parameters["item"] in claim.reads
        cells = claim.parameters.get("cells", {})
        for column, values in cells.items():
            assert column in papers.item("l2e", claim.parameters["item"]).keys, claim.id
            assert {values} if isinstance(values, str) else set(values) <= known[column], claim.id
        each = claim.parameters.get("each", "setting")
        assert each == "setting" or each in cells
        assert set(claim.parameters.get("say", {})) <= {*cells, "teacher", "formulation"}
