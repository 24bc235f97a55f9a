"""The experiments of LIPEx against slow, obvious forms of the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xai_lib.experiments import lipex as run
from xai_lib.experiments.study import Study, progress
from xai_lib.explainers.lipex import Lipex
from xai_lib.explanation import Explanation
from xai_lib.models.huggingface import HuggingFaceClassifier
from xai_lib.report.results import load_result

COUNTS = {"rounds": 2, "per_round": 3, "texts": 8, "full": 120, "base": 60, "budgets": [20, 120]}


@pytest.fixture(scope="module")
def study(planted_classifier: HuggingFaceClassifier) -> Study:
    return Study("lipex", "ci", device="cpu", seed=1)


@pytest.fixture(scope="module")
def sample(study: Study) -> run.Sample:
    return run.gather(study.settings["emotion"], 1, 9, **COUNTS)


def fake(weights: list[list[float]], probabilities: list[float]) -> Explanation:
    return Explanation(
        text="a b c d",
        words=("a", "b", "c", "d"),
        spans=((0, 1), (2, 3), (4, 5), (6, 7)),
        classes=("x", "y", "z"),
        probabilities=np.array(probabilities),
        predicted=int(np.argmax(probabilities)),
        weights=np.array(weights),
        method="lipex",
        seed=0,
        model_calls=1,
        seconds=0.0,
    )


def test_gather_gives_rounds_the_full_budget(sample: run.Sample) -> None:
    assert len(sample.instances) == 8
    assert sample.rounds.tolist() == [0, 0, 0, 1, 1, 1]
    assert [int(near.counts.sum()) for near in sample.near] == [120] * 6 + [60] * 2
    assert all(len(one.words) >= 9 for one in sample.instances)
    assert len({one.text for one in sample.instances}) == 8


def test_explaining_from_stored_answers_equals_explaining_texts(sample: run.Sample) -> None:
    lipex = Lipex(n_samples=60, group="type")
    stored = sample.explain(lipex, 3)
    texts = [one.text for one in sample.instances[:3]]
    direct = lipex.explain(texts, sample.setting.classifier, seed=1)
    for one, other in zip(stored, direct, strict=True):
        assert one.words == other.words
        # float32 on disk; L-BFGS may stop a step earlier or later.
        np.testing.assert_allclose(one.weights, other.weights, atol=2e-3)


def test_lime_gets_as_many_features_as_lipex(sample: run.Sample) -> None:
    ours = sample.explain(Lipex(n_samples=60, n_features=1, group="type"), 3)
    lime = sample.lime_like(ours, 120)
    for one, other in zip(ours, lime, strict=True):
        size = int((one.weights != 0).any(axis=0).sum())
        assert ((other.weights != 0).sum(axis=1) == size).all()


def test_removal_table_against_texts_written_out(sample: run.Sample) -> None:
    found = {
        "lipex": sample.explain(Lipex(n_samples=60, group="type"), 6),
        "random": run.baselines(sample, 6)["random"],
    }
    rows, pairs = run.removal_table(sample, found, "lipex", n_samples=60, pooled=True)
    black_box = sample.setting.classifier
    changed = np.zeros((6, 5))
    for i, one in enumerate(found["lipex"]):
        before = black_box.predict_proba([one.text])[0].argmax()
        order = sorted(
            range(len(one.words)), key=lambda f, one=one: (-abs(one.weights[one.predicted, f]), f)
        )
        for k in run.KS:
            mask = np.ones(len(one.words), dtype=bool)
            mask[order[:k]] = False
            text = sample.instances[i].render(mask)
            changed[i, k - 1] = black_box.predict_proba([text])[0].argmax() != before
    by_k = {row["k"]: row for row in rows if row["method"] == "lipex"}
    assert [by_k[k]["mean"] for k in run.KS] == pytest.approx(changed.mean(axis=0))
    assert by_k[run.POOLED]["mean"] == pytest.approx(changed.mean())
    rounds = changed[:, 0].reshape(2, 3).mean(axis=1)
    assert by_k[1]["sd"] == pytest.approx(rounds.std(ddof=1))
    assert {(pair["k"], pair["second"]) for pair in pairs} == {
        (k, "random") for k in (*run.KS, run.POOLED)
    }
    assert all(pair["n_samples"] == 60 for pair in pairs)


def test_holm_counts_all_comparisons_of_the_table() -> None:
    corrected = run.with_holm([{"p": 0.01}, {"p": 0.04}, {"p": 0.03}])
    # Sorted 0.01 x 3, 0.03 x 2, then the running maximum for 0.04.
    assert [pair["p_holm"] for pair in corrected] == pytest.approx([0.03, 0.06, 0.06])


def test_class_overlap_by_hand() -> None:
    # Rows of the two most probable classes, y and x: strongest first a d c b, and c d b a.
    one = fake(
        [[0.1, -0.2, 0.9, 0.5], [4.0, 0.1, 1.0, -2.0], [0.0, 0.0, 0.0, 0.0]], [0.3, 0.6, 0.1]
    )
    assert run.class_overlap([one], k=2) == pytest.approx([1 / 3])
    assert run.class_overlap([one], k=1) == pytest.approx([0.0])
    assert run.class_overlap([one], k=5) == pytest.approx([1.0])


def test_distance_rows_by_hand() -> None:
    rows = run.distance_rows(np.array([0.0, 0.05, 0.1, 0.4]), "emotion", "lipex", seed=0)
    assert {row["statistic"]: row["mean"] for row in rows} == pytest.approx(
        {"mean": 0.1375, "share_at_most_0.05": 0.5, "share_at_most_0.1": 0.75}
    )


def test_histogram_rows_count_every_value_once() -> None:
    rows = run.histogram_rows(np.array([0.0, 0.049, 0.051, 1.0]), "emotion", "lipex", seed=0)
    assert [row["from"] for row in rows] == pytest.approx(np.arange(20) / 20)
    shares = {round(row["from"], 2): row["mean"] for row in rows if row["mean"]}
    assert shares == {0.0: 0.5, 0.05: 0.25, 0.95: 0.25}
    assert {(row["statistic"], row["n"]) for row in rows} == {("bin", 4)}


def test_matrix_rows_lists_the_strongest_words_of_each_class() -> None:
    one = fake(
        [[0.1, -0.2, 0.9, 0.5], [4.0, 0.1, 1.0, -2.0], [0.0, 0.3, 0.0, 0.0]], [0.3, 0.6, 0.1]
    )
    rows = run.matrix_rows([one], classes=2, k=2)
    assert [(row["class"], row["feature"], row["weight"]) for row in rows] == [
        ("y", "a", 4.0),
        ("y", "d", -2.0),
        ("x", "c", 0.9),
        ("x", "d", 0.5),
    ]


@pytest.mark.parametrize(("n_features", "delta"), [(12, np.pi / 4), (30, np.pi / 8), (5, 0.1)])
def test_expected_within_counts_sizes(n_features: int, delta: float) -> None:
    inside = [
        s
        for s in range(1, n_features + 1)
        if np.degrees(np.arccos(np.sqrt(1 - s / n_features))) <= np.degrees(delta) + 1e-9
    ]
    expected = 1 + 999 * len(inside) / n_features
    assert run.expected_within(n_features, 1000, delta) == pytest.approx(expected)


def test_angle_rows_leave_out_texts_without_near_perturbations(sample: run.Sample) -> None:
    rows, pairs, counts = run.angle_rows(sample, ["pi/16", "pi/2"])
    by_place = {(row["delta"], row["series"]): row for row in rows}
    # 9 to 14 words: one word less is already more than pi/16 away.
    assert by_place["pi/16", "lipex"]["n"] == 0
    assert by_place["pi/16", "lipex"]["mean"] is None
    # Nothing is left out at the widest angle, so each list is compared with itself.
    assert by_place["pi/2", "lipex"]["mean"] == by_place["pi/2", "lime"]["mean"] == 1.0
    within = {row["delta"]: row["mean"] for row in counts}
    assert within == pytest.approx({"pi/16": 1.0, "pi/2": (6 * 120 + 2 * 60) / 8})
    assert [pair["delta"] for pair in pairs] == ["pi/2"]


def test_distortion_without_noise_moves_nothing(sample: run.Sample) -> None:
    rows, pairs = run.distortion_rows(sample, 2, [0.0, 2.0], 1)
    still = {row["series"]: row["mean"] for row in rows if row["sigma"] == 0.0}
    assert still["model_tv"] == still["lipex_tv"] == 0.0
    moved = {row["series"]: row["mean"] for row in rows if row["sigma"] == 2.0}
    assert moved["model_tv"] > 0.05
    assert pairs[1]["difference"] == pytest.approx(moved["lipex_tv"] - moved["model_tv"])


def test_variants_cover_every_reading(sample: run.Sample) -> None:
    rows = run.variant_rows(sample, Lipex(n_samples=60, group="type"), 3)
    names = {row["variant"] for row in rows}
    assert names == {*run.VARIANTS, run.SIGNED}
    measures = {row["measure"] for row in rows if row["variant"] == "pi = 1"}
    assert measures == {
        "changed at K = 1", "changed at K = 5", "class foreseen at K = 5",
        "total variation at the text",
    }  # fmt: skip


def test_timing_counts_the_models_calls(study: Study, sample: run.Sample) -> None:
    texts = [one.text for one in sample.instances[:2]]
    rows, pairs = run.timing_rows(
        study.settings["emotion"], texts, {"lipex": [30, 60], "lime": [60]}, 0
    )
    assert [(row["method"], row["n_samples"]) for row in rows] == [
        ("lipex", 30), ("lipex", 60), ("lime", 60),
    ]  # fmt: skip
    assert all(0 < row["model_calls"] <= row["n_samples"] for row in rows)
    assert pairs[0]["difference"] == pytest.approx(rows[0]["mean"] - rows[2]["mean"])


def test_record_names_stand_ins_and_counts_costs_once(
    study: Study, sample: run.Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XAI_RESULTS_DIR", str(tmp_path))
    rows = run.distance_rows(np.array([0.0, 0.2]), "emotion", "lipex", seed=1)
    study.record("figure-3", rows, settings=["emotion"])
    second = study.record("figure-3", rows, settings=["emotion"])
    assert second.provenance["model_calls"] == 0
    assert second.provenance["cached_model_calls"] == 0
    box = study.settings["emotion"].classifier
    monkeypatch.setattr(box, "stored_calls", {**box.stored_calls, "a": 30, "b": 12})
    third = study.record("figure-3", rows, settings=["emotion"])
    assert third.provenance["cached_model_calls"] == 42
    second = study.record("figure-3", rows, settings=["emotion"])
    assert (second.provenance["model_calls"], second.provenance["cached_model_calls"]) == (0, 0)
    assert second.data[0]["stands_for"] == "Emotion"
    assert second.black_box[0]["held_out_accuracy"] >= 0.95
    assert load_result("lipex", "figure-3") == second


def test_progress_tells_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    report = progress("things")
    report(1, 4)
    report(4, 4)
    assert capsys.readouterr().err.splitlines() == ["things: 4/4, 0 s left"]
