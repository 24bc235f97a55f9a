"""Fine-tuning of a pretrained encoder into a text classifier, with class vectors or without."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from xai_lib.checks import check_labels
from xai_lib.models.class_vectors import class_vectors_of, renew_class_vectors
from xai_lib.models.ldav_training import LdavLosses, text_vectors
from xai_lib.models.precision import fast_bfloat16
from xai_lib.rng import generator
from xai_lib.text import without_surrogates

_COLUMNS = ("input_ids", "special_tokens_mask")


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
        Fixes the new head, the order of the texts, dropout and the first class vectors.
    ldav
        Learns class vectors with the network, in the space of its word embeddings, see
        `LdavLosses`; None learns none. The network starts from the same weights and sees the same
        batches with and without.
    vector_learning_rate
        Peak learning rate of the class vectors, with the same schedule. They start from random
        numbers and the encoder does not, so that at its rate they hardly leave them.

    Raises
    ------
    ValueError
        If `vector_learning_rate` is not positive and finite.

    Notes
    -----
    Word embeddings of a pretrained encoder move little in fine-tuning: it is the class vectors
    that move. With ``l3="literal"`` their directions are those of the first steps, because the term
    stretches what differences there are; predictions are of little use then, so take
    ``target="gold"`` with it, and for short embeddings a larger `rho2`, or all vectors end in one
    direction. ``"normalised"`` recovers from the first predictions, but an encoder that is not
    pretrained learns nothing while all texts are pulled to one class: it needs ``"gold"`` too.
    """

    epochs: int = 3
    batch_size: int = 64
    learning_rate: float = 2e-4
    weight_decay: float = 0.01
    warmup: float = 0.1
    max_length: int = 128
    n_train: int | None = None
    seed: int = 0
    ldav: LdavLosses | None = None
    vector_learning_rate: float = 0.02

    def __post_init__(self) -> None:
        """Check the learning rate of the class vectors."""
        if not 0 < self.vector_learning_rate < float("inf"):
            raise ValueError(
                "vector_learning_rate must be a positive and finite number, got "
                f"{self.vector_learning_rate}."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain data.

        What concerns class vectors is left out where none are learnt, so that recipes from before
        there were any read the same.
        """
        found = asdict(self)
        if self.ldav is None:
            del found["ldav"], found["vector_learning_rate"]
        return found


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


def _loss(
    model: Any,
    ids: torch.Tensor,
    special: torch.Tensor,
    logits: torch.Tensor,
    labels: torch.Tensor,
    ldav: LdavLosses | None,
) -> torch.Tensor:
    """Compute the loss of a batch; `special` is 1 for special tokens, padding among them."""
    vectors = class_vectors_of(model)
    if ldav is None or vectors is None:
        return torch.nn.functional.cross_entropy(logits, labels)
    texts = text_vectors(model.get_input_embeddings()(ids), 1 - special)
    return ldav.of_batch(logits, labels, texts, vectors)


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

    With `recipe.ldav` the model gets class vectors as a parameter, ``model.class_vectors``; those
    that it has are replaced, and without `recipe.ldav` removed. The vector of a text is the mean
    of the rows that its pieces have in the table of word embeddings, before anything is added to
    them; special tokens and padding do not count.

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

    Raises
    ------
    ValueError
        If a text has no label from 0 to C - 1, where the model has C classes.
    """
    labels = check_labels(labels, len(texts), model.config.num_labels)
    start = time.perf_counter()
    rng = generator(recipe.seed, "fine-tune")
    encoded = tokenizer(
        [without_surrogates(text) for text in texts],
        truncation=True,
        max_length=recipe.max_length,
        return_special_tokens_mask=True,
    )
    lengths = np.array([len(ids) for ids in encoded["input_ids"]])
    target = torch.tensor(labels, dtype=torch.long)
    steps_per_epoch = sum(1 for _ in batches_by_length(lengths, recipe.batch_size, rng))
    steps = recipe.epochs * steps_per_epoch
    vectors = renew_class_vectors(model, None if recipe.ldav is None else recipe.seed)
    model.to(device).train()
    network = [one for one in model.parameters() if one is not vectors]
    groups, rates = [{"params": network}], [recipe.learning_rate]
    if vectors is not None:
        groups.append({"params": [vectors]})
        rates.append(recipe.vector_learning_rate)
    optimizer = torch.optim.AdamW(
        groups, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=rates,
        total_steps=max(steps, 2),
        pct_start=recipe.warmup,
        anneal_strategy="linear",
    )
    step = 0
    with torch.random.fork_rng(devices=[device] if device.startswith("cuda") else []):
        torch.manual_seed(recipe.seed)
        for _ in range(recipe.epochs):
            for batch in batches_by_length(lengths, recipe.batch_size, rng):
                inputs = tokenizer.pad(
                    {name: [encoded[name][i] for i in batch] for name in _COLUMNS},
                    return_tensors="pt",
                ).to(device)
                special = inputs.pop("special_tokens_mask")
                with torch.autocast(
                    device_type=device.split(":", 1)[0],
                    dtype=torch.bfloat16,
                    enabled=fast_bfloat16(device),
                ):
                    logits = model(**inputs).logits
                wanted = target[batch].to(device)
                ids = inputs["input_ids"]
                loss = _loss(model, ids, special, logits.float(), wanted, recipe.ldav)
                loss.backward()
                # Class vectors pushed apart without end have gradients without end, which would
                # shrink all others if they were clipped together.
                torch.nn.utils.clip_grad_norm_(network, 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad(set_to_none=True)
                step += 1
                if progress is not None:
                    progress(step, steps, float(loss.detach()))
    model.eval()
    return time.perf_counter() - start
