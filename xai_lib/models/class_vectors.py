"""Class vectors (LDAV) of a transformers model: made, written beside its weights, read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

VECTORS = "class_vectors"
"""Name of the parameter, and of the tensor in the file."""
FILE = "class_vectors.safetensors"

# Short vectors soon turn to their texts. With vectors as long as words, the literal L3, which
# stretches the differences that it finds, makes their first, random directions last.
SHARE_OF_WORDS = 0.1


def renew_class_vectors(model: Any, seed: int | None) -> torch.nn.Parameter | None:
    """Give a model untrained class vectors as a parameter, in place of those that it has.

    They are drawn with mean zero and `SHARE_OF_WORDS` of the standard deviation of the table of
    word embeddings. The other weights, and torch's own generator, are left alone.

    Parameters
    ----------
    model
        A transformers model with a classification head.
    seed
        Fixes the vectors; None leaves the model without any.

    Returns
    -------
    (C, d) parameter, or None
        d is the length of a word embedding.
    """
    if seed is None:
        if class_vectors_of(model) is not None:
            delattr(model, VECTORS)
        return None
    table = model.get_input_embeddings().weight.detach()
    drawn = torch.Generator().manual_seed(seed)
    vectors = torch.randn((model.config.num_labels, table.shape[1]), generator=drawn)
    parameter = torch.nn.Parameter(vectors.to(table) * SHARE_OF_WORDS * table.std())
    model.register_parameter(VECTORS, parameter)
    return parameter


def class_vectors_of(model: Any) -> torch.nn.Parameter | None:
    """Return the class vectors of a network, a parameter of it; None where it has none."""
    found: torch.nn.Parameter | None = getattr(model, VECTORS, None)
    return found


def save_model(model: Any, folder: str | Path) -> None:
    """Write a transformers model into a folder, with its class vectors in a file of their own.

    Without that file the folder is what ``save_pretrained`` writes, so that transformers loads it
    as ever: it knows of no class vectors.

    Parameters
    ----------
    model
        A transformers model, with class vectors or without.
    folder
        Made where it does not exist. Class vectors that another model left there are removed.
    """
    from safetensors.torch import save_file

    weights = model.state_dict()
    vectors = weights.pop(VECTORS, None)
    model.save_pretrained(folder, state_dict=weights)
    path = Path(folder) / FILE
    if vectors is None:
        path.unlink(missing_ok=True)
    else:
        save_file({VECTORS: vectors.cpu().contiguous()}, path)


def load_class_vectors(model: Any, path: str | Path) -> None:
    """Give a model the class vectors that were saved with it, if there are any.

    Parameters
    ----------
    model
        The transformers model that was loaded from `path`.
    path
        A folder. Of a model on the hub no class vectors are fetched.

    Raises
    ------
    ValueError
        If the file cannot be read, or holds something else than a finite vector for each class of
        the length of a word embedding; the message names the file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    file = Path(path) / FILE
    if not file.is_file():
        return
    try:
        found = load_file(file)
    except SafetensorError as error:
        raise ValueError(f"The class vectors in {str(file)!r} cannot be read: {error}") from error
    table = model.get_input_embeddings().weight
    wanted = (model.config.num_labels, table.shape[1])
    if set(found) != {VECTORS} or tuple(found[VECTORS].shape) != wanted:
        shapes = {name: tuple(tensor.shape) for name, tensor in found.items()}
        raise ValueError(
            f"{str(file)!r} must hold one tensor {VECTORS!r} of shape {wanted}, a vector for each "
            f"class as long as a word embedding; it holds {shapes}."
        )
    if not bool(found[VECTORS].isfinite().all()):
        raise ValueError(f"The class vectors in {str(file)!r} are not finite.")
    model.register_parameter(VECTORS, torch.nn.Parameter(found[VECTORS].to(table)))
