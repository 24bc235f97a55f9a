"""Class vectors, texts and words in the plane, by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from xai_lib.data.lexicon import Lexicon
from xai_lib.experiments.ldav import Sample, vectors
from xai_lib.experiments.study import Setting
from xai_lib.models.networks import new_network
from xai_lib.models.pair_classifier import as_scratch
from xai_lib.models.vocabulary import WordVocabulary


def test_correlations_by_hand(setting: Setting, boxes: dict[str, Any]) -> None:
    rows = vectors.correlation_rows(setting)
    two = [boxes["ldav-bilstm-planted"], boxes["ldav-bilstm-planted-run1"]]

    def correlation(box: Any, i: int, j: int) -> float:
        one, other = (box.class_vectors[k].tolist() for k in (i, j))
        a, b = ([x - sum(v) / 8 for x in v] for v in (one, other))
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        return dot / math.hypot(*a) / math.hypot(*b)

    names = ("joy", "sadness", "anger")
    assert [(r["class"], r["other"]) for r in rows[:-1]] == [(a, b) for a in names for b in names]
    for row in rows[:-1]:
        i, j = names.index(row["class"]), names.index(row["other"])
        values = [correlation(box, i, j) for box in two]
        assert (row["mean"], row["n"]) == (pytest.approx(sum(values) / 2, abs=1e-6), 2)
    largest = [max(correlation(box, *ij) for ij in ((0, 1), (0, 2), (1, 2))) for box in two]
    last = rows[-1]
    assert (last["class"], last["other"]) == ("largest", "between classes")
    assert last["mean"] == pytest.approx(sum(largest) / 2, abs=1e-6)


def test_the_cosine_gap_of_four_texts() -> None:
    # Directions 0, 90, 60 and 180 degrees; the first two and the third are of class 0.
    root = math.sqrt(3)
    points = np.array([[2.0, 0.0], [0.0, 5.0], [1.0, root], [-3.0, 0.0]])
    found = vectors.cosines(points, np.array([0, 0, 0, 1]))
    within = [(0 + 0.5) / 2, (0 + root / 2) / 2, (0.5 + root / 2) / 2, np.nan]
    between = [-1, 0, -0.5, (-1 + 0 - 0.5) / 3]
    np.testing.assert_allclose(found["cosine within a class"], within, atol=1e-12)
    np.testing.assert_allclose(found["cosine between classes"], between, atol=1e-12)
    np.testing.assert_allclose(found["cosine gap"], np.subtract(within, between), atol=1e-12)


def test_one_class_has_no_gap_and_zero_no_direction() -> None:
    found = vectors.cosines(np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]), np.zeros(3, dtype=int))
    assert found["cosine within a class"].tolist() == [0.5, 0, 0.5]
    assert np.isnan(found["cosine between classes"]).all()


def test_principal_components_of_a_turned_rectangle() -> None:
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))[0]
    flat = np.array([[3, 1, 0.5, 0], [3, -1, -0.5, 0], [-3, 1, -0.5, 0], [-3, -1, 0.5, 0]])
    points, share = vectors.principal(flat @ turn.T + 7)
    # Variances 9, 1 and 0.25.
    assert share == pytest.approx(10 / 10.25)
    for column, wanted in ((0, flat[:, 0]), (1, flat[:, 1])):
        sign = np.sign(points[0, column] * wanted[0])
        np.testing.assert_allclose(sign * points[:, column], wanted, atol=1e-12)


def text_means(slow: Any, box: Any, texts: Any) -> list[list[float]]:
    table = slow.network(box).embedding.weight.tolist()
    found = []
    for text in texts:
        rows = [table[n] for n in slow.numbers(box, text)]
        found.append([sum(column) / len(rows) for column in zip(*rows, strict=True)])
    return found


def test_clouds(
    sample: Sample, boxes: dict[str, Any], slow: Any, distance_of: Callable[..., float]
) -> None:
    rows, pairs, clouds = vectors.cloud_rows(sample)
    name, texts = "ldav-bilstm-planted", sample.data.texts
    used = {"plain": (f"{name}-plain-run0", f"{name}-plain-run1"), "ldav": (name, f"{name}-run1")}
    gaps: dict[str, list[float]] = {}
    shares = {}
    for training, two in used.items():
        table = []
        held = []
        for box in (boxes[one] for one in two):
            means = text_means(slow, box, texts)
            said = [slow.predicted(box, text) for text in texts]
            row = []
            for i in range(7):
                near = {True: [], False: []}  # type: dict[bool, list[float]]
                for j in range(7):
                    if i != j:
                        near[said[i] == said[j]].append(
                            1 - distance_of(means[i], means[j], "cosine")
                        )
                row.append(
                    sum(near[True]) / len(near[True]) - sum(near[False]) / len(near[False])
                    if near[True] and near[False] else math.nan
                )  # fmt: skip
            table.append(row)
            spread = np.sort(np.linalg.eigvalsh(np.cov(np.array(means).T)))[::-1]
            held.append(spread[:2].sum() / spread.sum())
        gaps[training] = [sum(column) / 2 for column in zip(*table, strict=True)]
        shares[training] = sum(held) / 2
    by = {(row["measure"], row["training"]): row for row in rows}
    assert len(by) == len(rows) == 8
    for training in used:
        kept = [one for one in gaps[training] if not math.isnan(one)]
        row = by["cosine gap", training]
        assert (row["mean"], row["n"]) == (
            pytest.approx(sum(kept) / len(kept), abs=1e-6),
            len(kept),
        )
        two = by["variance on two components", training]
        assert (two["mean"], two["n"]) == (pytest.approx(shares[training], abs=1e-6), 2)
    # A text that is alone in its class, in one run, has no cosine within it.
    assert min(by["cosine gap", training]["n"] for training in used) < 7
    difference = [a - b for a, b in zip(gaps["ldav"], gaps["plain"], strict=True)]
    kept = [one for one in difference if not math.isnan(one)]
    pair = next(p for p in pairs if p["measure"] == "cosine gap")
    assert (pair["first"], pair["second"], pair["n"]) == ("ldav", "plain", len(kept))
    assert pair["difference"] == pytest.approx(sum(kept) / len(kept), abs=1e-6)
    assert list(clouds) == ["plain", "ldav"]
    first = boxes[f"{name}-plain-run0"]
    assert clouds["plain"].predicted.tolist() == [slow.predicted(first, text) for text in texts]
    assert clouds["plain"].classes == first.classes
    expected, _ = vectors.principal(np.array(text_means(slow, first, texts)))
    np.testing.assert_allclose(np.abs(clouds["plain"].points), np.abs(expected), atol=1e-5)


def test_a_cloud_alone_is_compared_with_nothing(sample: Sample) -> None:
    rows, pairs, clouds = vectors.cloud_rows(sample, ("plain",))
    assert {row["training"] for row in rows} == {"plain"}
    assert (pairs, list(clouds)) == ([], ["plain"])


def test_texts_of_one_class_have_rows_without_numbers(
    sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        vectors, "embeddings", lambda *_: (np.random.default_rng(1).random((7, 8)), np.zeros(7))
    )
    rows, _, _ = vectors.cloud_rows(sample, ("plain",))
    by = {row["measure"]: (row["mean"], row["n"]) for row in rows}
    assert by["cosine between classes"] == by["cosine gap"] == (None, 0)
    assert by["cosine within a class"][1] == 7


# Words of a plane -----------------------------------------------------------------------------

PLANE = {"good": (3.0, 4.0), "fine": (2.0, 0.0), "bad": (-1.0, 0.0), "dull": (0.0, -2.0)}


def plane_box(first: tuple[float, float], second: tuple[float, float]) -> Any:
    """Four words and the classes negative and positive, where they are put."""
    network = new_network(6, 2, 2)
    network.add_class_vectors()
    with torch.no_grad():
        assert network.class_vectors is not None
        network.class_vectors.copy_(torch.tensor([first, second]))
        network.embedding.weight[1] = torch.tensor([100.0, -100.0])
        network.embedding.weight[2:] = torch.tensor(list(PLANE.values()))
    vocabulary = WordVocabulary(list(PLANE))
    return as_scratch(network, vocabulary, "plane", ["negative", "positive"], "cpu", "float32")


@pytest.fixture
def plane() -> Setting:
    profile = {"black_box": "ldav-bilstm-planted", "runs": 2, "explained_runs": 2}
    found = Setting("imdb_bilstm", profile, "cpu")
    found.__dict__["classifier"] = plane_box((-1.0, 0.0), (1.0, 0.0))
    found.others["ldav-bilstm-planted-run1"] = plane_box((0.0, -3.0), (0.0, 2.0))
    return found


def test_sentiment_words_by_hand(plane: Setting) -> None:
    # "great" and "poor" are unknown to the network and left out.
    lexicon = Lexicon("made up", ("good", "great", "fine"), ("bad", "dull", "poor"), "here")
    rows = vectors.lexicon_rows(plane, lexicon, 0)
    by = {(row["lexicon"], row["class"], row["measure"]): row for row in rows}
    assert len(by) == len(rows) == 10
    # Cosines of good and fine with the positive vectors: 0.6, 1 in run 0 and 0.8, 0 in run 1.
    near = {"good": (1 - 0.6 + 1 - 0.8) / 2, "fine": (1 - 1 + 1 - 0) / 2}
    far = {"good": (1 + 0.6 + 1 + 0.8) / 2, "fine": (1 + 1 + 1 + 0) / 2}
    row = by["positive", "positive", "distance"]
    assert (row["mean"], row["n"]) == (pytest.approx((near["good"] + near["fine"]) / 2), 2)
    row = by["positive", "negative", "distance"]
    assert row["mean"] == pytest.approx((far["good"] + far["fine"]) / 2)
    nearer = by["positive", None, "nearer to its own class"]
    gain = ((far["good"] - near["good"]) + (far["fine"] - near["fine"])) / 2
    assert (nearer["mean"], nearer["n"]) == (pytest.approx(gain), 2)
    # bad is at the negative vector of run 0 and across in run 1, dull the other way round.
    row = by["negative", "negative", "distance"]
    assert row["mean"] == pytest.approx((0 + 1 + 1 + 0) / 4)
    nearer = by["negative", None, "nearer to its own class"]
    assert nearer["mean"] == pytest.approx(((2 - 0) + (1 - 1) + (1 - 1) + (2 - 0)) / 4)
    # A score over two classes is 1 or -1; both means lie on their side in both runs.
    scores = {key[:2]: row["mean"] for key, row in by.items() if key[2] == "score"}
    assert scores == {
        ("positive", "positive"): pytest.approx(1), ("positive", "negative"): pytest.approx(-1),
        ("negative", "negative"): pytest.approx(1), ("negative", "positive"): pytest.approx(-1),
    }  # fmt: skip


PRINTED = [
    {"phrase": "Good fine", "class": "negative", "mean": -1.0},
    {"phrase": "Good fine", "class": "positive", "mean": 1.0},
    {"phrase": "bad", "class": "negative", "mean": -1.0},
    {"phrase": "bad", "class": "positive", "mean": 1.0},
    {"phrase": "dull good", "class": "World", "mean": 0.5},
]


def test_phrases_by_hand(plane: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def published(paper: str, item: str) -> Any:
        asked.append((paper, item))
        return PRINTED

    monkeypatch.setattr(vectors.papers, "published", published)
    rows = vectors.phrase_rows(plane)
    assert asked == [("ldav", "table-9")]
    by = {(row["phrase"], row["class"]): row for row in rows}
    # The last phrase is printed for other classes, so that nothing there can be first.
    assert list(by) == [
        ("Good fine", "negative"), ("Good fine", "positive"), ("Good fine", "printed class first"),
        ("bad", "negative"), ("bad", "positive"), ("bad", "printed class first"),
        ("dull good", "negative"), ("dull good", "positive"), ("dull good", "printed class first"),
    ]  # fmt: skip
    # (2.5, 2) is positive in both runs, so that the printed class is first in both.
    assert by["Good fine", "positive"]["mean"] == pytest.approx(1)
    assert (by["Good fine", "printed class first"]["mean"]) == 1
    # bad is negative in run 0; in run 1 it is as far from both: scores 0, and the first wins.
    assert by["bad", "negative"]["mean"] == pytest.approx(0.5)
    assert by["bad", "positive"]["mean"] == pytest.approx(-0.5)
    first = by["bad", "printed class first"]
    assert (first["mean"], first["n"]) == (0, 2)
    # (1.5, 1) is positive.
    assert by["dull good", "positive"]["mean"] == pytest.approx(1)
    assert by["dull good", "printed class first"] == {
        "setting": "imdb_bilstm", "phrase": "dull good", "class": "printed class first",
        "mean": None, "low": None, "high": None, "n": 0,
    }  # fmt: skip


def test_printed_class_first_is_a_share_of_the_runs(
    plane: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    # (2, 0) and (0, -2): fine dull lies at (1, -1), positive in run 0 and negative in run 1.
    cells = [{"phrase": "fine dull", "class": c, "mean": m}
             for c, m in (("positive", 0.7), ("negative", -0.7))]  # fmt: skip
    monkeypatch.setattr(vectors.papers, "published", lambda *_: cells)
    rows = vectors.phrase_rows(plane)
    assert [(row["class"], row["mean"]) for row in rows] == [
        ("negative", pytest.approx(0)), ("positive", pytest.approx(0)), ("printed class first", 0.5)
    ]  # fmt: skip
