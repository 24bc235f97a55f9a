"""Noise behind the embedding layer, compared with noise on word vectors."""

from __future__ import annotations

import numpy as np
import pytest

from xai_lib.experiments.mase import BEHIND, Sample, layer_rows
from xai_lib.experiments.mase.removal import delta_values
from xai_lib.explainers import make_explainer
from xai_lib.explanation import Explanation


def explained(some: Sample, method: str, **settings: object) -> list[Explanation]:
    explainer, box = make_explainer(method, **settings), some.setting.classifier
    return [one for part in some.rounds for one in explainer.explain(part.texts, box, part.seed)]


def test_rows_against_texts_explained_directly(sample: Sample) -> None:
    rows, pairs = layer_rows(sample)
    some = sample.head(5)
    assert len(rows) == 2 * 2 * 2
    assert {row["n"] for row in rows} == {5}
    found = {(row["sigma"], row["method"], row["measure"]): row["mean"] for row in rows}
    gaps = {(p["sigma"], p["first"], p["second"]): p["difference"] for p in pairs}
    assert len(gaps) == len(pairs) == 2 * 3
    for sigma in (0.1, 0.5):
        runs = {
            "mase": explained(some, "mase", n_samples=40, sigma=sigma),
            BEHIND: explained(some, "mase", n_samples=40, sigma=sigma, layer="output"),
            "lime": explained(some, "lime", n_samples=40),
            "random": explained(some, "random"),
        }
        ranked = {name: [one.ranking(by="signed") for one in run] for name, run in runs.items()}
        lost = {k: v.mean() for k, v in delta_values(some, ranked)["gold"].items()}
        for name in ("mase", BEHIND):
            assert found[sigma, name, "Delta Accuracy"] == pytest.approx(lost[name])
            r2 = np.mean([one.diagnostics["r2_held_out"] for one in runs[name]])
            assert found[sigma, name, "held-out R2"] == pytest.approx(r2, abs=1e-5)
        for other in ("mase", "lime", "random"):
            assert gaps[sigma, BEHIND, other] == pytest.approx(lost[BEHIND] - lost[other])


def test_without_texts_there_are_no_rows(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sample.setting.profile, "layer_texts")
    assert layer_rows(sample) == ([], [])
