from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from xai_lib import papers
from xai_lib.report import Result, ResultError, data_record, load_result, results_dir
from xai_lib.report.schema import plain


def mean(value, **columns):
    return {**columns, "mean": value, "low": value - 0.02, "high": value + 0.02, "n": 100}


ROWS = [mean(0.5, setting="emotion", k=1, method="lipex")]


def test_round_trip_and_file(save, folder):
    result = save("table-1", ROWS)
    path = folder / "lipex" / "table-1.json"
    assert [p.name for p in path.parent.iterdir()] == ["table-1.json"], "no temporary file is left"
    assert load_result("lipex", "table-1") == result
    raw = json.loads(path.read_text(encoding="utf-8"))
    assert list(raw) == sorted(raw)
    assert raw["rows"] == [
        {"high": 0.52, "k": 1, "low": 0.48, "mean": 0.5, "method": "lipex", "n": 100,
         "setting": "emotion"}
    ]  # fmt: skip
    assert raw["columns"] == ["setting", "k", "method", "mean", "low", "high", "n"]
    assert raw["title"] == papers.item("lipex", "table-1").title
    assert raw["published"] == papers.published("lipex", "table-1")


def test_an_item_without_printed_numbers_has_null(save):
    rows = [mean(0.1, setting="emotion", statistic="mean")]
    assert save("figure-3", rows).published is None


def test_same_result_same_bytes(save, folder):
    save("table-1", ROWS)
    first = (folder / "lipex" / "table-1.json").read_bytes()
    save("table-1", [dict(reversed(ROWS[0].items()))], columns=list(ROWS[0]))
    assert (folder / "lipex" / "table-1.json").read_bytes() == first


def test_values_become_plain():
    assert plain("x", 0.1234567891) == 0.123457
    assert plain("x", 123456789.0) == 123457000.0
    assert plain("x", np.float32(0.5)) == 0.5
    assert plain("x", np.int64(7)) == 7
    assert isinstance(plain("x", np.int64(7)), int)
    assert plain("x", np.bool_(True)) is True
    assert plain("x", float("nan")) is None
    assert plain("x", pd.NA) is None
    assert plain("x", np.array([[1.0, np.nan]])) == [[1.0, None]]
    assert plain("x", {"a": (1, "b")}) == {"a": [1, "b"]}
    with pytest.raises(ResultError, match=r"x\.a\[1\] is infinite"):
        plain("x", {"a": [1.0, float("inf")]})
    with pytest.raises(ResultError, match="x is a set"):
        plain("x", {1})


def test_rows_from_a_frame(save):
    frame = pd.DataFrame([*ROWS, mean(0.6, setting="emotion", k=2, method="lipex")])
    frame["note"] = [np.nan, "second"]
    result = save("table-1", frame)
    assert result.rows[0]["note"] is None
    assert result.rows[1]["k"] == 2
    assert isinstance(result.rows[1]["k"], int)
    assert list(result.frame().columns) == list(result.columns)
    assert result.frame()["mean"].tolist() == [0.5, 0.6]


def without(row, *names):
    return {key: value for key, value in row.items() if key not in names}


COMPARISON = {
    "first": "lipex", "second": "lime", "difference": 0.1, "low": 0.0, "high": 0.2, "n": 9,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": []}, "rows is empty"),
        ({"rows": [without(ROWS[0], "low")]}, r"rows\[0\] lacks low"),
        ({"rows": [without(ROWS[0], "n")]}, r"rows\[0\] lacks n"),
        ({"rows": [ROWS[0] | {"n": 0}]}, r"rows\[0\].n must be a count"),
        ({"rows": [ROWS[0] | {"n": 2.5}]}, r"rows\[0\].n must be a count"),
        ({"rows": [ROWS[0] | {"mean": "high"}]}, r"rows\[0\].mean must be a number"),
        ({"rows": [ROWS[0] | {"low": 0.51}]}, r"mean 0.5 lies outside \[0.51, 0.52\]"),
        ({"rows": [ROWS[0] | {"low": None}]}, "half an interval"),
        ({"rows": [ROWS[0] | {"low": None, "high": None}]}, "n = 100 but no interval"),
        ({"columns": ["setting"]}, "only in rows"),
        ({"columns": [*ROWS[0], "extra"]}, "only in columns .'extra'."),
        ({"columns": [*ROWS[0], "k"]}, "columns repeat"),
        ({"profile": ""}, "profile must be a string"),
        ({"comparisons": [{"first": "lipex"}]}, r"comparisons\[0\] lacks difference, second"),
        (
            {"comparisons": [COMPARISON | {"p_holm": 1.2}]},
            r"comparisons\[0\].p_holm is no probability",
        ),
    ],
)
def test_schema_errors(save, folder, change, message):
    rows = change.pop("rows", ROWS)
    with pytest.raises(ResultError, match=message):
        save("table-1", rows, **change)
    assert not (folder / "lipex" / "table-1.json").exists()


@pytest.mark.parametrize(
    ("field", "change", "message"),
    [
        ("data", {"sha256": None}, r"data\[0\].sha256 must be 64 hexadecimal digits: None"),
        ("data", {"sha256": "abc"}, "must be 64 hexadecimal digits: 'abc'"),
        ("data", {"rows": -1}, r"data\[0\].rows must be a count"),
        ("data", {"path": "/tmp"}, r"data\[0\] has unknown path; valid: dropped, name"),
        ("black_box", {"held_out_accuracy": 97}, "held_out_accuracy must be a share: 97"),
        ("black_box", {"test_size": 0}, "test_size must be a count: 0"),
        ("provenance", {"date": "today"}, "provenance has unknown date; valid: cached_model_calls"),
        ("provenance", {"packages": []}, "provenance.packages must map"),
        ("provenance", {"seconds": -1}, "provenance.seconds must be a number from 0"),
        ("provenance", {"cached_model_calls": -1}, "cached_model_calls must be a number from 0"),
    ],
)
def test_errors_in_the_evidence(save, evidence, field, change, message):
    old = evidence[field]
    new = old | change if field == "provenance" else [old[0] | change]
    with pytest.raises(ResultError, match=message):
        save("table-1", ROWS, **{field: new})


@pytest.mark.parametrize("field", ["data", "black_box", "provenance"])
def test_evidence_must_be_complete(save, evidence, field):
    old = evidence[field]
    record = old if field == "provenance" else old[0]
    for name in record:
        if name in ("stands_for", "split"):
            continue
        new = without(record, name)
        with pytest.raises(ResultError, match=f"lacks {name}"):
            save("table-1", ROWS, **{field: new if field == "provenance" else [new]})


def test_a_sample_too_small_for_an_interval_may_have_none(save):
    row = ROWS[0] | {"low": float("nan"), "high": float("nan"), "n": 5}
    assert save("table-1", [row]).rows[0]["low"] is None


def test_unknown_items_are_refused(save):
    with pytest.raises(ValueError, match="no item 'table-8'"):
        save("table-8", ROWS)


def test_reading_errors(save, folder):
    with pytest.raises(FileNotFoundError, match="no result for table-1 of lipex"):
        load_result("lipex", "table-1")
    save("table-1", ROWS)
    path = folder / "lipex" / "table-1.json"
    text = path.read_text(encoding="utf-8")
    (folder / "lipex" / "table-3.json").write_text(text, encoding="utf-8")
    with pytest.raises(ResultError, match=r"table-3\.json of lipex holds table-1 of lipex"):
        load_result("lipex", "table-3")
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ResultError, match=r"table-1\.json of lipex: not JSON"):
        load_result("lipex", "table-1")
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(ResultError, match="a result has the fields"):
        load_result("lipex", "table-1")
    path.write_text(json.dumps(json.loads(text) | {"rows": 3}), encoding="utf-8")
    with pytest.raises(ResultError, match="rows must be a list, not int"):
        load_result("lipex", "table-1")


def test_a_failed_write_leaves_the_old_result(save, folder, monkeypatch):
    old = save("table-1", ROWS)
    monkeypatch.setattr(Result, "to_json", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save("table-1", [mean(0.9, setting="emotion", k=1, method="lipex")])
    assert [p.name for p in (folder / "lipex").iterdir()] == ["table-1.json"]
    assert load_result("lipex", "table-1") == old


def test_results_dir(monkeypatch, tmp_path):
    monkeypatch.setenv("XAI_RESULTS_DIR", str(tmp_path))
    assert results_dir() == tmp_path
    monkeypatch.delenv("XAI_RESULTS_DIR")
    assert str(results_dir()) == "_build/results"


def test_data_record():
    class Split:
        name, split, source, notes, sha256 = "emotion", "test", "local folder", ("a",), "f" * 64

        def __len__(self):
            return 3

    record = {
        "name": "emotion", "split": "test", "source": "local folder", "sha256": "f" * 64,
        "rows": 3, "notes": ["a"],
    }  # fmt: skip
    assert data_record(Split()) == record
    assert data_record(Split(), "tweets") == record | {"stands_for": "tweets"}
