"""Pixel methods that integrate gradients along another way than the straight one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from xai_lib.explainers.pixel_base import ChannelExplainer, LogitGradient
from xai_lib.explainers.pixel_gradients import check_count, check_number

# Relative and absolute: when a step of Guided IG is close enough to where it should end.
_CLOSE = 1e-9


@dataclass(frozen=True)
class GuidedIG(ChannelExplainer):
    """Integrated gradients from black along a way that moves flat directions first.

    At each of ``n_steps`` points, those values (a colour of a pixel each) move on towards the
    picture where the gradient is smallest, until the way left is what the straight way would
    have left. Costs ``n_steps + 1`` inputs for each class, which cannot share a pass. Before
    sizes are taken, the weights add up to the logit of the picture minus that of black, up to
    ``completeness_gap``, a diagnostic in logits.

    Attributes
    ----------
    n_steps
        Number of steps, at least 1.
    fraction
        Share of the values that move on at the same time, the flattest first, above 0.
    max_dist
        How far a value may be from the straight way, as a share of its way from black; 0 gives
        integrated gradients.
    signed, aggregation, target
        See `ChannelExplainer`.

    References
    ----------
    Kapishnikov, Venugopalan, Avci, Wedin, Terry & Bolukbasi (2021), "Guided Integrated Gradients:
    an adaptive path method for removing noise", section 4 and algorithm 1.
    """

    name: ClassVar[str] = "guided_ig"
    n_steps: int = 200
    fraction: float = 0.25
    max_dist: float = 0.02

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_count("n_steps", self.n_steps)
        check_number("fraction", self.fraction, 0, 1)
        check_number("max_dist", self.max_dist, 0, 1)
        if self.fraction == 0:
            raise ValueError("fraction must be above 0, got 0.")

    def channels(
        self, slope: LogitGradient, image: torch.Tensor, rng: np.random.Generator
    ) -> tuple[torch.Tensor, float | None]:
        """Integrate from black; see `ChannelExplainer.channels`."""
        way = image  # from black, so never negative
        done = torch.zeros_like(image)  # share of its way that each value has gone
        weights = torch.zeros_like(image)
        start = 0.0
        for step in range(self.n_steps):
            slopes, logits = slope((way * done)[None])
            start = float(logits[0]) if step == 0 else start
            moved = self._moved(done, way, slopes[0].abs(), (step + 1) / self.n_steps)
            weights += (moved - done) * way * slopes[0]
            done = moved
        with torch.no_grad():
            end = float(slope.logits(image[None]))
        return weights, abs(float(weights.sum()) - (end - start))

    def _moved(
        self, done: torch.Tensor, way: torch.Tensor, steep: torch.Tensor, straight: float
    ) -> torch.Tensor:
        """Move values on, the flattest first, until on average they have gone a share."""
        least, most = max(straight - self.max_dist, 0.0), min(straight + self.max_dist, 1.0)
        target = float(way.sum()) * (1 - straight)
        done = done.clamp(min=least)
        rank = int((steep.numel() - 1) * self.fraction) + 1
        while True:
            left = float((way * (1 - done)).sum())
            if left - target <= _CLOSE * max(left, target, 1.0):
                return done
            free = (done < most) & (way > 0)
            steep = torch.where(free, steep, torch.inf)
            chosen = free & (steep <= _ranked(steep, rank))
            room = torch.where(chosen, (most - done) * way, 0.0)
            reach = float(room.sum())
            if reach <= 0:  # all have gone as far as they may
                return done
            share = min((left - target) / reach, 1.0)
            ahead = done + share * (most - done) if share < 1 else torch.full_like(done, most)
            done = torch.where(chosen, ahead, done)
            if share < 1:
                return done


def _ranked(values: torch.Tensor, rank: int) -> float:
    """Return the value that is at a rank from 1 on, the smallest first."""
    if values.is_cuda:
        return float(values.flatten().kthvalue(rank).values)
    # numpy is several times faster than torch here.
    return float(np.partition(values.numpy(), rank - 1, axis=None)[rank - 1])


@dataclass(frozen=True)
class BlurIG(ChannelExplainer):
    """Integrated gradients on the way from a blurred picture to the picture.

    Costs ``n_steps + 1`` inputs for each class. Before sizes are taken, the weights add up to
    the logit of the picture minus that of the picture blurred by ``max_sigma``, up to
    ``completeness_gap``, a diagnostic in logits.

    Attributes
    ----------
    max_sigma
        Standard deviation, in pixels, of the Gaussian where the way begins, above 0. Outside the
        picture all is black.
    n_steps
        Number of widths, from 0 on and at equal distances, at least 1.
    grad_step
        By how much a width grows to see how the picture changes, above 0.
    batch_size
        Pictures in one pass.
    signed, aggregation, target
        See `ChannelExplainer`.

    References
    ----------
    Xu, Venugopalan & Sundararajan (2020), "Attribution in scale and space", equation 3.
    """

    name: ClassVar[str] = "blur_ig"
    max_sigma: float = 50.0
    n_steps: int = 100
    grad_step: float = 0.01
    batch_size: int = 10

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_count("n_steps", self.n_steps)
        check_count("batch_size", self.batch_size)
        check_number("max_sigma", self.max_sigma, 0)
        check_number("grad_step", self.grad_step, 0)
        if self.max_sigma == 0 or self.grad_step == 0:
            raise ValueError("max_sigma and grad_step must be above 0.")

    def channels(
        self, slope: LogitGradient, image: torch.Tensor, rng: np.random.Generator
    ) -> tuple[torch.Tensor, float | None]:
        """Integrate from blurred to sharp; see `ChannelExplainer.channels`."""
        widths = [self.max_sigma * i / self.n_steps for i in range(self.n_steps)]
        weights, sharp = torch.zeros_like(image), 0.0
        for start in range(0, self.n_steps, self.batch_size):
            some = widths[start : start + self.batch_size]
            blurry = torch.stack([blurred(image, sigma) for sigma in some])
            wider = torch.stack([blurred(image, sigma + self.grad_step) for sigma in some])
            slopes, logits = slope(blurry)
            sharp = float(logits[0]) if start == 0 else sharp
            weights += ((blurry - wider) / self.grad_step * slopes).sum(dim=0)
        weights *= self.max_sigma / self.n_steps
        with torch.no_grad():
            end = float(slope.logits(blurred(image, self.max_sigma)[None]))
        return weights, abs(float(weights.sum()) - (sharp - end))


def blurred(image: torch.Tensor, sigma: float) -> torch.Tensor:
    """Blur a picture by a Gaussian cut off at four standard deviations, with black around it.

    Parameters
    ----------
    image
        (h, w, 3) float64.
    sigma
        Standard deviation in pixels; 0 returns the picture.

    Returns
    -------
    (h, w, 3) float64 tensor
        What scipy's ``gaussian_filter`` gives with ``mode="constant"``, as two matrix products,
        which take a small part of its time for wide Gaussians.
    """
    if sigma == 0:
        return image
    high, wide, colours = image.shape
    down, across = _band(high, sigma).to(image), _band(wide, sigma).to(image)
    rows = (down @ image.reshape(high, wide * colours)).reshape(high, wide, colours)
    return torch.einsum("kw,hwc->hkc", across, rows)


def _band(size: int, sigma: float) -> torch.Tensor:
    """Return the (size, size) matrix that blurs a line of pixels."""
    radius = int(4 * sigma + 0.5)
    half = torch.exp(-0.5 * (torch.arange(radius + 1, dtype=torch.float64) / sigma) ** 2)
    half = torch.cat([half / (2 * half.sum() - 1), half.new_zeros(size)])
    return half[(torch.arange(size)[:, None] - torch.arange(size)).abs()]
