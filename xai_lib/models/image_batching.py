"""How pictures form batches, so that an answer does not depend on its company."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from xai_lib.rng import generator

# Pixels in one batch: 5 pictures of 224 x 224 on a CPU, where the values between two layers should
# stay in its cache and below the 32 MB from which on glibc gives memory back after each layer
# (measured: in a batch of 64 each picture takes 1.7 times as long); 64 on a GPU.
PIXEL_BUDGET = {"cpu": 5 * 224 * 224, "cuda": 64 * 224 * 224}


def pictures_at_once(size: tuple[int, int], device: str) -> int:
    """Return how many pictures of a height and width form a batch on a device."""
    budget = PIXEL_BUDGET[device.split(":", maxsplit=1)[0]]
    return max(1, budget // (size[0] * size[1]))


def batches_of_pictures(
    pieces: Iterable[torch.Tensor], size: int, device: str
) -> Iterator[tuple[torch.Tensor, int]]:
    """Cut and join pieces of any length to batches.

    Parameters
    ----------
    pieces
        Tensors whose first axis numbers pictures.
    size
        Pictures in a batch.
    device
        Where they will run.

    Yields
    ------
    batch : tensor
        `size` pictures; fewer at the end on a CPU, where an answer does not depend on how many
        they are. On a GPU it does, and the last batch is filled up.
    n : int
        How many of them were given.
    """
    waiting: list[torch.Tensor] = []
    count = 0
    for piece in pieces:
        rest = piece
        while len(rest):
            part, rest = rest[: size - count], rest[size - count :]
            waiting.append(part)
            count += len(part)
            if count == size:
                yield (torch.cat(waiting) if len(waiting) > 1 else part), size
                waiting, count = [], 0
    if waiting:
        if device.startswith("cuda"):
            first = waiting[0][:1]
            waiting.append(first.expand(size - count, *first.shape[1:]))
        yield torch.cat(waiting), count


def exactly(device: str) -> contextlib.AbstractContextManager[Any]:
    """On a GPU: the same bits for the same batch, and no rounding of float32 to TF32."""
    if not device.startswith("cuda"):
        return contextlib.nullcontext()
    return torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )


def split_rows(rows: np.ndarray, masks: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Cut rows into as many for each instance as it has masks."""
    ends = np.cumsum([len(one) for one in masks])
    return np.split(rows, ends[:-1]) if len(masks) else []


def probe_pictures(size: tuple[int, int]) -> np.ndarray:
    """Draw (8, h, w, 3) uint8 pictures of coloured tiles with noise on them, from coarse to fine.

    They are the same each time: what a number format does to answers is tried on them.
    """
    high, wide = size
    rng = generator(0, "probe pictures", high, wide)
    pictures = []
    for tiles in (1, 2, 3, 5, 8, 13, 21, 34):
        colours = rng.uniform(0, 255, (tiles, tiles, 3))
        rows, columns = np.arange(high) * tiles // high, np.arange(wide) * tiles // wide
        noise = rng.normal(0, 2 * tiles, (high, wide, 3))
        pictures.append(np.clip(colours[rows][:, columns] + noise, 0, 255).astype(np.uint8))
    return np.stack(pictures)
