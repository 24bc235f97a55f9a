"""Perturbations and answers on disk, so that a long run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from xai_lib.data.wheels import cache_folder
from xai_lib.masks import Neighbourhood, neighbourhoods
from xai_lib.models.huggingface import HuggingFaceClassifier
from xai_lib.text import TextInstance

# Instances asked together: enough to fill batches, few enough to lose little when stopped.
_CHUNK = 8


def stored_neighbourhoods(
    instances: Sequence[TextInstance],
    classifier: HuggingFaceClassifier,
    n_samples: int,
    seed: int = 0,
    sampler: str = "lime",
    removal: str = "drop",
    enumerate_up_to: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Neighbourhood]:
    """Do what `xai_lib.masks.neighbourhoods` does, keeping each answer on disk.

    Parameters
    ----------
    instances, classifier, n_samples, seed, sampler, removal, enumerate_up_to
        See `xai_lib.masks.neighbourhoods`.
    progress
        Called as ``progress(done, all)`` after every few instances.

    Returns
    -------
    list of Neighbourhood
        Answers are rounded to float32 on disk and in what is returned, whether they were on
        disk or not. Files lie under ``neighbourhoods`` in the cache folder; their names depend
        on the weights of the black box, the text and all settings. What answers from disk had
        cost is added to ``classifier.stored_calls``, each file once.
    """
    folder = cache_folder() / "neighbourhoods"
    folder.mkdir(parents=True, exist_ok=True)
    settings = [n_samples, seed, sampler, removal, enumerate_up_to]
    paths = [folder / f"{_key(one, classifier, settings)}.npz" for one in instances]
    found: list[Neighbourhood] = []
    for start in range(0, len(instances), _CHUNK):
        chunk = list(zip(instances[start : start + _CHUNK], paths[start:], strict=False))
        known = {path: _read(path) for _, path in chunk}
        for path, near in known.items():
            classifier.stored_calls.setdefault(path.stem, near.model_calls if near else 0)
        missing = [(one, path) for one, path in chunk if known[path] is None]
        if missing:
            asked = [one for one, _ in missing]
            fresh = neighbourhoods(
                asked, classifier, n_samples, seed, sampler, removal, enumerate_up_to
            )
            for (_, path), answered in zip(missing, fresh, strict=True):
                _write(path, answered)
                known[path] = _read(path)
        found += [near for _, path in chunk if (near := known[path]) is not None]
        if progress is not None:
            progress(len(found), len(instances))
    return found


def _key(one: TextInstance, classifier: HuggingFaceClassifier, settings: list[object]) -> str:
    facts = [classifier.fingerprint, one.text, one.group, *settings]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def _write(path: Path, near: Neighbourhood) -> None:
    arrays = {
        "masks": np.packbits(near.masks, axis=1),
        "n_features": np.array(near.masks.shape[1]),
        "counts": near.counts,
        "probabilities": near.probabilities.astype(np.float32),
    }
    if near.draws is not None:
        arrays["draws"] = near.draws.astype(np.int32)
    handle, scratch = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    with os.fdopen(handle, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    Path(scratch).replace(path)


def _read(path: Path) -> Neighbourhood | None:
    """Return what a file holds, or None where it is missing or was cut off."""
    try:
        with np.load(path) as arrays:
            width = int(arrays["n_features"])
            masks = np.unpackbits(arrays["masks"], axis=1, count=width).astype(bool)
            draws = arrays["draws"].astype(int) if "draws" in arrays else None
            probabilities = arrays["probabilities"].astype(np.float64)
            return Neighbourhood(masks, arrays["counts"], probabilities, draws)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
