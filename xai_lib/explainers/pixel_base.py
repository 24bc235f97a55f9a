"""What the pixel methods share: gradients of a logit, and the way from pixels to segments."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch

from xai_lib.explainers.base import Attribution, Explainer
from xai_lib.image import ImageInstance
from xai_lib.models.base import Classifier, refusal
from xai_lib.rng import generator

PIXEL_AGGREGATIONS = ("sum", "mean")
PIXEL_TARGETS = ("predicted", "all")


@runtime_checkable
class PixelAccess(Protocol):
    """A classifier whose logits are a differentiable function of pixels.

    Attributes
    ----------
    device
        Where the network is.
    calls
        Inputs sent through the black box so far; who calls `logits_of_pixels` adds to it.
    """

    device: str
    calls: int

    def logits_of_pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        """Run the network in float32 and evaluation mode, and count nothing.

        Parameters
        ----------
        pixels
            (n, h, w, 3) float32, red, green and blue from 0 to 1; noisy ones may lie outside.

        Returns
        -------
        (n, C) float32 tensor
            No logit depends on what shares the batch.
        """
        ...

    def last_convolution(self) -> torch.nn.Module:
        """Return the module, used once by `logits_of_pixels`, whose maps (n, K, a, b) come last."""
        ...


def pixel_access(classifier: Classifier, method: str) -> PixelAccess:
    """Return the classifier as one that gives gradients with respect to pixels.

    Parameters
    ----------
    classifier
        Any classifier.
    method
        Who asks.

    Returns
    -------
    PixelAccess

    Raises
    ------
    ValueError
        If the classifier gives answers only; lists the methods that need no more.
    """
    if isinstance(classifier, PixelAccess):
        return classifier
    raise refusal(classifier, method, "gradients with respect to pixels")


class LogitGradient:
    """The gradient of one class's logit, which counts what it sends through the network.

    Parameters
    ----------
    box
        The classifier.
    class_index
        The class.

    Attributes
    ----------
    calls
        Pictures sent forward so far.
    """

    def __init__(self, box: PixelAccess, class_index: int) -> None:
        self.box = box
        self.class_index = class_index
        self.calls = 0

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """Return the (n,) logits of (n, h, w, 3) pictures, part of a graph if the pictures are."""
        self.box.calls += len(images)
        self.calls += len(images)
        inputs = images.to(self.box.device, torch.float32)
        return self.box.logits_of_pixels(inputs)[:, self.class_index]

    def __call__(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Differentiate the logits of pictures in one batch.

        Parameters
        ----------
        images
            (n, h, w, 3) float64, 0 to 1.

        Returns
        -------
        gradients : (n, h, w, 3) float64 tensor
            On the device of the pictures; 0 where the logit does not depend on them.
        logits : (n,) float64 tensor
        """
        leaf = images.detach().to(self.box.device, torch.float32).clone().requires_grad_()
        with torch.enable_grad(), repeatable():
            logits = self.logits(leaf)
            slopes = slope_of(logits, leaf)
        return slopes.to(images), logits.detach().to(images)


def slope_of(logits: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """Differentiate the sum of logits; 0 where they do not depend on the inputs."""
    if not logits.requires_grad:
        return torch.zeros_like(inputs)
    (slope,) = torch.autograd.grad(logits.sum(), inputs, allow_unused=True)
    return torch.zeros_like(inputs) if slope is None else slope.detach()


@contextmanager
def repeatable() -> Iterator[None]:
    """Have cuDNN take kernels that sum in the same order each time."""
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic = before


@dataclass(frozen=True)
class PixelExplainer(Explainer):
    """What the pixel methods share: a weight for each pixel, added up over each segment.

    What is differentiated is the logit of a class as a function of the pixels, red, green and
    blue from 0 to 1, in float32 and evaluation mode.

    Attributes
    ----------
    aggregation
        ``"sum"`` adds up the weights of a segment's pixels, as in LIPEx, table 2; large segments
        come first where weights are spread evenly. ``"mean"`` divides by the number of pixels.
    target
        ``"predicted"`` explains the predicted class and leaves the other rows NaN. ``"all"``
        explains every class and costs C times as much.

    Notes
    -----
    `model_calls` counts the pictures sent forward: the prediction, and for each explained class
    what the method's own docstring says. Backward passes, one for each, are not counted.

    The methods follow PAIR's package `saliency` 0.2.1, with its defaults, and give its numbers;
    the tests compare. They are written anew since that package draws from numpy's global
    generator, fails with numpy 2.4 (Guided IG) and on pictures of one colour (XRAI), and takes
    two to four times as long for what is not the network's (XRAI, Blur IG, Guided IG).
    """

    white_box: ClassVar[bool] = True
    modalities: ClassVar[tuple[str, ...]] = ("image",)
    aggregation: str = "sum"
    target: str = "predicted"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        if self.aggregation not in PIXEL_AGGREGATIONS:
            raise ValueError(
                f"Unknown aggregation {self.aggregation!r}. Valid: {', '.join(PIXEL_AGGREGATIONS)}."
            )
        if self.target not in PIXEL_TARGETS:
            raise ValueError(f"Unknown target {self.target!r}. Valid: {', '.join(PIXEL_TARGETS)}.")

    def check(self, classifier: Classifier) -> None:
        """Raise a ValueError if the classifier gives no gradients with respect to pixels."""
        pixel_access(classifier, self.name)

    def attribute(
        self, instances: list[Any], classifier: Classifier, seed: int
    ) -> list[Attribution]:
        """Explain images; see `Explainer.attribute`."""
        box = pixel_access(classifier, self.name)
        whole = [np.ones((1, one.n_features), dtype=bool) for one in instances]
        answers = classifier.predict_masked(instances, whole)
        return [
            self._explained(one, answer[0], classifier, box, seed)
            for one, answer in zip(instances, answers, strict=True)
        ]

    def _explained(
        self,
        one: ImageInstance,
        answer: np.ndarray,
        classifier: Classifier,
        box: PixelAccess,
        seed: int,
    ) -> Attribution:
        every = range(len(classifier.classes))
        classes = every if self.target == "all" else [int(np.argmax(answer))]
        # The way between two pictures is walked in float64, where the device can.
        where = box.device if box.device.startswith("cuda") else "cpu"
        image = torch.from_numpy(one.pixels.astype(np.float64) / 255).to(where)
        labels, sizes = one.segments.ravel(), np.bincount(one.segments.ravel())
        weights = np.full((len(every), len(sizes)), np.nan)
        calls, gaps = 1, []
        for c in classes:
            slope = LogitGradient(box, c)
            values, gap = self.pixels(slope, image, generator(seed, self.name, one.content))
            pixels = values.cpu().numpy()
            if not np.isfinite(pixels).all():
                raise ValueError(
                    f"The gradients of {classifier.name!r} are not finite for {one.describe()}."
                )
            weights[c] = np.bincount(labels, pixels.ravel(), len(sizes))
            calls += slope.calls
            gaps += [] if gap is None else [gap]
        if self.aggregation == "mean":
            weights /= sizes
        return Attribution(
            weights,
            answer,
            calls,
            diagnostics={"completeness_gap": max(gaps)} if gaps else None,
        )

    @abstractmethod
    def pixels(
        self, slope: LogitGradient, image: torch.Tensor, rng: np.random.Generator
    ) -> tuple[torch.Tensor, float | None]:
        """Give each pixel a weight for one class.

        Parameters
        ----------
        slope
            Gradient of the logit of the class.
        image
            (h, w, 3) float64, 0 to 1.
        rng
            For a method with chance; it starts anew for each class, which so see the same.

        Returns
        -------
        weights : (h, w) float64 tensor
        gap : float or None
            Where the method is complete: the size of the sum of signed weights minus the
            difference of logits that it stands for.
        """


@dataclass(frozen=True)
class ChannelExplainer(PixelExplainer):
    """A pixel method that gives each colour of a pixel a weight of its own.

    Attributes
    ----------
    signed
        False adds up the sizes of the weights of the three colours, as PAIR's package does for
        a picture in grey. True adds up the weights themselves, so that a segment can oppose a
        class.
    aggregation, target
        See `PixelExplainer`.
    """

    signed: bool = False

    def pixels(
        self, slope: LogitGradient, image: torch.Tensor, rng: np.random.Generator
    ) -> tuple[torch.Tensor, float | None]:
        """Give each pixel a weight for one class; see `PixelExplainer.pixels`."""
        values, gap = self.channels(slope, image, rng)
        return (values if self.signed else values.abs()).sum(dim=-1), gap

    @abstractmethod
    def channels(
        self, slope: LogitGradient, image: torch.Tensor, rng: np.random.Generator
    ) -> tuple[torch.Tensor, float | None]:
        """Return (h, w, 3) float64 weights and a gap; see `PixelExplainer.pixels`."""
