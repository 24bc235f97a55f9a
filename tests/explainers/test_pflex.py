"""PFLex against its formulas written out in numpy and against texts whose reason is known."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from xai_lib import as_classifier, explain, explain_corpus, load_explainer
from xai_lib.data import load_dataset
from xai_lib.explainers import pflex
from xai_lib.explainers.amortised import AmortisedExplainer
from xai_lib.explainers.lime import Lime
from xai_lib.explainers.pflex import PFLex, pflex_loss, targets
from xai_lib.explainers.pflex_head import Head
from xai_lib.explainers.teacher_explanations import epochs_of_batches
from xai_lib.explanation import Explanation
from xai_lib.models.huggingface import HuggingFaceClassifier
from xai_lib.models.tiny import tiny_bert
from xai_lib.rng import generator

# What a word counts for the predicted class, said by a teacher that looks at the word alone.
WORTH = {"good": 4.0, "bad": -3.0, "fine": 2.0, "poor": -1.0, "rain": 0.5, "sun": 1.0, "film": 0.0}
TEXTS = (
    "good film, bad rain",
    "the sun was fine",
    "poor poor film in the rain",
    "it was good, fine sun",
    "bad bad bad",
    "what rain! good sun, poor film",
)
CLASSES = ("joy", "anger", "fear")
SHAPES = {"paper": [(512, 16), (128, 512), (64, 128)], "released": [(128, 16), (64, 128)]}
KINDS = pytest.mark.parametrize("kind", ["paper", "released"])


def make_box(seed: int = 0, name: str = "tiny", max_length: int = 24) -> HuggingFaceClassifier:
    """A transformer of random weights, large enough for states to depend on words."""
    words = " ".join([*WORTH, "the was it what in"])
    model, tokenizer = tiny_bert(
        [words], CLASSES, hidden=16, layers=2, heads=2, max_length=max_length, seed=seed
    )
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter *= 20.0
    return HuggingFaceClassifier(model, tokenizer, name, device="cpu", precision="float32")


@pytest.fixture(scope="module")
def box() -> HuggingFaceClassifier:
    return make_box()


def worth(word: str) -> float:
    return WORTH.get(word.lower(), 0.25)


def taught(
    box: HuggingFaceClassifier,
    text: str,
    weight: Callable[[str], float] = worth,
    group: str = "position",
    **changes: Any,
) -> Explanation:
    """What a teacher says about the predicted class; it leaves the other classes out."""
    one = box.instance(text, group)
    probabilities = box.predict_proba([text])[0]
    weights = np.full((len(box.classes), one.n_features), np.nan)
    weights[probabilities.argmax()] = [weight(word) for word in one.features]
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


def lessons(box: HuggingFaceClassifier, *args: Any, **kwargs: Any) -> list[Explanation]:
    return [taught(box, text, *args, **kwargs) for text in TEXTS]


def fitted(box: HuggingFaceClassifier, seed: int = 0, **settings: Any) -> PFLex:
    given = {"epochs": 3, "learning_rate": 1e-2, **settings}
    return PFLex(**given).fit(lessons(box), box, seed)


@pytest.fixture(scope="module")
def ready(box: HuggingFaceClassifier) -> PFLex:
    return fitted(box)


def scores(found: Explanation) -> np.ndarray:
    """The weights of the predicted class, after a look at the other rows."""
    explained = np.arange(len(found.classes)) == found.predicted
    if found.n_features:
        assert found.explained.tolist() == explained.tolist()
    return found.weights[found.predicted]


# Eq. 3 ------------------------------------------------------------------------------------------


def eq3(s: np.ndarray, importance: np.ndarray, penalty: float) -> float:
    """The reconstructed Eq. 3, as a mean over words."""
    return float(np.mean([-i * x + penalty * x * x for i, x in zip(importance, s, strict=True)]))


def both(s: Any, importance: Any, penalty: float) -> tuple[float, np.ndarray]:
    """Value and gradient of the library's loss, in float64."""
    x = torch.tensor(s, dtype=torch.float64, requires_grad=True)
    value = pflex_loss(x, torch.tensor(importance, dtype=torch.float64), penalty)
    assert value.shape == ()
    value.backward()
    assert x.grad is not None
    return value.item(), x.grad.numpy()


def test_loss_of_three_words_by_hand() -> None:
    # -0.5 + 0.25, -0.125 + 0.0625 and 0; the gradient is (2 s - I) / 3.
    value, gradient = both([0.5, -0.25, 0.0], [1.0, 0.5, 0.25], 1.0)
    assert value == pytest.approx((-0.25 + 0.125 + 0.0625 + 0.0) / 3, abs=1e-15)
    np.testing.assert_allclose(gradient, [0.0, -1.0 / 3, -0.25 / 3], atol=1e-15)


@pytest.mark.parametrize("penalty", [0.25, 1.0, 3.0])
def test_the_loss_is_least_squares_on_half_the_weight(penalty: float) -> None:
    rng = np.random.default_rng(1)
    importance = rng.uniform(-1, 1, 40)
    # What is left over has no similarity in it.
    rest = -np.mean(importance**2) / (4 * penalty)
    for _ in range(5):
        s = rng.uniform(-1, 1, 40)
        value, gradient = both(s, importance, penalty)
        assert value == pytest.approx(eq3(s, importance, penalty), abs=1e-14)
        squares = penalty * np.mean((s - importance / (2 * penalty)) ** 2)
        assert value == pytest.approx(squares + rest, abs=1e-14)
        slope = 2 * penalty * (s - importance / (2 * penalty)) / 40
        np.testing.assert_allclose(gradient, slope, atol=1e-15)
        steps = 1e-6 * np.eye(40)
        slow = [
            (eq3(s + e, importance, penalty) - eq3(s - e, importance, penalty)) / 2e-6
            for e in steps
        ]
        np.testing.assert_allclose(gradient, slow, atol=1e-8)


@pytest.mark.parametrize("penalty", [1.0, 2.0])
def test_the_best_cosine_is_half_the_weight(penalty: float) -> None:
    importance = np.array([1.0, -1.0, 0.5, 0.0, -0.125])
    best = importance / (2 * penalty)
    value, gradient = both(best, importance, penalty)
    np.testing.assert_array_equal(gradient, 0.0)
    assert value == pytest.approx(-np.mean(importance**2) / (4 * penalty), abs=1e-15)
    for step in np.random.default_rng(0).normal(size=(20, 5)):
        above = both(best + step, importance, penalty)[0] - value
        assert above == pytest.approx(penalty * np.mean(step**2), abs=1e-13)


# The head ---------------------------------------------------------------------------------------


def in_order(name: str) -> list[Any]:
    """Names with numbers in them, sorted as one counts."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def by_hand(state: dict[str, np.ndarray], h: np.ndarray) -> np.ndarray:
    """Send (m, d) through affine maps, with max(0, .) between them and not behind the last."""
    names = sorted(state, key=in_order)
    matrices = [state[name].astype(np.float64) for name in names if state[name].ndim == 2]
    shifts = [state[name].astype(np.float64) for name in names if state[name].ndim == 1]
    assert len(matrices) == len(shifts)
    x = h.astype(np.float64)
    for layer, (matrix, shift) in enumerate(zip(matrices, shifts, strict=True)):
        if layer:
            x = np.maximum(x, 0.0)
        x = np.array([[row @ out for out in matrix] for row in x]) + shift
    return x


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def arrays(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}


@KINDS
def test_the_head_is_affine_maps_with_kinks_between(kind: str) -> None:
    torch.manual_seed(4)
    head = Head(16, kind).eval()
    state = arrays(head)
    names = sorted(state, key=in_order)
    assert [state[name].shape for name in names if state[name].ndim == 2] == SHAPES[kind]
    h = np.random.default_rng(2).normal(size=(7, 16)).astype(np.float32)
    with torch.no_grad():
        found = head(torch.from_numpy(h)).numpy()
    assert found.shape == (7, 64)
    np.testing.assert_allclose(found, by_hand(state, h), atol=1e-5, rtol=0)
    assert (found < 0).any(), "the last layer is not rectified, else no cosine could be negative"


def test_the_head_for_bert_has_the_sizes_of_the_released_one() -> None:
    # Bytes of the weights that were published: 768 x 128, 128, 128 x 64, 64 floats.
    sizes = [array.nbytes for array in arrays(Head(768, "released")).values()]
    assert sorted(sizes) == [256, 512, 32_768, 393_216]
    paper = sum(array.size for array in arrays(Head(768, "paper")).values())
    assert paper == (768 * 512 + 512) + (512 * 128 + 128) + (128 * 64 + 64)


@pytest.mark.parametrize(("kind", "rates"), [("paper", [0.2, 0.2]), ("released", [0.5])])
def test_dropout_follows_each_kink_in_training_only(kind: str, rates: list[float]) -> None:
    head = Head(16, kind)
    found = [one.p for one in head.modules() if isinstance(one, torch.nn.Dropout)]
    assert found == rates
    h = torch.ones(1, 16)
    with torch.no_grad():
        assert not torch.equal(head.train()(h), head.train()(h))
        assert torch.equal(head.eval()(h), head.eval()(h))


@KINDS
def test_dropout_keeps_hidden_units_at_the_rate_of_the_paper(kind: str) -> None:
    """Hidden units that are all 1 come out as 1 / (1 - p), or as 0 with probability p."""
    head = Head(16, kind).train()
    first, second = [one for one in head.modules() if isinstance(one, torch.nn.Linear)][:2]
    with torch.no_grad():
        first.weight.zero_()
        first.bias.fill_(1.0)
    seen: list[torch.Tensor] = []
    second.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    torch.manual_seed(0)
    head(torch.zeros(400, 16))
    p = {"paper": 0.2, "released": 0.5}[kind]
    (hidden,) = seen
    assert set(hidden.unique().tolist()) == {0.0, float(np.float32(1 / (1 - p)))}
    n = hidden.numel()
    assert (hidden == 0).float().mean().item() == pytest.approx(p, abs=5 * np.sqrt(p * (1 - p) / n))


def test_an_unknown_head_lists_the_two() -> None:
    with pytest.raises(ValueError, match=r"'deep'.*paper, released"):
        Head(16, "deep")


# The score --------------------------------------------------------------------------------------


def plain_states(
    box: HuggingFaceClassifier, text: str
) -> tuple[np.ndarray, dict[tuple[int, int], np.ndarray]]:
    """Last layer's state of [CLS], and for each word's span the mean over its tokens."""
    one = box.instance(text)
    encoded = box.tokenizer(one.read_text, return_offsets_mapping=True, return_tensors="pt")
    with torch.no_grad():
        answer = box.model(input_ids=encoded["input_ids"], output_hidden_states=True)
    last = answer.hidden_states[-1][0].double().numpy()
    words = {}
    for start, end in one.spans:
        own = [
            state
            for state, (a, b) in zip(last, encoded["offset_mapping"][0].tolist(), strict=True)
            if a < end and b > start
        ]
        words[start, end] = np.mean(own, axis=0)
    return last[0], words


@KINDS
@pytest.mark.parametrize("group", ["position", "type"])
@pytest.mark.parametrize("text", [TEXTS[0], TEXTS[2], "sun", "don't rain sun, don't", "good " * 40])
def test_a_score_is_the_cosine_of_two_projections(
    kind: str, group: str, text: str, box: HuggingFaceClassifier, tmp_path: Path
) -> None:
    explainer = fitted(box, head=kind, group=group)
    explainer.save(tmp_path)
    state = load_file(tmp_path / "weights.safetensors")
    first, words = plain_states(box, text)
    centre = by_hand(state, first[None])[0]
    of_span = {span: cosine(centre, by_hand(state, word[None])[0]) for span, word in words.items()}
    one = box.instance(text, group)
    if group == "position":
        expected = [of_span[span] for span in one.spans]
    else:
        expected = [
            np.mean([of_span[span] for span in one.spans if text[slice(*span)] == word])
            for word in one.features
        ]
    (found,) = explainer.explain([text], box)
    assert found.words == one.features
    np.testing.assert_allclose(scores(found), expected, atol=1e-5, rtol=0)
    np.testing.assert_allclose(found.probabilities, box.predict_proba([text])[0], atol=1e-6)
    assert (found.model_calls, found.method) == (1, "pflex")
    assert found.truncated_words == one.truncated_words


def test_texts_alone_and_in_a_batch(box: HuggingFaceClassifier, ready: PFLex) -> None:
    texts = [*TEXTS, "", "good", "good bad " * 20, *TEXTS[::-1]]
    before = box.calls
    together = ready.explain(texts, box)
    assert box.calls - before == len(texts) == sum(one.model_calls for one in together)
    for text, found in zip(texts, together, strict=True):
        (alone,) = ready.explain([text], box)
        np.testing.assert_allclose(scores(found), scores(alone), atol=1e-6, rtol=0)
        np.testing.assert_allclose(found.probabilities, alone.probabilities, atol=1e-6, rtol=0)


def test_the_short_way_takes_an_explainer(box: HuggingFaceClassifier, ready: PFLex) -> None:
    assert explain(TEXTS[0], box, ready) == ready.explain([TEXTS[0]], box)[0]


# Fitting ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", [1.0, 2.0])
def test_a_fitted_cosine_is_the_weight_over_twice_the_penalty(
    penalty: float, box: HuggingFaceClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without dropout there are more parameters than words, so Adam gets near the minimum. (With it
    # cosines come out larger: the mean over the noise is what is fitted.)
    monkeypatch.setattr(torch.nn.Dropout, "forward", lambda _, x: x)
    explainer = fitted(box, epochs=400, learning_rate=5e-4, penalty=penalty)
    for one, lesson in zip(explainer.explain(TEXTS, box), lessons(box), strict=True):
        scaled = scores(lesson) / np.abs(scores(lesson)).max()
        np.testing.assert_allclose(scores(one), scaled / (2 * penalty), atol=0.05, rtol=0)
    # What is left of Eq. 3 at its minimum.
    targets_of_all = np.concatenate(
        [scores(one) / np.abs(scores(one)).max() for one in lessons(box)]
    )
    least = -np.mean(targets_of_all**2) / (4 * penalty)
    assert explainer.facts["history"][-1] == pytest.approx(least, abs=2e-3)


def test_fitting_leaves_the_explainer_as_it_was(box: HuggingFaceClassifier) -> None:
    start = PFLex(epochs=2)
    done = start.fit(lessons(box), box)
    assert start.digest == ""
    assert isinstance(done, PFLex)
    assert isinstance(done, AmortisedExplainer)
    assert len(done.digest) >= 16
    with pytest.raises(ValueError, match="fit"):
        start.explain(TEXTS, box)
    plain = start.settings()
    assert done.settings() == plain | {"digest": done.digest}


def test_the_same_seed_gives_the_same_bits(box: HuggingFaceClassifier) -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    one = fitted(box, seed=3)
    assert torch.equal(torch.get_rng_state(), state), "the global generator is not touched"
    torch.manual_seed(2)
    two, other = fitted(box, seed=3), fitted(box, seed=4)
    assert one.digest == two.digest != other.digest
    assert one.facts["history"] == two.facts["history"] != other.facts["history"]
    for text in TEXTS:
        a, b, c = (scores(explain(text, box, e)) for e in (one, two, other))
        np.testing.assert_array_equal(a, b)
        assert np.abs(a - c).max() > 1e-3


def test_the_seed_of_explaining_changes_nothing(box: HuggingFaceClassifier, ready: PFLex) -> None:
    a, b = (scores(ready.explain([TEXTS[0]], box, seed)[0]) for seed in (0, 1))
    np.testing.assert_array_equal(a, b)


def same_head(*explainers: PFLex) -> bool:
    return len({one.digest for one in explainers}) == 1


def fit_on(explanations: Sequence[Explanation], box: Any, **settings: Any) -> PFLex:
    given = {"epochs": 2, "learning_rate": 1e-2, **settings}
    return PFLex(**given).fit(explanations, box)


def test_targets_by_hand() -> None:
    weights = np.array([1.0, -4.0, 3.0, 0.0])
    np.testing.assert_array_equal(targets(weights, "raw"), weights)
    np.testing.assert_array_equal(targets(weights, "scaled"), [0.25, -1.0, 0.75, 0.0])
    # Mean 0; squares 1, 16, 9, 0 have the mean 6.5.
    np.testing.assert_allclose(
        targets(weights + 10, "standardised"), weights / np.sqrt(6.5), atol=1e-15
    )
    for target in ("scaled", "standardised"):
        np.testing.assert_array_equal(targets(np.zeros(3), target), np.zeros(3))
    assert targets(np.array([-5.0]), "scaled").tolist() == [-1.0]
    assert targets(np.array([-5.0]), "standardised").tolist() == [0.0]
    with pytest.raises(ValueError, match=r"'ranked'.*scaled, raw, standardised"):
        targets(weights, "ranked")


@pytest.fixture
def one_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start every head from the same weights, whatever its settings."""
    monkeypatch.setattr(pflex, "generator", lambda seed, *_: generator(seed))


def test_scaled_targets_forget_the_size_of_a_text_s_weights(
    box: HuggingFaceClassifier, one_stream: None
) -> None:
    # Each text by its own power of two, which division undoes without rounding.
    sizes = {text: 2.0**i for i, text in enumerate(TEXTS)}
    grown = [taught(box, text, lambda w, t=text: sizes[t] * worth(w)) for text in TEXTS]
    plain = lessons(box)
    assert same_head(fit_on(plain, box), fit_on(grown, box))
    assert not same_head(fit_on(plain, box, target="raw"), fit_on(grown, box, target="raw"))
    # By hand: the largest absolute weight becomes 1.
    largest = [max(abs(worth(word)) for word in one.words) for one in plain]
    halved = [
        taught(box, text, lambda w, m=most: worth(w) / m)
        for text, most in zip(TEXTS, largest, strict=True)
    ]
    one, other = fit_on(plain, box), fit_on(halved, box, target="raw")
    for text in TEXTS:
        a, b = (scores(explain(text, box, e)) for e in (one, other))
        np.testing.assert_allclose(a, b, atol=1e-4, rtol=0)


def test_standardised_targets_have_mean_0_and_deviation_1(
    box: HuggingFaceClassifier, one_stream: None
) -> None:
    plain = lessons(box)
    standard = []
    for text, one in zip(TEXTS, plain, strict=True):
        row = scores(one)
        mean = sum(row) / len(row)
        deviation = np.sqrt(sum((x - mean) ** 2 for x in row) / len(row))
        by_word = {
            word: (x - mean) / deviation if deviation else 0.0
            for word, x in zip(one.words, row, strict=True)
        }
        standard.append(taught(box, text, by_word.__getitem__))
    one, other = fit_on(plain, box, target="standardised"), fit_on(standard, box, target="raw")
    for text in TEXTS:
        a, b = (scores(explain(text, box, e)) for e in (one, other))
        np.testing.assert_allclose(a, b, atol=1e-4, rtol=0)
    assert not same_head(one, fit_on(plain, box))


@pytest.mark.parametrize("target", ["scaled", "raw", "standardised"])
def test_weights_that_are_all_equal_or_zero_do_no_harm(
    target: str, box: HuggingFaceClassifier
) -> None:
    flat = [taught(box, "good", worth), taught(box, TEXTS[1], lambda _: 0.0)]
    explainer = fit_on([*flat, taught(box, TEXTS[0], lambda _: 3.0)], box, target=target)
    assert np.isfinite(explainer.facts["history"]).all()
    assert np.isfinite(scores(explain(TEXTS[0], box, explainer))).all()


def test_a_type_s_weight_is_that_of_each_of_its_words(box: HuggingFaceClassifier) -> None:
    """A repeated word does not share its weight out, so both groupings teach the same."""
    assert box.instance(TEXTS[4], "type").n_features == 1
    assert same_head(fit_on(lessons(box), box), fit_on(lessons(box, group="type"), box))
    ungrouped = fit_on(lessons(box, group="type"), box, group="type")
    assert same_head(fit_on(lessons(box), box), ungrouped)


def test_only_the_predicted_class_teaches(box: HuggingFaceClassifier) -> None:
    full = []
    for one in lessons(box):
        weights = np.where(np.isnan(one.weights), 99.0, one.weights)
        full.append(dataclasses.replace(one, weights=weights))
    assert same_head(fit_on(lessons(box), box), fit_on(full, box))


def test_words_that_the_model_does_not_see_teach_nothing(box: HuggingFaceClassifier) -> None:
    mark = "\u0301"  # BERT's rules strip it, so no state is its own

    def teach(weight: float) -> list[Explanation]:
        return [
            taught(box, f"good {mark} film", lambda w: weight if w == mark else worth(w)),
            *lessons(box),
        ]

    one, other = (fit_on(teach(weight), box, target="raw") for weight in (0.0, 3.0))
    assert same_head(one, other)
    # Nor do they count in the mean: the loss is that of the text without them.
    (first,) = fit_on(teach(0.0), box, target="raw", epochs=1).facts["history"]
    (again,) = fit_on(teach(99.0), box, target="raw", epochs=1).facts["history"]
    assert first == again


def test_facts_say_what_was_fitted(box: HuggingFaceClassifier) -> None:
    facts = fitted(box, seed=7, epochs=5).facts
    assert facts["black_box"] == "tiny"
    assert facts["identity"] == box.identity
    assert facts["width"] == 16
    assert facts["teacher"] == "by_hand"
    assert facts["n_texts"] == 6
    assert facts["n_words"] == sum(len(box.instance(text).words) for text in TEXTS) == 28
    assert facts["seed"] == 7
    assert facts["seconds"] > 0
    assert len(facts["history"]) == 5
    json.dumps(dict(facts))
    with pytest.raises(TypeError):
        facts["seed"] = 8  # type: ignore[index]


def test_the_history_is_the_mean_of_eq3_over_words(box: HuggingFaceClassifier) -> None:
    """With no weights at all Eq. 3 is the mean squared cosine: known, up to the dropout."""
    nothing = lessons(box, lambda _: 0.0)
    one = fit_on(nothing, box, epochs=1, penalty=1.0, target="raw").facts["history"][0]
    three = fit_on(nothing, box, epochs=1, penalty=3.0, target="raw").facts["history"][0]
    # One batch: both losses are those of the first weights, under the same dropout.
    assert 0 < one < 1
    assert three == pytest.approx(3 * one, rel=1e-5)


def test_batches_are_whole_texts_of_about_so_many_words() -> None:
    counts = np.array([3, 3, 3, 3])
    for batches in epochs_of_batches(counts, 6, 5, np.random.default_rng(0)):
        assert [len(batch) for batch in batches] == [2, 2]
        assert sorted(np.concatenate(batches).tolist()) == [0, 1, 2, 3]
    counts = np.random.default_rng(1).integers(1, 30, size=100)
    dealt = epochs_of_batches(counts, 200, 3, np.random.default_rng(2))
    for batches in dealt:
        assert sorted(np.concatenate(batches).tolist()) == list(range(100))
        assert len(batches) == -(-counts.sum() // 200)
        assert all(counts[batch].sum() < 200 + 30 for batch in batches)
    assert len({str(batches) for batches in dealt}) == 3, "anew for every epoch"
    # One text is longer than a batch, and everything together shorter.
    assert len(epochs_of_batches(np.array([50, 1]), 8, 1, np.random.default_rng(0))[0]) <= 2
    (only,) = epochs_of_batches(np.array([5, 7]), 2048, 1, np.random.default_rng(0))
    assert len(only) == 1


def test_progress_is_told_and_ends(box: HuggingFaceClassifier) -> None:
    told: list[tuple[Any, ...]] = []
    PFLex(epochs=4).fit(lessons(box), box, progress=lambda *what: told.append(what))
    assert len(told) >= 4
    assert told[-1][0] == told[-1][1] == len(told)


def test_a_corpus_teaches_like_a_list(box: HuggingFaceClassifier, tmp_path: Path) -> None:
    corpus = explain_corpus(
        TEXTS, box, Lime(n_samples=20), out=tmp_path, chunk_size=4, progress=False
    )
    assert same_head(fit_on(corpus, box), fit_on(list(corpus), box))
    assert fit_on(corpus, box).facts["teacher"] == "lime"


# What cannot be fitted --------------------------------------------------------------------------


def test_nothing_to_learn_from(box: HuggingFaceClassifier) -> None:
    with pytest.raises(ValueError, match="explanation"):
        PFLex().fit([], box)
    with pytest.raises(ValueError, match="words"):
        PFLex().fit([taught(box, ""), taught(box, "?!")], box)


def test_explanations_of_other_classes(box: HuggingFaceClassifier) -> None:
    other = taught(box, TEXTS[0], classes=("joy", "anger", "disgust"))
    with pytest.raises(ValueError, match=r"disgust.*fear|fear.*disgust"):
        PFLex().fit([*lessons(box), other], box)


def test_words_that_stand_elsewhere(box: HuggingFaceClassifier) -> None:
    right = taught(box, "good film")
    moved = dataclasses.replace(right, spans=((0, 3), (5, 9)))
    with pytest.raises(ValueError, match="good film"):
        PFLex().fit([moved], box)
    # A box that reads less of the text: what the teacher saw at the end is not there.
    short = make_box(max_length=4)
    with pytest.raises(ValueError, match="bad rain"):
        PFLex().fit([taught(box, "good film, bad rain")], short)


def test_a_teacher_that_left_the_predicted_class_out(box: HuggingFaceClassifier) -> None:
    one = taught(box, TEXTS[0])
    swapped = dataclasses.replace(one, weights=np.roll(one.weights, 1, axis=0))
    with pytest.raises(ValueError, match=one.classes[one.predicted]):
        PFLex().fit([swapped], box)


def test_a_black_box_without_states() -> None:
    closed = as_classifier(lambda texts: np.full((len(texts), 3), 1 / 3), CLASSES, "closed")
    one = Lime(n_samples=10).explain(["good film"], closed)
    with pytest.raises(ValueError, match=r"'?pflex'?.*hidden states.*'closed'"):
        PFLex().fit(one, closed)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"head": "deep"}, r"'deep'.*paper, released"),
        ({"target": "ranked"}, r"'ranked'.*scaled, raw, standardised"),
        ({"group": "word"}, r"'word'.*position, type"),
        ({"penalty": 0.0}, r"penalty.*0"),
        ({"penalty": -1.0}, r"penalty.*-1"),
        ({"penalty": float("nan")}, r"penalty.*nan"),
        ({"epochs": 0}, r"epochs.*0"),
        ({"learning_rate": 0.0}, r"learning_rate.*0"),
        ({"batch_words": 0}, r"batch_words.*0"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PFLex(**settings)


# What cannot be explained -----------------------------------------------------------------------


@pytest.mark.parametrize("text", ["good film", ""])
def test_an_unfitted_one_is_refused(text: str, box: HuggingFaceClassifier) -> None:
    before = box.calls
    with pytest.raises(ValueError, match=r"fit.*load"):
        PFLex().explain([text], box)
    with pytest.raises(ValueError, match=r"fit.*load"):
        explain(text, box, "pflex")
    assert box.calls == before


@pytest.mark.parametrize("text", ["good film", ""])
def test_another_black_box_is_refused(text: str, box: HuggingFaceClassifier, ready: PFLex) -> None:
    other = make_box(seed=1, name="stranger")
    with pytest.raises(ValueError, match=r"'tiny'.*'stranger'|'stranger'.*'tiny'"):
        ready.explain([text], other)
    shorter = make_box(name="shorter", max_length=12)
    with pytest.raises(ValueError, match=r"'tiny'.*'shorter'|'shorter'.*'tiny'"):
        ready.explain([text], shorter)
    # A name is not what makes a black box.
    renamed = make_box(name="renamed")
    np.testing.assert_array_equal(
        ready.explain(["good film"], renamed)[0].weights,
        ready.explain(["good film"], box)[0].weights,
    )


@pytest.mark.parametrize("group", ["position", "type"])
@pytest.mark.parametrize(
    "text",
    [
        "", " \t\n ", "\U0001f600 \U0001f469\u200d\U0001f52c", "?! ...", "good", "xyzzy qwfp",
        "\u0301", "good \u0301 film", "great\U0001f44d film", "good bad rain " * 30,
        "good" + " !" * 60, "film" * 100, "\u4eca\u5929", "good\x00bad\x07\r\nfine",
    ],
)  # fmt: skip
def test_texts_at_the_edge(text: str, group: str, box: HuggingFaceClassifier) -> None:
    explainer = fitted(box, group=group)
    one = box.instance(text, group)
    (found,) = explainer.explain([text], box)
    assert (found.text, found.words) == (text, one.features)
    assert found.weights.shape == (3, one.n_features)
    assert np.isfinite(scores(found)).all()
    assert (np.abs(scores(found)) <= 1 + 1e-6).all()
    assert found.model_calls == 1
    assert found.probabilities.sum() == pytest.approx(1, abs=1e-6)
    assert Explanation.from_json(found.to_json()) == found


def test_a_word_without_tokens_scores_0(box: HuggingFaceClassifier, ready: PFLex) -> None:
    (found,) = ready.explain(["good \u0301 film"], box)
    assert scores(found)[1] == 0.0
    assert (scores(found)[[0, 2]] != 0.0).all()
    (only,) = ready.explain(["\u0301"], box)
    assert scores(only).tolist() == [0.0]


def test_a_type_is_the_mean_over_its_words_that_have_tokens(box: HuggingFaceClassifier) -> None:
    # The second emoji is swallowed by the token of the word before it, the first has its own.
    text = "\U0001f44d great\U0001f44d"
    one = box.instance(text)
    states = box.word_states([one])
    assert one.words == ("\U0001f44d", "great", "\U0001f44d")
    assert states.tokens.tolist() == [1, 1, 0]
    (words,) = fitted(box).explain([text], box)
    (types,) = fitted(box, group="type").explain([text], box)
    np.testing.assert_allclose(scores(types), scores(words)[:2], atol=1e-7, rtol=0)


# Folders ----------------------------------------------------------------------------------------


@KINDS
def test_what_was_saved_explains_the_same(
    kind: str, box: HuggingFaceClassifier, tmp_path: Path
) -> None:
    explainer = fitted(box, seed=5, head=kind, penalty=2.0, target="raw", group="type")
    explainer.save(tmp_path / "new" / "folder")
    folder = tmp_path / "new" / "folder"
    assert sorted(path.name for path in folder.iterdir()) == [
        "explainer.json",
        "weights.safetensors",
    ]
    for loaded in (load_explainer(folder), PFLex.load(folder), load_explainer(str(folder))):
        assert type(loaded) is PFLex
        assert loaded.digest == explainer.digest
        assert loaded.settings() == explainer.settings()
        assert loaded.facts == explainer.facts
        for one, other in zip(
            loaded.explain(TEXTS, box), explainer.explain(TEXTS, box), strict=True
        ):
            assert one == other
    explainer.save(folder)  # once more over itself
    assert load_explainer(folder).digest == explainer.digest


def test_an_unfitted_one_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fit"):
        PFLex().save(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_no_folder(tmp_path: Path) -> None:
    for load in (load_explainer, PFLex.load):
        with pytest.raises(ValueError, match="nowhere"):
            load(tmp_path / "nowhere")
        with pytest.raises(ValueError, match=re.escape(str(tmp_path))):
            load(tmp_path)


def changed(path: Path, change: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text("utf-8")))), "utf-8")


def other_weights(path: Path) -> None:
    state = load_file(path)
    save_file({name: array * np.float32(1.5) for name, array in state.items()}, path)


def one_bit(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-3] ^= 1
    path.write_bytes(bytes(raw))


def one_tensor_less(path: Path) -> None:
    state = load_file(path)
    del state[next(iter(state))]
    save_file(state, path)


DAMAGE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "no json": ("explainer.json", Path.unlink),
    "no weights": ("weights.safetensors", Path.unlink),
    "half the json": ("explainer.json", lambda p: p.write_text(p.read_text("utf-8")[:40])),
    "another document": ("explainer.json", lambda p: p.write_text("[1, 2]")),
    "an empty object": ("explainer.json", lambda p: p.write_text("{}")),
    "no method": ("explainer.json", lambda p: changed(p, lambda d: d | {"method": "nonsense"})),
    "facts without the width": (
        "explainer.json",
        lambda p: changed(p, lambda d: d | {"facts": {}}),
    ),
    "facts that are none": ("explainer.json", lambda p: changed(p, lambda d: d | {"facts": 3})),
    "a setting of a wrong type": (
        "explainer.json",
        lambda p: changed(p, lambda d: d | {"settings": d["settings"] | {"epochs": "many"}}),
    ),
    "a wrong setting": (
        "explainer.json",
        lambda p: changed(p, lambda d: d | {"settings": d["settings"] | {"penalty": -1}}),
    ),
    "settings that are none": (
        "explainer.json",
        lambda p: changed(p, lambda d: d | {"settings": None}),
    ),
    "half the weights": ("weights.safetensors", lambda p: p.write_bytes(p.read_bytes()[:-100])),
    "no safetensors": ("weights.safetensors", lambda p: p.write_bytes(b"nonsense")),
    "empty weights": ("weights.safetensors", lambda p: p.write_bytes(b"")),
    "a flipped bit": ("weights.safetensors", one_bit),
    "other weights": ("weights.safetensors", other_weights),
    "a tensor less": ("weights.safetensors", one_tensor_less),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_folder_is_named(kind: str, ready: PFLex, tmp_path: Path) -> None:
    ready.save(tmp_path)
    name, damage = DAMAGE[kind]
    damage(tmp_path / name)
    with pytest.raises(ValueError, match=re.escape(str(tmp_path))):
        load_explainer(tmp_path)


# A corpus ---------------------------------------------------------------------------------------


def test_a_corpus_remembers_which_head_it_is_from(
    box: HuggingFaceClassifier, ready: PFLex, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {"out": tmp_path / "corpus", "chunk_size": 4, "progress": False}
    corpus = explain_corpus(TEXTS, box, ready, **asked)
    assert corpus.manifest["settings"]["digest"] == ready.digest
    assert list(corpus) == ready.explain(TEXTS, box)
    # Loaded from a folder it is the same one.
    ready.save(tmp_path / "head")
    explain_corpus(TEXTS, box, load_explainer(tmp_path / "head"), **asked)
    other = fitted(box, seed=1)
    with pytest.raises(ValueError, match=rf"digest.*{ready.digest[:12]}.*{other.digest[:12]}"):
        explain_corpus(TEXTS, box, other, **asked)


# Texts whose reason is known --------------------------------------------------------------------


@pytest.fixture(scope="module")
def planted_lessons(planted_classifier: HuggingFaceClassifier) -> list[Explanation]:
    """LIME on texts of the training set, for the word that decides to learn from."""
    texts = load_dataset("planted", "train").texts[:240]
    return Lime(n_samples=200).explain(texts, planted_classifier, seed=0)


def hits(explainer: PFLex, classifier: HuggingFaceClassifier) -> float:
    """Share of held-out texts whose strongest word is a planted one."""
    test = load_dataset("planted", "test")
    predicted = classifier.predict_proba(test.texts).argmax(axis=1)
    texts = test.take(np.flatnonzero(predicted == test.labels))
    assert len(texts) >= 350
    return float(
        np.mean(
            [
                int(found.ranking(by="signed")[0]) in planted
                for found, planted in zip(
                    explainer.explain(texts.texts, classifier),
                    texts.extra["planted"],
                    strict=True,
                )
            ]
        )
    )


def learn(explanations: list[Explanation], classifier: HuggingFaceClassifier) -> PFLex:
    settings = PFLex(epochs=40, learning_rate=1e-3, batch_words=256)
    return settings.fit(explanations, classifier, seed=0)


def test_the_planted_word_comes_first(
    planted_classifier: HuggingFaceClassifier, planted_lessons: list[Explanation]
) -> None:
    assert hits(learn(planted_lessons, planted_classifier), planted_classifier) >= 0.95


def test_a_shuffled_teacher_does_not_find_it(
    planted_classifier: HuggingFaceClassifier, planted_lessons: list[Explanation]
) -> None:
    """The same weights on the wrong words of each text: what is learned is not the reason."""
    rng = np.random.default_rng(0)
    shuffled = [
        dataclasses.replace(one, weights=one.weights[:, rng.permutation(one.n_features)])
        for one in planted_lessons
    ]
    # One or two of 6 to 14 words: by chance a sixth of the texts have one first.
    assert hits(learn(shuffled, planted_classifier), planted_classifier) <= 0.35
