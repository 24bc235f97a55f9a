"""What is drawn anew and what stays, planted words, and what is timed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from xai_lib.experiments.ldav import Sample, checks
from xai_lib.experiments.study import Setting
from xai_lib.explainers import make_explainer

NAME = "ldav-bilstm-planted"


@pytest.mark.parametrize("network", ["bilstm", "transformer"])
def test_all_but_embeddings_and_vectors_is_drawn_anew(
    network: str, make: Callable[..., Any]
) -> None:
    box = make(7, network=network)
    before = {name: value.clone() for name, value in box.model.state_dict().items()}
    checks.redraw(box, 5)
    after = box.model.state_dict()
    assert set(after) == set(before)
    same = {name for name, value in after.items() if torch.equal(value, before[name])}
    assert same == {"embedding.weight", "class_vectors"}
    for name, value in after.items():
        if name not in same:
            assert not (value == before[name]).any(), name
    again = make(7, network=network)
    checks.redraw(again, 5)
    assert again.identity == box.identity
    checks.redraw(again, 6)
    assert not torch.equal(again.model.output.weight, box.model.output.weight)


def spearman(one: list[float], other: list[float]) -> float:
    """Correlate ranks; without ties it is 1 - 6 sum d^2 / (n^3 - n)."""
    n = len(one)
    ranks = [[sum(b < a for b in row) for a in row] for row in (one, other)]
    assert all(sorted(row) == list(range(n)) for row in ranks)
    return 1 - 6 * sum((a - b) ** 2 for a, b in zip(*ranks, strict=True)) / (n**3 - n)


def test_scores_before_and_after(
    sample: Sample, slow: Any, make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "REDRAWN", ("ldav", "occlusion"))
    setting = sample.setting
    others = len(setting.others)
    rows = checks.redrawn_rows(sample)
    box, draws = setting.classifier, [make(0), make(0)]
    for i, one in enumerate(draws):
        checks.redraw(one, sample.seed + 1 + i)
    expected: list[list[float]] = []
    for other in draws:
        expected.append([])
        for text in sample.data.texts[:5]:
            own = slow.predicted(box, text)
            before, after = (slow.occluded(each, text, own) for each in (box, other))
            expected[-1].append(spearman(before, after))
    places = [(row["setting"], row["method"], row["measure"], row["n"]) for row in rows]
    assert places == [
        ("ag_news_bilstm", method, measure, 2)
        for method in ("ldav", "occlusion")
        for measure in ("correlation", "size of the correlation")
    ]
    # LDAV's score of a class reads nothing that was drawn anew.
    for row in rows[:2]:
        assert [row["mean"], row["low"], row["high"]] == pytest.approx([1, 1, 1], abs=1e-12)
    signed, size = np.array(expected).mean(axis=1), np.abs(expected).mean(axis=1)
    assert rows[2]["mean"] == pytest.approx(signed.mean(), abs=1e-9)
    assert rows[3]["mean"] == pytest.approx(size.mean(), abs=1e-9)
    # 12.706 standard errors to each side, with two draws, as far as a correlation goes.
    half = 12.7062 * abs(size[0] - size[1]) / 2
    assert rows[3]["low"] == pytest.approx(max(size.mean() - half, 0), abs=1e-4)
    assert rows[3]["high"] == pytest.approx(min(size.mean() + half, 1), abs=1e-4)
    assert -1 <= rows[2]["low"] <= rows[2]["mean"] < 0.99
    # Some text is predicted otherwise by the other network, and explained for its first class.
    said = [(slow.predicted(box, t), slow.predicted(draws[0], t)) for t in sample.data.texts[:5]]
    assert any(first != second for first, second in said)
    # The calls of the copies are counted: each of the two methods asked them.
    assert len(setting.others) == others + 2
    words = [len(slow.words(text)) for text in sample.data.texts[:5]]
    for copied in (setting.others[f"{NAME}-redrawn{i}"] for i in (4, 5)):
        assert copied.calls == 5 + 5 + sum(words)
    assert setting.classifier.identity == make(0).identity


def test_methods_with_a_target_explain_all_classes(
    sample: Sample, make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("captum")
    monkeypatch.setattr(checks, "REDRAWN", ("input_x_gradient",))
    row, _ = checks.redrawn_rows(sample)
    box = make(0)
    explainer = make_explainer("input_x_gradient", target="all")
    found = []
    for i in (1, 2):
        other = make(0)
        checks.redraw(other, sample.seed + i)
        for text in sample.data.texts[:5]:
            one, two = (explainer.explain([text], b)[0] for b in (box, other))
            own = one.predicted
            found.append(spearman(one.weights[own].tolist(), two.weights[own].tolist()))
    assert row["mean"] == pytest.approx(np.mean(found))


def test_texts_of_one_word_have_no_correlation(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "REDRAWN", ("occlusion",))
    short = setting.test.take(range(5)).first_words(1)
    for row in checks.redrawn_rows(Sample(setting, short, 3)):
        assert (row["mean"], row["n"]) == (None, 0)


def test_planted_words_by_hand(sample: Sample, slow: Any, boxes: dict[str, Any]) -> None:
    rows = checks.planted_rows(sample)
    data = sample.data
    cues = {"joy": ["cheerful", "delighted", "happy", "joyful", "smiling"],
            "sadness": ["gloomy", "lonely", "mournful", "sad", "tearful"],
            "anger": ["angry", "enraged", "furious", "hostile", "outraged"]}  # fmt: skip
    expected = {}
    for training, label, distance in (
        ("ldav", "", "cosine"), ("as printed", "-as-printed", "euclidean"),
        ("without L2", "-without-l2", "cosine"), ("without L3", "-without-l3", "cosine"),
        ("random", "", ""),
    ):  # fmt: skip
        values = []
        for text, gold in zip(data.texts, data.labels, strict=True):
            hits = []
            for run in (0, 1):
                box = boxes[NAME if not label and not run else f"{NAME}{label}-run{run}"]
                if slow.predicted(box, text) != gold:
                    continue
                if training == "random":
                    (one,) = make_explainer("random").explain([text], box, sample.seed)
                    first = int(np.argmax(one.weights[gold]))
                else:
                    first = slow.nearest_first(box, text, distance)[0]
                hits.append(slow.words(text)[first] in cues[data.classes[gold]])
            # A text that no run gets right is left out; the others have the mean of those that do.
            if hits:
                values.append(sum(hits) / len(hits))
        expected[training] = (pytest.approx(sum(values) / len(values)), len(values))
    found = {row["training"]: (row["mean"], row["n"]) for row in rows}
    # The order of the rows is that in which they are made.
    assert list(found) == ["ldav", "random", "as printed", "without L2", "without L3"]
    assert found == expected
    assert min(n for _, n in found.values()) < 7


def test_without_texts_nothing_is_planted(sample: Sample) -> None:
    some = Sample(sample.setting, sample.data.take([]), 3)
    assert [(row["mean"], row["n"]) for row in checks.planted_rows(some)] == [(None, 0)] * 5


def test_what_is_timed(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "OTHERS", ("occlusion", "lime", "random"))
    asked: list[Any] = []

    def in_turns(methods: Any, texts: Any, box: Any, seed: int, key: str, repeats: int) -> Any:
        asked.append((list(methods), texts, box, seed, key, repeats))
        assert methods["lime"].settings()["n_samples"] == 40
        assert methods["occlusion"].settings()["removal"] == "pad"
        seconds = {"prediction": [1.0, 3.0], "ldav": [2.0, 5.0], "occlusion": [8.0, 9.0],
                   "lime": [4.0, 5.0]}  # fmt: skip
        return {"seconds": {name: np.array(one) for name, one in seconds.items()}}

    monkeypatch.setattr(checks, "in_turns", in_turns)
    rows, pairs = checks.cost_rows(sample)
    names = ["prediction", "ldav", "occlusion", "lime"]
    # Random scores cost nothing that one would want to know.
    assert asked == [
        (names, list(sample.data.texts[:2]), sample.setting.classifier, 3, "ag_news_bilstm", 1)
    ]
    assert [(row["method"], row["mean"], row["n"]) for row in rows] == [
        ("prediction", 2.0, 2), ("ldav", 3.5, 2), ("occlusion", 8.5, 2), ("lime", 4.5, 2)
    ]  # fmt: skip
    assert [(p["first"], p["second"], p["difference"]) for p in pairs] == [
        ("ldav", "prediction", 1.5), ("ldav", "occlusion", -5.0), ("ldav", "lime", -1.0)
    ]  # fmt: skip
