"""A table of which some settings were run again."""

from __future__ import annotations

import pytest

from xai_lib.report.parts import columns_joined, joined
from xai_lib.report.results import save_result
from xai_lib.report.schema import ResultError
from xai_lib.report.tables import caption

ORDER = ["emotion", "imagenette-vgg16", "newsgroups20"]


def row(setting, value):
    return {"setting": setting, "method": "lipex", "mean": value, "low": 0.0, "high": 1.0, "n": 9}


def pair(setting, p):
    return {
        "setting": setting, "first": "lipex", "second": "lime", "difference": 0.1, "low": 0.0,
        "high": 0.2, "n": 9, "p": p, "p_holm": 1.0,
    }  # fmt: skip


def box(name, accuracy):
    return {"name": name, "held_out_accuracy": accuracy, "test_size": 40}


@pytest.fixture
def earlier(save):
    return save(
        "table-3",
        [row("emotion", 0.1), row("imagenette-vgg16", 0.2), row("newsgroups20", 0.3)],
        [pair("emotion", 0.01), pair("imagenette-vgg16", 0.5), pair("newsgroups20", 0.03)],
        black_box=[box("bert", 0.9), box("vgg", 0.8)],
    )


def now(evidence, commit, **changes):
    provenance = {**evidence["provenance"], "commit": commit}
    return {
        "rows": [row("imagenette-vgg16", 0.7)],
        "comparisons": [pair("imagenette-vgg16", 0.02)],
        "data": [],
        "black_box": [box("vgg", 0.85)],
        "provenance": provenance,
        **changes,
    }


def test_rows_of_other_settings_stay_in_their_places(earlier, evidence):
    found = joined(earlier, now(evidence, "new"), ORDER)
    assert [(r["setting"], r["mean"]) for r in found["rows"]] == [
        ("emotion", 0.1), ("imagenette-vgg16", 0.7), ("newsgroups20", 0.3),
    ]  # fmt: skip
    # Holm over 0.01, 0.02, 0.03: three times the first, twice the second, and never falling.
    assert [p["p_holm"] for p in found["comparisons"]] == pytest.approx([0.03, 0.04, 0.04])
    assert [(b["name"], b["held_out_accuracy"]) for b in found["black_box"]] == [
        ("bert", 0.9), ("vgg", 0.85),
    ]  # fmt: skip
    assert found["data"] == list(earlier.data)
    assert found["provenance"]["commit"] == "new"
    kept = found["provenance"]["kept"]
    assert kept["settings"] == ["emotion", "newsgroups20"]
    assert kept["commit"] == evidence["provenance"]["commit"]


def test_what_was_kept_once_is_kept_with_its_own_provenance(earlier, evidence, save):
    first = joined(earlier, now(evidence, "second"), ORDER)
    between = save("table-3", first.pop("rows"), **first)
    again = joined(between, now(evidence, "third"), ORDER)["provenance"]
    assert (again["commit"], again["kept"]["commit"]) == ("third", "0123456789abcdef")
    others = {"rows": [row("emotion", 0.5), row("newsgroups20", 0.6)], "comparisons": []}
    turned = joined(between, now(evidence, "fourth", **others), ORDER)["provenance"]
    assert turned["kept"]["settings"] == ["imagenette-vgg16"]
    assert (turned["kept"]["commit"], "kept" in turned["kept"]) == ("second", False)


def test_nothing_is_kept_where_all_settings_were_run(earlier, evidence):
    rows = [row(setting, 0.0) for setting in ORDER]
    found = joined(earlier, now(evidence, "new", rows=rows), ORDER)
    assert found["rows"] == rows
    assert "kept" not in found["provenance"]


def test_rows_that_belong_to_no_setting_are_refused(earlier, evidence):
    with pytest.raises(ResultError, match="table-3: new rows without a setting"):
        joined(earlier, now(evidence, "new", rows=[{"mean": 0.1}]), ORDER)


def test_a_table_of_one_setting_is_new_as_a_whole(evidence, save):
    alone = save("figure-2", [{"image": 1, "fall": 0.5}])
    found = joined(alone, now(evidence, "new", rows=[{"image": 1, "fall": 0.7}]), ORDER)
    assert found["rows"] == [{"image": 1, "fall": 0.7}]
    assert "kept" not in found["provenance"]


def test_columns_keep_their_order(earlier):
    rows = [{"from": 1, "mean": 0.1, "setting": "emotion"}]
    assert columns_joined(earlier, rows) == ("setting", "mean", "from")


def test_the_caption_names_both_commits(earlier, evidence, folder):
    fields = joined(earlier, now(evidence, "fedcba9876543210"), ORDER)
    made = save_result("lipex", "table-3", profile="ci", **fields)
    assert "commit fedcba9876 (Emotion, 20 Newsgroups: 0123456789)" in caption(made)
