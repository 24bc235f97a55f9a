"""Segment Anything: masks of the things in a picture, by a network from the model hub."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

SAM_MODEL = "facebook/sam-vit-base"


def sam_masks(image: np.ndarray) -> list[np.ndarray]:
    """Find the masks of a picture.

    Parameters
    ----------
    image
        (h, w, 3) uint8 array.

    Returns
    -------
    list of (h, w) bool array
        They may overlap and need not cover the picture; none if nothing is found.

    Raises
    ------
    ValueError
        If the weights cannot be had.

    References
    ----------
    Kirillov et al. (2023), "Segment anything", section 5 and appendix B.
    """
    from PIL.Image import fromarray

    return [np.asarray(mask, dtype=bool) for mask in load_sam()(fromarray(image))["masks"]]


@lru_cache(maxsize=1)
def load_sam() -> Callable[[Any], dict[str, Any]]:
    """Load Segment Anything, once in a process: from a Pillow picture to ``{"masks": [...]}``."""
    from transformers import pipeline

    from xai_lib.models.precision import pick_device

    try:
        found = pipeline("mask-generation", model=SAM_MODEL, device=pick_device("auto"))
    except (OSError, ImportError) as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise ValueError(
            f"The segmenter 'sam' needs the weights of {SAM_MODEL} from the model hub, which "
            f"could not be loaded ({type(error).__name__}: {first}). The segmenters slic, "
            "quickshift and grid work without; or run once where the hub can be reached, and "
            "later with HF_HUB_OFFLINE=1."
        ) from error
    return without_torchvision(found)


def without_torchvision(generator: Any) -> Callable[[Any], dict[str, Any]]:
    """Make a mask-generation pipeline do without ``torchvision``.

    The pipeline needs it for one thing, the choice among masks with overlapping boxes, which is
    put in its place here.
    """

    def chosen(
        masks: Sequence[dict[str, Any]], scores: Any, boxes: Any, threshold: float, **_: Any
    ) -> tuple[list[np.ndarray], Any, list[dict[str, Any]], Any]:
        kept = best_boxes(boxes.float().cpu().numpy(), scores.float().cpu().numpy(), threshold)
        left = [masks[i] for i in kept]
        return [_decoded(mask) for mask in left], scores[kept], left, boxes[kept]

    generator.image_processor.post_process_for_mask_generation = chosen
    return generator


def best_boxes(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> list[int]:
    """Choose boxes by score, leaving out those that overlap a better one too much.

    Parameters
    ----------
    boxes
        (n, 4) floats: left, top, right, bottom.
    scores
        (n,) floats.
    threshold
        Largest intersection over union with a box already chosen.

    Returns
    -------
    list of int
        Indices of the chosen boxes, the best first; ties in the order given.
    """
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    queue = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(queue):
        best, rest = queue[0], queue[1:]
        kept.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.prod(np.clip(high - low, 0, None), axis=1)
        # Multiplied out, because the union of two empty boxes is 0.
        queue = rest[shared <= threshold * (area[best] + area[rest] - shared)]
    return kept


def _decoded(mask: dict[str, Any]) -> np.ndarray:
    """Read a run-length encoding: column by column, the lengths of off, on, off, ..."""
    runs = np.asarray(mask["counts"], dtype=int)
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    height, width = mask["size"]
    return flat.reshape(width, height).T
