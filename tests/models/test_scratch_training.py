"""Training from scratch: what is learned, what is held out, what an interruption changes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from xai_lib.data import load_dataset
from xai_lib.models import load_classifier, zoo
from xai_lib.models.scratch import ScratchClassifier
from xai_lib.models.scratch_training import ScratchRecipe, train_scratch

CLASSES = ["bad", "good"]
FILLER = ["film", "was", "and", "the", "actor", "plot"]
SMALL = ScratchRecipe(
    epochs=4, batch_size=8, learning_rate=1e-2, width=8, max_length=6, min_count=1
)


def lessons(n: int = 60, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Texts of filler with one word that tells the class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    texts = []
    for label in labels:
        words = rng.choice(FILLER, size=rng.integers(1, 5)).tolist()
        words.insert(int(rng.integers(0, len(words) + 1)), ["awful", "great"][label])
        texts.append(" ".join(words))
    return texts, labels


def weights(box: ScratchClassifier) -> dict[str, torch.Tensor]:
    return box.model.state_dict()


def same(one: ScratchClassifier, other: ScratchClassifier) -> bool:
    return all(torch.equal(value, weights(other)[key]) for key, value in weights(one).items())


def test_it_learns_and_the_same_seed_gives_the_same_weights() -> None:
    texts, labels = lessons()
    recipe = dataclasses.replace(SMALL, epochs=15)
    one, facts = train_scratch(texts, labels, CLASSES, recipe)
    again, _ = train_scratch(texts, labels, CLASSES, recipe)
    other, _ = train_scratch(texts, labels, CLASSES, dataclasses.replace(recipe, seed=1))
    assert same(one, again)
    assert not torch.equal(weights(one)["output.bias"], weights(other)["output.bias"])
    new, wanted = lessons(100, seed=9)
    assert (one.predict_proba(new).argmax(axis=1) == wanted).mean() > 0.95
    assert len(facts["held_out_losses"]) == facts["epochs"]
    assert not one.model.training
    assert not any(parameter.requires_grad for parameter in one.model.parameters())
    assert weights(one)["embedding.weight"][0].abs().sum() == 0


def test_the_best_epoch_is_kept() -> None:
    texts, labels = lessons()
    # Labels that say nothing: the loss on held-out texts soon rises.
    noise = np.random.default_rng(3).integers(0, 2, len(labels))
    recipe = dataclasses.replace(SMALL, epochs=12, learning_rate=3e-2, held_out=0.4, patience=2)
    box, facts = train_scratch(texts, noise, CLASSES, recipe)
    losses = facts["held_out_losses"]
    assert facts["best_epoch"] == int(np.argmin(losses)) + 1
    assert facts["epochs"] == facts["best_epoch"] + 2 < 12
    # As many epochs as the best had give its weights: the random numbers of an epoch are its own.
    shorter = dataclasses.replace(recipe, epochs=facts["best_epoch"])
    until, _ = train_scratch(texts, noise, CLASSES, shorter)
    assert same(box, until)
    held_out = _held_out(len(texts), recipe)
    answers = box.predict_proba([texts[i] for i in held_out])
    loss = -np.log(answers[np.arange(len(held_out)), noise[held_out]]).mean()
    assert loss == pytest.approx(min(losses), abs=1e-6)
    right = (answers.argmax(axis=1) == noise[held_out]).mean()
    assert right == pytest.approx(facts["held_out_accuracies"][facts["best_epoch"] - 1])


def _held_out(n: int, recipe: ScratchRecipe) -> np.ndarray:
    from xai_lib.rng import generator

    order = generator(recipe.seed, "scratch", "held out").permutation(n)
    return order[: round(recipe.held_out * n)]


def test_held_out_words_are_unknown() -> None:
    texts = [f"w{i} film" for i in range(20)]
    box, _ = train_scratch(texts, np.arange(20) % 2, CLASSES, SMALL)
    unknown = {f"w{i}" for i in range(20)} - set(box.vocabulary.words)
    assert unknown == {f"w{i}" for i in _held_out(20, SMALL)}
    assert len(unknown) == 2


def test_words_beyond_the_budget_are_not_counted() -> None:
    texts = ["one two three four"] * 4
    recipe = dataclasses.replace(SMALL, max_length=2)
    box, _ = train_scratch(texts, np.array([0, 1, 0, 1]), CLASSES, recipe)
    assert box.vocabulary.words == ("one", "two")
    assert box.max_words == 2


@pytest.mark.parametrize("stop", [3, 9, 20])
def test_an_interrupted_training_ends_the_same(tmp_path: Path, stop: int) -> None:
    texts, labels = lessons()  # 54 texts in 7 batches
    whole, facts = train_scratch(texts, labels, CLASSES, SMALL)
    seen: list[int] = []

    def interrupt(step: int, steps: int, loss: float) -> None:
        if step == stop:
            raise KeyboardInterrupt

    def watch(step: int, steps: int, loss: float) -> None:
        seen.append(step)

    folder = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        train_scratch(texts, labels, CLASSES, SMALL, progress=interrupt, checkpoints=folder)
    assert folder.exists() == (stop > 7)
    after, facts_after = train_scratch(
        texts, labels, CLASSES, SMALL, progress=watch, checkpoints=folder
    )
    assert not folder.exists()
    assert seen[0] == stop // 7 * 7 + 1  # Finished epochs are not trained again.
    assert seen[-1] == 28
    assert same(whole, after)
    assert facts_after["held_out_losses"] == facts["held_out_losses"]


def test_a_checkpoint_that_was_cut_off_is_not_used(tmp_path: Path) -> None:
    texts, labels = lessons(20)
    whole, _ = train_scratch(texts, labels, CLASSES, SMALL)
    (tmp_path / "epoch.pt").write_bytes(b"cut off")
    after, _ = train_scratch(texts, labels, CLASSES, SMALL, checkpoints=tmp_path)
    assert same(whole, after)


def test_torch_s_generator_is_left_alone() -> None:
    texts, labels = lessons(20)
    torch.manual_seed(4)
    before = torch.get_rng_state()
    train_scratch(texts, labels, CLASSES, SMALL)
    assert torch.equal(before, torch.get_rng_state())


def test_one_text_is_too_few() -> None:
    with pytest.raises(ValueError, match=r"at least 2 texts, .* got 1"):
        train_scratch(["good"], np.array([1]), CLASSES, SMALL)


@pytest.mark.parametrize(
    "labels, message",
    [
        ([0, 1, 2], r"The label of text 2 is 2\. Valid labels are the whole numbers 0 to 1, "),
        ([0, -1, 1], r"The label of text 1 is -1\. Valid labels are the whole numbers 0 to 1, "),
        ([0, 1], r"one label: labels must have the shape \(3,\), got \(2,\)"),
        ([0, 1, 1, 0], r"one label: labels must have the shape \(3,\), got \(4,\)"),
        ([[0], [1], [1]], r"one label: labels must have the shape \(3,\), got \(3, 1\)"),
        ([0.5, 1.0, 0.0], r"class indices, got .*0\.5.* Valid labels are the whole numbers 0 to 1"),
        (["bad", "good", "good"], r"class indices, got .*'bad'.* the whole numbers 0 to 1, "),
    ],
)
def test_labels_that_are_none_are_named(labels: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train_scratch(["good", "bad", "fine"], labels, CLASSES, SMALL)  # type: ignore[arg-type]


# In the zoo -----------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XAI_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("XAI_DATA_DIR", raising=False)
    return tmp_path


@pytest.mark.parametrize("name", ["bilstm-planted", "bilstm-planted-binary"])
def test_planted_words_are_learned(name: str, cache: Path) -> None:
    box: Any = load_classifier(name, device="cpu")
    test = load_dataset(zoo.ZOO[name].dataset, "test")
    accuracy = float(np.mean(box.predict_proba(test.texts).argmax(axis=1) == test.labels))
    assert accuracy > 0.95
    assert isinstance(box, ScratchClassifier)
    assert box.card["accuracy"] == accuracy
    assert box.card["recipe"] == zoo.ZOO[name].recipe.to_dict()
    assert (box.name, box.classes, box.max_words) == (name, test.classes, 128)
    (folder,) = (path for path in (cache / "models").iterdir() if path.is_dir())
    assert sorted(path.name for path in folder.iterdir()) == [
        "card.json", "model.safetensors", "scratch.json", "vocabulary.json",
    ]  # fmt: skip
    again = load_classifier(folder, device="cpu", max_length=3)
    assert isinstance(again, ScratchClassifier)
    assert (again.name, again.max_words) == (name, 3)


def test_the_zoo_goes_on_where_it_was(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "bilstm-planted"
    recipe = ScratchRecipe(epochs=2, batch_size=32, learning_rate=5e-3, width=8, n_train=200)
    monkeypatch.setitem(zoo.ZOO, name, zoo.ZooEntry("planted", "bilstm", recipe, 50))
    folder = zoo.train_named(name, "cpu", progress=lambda *_: None)
    whole = zoo.load_named(name, "cpu").identity
    seconds = zoo.load_named(name, "cpu").card["epochs"]
    assert seconds == 2
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()

    def interrupt(step: int, steps: int, loss: float) -> None:
        if step == 8:  # 180 texts in 6 batches
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        zoo.train_named(name, "cpu", progress=interrupt)
    assert folder.with_suffix(".partial").is_dir()
    seen: list[int] = []
    again = zoo.train_named(name, "cpu", progress=lambda step, *_: seen.append(step))
    assert again == folder
    assert seen == [7, 8, 9, 10, 11, 12]
    assert not folder.with_suffix(".partial").exists()
    assert zoo.load_named(name, "cpu").identity == whole
