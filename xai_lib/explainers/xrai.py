"""XRAI: regions of a picture ranked by the integrated gradients inside them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch

from xai_lib.explainers.pixel_base import LogitGradient, PixelExplainer
from xai_lib.explainers.pixel_gradients import check_count, integrated

ALGORITHMS = ("full", "fast")
# Of PAIR's package: Felzenszwalb's segmentation of the picture at a fixed size and with values
# from -1 to 1, at several scales; regions grow by a margin; a region counts if it adds enough.
SCALES = (50, 100, 150, 250, 500, 1200)
SIGMA = 0.8
LEAST_SIZE = 150
SIDE = 224
MARGIN = 5
LEAST_NEW = 50


@dataclass(frozen=True)
class Xrai(PixelExplainer):
    """Integrated gradients from black and from white, averaged over regions of many sizes.

    A pixel's weight is the largest of its three colours. Regions of six segmentations compete:
    the one with the highest mean weight in what it adds is taken, and so on until the picture is
    covered; a pixel gets the mean of the first region that covers it. Costs ``2 * n_steps`` inputs
    for each class. The diagnostic ``completeness_gap`` is the larger error of the two averages,
    in logits.

    Attributes
    ----------
    n_steps
        Points on each way, at least 2.
    algorithm
        ``"full"``, or ``"fast"``: regions are ranked once, by their mean over all they cover.
    batch_size
        Pictures in one pass.
    aggregation, target
        See `PixelExplainer`. Weights have signs.

    References
    ----------
    Kapishnikov, Bolukbasi, Viégas & Terry (2019), "XRAI: better attributions through regions",
    algorithm 1.

    Notes
    -----
    The regions are XRAI's own, whatever the segments of the instance; regions of fewer than 50
    new pixels are left out, and what no region covers gets its mean. PAIR's package takes the
    darkest and the brightest value of the picture for black and white, which leaves nothing of a
    picture of one colour, and fails to segment such a picture; here it is one region.
    """

    name: ClassVar[str] = "xrai"
    n_steps: int = 100
    algorithm: str = "full"
    batch_size: int = 10

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_count("n_steps", self.n_steps, 2)
        check_count("batch_size", self.batch_size)
        if self.algorithm not in ALGORITHMS:
            raise ValueError(
                f"Unknown algorithm {self.algorithm!r}. Valid: {', '.join(ALGORITHMS)}."
            )

    def pixels(
        self, slope: LogitGradient, image: torch.Tensor, rng: np.random.Generator
    ) -> tuple[torch.Tensor, float | None]:
        """Rank regions; see `PixelExplainer.pixels`."""
        parts = [
            integrated(slope, image, baseline, self.n_steps, self.batch_size)
            for baseline in (torch.zeros_like(image), torch.ones_like(image))
        ]
        weights = ((parts[0][0] + parts[1][0]) / 2).amax(dim=-1).cpu().numpy()
        covered = covering(regions(image.cpu().numpy()), weights, self.algorithm)
        return torch.from_numpy(covered).to(image), max(gap for _, gap in parts)


def regions(image: np.ndarray) -> np.ndarray:
    """Cut a picture into overlapping regions of many sizes.

    Parameters
    ----------
    image
        (h, w, 3) float64.

    Returns
    -------
    (R, h, w) bool array
        Read-only; that of the last picture is kept for the next class.
    """
    return _regions(np.ascontiguousarray(image, dtype=np.float64).tobytes(), image.shape)


@lru_cache(maxsize=1)
def _regions(pixels: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    image = np.frombuffer(pixels).reshape(shape)
    try:
        from skimage.segmentation import felzenszwalb
        from skimage.transform import resize
    except ImportError as error:
        raise ImportError(
            "XRAI needs scikit-image; install it with: pip install 'xai_lib[images]'"
        ) from error
    low, high = float(image.min()), float(image.max())
    if low == high:
        return np.broadcast_to(True, (1, *shape[:2]))
    scaled = (image - low) / (high - low) * 2 - 1
    scaled = resize(
        scaled, (SIDE, SIDE), order=3, mode="constant", preserve_range=True, anti_aliasing=True
    )
    found = []
    for scale in SCALES:
        labels = felzenszwalb(scaled, scale=scale, sigma=SIGMA, min_size=LEAST_SIZE)
        small: np.ndarray = resize(
            labels,
            image.shape[:2],
            order=0,
            mode="constant",
            preserve_range=True,
            anti_aliasing=False,
        )
        found.append(_grown(small.astype(np.int64), int(labels.max()) + 1))
    together = np.concatenate(found)
    together.setflags(write=False)
    return together


def _grown(labels: np.ndarray, n: int) -> np.ndarray:
    """Return the (n, h, w) regions of labels (h, w), each with a margin around it."""
    high, wide = labels.shape
    grown = np.zeros((n, high, wide), dtype=bool)
    place = np.indices(labels.shape)
    for down in range(-MARGIN, MARGIN + 1):
        for right in range(-MARGIN, MARGIN + 1):
            if down**2 + right**2 > MARGIN**2 or abs(down) >= high or abs(right) >= wide:
                continue
            inside = (
                slice(max(-down, 0), high - max(down, 0)),
                slice(max(-right, 0), wide - max(right, 0)),
            )
            grown[labels[inside], place[0][inside] + down, place[1][inside] + right] = True
    return grown


def covering(regions: np.ndarray, weights: np.ndarray, algorithm: str = "full") -> np.ndarray:
    """Cover a picture with regions, the highest mean weight first.

    Parameters
    ----------
    regions
        (R, h, w) bool.
    weights
        (h, w) float64.
    algorithm
        See `Xrai`.

    Returns
    -------
    (h, w) float64 array
        Mean weight of what the region that first covers a pixel adds; what is left over has the
        mean of what is left over.
    """
    masks, flat = regions.reshape(len(regions), -1), weights.ravel()
    new = masks.sum(axis=1)  # pixels that a region would add
    total = np.array([flat[mask].sum() for mask in masks])
    means = np.full(flat.shape, np.nan)
    bare = np.ones(flat.shape, dtype=bool)
    ranked = np.argsort(-total / np.maximum(new, 1), kind="stable")
    for turn in range(len(masks)):
        enough = new >= LEAST_NEW
        if not enough.any():
            break
        gain = np.where(enough, total / np.maximum(new, 1), -np.inf)
        best = int(np.argmax(gain)) if algorithm == "full" else int(ranked[turn])
        if not enough[best]:
            continue
        added = np.flatnonzero(masks[best] & bare)
        means[added] = flat[added].mean()
        bare[added] = False
        # Only what was added changes what the other regions would add.
        part = masks[:, added]
        new -= part.sum(axis=1)
        total -= part @ flat[added]
    if bare.any():
        means[bare] = flat[bare].mean()
    return means.reshape(weights.shape)
