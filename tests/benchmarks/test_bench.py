"""The benchmark runs on a tiny model, and its arithmetic is right."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks import amortised, budget, selection
from benchmarks.figure import draw
from benchmarks.results import Results, Row, check
from benchmarks.run import app, group_names
from benchmarks.settings import QUICK, Settings, texts_of
from xai_lib.data import Dataset, load_dataset
from xai_lib.masks import lime_kernel
from xai_lib.models import as_classifier
from xai_lib.models.tiny import tiny_bert
from xai_lib.text import find_words, make_instance

SETTINGS = Settings("tiny", "planted", **QUICK)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = load_dataset("planted", "train")
    network, tokenizer = tiny_bert(data.texts, data.classes)
    folder = tmp_path_factory.mktemp("box") / "tiny"
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_quick_run_writes_every_group(model: Path, tmp_path: Path) -> None:
    pytest.importorskip("lime")
    out, figure = tmp_path / "results.json", tmp_path / "curve.svg"
    given = ["--quick", "--model", str(model), "--data", "planted", "--device", "cpu"]
    files = ["--out", str(out), "--figure", str(figure)]
    done = CliRunner().invoke(app, [*given, *files], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    document = check(json.loads(out.read_text("utf-8")))
    groups = set(group_names(SETTINGS))
    if not document["machine"]["bfloat16"]:
        groups.remove("bfloat16")
    assert {row["group"] for row in document["rows"]} == groups
    rows = {row["name"]: row for row in document["rows"]}
    assert str(model.parent) not in out.read_text("utf-8")
    for name in ("lime-8-float32", "lime-20-float32", "lipex-20", "selection"):
        assert 0 < rows[name]["low"] <= rows[name]["value"] <= rows[name]["high"]
    assert rows["selection"]["details"]["identical_picks"] is True
    long = rows["lime-20-float32"]["details"]
    assert long["their_calls"] == 100
    assert len(long["our_seconds_each"]) == rows["lime-20-float32"]["n"] == 2
    assert rows["lipex-20"]["details"]["our_calls"] <= 50
    # A loaded torch takes more than this, and a process that does nothing less.
    assert long["our_peak_mib"] >= long["our_loaded_mib"] > 50
    assert 0 < rows["outside-20"]["value"] < 1
    amortised_rows = (("one", 12, 1), ("corpus", 2, 20))
    for of, which in (("pflex", ""), ("pflex", "-large"), ("ldav", ""), ("ldav", "-encoder"),
                      ("ldav", "-large")):  # fmt: skip
        for many, n, calls in amortised_rows:
            row = rows[f"{of}-{many}{which}"]
            assert (row["n"], row["details"]["our_calls"]) == (n, calls)
            assert 0 < row["low"] <= row["high"]
            assert row["value"] > 0
    assert rows["pflex-one-large"]["what"].endswith("an untrained BERT of 2 layers, 32 wide")
    assert rows["ldav-lime-encoder"]["what"].endswith("ldav-tiny-planted")
    for teacher in ("occlusion", "input_x_gradient", "lrp", "lime", "kernel_shap"):
        for name in (f"l2e-{teacher}", f"l2e-{teacher}-asking"):
            assert rows[name]["n"] == (1 if teacher in ("lime", "kernel_shap") else 3)
            assert 0 < rows[name]["low"] <= rows[name]["value"] <= rows[name]["high"]
    assert (rows["l2e-input_x_gradient"]["at_least"], rows["l2e-lime"]["at_least"]) == (5.0, 50.0)
    assert rows["l2e-alone"]["n"] == rows["l2e-asking"]["n"] == 3
    assert figure.read_text("utf-8").count("<svg") == 1

    # What is done is not measured again; one group alone leaves the other rows as they are.
    again = CliRunner().invoke(app, [*given, *files, "--resume"], catch_exceptions=False)
    assert again.exit_code == 0
    assert json.loads(out.read_text("utf-8"))["rows"] == document["rows"]


def test_needed_interpolates_the_logarithm_of_the_budget() -> None:
    curve = np.array([0.5, 0.7, 0.9])
    assert budget.needed((10, 100, 1000), curve, 0.8) == pytest.approx(10**2.5)
    assert budget.needed((10, 100, 1000), curve, 0.9) == pytest.approx(1000)
    assert budget.needed((10, 100, 1000), curve, 0.95) is None
    assert budget.needed((10, 100, 1000), curve, 0.5) is None
    # A dip does not count: once reached is reached.
    assert budget.needed((10, 100, 1000), np.array([0.5, 0.9, 0.8]), 0.7) == pytest.approx(10**1.5)


def test_gain_compares_at_the_middle_budget() -> None:
    plain, other = np.array([0.2, 0.5, 0.8]), np.array([0.4, 0.6, 0.9])
    assert budget.gain((10, 100, 1000), plain, plain) == pytest.approx(1.0)
    assert budget.gain((10, 100, 1000), plain, other) == pytest.approx(10**0.5)
    assert budget.gain((10, 100, 1000), other, plain) == pytest.approx(100 / 10 ** (2 + 1 / 3))


def test_tabulated_answers_are_those_of_the_black_box() -> None:
    def answer(texts: list[str]) -> np.ndarray:
        p = np.array([0.1 + 0.2 * ("a" in t) + 0.3 * ("b" in t) - 0.05 * ("c" in t) for t in texts])
        return np.stack([1 - p, p], axis=1)

    box = as_classifier(answer, ["no", "yes"])
    one = make_instance("a b c")
    reference, draw = budget.tabulated(one, box, 40, 1000)
    assert box.calls == 8
    near = draw(3, "lime")
    assert box.calls == 8
    for mask, (_, yes) in zip(near.masks, near.probabilities, strict=True):
        assert yes == pytest.approx(0.1 + mask @ [0.2, 0.3, -0.05])
    assert near.counts.sum() == 40
    # The black box is linear, so a ridge on the expected counts ranks b, a, c.
    found = budget.accuracy(reference, draw, (20, 40), (0, 1), "paired")
    np.testing.assert_allclose(found[:2], 1.0)


def test_selection_problem_has_the_size_asked_for() -> None:
    masks, answers, weights = selection.problem(Settings("m", "d", selection=(50, 7, 2)))
    assert masks.shape == (50, 7)
    assert masks[0].all()
    np.testing.assert_allclose(answers.sum(axis=1), 1.0)
    np.testing.assert_array_equal(weights, lime_kernel(masks))


def test_different_picks_stop_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lime")
    monkeypatch.setattr(selection, "forward_selection", lambda *_: np.array([[0, 0, 0]]))
    with pytest.raises(AssertionError, match="the lime package"):
        selection.rows(SETTINGS)


def test_the_ratio_of_medians_and_of_its_blocks() -> None:
    taken = np.array([[2.0, 1.0], [4.0, 2.0], [6.0, 2.0], [3.0, 3.0], [5.0, 2.0], [9.0, 1.0]])
    # Medians 4.5 and 2; of the halves 4 and 2, and 5 and 2.
    found = amortised.ratio_of_medians(taken, 2)
    assert found == {"value": 2.25, "low": 2.0, "high": 2.5, "n": 6}
    # No more blocks than rounds: 2/1, 4/2, 6/2, 3/3, 5/2, 9/1.
    found = amortised.ratio_of_medians(taken, 99)
    assert found == {"value": 2.25, "low": 1.0, "high": 9.0, "n": 6}


def test_sides_take_turns_and_swap(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, order = [0.0], []

    def side(name: str, seconds: float) -> Callable[[int], None]:
        def call(i: int) -> None:
            order.append((i, name))
            clock[0] += seconds * (i + 1)

        return call

    monkeypatch.setattr(amortised.time, "perf_counter", lambda: clock[0])
    taken = amortised.interleaved((side("a", 2.0), side("b", 1.0)), 3, "cpu")
    assert order == [(0, "a"), (0, "b"), (1, "b"), (1, "a"), (2, "a"), (2, "b")]
    assert taken.tolist() == [[2.0, 1.0], [4.0, 2.0], [6.0, 3.0]]
    order.clear()
    # 3 + 6 seconds for two rounds, which are always done.
    assert len(amortised.interleaved((side("a", 2.0), side("b", 1.0)), 5, "cpu", 1.0)) == 2
    assert len(amortised.interleaved((side("a", 2.0), side("b", 1.0)), 5, "cpu", 9.5)) == 3


def test_texts_have_the_length_asked_for() -> None:
    texts = ("a b", "c d e.", "f", "g h i!")
    data = Dataset("d", "test", texts, np.zeros(4, dtype=np.int64), ("x",), "generated")
    assert texts_of(data, 3, 2) == (["c d e.", "g h i!"], 0)
    assert texts_of(data, 3, 3) == (["c d e.", "g h i!", "a b c"], 1)
    assert texts_of(data, 4) == (["a b c d"], 1)
    # The data set starts again where it is used up.
    (long,), joined = texts_of(data, 20)
    assert (len(find_words(long)), joined) == (20, 1)


def test_a_row_says_whether_it_reached_what_was_wanted() -> None:
    row = Row("g", "n", "w", 5.0, 4.0, 6.0, 3, at_least=5.0)
    assert row.reached is True
    assert Row("g", "n", "w", 4.9, 4.0, 6.0, 3, at_least=5.0).reached is False
    assert Row("g", "n", "w", 0.11, 0.1, 0.2, 3, at_most=0.1).reached is False
    assert Row("g", "n", "w", 0.1, 0.1, 0.2, 3).reached is None
    assert Row("g", "n", "w", None, None, None, 3, at_least=1.0).reached is None


def test_rows_are_kept_only_for_the_same_settings(tmp_path: Path) -> None:
    path, row = tmp_path / "r.json", Row("g", "n", "w", 1.0, 1.0, 1.0, 1, commit="abc")
    Results(path, {"seed": 0}, "cpu").add([row])
    assert Results(path, {"seed": 0}, "cpu", resume=True).rows == [row]
    assert Results(path, {"seed": 0}, "cpu").rows == []
    with pytest.raises(
        ValueError, match=r"r\.json holds 1 rows .* lost: seed was 0, is 1\. .*--out"
    ):
        Results(path, {"seed": 1}, "cpu", resume=True)
    # The number of repeats stands in the row.
    assert Results(path, {"seed": 0, "repeats": 9}, "cpu", resume=True).rows == [row]
    # A setting that came later is of rows that are not there yet; one that went is not known.
    assert Results(path, {"seed": 0, "size": 5}, "cpu", resume=True).rows == [row]
    with pytest.raises(ValueError, match="seed was 0, is None"):
        Results(path, {}, "cpu", resume=True)
    assert json.loads(path.read_text("utf-8"))["rows"][0]["name"] == "n"


def test_rows_stand_in_the_order_of_their_groups(tmp_path: Path) -> None:
    path, order = tmp_path / "r.json", ("a", "b", "c")
    for group in ("c", "other", "a", "b", "a"):
        results = Results(path, {}, "cpu", resume=True, order=order)
        results.add([Row(group, f"{group}{i}", "w", 1.0, 1.0, 1.0, 1) for i in (2, 1)])
    document = json.loads(path.read_text("utf-8"))
    assert {row["commit"] for row in document["rows"]} == {document["commit"]}
    found = [row["name"] for row in document["rows"]]
    assert found == ["a2", "a1", "b2", "b1", "c2", "c1", "other2", "other1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 99}, "schema 99"),
        ({"machine": None}, "'machine' must be"),
        ({"rows": [{"name": "n"}]}, "not a row"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "r.json"
    Results(path, {}, "cpu").add([Row("g", "n", "w", 1.0, 1.0, 1.0, 1)])
    document = json.loads(path.read_text("utf-8")) | change
    with pytest.raises(ValueError, match=message):
        check(document)


def test_a_row_must_be_finite_and_named_once(tmp_path: Path) -> None:
    results = Results(tmp_path / "r.json", {}, "cpu")
    with pytest.raises(ValueError, match="not finite"):
        results.add([Row("g", "n", "w", float("inf"), 1.0, 1.0, 1)])
    row = Row("g", "n", "w", 1.0, 1.0, 1.0, 1)
    with pytest.raises(ValueError, match="more than once"):
        Results(tmp_path / "r.json", {}, "cpu").add([row, row])


def test_missing_lime_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("benchmarks.run.find_spec", lambda name: None)
    done = CliRunner().invoke(app, ["--quick", "--out", str(tmp_path / "r.json")])
    assert done.exit_code == 2
    assert "'.[bench]'" in done.output.replace("\n", " ")


def test_an_unknown_group_lists_the_valid_ones(tmp_path: Path) -> None:
    pytest.importorskip("lime")
    given = ["--model", "m", "--data", "planted", "--only", "nonsense"]
    done = CliRunner().invoke(app, [*given, "--out", str(tmp_path / "r.json")])
    assert done.exit_code == 2
    assert all(name in done.output for name in ("nonsense", "selection", "calls-long"))


def test_nothing_is_drawn_without_a_curve(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no accuracy curve"):
        draw({"rows": [{"details": {}}]}, tmp_path / "f.svg")
