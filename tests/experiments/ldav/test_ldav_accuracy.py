"""Accuracy, F1 and calibration of made-up answers, by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from xai_lib.data import Dataset
from xai_lib.experiments.ldav import accuracy
from xai_lib.experiments.ldav.accuracy import Answers
from xai_lib.experiments.study import Setting
from xai_lib.models.zoo_entries import ZOO

LABELS = np.array([0, 0, 1, 2])
# What two runs of each training predict of the four texts, and how surely.
SAID = {
    "plain": ([0, 1, 1, 1], [0, 1, 2, 2]),
    "ldav": ([0, 0, 1, 1], [0, 1, 1, 2]),
}
SURE = ([0.9, 0.5, 0.7, 0.6], [0.8, 0.65, 0.9, 1.0])


def given(said: Any, n_classes: int = 3) -> Answers:
    table = np.zeros((len(said), 4, n_classes))
    for r, i in np.ndindex(len(said), 4):
        table[r, i] = (1 - SURE[r][i]) / (n_classes - 1)
        table[r, i, said[r][i]] = SURE[r][i]
    return Answers(table, LABELS)


def slow_f1(said: list[int], n_classes: int) -> float:
    scores = []
    for c in range(n_classes):
        hits = sum(one == gold == c for one, gold in zip(said, LABELS, strict=True))
        false = sum(one == c != gold for one, gold in zip(said, LABELS, strict=True))
        missed = sum(one != c == gold for one, gold in zip(said, LABELS, strict=True))
        both = 2 * hits + false + missed
        scores.append(2 * hits / both if both else 0.0)
    return sum(scores) / n_classes


def test_accuracy_is_gained_text_by_text(setting: Setting) -> None:
    found = {name: given(said) for name, said in SAID.items()}
    rows, pairs = accuracy.accuracy_rows(setting, found, 1)
    by = {(row["measure"], row["training"]): row for row in rows}
    assert list(by) == [
        ("accuracy", "plain"), ("macro-F1", "plain"), ("accuracy", "ldav"), ("macro-F1", "ldav"),
        ("accuracy gained", "ldav"),
    ]  # fmt: skip
    # Shares of the two runs that are right: 1, 0, 1/2, 1/2 and 1, 1/2, 1, 1/2.
    plain, ldav = by["accuracy", "plain"], by["accuracy", "ldav"]
    assert (plain["mean"], ldav["mean"], plain["n"], plain["runs"]) == (0.5, 0.75, 4, 2)
    # Runs are right about 2/4 and 2/4 of the texts, and about 3/4 and 3/4.
    assert (plain["sd"], ldav["sd"]) == (0, 0)
    assert (by["accuracy gained", "ldav"]["mean"], by["accuracy gained", "ldav"]["n"]) == (0.25, 4)
    for name, said in SAID.items():
        scores = [slow_f1(list(run), 3) for run in said]
        row = by["macro-F1", name]
        assert row["mean"] == pytest.approx(sum(scores) / 2)
        half = stats.t.ppf(0.975, 1) * abs(scores[0] - scores[1]) / 2
        # A score is from 0 to 1, wherever two runs would let the interval end.
        assert row["low"] == pytest.approx(max(row["mean"] - half, 0))
        assert row["high"] == pytest.approx(min(row["mean"] + half, 1))
        assert row["n"] == 2
    (pair,) = pairs
    assert (pair["first"], pair["second"], pair["difference"]) == ("ldav", "plain", 0.25)
    # The gain is a mean over texts, of 0, 1/2, 1/2 and 0.
    assert (pair["low"], pair["high"]) == (
        by["accuracy gained", "ldav"]["low"], by["accuracy gained", "ldav"]["high"]
    )  # fmt: skip
    assert 0 <= pair["low"] < 0.25 < pair["high"] <= 0.5


def test_the_spread_over_the_runs(setting: Setting) -> None:
    found = {"plain": given(([0, 1, 1, 1], [0, 0, 1, 2])), "ldav": given(SAID["ldav"][:1])}
    rows, _ = accuracy.accuracy_rows(setting, found, 0)
    spread = [row["sd"] for row in rows if row["measure"] == "accuracy"]
    # 2/4 and 4/4; one run has no spread.
    assert spread == [pytest.approx(math.sqrt(0.125)), None]


def test_one_run_is_a_share_of_texts(setting: Setting) -> None:
    found = {"plain": given([[0, 1, 1, 1]]), "ldav": given([[0, 0, 1, 2]])}
    rows, (pair,) = accuracy.accuracy_rows(setting, found, 1)
    by = {(row["measure"], row["training"]): row for row in rows}
    gained = by["accuracy gained", "ldav"]
    right = {
        name: (one.probabilities[0].argmax(axis=1) == one.labels) for name, one in found.items()
    }
    for name, values in right.items():
        low, high = wilson(int(values.sum()), len(values))
        assert by["accuracy", name]["low"] == pytest.approx(low)
        assert by["accuracy", name]["high"] == pytest.approx(high)
        assert by["macro-F1", name]["low"] is by["macro-F1", name]["high"] is None
    assert pair["test"] == "mcnemar"
    won = int((right["ldav"] & ~right["plain"]).sum())
    lost = int((right["plain"] & ~right["ldav"]).sum())
    assert pair["p"] == pytest.approx(stats.binomtest(won, won + lost).pvalue)
    assert gained["mean"] == pytest.approx((won - lost) / 4)
    assert (gained["low"], gained["high"], gained["n"]) == (pair["low"], pair["high"], 4)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Solve (share - p)^2 = z^2 p (1 - p) / n for p."""
    share, z = hits / n, stats.norm.ppf(0.975)
    a, b, c = 1 + z**2 / n, -(2 * share + z**2 / n), share**2
    low, high = np.sort(np.roots([a, b, c]).real)
    return float(low), float(high)


def test_dbpedia_has_a_fifteenth_class(make_setting: Callable[..., Setting]) -> None:
    setting = make_setting("dbpedia_bilstm", dataset="dbpedia")
    found = {name: given(said, 14) for name, said in SAID.items()}
    rows, _ = accuracy.accuracy_rows(setting, found, 1)
    by = {(row["measure"], row["training"]): row["mean"] for row in rows}
    for name, said in SAID.items():
        scores = [slow_f1(list(run), 14) for run in said]
        assert by["macro-F1 over 14 classes", name] == pytest.approx(sum(scores) / 2)
        assert by["macro-F1", name] == pytest.approx(sum(scores) / 2 * 14 / 15)
    assert len(rows) == 7


def test_all_runs_answer_all_held_out_texts(
    setting: Setting, boxes: dict[str, Any], slow: Any
) -> None:
    setting.__dict__["test"] = setting.test.take(range(5))
    found = accuracy.answers(setting, ("plain", "ldav"))
    assert list(found) == ["plain", "ldav"] == list(accuracy.TRAINED)
    name = "ldav-bilstm-planted"
    for training, run, box in (
        ("plain", 0, f"{name}-plain-run0"), ("plain", 1, f"{name}-plain-run1"),
        ("ldav", 0, name), ("ldav", 1, f"{name}-run1"),
    ):  # fmt: skip
        expected = [slow.answer(boxes[box], text) for text in setting.test.texts]
        np.testing.assert_allclose(found[training].probabilities[run], expected, atol=1e-5)
    assert found["plain"].labels.tolist() == setting.test.labels.tolist()
    said = found["ldav"].probabilities[1].argmax(axis=1)
    assert found["ldav"].right[1].tolist() == (said == setting.test.labels).tolist()


def test_distances_in_the_loss(
    make_setting: Callable[..., Setting], boxes: dict[str, Any], slow: Any
) -> None:
    setting = make_setting(runs=1)
    setting.__dict__["test"] = setting.test.take(range(6))
    rows, pairs = accuracy.euclidean_rows(setting, 0)
    assert [(row["measure"], row["distance"]) for row in rows] == [
        ("accuracy", "euclidean"), ("macro-F1", "euclidean"), ("accuracy", "cosine"),
        ("macro-F1", "cosine"),
    ]  # fmt: skip
    name = "ldav-bilstm-planted"
    right = {}
    for distance, two in (
        ("euclidean", (f"{name}-euclidean-run0", f"{name}-euclidean-run1")),
        ("cosine", (name, f"{name}-run1")),
    ):
        right[distance] = np.mean([
            slow.predicted(boxes[box], text) == label
            for box in two
            for text, label in zip(setting.test.texts, setting.test.labels, strict=True)
        ])  # fmt: skip
    assert [row["mean"] for row in rows[::2]] == [
        pytest.approx(right["euclidean"]), pytest.approx(right["cosine"])
    ]  # fmt: skip
    assert [(p["first"], p["second"]) for p in pairs] == [("cosine", "euclidean")]
    assert pairs[0]["difference"] == pytest.approx(right["cosine"] - right["euclidean"])


def test_calibration_by_hand(setting: Setting) -> None:
    found = {name: given(said) for name, said in SAID.items()}
    rows = accuracy.calibration_rows(setting, found)
    assert [(row["measure"], row["training"]) for row in rows] == [
        ("expected calibration error", "plain"), ("expected calibration error", "ldav")
    ]  # fmt: skip
    for row in rows:
        errors = []
        for run, said in enumerate(SAID[row["training"]]):
            bins: dict[int, list[float]] = {}
            for i in range(4):
                sure = SURE[run][i]
                (number,) = [b for b in range(15) if b / 15 + 1e-9 < sure <= (b + 1) / 15 + 1e-9]
                bins.setdefault(number, []).append(float(said[i] == LABELS[i]) - sure)
            errors.append(sum(abs(sum(gaps)) for gaps in bins.values()) / 4)
        assert (row["mean"], row["n"]) == (pytest.approx(sum(errors) / 2), 2)


def test_sizes_of_the_data(
    make_setting: Callable[..., Setting], boxes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ZOO["ldav-bilstm-planted"]
    monkeypatch.setitem(ZOO, "few", replace(own, recipe=replace(own.recipe, n_train=40)))
    settings = {
        key: make_setting(key, black_box=box)
        for key, box in (
            ("ag_news_bilstm", "bilstm-ag-news"), ("imdb_transformer", "ldav-bilstm-imdb"),
            ("dbpedia_bilstm", "few"),
        )
    }  # fmt: skip
    rows = accuracy.data_rows(settings, ["imdb_transformer", "ag_news_bilstm", "dbpedia_bilstm"])
    box = boxes["ldav-bilstm-planted"]
    known = len({word for text in settings["ag_news_bilstm"].train.texts
                 for word in text.replace(".", " ").split()})  # fmt: skip
    # Padding and the unknown word are counted. The first black box takes all 60 texts, the second
    # would take 20,000, the third takes 40.
    sizes = {"test": len(settings["ag_news_bilstm"].test), "vocabulary": known + 2, "length": 20,
             "classes": 3}  # fmt: skip
    assert rows == [
        {"data": data, "quantity": quantity, "value": value}
        for data, n_train in (("IMDB", 60), ("AG News", 60), ("DBpedia", 40))
        for quantity, value in {"train": n_train, **sizes}.items()
    ]
    assert box.max_length == 20


def test_whether_a_run_is_right_is_a_share_not_a_coin(setting: Setting) -> None:
    """One run: each text is right or not, and a gain of one text in four is 1/4."""
    found = {"plain": given(SAID["plain"][:1]), "ldav": given(SAID["ldav"][:1])}
    rows, _ = accuracy.accuracy_rows(setting, found, 0)
    assert [row["mean"] for row in rows if row["measure"] == "accuracy"] == [0.5, 0.75]
    assert rows[-1]["mean"] == 0.25


def test_labels_of_answers_are_those_of_the_data() -> None:
    data = Dataset("t", "test", ("a", "b"), np.array([1, 0]), ("x", "y"), "generated")
    one = Answers(np.array([[[0.2, 0.8], [0.3, 0.7]]]), data.labels)
    assert one.right.tolist() == [[True, False]]
    assert one.f1().tolist() == [pytest.approx((0 + 2 / 3) / 2)]
