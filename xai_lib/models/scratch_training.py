"""Training of a word network from scratch, with early stopping, and resumable."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xai_lib.checks import check_labels
from xai_lib.models.ldav_training import LdavLosses, vector_norms
from xai_lib.models.networks import network_class, new_network
from xai_lib.models.pair_classifier import as_scratch
from xai_lib.models.scratch import ScratchClassifier
from xai_lib.models.scratch_run import TrainingRun
from xai_lib.models.vocabulary import WordVocabulary
from xai_lib.models.word_network import EMBEDDING_STD
from xai_lib.rng import generator
from xai_lib.text import make_instance


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
        See the network. A dropout of None is the network's own.
    n_train
        Number of training texts, drawn without replacement with `seed`; None takes all.
    seed
        Fixes the initial weights, the held-out texts, the order of the others and dropout.
    network
        A name of `xai_lib.models.networks.NETWORKS`.
    ldav
        Learns class vectors with the network, see `LdavLosses`; None learns none. The network
        starts from the same weights and sees the same batches with and without.

    Raises
    ------
    ValueError
        If the network is unknown.
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
    dropout: tuple[float, ...] | None = None
    embedding_std: float = EMBEDDING_STD
    n_train: int | None = None
    seed: int = 0
    network: str = "bilstm"
    ldav: LdavLosses | None = None

    def __post_init__(self) -> None:
        """Check the network."""
        network_class(self.network)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain data.

        The network and the losses are left out where they are the first there was, so that
        recipes from before there were others read the same.
        """
        own = network_class(self.network).default_dropout
        dropout = own if self.dropout is None else self.dropout
        found = {**asdict(self), "dropout": list(dropout)}
        if self.network == "bilstm":
            del found["network"]
        if self.ldav is None:
            del found["ldav"]
        return found


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
    """Train a network on texts and keep the weights of its best epoch.

    The best epoch is the one with the lowest mean cross-entropy on the held-out texts, also where
    class vectors are learnt: what they add to the loss need not have a lowest value. The same
    recipe on the same device and number of threads gives the same weights, also when training
    was interrupted: the random numbers of an epoch depend on the seed and its number only.

    Parameters
    ----------
    texts
        n training texts, at least 2; for a network of pairs see
        `xai_lib.models.pair_classifier.PairClassifier`.
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
        ``held_out_losses`` and ``held_out_accuracies`` of each epoch; with class vectors also
        their lengths, ``class_vector_norms``.

    Raises
    ------
    ValueError
        If there are fewer than 2 texts, or a text has no label from 0 to C - 1.
    """
    if len(texts) < 2:
        raise ValueError(
            f"Training needs at least 2 texts, one of them held out, got {len(texts)}."
        )
    labels = check_labels(labels, len(texts), len(classes))
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
        recipe.network,
        recipe.max_length,
    )
    if recipe.ldav is not None:
        network.add_class_vectors(recipe.seed, recipe.embedding_std)
    box = as_scratch(network, vocabulary, name, classes, device, "float32", recipe.max_length)
    inputs = box._tokenise(read)
    target = torch.tensor(labels, dtype=torch.long)
    run = TrainingRun(network, inputs, target, used, held_out, recipe, device)
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
    facts: dict[str, Any] = {
        "seconds": round(run.seconds, 1),
        "epochs": len(run.losses),
        "best_epoch": run.best + 1,
        "held_out_losses": run.losses,
        "held_out_accuracies": run.accuracies,
    }
    if box.class_vectors is not None:
        facts["class_vector_norms"] = vector_norms(box.class_vectors)
    return box, facts
