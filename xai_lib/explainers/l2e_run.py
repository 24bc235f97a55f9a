"""Running a fitted L2E student: batches and number formats."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch

from xai_lib.explainers.l2e_student import Student
from xai_lib.explainers.l2e_training import Lesson
from xai_lib.models.batching import batches_of

# Tokens of the comparison of number formats; a few thousand words say enough.
_COMPARED_TOKENS = 2000
_NO_LIMIT = 2**31


def outputs_of(
    network: Student, inputs: Sequence[np.ndarray], precision: str = "float32"
) -> list[np.ndarray]:
    """Send texts through a fitted student.

    Parameters
    ----------
    network
        In evaluation mode, where its weights are.
    inputs
        n arrays of tokens, see `Student.ids`.
    precision
        ``"float32"`` or ``"bfloat16"``.

    Returns
    -------
    list of (W, n_outputs) float32 array
        What comes out for a text does not depend on the others: on a processor texts of one
        length form a batch, see `xai_lib.models.batching`.
    """
    runner = network if precision == "float32" else _shortened(network)
    device = next(runner.parameters()).device
    lengths = np.array([len(ids) for ids in inputs], dtype=np.int64)
    found: list[np.ndarray] = [np.empty(0)] * len(inputs)
    with torch.inference_mode():
        for width, rows in batches_of(lengths, str(device), _NO_LIMIT):
            ids = np.zeros((len(rows), width), dtype=np.int64)
            for row, i in enumerate(rows):
                ids[row, : lengths[i]] = inputs[i]
            padded = bool(lengths[rows].min() < width)
            outputs = runner(torch.from_numpy(ids).to(device), padded).cpu().numpy()
            for output, i in zip(outputs, rows, strict=True):
                found[i] = output[: lengths[i] - network.prefix]
    return found


def _shortened(network: Student) -> Student:
    """Return the student in bfloat16 but for its last layer, made once."""
    device = next(network.parameters()).device
    found: Student | None = network.__dict__.get("_short")
    if found is None or next(found.parameters()).device != device:
        found = copy.deepcopy(network).to(torch.bfloat16)
        found.output.float()
        # Past the registry of modules: it is not to be saved.
        object.__setattr__(network, "_short", found)
    return found


def bfloat16_agreement(network: Student, lessons: Sequence[Lesson]) -> float:
    """Compare what is read off in bfloat16 and in float32, on a processor.

    Parameters
    ----------
    network
        A fitted student in evaluation mode.
    lessons
        The first few of them are compared.

    Returns
    -------
    float
        Share of words with the same label; for ranking, mean share of the best 30 % of the words
        that are the same.
    """
    several = np.cumsum([len(one.ids) for one in lessons]) <= _COMPARED_TOKENS
    inputs = [one.ids for one in lessons[: max(1, int(several.sum()))]]
    inputs = [ids[: network.prefix + _COMPARED_TOKENS] for ids in inputs]
    on_processor = copy.deepcopy(network).to("cpu")
    exact, rounded = (outputs_of(on_processor, inputs, p) for p in ("float32", "bfloat16"))
    same, of = 0, 0
    for one, other in zip(exact, rounded, strict=True):
        if one.shape[1] > 1:
            same += int((one.argmax(axis=1) == other.argmax(axis=1)).sum())
            of += len(one)
        else:
            best = -(-3 * len(one) // 10)
            first, second = (set(np.argsort(-part[:, 0])[:best].tolist()) for part in (one, other))
            same += len(first & second)
            of += best
    return same / of
