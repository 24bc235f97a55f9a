"""The epochs of a training from scratch: what is trained on, looked at and kept."""

from __future__ import annotations

import copy
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from xai_lib.models.ldav_training import text_vectors
from xai_lib.models.training import batches_by_length
from xai_lib.models.vocabulary import PADDING
from xai_lib.models.word_network import WordNetwork
from xai_lib.rng import generator

if TYPE_CHECKING:
    from xai_lib.models.scratch_training import ScratchRecipe

_HELD_OUT_BATCH = 256


class TrainingRun:
    """A training and how far it is.

    Parameters
    ----------
    network
        The network, on the device.
    inputs
        Token numbers of all n texts.
    target
        (n,) int64 classes.
    used, held_out
        Numbers of the texts that are trained on, and that tell when to stop.
    recipe
        How it is trained.
    device
        Torch device.
    """

    def __init__(
        self,
        network: WordNetwork,
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
        # Class vectors pushed apart without end have gradients without end, which would shrink
        # all others if they were clipped together.
        self.clipped = [one for one in network.parameters() if one is not network.class_vectors]
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
        """Whether the most epochs, or as many as patience allows, are done."""
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

    def _answers(self, batch: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Return the logits of texts, with the embeddings and the attention they come from."""
        width = int(self.lengths[batch].max())
        mask = np.arange(width) < self.lengths[batch][:, None]
        ids = np.full(mask.shape, PADDING, dtype=np.int64)
        ids[mask] = np.concatenate([self.inputs[i] for i in batch])
        attention = None if mask.all() else torch.from_numpy(mask).long().to(self.device)
        embedded, attention = self.network.read(torch.from_numpy(ids).to(self.device), attention)
        logits: torch.Tensor = self.network(embedded, attention)
        return logits.float(), embedded, attention

    def _loss(self, batch: np.ndarray) -> torch.Tensor:
        wanted = self.target[batch].to(self.device)
        logits, embedded, attention = self._answers(batch)
        vectors = self.network.class_vectors
        if self.recipe.ldav is None or vectors is None:
            return torch.nn.functional.cross_entropy(logits, wanted)
        texts = text_vectors(embedded, attention, self.network.pairs)
        return self.recipe.ldav.of_batch(logits, wanted, texts, vectors)

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
                loss = self._loss(batch)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.clipped, 1.0)
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
                logits = self._answers(batch)[0].cpu()
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
