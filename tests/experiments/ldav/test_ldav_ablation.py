"""Other losses, other vectors, other distances, against rankings made word by word."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from xai_lib.data.planted import planted_pairs, planted_texts
from xai_lib.experiments.ldav import Sample, ablation
from xai_lib.experiments.study import Setting
from xai_lib.models.networks import new_network
from xai_lib.models.pair_classifier import as_scratch
from xai_lib.models.vocabulary import WordVocabulary
from xai_lib.models.zoo_entries import ZOO

NAME = "ldav-bilstm-planted"
SHARES = (0.15, 0.21, 0.28, 0.34, 0.40)


def measured(
    slow: Any, sample: Sample, run: list[Any], measure: str, distance: str = "cosine"
) -> list[float]:
    """Mean over the runs of what LDAV does to each text."""
    return [
        sum(
            slow.removed(box, text, slow.nearest_first(box, text, distance), SHARES)[measure]
            for box in run
        )
        / len(run)
        for text in sample.data.texts
    ]


@pytest.fixture
def sample(setting: Setting) -> Sample:
    return Sample(setting, setting.test.take(range(4)), 3)


@pytest.fixture
def runs(boxes: dict[str, Any]) -> dict[str, list[Any]]:
    found = {"ldav": [boxes[NAME], boxes[f"{NAME}-run1"]]}
    for label in (
        "plain", "as-printed", "without-l2", "without-l3", "gold-label", "predicted-label",
    ):  # fmt: skip
        found[label] = [boxes[f"{NAME}-{label}-run{run}"] for run in (0, 1)]
    return found


def test_without_a_term(sample: Sample, slow: Any, runs: dict[str, list[Any]]) -> None:
    rows, pairs = ablation.ablation_rows(sample)
    names = {"ldav": "ldav", "ldav (without L2)": "without-l2", "ldav (without L3)": "without-l3"}
    values = {
        name: measured(slow, sample, runs[label], "switching point")
        for name, label in names.items()
    }
    assert [(row["setting"], row["method"], row["n"]) for row in rows] == [
        ("ag_news_bilstm", name, 4) for name in names
    ]
    for row in rows:
        assert row["mean"] == pytest.approx(np.mean(values[row["method"]]))
    assert [(p["first"], p["second"]) for p in pairs] == [
        ("ldav", name) for name in list(names)[1:]
    ]
    for pair in pairs:
        gap = np.mean(values["ldav"]) - np.mean(values[pair["second"]])
        assert pair["difference"] == pytest.approx(gap, abs=1e-12)
    assert len({round(row["mean"], 6) for row in rows}) == 3


def test_both_distances_on_both_trainings(
    sample: Sample, slow: Any, runs: dict[str, list[Any]]
) -> None:
    rows, pairs = ablation.distance_rows(sample)
    expected = {}
    for training, label in (("ldav", "ldav"), ("as printed", "as-printed")):
        for distance in ("euclidean", "cosine"):
            name = f"ldav ({distance})"
            values = measured(slow, sample, runs[label], "switching point", distance)
            expected[training, name] = float(np.mean(values))
    assert {(row["training"], row["method"]): pytest.approx(row["mean"]) for row in rows} == (
        expected
    )
    assert len(rows) == 4
    assert expected["ldav", "ldav (euclidean)"] != expected["ldav", "ldav (cosine)"]
    found = [(p["training"], p["first"], p["second"], p["difference"]) for p in pairs]
    assert found == [
        (training, "ldav (euclidean)", "ldav (cosine)", pytest.approx(
            expected[training, "ldav (euclidean)"] - expected[training, "ldav (cosine)"]
        ))
        for training in ("ldav", "as printed")
    ]  # fmt: skip


def slow_means(slow: Any, box: Any, texts: Any, labels: Any) -> np.ndarray:
    """Class means of texts, centred, with loops."""
    table = slow.network(box).embedding.weight.numpy()
    sums, counts = np.zeros((3, box.width)), [0, 0, 0]
    for text, label in zip(texts, labels, strict=True):
        numbers = slow.numbers(box, text)[:20]
        sums[label] += sum(table[n] for n in numbers) / len(numbers)
        counts[label] += 1
    means = np.array([row / max(n, 1) for row, n in zip(sums, counts, strict=True)])
    return means - sum(means) / 3


def test_class_means_by_hand(
    setting: Setting, sample: Sample, slow: Any, runs: dict[str, list[Any]]
) -> None:
    # More than are averaged at once, of unequal lengths, and not as many of each class.
    train = planted_texts(700, 3, min_words=3).take(range(5, 650, 1))
    train = train.take(np.flatnonzero((train.labels != 1) | (np.arange(len(train)) % 2 == 0)))
    assert len(train) > 512
    setting.__dict__["train"] = train
    plain = runs["plain"][1]
    calls, others = plain.calls, len(setting.others)
    box = ablation.with_class_means(sample, 1)
    expected = slow_means(slow, plain, train.texts, train.labels)
    np.testing.assert_allclose(box.class_vectors.numpy(), expected, atol=1e-6)
    assert plain.class_vectors is None
    assert plain.calls == calls
    assert box.name == f"{NAME}-plain-run1-class-means"
    assert (len(setting.others), box in setting.boxes) == (others + 1, True)
    texts = list(sample.data.texts)
    np.testing.assert_array_equal(box.predict_proba(texts), plain.predict_proba(texts))


def test_class_means_of_pairs_and_of_a_class_without_texts() -> None:
    data = planted_pairs(12, min_words=1, max_words=2)
    vocabulary = WordVocabulary.of_texts(data.texts)
    network = new_network(len(vocabulary), 3, 4, network="decomposable")
    box: Any = as_scratch(network, vocabulary, "pairs", data.classes, "cpu", "float32", 20)
    some = data.take(np.flatnonzero(data.labels != 2))
    found = ablation.class_means(box, some.texts, some.labels)
    table = network.embedding.weight.detach().double().numpy()
    sums = np.zeros((3, 4))
    for premise, hypothesis, label in zip(
        some.extra["premise"], some.extra["hypothesis"], some.labels, strict=True
    ):
        halves = []
        for part in (premise, hypothesis):
            numbers = [vocabulary.words.index(w) + 2 for w in part.rstrip(".").split()]
            halves.append(sum(table[n] for n in numbers) / len(numbers))
        sums[label] += halves[0] * halves[1] / 4
    np.testing.assert_allclose(found.numpy(), sums - sums.mean(axis=0), atol=1e-7)


@pytest.mark.parametrize(
    ("target", "label"), [("predicted", "gold label"), ("gold", "predicted label")]
)
def test_variants(
    target: str, label: str, sample: Sample, slow: Any, runs: dict[str, list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The other label is the one that the black box itself does not take."""
    own: Any = ZOO[NAME]
    losses = replace(own.recipe.ldav, target=target)
    monkeypatch.setitem(ZOO, NAME, replace(own, recipe=replace(own.recipe, ldav=losses)))
    rows, pairs = ablation.variant_rows(sample)
    means = [ablation.with_class_means(sample, run) for run in (0, 1)]
    of = {
        "learned": (runs["ldav"], "cosine"),
        "as printed": (runs["as-printed"], "euclidean"),
        label: (runs[label.replace(" ", "-")], "cosine"),
        "class means": (means, "cosine"),
    }
    found = {(row["variant"], row["measure"]): row for row in rows}
    assert len(found) == len(rows) == 4 * 4
    for name, (two, distance) in of.items():
        for measure in ("switching point", "comprehensiveness"):
            values = measured(slow, sample, two, measure, distance)
            row = found[name, measure]
            assert (row["mean"], row["n"]) == (pytest.approx(np.mean(values), abs=1e-6), 4)
        accuracy = found[name, "accuracy"]
        first, second = (box.card["accuracy"] for box in two)
        assert accuracy["mean"] == pytest.approx((first + second) / 2)
        # Two runs: the t of one degree of freedom, and half their distance.
        half = stats.t.ppf(0.975, 1) * abs(first - second) / 2
        assert accuracy["high"] - accuracy["mean"] == pytest.approx(half)
        lengths = [
            sum(math.hypot(*vector) for vector in box.class_vectors.tolist()) / 3 for box in two
        ]
        length = found[name, "length of the vectors"]
        assert (length["mean"], length["n"]) == (pytest.approx(sum(lengths) / 2, rel=1e-5), 2)
    assert found["as printed", "length of the vectors"]["mean"] > 10
    assert [(p["measure"], p["first"], p["second"]) for p in pairs] == [
        (measure, "learned", name)
        for measure in ("switching point", "comprehensiveness")
        for name in ("as printed", label, "class means")
    ]
    gap = found["learned", "comprehensiveness"]["mean"] - found[
        "class means", "comprehensiveness"
    ]["mean"]  # fmt: skip
    assert pairs[-1]["difference"] == pytest.approx(gap)


def test_others_explain_networks_without_class_vectors(
    sample: Sample, slow: Any, runs: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ablation, "OTHERS", ("occlusion",))
    found = ablation.plain_values(sample)
    assert {name for table in found.values() for name in table} == {"occlusion"}
    expected = [
        np.mean([
            slow.removed(box, text, slow.occlusion_first(box, text), SHARES)["comprehensiveness"]
            for box in runs["plain"]
        ])
        for text in sample.data.texts
    ]  # fmt: skip
    np.testing.assert_allclose(found["comprehensiveness"]["occlusion"], expected, atol=1e-5)


def test_what_class_vectors_do_to_the_others(sample: Sample) -> None:
    nan = np.nan
    having = {
        "switching point": {"ldav": np.ones(4), "lrp": np.array([0.5, 0.25, 1.0, nan])},
        "comprehensiveness": {"ldav": np.ones(4), "lrp": np.array([0.1, 0.2, 0.3, nan])},
    }
    without = {
        "switching point": {"lrp": np.array([0.25, 0.75, 1.0, nan])},
        "comprehensiveness": {"lrp": np.array([0.0, 0.5, nan, nan])},
        "sufficiency": {"lrp": np.zeros(4)},
    }
    rows, pairs = ablation.helped_rows(sample, having, without)
    assert [(r["measure"], r["method"], r["training"], r["n"]) for r in rows] == [
        ("switching point", "lrp", "ldav", 3), ("switching point", "lrp", "plain", 3),
        ("comprehensiveness", "lrp", "ldav", 3), ("comprehensiveness", "lrp", "plain", 2),
    ]  # fmt: skip
    assert [row["mean"] for row in rows] == pytest.approx([1.75 / 3, 2 / 3, 0.2, 0.25])
    found = [(p["measure"], p["method"], p["first"], p["second"], p["n"]) for p in pairs]
    assert found == [
        ("switching point", "lrp", "ldav", "plain", 3),
        ("comprehensiveness", "lrp", "ldav", "plain", 2),
    ]
    assert [p["difference"] for p in pairs] == pytest.approx([(0.25 - 0.5 + 0) / 3, -0.1])
