"""Planted words by hand; timing in turns with a clock that is counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xai_lib.data.planted import EMOTION_CUES
from xai_lib.experiments import turns
from xai_lib.experiments.mase import METHODS, black_box_rows, cost_rows, planted_rows
from xai_lib.experiments.mase.planted import planted_words, shares
from xai_lib.experiments.mase.sample import Sample
from xai_lib.explainers import make_explainer
from xai_lib.metrics import wilson_interval


def test_planted_words_are_those_of_the_text(sample: Sample) -> None:
    cues = dict(EMOTION_CUES)
    for one, label, planted in zip(
        sample.instances, sample.labels, planted_words(sample), strict=True
    ):
        own = cues[sample.setting.test.classes[label]]
        assert list(planted) == [i for i, word in enumerate(one.features) if word in own]


def test_shares_by_hand(fake: Any) -> None:
    assert shares([fake([0, 1, 0, -2, 0]), fake([1, 1, 1, 1, 1])]).tolist() == [0.4, 1.0]


def test_planted_rows_by_hand(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    box = sample.setting.classifier
    right = box.predict_proba([one.text for one in sample.instances]).argmax(axis=1)
    # The black box is made to be wrong about the first text, so that it must not count.
    labels = right[:4].copy()
    labels[0] = (labels[0] + 1) % 3
    monkeypatch.setitem(sample.rounds[0].__dict__, "labels", labels)
    kept = [i for i in range(8) if right[i] == sample.labels[i]]
    assert 0 not in kept
    rows = planted_rows(sample)
    found = {(r["measure"], r["method"], r["n_samples"]): r for r in rows}
    assert len(found) == len(rows) == 2 * 8 * 2
    planted = planted_words(sample)
    strong = {"sigma": 1.0}
    full = {**strong, "variant": "full", "estimator": "leg"}
    for method, how, name, by_size in (
        ("mase", {}, "mase", False),
        ("mase", {}, "mase (absolute)", True),
        ("mase_sparse", {}, "mase_sparse", False),
        ("mase", {"layer": "output"}, "mase, behind the embedding layer", False),
        ("mase", strong, "mase, strong noise", False),
        ("mase", full, "mase, strong noise in all coordinates", True),
    ):
        explainer = make_explainer(method, n_samples=60, **how)
        runs = [
            one for part in sample.rounds for one in explainer.explain(part.texts, box, part.seed)
        ]
        hits, weights = [], []
        for i in kept:
            row = runs[i].weights[runs[i].predicted]
            best = np.argmax(np.abs(row) if by_size else row)
            hits.append(int(best) in planted[i])
            weights.append(np.count_nonzero(row) / len(row))
        first = found["planted word first", name, 60]
        assert (first["mean"], first["n"]) == (pytest.approx(np.mean(hits)), len(kept))
        assert (first["low"], first["high"]) == pytest.approx(wilson_interval(sum(hits), len(kept)))
        assert found["words with a weight", name, 60]["mean"] == pytest.approx(np.mean(weights))
    assert found["words with a weight", "mase_sparse", 60]["mean"] < 1


class Counter:
    """A black box and its explainers, on a clock that goes on by what they cost."""

    device = "cpu"

    def __init__(self) -> None:
        self.calls, self.now = 0, 0.0
        self.seen: list[str] = []

    def explainer(self, name: str, calls: int, seconds: float) -> Any:
        outer = self

        class Explainer:
            def explain(self, texts: list[str], box: object, seed: int) -> None:
                assert box is outer
                assert seed == 7
                outer.seen += [name + text for text in texts]
                outer.calls += calls
                outer.now += seconds * len(texts[0])

        return Explainer()


def test_methods_are_timed_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    box = Counter()
    monkeypatch.setattr("xai_lib.metrics.cost.time.perf_counter", lambda: box.now)
    methods = {"A": box.explainer("A", 3, 1.0), "B": box.explainer("B", 5, 0.5)}
    found = turns.in_turns(methods, ["x", "yy"], box, 7, "key")  # type: ignore[arg-type]
    # The first text twice, as a warm-up; the order of the methods is drawn.
    assert box.seen[:4] in (["Ax", "Ax", "Bx", "Bx"], ["Bx", "Bx", "Ax", "Ax"])
    assert sorted(box.seen[4:]) == ["Ayy", "Byy"]
    assert found["seconds"]["A"].tolist() == [1.0, 2.0]
    assert found["seconds"]["B"].tolist() == [0.5, 1.0]
    assert found["model calls"]["B"].tolist() == [5, 5]


def test_cost_rows(sample: Sample) -> None:
    pytest.importorskip("captum")
    rows, pairs = cost_rows(sample)
    assert [(r["measure"], r["method"]) for r in rows] == [
        (what, method) for what in ("seconds", "model calls") for method in METHODS
    ]
    calls = {r["method"]: r["mean"] for r in rows if r["measure"] == "model calls"}
    size = sample.instances[0].n_features
    # An even budget leaves one call of MASE without its mirror image.
    assert (calls["mase"], calls["mase_sparse"], calls["occlusion"]) == (39, 39, size + 1)
    assert (calls["integrated_gradients"], calls["smoothgrad"], calls["random"]) == (53, 51, 1)
    assert max(calls["lime"], calls["lipex"], calls["kernel_shap"]) <= 40
    assert [(p["first"], p["second"], p["measure"]) for p in pairs] == [
        ("mase", method, "seconds") for method in METHODS[1:]
    ]
    seconds = {r["method"]: r["mean"] for r in rows if r["measure"] == "seconds"}
    assert pairs[1]["difference"] == pytest.approx(seconds["mase"] - seconds["lime"])


def test_black_box_rows_are_shared(sample: Sample) -> None:
    (row,) = black_box_rows([sample.setting])
    card = sample.setting.classifier.card
    assert (row["setting"], row["data"], row["model"]) == ("planted_bert", "planted", card["name"])
    assert (row["mean"], row["n"]) == (card["accuracy"], card["n_test"])
