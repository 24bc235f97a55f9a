"""Named black boxes: trained on first use, cached, with their held-out accuracy recorded."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from xai_lib.data import Dataset
from xai_lib.data.wheels import cache_folder
from xai_lib.models.huggingface import HuggingFaceClassifier, load_huggingface
from xai_lib.models.ldav_training import vector_norms
from xai_lib.models.minilm import MINILM, minilm_folder
from xai_lib.models.networks import NETWORKS
from xai_lib.models.precision import pick_device
from xai_lib.models.scratch import is_scratch_folder, load_scratch
from xai_lib.models.scratch_training import ScratchRecipe, train_scratch
from xai_lib.models.token_whitebox import TokenWhiteBox
from xai_lib.models.training import Recipe, fine_tune
from xai_lib.models.training_run import FileLock, progress_bar
from xai_lib.models.zoo_entries import BASES, ZOO, ZooEntry


def train_named(
    name: str,
    device: str = "auto",
    data_dir: str | Path | None = None,
    progress: Callable[[int, int, float], None] | None = None,
) -> Path:
    """Train a black box of the zoo unless it is cached, and return its folder.

    Parameters
    ----------
    name
        A name of `ZOO`.
    device, data_dir, progress
        As for `train_entry`.

    Returns
    -------
    pathlib.Path
        See `train_entry`.
    """
    return train_entry(name, ZOO[name], device, data_dir, progress)


def train_entry(
    name: str,
    entry: ZooEntry,
    device: str = "auto",
    data_dir: str | Path | None = None,
    progress: Callable[[int, int, float], None] | None = None,
    splits: tuple[Dataset, Dataset] | None = None,
) -> Path:
    """Train a black box unless it is cached, and return its folder.

    Parameters
    ----------
    name
        What it is called.
    entry
        What it is.
    device
        Where to train.
    data_dir
        Folder of data sets, see `xai_lib.data.load_dataset`.
    progress
        Called as ``progress(step, steps, loss)``; default a bar on standard error.
    splits
        ``entry.data`` of training and test, where they are at hand already.

    Returns
    -------
    pathlib.Path
        Folder with weights, vocabulary and ``card.json``: recipe, data, held-out accuracy,
        seconds, device. It is complete or absent, also when several processes train at once.
    """
    train, test = splits or (entry.data("train", data_dir), entry.data("test", data_dir))
    # What the weights depend on is in the folder's name: a changed recipe trains anew.
    facts = {"entry": entry.describe(), "train": train.sha256, "base": _origin(entry)}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
    folder = cache_folder() / "models" / f"{name}-{digest}"
    if (folder / "card.json").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "card.json").is_file():
            _train_into(folder, name, entry, train, test, pick_device(device), progress)
    return folder


def _train_into(
    folder: Path,
    name: str,
    entry: ZooEntry,
    train: Dataset,
    test: Dataset,
    device: str,
    progress: Callable[[int, int, float], None] | None,
) -> None:
    recipe = entry.recipe
    if recipe.n_train is not None and recipe.n_train < len(train):
        train = train.sample(recipe.n_train, seed=recipe.seed)
    bar = progress or progress_bar(f"training {name}")
    if isinstance(recipe, ScratchRecipe):
        black_box, facts, save = _from_scratch(folder, name, recipe, train, device, bar)
    else:
        black_box, facts, save = _fine_tuned(name, entry.base, recipe, train, device, bar)
    held_out = test if entry.n_test is None else test.sample(entry.n_test, seed=recipe.seed)
    predicted = black_box.predict_proba(held_out.texts).argmax(axis=1)
    card = {
        "name": name,
        "base": BASES[entry.base],
        "recipe": recipe.to_dict(),
        "train": train.describe(),
        "test": held_out.describe(),
        "accuracy": float(np.mean(predicted == held_out.labels)),
        "n_test": len(held_out),
        "majority": float(np.bincount(held_out.labels).max() / len(held_out)),
        **facts,
        "device": device,
    }
    scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    try:
        save(scratch)
        (scratch / "card.json").write_text(json.dumps(card, indent=1), encoding="utf-8")
        # What is there has no card, so it was cut off; a folder with files is not replaced.
        shutil.rmtree(folder, ignore_errors=True)
        scratch.replace(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


_Trained = tuple[TokenWhiteBox, dict[str, Any], Callable[[Path], None]]
"""The black box, what is to be recorded of its training, and a function that saves it."""


def _origin(entry: ZooEntry) -> str:
    """Return what else the weights depend on: those that training starts from, or the network."""
    return NETWORKS[entry.base].architecture if entry.base in NETWORKS else MINILM.sha256


def _from_scratch(
    folder: Path,
    name: str,
    recipe: ScratchRecipe,
    train: Dataset,
    device: str,
    bar: Callable[[int, int, float], None],
) -> _Trained:
    black_box, facts = train_scratch(
        train.texts,
        train.labels,
        train.classes,
        recipe,
        name,
        device,
        bar,
        folder.with_suffix(".partial"),
    )
    return black_box, facts, black_box.save


def _fine_tuned(
    name: str,
    base: str,
    recipe: Recipe,
    train: Dataset,
    device: str,
    bar: Callable[[int, int, float], None],
) -> _Trained:
    model, tokenizer = _untrained(base, recipe, train)
    seconds = fine_tune(model, tokenizer, train.texts, train.labels, recipe, device, bar)
    black_box = HuggingFaceClassifier(
        model, tokenizer, name, device=device, precision="float32", max_length=recipe.max_length
    )
    facts: dict[str, Any] = {"seconds": round(seconds, 1)}
    if black_box.class_vectors is not None:
        facts["class_vector_norms"] = vector_norms(black_box.class_vectors)
    return black_box, facts, black_box.save


def _untrained(base: str, recipe: Recipe, train: Dataset) -> tuple[Any, Any]:
    """Return the model and tokenizer that training starts from."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    if base == "tiny":
        from xai_lib.models.tiny import tiny_bert

        return tiny_bert(train.texts, train.classes, seed=recipe.seed)
    pretrained = minilm_folder()
    with torch.random.fork_rng(devices=[]), _without_report():
        torch.manual_seed(recipe.seed)
        model = AutoModelForSequenceClassification.from_pretrained(
            pretrained,
            num_labels=len(train.classes),
            id2label=dict(enumerate(train.classes)),
            label2id={label: i for i, label in enumerate(train.classes)},
            # Attention without dropout takes torch's fused kernel: training is twice as fast on a
            # CPU. The dropout of the hidden states stays.
            attention_probs_dropout_prob=0.0,
            dtype=torch.float32,
        )
    return model, AutoTokenizer.from_pretrained(pretrained)


@contextmanager
def _without_report() -> Iterator[None]:
    """Keep transformers from reporting that the last layer is new, which is as it should be."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def load_named(
    name: str,
    device: str = "auto",
    precision: str = "auto",
    max_length: int | None = None,
    data_dir: str | Path | None = None,
    splits: tuple[Dataset, Dataset] | None = None,
) -> TokenWhiteBox:
    """Load a black box of the zoo, training it first where it is not cached; see `train_entry`."""
    return load_entry(name, ZOO[name], device, precision, max_length, data_dir, splits)


def load_entry(
    name: str,
    entry: ZooEntry,
    device: str = "auto",
    precision: str = "auto",
    max_length: int | None = None,
    data_dir: str | Path | None = None,
    splits: tuple[Dataset, Dataset] | None = None,
) -> TokenWhiteBox:
    """Load a black box that need not be in the zoo, see `train_entry` for what it takes."""
    folder = train_entry(name, entry, device, data_dir, splits=splits)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    limit = max_length or card["recipe"]["max_length"]
    load = load_scratch if is_scratch_folder(folder) else load_huggingface
    classifier: TokenWhiteBox = load(folder, name, device, precision, limit)
    classifier.card = card
    return classifier
