"""Named black boxes: trained once, cached whole, the same from the same seed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from xai_lib.data import load_dataset
from xai_lib.models import load_classifier, zoo, zoo_entries
from xai_lib.models.ldav_training import LdavLosses
from xai_lib.models.scratch_training import ScratchRecipe, train_scratch
from xai_lib.models.training import fine_tune

NAME = "tiny-planted"


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XAI_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("XAI_DATA_DIR", raising=False)
    return tmp_path


@pytest.fixture
def trainings(cache, monkeypatch) -> list[int]:
    """Let training do nothing but count; the caching is what is tested."""
    seeds: list[int] = []

    def nothing(model, tokenizer, texts, labels, recipe, device, progress):
        seeds.append(recipe.seed)
        return 0.5

    monkeypatch.setattr(zoo, "fine_tune", nothing)
    return seeds


def silent(step: int, steps: int, loss: float) -> None:
    pass


def test_planted_words_are_learned(planted_classifier):
    test = load_dataset("planted", "test")
    predicted = planted_classifier.predict_proba(test.texts).argmax(axis=1)
    accuracy = float(np.mean(predicted == test.labels))
    assert accuracy >= 0.95
    card = planted_classifier.card
    assert card["accuracy"] == accuracy
    assert card["n_test"] == len(test) == 400
    assert card["majority"] == 0.25
    assert card["train"]["sha256"] == load_dataset("planted", "train").sha256
    assert card["recipe"] == zoo.ZOO[NAME].recipe.to_dict()
    assert card["device"] == "cpu"
    assert planted_classifier.classes == test.classes
    assert planted_classifier.max_length == 128


def test_the_same_seed_gives_the_same_bits(planted_classifier, cache):
    folder = zoo.train_named(NAME, device="cpu", progress=silent)
    assert str(folder).startswith(str(cache))
    again = zoo.load_named(NAME, device="cpu", precision="float32")
    assert again.fingerprint == planted_classifier.fingerprint
    assert again.card["accuracy"] == planted_classifier.card["accuracy"]


def test_a_second_call_does_not_train(trainings, cache):
    first = load_classifier(NAME, device="cpu", precision="float32")
    second = load_classifier(NAME, device="cpu", precision="float32")
    assert trainings == [0]
    assert first.fingerprint == second.fingerprint
    (folder,) = (path for path in (cache / "models").iterdir() if path.is_dir())
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".json") == [
        "model.safetensors"
    ]
    card = json.loads((folder / "card.json").read_text())
    assert card["seconds"] == 0.5
    assert first.card == card  # type: ignore[attr-defined]


def test_a_changed_recipe_trains_anew(trainings, monkeypatch):
    first = zoo.train_named(NAME, "cpu", progress=silent)
    recipe = dataclasses.replace(zoo.ZOO[NAME].recipe, seed=7, max_length=40)
    monkeypatch.setitem(zoo.ZOO, NAME, dataclasses.replace(zoo.ZOO[NAME], recipe=recipe))
    second = zoo.train_named(NAME, "cpu", progress=silent)
    assert trainings == [0, 7]
    assert first != second
    assert zoo.load_named(NAME, "cpu", "float32").max_length == 40
    assert zoo.load_named(NAME, "cpu", "float32", max_length=20).max_length == 20
    assert trainings == [0, 7]


def test_other_data_trains_anew(trainings, monkeypatch):
    first = zoo.train_named(NAME, "cpu", progress=silent)
    monkeypatch.setattr(
        zoo_entries,
        "load_dataset",
        lambda name, split, data_dir: load_dataset(name, split).take(range(99)),
    )
    assert zoo.train_named(NAME, "cpu", progress=silent) != first
    assert trainings == [0, 0]


def test_a_half_written_folder_is_not_used(trainings, cache):
    folder = zoo.train_named(NAME, "cpu", progress=silent)
    (folder / "card.json").unlink()
    (folder / "model.safetensors").write_bytes(b"cut off")
    assert zoo.train_named(NAME, "cpu", progress=silent) == folder
    assert trainings == [0, 0]
    assert zoo.load_named(NAME, "cpu", "float32").card["n_test"] == 400


def test_a_training_that_fails_leaves_nothing(cache, monkeypatch):
    def fails(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(zoo, "fine_tune", fails)
    with pytest.raises(KeyboardInterrupt):
        zoo.train_named(NAME, "cpu", progress=silent)
    assert [path for path in (cache / "models").iterdir() if path.is_dir()] == []


def test_a_sample_of_the_training_texts_is_drawn(cache, monkeypatch):
    seen: list[tuple[str, ...]] = []

    def look(model, tokenizer, texts, labels, recipe, device, progress):
        seen.append(tuple(texts))
        assert len(labels) == len(texts)
        return 0.0

    monkeypatch.setattr(zoo, "fine_tune", look)
    recipe = dataclasses.replace(zoo.ZOO[NAME].recipe, n_train=50)
    entry = dataclasses.replace(zoo.ZOO[NAME], recipe=recipe, n_test=30)
    monkeypatch.setitem(zoo.ZOO, NAME, entry)
    folder = zoo.train_named(NAME, "cpu", progress=silent)
    assert len(set(seen[0])) == 50
    assert set(seen[0]) <= set(load_dataset("planted", "train").texts)
    card = json.loads((folder / "card.json").read_text())
    assert card["n_test"] == 30
    assert card["train"]["rows"] == 50


def test_progress_is_reported_in_tenths_where_there_is_no_terminal(capsys):
    log = zoo.progress_bar("training x")
    for step in range(1, 41):
        log(step, 40, 1 / step)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0] == "training x: step 4/40, loss 0.250"
    assert lines[-1] == "training x: step 40/40, loss 0.025"


def test_what_was_cached_keeps_its_name(cache, monkeypatch):
    """The name is written out from what it depended on before there were other networks."""
    monkeypatch.setattr(zoo, "_train_into", lambda *_: None)
    recipe = {
        "epochs": 8, "batch_size": 32, "learning_rate": 5e-3, "patience": 2, "held_out": 0.1,
        "max_length": 128, "vocabulary": 20000, "min_count": 2, "width": 32,
        "dropout": [0.3, 0.3, 0.5], "embedding_std": 0.3, "n_train": None, "seed": 0,
    }  # fmt: skip
    entry = {"dataset": "planted", "base": "bilstm", "recipe": recipe, "n_test": None}
    sha256 = load_dataset("planted", "train").sha256
    facts = {"entry": entry, "train": sha256, "base": "bilstm-attention-1"}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
    assert zoo.train_named("bilstm-planted", "cpu", progress=silent).name == (
        f"bilstm-planted-{digest}"
    )
    recipe = zoo.ZOO["minilm-imdb"].recipe.to_dict()
    assert zoo.ZOO["minilm-imdb"].describe() == {
        "dataset": "imdb", "base": "minilm", "recipe": recipe, "n_test": 5000, "max_words": 80,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("dataset", "network"), [("planted", "transformer"), ("planted_pairs", "decomposable")]
)
def test_other_networks_with_class_vectors(dataset, network, cache, monkeypatch):
    recipe = ScratchRecipe(
        epochs=1, width=8, max_length=40, n_train=60, network=network, ldav=LdavLosses()
    )
    monkeypatch.setitem(zoo.ZOO, "new", zoo.ZooEntry(dataset, network, recipe, 20))
    box = load_classifier("new", device="cpu")
    assert box.class_vectors.shape == (len(box.classes), 8)
    assert type(box.model) is zoo.NETWORKS[network]
    assert box.card["recipe"] == recipe.to_dict()
    assert box.card["base"] == zoo.NETWORKS[network].title
    assert len(box.card["class_vector_norms"]) == len(box.classes)
    folder = zoo.train_named("new", "cpu")
    other = dataclasses.replace(recipe, ldav=LdavLosses(rho1=0.5))
    monkeypatch.setitem(zoo.ZOO, "new", zoo.ZooEntry(dataset, network, other, 20))
    assert zoo.train_named("new", "cpu") != folder


def test_texts_are_cut_from_the_front_or_from_the_end():
    recipe = ScratchRecipe()
    whole, first, last = (
        zoo.ZooEntry("planted", "bilstm", recipe, None, *cut)
        for cut in ((), (3,), (3, True))
    )  # fmt: skip
    texts = load_dataset("planted", "train").texts
    assert whole.data("train").texts == texts
    for entry, start, stop in ((first, 0, 3), (last, -3, None)):
        for split in ("train", "test"):
            found = entry.data(split)
            words = [t.replace(".", "").split() for t in load_dataset("planted", split).texts]
            assert [t.replace(".", "").split() for t in found.texts] == [
                one[start:stop] for one in words
            ]
    told = [entry.describe() for entry in (whole, first, last)]
    plain = {"dataset": "planted", "base": "bilstm", "n_test": None, "recipe": recipe.to_dict()}
    # A setting that does nothing is left out: it must not rename what is cached.
    assert told == [
        plain, {**plain, "max_words": 3}, {**plain, "max_words": 3, "from_end": True}
    ]  # fmt: skip


def test_neutral_copies_are_a_class_of_an_entry_and_rename_nothing_else():
    entry = zoo.ZooEntry("planted_binary", "bilstm", ScratchRecipe(), max_words=5, neutral="mask")
    plain = dataclasses.replace(entry, neutral="")
    assert entry.describe() == {**plain.describe(), "neutral": "mask"}
    found, whole = entry.data("test"), load_dataset("planted_binary", "test")
    assert found.classes == (*whole.classes, "neutral")
    assert found.texts[: len(whole)] == plain.data("test").texts
    # A cue word that stands behind the fifth word is not read.
    read = sum(min(places) < 5 for places in whole.extra["planted"])
    assert 0 < read < len(whole)
    assert (found.labels == 2).sum() == len(found) - len(whole) == read


def test_only_film_reviews_are_cut_from_the_end():
    cut = {name: entry.max_words for name, entry in zoo.ZOO.items() if entry.from_end}
    imdb = {"ldav-bilstm-imdb", "ldav-transformer-imdb", "ldav-minilm-imdb"}
    assert cut == {**dict.fromkeys(imdb, 50), "transformer-movies": 256}


def test_an_entry_need_not_be_in_the_zoo(cache, monkeypatch):
    seen: list[tuple] = []

    def look(texts, labels, classes, recipe, name, device, bar, folder):
        seen.append((tuple(texts), recipe.seed, name))
        return train_scratch(texts, labels, classes, recipe, name, device, lambda *_: None, folder)

    monkeypatch.setattr(zoo, "train_scratch", look)
    recipe = ScratchRecipe(epochs=1, width=4, max_length=9, n_train=40, seed=3)
    entry = zoo.ZooEntry("planted", "bilstm", recipe, 10, 4, True)
    box = zoo.load_entry("mine", entry, "cpu")
    ((texts, seed, name),) = seen
    assert (seed, name, box.name, box.max_length) == (3, "mine", "mine", 9)
    train, test = (load_dataset("planted", split).last_words(4) for split in ("train", "test"))
    assert texts == train.sample(40, seed=3).texts
    held_out = test.sample(10, seed=3)
    right = box.predict_proba(held_out.texts).argmax(axis=1) == held_out.labels
    assert box.card["accuracy"] == right.mean()
    assert (box.card["n_test"], box.card["test"]["sha256"]) == (10, held_out.sha256)
    again = zoo.load_entry("mine", entry, "cpu")
    assert (again.identity, len(seen)) == (box.identity, 1)
    # Cut from the front, or trained as another run, it is another network.
    folder = zoo.train_entry("mine", entry, "cpu")
    front = dataclasses.replace(entry, from_end=False)
    second = dataclasses.replace(entry, recipe=dataclasses.replace(recipe, seed=4))
    assert len({folder, *(zoo.train_entry("mine", one, "cpu") for one in (front, second))}) == 3
    assert [len(one[0]) for one in seen] == [40, 40, 40]
    assert zoo.load_entry("mine", entry, "cpu", max_length=2).max_length == 2
    assert len(seen) == 3


def test_a_recipe_is_one_of_its_base():
    with pytest.raises(ValueError, match=r"'gru'. Valid: minilm, tiny, bilstm, transformer"):
        zoo.ZooEntry("planted", "gru", ScratchRecipe())
    with pytest.raises(ValueError, match=r"recipe of a 'bilstm' trains the network 'transformer'"):
        zoo.ZooEntry("planted", "bilstm", ScratchRecipe(network="transformer"))
    with pytest.raises(ValueError, match=r"recipe of a 'minilm' trains the network 'bilstm'"):
        zoo.ZooEntry("planted", "minilm", ScratchRecipe())
    with pytest.raises(ValueError, match=r"recipe of a 'bilstm' trains the network None"):
        zoo.ZooEntry("planted", "bilstm", zoo.ZOO[NAME].recipe)


def test_names_of_the_zoo_have_data_and_a_base():
    from xai_lib.data import dataset_names

    for name, entry in zoo.ZOO.items():
        assert entry.dataset in dataset_names(), name
        assert entry.base in zoo.BASES, name
    assert zoo.fine_tune is fine_tune
