"""A table of which some settings were run again."""

from __future__ import annotations

import pytest

from xai_lib.report.parts import columns_joined, joined
from xai_lib.report.results import save_result
from xai_lib.report.schema import ResultError
from xai_lib.report.tables import caption

ORDER = ["emotion", "imagenette-vgg16", "newsgroups20"]
PICTURES = ["imagenette-vgg16"]
TEXTS = ["emotion", "newsgroups20"]


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
    found = joined(earlier, now(evidence, "new"), ORDER, PICTURES)
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
    (kept,) = found["provenance"]["kept"]
    assert kept["settings"] == ["emotion", "newsgroups20"]
    assert kept["commit"] == evidence["provenance"]["commit"]


def test_families_smaller_than_the_table_stay_apart(earlier, evidence):
    def by_size(pairs):
        assert [p["p"] for p in pairs] == [0.01, 0.02, 0.03]
        return [{**p, "p_holm": 2 * p["p"] if p["p"] < 0.03 else p["p"]} for p in pairs]

    found = joined(earlier, now(evidence, "new"), ORDER, PICTURES, by_size)
    assert [p["p_holm"] for p in found["comparisons"]] == pytest.approx([0.02, 0.04, 0.03])
    # A table whose comparisons are not corrected stays so.
    bare = [{k: v for k, v in pair("imagenette-vgg16", 0.02).items() if k != "p_holm"}]
    found = joined(earlier, now(evidence, "new", comparisons=bare), ORDER, PICTURES, by_size)
    assert [p.get("p_holm") for p in found["comparisons"]] == [1.0, None, 1.0]


def test_what_was_kept_once_is_kept_with_its_own_provenance(earlier, evidence, save):
    def whose(fields):
        kept = fields["provenance"]["kept"]
        assert not any("kept" in one for one in kept)
        return {key: one["commit"] for one in kept for key in one["settings"]}

    first = "0123456789abcdef"
    second = joined(earlier, now(evidence, "second"), ORDER, PICTURES)
    between = save("table-3", second["rows"], **{k: v for k, v in second.items() if k != "rows"})
    again = joined(between, now(evidence, "third"), ORDER, PICTURES)
    assert whose(again) == {"emotion": first, "newsgroups20": first}
    others = {"rows": [row("emotion", 0.5)], "comparisons": []}
    turned = joined(between, now(evidence, "fourth", **others), ORDER, ["emotion"])
    assert whose(turned) == {"newsgroups20": first, "imagenette-vgg16": "second"}
    assert [one["mean"] for one in turned["rows"]] == [0.5, 0.7, 0.3]


def test_nothing_is_kept_where_all_settings_were_run(earlier, evidence):
    rows = [row(setting, 0.0) for setting in ORDER]
    found = joined(earlier, now(evidence, "new", rows=rows), ORDER, ORDER)
    assert found["rows"] == rows
    assert "kept" not in found["provenance"]


def test_rows_that_belong_to_no_setting_are_refused(earlier, evidence):
    with pytest.raises(ResultError, match="table-3: rows without a setting"):
        joined(earlier, now(evidence, "new", rows=[{"mean": 0.1}]), ORDER, PICTURES)


def test_a_table_of_other_settings_is_refused(evidence, save):
    texts = save("table-3", [row("emotion", 0.1)])
    with pytest.raises(ResultError, match="is of emotion, and not of imagenette-vgg16: tag its"):
        joined(texts, now(evidence, "new"), ORDER, PICTURES)


def test_a_table_may_gain_a_setting_that_it_is_known_to_have(evidence, save):
    texts = save("table-3", [row("emotion", 0.1)])
    new = now(evidence, "new")
    own = {one["setting"] for one in new["rows"]}
    found = joined(texts, new, ORDER, PICTURES, of=("emotion", *own))
    assert {one["setting"] for one in found["rows"]} == {"emotion", *own}
    with pytest.raises(ResultError, match="tag its"):
        joined(texts, new, ORDER, PICTURES, of=("emotion", "newsgroups20"))


def test_a_table_may_gain_a_setting_beside_its_own(evidence, save):
    some = save("table-3", [row("emotion", 0.1)])
    rows = [row("newsgroups20", 0.2), row("emotion", 0.3)]
    found = joined(some, now(evidence, "new", rows=rows, comparisons=[]), ORDER, TEXTS)
    assert [one["mean"] for one in found["rows"]] == [0.3, 0.2]


def test_a_table_of_one_setting_is_new_as_a_whole(evidence, save):
    alone = save("figure-2", [{"image": 1, "fall": 0.5}], black_box=[box("vgg", 0.8)])
    rows = [{"image": 1, "fall": 0.7}]
    found = joined(alone, now(evidence, "new", rows=rows), ORDER, PICTURES)
    assert found["rows"] == rows
    assert "kept" not in found["provenance"]
    with pytest.raises(ResultError, match="its black boxes were vgg and now are bert"):
        joined(alone, now(evidence, "new", rows=rows, black_box=[box("bert", 0.9)]), ORDER, TEXTS)


def test_rows_of_no_setting_say_that_nothing_else_is_there(evidence, save):
    nothing = save("table-3", [{"setting": "none", "reason": "no cell is missing"}])
    still = now(evidence, "new", rows=[{"setting": "none", "reason": "none"}], comparisons=[])
    assert joined(nothing, still, ORDER, PICTURES)["rows"] == still["rows"]
    lacks = now(evidence, "new", rows=[{"setting": "emotion", "reason": "too few"}], comparisons=[])
    found = joined(nothing, lacks, ORDER, ["emotion"])["rows"]
    assert found == lacks["rows"]
    some = save("table-3", found)
    assert joined(some, still, ORDER, PICTURES)["rows"] == lacks["rows"]
    assert joined(some, still, ORDER, ["emotion"])["rows"] == still["rows"]


def test_columns_keep_their_order(earlier):
    rows = [{"from": 1, "mean": 0.1, "setting": "emotion"}]
    assert columns_joined(earlier, rows) == ("setting", "mean", "from")


def test_the_caption_names_both_commits(earlier, evidence, folder):
    fields = joined(earlier, now(evidence, "fedcba9876543210"), ORDER, PICTURES)
    made = save_result("lipex", "table-3", profile="ci", **fields)
    assert "commit fedcba9876 (Emotion, 20 Newsgroups: 0123456789)" in caption(made)
