"""L2E: what it learns, from whom, and that it says the same whatever is around it."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from xai_lib import as_classifier, explain, load_explainer
from xai_lib.data import load_dataset
from xai_lib.explainers import l2e_fit, make_explainer
from xai_lib.explainers.l2e import L2E, labels
from xai_lib.explainers.l2e_fit import held_out_texts, subword_means
from xai_lib.explainers.l2e_run import outputs_of
from xai_lib.explainers.l2e_student import Student
from xai_lib.explainers.l2e_targets import labels_of_weights
from xai_lib.explanation import Explanation
from xai_lib.models.base import Classifier
from xai_lib.models.huggingface import HuggingFaceClassifier
from xai_lib.models.tiny import tiny_bert
from xai_lib.models.vocabulary import WordVocabulary
from xai_lib.text import make_instance

# What a word counts for the predicted class, said by a teacher that looks at the word alone.
WORTH = {"good": 4.0, "bad": -3.0, "fine": 2.0, "poor": -1.0, "rain": 0.5, "sun": 1.0, "film": 0.0}
TEXTS = (
    "good film, bad rain",
    "the sun was fine",
    "poor poor film in the rain",
    "it was good, fine sun",
    "bad film and fine rain",
    "what rain! good sun, poor film",
    "Fine, a good film of rain",
    "no sun, poor bad film",
)
CLASSES = ("joy", "anger", "fear")
SMALL: dict[str, Any] = {
    "blocks": 2, "heads": 2, "width": 16, "learning_rate": 3e-3, "batch_tokens": 40,
    "precision": "float32",
}  # fmt: skip
FORMULATIONS = pytest.mark.parametrize("formulation", ["ranking", "labelling"])


def make_box(name: str = "tiny", seed: int = 0, max_length: int = 24) -> HuggingFaceClassifier:
    words = " ".join([*WORTH, "the was it what in"])
    model, tokenizer = tiny_bert(
        [words], CLASSES, hidden=16, layers=1, heads=2, max_length=max_length, seed=seed
    )
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter *= 20.0
    return HuggingFaceClassifier(model, tokenizer, name, device="cpu", precision="float32")


@pytest.fixture(scope="module")
def box() -> HuggingFaceClassifier:
    return make_box()


def taught(
    box: Classifier, text: str, sign: float = 1.0, group: str = "position", **changes: Any
) -> Explanation:
    """What a teacher says about the predicted class; it leaves the other classes out."""
    one = box.instance(text, group)
    probabilities = box.predict_proba([text])[0]
    weights = np.full((len(box.classes), one.n_features), np.nan)
    own = [sign * WORTH.get(word.lower(), 0.25) for word in one.features]
    weights[probabilities.argmax()] = own
    given: dict[str, Any] = {
        "text": text,
        "words": one.features,
        "spans": one.feature_spans,
        "classes": box.classes,
        "probabilities": probabilities,
        "predicted": int(probabilities.argmax()),
        "weights": weights,
        "method": "by_hand",
        "seed": 0,
        "model_calls": 1,
        "seconds": 0.0,
        "truncated_words": one.truncated_words,
        "settings": {"group": group},
    }
    return Explanation(**{**given, **changes})


def lessons(box: Classifier, texts: Sequence[str] = TEXTS, **more: Any) -> list[Explanation]:
    return [taught(box, text, **more) for text in texts]


def fitted(box: Classifier, seed: int = 0, **settings: Any) -> L2E:
    changed = {**SMALL, "formulation": "ranking", "epochs": 3, **settings}
    return L2E(**changed).fit(lessons(box), box, seed)


@pytest.fixture(scope="module")
def ready(box: HuggingFaceClassifier) -> L2E:
    return fitted(box)


def scores(found: Explanation) -> np.ndarray:
    """The weights of the predicted class, after a look at the other rows."""
    if found.n_features:
        assert found.explained.tolist() == [c == found.predicted for c in range(len(CLASSES))]
    return found.weights[found.predicted]


def weights_of(explainer: L2E) -> dict[str, np.ndarray]:
    network = explainer.__dict__["_fitted"]
    return {name: value.numpy() for name, value in network.state_dict().items()}


# Learning ---------------------------------------------------------------------------------------


def test_labels_of_eight_texts_are_learnt(box: HuggingFaceClassifier) -> None:
    explainer = fitted(box, formulation="labelling", epochs=120, held_out=0.0)
    assert explainer.facts["history"][-1] < 0.05
    assert explainer.facts["best_epoch"] == 120
    assert explainer.facts["validation"] == []
    for found, lesson in zip(explainer.explain(TEXTS, box), lessons(box), strict=True):
        wanted = labels_of_weights(scores(lesson))
        assert labels(found).tolist() == wanted.tolist()
        assert np.abs(scores(found) - wanted).max() < 0.5


def test_the_order_of_eight_texts_is_learnt(box: HuggingFaceClassifier) -> None:
    explainer = fitted(box, epochs=150, held_out=0.0)
    # Nothing is left but the ties, that cost log 2 each.
    least = []
    for lesson in lessons(box):
        size = np.abs(scores(lesson))
        ties = sum(size[i] == size[j] for i in range(len(size)) for j in range(i))
        least.append(ties * math.log(2) / len(size))
    assert 0 <= explainer.facts["history"][-1] - np.mean(least) < 0.05
    for found, lesson in zip(explainer.explain(TEXTS, box), lessons(box), strict=True):
        size, score = np.abs(scores(lesson)), scores(found)
        for i in range(len(size)):
            for j in range(len(size)):
                assert score[i] > score[j] or size[i] <= size[j]


@FORMULATIONS
@pytest.mark.parametrize("teacher", ["occlusion", "random"])
def test_planted_words_are_found_by_the_student_of_a_good_teacher(
    formulation: str, teacher: str, planted_classifier: HuggingFaceClassifier
) -> None:
    box = planted_classifier
    texts = load_dataset("planted", "train").texts[:900]
    settings: dict[str, Any] = {
        "blocks": 2,
        "heads": 2,
        "width": 64,
        "learning_rate": 1e-3,
        "batch_tokens": 500,
    }
    explainer = L2E(formulation=formulation, epochs=8, patience=2, **settings).fit(
        make_explainer(teacher).explain(texts, box), box
    )
    test = load_dataset("planted", "test")
    right = test.take(np.flatnonzero(box.predict_proba(test.texts).argmax(axis=1) == test.labels))
    assert len(right) >= 350
    hits = [
        int(found.ranking(by="signed")[0]) in planted
        for found, planted in zip(
            explainer.explain(right.texts, box), right.extra["planted"], strict=True
        )
    ]
    if teacher == "occlusion":
        assert np.mean(hits) >= 0.9
    else:
        # One or two of 6 to 14 words: by chance a sixth of the texts have one first.
        assert np.mean(hits) <= 0.35


def test_the_predicted_class_is_read(box: HuggingFaceClassifier) -> None:
    """One text, taught with opposite signs for two classes."""
    every = []
    for label in (0, 1):
        p = np.eye(3)[label] * 0.8 + 0.2 / 3
        for one in lessons(box, sign=(1.0, -1.0)[label]):
            w = np.full_like(one.weights, np.nan)
            w[label] = one.weights[one.predicted]
            changes = {"probabilities": p, "predicted": label, "weights": w}
            every.append(dataclasses.replace(one, **changes))
    explainer = L2E(**SMALL, formulation="labelling", epochs=120, held_out=0.0).fit(every, box)
    text = box.instance(TEXTS[0])
    first, second = explainer.scores([text, text], [0, 1])
    wanted = labels_of_weights(np.array([4.0, 0.0, -3.0, 0.5]))
    assert np.rint(first).tolist() == wanted.tolist()
    assert np.rint(second).tolist() == (-wanted).tolist()


@pytest.mark.parametrize("change", [{"positions": True}, {"initial": "black_box"}, {"window": 2}])
def test_variants_learn_as_well(change: dict[str, Any], box: HuggingFaceClassifier) -> None:
    explainer = fitted(box, formulation="labelling", epochs=120, held_out=0.0, **change)
    assert explainer.facts["history"][-1] < 0.1


def test_sgd_is_plain(box: HuggingFaceClassifier) -> None:
    """One step on one batch: weights move by the rate times the gradient, and no more."""
    settings: dict[str, Any] = {
        "optimizer": "sgd",
        "held_out": 0.0,
        "batch_tokens": 10**6,
        "clip": 1e9,
    }
    one, two = (fitted(box, epochs=1, **settings, learning_rate=rate) for rate in (1e-3, 2e-3))
    start = fitted(box, epochs=1, **settings, learning_rate=1e-30)
    for name, origin in weights_of(start).items():
        if name != "words":
            step = weights_of(one)[name] - origin
            np.testing.assert_allclose(weights_of(two)[name] - origin, 2 * step, atol=3e-6)
    assert one.facts["optimizer"] == "sgd"


def test_gradients_are_cut(box: HuggingFaceClassifier) -> None:
    settings: dict[str, Any] = {
        "optimizer": "sgd",
        "held_out": 0.0,
        "batch_tokens": 10**6,
        "epochs": 1,
    }
    start = fitted(box, **settings, learning_rate=1e-30)
    cut = fitted(box, **settings, learning_rate=1.0, clip=1e-3)
    moved = [
        ((weights_of(cut)[name] - origin) ** 2).sum()
        for name, origin in weights_of(start).items()
        if name != "words"
    ]
    assert math.sqrt(sum(moved)) == pytest.approx(1e-3, rel=1e-3)


def test_a_rate_that_is_too_high_is_named(box: HuggingFaceClassifier) -> None:
    with pytest.raises(ValueError, match=r"loss is not finite.*learning rate below 1e\+30"):
        fitted(box, optimizer="sgd", learning_rate=1e30, clip=1e30, epochs=20)


# What is held out, and which epoch is kept -------------------------------------------------------


def test_the_best_epoch_is_kept(
    box: HuggingFaceClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taught against the validation set, the first epochs are the best."""
    against = lessons(box, sign=-1.0)
    explainer = L2E(**SMALL, formulation="labelling", epochs=60, patience=3)
    done = explainer.fit(lessons(box), box, validation=against)
    facts = done.facts
    best = int(np.argmin(facts["validation"]))
    assert facts["best_epoch"] == best + 1
    assert len(facts["validation"]) == len(facts["history"]) == best + 1 + 3 < 60
    assert (facts["n_texts"], facts["n_validation"]) == (8, 8)
    # The weights are those of that epoch, not of the last.
    only = dataclasses.replace(explainer, epochs=best + 1)
    short = only.fit(lessons(box), box, validation=against)
    for name, value in weights_of(done).items():
        np.testing.assert_array_equal(value, weights_of(short)[name])


def test_held_out_texts_are_a_share_of_the_different_ones() -> None:
    texts = [f"text {i % 40}" for i in range(200)]
    held = held_out_texts(texts, 0.1, np.random.default_rng(0))
    assert len(held) == 4
    assert held < set(texts)
    assert held == held_out_texts(texts, 0.1, np.random.default_rng(0))
    assert held != held_out_texts(texts, 0.1, np.random.default_rng(1))
    assert held_out_texts(texts, 0.0, np.random.default_rng(0)) == frozenset()
    assert len(held_out_texts(["a", "b", "a"], 0.01, np.random.default_rng(0))) == 1
    assert held_out_texts(["a", "a"], 0.5, np.random.default_rng(0)) == frozenset()


def test_texts_whose_weights_are_all_zero_are_dropped(box: HuggingFaceClassifier) -> None:
    nothing = [taught(box, text, sign=0.0) for text in ("film film", "rain")]
    empty = taught(box, "!")
    done = L2E(**SMALL, epochs=1, held_out=0.25).fit([*lessons(box), *nothing, empty], box)
    facts = done.facts
    assert (facts["n_texts"], facts["n_validation"], facts["dropped"]) == (6, 2, 2)
    with pytest.raises(ValueError, match="weights of all 2 texts are 0"):
        L2E(**SMALL).fit(nothing, box)
    with pytest.raises(ValueError, match="nothing to learn from"):
        L2E(**SMALL).fit([empty], box)


def test_facts_say_what_was_fitted(box: HuggingFaceClassifier, ready: L2E) -> None:
    facts = ready.facts
    assert facts["black_box"] == "tiny"
    assert facts["teacher"] == "by_hand"
    assert (facts["n_texts"], facts["n_validation"], facts["dropped"]) == (7, 1, 0)
    assert (facts["optimizer"], facts["seed"], facts["teachers"]) == ("adam", 0, [])
    assert len(facts["history"]) == len(facts["validation"]) == 3
    assert 0 <= facts["bfloat16_agreement"] <= 1
    json.dumps(dict(facts))


def test_losses_are_means_over_words_or_texts(
    box: HuggingFaceClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a rate of nearly 0 the loss is that of the first weights."""
    for formulation in ("ranking", "labelling"):
        settings: dict[str, Any] = {"formulation": formulation, "learning_rate": 1e-30, "epochs": 1}
        done = fitted(box, **settings, held_out=0.0)
        network = done.__dict__["_fitted"]
        total, words = [], 0
        for lesson in lessons(box):
            ids = torch.from_numpy(network.ids(lesson.words, lesson.predicted))[None]
            outputs = network(ids)[0].double().numpy()
            size = scores(lesson)
            words += len(size)
            if formulation == "labelling":
                wanted = labels_of_weights(size) + 2
                share = np.exp(outputs)[np.arange(len(size)), wanted] / np.exp(outputs).sum(axis=1)
                total.append(-np.log(share).sum())
                continue
            v, pairs = outputs[:, 0], 0.0
            for i in range(len(v)):
                for j in range(i + 1, len(v)):
                    both = np.log(np.exp(v[i]) + np.exp(v[j]))
                    bigger = np.sign(abs(size[i]) - abs(size[j]))
                    pairs += both - (v[i] + v[j]) / 2 - bigger * (v[i] - v[j]) / 2
            total.append(pairs / len(v))
        expected = sum(total) / (words if formulation == "labelling" else len(total))
        # Training may multiply in bfloat16.
        assert done.facts["history"][0] == pytest.approx(expected, rel=0.02)


def test_progress_is_told(box: HuggingFaceClassifier) -> None:
    told: list[tuple[int, int, float]] = []
    done = L2E(**SMALL, epochs=2).fit(lessons(box), box, 0, lambda *step: told.append(step))
    assert [(a, b) for a, b, _ in told] == [(1, 2), (2, 2)]
    assert [loss for _, _, loss in told] == done.facts["history"]


# Sameness ---------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_weights(box: HuggingFaceClassifier, ready: L2E) -> None:
    torch.manual_seed(99)
    again, other = fitted(box), fitted(box, seed=1)
    assert again.digest == ready.digest != other.digest
    for name, value in weights_of(ready).items():
        np.testing.assert_array_equal(value, weights_of(again)[name])


@FORMULATIONS
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_company_changes_nothing(
    formulation: str, precision: str, box: HuggingFaceClassifier
) -> None:
    explainer = fitted(box, formulation=formulation, precision=precision)
    texts = [*TEXTS, "", "good", "good bad " * 20, *TEXTS[::-1]]
    before = box.calls
    together = explainer.explain(texts, box)
    assert box.calls - before == len(texts) == sum(one.model_calls for one in together)
    for text, found in zip(texts, together, strict=True):
        (alone,) = explainer.explain([text], box)
        np.testing.assert_allclose(scores(found), scores(alone), atol=1e-5, rtol=0)


def test_scores_need_no_black_box(box: HuggingFaceClassifier, ready: L2E) -> None:
    found = ready.explain(TEXTS, box)
    before = box.calls
    alone = ready.scores([make_instance(text) for text in TEXTS], [one.predicted for one in found])
    assert box.calls == before
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_array_equal(scores(one), other)
        assert other.dtype == np.float64
    with pytest.raises(ValueError, match="not fitted"):
        L2E().scores([make_instance("good")], [0])


@pytest.mark.parametrize(
    "text", ["xyzzy qwfp", "good", "Good GOOD good", "don't 😀 rain", "", "  "]
)
@pytest.mark.parametrize("group", ["position", "type"])
def test_texts_at_the_edge(text: str, group: str, box: HuggingFaceClassifier) -> None:
    explainer = fitted(box, group=group)
    (found,) = explainer.explain([text], box)
    assert found.words == box.instance(text, group).features
    assert np.isfinite(scores(found)).all()
    if text.startswith("Good"):
        # In any case, a word is the same word.
        np.testing.assert_allclose(scores(found), scores(found)[0], atol=1e-6)
    if text.startswith("xyzzy"):
        assert scores(found)[0] == pytest.approx(scores(found)[1], abs=1e-6)


def test_a_type_has_the_mean_of_its_words(box: HuggingFaceClassifier) -> None:
    text = "good film, good sun, bad film"
    of_type = fitted(box, group="type", positions=True)
    (found,) = of_type.explain([text], box)
    one = box.instance(text)
    (each,) = of_type.scores([one], [found.predicted])
    mean = [np.mean([s for s, w in zip(each, one.words, strict=True) if w == word])
            for word in ("good", "film", "sun", "bad")]  # fmt: skip
    np.testing.assert_allclose(scores(found), mean, atol=1e-12)


def test_a_type_s_weight_teaches_each_of_its_words(box: HuggingFaceClassifier) -> None:
    text = ["poor poor film in the rain", "good film of good rain"]
    settings = {**SMALL, "epochs": 2, "held_out": 0.0}
    first, second = (
        L2E(**settings).fit(lessons(box, text, group=group), box) for group in ("position", "type")
    )
    assert first.digest == second.digest


def test_rare_words_teach_the_unknown_one(box: HuggingFaceClassifier) -> None:
    whole = fitted(box, held_out=0.0)
    seldom, start = (
        fitted(box, min_count=2, held_out=0.0, learning_rate=rate) for rate in (3e-3, 1e-30)
    )
    often = {"good", "film", "bad", "rain", "the", "sun", "was", "fine", "poor"}
    once = {"in", "it", "and", "what", "a", "of", "no"}
    assert set(whole.__dict__["_fitted"].vocabulary.words) == often | once
    assert set(seldom.__dict__["_fitted"].vocabulary.words) == often
    # How many words, and in how many bytes, with what parts them.
    assert seldom.facts["vocabulary"] == [9, sum(map(len, often)) + 8]
    moved = weights_of(seldom)["embedding.weight"][1] - weights_of(start)["embedding.weight"][1]
    assert np.abs(moved).max() > 1e-4
    # Where all words are known, nothing teaches it.
    still = fitted(box, held_out=0.0, learning_rate=1e-30)
    np.testing.assert_array_equal(
        weights_of(whole)["embedding.weight"][1], weights_of(still)["embedding.weight"][1]
    )


def test_embeddings_of_the_black_box(box: HuggingFaceClassifier) -> None:
    table = box.model.get_input_embeddings().weight.detach().double().numpy()
    words = ["good", "rain", "xyzzy", "don't"]
    slow = []
    for word in words:
        ids = box.tokenizer(word, add_special_tokens=False)["input_ids"]
        slow.append(sum(table[i] for i in ids) / len(ids))
    expected = np.array(slow) / np.mean([math.sqrt(row @ row) for row in slow])
    found = subword_means(WordVocabulary(words), box).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    start = L2E(**SMALL, initial="black_box", held_out=0.0, epochs=1)
    done = dataclasses.replace(start, learning_rate=1e-30).fit(lessons(box), box)
    known = done.__dict__["_fitted"].vocabulary
    np.testing.assert_allclose(
        weights_of(done)["embedding.weight"][2 : 2 + len(known.words)],
        subword_means(known, box).numpy(),
        atol=1e-6,
    )
    linear = as_classifier(lambda texts: np.full((len(texts), 3), 1 / 3), CLASSES, "linear")
    with pytest.raises(ValueError, match=r"'l2e' needs the embedding layer.*'linear'"):
        start.fit(lessons(linear), linear)


# Several teachers -------------------------------------------------------------------------------


def test_one_student_for_two_teachers_who_disagree(
    box: HuggingFaceClassifier, tmp_path: Path
) -> None:
    both = {"plus": lessons(box), "minus": lessons(box, sign=-1.0)}
    explainer = L2E(**SMALL, formulation="labelling", epochs=150, held_out=0.0)
    done = explainer.fit_several(both, box)
    assert done.facts["teachers"] == ["plus", "minus"]
    assert done.facts["n_texts"] == 16
    minus = done.as_teacher("minus")
    for i, lesson in enumerate(lessons(box)):
        wanted = labels_of_weights(scores(lesson))
        assert labels(done.explain([TEXTS[i]], box)[0]).tolist() == wanted.tolist()
        assert labels(minus.explain([TEXTS[i]], box)[0]).tolist() == (-wanted).tolist()
    assert (done.teacher, minus.teacher, minus.settings()["teacher"]) == ("", "minus", "minus")
    assert done.digest == minus.digest
    again = load_explainer(minus.save(tmp_path))
    assert again.explain(TEXTS, box) == minus.explain(TEXTS, box)
    with pytest.raises(ValueError, match=r"'lime'.*plus, minus"):
        done.as_teacher("lime")


def test_a_text_is_held_out_for_all_teachers(
    box: HuggingFaceClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = {"plus": lessons(box), "minus": lessons(box, sign=-1.0)}
    seen: list[Any] = []

    def held(texts: list[str], *_: object) -> frozenset[str]:
        seen.append(texts)
        return frozenset(TEXTS[:3])

    monkeypatch.setattr(l2e_fit, "held_out_texts", held)
    done = L2E(**SMALL, epochs=1).fit_several(both, box)
    assert (done.facts["n_texts"], done.facts["n_validation"]) == (10, 6)
    assert seen == [[*TEXTS, *TEXTS]]


def test_teachers_that_make_no_sense(box: HuggingFaceClassifier, ready: L2E) -> None:
    with pytest.raises(ValueError, match=r"at least two teachers, got \['one'\]"):
        L2E(**SMALL).fit_several({"one": lessons(box)}, box)
    both = {"plus": lessons(box), "minus": lessons(box, sign=-1.0)}
    with pytest.raises(ValueError, match=r"\['lime'\].*plus, minus"):
        L2E(**SMALL).fit_several(both, box, validation={"lime": lessons(box)})
    with pytest.raises(ValueError, match=r"'lime'.*none, it was not fitted by fit_several"):
        ready.as_teacher("lime")
    with pytest.raises(ValueError, match=r"'lime'.*plus, minus"):
        L2E(**SMALL, teacher="lime").fit_several(both, box)
    with pytest.raises(ValueError, match=r"'lime'.*Only fit_several has named ones"):
        L2E(**SMALL, teacher="lime").fit(lessons(box), box)
    with pytest.raises(ValueError, match=r"dict of teachers' names.*got list"):
        L2E(**SMALL).fit_several([lessons(box), lessons(box)], box)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^Teacher 'minus': There is nothing to learn from"):
        L2E(**SMALL).fit_several({**both, "minus": []}, box)


def test_what_is_no_list_of_explanations(box: HuggingFaceClassifier) -> None:
    some = lessons(box)
    for wrong, named in (
        (some[0], "one explanation"), ({"lime": some}, "a dict"), (None, "NoneType")
    ):  # fmt: skip
        with pytest.raises(ValueError, match=rf"got {named}.*fit_several"):
            L2E(**SMALL).fit(wrong, box)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"as_classifier\(function, classes\); got function"):
        L2E(**SMALL).fit(lessons(box), lambda texts: texts)  # type: ignore[arg-type]


def test_explanations_of_two_methods_are_no_teacher(box: HuggingFaceClassifier) -> None:
    some = lessons(box)
    mixed = [*some[:2], dataclasses.replace(some[2], method="occlusion")]
    with pytest.raises(
        ValueError, match=r"2 is by 'occlusion', the first by 'by_hand'.*fit_several"
    ):
        L2E(**SMALL).fit(mixed, box)


def test_a_student_that_is_not_told_how_has_signs(box: HuggingFaceClassifier) -> None:
    # An explanation's positive weights support the class; scores that rank cannot promise that.
    assert L2E().formulation == "labelling"


# Files, errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"formulation": "labelling", "scheme": "three"},
        {"positions": True},
        {"initial": "black_box"},
    ],
)
def test_what_was_saved_explains_the_same(
    change: dict[str, Any], box: HuggingFaceClassifier, tmp_path: Path
) -> None:
    explainer = fitted(box, **change)
    again = load_explainer(explainer.save(tmp_path))
    assert isinstance(again, L2E)
    assert again == explainer
    assert again.facts == explainer.facts
    assert again.explain(TEXTS, box) == explainer.explain(TEXTS, box)
    assert explain(TEXTS[0], box, again) == explainer.explain([TEXTS[0]], box)[0]


@pytest.mark.parametrize("formulation", ["ranking", "labelling"])
def test_a_text_alone_and_among_others_to_the_last_bit(
    formulation: str, box: HuggingFaceClassifier
) -> None:
    explainer = fitted(box, formulation=formulation, width=64)
    texts = [
        " ".join(TEXTS[(i + j) % len(TEXTS)].split()[0] for j in range(2 + i % 5))
        for i in range(40)
    ]
    together = explainer.explain(texts, box)
    alone = [explainer.explain([text], box)[0] for text in texts]
    for one, other in zip(together, alone, strict=True):
        assert one.weights.tobytes() == other.weights.tobytes(), one.text
    # Without positions a word says the same wherever it stands.
    (twice,) = explainer.explain(["good the bad the fine the good"], box)
    assert len({float(twice.weights[twice.predicted, i]) for i in (1, 3, 5)}) == 1


def test_what_is_no_folder(ready: L2E, tmp_path: Path) -> None:
    taken = tmp_path / "notes.txt"
    taken.write_text("mine")
    with pytest.raises(ValueError, match=r"notes.txt is a file, not a folder"):
        ready.save(taken)
    assert taken.read_text() == "mine"
    with pytest.raises(ValueError, match="read from a folder, got NoneType"):
        load_explainer(None)  # type: ignore[arg-type]


def test_labels_need_a_student_that_labels(box: HuggingFaceClassifier, ready: L2E) -> None:
    with pytest.raises(ValueError, match=r"labelling.*by l2e, ranking"):
        labels(ready.explain(["good"], box)[0])
    with pytest.raises(ValueError, match="by by_hand"):
        labels(taught(box, "good"))


def test_another_black_box_is_refused(ready: L2E) -> None:
    with pytest.raises(ValueError, match=r"fitted for the black box 'tiny'.*'other'"):
        ready.explain(["good"], make_box("other", seed=1))
    with pytest.raises(ValueError, match=r"'l2e' explainer is not fitted.*fit"):
        L2E().explain(["good"], make_box())


def test_a_function_is_told_from_another_by_its_classes() -> None:
    def answer(texts: list[str]) -> np.ndarray:
        return np.tile([0.2, 0.5, 0.3], (len(texts), 1))

    function = as_classifier(answer, CLASSES, "function")
    done = fitted(function)
    assert done.explain(["good"], function)[0].predicted == 1
    other = as_classifier(answer, ("a", "b", "c"), "function")
    with pytest.raises(ValueError, match=r"for the classes \['joy'.*\['a', 'b', 'c'\]"):
        done.explain(["good"], other)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"formulation": "sorting"}, "'sorting'.*ranking, labelling"),
        ({"optimizer": "lion"}, "'lion'.*adam, sgd"),
        ({"initial": "zero"}, "'zero'.*random, black_box"),
        ({"ties": "last"}, "'last'.*symmetric, first"),
        ({"scheme": "four"}, "'four'.*five, three"),
        ({"precision": "int8"}, "'int8'.*auto, float32, bfloat16"),
        ({"epochs": 0}, "epochs must be above 0, got 0"),
        ({"clip": float("nan")}, "clip must be above 0, got nan"),
        ({"held_out": 1.0}, "held_out must be at least 0 and below 1, got 1.0"),
        ({"width": 30}, "multiple of the heads, got 30 and 4"),
        ({"width": 9, "heads": 3}, "even.*got 9 and 3"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        L2E(**settings)


def test_auto_takes_bfloat16_only_where_it_says_the_same(
    box: HuggingFaceClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xai_lib.explainers import l2e

    used: list[str] = []

    def outputs(network: Student, inputs: list[np.ndarray], precision: str) -> list[np.ndarray]:
        used.append(precision)
        return outputs_of(network, inputs)

    monkeypatch.setattr(l2e, "fast_bfloat16", lambda _: True)
    monkeypatch.setattr(l2e, "outputs_of", outputs)
    for agreement, precision in ((0.949, "float32"), (0.95, "bfloat16")):
        monkeypatch.setattr(l2e_fit, "bfloat16_agreement", lambda *_, n=agreement: n)
        fitted(box, precision="auto").explain(["good"], box)
        assert used.pop() == precision
    monkeypatch.setattr(l2e, "fast_bfloat16", lambda _: False)
    fitted(box, precision="auto").explain(["good"], box)
    assert used == ["float32"]
