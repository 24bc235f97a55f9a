"""Removal against texts whose words become padding one by one, and its rows by hand."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from xai_lib import papers
from xai_lib.experiments.ldav import EXPLAINED, Sample, removal
from xai_lib.experiments.ldav.layout import PLANTED
from xai_lib.explainers import make_explainer

# Section 4.3.4: "15, 21, 28, 34 and 40 %" on AG News.
SHARES = (0.15, 0.21, 0.28, 0.34, 0.40)
MEASURES = [
    "switching point", "never switches", "same prediction", "log ratio", "comprehensiveness",
    "sufficiency",
]  # fmt: skip


def shuffled(sample: Sample, seed: int, n: int | None = None) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    box = sample.setting.classifier
    return [rng.permutation(box.instance(t).n_features) for t in sample.data.texts[:n]]


def mean_over_runs(
    slow: Any, sample: Sample, boxes: list[Any], rank: Callable[[Any, str], Any], n: int
) -> dict[str, np.ndarray]:
    """Measure the first n texts in each run and average; NaN for the others."""
    found: dict[str, np.ndarray] = {}
    for measure in MEASURES:
        rows = []
        for text in sample.data.texts[:n]:
            runs = [slow.removed(b, text, rank(b, text), SHARES)[measure] for b in boxes]
            rows.append(np.mean(runs, axis=0))
        empty = np.full_like(rows[0], np.nan)
        found[measure] = np.array(rows + [empty] * (len(sample.data) - n))
    return found


def test_removal_against_texts_written_out(
    sample: Sample, slow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "_CHUNK", 3)
    box = sample.setting.classifier
    rankings = {"b": shuffled(sample, 1), "few": shuffled(sample, 2, 4), "a": shuffled(sample, 3)}
    found = removal.remove(sample.instances(box), rankings, box, SHARES)
    assert list(found) == MEASURES
    sizes = [len(slow.words(text)) for text in sample.data.texts]
    assert min(sizes) < 10 < max(sizes)
    for measure, table in found.items():
        assert list(table) == ["b", "few", "a"]
        for name, ranks in rankings.items():
            expected = np.full_like(table[name], np.nan)
            for i, (text, order) in enumerate(zip(sample.data.texts, ranks, strict=False)):
                expected[i] = slow.removed(box, text, order.tolist(), SHARES)[measure]
            np.testing.assert_allclose(table[name], expected, atol=1e-5, rtol=1e-5)
    # Texts of both kinds, and methods that differ.
    assert set(found["never switches"]["a"]) == {0.0, 1.0}
    assert not np.allclose(found["switching point"]["a"], found["switching point"]["b"])
    assert np.isnan(found["comprehensiveness"]["few"]).tolist() == [False] * 4 + [True] * 3


def test_a_prediction_that_never_switches(sample: Sample) -> None:
    box = copy.deepcopy(sample.setting.classifier)
    with torch.no_grad():
        box.model.output.bias[1] += 500
    found = removal.remove(sample.instances(box), {"a": shuffled(sample, 1)}, box, SHARES)
    assert found["switching point"]["a"].tolist() == [1.0] * 7
    assert found["never switches"]["a"].tolist() == [1.0] * 7
    assert (found["same prediction"]["a"] == 1).all()
    np.testing.assert_allclose(found["log ratio"]["a"], 0, atol=1e-12)
    np.testing.assert_allclose(found["comprehensiveness"]["a"], 0, atol=1e-12)


def test_a_text_of_three_words_has_nothing_left_to_lose(sample: Sample, slow: Any) -> None:
    box = sample.setting.classifier
    text = "happy boat runs."
    order = np.array([1, 0, 2])
    found = removal.remove([box.instance(text)], {"a": [order]}, box, SHARES)
    ratio = found["log ratio"]["a"][0]
    own = slow.predicted(box, text)
    whole = [np.log(slow.answer(box, text, order[:k].tolist())[own]) for k in range(4)]
    expected = [whole[min(k, 3)] - whole[0] for k in range(11)]
    np.testing.assert_allclose(ratio[:11], expected, atol=1e-5)
    assert (ratio[3:11] == ratio[3]).all()
    # 2 to 30 % of three words are one word.
    np.testing.assert_allclose(ratio[11:], whole[1] - whole[0], atol=1e-5)


def test_a_text_has_the_mean_of_the_runs() -> None:
    one = {"m": {"a": np.array([1.0, np.nan]), "b": np.array([[1.0, 2.0], [3.0, 4.0]])}}
    two = {"m": {"a": np.array([0.5, np.nan]), "b": np.array([[3.0, 2.0], [0.0, 0.0]])}}
    found = removal.over_runs([one, two])
    np.testing.assert_array_equal(found["m"]["a"], [0.75, np.nan])
    np.testing.assert_array_equal(found["m"]["b"], [[2.0, 2.0], [1.5, 2.0]])


def test_all_runs_are_explained(sample: Sample, slow: Any, boxes: dict[str, Any]) -> None:
    found = removal.removal_values(sample, "ldav", ["ldav", "occlusion", "lime"])
    used = [boxes["ldav-bilstm-planted"], boxes["ldav-bilstm-planted-run1"]]
    lime = make_explainer("lime", n_samples=40)

    def limed(box: Any, text: str) -> Any:
        (one,) = lime.explain([text], box, sample.seed)
        row = one.weights[slow.predicted(box, text)].tolist()
        return sorted(range(len(row)), key=lambda i: -row[i])

    # LIME explains the first three texts only, the others all seven.
    for method, rank, n in (
        ("ldav", slow.nearest_first, 7), ("occlusion", slow.occlusion_first, 7), ("lime", limed, 3),
    ):  # fmt: skip
        expected = mean_over_runs(slow, sample, used, rank, n)
        for measure in MEASURES:
            np.testing.assert_allclose(
                found[measure][method], expected[measure], atol=1e-5, rtol=1e-5
            )


def test_ldav_as_printed_has_networks_of_its_own(
    sample: Sample, slow: Any, boxes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ranked = removal.rank
    asked: list[tuple[Any, ...]] = []

    def fewer(methods: Any, instances: Any, box: Any, *more: Any) -> Any:
        asked.append((box.name, tuple(methods)))
        return ranked([one for one in methods if one == "ldav"], instances, box, *more)

    monkeypatch.setattr(removal, "rank", fewer)
    found = removal.main_values(sample)
    everything = ("ldav", *removal.OTHERS)
    assert len(everything) == 9
    name = "ldav-bilstm-planted"
    assert asked == [
        (name, everything), (name, everything),
        (f"{name}-as-printed-run0", ("ldav",)), (f"{name}-as-printed-run1", ("ldav",)),
    ]  # fmt: skip
    printed = [boxes[f"{name}-as-printed-run{run}"] for run in (0, 1)]

    def euclidean(box: Any, text: str) -> Any:
        return slow.nearest_first(box, text, "euclidean")

    expected = mean_over_runs(slow, sample, printed, euclidean, 7)
    for measure in MEASURES:
        assert list(found[measure]) == ["ldav", "ldav (as printed)"]
        np.testing.assert_allclose(
            found[measure]["ldav (as printed)"], expected[measure], atol=1e-5, rtol=1e-5
        )
    asked.clear()
    removal.pretrained_values(sample)
    assert [methods for _, methods in asked] == [("ldav", "random")] * 2


# Rows -----------------------------------------------------------------------------------------


@pytest.fixture
def values() -> dict[str, dict[str, np.ndarray]]:
    """Five texts, three methods and LDAV as printed; LIME explains the first three."""
    rng = np.random.default_rng(0)
    names = ("ldav", "occlusion", "lime", "ldav (as printed)")
    curves = {name: rng.random((5, 19)) for name in names}
    points = {name: rng.random(5) for name in names}
    curves["lime"][3:] = np.nan
    points["lime"][3:] = np.nan
    return {"log ratio": curves, "switching point": points, "sufficiency": points}


PAIRS = [
    ("ldav", "occlusion"), ("ldav", "lime"), ("ldav", "ldav (as printed)"),
    ("ldav (as printed)", "occlusion"), ("ldav (as printed)", "lime"),
]  # fmt: skip


def test_curves_by_hand(sample: Sample, values: Any) -> None:
    rows, pairs = removal.curve_rows(sample, values, "log ratio")
    curves = values["log ratio"]
    shares = (0.02, 0.04, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3)
    places: list[tuple[Any, Any]] = [(k, None) for k in range(11)]
    places += [(None, share) for share in shares] + [("1-10", None)]
    assert [(r["k"], r["share"], r["method"]) for r in rows] == [
        (*place, name) for place in places for name in curves
    ]
    columns = {place: (j,) for j, place in enumerate(places[:-1])}
    columns[("1-10", None)] = tuple(range(1, 11))
    for row in rows:
        kept = range(3) if row["method"] == "lime" else range(5)
        some = [curves[row["method"]][i, j] for i in kept for j in columns[row["k"], row["share"]]]
        assert row["mean"] == pytest.approx(sum(some) / len(some))
        assert (row["n"], row["setting"], "measure" in row) == (len(kept), "ag_news_bilstm", False)
    assert [(p["k"], p["share"], p["first"], p["second"]) for p in pairs] == [
        (*place, *pair) for place in places[11:] for pair in PAIRS
    ]
    for pair in pairs:
        some = []
        for i in range(3 if pair["second"] == "lime" else 5):
            where = columns[pair["k"], pair["share"]]
            some += [curves[pair["first"]][i, j] - curves[pair["second"]][i, j] for j in where]
        # The texts that LIME leaves out count on neither side.
        assert pair["difference"] == pytest.approx(sum(some) / len(some))
        assert pair["n"] == (3 if pair["second"] == "lime" else 5)
        assert "p_holm" not in pair


def test_what_one_network_says_of_texts_is_a_share(sample: Sample) -> None:
    kept = {"ldav": np.ones((6, 19)), "random": np.ones((6, 19))}
    kept["ldav"][1:, 14] = 0.0
    values = {
        "same prediction": kept,
        "log ratio": kept,
        "never switches": {name: table[:, 14] for name, table in kept.items()},
    }
    rows, pairs = removal.curve_rows(sample, values, "same prediction", ("ldav",))
    at = {(row["share"], row["method"]): row for row in rows}
    z2 = stats.norm.ppf(0.975) ** 2
    # Wilson: where all of n stay, the interval begins at n / (n + z^2).
    assert at[0.02, "random"]["low"] == pytest.approx(6 / (6 + z2))
    tests = {pair["share"]: (pair["test"], pair["p"]) for pair in pairs}
    # The column of 10 %: five texts of six change with LDAV alone, 2 / 2^5.
    assert tests[0.1] == ("mcnemar", pytest.approx(2 * 0.5**5))
    rows, pairs = removal.measure_rows(sample, values, ["never switches"])
    assert rows[1]["low"] == pytest.approx(6 / (6 + z2))
    assert [pair["test"] for pair in pairs] == ["mcnemar"]
    # The same numbers as log ratios are no shares.
    rows, pairs = removal.curve_rows(sample, values, "log ratio", ("ldav",))
    assert {pair["test"] for pair in pairs} == {"wilcoxon"}
    assert {row["low"] for row in rows if row["method"] == "random"} == {1.0}


def test_one_item_of_several_curves_names_them(sample: Sample, values: Any) -> None:
    rows, pairs = removal.curve_rows(sample, values, "log ratio", ("ldav",), named=True)
    assert {row["measure"] for row in [*rows, *pairs]} == {"log ratio"}
    assert {pair["first"] for pair in pairs} == {"ldav"}


def test_numbers_of_texts_by_hand(sample: Sample, values: Any) -> None:
    measures = ["switching point", "sufficiency"]
    rows, pairs = removal.measure_rows(sample, values, measures, ["switching point"])
    points = values["switching point"]
    assert [(r["measure"], r["method"]) for r in rows] == [
        (measure, name) for measure in measures for name in points
    ]
    by = {row["method"]: row for row in rows}
    assert by["lime"]["mean"] == pytest.approx(sum(points["lime"][:3]) / 3)
    assert by["ldav"]["mean"] == pytest.approx(sum(points["ldav"]) / 5)
    assert [by["lime"]["n"], by["ldav"]["n"]] == [3, 5]
    assert [(p["measure"], p["first"], p["second"]) for p in pairs] == [
        ("switching point", *pair) for pair in PAIRS
    ]
    assert len(removal.measure_rows(sample, values, measures)[1]) == 2 * len(PAIRS)


def test_a_method_without_texts_has_a_row_and_no_comparison(sample: Sample) -> None:
    points = {"ldav": np.array([0.5, 1.0]), "lime": np.full(2, np.nan)}
    rows, pairs = removal.measure_rows(sample, {"m": points}, ["m"])
    assert [(row["mean"], row["n"]) for row in rows] == [(0.75, 2), (None, 0)]
    assert pairs == []


def test_shares_are_those_of_the_paper() -> None:
    long = (0.10, 0.13, 0.16, 0.20, 0.23)
    settings = papers.paper("ldav").settings
    found = {key: removal.aopc_shares(key) for key in settings if key not in PLANTED}
    pretrained = (0.01, 0.05, 0.10, 0.20, 0.50)
    assert found == {
        "ag_news_bilstm": SHARES, "dbpedia_bilstm": SHARES, "ag_news_transformer": SHARES,
        "dbpedia_transformer": SHARES, "imdb_bilstm": long, "kaggle_bilstm": long,
        "imdb_transformer": long, "kaggle_transformer": long, "imdb_roberta": pretrained,
        "ag_news_roberta": pretrained, "snli_attention": (0.10, 0.20, 0.25, 0.30, 0.35),
    }  # fmt: skip
    assert set(EXPLAINED) <= {*found, *PLANTED}
    with pytest.raises(ValueError, match=r"'planted_bilstm'; known: imdb, kaggle, .*, roberta"):
        removal.aopc_shares("planted_bilstm")
