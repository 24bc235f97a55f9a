"""Perturbations and answers on disk, so that a long run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from xai_lib.data.wheels import cache_folder
from xai_lib.explainers.answered import AnsweredExplainer
from xai_lib.explainers.base import Attribution, Explainer
from xai_lib.instance import Instance
from xai_lib.masks import Neighbourhood, neighbourhoods
from xai_lib.models.base import Classifier

# Instances asked together: enough to fill batches, few enough to lose little when stopped.
_CHUNK = 8

Arrays = dict[str, np.ndarray]
T = TypeVar("T")


def stored_neighbourhoods(
    instances: Sequence[Instance],
    classifier: Classifier,
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

    def ask(missing: list[Instance]) -> list[Arrays]:
        fresh = neighbourhoods(
            missing, classifier, n_samples, seed, sampler, removal, enumerate_up_to
        )
        return [_packed(near) for near in fresh]

    settings = [n_samples, seed, sampler, removal, enumerate_up_to]
    found = _stored(instances, classifier, settings, ask, _unpacked, progress)
    return [near for near, _ in found]


def stored_answers(
    explainer: AnsweredExplainer,
    instances: Sequence[Instance],
    classifier: Classifier,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[np.ndarray]:
    """Do what ``explainer.ask`` does, keeping each answer on disk.

    Parameters
    ----------
    explainer
        MASE or KernelSHAP.
    instances
        n instances with at least one feature each.
    classifier, progress
        See `stored_neighbourhoods`.
    seed
        Seed of the perturbations.

    Returns
    -------
    list of (n_i, C) array
        For ``explainer.explain_answers`` with the same seed; rounded to float32, and kept as
        `stored_neighbourhoods` keeps its answers. Methods that ask the same share them, such as
        ``mase`` and ``mase_sparse``.
    """

    def ask(missing: list[Instance]) -> list[Arrays]:
        answers = explainer.ask(missing, classifier, seed)
        return [{"answers": answer.astype(np.float32)} for answer in answers]

    def read(arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, int]:
        return arrays["answers"].astype(np.float64), len(arrays["answers"])

    # The sparse variant is told apart by its fit, not by what it asks.
    settings = [explainer.name.removesuffix("_sparse"), seed, *explainer.asked()]
    return [answer for answer, _ in _stored(instances, classifier, settings, ask, read, progress)]


def stored_explanations(
    explainer: Explainer,
    instances: Sequence[Instance],
    classifier: Classifier,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Any]:
    """Do what ``explainer.explain`` does, keeping the weights on disk.

    Parameters
    ----------
    explainer
        Any method, with its settings.
    instances
        n instances of `classifier`.
    classifier
        The black box.
    progress
        See `stored_neighbourhoods`.
    seed
        The user's seed.

    Returns
    -------
    list of explanations
        As ``explainer.explain`` gives them, without intercept, link and diagnostics. `seconds`
        is what the explanation took when it was made.
    """

    def given(missing: list[Instance]) -> Sequence[Any]:
        # Image classifiers take instances in place of pictures, which keeps their segments.
        return missing if classifier.modality == "image" else [one.source for one in missing]

    def ask(missing: list[Instance]) -> list[Arrays]:
        return [
            {
                "weights": one.weights,
                "probabilities": one.probabilities,
                "cost": np.array([one.model_calls, one.seconds]),
            }
            for one in explainer.explain(given(missing), classifier, seed)
        ]

    def read(arrays: Mapping[str, np.ndarray]) -> tuple[tuple[Attribution, float], int]:
        calls, seconds = arrays["cost"].tolist()
        part = Attribution(arrays["weights"], arrays["probabilities"], int(calls))
        return (part, seconds), int(calls)

    settings = ["explanation", explainer.name, seed, json.dumps(explainer.settings())]
    found = _stored(instances, classifier, settings, ask, read, progress)
    return [
        explainer.as_explanation(one, part, classifier, seed, seconds)  # type: ignore[arg-type]
        for one, ((part, seconds), _) in zip(instances, found, strict=True)
    ]


def _stored(
    instances: Sequence[Instance],
    classifier: Classifier,
    settings: Sequence[object],
    ask: Callable[[list[Instance]], list[Arrays]],
    read: Callable[[Mapping[str, np.ndarray]], tuple[T, int]],
    progress: Callable[[int, int], None] | None,
) -> list[tuple[T, int]]:
    """Read what is on disk and ask for the rest; each with the inputs that it had cost."""
    folder = cache_folder() / "neighbourhoods"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{_key(one, classifier, settings)}.npz" for one in instances]
    found: list[tuple[T, int]] = []
    for start in range(0, len(instances), _CHUNK):
        chunk = list(zip(instances[start : start + _CHUNK], paths[start:], strict=False))
        known = {path: _read(path, read) for _, path in chunk}
        for path, kept in known.items():
            classifier.stored_calls.setdefault(path.stem, kept[1] if kept else 0)
        missing = {path: one for one, path in chunk if known[path] is None}
        if missing:
            for path, arrays in zip(missing, ask(list(missing.values())), strict=True):
                _write(path, arrays)
                known[path] = _read(path, read)
        found += [kept for _, path in chunk if (kept := known[path]) is not None]
        if progress is not None:
            progress(len(found), len(instances))
    return found


def _key(one: Instance, classifier: Classifier, settings: Sequence[object]) -> str:
    facts = [classifier.fingerprint, one.source, one.group, *settings]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def _packed(near: Neighbourhood) -> Arrays:
    arrays = {
        "masks": np.packbits(near.masks, axis=1),
        "n_features": np.array(near.masks.shape[1]),
        "counts": near.counts,
        "probabilities": near.probabilities.astype(np.float32),
    }
    if near.draws is not None:
        arrays["draws"] = near.draws.astype(np.int32)
    return arrays


def _unpacked(arrays: Mapping[str, np.ndarray]) -> tuple[Neighbourhood, int]:
    width = int(arrays["n_features"])
    masks = np.unpackbits(arrays["masks"], axis=1, count=width).astype(bool)
    draws = arrays["draws"].astype(int) if "draws" in arrays else None
    probabilities = arrays["probabilities"].astype(np.float64)
    return Neighbourhood(masks, arrays["counts"], probabilities, draws), len(masks)


def _write(path: Path, arrays: Arrays) -> None:
    """Write a file that is complete or absent, also when several processes write it at once."""
    handle, scratch = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    with os.fdopen(handle, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    Path(scratch).replace(path)


def _read(
    path: Path, read: Callable[[Mapping[str, np.ndarray]], tuple[T, int]]
) -> tuple[T, int] | None:
    """Return what a file holds, or None where it is missing or was cut off."""
    try:
        with np.load(path) as arrays:
            return read(arrays)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
