"""Pixel methods at the picture itself, its noisy copies, and its fading to black."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from xai_lib.explainers.pixel_base import (
    ChannelExplainer,
    LogitGradient,
    PixelExplainer,
    repeatable,
    slope_of,
)


def check_count(name: str, value: int, least: int = 1) -> None:
    """Raise a ValueError if a setting that counts is too small."""
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}.")


def check_number(name: str, value: float, low: float, high: float = math.inf) -> None:
    """Raise a ValueError if a setting is not a number from low to high."""
    if not (math.isfinite(value) and low <= value <= high):
        reach = f"of {low:g} or more" if high == math.inf else f"from {low:g} to {high:g}"
        raise ValueError(f"{name} must be a number {reach}, got {value}.")


@dataclass(frozen=True)
class VanillaGradient(ChannelExplainer):
    """The gradient of the logit with respect to the pixels; by default, its size.

    Costs one input for each class.

    Attributes
    ----------
    signed, aggregation, target
        See `ChannelExplainer`.

    References
    ----------
    Simonyan, Vedaldi & Zisserman (2014), "Deep inside convolutional networks", section 3, which
    takes the largest of the three colours; PAIR's package adds them up.
    """

    name: ClassVar[str] = "vanilla_gradient"

    def channels(
        self, slope: LogitGradient, image: torch.Tensor, rng: np.random.Generator
    ) -> tuple[torch.Tensor, float | None]:
        """Return the gradient; see `ChannelExplainer.channels`."""
        slopes, _ = slope(image[None])
        return slopes[0], None


@dataclass(frozen=True)
class PixelSmoothGrad(ChannelExplainer):
    """The gradient averaged over noisy copies of the picture; by default, its mean square.

    Costs ``n_draws`` inputs for each class. The noise depends on the seed and the picture, so
    that all classes see the same. Noisy pixels may lie outside 0 to 1.

    Attributes
    ----------
    n_draws
        Number of noisy copies, at least 1.
    stdev_share
        Standard deviation of the noise, as a share of the range (largest minus smallest value)
        of the picture. On a picture of one colour there is no noise.
    magnitude
        True averages the squares of the gradients, PAIR's default. False averages the
        gradients, as in the paper.
    batch_size
        Pictures in one pass.
    signed, aggregation, target
        See `ChannelExplainer`; ``signed=True`` needs ``magnitude=False``.

    References
    ----------
    Smilkov, Thorat, Kim, Viégas & Wattenberg (2017), "SmoothGrad: removing noise by adding noise",
    section 3.
    """

    name: ClassVar[str] = "pixel_smoothgrad"
    n_draws: int = 25
    stdev_share: float = 0.15
    magnitude: bool = True
    batch_size: int = 10

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_count("n_draws", self.n_draws)
        check_count("batch_size", self.batch_size)
        check_number("stdev_share", self.stdev_share, 0)
        if self.signed and self.magnitude:
            raise ValueError("Squares have no sign: signed=True needs magnitude=False.")

    def channels(
        self, slope: LogitGradient, image: torch.Tensor, rng: np.random.Generator
    ) -> tuple[torch.Tensor, float | None]:
        """Average over noise; see `ChannelExplainer.channels`."""
        spread = self.stdev_share * float(image.max() - image.min())
        total = torch.zeros_like(image)
        for start in range(0, self.n_draws, self.batch_size):
            n = min(self.batch_size, self.n_draws - start)
            noise = torch.from_numpy(rng.standard_normal((n, *image.shape))).to(image)
            slopes, _ = slope(image + spread * noise)
            total += (slopes.square() if self.magnitude else slopes).sum(dim=0)
        return total / self.n_draws, None


@dataclass(frozen=True)
class PixelIntegratedGradients(ChannelExplainer):
    """The gradient averaged on the way from black to the picture, times the picture.

    Costs ``n_steps`` inputs for each class. Before sizes are taken, the weights add up to the
    logit of the picture minus that of black, up to the error of the average; its size is the
    diagnostic ``completeness_gap``, in logits.

    Attributes
    ----------
    n_steps
        Points at equal distances, both ends among them, at least 2.
    batch_size
        Pictures in one pass.
    signed, aggregation, target
        See `ChannelExplainer`.

    References
    ----------
    Sundararajan, Taly & Yan (2017), "Axiomatic attribution for deep networks", equation 3.
    """

    name: ClassVar[str] = "pixel_integrated_gradients"
    n_steps: int = 25
    batch_size: int = 10

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_count("n_steps", self.n_steps, 2)
        check_count("batch_size", self.batch_size)

    def channels(
        self, slope: LogitGradient, image: torch.Tensor, rng: np.random.Generator
    ) -> tuple[torch.Tensor, float | None]:
        """Integrate from black; see `ChannelExplainer.channels`."""
        black = torch.zeros_like(image)
        return integrated(slope, image, black, self.n_steps, self.batch_size)


def integrated(
    slope: LogitGradient,
    image: torch.Tensor,
    baseline: torch.Tensor,
    n_steps: int,
    batch_size: int,
) -> tuple[torch.Tensor, float]:
    """Average the gradient on the straight way from a baseline, times the way.

    Parameters
    ----------
    slope
        Gradient of the logit of a class.
    image, baseline
        (h, w, 3) float64.
    n_steps
        Points at equal distances, both ends among them and with the same weight, as in PAIR's
        package.
    batch_size
        Pictures in one pass.

    Returns
    -------
    weights : (h, w, 3) float64 tensor
    gap : float
        Size of the sum of the weights minus the difference of the logits of both ends.
    """
    way = image - baseline
    total, logits = torch.zeros_like(image), []
    for share in torch.linspace(0, 1, n_steps, dtype=torch.float64).to(image).split(batch_size):
        slopes, found = slope(baseline + share[:, None, None, None] * way)
        total += slopes.sum(dim=0)
        logits += found.tolist()
    weights = total * way / n_steps
    return weights, abs(float(weights.sum()) - (logits[-1] - logits[0]))


@dataclass(frozen=True)
class GradCam(PixelExplainer):
    """The maps of the last convolution, weighted by their mean gradient, scaled up.

    Costs one input for each class.

    Attributes
    ----------
    signed
        False leaves out what opposes the class, as in the paper. True keeps it.
    aggregation, target
        See `PixelExplainer`.

    References
    ----------
    Selvaraju, Cogswell, Das, Vedantam, Parikh & Batra (2017), "Grad-CAM: visual explanations from
    deep networks via gradient-based localization", equations 1 and 2.

    Notes
    -----
    The maps are what leaves the module `PixelAccess.last_convolution`, before an activation
    that follows it. captum's LayerGradCam gives the same, except after a convolution whose
    output is rectified in place: it then reads the rectified maps.
    """

    name: ClassVar[str] = "grad_cam"
    signed: bool = False

    def pixels(
        self, slope: LogitGradient, image: torch.Tensor, rng: np.random.Generator
    ) -> tuple[torch.Tensor, float | None]:
        """Weight the maps; see `PixelExplainer.pixels`."""
        seen: list[torch.Tensor] = []

        def keep(_: torch.nn.Module, __: Any, output: torch.Tensor) -> torch.Tensor:
            seen.append(output)
            return output.clone()  # What follows may work in place.

        handle = slope.box.last_convolution().register_forward_hook(keep)
        try:
            with torch.enable_grad():
                logits = slope.logits(image[None].float().requires_grad_())
        finally:
            handle.remove()
        if len(seen) != 1 or seen[0].ndim != 4:
            raise ValueError(
                "Grad-CAM needs a last convolution that runs once and returns (n, K, a, b); it "
                f"ran {len(seen)} times and returned {[tuple(one.shape) for one in seen]}."
            )
        with repeatable():
            slopes = slope_of(logits, seen[0])
        maps, steep = seen[0].detach().to(image), slopes.to(image).mean(dim=(2, 3), keepdim=True)
        cam = (maps * steep).sum(dim=1, keepdim=True)
        cam = cam if self.signed else cam.relu()
        size = (image.shape[0], image.shape[1])
        large = torch.nn.functional.interpolate(cam, size, mode="bilinear", align_corners=False)
        return large[0, 0], None
