"""Delta Accuracy against texts written out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from xai_lib.experiments.mase import removal
from xai_lib.experiments.mase.sample import Sample
from xai_lib.explainers import make_explainer
from xai_lib.metrics import remove_top

if TYPE_CHECKING:
    from xai_lib.explanation import Explanation


@pytest.fixture(scope="module")
def explained(sample: Sample) -> dict[str, list[Explanation]]:
    texts, box = [one.text for one in sample.instances], sample.setting.classifier
    occlusion = make_explainer("occlusion").explain(texts, box)
    return {
        "lime": make_explainer("random").explain(texts, box, 1),
        "mase": occlusion,
        "random": make_explainer("random").explain(texts, box, 2),
    }


def answers(sample: Sample, run: list[Explanation], by: str, how: str) -> np.ndarray:
    """(n, 11) classes: of each text with its top 0 to 10 words removed, each written out."""
    box = sample.setting.classifier
    found = np.zeros((len(run), 11), dtype=int)
    for i, (one, instance) in enumerate(zip(run, sample.instances, strict=True)):
        row = one.weights[one.predicted]
        row = np.abs(row) if by == "abs" else row
        order = sorted(range(len(row)), key=lambda f: (-row[f], f))
        masks = [[f not in order[:k] for f in range(len(row))] for k in range(11)]
        texts = [instance.render(np.array(mask), how, "[MASK]") for mask in masks]
        found[i] = box.predict_proba(texts).argmax(axis=1)
    return found


def test_delta_rows_against_texts_written_out(
    sample: Sample, explained: dict[str, list[Explanation]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "_CHUNK", 3)
    # The gold class of a text becomes one that a removal leads to: a loss below 0.
    left = answers(sample, explained["mase"], "signed", "drop")
    changed = int(np.flatnonzero(left[:4, 10] != left[:4, 0])[0])
    labels = sample.rounds[0].labels.copy()
    labels[changed] = left[changed, 10]
    monkeypatch.setitem(sample.rounds[0].__dict__, "labels", labels)
    kinds: list[str] = []

    def recorded(*given: Any) -> Any:
        kinds.append(given[-1])
        return remove_top(*given)

    # Classes may well be the same with [MASK] in the place of nothing.
    monkeypatch.setattr(removal, "remove_top", recorded)
    rows, pairs = removal.delta_rows(sample, explained)
    assert kinds == ["drop"] * 3 + ["mask"] * 3
    found = {(r["removal"], r["labels"], r["method"], r["k"]): r for r in rows}
    methods = ["lime", "mase", "mase (absolute)", "random"]
    assert len(found) == len(rows) == 4 * (10 + 4)
    runs = {method: explained[method.partition(" ")[0]] for method in methods}
    tables = {}
    for how in ("drop", "mask"):
        for method in methods:
            by = "abs" if "absolute" in method else "signed"
            after = answers(sample, runs[method], by, how)
            for of, label in (("gold", sample.labels[:, None]), ("predicted", after[:, :1])):
                lost = (after[:, :1] == label) - (after[:, 1:] == label).astype(float)
                tables[how, of, method] = lost
                row = found[how, of, method, "1-10"]
                assert (row["setting"], row["n"]) == ("planted_bert", 8)
                assert row["mean"] == pytest.approx(lost.mean())
                if (how, of) == ("drop", "gold"):
                    for k in range(1, 11):
                        assert found[how, of, method, k]["mean"] == pytest.approx(
                            lost[:, k - 1].mean()
                        )
    assert tables["drop", "gold", "mase"].min() == -1
    assert tables["drop", "gold", "mase"].mean() != tables["drop", "predicted", "mase"].mean()
    compared = [("mase", "mase (absolute)"), ("mase", "lime"), ("mase", "random")]
    compared += [("mase (absolute)", "lime"), ("mase (absolute)", "random")]
    places = [("drop", "gold", k) for k in (*range(1, 11), "1-10")]
    places += [("drop", "predicted", "1-10"), ("mask", "gold", "1-10")]
    places += [("mask", "predicted", "1-10")]
    # Ranked by size only on average, so that Holm's correction is not for what nobody asks.
    expected = [
        (*place, *pair)
        for place in places
        for pair in compared
        if place[2] == "1-10" or pair[0] == "mase"
    ]
    columns = ("removal", "labels", "k", "first", "second")
    assert [tuple(pair[c] for c in columns) for pair in pairs] == expected
    pair = next(p for p in pairs if p["k"] == 2 and p["second"] == "lime")
    two = [tables["drop", "gold", method][:, 1].mean() for method in ("mase", "lime")]
    assert pair["difference"] == pytest.approx(two[0] - two[1])
    assert (pair["n"], "p_holm" in pair) == (8, False)
