"""Training of a word network from scratch, with early stopping, and resumable."""

from __future__ import annotations

import copy
import os
import pickle
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xai_lib.models.bilstm import DROPOUT, EMBEDDING_STD, BiLSTMAttention
from xai_lib.models.scratch import ScratchClassifier, new_network
from xai_lib.models.training import batches_by_length
from xai_lib.models.vocabulary import PADDING, WordVocabulary
from xai_lib.rng import generator
from xai_lib.text import make_instance

_HELD_OUT_BATCH = 256


@dataclass(frozen=True)
class ScratchRecipe:
    """How a network is trained from scratch.

    Attributes
    ----------
    epochs, batch_size, learning_rate
        Adam for at most so many epochs.
    patience
        Training stops after so many epochs in a row without a lower loss on the held-out texts.
    held_out
        Share of the training texts that are held out for that, drawn with `seed`.
    max_length
        Words of a text that are read.
    vocabulary, min_count
        The most frequent words, at most so many, that occur so often; see
        `WordVocabulary.of_texts`. They are counted without the held-out texts.
    width, dropout, embedding_std
        See `BiLSTMAttention`.
    n_train
        Number of training texts, drawn without replacement with `seed`; None takes all.
    seed
        Fixes the initial weights, the held-out texts, the order of the others and dropout.
    """

    epochs: int = 15
    batch_size: int = 32
    learning_rate: float = 1e-3
    patience: int = 2
    held_out: float = 0.1
    max_length: int = 256
    vocabulary: int = 20000
    min_count: int = 2
    width: int = 128
    dropout: tuple[float, float, float] = DROPOUT
    embedding_std: float = EMBEDDING_STD
    n_train: int | None = None
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain data."""
        return {**asdict(self), "dropout": list(self.dropout)}


def train_scratch(
    texts: Sequence[str],
    labels: np.ndarray,
    classes: Sequence[str],
    recipe: ScratchRecipe,
    name: str = "bilstm",
    device: str = "cpu",
    progress: Callable[[int, int, float], None] | None = None,
    checkpoints: str | Path | None = None,
) -> tuple[ScratchClassifier, dict[str, Any]]:
    """Train a `BiLSTMAttention` on texts and keep the weights of its best epoch.

    The best epoch is the one with the lowest mean cross-entropy on the held-out texts. The same
    recipe on the same device and number of threads gives the same weights, also when training
    was interrupted: the random numbers of an epoch depend on the seed and its number only.

    Parameters
    ----------
    texts
        n training texts, at least 2.
    labels
        (n,) int class indices.
    classes
        Names of the C classes.
    recipe
        Training settings; `n_train` is left to the caller.
    name
        What the classifier is called.
    device
        Torch device.
    progress
        Called as ``progress(step, steps, loss)`` after every step, where `steps` is the most
        there can be, and a last time with ``step == steps``.
    checkpoints
        Folder in which each finished epoch is kept, so that an interrupted training goes on
        there. It must be used for these texts and this recipe only, and is removed at the end.

    Returns
    -------
    classifier : ScratchClassifier
        In float32.
    facts : dict
        ``seconds`` (over all interruptions), ``epochs`` trained, ``best_epoch`` (from 1),
        ``held_out_losses`` and ``held_out_accuracies`` of each epoch.

    Raises
    ------
    ValueError
        If there are fewer than 2 texts.
    """
    if len(texts) < 2:
        raise ValueError(
            f"Training needs at least 2 texts, one of them held out, got {len(texts)}."
        )
    order = generator(recipe.seed, "scratch", "held out").permutation(len(texts))
    n_held_out = min(max(1, round(recipe.held_out * len(texts))), len(texts) - 1)
    held_out, used = np.sort(order[:n_held_out]), np.sort(order[n_held_out:])
    # What is not read is not counted either.
    read = [make_instance(text, end=recipe.max_length).read_text for text in texts]
    vocabulary = WordVocabulary.of_texts(
        (read[i] for i in used), recipe.vocabulary, recipe.min_count
    )
    network = new_network(
        len(vocabulary),
        len(classes),
        recipe.width,
        recipe.dropout,
        recipe.embedding_std,
        recipe.seed,
    )
    box = ScratchClassifier(
        network, vocabulary, name, classes, device, "float32", recipe.max_length
    )
    inputs = box._tokenise(read)
    target = torch.tensor(labels, dtype=torch.long)
    run = _Run(network, inputs, target, used, held_out, recipe, device)
    folder = None if checkpoints is None else Path(checkpoints)
    if folder is not None:
        run.resume(folder)
    while not run.finished:
        run.epoch(progress)
        if folder is not None:
            run.keep(folder)
    if progress is not None:
        progress(run.steps, run.steps, run.losses[run.best])
    network.load_state_dict(run.best_weights)
    network.eval().requires_grad_(False)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    return box, {
        "seconds": round(run.seconds, 1),
        "epochs": len(run.losses),
        "best_epoch": run.best + 1,
        "held_out_losses": run.losses,
        "held_out_accuracies": run.accuracies,
    }


class _Run:
    """A training and how far it is."""

    def __init__(
        self,
        network: BiLSTMAttention,
        inputs: list[np.ndarray],
        target: torch.Tensor,
        used: np.ndarray,
        held_out: np.ndarray,
        recipe: ScratchRecipe,
        device: str,
    ) -> None:
        self.network = network.requires_grad_(True)
        self.inputs, self.target, self.used, self.held_out = inputs, target, used, held_out
        self.recipe, self.device = recipe, device
        self.lengths = np.array([len(ids) for ids in inputs])
        self.optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, fused=True)
        self.steps_per_epoch = sum(1 for _ in self._batches(0))
        self.steps = recipe.epochs * self.steps_per_epoch
        self.losses: list[float] = []
        self.accuracies: list[float] = []
        self.seconds = 0.0
        self.best_weights: dict[str, torch.Tensor] = {}

    @property
    def best(self) -> int:
        """Number of the epoch with the lowest held-out loss, the first such, from 0."""
        return int(np.argmin(self.losses))

    @property
    def finished(self) -> bool:
        done = len(self.losses)
        return done >= self.recipe.epochs or (
            done > 0 and done - 1 - self.best >= self.recipe.patience
        )

    def _batches(self, epoch: int) -> list[np.ndarray]:
        rng = generator(self.recipe.seed, "scratch", "order", epoch)
        lengths = self.lengths[self.used]
        return [
            self.used[batch] for batch in batches_by_length(lengths, self.recipe.batch_size, rng)
        ]

    def _logits(self, batch: np.ndarray) -> torch.Tensor:
        width = int(self.lengths[batch].max())
        mask = np.arange(width) < self.lengths[batch][:, None]
        ids = np.full(mask.shape, PADDING, dtype=np.int64)
        ids[mask] = np.concatenate([self.inputs[i] for i in batch])
        attention = None if mask.all() else torch.from_numpy(mask).long().to(self.device)
        embedded = self.network.embedding(torch.from_numpy(ids).to(self.device))
        logits: torch.Tensor = self.network(embedded, attention)
        return logits.float()

    def epoch(self, progress: Callable[[int, int, float], None] | None) -> None:
        """Train for one epoch and look at the held-out texts."""
        start = time.perf_counter()
        number = len(self.losses)
        step = number * self.steps_per_epoch
        self.network.train()
        cuda = [self.device] if self.device.startswith("cuda") else []
        with torch.random.fork_rng(devices=cuda):
            key = generator(self.recipe.seed, "scratch", "dropout", number)
            torch.manual_seed(int(key.integers(2**63)))
            for batch in self._batches(number):
                wanted = self.target[batch].to(self.device)
                loss = torch.nn.functional.cross_entropy(self._logits(batch), wanted)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
                self.optimizer.step()
                self.optimizer.zero_grad(set_to_none=True)
                step += 1
                if progress is not None and step < self.steps:
                    progress(step, self.steps, float(loss.detach()))
        loss_of, accuracy = self._look()
        if not self.losses or loss_of < min(self.losses):
            self.best_weights = copy.deepcopy(self.network.state_dict())
        self.losses.append(loss_of)
        self.accuracies.append(accuracy)
        self.seconds += time.perf_counter() - start

    def _look(self) -> tuple[float, float]:
        """Return mean cross-entropy and accuracy on the held-out texts."""
        self.network.eval()
        order = self.held_out[np.argsort(self.lengths[self.held_out], kind="stable")]
        total, right = 0.0, 0
        with torch.inference_mode():
            for start in range(0, len(order), _HELD_OUT_BATCH):
                batch = order[start : start + _HELD_OUT_BATCH]
                logits = self._logits(batch).cpu()
                wanted = self.target[batch]
                total += float(torch.nn.functional.cross_entropy(logits, wanted, reduction="sum"))
                right += int((logits.argmax(dim=1) == wanted).sum())
        return total / len(order), right / len(order)

    def keep(self, folder: Path) -> None:
        """Write what the next epoch depends on; the file is complete or absent."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "network": self.network.state_dict(),
            "best": self.best_weights,
            "optimizer": self.optimizer.state_dict(),
            "losses": self.losses,
            "accuracies": self.accuracies,
            "seconds": self.seconds,
        }
        scratch = folder / f"epoch.{os.getpid()}.tmp"
        torch.save(state, scratch)
        scratch.replace(folder / "epoch.pt")

    def resume(self, folder: Path) -> None:
        """Go on after the last finished epoch, if there is one."""
        try:
            state = torch.load(folder / "epoch.pt", map_location=self.device, weights_only=True)
        except (OSError, EOFError, RuntimeError, pickle.UnpicklingError):
            return  # None was finished.
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best_weights = state["best"]
        self.losses, self.accuracies = state["losses"], state["accuracies"]
        self.seconds = state["seconds"]
