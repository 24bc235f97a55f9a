"""Fine-tuning of a pretrained encoder into a text classifier."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from xai_lib.models.precision import fast_bfloat16
from xai_lib.rng import generator


@dataclass(frozen=True)
class Recipe:
    """How a classifier is trained.

    Attributes
    ----------
    epochs, batch_size, learning_rate, weight_decay, warmup
        AdamW with a one-cycle schedule that peaks at `learning_rate` after the share `warmup`
        of all steps.
    max_length
        Token budget of one text, special tokens included.
    n_train
        Number of training texts, drawn without replacement with `seed`; None takes all.
    seed
        Fixes the new head, the order of the texts and dropout.
    """

    epochs: int = 3
    batch_size: int = 64
    learning_rate: float = 2e-4
    weight_decay: float = 0.01
    warmup: float = 0.1
    max_length: int = 128
    n_train: int | None = None
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain data."""
        return asdict(self)


def batches_by_length(
    lengths: np.ndarray, batch_size: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yield shuffled batches of texts of similar length, so that little padding is computed.

    Texts are shuffled, cut into pools of 32 batches, sorted by length inside each pool, cut into
    batches, and the batches of a pool are shuffled again.
    """
    order = rng.permutation(len(lengths))
    pool = 32 * batch_size
    for start in range(0, len(order), pool):
        part = order[start : start + pool]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches = [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
        for i in rng.permutation(len(batches)):
            yield batches[i]


def fine_tune(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    labels: np.ndarray,
    recipe: Recipe,
    device: str = "cpu",
    progress: Callable[[int, int, float], None] | None = None,
) -> float:
    """Fine-tune a Hugging Face sequence classifier in place.

    The forward pass runs under bfloat16 autocast where the device is fast at it; weights and
    optimiser stay in float32. The same recipe on the same device and number of threads gives
    the same weights.

    Parameters
    ----------
    model, tokenizer
        A transformers model with a classification head and its fast tokenizer.
    texts
        n training texts.
    labels
        (n,) int class indices.
    recipe
        Training settings.
    device
        Torch device.
    progress
        Called as ``progress(step, steps, loss)`` after every step.

    Returns
    -------
    float
        Wall time in seconds.
    """
    start = time.perf_counter()
    rng = generator(recipe.seed, "fine-tune")
    encoded = tokenizer(list(texts), truncation=True, max_length=recipe.max_length)["input_ids"]
    lengths = np.array([len(ids) for ids in encoded])
    target = torch.tensor(labels, dtype=torch.long)
    steps_per_epoch = sum(1 for _ in batches_by_length(lengths, recipe.batch_size, rng))
    steps = recipe.epochs * steps_per_epoch
    model.to(device).train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=recipe.learning_rate,
        total_steps=max(steps, 2),
        pct_start=recipe.warmup,
        anneal_strategy="linear",
    )
    loss_function = torch.nn.CrossEntropyLoss()
    step = 0
    with torch.random.fork_rng(devices=[device] if device.startswith("cuda") else []):
        torch.manual_seed(recipe.seed)
        for _ in range(recipe.epochs):
            for batch in batches_by_length(lengths, recipe.batch_size, rng):
                inputs = tokenizer.pad(
                    {"input_ids": [encoded[i] for i in batch]}, return_tensors="pt"
                ).to(device)
                with torch.autocast(
                    device_type=device.split(":", 1)[0],
                    dtype=torch.bfloat16,
                    enabled=fast_bfloat16(device),
                ):
                    logits = model(**inputs).logits
                loss = loss_function(logits.float(), target[batch].to(device))
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad(set_to_none=True)
                step += 1
                if progress is not None:
                    progress(step, steps, float(loss.detach()))
    model.eval()
    return time.perf_counter() - start
