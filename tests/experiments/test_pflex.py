"""The experiments of PFLex against slow, obvious forms of the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from xai_lib.data import load_dataset
from xai_lib.experiments.pflex import (
    agreement,
    arithmetic,
    cost,
    curves,
    distance,
    heads,
    runs,
    stress,
    transfer,
)
from xai_lib.experiments.pflex.sample import Part, Sample
from xai_lib.experiments.rows import compare_rows, defined_row, with_holm
from xai_lib.experiments.study import Setting
from xai_lib.explainers import make_explainer
from xai_lib.explainers.pflex import PFLex
from xai_lib.explanation import Explanation
from xai_lib.metrics import encoder_macs, paired_difference, wilson_interval
from xai_lib.models.huggingface import HuggingFaceClassifier
from xai_lib.text import find_words

FAST = PFLex(group="type", epochs=4, learning_rate=3e-3)


@pytest.fixture(scope="module")
def sample(planted_classifier: HuggingFaceClassifier) -> Sample:
    profile = {"dataset": "planted", "black_box": "tiny-planted"}
    setting = Setting("emotion", profile, "cpu")
    # A cached property: the black box of all tests takes its place.
    setting.__dict__["classifier"] = planted_classifier
    parts = []
    for split, n in (("train", 24), ("test", 9)):
        some = load_dataset("planted", split).take(range(n))
        explained = [
            make_explainer(name, n_samples=60, group="type").explain(some.texts, planted_classifier)
            for name in ("lime", "lipex")
        ]
        instances = [planted_classifier.instance(text, "type") for text in some.texts]
        parts.append(Part(instances, some.labels, *explained))
    return Sample(setting, parts[0], parts[1], seed=3)


@pytest.fixture(scope="module")
def head(sample: Sample) -> PFLex:
    return FAST.fit(sample.train.lime, sample.setting.classifier, seed=0)


def explained(head: PFLex, sample: Sample) -> list[Explanation]:
    texts = [one.text for one in sample.test.instances]
    return head.explain(texts, sample.setting.classifier, 0)


def fake(weights: Sequence[float], method: str = "fake", text: str = "a b c d e") -> Explanation:
    """Explain the second of two classes, and only it."""
    spans = find_words(text)
    return Explanation(
        text=text,
        words=tuple(text[a:b] for a, b in spans),
        spans=spans,
        classes=("x", "y"),
        probabilities=np.array([0.2, 0.8]),
        predicted=1,
        weights=np.stack([np.full(len(spans), np.nan), np.asarray(weights, float)]),
        method=method,
        seed=0,
        model_calls=1,
        seconds=0.0,
    )


def fake_sample(lime: list[Explanation], setting: Setting) -> Sample:
    part = Part([], np.zeros(len(lime), dtype=int), lime, lime)
    return Sample(setting, part, part, seed=0)


# --- rows ---------------------------------------------------------------------------------------


def test_rows_leave_out_what_is_not_defined() -> None:
    row = defined_row({"a": 1}, np.array([1.0, np.nan, 2.0]), 0)
    assert (row["a"], row["mean"], row["n"]) == (1, 1.5, 2)
    nothing = {"mean": None, "low": None, "high": None, "n": 0}
    assert defined_row({}, np.array([np.nan]), 0) == nothing
    values = {
        "one": np.array([1.0, 2.0, np.nan, 5.0]),
        "two": np.array([0.0, np.nan, 3.0, 1.0]),
        "three": np.array([np.nan, np.nan, 3.0, np.nan]),
    }
    wanted = [("one", "two"), ("one", "three"), ("one", "four")]
    (pair,) = compare_rows({"k": 2}, values, wanted, 0)
    assert (pair["first"], pair["second"], pair["k"], pair["n"]) == ("one", "two", 2, 2)
    assert pair["difference"] == pytest.approx(((1 - 0) + (5 - 1)) / 2)
    assert "p_holm" not in pair
    assert [one["p_holm"] for one in with_holm([{"p": 0.02}, {"p": 0.5}])] == [0.04, 0.5]


# --- figure 3 -----------------------------------------------------------------------------------


def test_important_features_by_hand() -> None:
    weights = np.array([0.1, -0.9, 0.5, 0.5, 0.0, 0.2])
    found = distance.important_features(weights, 0.2)
    assert found.tolist() == [False, True, True, False, False, False], "1.2 rounds up, ties first"
    found = distance.important_features(weights, 0.2, by="signed")
    assert found.tolist() == [False, False, True, True, False, False]
    assert distance.important_features(np.array([0.0, 1.0]), 0.01).tolist() == [False, True]


@pytest.mark.parametrize(("metric", "by"), [("euclidean", "signed"), ("cosine", "abs")])
def test_distances_against_the_network_token_by_token(
    sample: Sample, metric: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distance, "_CHUNK", 2)
    values = distance.distance_values(sample, n=3, share=0.2, by=by, metric=metric)
    box = sample.setting.classifier
    for i in range(3):
        one, lime = sample.test.instances[i], sample.test.lime[i]
        encoded = box.tokenizer(one.text, return_offsets_mapping=True, return_tensors="pt")
        with torch.no_grad():
            states = box.model(encoded["input_ids"], output_hidden_states=True).hidden_states
        weight = lime.weights[lime.predicted]
        weight = np.abs(weight) if by == "abs" else weight
        top = set(sorted(range(len(weight)), key=lambda f: (-weight[f], f))[: -(-len(weight) // 5)])
        offsets = encoded["offset_mapping"][0].tolist()
        for layer in range(box.n_layers + 1):
            found: dict[bool, list[float]] = {True: [], False: []}
            first = states[layer][0, 0].double()
            for (start, end), feature in zip(one.spans, one.feature_of_word, strict=True):
                inside = [
                    t for t, (a, b) in enumerate(offsets) if start <= a and b <= end and b > a
                ]
                word = states[layer][0, inside].double().mean(dim=0)
                cosine = float(word @ first / (word.norm() * first.norm()))
                apart = float((word - first).norm()) if metric == "euclidean" else 1 - cosine
                found[int(feature) in top].append(apart)
            for name, which in (("important", True), ("other", False)):
                assert values[name][i, layer] == pytest.approx(np.mean(found[which]), rel=1e-4)


def test_distance_rows_compare_within_texts(sample: Sample) -> None:
    rows, pairs = distance.distance_rows(sample, n=4, share=0.2)
    values = distance.distance_values(sample, n=9, share=0.2)
    assert [row["layer"] for row in rows] == [0, 0, 1, 1, 2, 2]
    for row in rows:
        assert row["mean"] == pytest.approx(values[row["series"]][:4, row["layer"]].mean())
    difference = values["important"][:4] - values["other"][:4]
    assert [pair["difference"] for pair in pairs] == pytest.approx(difference.mean(axis=0))
    assert [(p["first"], p["second"], p["n"]) for p in pairs] == [("important", "other", 4)] * 3


def test_distance_without_other_words(sample: Sample) -> None:
    rows, pairs = distance.distance_rows(sample, n=2, share=1.0)
    assert {row["n"] for row in rows} == {0}
    assert pairs == []
    with pytest.raises(ValueError, match="valid: euclidean, cosine"):
        distance.distance_values(sample, metric="l1")
    with pytest.raises(ValueError, match="valid: abs, signed"):
        distance.distance_values(sample, by="size")
    with pytest.raises(ValueError, match="share must be above 0"):
        distance.distance_values(sample, share=0.0)


# --- figure 6 -----------------------------------------------------------------------------------


def test_stress_against_texts_written_out(sample: Sample, head: PFLex) -> None:
    box = sample.setting.classifier
    second = FAST.fit(sample.train.lime[:3], box, seed=1)
    # Signs matter: what speaks for the class most strongly now comes last.
    opposed = [replace(one, weights=-one.weights) for one in sample.test.lime]
    some = {
        "pflex": [explained(head, sample), explained(second, sample)],
        "lime": [sample.test.lime],
        "occlusion": [opposed],
    }
    ks = (0, 1, 2, 40)
    values = stress.stress_values(sample, some, ks)

    def by_hand(run: list[Explanation]) -> tuple[np.ndarray, np.ndarray]:
        correct, kept = np.zeros((9, 4)), np.zeros((9, 4))
        for i, one in enumerate(run):
            before = box.predict_proba([one.text])[0].argmax()
            row = one.weights[one.predicted]
            order = sorted(range(len(row)), key=lambda f: (-row[f], f))
            for j, k in enumerate(ks):
                gone = {one.words[f] for f in order[:k]}
                mask = np.array([word not in gone for word in sample.test.instances[i].features])
                text = sample.test.instances[i].render(mask)
                after = box.predict_proba([text])[0].argmax()
                correct[i, j] = after == sample.test.labels[i]
                kept[i, j] = after == before
        return correct, kept

    lime = by_hand(sample.test.lime)
    one, two = (by_hand(run) for run in some["pflex"])
    for measure, a, b, c in zip(stress.MEASURES, lime, one, two, strict=True):
        assert values[measure]["lime"].dtype == bool
        np.testing.assert_array_equal(values[measure]["lime"], a)
        np.testing.assert_array_equal(values[measure]["pflex"], (b + c) / 2)
    for measure, turned in zip(stress.MEASURES, by_hand(opposed), strict=True):
        np.testing.assert_array_equal(values[measure]["occlusion"], turned)
    assert values["retention"]["lime"][:, 2].sum() < values["retention"]["occlusion"][:, 2].sum()
    assert values["retention"]["lime"][:, 0].all()
    assert not values["retention"]["lime"][:, 3].all()
    rows, pairs = stress.stress_rows(sample, values, ks)
    found = {(r["measure"], r["method"], r["k"]): r for r in rows}
    assert len(found) == len(rows) == 2 * 3 * 4
    row = found["accuracy", "lime", 1]
    assert row["mean"] == pytest.approx(lime[0][:, 1].mean())
    assert (row["low"], row["high"]) == pytest.approx(wilson_interval(lime[0][:, 1].sum(), 9))
    accuracy = [(p["second"], p["k"]) for p in pairs if p["measure"] == "accuracy"]
    assert accuracy == [
        (other, k) for k in (1, 2, 40, "1-40") for other in ("lime", "occlusion")
    ]  # fmt: skip
    pooled = next(p for p in pairs if p["k"] == "1-40" and p["measure"] == "retention")
    expected = ((one[1] + two[1]) / 2)[:, 1:].mean() - lime[1][:, 1:].mean()
    assert (pooled["first"], pooled["second"]) == ("pflex", "lime")
    assert pooled["difference"] == pytest.approx(expected)
    assert stress.pooled_label() == "1-10"


def test_stress_in_several_calls_is_the_same(
    sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = {"lime": [sample.test.lime[:7]], "lipex": [sample.test.lipex]}
    whole = stress.stress_values(sample, some, (0, 1, 3))
    monkeypatch.setattr(stress, "_CHUNK", 3)
    parts = stress.stress_values(sample, some, (0, 1, 3))
    for measure in whole:
        for method in some:
            assert whole[measure][method].shape == (7, 3)
            np.testing.assert_allclose(whole[measure][method], parts[measure][method], atol=1e-6)


def test_baselines_rank_the_predicted_class_signed(sample: Sample) -> None:
    found = runs.baselines(sample, 2)
    assert {name: [len(run) for run in some] for name, some in found.items()} == {
        "random": [2], "occlusion": [2], "input_x_gradient": [2], "integrated_gradients": [2],
    }  # fmt: skip
    gradient = found["integrated_gradients"][0][0]
    assert gradient.explained.tolist() == [
        c == gradient.predicted for c in range(len(gradient.classes))
    ]
    assert (gradient.weights[gradient.predicted] < 0).any()
    assert gradient.words == sample.test.instances[0].features
    with pytest.raises(ValueError, match="no baseline shap; valid: random"):
        runs.baselines(sample, 1, ["shap"])
    with pytest.raises(ValueError, match="every method needs a run: pflex"):
        stress.stress_values(sample, {"pflex": []})


def test_constant_and_shuffled_weights() -> None:
    one = fake([3.0, 1.0, -2.0, 0.0, 5.0], "lime")
    (flat,) = runs.constant_like([one])
    assert flat.weights[1].tolist() == [1.0] * 5
    assert np.isnan(flat.weights[0]).all()
    mixed = [runs.shuffled([one], seed)[0].weights[1].tolist() for seed in range(20)]
    assert all(sorted(row) == [-2.0, 0.0, 1.0, 3.0, 5.0] for row in mixed)
    assert len({tuple(row) for row in mixed}) > 10
    other = fake([0.0] * 5, text="a b c d f")
    assert runs.shuffled([other, one], 7)[1].weights[1].tolist() == mixed[7], "text by text"


# --- figure 7 -----------------------------------------------------------------------------------


def test_agreement_by_hand(sample: Sample) -> None:
    # Top 40 % of five words are two: by the teacher a and c, by PFLex b and c.
    lime, ours = fake([4.0, 1.0, -3.0, 0.0, 2.0], "lime"), fake([0.5, 1.0, -0.9, 0.0, 0.5])
    values, used = agreement.cosines([ours], [lime], (1.0, 0.4, 0.1))
    whole = (2 + 1 + 2.7 + 1) / np.sqrt((16 + 1 + 9 + 4) * (0.25 + 1 + 0.81 + 0.25))
    top = (2 + 2.7) / np.sqrt((16 + 9) * (0.25 + 0.81))
    np.testing.assert_allclose(values, [[whole, top, 1.0]])
    assert used.tolist() == [[5, 2, 1]]
    own, _ = agreement.cosines([ours], [lime], (0.4,), by="own")
    assert own[0, 0] == pytest.approx((1 + 2.7) / np.sqrt((1 + 9) * (1 + 0.81)))
    _, several = agreement.cosines([ours], [lime], (0.4,), by="both")
    assert several[0, 0] == 3
    found = agreement.agreement_values([ours], [lime])
    assert found["cosine"] == pytest.approx([whole])
    # Ranks 5 3 1 2 4 and 3.5 5 1 2 3.5; their covariance over the product of their deviations.
    a, b = np.array([5, 3, 1, 2, 4]) - 3.0, np.array([3.5, 5, 1, 2, 3.5]) - 3.0
    assert found["spearman"] == pytest.approx([a @ b / np.sqrt((a @ a) * (b @ b))])
    assert [found[f"top-{k}"][0] for k in (1, 3, 5)] == pytest.approx([0.0, 2 / 3, 1.0])


def test_agreement_rows_by_hand(sample: Sample) -> None:
    lime = [fake([4.0, 1.0, -3.0, 0.0, 2.0], "lime"), fake([1.0, 0, 0, 0, 0], "lime")]
    ours = [fake([0.5, 1.0, -0.9, 0.0, 0.5]), fake([-1.0, 0, 0, 0, 0])]
    top, own = (2 + 2.7) / np.sqrt(25 * 1.06), (1 + 2.7) / np.sqrt(10 * 1.81)
    some = {"pflex": [ours, lime], "constant": [runs.constant_like(lime)]}
    judged = fake_sample(lime, sample.setting)
    rows, pairs, drawn = agreement.agreement_rows(judged, some, (0.4, 0.1))
    found = {(row["method"], row["share"]): row for row in rows}
    # PFLex has two runs: the second is LIME itself, so that it agrees entirely.
    assert found["pflex", 0.4]["mean"] == pytest.approx(((top + 1) / 2 + (-1 + 1) / 2) / 2)
    flat = [(4 - 3) / np.sqrt(25 * 2), 1 / np.sqrt(1 * 2)]
    assert found["constant", 0.4]["mean"] == pytest.approx(np.mean(flat))
    assert found["constant", 0.1]["mean"] == pytest.approx(1.0), "the sign of the top word"
    assert (found["pflex", 0.4]["words"], found["pflex", 0.4]["single"]) == (2, 0)
    assert (found["pflex", 0.1]["words"], found["pflex", 0.1]["single"]) == (1, 1)
    by_share = {pair["share"]: pair["difference"] for pair in pairs}
    # One word: PFLex 1 and 1, and -1 and 1, against 1 and 1.
    assert by_share[0.1] == pytest.approx((1 + 0) / 2 - 1)
    assert {(pair["first"], pair["second"]) for pair in pairs} == {("pflex", "constant")}
    np.testing.assert_allclose(drawn["pflex"], [[top, 1.0], [-1.0, -1.0]])
    rows, _, _ = agreement.agreement_rows(judged, {"pflex": [ours]}, (0.4,), by="own")
    assert rows[0]["mean"] == pytest.approx((own - 1) / 2)
    rows, pairs = agreement.overlap_rows(judged, some)
    means = {(row["measure"], row["method"]): row["mean"] for row in rows}
    assert means["top-1", "pflex"] == pytest.approx(((0 + 1) / 2 + 1) / 2)
    assert means["cosine", "constant"] == pytest.approx((4 / np.sqrt(30 * 5) + 1 / np.sqrt(5)) / 2)
    pair = next(p for p in pairs if p["measure"] == "top-1")
    assert pair["difference"] == pytest.approx(0.75 - means["top-1", "constant"])


def test_agreement_leaves_out_texts_where_it_is_not_defined(sample: Sample) -> None:
    lime = [fake([1, 2, 3, 4, 5.0]), fake([0, 0, 0, 0, 0.0])]
    some = {"pflex": [[fake([5, 4, 3, 2, 1.0])] * 2], "random": [[fake([1, 1, 1, 1, 1.0])] * 2]}
    judged = fake_sample(lime, sample.setting)
    rows, pairs, _ = agreement.agreement_rows(judged, some, (1.0,))
    assert [(row["method"], row["n"]) for row in rows] == [("pflex", 1), ("random", 1)]
    assert rows[0]["mean"] == pytest.approx(35 / 55)
    assert [pair["n"] for pair in pairs] == [1]
    rows, _ = agreement.overlap_rows(judged, some)
    flat = next(r for r in rows if (r["measure"], r["method"]) == ("spearman", "random"))
    assert (flat["mean"], flat["n"]) == (None, 0)


def test_agreement_refuses_what_does_not_belong_together() -> None:
    with pytest.raises(ValueError, match="Explanation 0 by 'fake' and by 'lime' are not of"):
        agreement.weight_pairs([fake([1, 2.0], text="a b")], [fake([1, 2.0], "lime", "a c")])
    with pytest.raises(ValueError, match="2 explanations, but 1 to compare with"):
        agreement.weight_pairs([fake([1.0] * 5)] * 2, [fake([1.0] * 5)])
    with pytest.raises(ValueError, match="valid: teacher, own, both"):
        agreement.cosines([], [], by="me")


# --- figure 8 -----------------------------------------------------------------------------------


def test_long_texts() -> None:
    texts = ["one two three", "a b c d e.", "f, g", "h i!", "j"]
    found = cost.long_texts(texts, 3, 3, seed=0)
    assert set(found[:2]) == {"one two three", "a b c d e."}
    assert cost.long_texts(texts, 3, 2, seed=0) == found[:2]
    joined = {f"{a} {b}" for a in texts[2:] for b in texts[2:]}
    assert found[2] in joined
    assert len(find_words(found[2])) >= 3
    with pytest.raises(ValueError, match="give only 3 of 4 with 3 words"):
        cost.long_texts(texts, 3, 4, seed=0)
    assert cost.first_words("one, two three!", 2) == "one, two"


def test_macs_are_those_of_the_inputs_that_the_network_gets(sample: Sample, head: PFLex) -> None:
    box = sample.setting.classifier
    config, text = box.model.config, sample.test.instances[0].text
    vectors = 1 + len(find_words(text))
    shapes: list[tuple[int, ...]] = []
    hook = box.model.register_forward_pre_hook(
        lambda _, args, named: shapes.append(tuple(named["input_ids"].shape)), with_kwargs=True
    )
    try:
        for explainer in (make_explainer("lime", n_samples=50, group="type"), head):
            shapes.clear()
            explainer.explain([text], box, seed=5)
            # On a CPU nothing is padded.
            encoder = sum(
                n * int(encoder_macs(config, width, classes=len(box.classes)))
                for n, width in shapes
            )
            extra = 0
            if explainer is head:
                extra = vectors * (box.width * 512 + 512 * 128 + 128 * 64)
            else:
                assert 40 < sum(n for n, _ in shapes) <= 50
            shapes.clear()
            assert cost.macs(explainer, text, box, 5, config) == encoder + extra
            assert shapes == [], "counting must not run the network"
    finally:
        hook.remove()
    lime = make_explainer("lime", n_samples=50, group="type")
    tokens = len(box.tokenizer(text)["input_ids"])
    whole = int(encoder_macs(cost.BERT_BASE, tokens, classes=len(box.classes)))
    assert cost.macs(lime, text, box, None) == 50 * whole
    paper = vectors * (768 * 512 + 512 * 128 + 128 * 64)
    assert cost.macs(FAST, text, box, None) == cost.macs(FAST, text, box, 0) == whole + paper
    released = replace(FAST, head="released")
    assert cost.macs(released, text, box, None) == whole + vectors * (768 * 128 + 128 * 64)
    with pytest.raises(ValueError, match="the passes of 'saliency' are not counted"):
        cost.macs(make_explainer("saliency"), text, box, 0)


def test_cost_rows(sample: Sample, head: PFLex) -> None:
    found = cost.measure_cost(sample.setting, head, 2, 0, lengths=(5, 10), budgets=(20, 50))
    rows, pairs = cost.cost_rows(sample.setting, found, 0)
    means = {(row["words"], row["method"], row["quantity"]): row["mean"] for row in rows}
    assert len(means) == len(rows) == 2 * 3 * 4
    assert means[5, "pflex", "model_calls"] == means[10, "pflex", "model_calls"] == 1
    # Five words have 2^5 = 32 perturbations, all of which are asked for.
    assert means[5, "lime (50)", "model_calls"] == 32
    assert 10 < means[10, "lime (20)", "model_calls"] <= 20
    assert means[10, "lime (50)", "gmacs"] == pytest.approx(found[10].gmacs["lime (50)"].mean())
    assert 0 < means[10, "lime (50)", "gmacs"] < means[10, "lime (50)", "gmacs_whole"]
    assert means[10, "pflex", "gmacs"] == means[10, "pflex", "gmacs_whole"]
    seconds = found[5].timings["pflex"].seconds - found[5].timings["lime (20)"].seconds
    place = (5, "seconds", "pflex", "lime (20)")
    pair = next(p for p in pairs if (p["words"], p["quantity"], p["first"], p["second"]) == place)
    assert pair["difference"] == pytest.approx(seconds.mean())
    assert pair["mean_second"] == pytest.approx(means[5, "lime (20)", "seconds"])
    assert len(pairs) == 2 * 4 * 2


def test_arithmetic_of_the_printed_numbers() -> None:
    rows = {(row["quantity"], row["words"]): row for row in arithmetic.arithmetic_rows()}
    # 84 934 656 per token; 12, 22 and 32 tokens.
    for words, printed, implied in (
        (10, 1.02, 1.019215872), (20, None, 1.868562432), (30, 2.72, 2.717908992),
    ):  # fmt: skip
        row = rows["GMACs of one pass", words]
        assert (row["printed"], row["implied"]) == (printed, pytest.approx(implied, abs=1e-12))
    short, long = rows["passes of LIME", 10], rows["passes of LIME", 30]
    assert (short["implied"], long["implied"]) == (256, 4096)
    assert short["quotient"] == pytest.approx(261 / 1.019215872)
    assert long["quotient"] == pytest.approx(11147 / 2.717908992)
    assert rows["orders of magnitude", 10]["implied"] == pytest.approx(np.log10(261 / 1.02))
    assert round(rows["orders of magnitude", 30]["implied"], 2) == 3.61
    row = rows["test texts", None]
    assert (row["printed"], row["implied"]) == ("19.77 %, 34.20 %", 1199)
    assert (round(237 / 1199, 4), round(410 / 1199, 4)) == (0.1977, 0.342)
    # Halves and thirds are sixths; a share of 0.123 needs more than 14 texts.
    assert arithmetic.number_of_texts([0.5, 0.3333], 17) == 12
    with pytest.raises(ValueError, match="no number of texts up to 14"):
        arithmetic.number_of_texts([0.123], 14)


# --- added --------------------------------------------------------------------------------------


def test_break_even_by_hand() -> None:
    pflex = np.full(8, 0.2)
    slow = np.array([0.9, 1.1, 0.8, 1.2, 1.0, 1.0, 0.7, 1.3])
    unsure = np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 1.3])
    seconds = {"pflex": pflex, "lime (256)": slow, "lime (2)": np.full(8, 0.1), "lime": unsure}
    rows = curves.break_even_rows("emotion", seconds, 100.0, 20.0, seed=0)
    found = {row["method"]: row for row in rows}
    # 100 + 20 + 0.2 N = 1.0 N.
    sure = found["lime (256)"]
    assert sure["mean"] == pytest.approx(150)
    saved = paired_difference(slow, pflex, 0)
    assert sure["low"] == pytest.approx(120 / saved.high)
    assert sure["high"] == pytest.approx(120 / saved.low)
    assert sure["low"] < 150 < sure["high"]
    assert (sure["teacher_seconds"], sure["training_seconds"], sure["n"]) == (100.0, 20.0, 8)
    assert sure["seconds"] == pytest.approx(1.0)
    assert sure["pflex_seconds"] == pytest.approx(0.2)
    for name in ("lime (2)", "lime"):
        row = found[name]
        assert (row["mean"], row["low"], row["high"]) == (None, None, None)
    single = {"pflex": pflex[:1], "lime": slow[:1]}
    (row,) = curves.break_even_rows("emotion", single, 7.0, 0.0, seed=0)
    assert (row["mean"], row["low"], row["high"]) == (pytest.approx(10), None, None)
    with pytest.raises(ValueError, match="must hold 'pflex': lime"):
        curves.break_even_rows("emotion", {"lime": slow}, 1.0, 1.0, 0)
    with pytest.raises(ValueError, match="must not be negative"):
        curves.break_even_rows("emotion", seconds, -1.0, 1.0, 0)


def test_teacher_size_trains_on_the_first_texts(sample: Sample) -> None:
    steps: list[tuple[int, int]] = []
    rows = curves.teacher_size_rows(
        sample, FAST, (6, 500), n_test=5, report=lambda done, every: steps.append((done, every))
    )
    assert steps == [(1, 2), (2, 2)]
    assert sorted({row["texts"] for row in rows}) == [6, 24]
    box = sample.setting.classifier
    small = FAST.fit(sample.train.lime[:6], box, 0)
    found = small.explain([one.text for one in sample.test.instances[:5]], box)
    ours = {row["measure"]: row for row in rows if row["texts"] == 6}
    words = sum(len(one.spans) for one in sample.train.instances[:6])
    assert {row["words"] for row in ours.values()} == {words}
    agreed = agreement.agreement_values(found, sample.test.lime)
    removed = stress.stress_values(sample, {"head": [found]}, (1,))
    assert {name: row["mean"] for name, row in ours.items()} == pytest.approx(
        {
            "cosine": agreed["cosine"].mean(),
            "spearman": agreed["spearman"].mean(),
            "top-1": agreed["top-1"].mean(),
            "accuracy at k = 1": removed["accuracy"]["head"].mean(),
            "retention at k = 1": removed["retention"]["head"].mean(),
        }
    )
    assert {row["n"] for row in ours.values()} == {5}


def test_variants_are_trained_on_the_same_texts(sample: Sample) -> None:
    found = heads.fit_variants(sample, FAST, seeds=(0, 4), n_train=6)
    assert list(found) == ["paper", "released", "raw", "standardised", "shuffled"]
    assert {len(some) for some in found.values()} == {2}
    box = sample.setting.classifier
    lime = sample.train.lime[:6]
    assert found["raw"][1].digest == replace(FAST, target="raw").fit(lime, box, 4).digest
    assert found["released"][0].head == "released"
    mixed = FAST.fit(runs.shuffled(lime, sample.seed), box, 0)
    assert found["shuffled"][0].digest == mixed.digest != found["paper"][0].digest
    with pytest.raises(ValueError, match="no variant big; valid: paper, released"):
        heads.fit_variants(sample, FAST, names=["big"])


def test_variants_are_compared_with_the_first(sample: Sample, head: PFLex) -> None:
    other = FAST.fit(sample.train.lime[:3], sample.setting.classifier, 1)
    rows, pairs = heads.variant_rows(sample, {"paper": [head, other], "raw": [other]}, n_test=5)
    means = {(row["measure"], row["variant"]): row["mean"] for row in rows}
    one, two = (
        agreement.agreement_values(explained(some, sample)[:5], sample.test.lime)
        for some in (head, other)
    )
    for measure in heads.AGREEMENT:
        both = (one[measure] + two[measure]) / 2
        assert means[measure, "paper"] == pytest.approx(both.mean())
        assert means[measure, "raw"] == pytest.approx(two[measure].mean())
    assert {row["n"] for row in rows} == {5}
    assert [p["measure"] for p in pairs] == list(heads.QUALITY)
    assert {(p["first"], p["second"]) for p in pairs} == {("paper", "raw")}
    gap = (one["cosine"] - two["cosine"]).mean() / 2
    assert pairs[0]["difference"] == pytest.approx(gap)


def test_teachers_are_judged_by_both(sample: Sample, head: PFLex) -> None:
    box = sample.setting.classifier
    taught = {"lime": [head], "lipex": [FAST.fit(sample.train.lipex, box, seed=0)]}
    rows, pairs = heads.teacher_rows(sample, taught, n_test=6)
    means = {(row["teacher"], row["measure"]): row["mean"] for row in rows}
    found = explained(taught["lipex"][0], sample)[:6]
    for judge, reference in (("lime", sample.test.lime), ("lipex", sample.test.lipex)):
        agreed = agreement.agreement_values(found, reference)
        for name in ("spearman", "cosine"):
            assert means["lipex", f"{name} with {judge}"] == pytest.approx(agreed[name].mean())
    removed = stress.stress_values(sample, {"head": [found]}, (1,))["retention"]["head"]
    assert means["lipex", "retention at k = 1"] == pytest.approx(removed.mean())
    assert {(p["first"], p["second"]) for p in pairs} == {("lime", "lipex")}
    pair = next(p for p in pairs if p["measure"] == "retention at k = 1")
    gap = means["lime", "retention at k = 1"] - means["lipex", "retention at k = 1"]
    assert pair["difference"] == pytest.approx(gap)
    assert pair["test"] == "mcnemar"


def test_transfer_compares_own_and_other_texts(
    sample: Sample, head: PFLex, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XAI_CACHE_DIR", str(tmp_path))
    other = load_dataset("planted_binary", "test").take(range(4))
    lime = runs.lime_on(sample.setting, other, 30, seed=0)
    assert [one.text for one in lime] == list(other.texts)
    assert lime[0].classes == sample.setting.classifier.classes
    direct = make_explainer("lime", n_samples=30, group="type")
    expected = direct.explain(other.texts, sample.setting.classifier, 0)
    np.testing.assert_allclose(lime[1].weights, expected[1].weights, atol=1e-5)
    again = FAST.fit(sample.train.lime[:5], sample.setting.classifier, seed=2)
    rows, pairs = transfer.transfer_rows(sample, [head, again], lime)
    means = {(row["texts"], row["measure"]): row for row in rows}
    both = []
    for one in (head, again):
        found = one.explain(other.texts, sample.setting.classifier, 0)
        both.append(agreement.agreement_values(found, lime)["cosine"])
    assert means["other texts", "cosine"]["mean"] == pytest.approx(np.mean(both))
    assert (means["own texts", "cosine"]["n"], means["other texts", "cosine"]["n"]) == (9, 4)
    assert {measure for _, measure in means} == {"cosine", "spearman", "top-1", "top-3", "top-5"}
    pair = next(p for p in pairs if p["measure"] == "cosine")
    assert (pair["first"], pair["second"]) == ("own texts", "other texts")
    assert pair["difference"] == pytest.approx(means["own texts", "cosine"]["mean"] - np.mean(both))
