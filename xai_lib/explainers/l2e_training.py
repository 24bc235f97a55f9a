"""Training of an L2E student: batches, losses, and the epoch that is kept."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from xai_lib.explainers.l2e_student import Student
from xai_lib.models.precision import fast_bfloat16

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
}
# Batches that are sorted by length together, so that little padding is computed.
_POOL = 32

# Outputs (n, W, L), targets (n, W) and mask (n, W) to the (n,) losses of texts.
Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Lesson:
    """One text as one teacher explained it.

    Attributes
    ----------
    ids
        (prefix + W,) int64 tokens, see `Student.ids`.
    targets
        (W,) int64: index of the label, or rank by size of the weight.
    """

    ids: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class Schedule:
    """How a student is trained; see the attributes of `xai_lib.explainers.l2e.L2E`."""

    optimizer: str
    learning_rate: float
    epochs: int
    batch_tokens: int
    clip: float
    patience: int


@dataclass
class Record:
    """What happened in training.

    Attributes
    ----------
    history, validation
        Loss of each epoch: for a word in the mean if `per_word`, else for a text.
    best_epoch
        The epoch that was kept, from 1.
    """

    history: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    best_epoch: int = 0


def length_batches(
    lengths: np.ndarray, batch_tokens: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Deal texts of similar length into batches, in random order.

    Parameters
    ----------
    lengths
        (n,) int tokens of each text.
    batch_tokens
        Tokens in a batch at most, padding included; a longer text is a batch of its own.
    rng
        Order of the texts and of the batches.

    Returns
    -------
    list of int array
        Numbers of the texts of each batch.
    """
    order = rng.permutation(len(lengths))
    pool = max(1, _POOL * batch_tokens // max(1, int(lengths.mean()))) if len(lengths) else 1
    batches: list[np.ndarray] = []
    for start in range(0, len(order), pool):
        part = order[start : start + pool]
        part = part[np.argsort(lengths[part], kind="stable")]
        begin = 0
        for end in range(1, len(part) + 1):
            # Sorted, so the next text is the longest of them.
            if end == len(part) or (end + 1 - begin) * lengths[part[end]] > batch_tokens:
                batches.append(part[begin:end])
                begin = end
    return [batches[i] for i in rng.permutation(len(batches))]


def padded_lessons(
    lessons: Sequence[Lesson], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, bool]:
    """Return ids, targets and mask of lessons, and whether any of them is padded."""
    counts = [len(one.targets) for one in lessons]
    widest = max(counts)
    prefix = len(lessons[0].ids) - counts[0]
    ids = np.zeros((len(lessons), prefix + widest), dtype=np.int64)
    targets = np.zeros((len(lessons), widest), dtype=np.int64)
    for row, one in enumerate(lessons):
        ids[row, : len(one.ids)] = one.ids
        targets[row, : counts[row]] = one.targets
    mask = np.arange(widest) < np.array(counts)[:, None]
    parts = [torch.from_numpy(part).to(device) for part in (ids, targets, mask)]
    return parts[0], parts[1], parts[2], min(counts) < widest


def train(
    network: Student,
    lessons: Sequence[Lesson],
    validation: Sequence[Lesson],
    loss: Loss,
    per_word: bool,
    schedule: Schedule,
    rng: np.random.Generator,
    progress: Callable[[int, int, float], None] | None = None,
) -> Record:
    """Train a student in place; the weights of the best epoch are kept.

    Parameters
    ----------
    network
        On its device.
    lessons
        What is learnt, at least one.
    validation
        What decides which epoch is the best, and when there is no use in more; where it is empty
        the last epoch is kept.
    loss
        Loss of each text.
    per_word
        Whether losses are recorded as means over words; what is made small is the mean over the
        texts of a batch in any case.
    schedule
        Optimiser, epochs, batches.
    rng
        Order of the texts.
    progress
        Called as ``progress(epoch, epochs, loss)`` after every epoch.

    Returns
    -------
    Record

    Raises
    ------
    ValueError
        If a loss is not finite.
    """
    device = next(network.parameters()).device
    kind = OPTIMIZERS[schedule.optimizer]
    optimizer = kind(network.parameters(), lr=schedule.learning_rate, fused=True)  # type: ignore[call-arg]
    lengths = np.array([len(one.ids) for one in lessons])
    held = np.array([len(one.ids) for one in validation])
    held_batches = length_batches(held, schedule.batch_tokens, rng)
    record = Record()
    best: dict[str, torch.Tensor] = {}

    def run(batch: Sequence[Lesson]) -> torch.Tensor:
        ids, targets, mask, padded = padded_lessons(batch, device)
        with torch.autocast(device.type, torch.bfloat16, enabled=fast_bfloat16(device.type)):
            outputs = network(ids, padded)
        return loss(outputs, targets, mask)

    def mean(total: torch.Tensor, of: Sequence[Lesson], what: str) -> float:
        value = float(total) / sum(len(one.targets) if per_word else 1 for one in of)
        if not np.isfinite(value):
            raise ValueError(
                f"The {what} loss is not finite in epoch {len(record.history) + 1}; choose a "
                f"learning rate below {schedule.learning_rate:g}."
            )
        return value

    for epoch in range(1, schedule.epochs + 1):
        network.train()
        total = torch.zeros((), device=device)
        for batch in length_batches(lengths, schedule.batch_tokens, rng):
            each = run([lessons[i] for i in batch])
            optimizer.zero_grad(set_to_none=True)
            each.mean().backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), schedule.clip)
            optimizer.step()
            total += each.detach().sum()
        shown = mean(total, lessons, "training")
        network.eval()
        if len(validation):
            total = torch.zeros((), device=device)
            with torch.inference_mode():
                for batch in held_batches:
                    total += run([validation[i] for i in batch]).sum()
            record.validation.append(mean(total, validation, "validation"))
        record.history.append(shown)
        if progress is not None:
            progress(epoch, schedule.epochs, shown)
        if not record.validation:
            record.best_epoch = epoch
            continue
        if record.validation[-1] <= min(record.validation):
            record.best_epoch = epoch
            best = copy.deepcopy(network.state_dict())
        elif epoch - record.best_epoch >= schedule.patience:
            break
    if best:
        network.load_state_dict(best)
    return record
