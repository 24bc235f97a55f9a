"""Class vectors of pretrained encoders: the losses of a batch, what trains, round trip, words."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

from xai_lib import explain
from xai_lib.data.planted import planted_texts
from xai_lib.explainers.ldav import Ldav
from xai_lib.models import load_classifier, training, zoo
from xai_lib.models.class_vectors import FILE, class_vectors_of, renew_class_vectors, save_model
from xai_lib.models.huggingface import HuggingFaceClassifier
from xai_lib.models.ldav_training import LdavLosses
from xai_lib.models.precision import fast_bfloat16
from xai_lib.models.tiny import tiny_bert
from xai_lib.models.training import Recipe, batches_by_length, fine_tune
from xai_lib.rng import generator

CLASSES = ["no", "yes"]
TEXTS = ["good film", "bad film", "good good plot", "a bad bad plot"] * 4
LABELS = np.array([1, 0, 1, 0] * 4)
SMALL = Recipe(epochs=3, batch_size=5, learning_rate=0.02, seed=5, max_length=16)
Weights = dict[str, torch.Tensor]


def small_bert(dropout: float = 0.1) -> tuple[Any, Any]:
    model, tokenizer = tiny_bert(TEXTS, CLASSES, hidden=16, layers=1, heads=2, max_length=16)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = dropout
    return model, tokenizer


def copied(model: Any) -> Weights:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def box_of(model: Any, tokenizer: Any) -> HuggingFaceClassifier:
    return HuggingFaceClassifier(model, tokenizer, "small", device="cpu", precision="float32")


@pytest.fixture(scope="module")
def trained() -> HuggingFaceClassifier:
    """A small BERT with class vectors; only its call counter changes."""
    model, tokenizer = small_bert()
    fine_tune(model, tokenizer, TEXTS, LABELS, dataclasses.replace(SMALL, ldav=LdavLosses()))
    return box_of(model, tokenizer)


# Training -------------------------------------------------------------------------------------


def plainly_tuned(recipe: Recipe) -> Weights:
    """Fine-tune in the shortest way, as it was before there were class vectors."""
    model, tokenizer = small_bert()
    rng = generator(recipe.seed, "fine-tune")
    ids = tokenizer(TEXTS, truncation=True, max_length=recipe.max_length)["input_ids"]
    lengths = np.array([len(one) for one in ids])
    steps = recipe.epochs * len(list(batches_by_length(lengths, recipe.batch_size, rng)))
    optimizer = torch.optim.AdamW(
        model.train().parameters(), lr=recipe.learning_rate, weight_decay=0.01, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=steps, pct_start=0.1, anneal_strategy="linear"
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        for _ in range(recipe.epochs):
            for batch in batches_by_length(lengths, recipe.batch_size, rng):
                inputs = tokenizer.pad({"input_ids": [ids[i] for i in batch]}, return_tensors="pt")
                with torch.autocast("cpu", torch.bfloat16, enabled=fast_bfloat16("cpu")):
                    logits = model(**inputs).logits
                wanted = torch.tensor(LABELS[batch])
                torch.nn.functional.cross_entropy(logits.float(), wanted).backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
    return copied(model)


def test_a_plain_recipe_gives_the_bits_it_gave() -> None:
    model, tokenizer = small_bert()
    fine_tune(model, tokenizer, TEXTS, LABELS, SMALL)
    expected, found = plainly_tuned(SMALL), copied(model)
    assert set(found) == set(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert class_vectors_of(model) is None


@pytest.mark.parametrize("target", ["predicted", "gold"])
@pytest.mark.parametrize(("l3", "distance"), [("normalised", "cosine"), ("literal", "euclidean")])
def test_the_loss_of_a_batch_by_hand(
    target: str, l3: str, distance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts of 1, 3 and 4 pieces, one cut off and two padded, worked out piece by piece.

    The embeddings of special tokens are far off, so that none of them can be among the pieces.
    """
    monkeypatch.setattr(training, "fast_bfloat16", lambda device: False)
    texts, labels = ["bad", "a good, film plot plot", "film bad."], np.array([1, 0, 1])
    pieces = [["bad"], ["a", "good", ",", "film"], ["film", "bad", "."]]  # the budget: 6 tokens
    model, tokenizer = small_bert(dropout=0.0)
    with torch.no_grad():
        model.get_input_embeddings().weight[tokenizer.all_special_ids] += torch.arange(16.0)
    losses = LdavLosses(rho1=0.7, rho2=0.3, l3=l3, target=target, distance=distance)
    recipe = Recipe(epochs=1, batch_size=3, max_length=6, seed=3, ldav=losses)
    # The start: vectors that the seed fixes, and the answers of the untrained network.
    vectors = renew_class_vectors(model, recipe.seed)
    assert vectors is not None
    z = vectors.detach().double().numpy().copy()
    table = model.get_input_embeddings().weight.detach().double().numpy().copy()
    answers = []
    for words in pieces:
        ids = [tokenizer.convert_tokens_to_ids(one) for one in ["[CLS]", *words, "[SEP]"]]
        with torch.no_grad():
            answers.append(model(input_ids=torch.tensor([ids])).logits[0].double().numpy())
    l1, l2 = [], []
    for words, label, logits in zip(pieces, labels, answers, strict=True):
        l1.append(-math.log(math.exp(logits[label]) / sum(math.exp(one) for one in logits)) / 2)
        x = sum(table[tokenizer.convert_tokens_to_ids(word)] for word in words) / len(words)
        own = z[label if target == "gold" else int(np.argmax(logits))]
        cosine = sum(x * own) / math.sqrt(sum(x**2)) / math.sqrt(sum(own**2))
        l2.append(1 - cosine if distance == "cosine" else math.dist(x, own))
    rows = [one / math.sqrt(sum(one**2)) if l3 == "normalised" else one for one in z]
    far = sum(math.dist(one, other) ** 2 for one in rows for other in rows)
    expected = sum(l1) / 3 + 0.7 * sum(l2) / 3 - 0.3 * far
    seen: list[float] = []
    fine_tune(model, tokenizer, texts, labels, recipe, progress=lambda *step: seen.append(step[2]))
    assert seen == [pytest.approx(expected, rel=1e-5)]


def test_class_vectors_leave_start_and_random_numbers_alone() -> None:
    model, _ = small_bert()
    before, state = copied(model), torch.get_rng_state()
    vectors = renew_class_vectors(model, 4)
    assert vectors is not None
    assert torch.equal(state, torch.get_rng_state())
    weights = copied(model)
    assert set(weights) - set(before) == {"class_vectors"}
    assert all(torch.equal(weights[name], before[name]) for name in before)
    drawn = torch.randn((2, 16), generator=torch.Generator().manual_seed(4))
    std = float(model.get_input_embeddings().weight.detach().double().std())
    np.testing.assert_allclose(vectors.detach(), drawn * 0.1 * std, rtol=1e-5)
    assert renew_class_vectors(model, None) is None
    assert class_vectors_of(model) is None
    assert set(copied(model)) == set(before)


def test_vectors_pushed_apart_without_end_do_not_slow_the_network() -> None:
    """L3 has no part in the gradients of the network, nor, clipped apart, in their size."""

    def network(rho2: float) -> Weights:
        model, tokenizer = small_bert()
        losses = LdavLosses(rho1=0.0, rho2=rho2, l3="literal")
        fine_tune(model, tokenizer, TEXTS, LABELS, dataclasses.replace(SMALL, ldav=losses))
        weights = copied(model)
        weights.pop("class_vectors")
        return weights

    still, torn = network(0.0), network(1e6)
    assert all(torch.equal(still[name], torn[name]) for name in still)


def test_a_learning_rate_of_their_own() -> None:
    """The first step of Adam is as long as the rate, in each coordinate that has a gradient.

    Of a schedule of two steps that begins at its peak, the first is halfway down.
    """
    recipe = dataclasses.replace(
        SMALL, epochs=1, batch_size=99, warmup=0.0, weight_decay=0.0, vector_learning_rate=0.003,
        ldav=LdavLosses(target="gold"),
    )  # fmt: skip
    model, tokenizer = small_bert()
    start = renew_class_vectors(model, recipe.seed)
    assert start is not None
    output = model.classifier.weight.detach().clone()
    first = start.detach().clone()
    fine_tune(model, tokenizer, TEXTS, LABELS, recipe)
    found = class_vectors_of(model)
    assert found is not None
    np.testing.assert_allclose((found.detach() - first).abs(), 0.003 / 2, rtol=1e-3)
    np.testing.assert_allclose(
        (model.classifier.weight - output).detach().abs(), 0.02 / 2, rtol=1e-3
    )


def test_training_repeats_and_a_later_plain_one_takes_the_vectors_away(
    trained: HuggingFaceClassifier,
) -> None:
    model, tokenizer = small_bert()
    recipe = dataclasses.replace(SMALL, ldav=LdavLosses())
    fine_tune(model, tokenizer, TEXTS, LABELS, recipe)
    assert box_of(model, tokenizer).fingerprint == trained.fingerprint
    fine_tune(model.requires_grad_(True), tokenizer, TEXTS, LABELS, SMALL)
    assert box_of(model, tokenizer).class_vectors is None


# Round trip -----------------------------------------------------------------------------------


def test_a_loaded_classifier_is_the_same_and_is_explained(
    trained: HuggingFaceClassifier, tmp_path: Path
) -> None:
    folder = tmp_path / "small"
    trained.save(folder)
    box: Any = load_classifier(folder, device="cpu", precision="float32")
    assert trained.class_vectors is not None
    assert torch.equal(box.class_vectors, trained.class_vectors)
    assert not box.class_vectors.requires_grad
    assert (box.identity, box.fingerprint) == (trained.identity, trained.fingerprint)
    text = "a good film, bad"
    how = {"method": "ldav", "distance": "euclidean"}
    found = explain(text, box, **how)
    np.testing.assert_array_equal(found.weights, explain(text, trained, **how).weights)
    # Equations 4 and 5 on rows of the table.
    table = box.model.get_input_embeddings().weight.double().numpy()
    words = [table[box.tokenizer.convert_tokens_to_ids(word)] for word in found.words]
    for scores, z in zip(found.weights, box.class_vectors.double().numpy(), strict=True):
        far = [math.dist(z, word) for word in words]
        mean = sum(far) / 4
        spread = math.sqrt(sum((one - mean) ** 2 for one in far) / 4)
        np.testing.assert_allclose(scores, [(mean - one) / spread for one in far], atol=1e-9)


def test_transformers_knows_of_no_class_vectors(
    trained: HuggingFaceClassifier, tmp_path: Path
) -> None:
    trained.save(tmp_path)
    model, loading = AutoModelForSequenceClassification.from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert not loading["missing_keys"]
    assert not loading["unexpected_keys"]
    weights = copied(trained.model)
    weights.pop("class_vectors")
    assert all(torch.equal(model.state_dict()[name], weights[name]) for name in weights)
    assert set(load_file(tmp_path / FILE)) == {"class_vectors"}


def test_the_fingerprint_depends_on_the_class_vectors(
    trained: HuggingFaceClassifier, tmp_path: Path
) -> None:
    trained.save(tmp_path)
    assert trained.class_vectors is not None
    save_file({"class_vectors": 2 * trained.class_vectors}, tmp_path / FILE)
    longer: Any = load_classifier(tmp_path, device="cpu", precision="float32")
    np.testing.assert_array_equal(longer.predict_proba(TEXTS), trained.predict_proba(TEXTS))
    (tmp_path / FILE).unlink()
    plain: Any = load_classifier(tmp_path, device="cpu", precision="float32")
    assert len({one.fingerprint for one in (trained, longer, plain)}) == 3
    assert len({one.identity for one in (trained, longer, plain)}) == 3


def test_a_plain_model_leaves_no_vectors_of_another(
    trained: HuggingFaceClassifier, tmp_path: Path
) -> None:
    trained.save(tmp_path)
    save_model(small_bert()[0], tmp_path)
    box: Any = load_classifier(tmp_path, device="cpu", precision="float32")
    assert box.class_vectors is None
    with pytest.raises(ValueError, match=r"'ldav' needs class vectors .*`Recipe\(ldav=Ldav.*lime"):
        explain("good film", box, method="ldav")


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"class_vectors": torch.zeros(2, 8)}, r"of shape \(2, 16\), .* \{'class_vectors': \(2, 8"),
        ({"class_vectors": torch.zeros(3, 16)}, r"of shape \(2, 16\), .* \(3, 16\)"),
        ({"vectors": torch.zeros(2, 16)}, r"one tensor 'class_vectors' .* \{'vectors': \(2, 16\)"),
        ({"class_vectors": torch.full((2, 16), math.nan)}, r"class_vectors.* are not finite"),
        (None, r"class vectors in .*class_vectors\.safetensors' cannot be read"),
    ],
)
def test_class_vectors_that_do_not_fit(
    tensors: Weights | None, message: str, trained: HuggingFaceClassifier, tmp_path: Path
) -> None:
    trained.save(tmp_path)
    if tensors is None:
        (tmp_path / FILE).write_bytes(b"cut off")
    else:
        save_file(tensors, tmp_path / FILE)
    with pytest.raises(ValueError, match=message):
        load_classifier(tmp_path, device="cpu")


def test_word_embeddings_are_rows_of_the_table(make_roberta: Any, make_bert: Any) -> None:
    """Without position and token type, with another start token or without."""
    for box in (make_roberta(), make_bert()):
        one = box.instance("we saw we")
        embedded = box.embed([one])
        ids = torch.tensor(box.tokenizer("we saw we")["input_ids"])
        assert torch.equal(embedded.embeddings[0], box.model.get_input_embeddings().weight[ids])
        assert box.pairs is False


# Recipes and the zoo --------------------------------------------------------------------------


def test_recipes_read_as_they_did() -> None:
    plain = SMALL.to_dict()
    assert plain == {
        "epochs": 3, "batch_size": 5, "learning_rate": 0.02, "weight_decay": 0.01, "warmup": 0.1,
        "max_length": 16, "n_train": None, "seed": 5,
    }  # fmt: skip
    other = dataclasses.replace(SMALL, ldav=LdavLosses(target="gold"), vector_learning_rate=0.1)
    assert other.to_dict() == {
        **plain, "vector_learning_rate": 0.1,
        "ldav": {"rho1": 0.1, "rho2": 0.01, "l3": "normalised", "target": "gold",
                 "distance": "cosine"},
    }  # fmt: skip


@pytest.mark.parametrize("rate", [0.0, -1.0, math.inf, math.nan])
def test_a_learning_rate_that_is_none(rate: float) -> None:
    with pytest.raises(ValueError, match=rf"vector_learning_rate must be .*, got {rate}\."):
        Recipe(vector_learning_rate=rate)


def test_the_zoo_trains_saves_and_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XAI_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("XAI_DATA_DIR", raising=False)
    recipe = Recipe(epochs=1, max_length=40, n_train=64, ldav=LdavLosses())
    monkeypatch.setitem(zoo.ZOO, "new", zoo.ZooEntry("planted", "tiny", recipe, 20))
    box: Any = load_classifier("new", device="cpu", precision="float32")
    assert box.class_vectors.shape == (4, 48)
    np.testing.assert_allclose(
        box.card["class_vector_norms"], np.linalg.norm(box.class_vectors, axis=1), atol=1e-6
    )
    assert box.card["recipe"] == json.loads(json.dumps(recipe.to_dict()))
    assert np.isfinite(explain("a calm day", box, method="ldav").weights).all()
    folder = zoo.train_named("new", "cpu")
    assert (folder / FILE).is_file()
    for other in (LdavLosses(rho1=0.5), None):
        changed = dataclasses.replace(recipe, ldav=other)
        monkeypatch.setitem(zoo.ZOO, "new", zoo.ZooEntry("planted", "tiny", changed, 20))
        assert zoo.train_named("new", "cpu") != folder


# Planted words --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("losses", "distance"),
    [
        (LdavLosses(rho1=0.3, target="gold"), "cosine"),
        (LdavLosses(rho1=0.3, target="gold", l3="literal", rho2=1.0), "euclidean"),
    ],
)
def test_planted_words_come_first(losses: LdavLosses, distance: str) -> None:
    """The rule of these texts is known: words of the class decide, filler says nothing."""
    train = planted_texts(360, 3, n_cues=(1, 1))
    test = planted_texts(150, 3, n_cues=(1, 1), split="test")
    model, tokenizer = tiny_bert(
        train.texts + test.texts, train.classes, hidden=32, layers=1, heads=2, max_length=32
    )
    recipe = Recipe(epochs=12, batch_size=32, learning_rate=5e-3, max_length=32, ldav=losses)

    def rates() -> tuple[float, float]:
        found = Ldav(distance=distance).explain(test.texts, box_of(model, tokenizer))
        right = [one.predicted == label for one, label in zip(found, test.labels, strict=True)]
        first = [
            int(np.argmax(one.weights[one.predicted])) == planted[0]
            for one, planted in zip(found, test.extra["planted"], strict=True)
        ]
        return float(np.mean(right)), float(np.mean(first))

    renew_class_vectors(model, 0)
    assert rates()[1] < 0.5
    fine_tune(model.requires_grad_(True), tokenizer, train.texts, train.labels, recipe)
    right, first = rates()
    assert right > 0.9
    assert first >= 0.9
