"""What a notebook's run counts and how a setting reads its texts; rows over runs; timing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from xai_lib import as_classifier
from xai_lib.data import load_dataset
from xai_lib.experiments import study as study_module
from xai_lib.experiments import turns
from xai_lib.experiments.rows import compare_rows, defined_row, runs_row, yes_or_no
from xai_lib.experiments.study import Setting, Study
from xai_lib.models.scratch_training import ScratchRecipe
from xai_lib.models.zoo_entries import ZOO, ZooEntry


def box(name: str) -> Any:
    """A black box that knows nothing, with a card."""
    found: Any = as_classifier(lambda texts: np.full((len(texts), 2), 0.5), ["a", "b"], name)
    found.card = {"name": name, "base": "none", "accuracy": 0.5, "n_test": 4}
    found.device, found.precision = "cpu", "float32"
    return found


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setenv("XAI_RESULTS_DIR", str(tmp_path))
    monkeypatch.delenv("XAI_DATA_DIR", raising=False)
    found = Study("ldav", "ci", "cpu")
    for key, setting in found.settings.items():
        setting.__dict__["classifier"] = box(key)
    return found


ROWS = [{"setting": "ag_news_bilstm", "measure": "accuracy", "training": "plain", "mean": 0.5,
         "low": 0.4, "high": 0.6, "n": 9}]  # fmt: skip


def test_a_record_counts_the_calls_of_all_networks(study: Study) -> None:
    first, second = (study.settings[key] for key in ("ag_news_bilstm", "imdb_transformer"))
    first.classifier.predict_proba(["x"] * 3)
    made = study.record("calibration", ROWS).provenance
    assert (made["model_calls"], made["cached_model_calls"]) == (3, 0)
    other = second.others["run1"] = box("run1")
    assert second.boxes == [second.classifier, other]
    assert first.boxes == [first.classifier]
    other.predict_proba(["x"] * 5)
    other.stored_calls["file"] = 40
    second.classifier.predict_proba(["x"])
    # Of a setting that the item does not name, too: the records add up to the whole cost.
    made = study.record("calibration", ROWS, settings=["ag_news_bilstm"]).provenance
    assert (made["model_calls"], made["cached_model_calls"]) == (6, 40)
    other.predict_proba(["x"] * 2)
    late = first.others["late"] = box("late")
    late.predict_proba(["x"] * 7)
    made = study.record("calibration", ROWS).provenance
    assert (made["model_calls"], made["cached_model_calls"]) == (9, 0)


def test_a_record_loads_no_black_box_that_it_does_not_name(study: Study) -> None:
    for key, setting in study.settings.items():
        if key != "ag_news_bilstm":
            del setting.__dict__["classifier"]
    study.record("calibration", ROWS, settings=["ag_news_bilstm"])
    loaded = [key for key, one in study.settings.items() if "classifier" in vars(one)]
    assert loaded == ["ag_news_bilstm"]


def test_settings_do_not_share_their_networks(study: Study) -> None:
    one, other = (study.settings[key] for key in ("ag_news_bilstm", "planted_bilstm"))
    one.others["x"] = box("x")
    assert other.others == {}
    assert one.others is one.others


def test_texts_are_cut_from_the_front_or_from_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XAI_DATA_DIR", raising=False)
    words = [text.replace(".", "").split() for text in load_dataset("planted", "test").texts]

    def read(**profile: Any) -> list[list[str]]:
        texts = Setting("x", {"dataset": "planted", **profile}).test.texts
        return [text.replace(".", "").split() for text in texts]

    assert read() == read(from_end=True) == words
    assert read(max_words=4) == read(max_words=4, from_end=False) == [one[:4] for one in words]
    assert read(max_words=4, from_end=True) == [one[-4:] for one in words]


def test_a_profile_can_ask_for_neutral_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XAI_DATA_DIR", raising=False)
    entry = ZooEntry("planted_binary", "bilstm", ScratchRecipe(), max_words=9, neutral="mask")
    monkeypatch.setitem(ZOO, "mine", entry)
    given: list[Any] = []

    def load(name: str, *_: Any, splits: Any, **__: Any) -> Any:
        given.append(splits)
        return box(name)

    monkeypatch.setattr(study_module, "load_named", load)
    profile = {"dataset": "planted_binary", "max_words": 9, "black_box": "mine"}
    made = Setting("x", {**profile, "neutral": "mask"})
    assert made.test.sha256 == entry.data("test").sha256
    assert made.classifier.name == "mine"
    # What is read already is handed over only if it is what the black box reads.
    assert Setting("x", profile).classifier.name == "mine"
    (same, other) = given
    assert (same, other) == ((made.train, made.test), None)


# Rows -----------------------------------------------------------------------------------------


def test_a_mean_over_runs_has_a_t_interval() -> None:
    row = runs_row({"setting": "x"}, np.array([0.5, 0.75, 1.0]))
    # Standard deviation 1/4, and the t of two degrees of freedom.
    half = stats.t.ppf(0.975, 2) * 0.25 / math.sqrt(3)
    assert row == {
        "setting": "x", "mean": 0.75, "low": pytest.approx(0.75 - half),
        "high": pytest.approx(0.75 + half), "n": 3,
    }  # fmt: skip
    assert runs_row({}, np.array([0.25])) == {"mean": 0.25, "low": None, "high": None, "n": 1}
    two = runs_row({}, np.array([0.1, 0.9]), 0, 1)
    # 12.7 times 0.4 on either side would be far out of 0 to 1.
    assert (two["mean"], two["low"], two["high"]) == (pytest.approx(0.5), 0, 1)


def test_what_all_runs_say_alike_is_a_share_of_texts() -> None:
    half = np.array([0.0, 0.5, 1.0])
    assert yes_or_no(half) is half
    assert yes_or_no(np.array([0.0, 1.0])).tolist() == [False, True]
    all_of = np.array([1.0, 1.0, np.nan, 1.0, 1.0])
    row = defined_row({}, all_of, 0, share=True)
    # Wilson's lower end where all n succeed is n / (n + z^2).
    z = stats.norm.ppf(0.975)
    assert (row["mean"], row["high"], row["n"]) == (1, 1, 4)
    assert row["low"] == pytest.approx(4 / (4 + z**2))
    # A bootstrap would be certain; and so it is of what is no share.
    assert defined_row({}, all_of, 0)["low"] == 1
    none = np.array([0.0, 0.0, 0.0, 0.0, 1.0])
    values = {"all": all_of, "none": none}
    (pair,) = compare_rows({}, values, [("all", "none")], 0, share=True)
    # On the four texts that both have they differ three times, always the same way.
    assert (pair["test"], pair["n"], pair["difference"]) == ("mcnemar", 4, 0.75)
    assert pair["p"] == pytest.approx(2 * 0.5**3)
    assert compare_rows({}, values, [("all", "none")], 0)[0]["test"] == "wilcoxon"
    mixed = {"all": np.ones(3), "half": half}
    assert compare_rows({}, mixed, [("all", "half")], 0, share=True)[0]["test"] == "wilcoxon"


# Timing ---------------------------------------------------------------------------------------


def test_a_prediction_is_timed_as_a_method_is(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    seen: list[str] = []

    def answer(texts: list[str]) -> np.ndarray:
        now[0] += sum(map(len, texts))
        seen.extend(texts)
        return np.full((len(texts), 2), 0.5)

    known: Any = as_classifier(answer, ["a", "b"], "known")
    known.device = "cpu"
    monkeypatch.setattr("xai_lib.metrics.cost.time.perf_counter", lambda: now[0])

    class Twice:
        def explain(self, texts: Any, classifier: Any, seed: int = 0) -> None:
            assert seed == 4
            classifier.predict_proba([text * 2 for text in texts])
            classifier.predict_proba(texts)

    methods = {"prediction": turns.Prediction(), "twice": Twice()}
    found = turns.in_turns(methods, ["x", "yyy"], known, 4, "key")
    # The first text once before the clock starts; then the methods in turns, in some order.
    of_prediction, of_twice = ["x", "x"], ["xx", "x", "xx", "x"]
    assert seen[:6] in (of_prediction + of_twice, of_twice + of_prediction)
    assert seen[6:] in (["yyy", "yyyyyy", "yyy"], ["yyyyyy", "yyy", "yyy"])
    assert {name: one.tolist() for name, one in found["seconds"].items()} == {
        "prediction": [1, 3], "twice": [3, 9]
    }  # fmt: skip
    assert {name: one.tolist() for name, one in found["model calls"].items()} == {
        "prediction": [1, 1], "twice": [2, 2]
    }  # fmt: skip


def test_a_text_timed_in_rounds_counts_with_their_median(monkeypatch: pytest.MonkeyPatch) -> None:
    now, taken = [0.0], iter([9.0, 1.0, 7.0, 3.0, 2.0, 2.0, 8.0])
    order: list[str] = []

    class Sleeps:
        def __init__(self, name: str) -> None:
            self.name = name

        def explain(self, texts: Any, classifier: Any, seed: int = 0) -> None:
            order.append(self.name)
            now[0] += next(taken) if self.name == "a" else 1.0

    known: Any = as_classifier(lambda texts: np.full((len(texts), 2), 0.5), ["a", "b"], "known")
    monkeypatch.setattr("xai_lib.metrics.cost.time.perf_counter", lambda: now[0])
    methods = {name: Sleeps(name) for name in ("a", "b")}
    found = turns.in_turns(methods, ["x", "y"], known, 0, "key", repeats=3)["seconds"]
    # The first round has the warm-up; each has all methods, and they do not keep one order.
    assert sorted(order[:4]) == ["a", "a", "b", "b"]
    later = list(zip(order[4::2], order[5::2], strict=True))
    assert set(later) == {("a", "b"), ("b", "a")}
    # After the warm-up of 9 seconds: the medians of 1, 7, 3 and of 2, 2, 8.
    assert {name: one.tolist() for name, one in found.items()} == {"a": [3, 2], "b": [1, 1]}


def test_a_part_runs_some_settings_and_joins_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XAI_RESULTS_DIR", str(tmp_path))

    def study(part: str, mean: float) -> Any:
        monkeypatch.setenv("XAI_PART", part)
        found = Study("lipex", "ci", "cpu")
        for key, setting in found.settings.items():
            setting.__dict__["classifier"] = box(key)
        rows = [
            {"setting": key, "method": "lipex", "mean": mean, "low": 0.0, "high": 1.0, "n": 9}
            for key in found.settings
        ]
        return found, found.record("table-3", rows)

    _, whole = study("", 0.25)
    pictures, result = study("imagenette-vgg16,imagenette-inceptionv3", 0.75)
    assert pictures.of("text") == []
    assert pictures.of("image") == ["imagenette-vgg16", "imagenette-inceptionv3"]
    assert [row["mean"] for row in whole.rows] == [0.25] * 4
    assert {row["setting"]: row["mean"] for row in result.rows} == {
        "emotion": 0.25,
        "newsgroups20": 0.25,
        "imagenette-vgg16": 0.75,
        "imagenette-inceptionv3": 0.75,
    }
    names = [[one["name"] for one in found.black_box] for found in (whole, result)]
    assert names[0] == names[1]
    (kept,) = result.provenance["kept"]
    assert kept["settings"] == ["emotion", "newsgroups20"]
    assert pictures.record("table-3", []) == result
    # An item that is new since the others were run.
    rows = [{**row} for row in result.rows if row["mean"] == 0.75]
    new = pictures.record("table-2", rows, settings=["imagenette-vgg16", "imagenette-inceptionv3"])
    assert list(new.rows) == rows
    assert "kept" not in new.provenance


def test_a_part_corrects_kinds_of_comparisons_as_the_whole_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XAI_RESULTS_DIR", str(tmp_path))

    def record(part: str) -> dict[tuple[str, str], float]:
        monkeypatch.setenv("XAI_PART", part)
        found = Study("lipex", "ci", "cpu")
        for key, setting in found.settings.items():
            setting.__dict__["classifier"] = box(key)
        place = {"low": 0.0, "high": 1.0, "n": 9}
        rows = [{"setting": k, "method": "lipex", "mean": 0.5, **place} for k in found.settings]
        pairs = [
            {"setting": k, "first": "lipex", "second": second, "difference": 0.5, "p": p, **place}
            for k in found.settings
            for second, p in (("lime", 0.01), ("random", 0.02))
        ]
        result = found.record("table-3", rows, pairs, kinds=("random",))
        return {(one["setting"], one["second"]): one["p_holm"] for one in result.comparisons}

    # Two families of four, not one of eight; what the part left out is corrected with it.
    expected = {"lime": pytest.approx(0.04), "random": pytest.approx(0.08)}
    for part in ("", "imagenette-vgg16,imagenette-inceptionv3"):
        found = record(part)
        assert len(found) == 8
        assert all(p == expected[second] for (_, second), p in found.items())
