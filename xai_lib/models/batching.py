"""How inputs of token ids form batches, so that an answer does not depend on its company."""

from __future__ import annotations

import numpy as np
import torch

# Tokens in one batch. Measured: more gives no speed on a CPU; a GPU wants many.
TOKEN_BUDGET = {"cpu": 4096, "cuda": 32768}
# An answer must not depend on what shares its batch, also in bfloat16. On a CPU that holds as long
# as nothing is padded, bit for bit in bfloat16 and within 1e-6 in float32, so inputs of one length
# form a batch. On a GPU it holds for equal shapes, so inputs are padded to a multiple of the step
# and batches to a fixed size.
PADDING_STEP = {"cpu": 1, "cuda": 32}


def batches_of(lengths: np.ndarray, device: str, limit: int) -> list[tuple[int, np.ndarray]]:
    """Cut inputs into batches of one padded width each, about the token budget in size.

    Parameters
    ----------
    lengths
        (n,) int lengths of the inputs.
    device
        Where they will run.
    limit
        Longest input that the network reads.

    Returns
    -------
    list of (int, int array)
        Width of each batch and the numbers of its inputs.
    """
    kind = device.split(":", maxsplit=1)[0]
    step = PADDING_STEP[kind]
    widths = np.minimum(-(-lengths // step) * step, limit)
    batches = []
    for width in np.unique(widths):
        rows = np.flatnonzero(widths == width)
        size = max(1, TOKEN_BUDGET[kind] // int(width))
        batches += [(int(width), rows[i : i + size]) for i in range(0, len(rows), size)]
    return batches


def padded_batch(
    inputs: list[np.ndarray], width: int, device: str, padding: int
) -> dict[str, torch.Tensor]:
    """Make the arguments of a network for a batch.

    Parameters
    ----------
    inputs
        Token ids of each input, at most `width` of them.
    width
        Tokens of a padded input.
    device
        Where they will run.
    padding
        Token id of padding.

    Returns
    -------
    dict
        ``input_ids``, (n, width) int64; where batches are padded also ``attention_mask``, 0 for
        padding, and more rows up to the fixed size.
    """
    kind = device.split(":", maxsplit=1)[0]
    if PADDING_STEP[kind] == 1:
        return {"input_ids": torch.from_numpy(np.stack(inputs)).to(device)}
    size = max(1, TOKEN_BUDGET[kind] // width)
    lengths = np.array([len(ids) for ids in inputs] + [width] * (size - len(inputs)))
    mask = np.arange(width) < lengths[:, None]
    ids = np.full((size, width), padding, dtype=np.int64)
    ids[: len(inputs)][mask[: len(inputs)]] = np.concatenate(inputs)
    return {
        "input_ids": torch.from_numpy(ids).to(device),
        "attention_mask": torch.from_numpy(mask.astype(np.int64)).to(device),
    }


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn (n, C) logits into float64 probabilities that sum to 1."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)
