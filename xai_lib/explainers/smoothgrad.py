"""SmoothGrad: the gradient averaged over noisy copies of the word embeddings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from xai_lib.explainers.gradient_base import FromEmbeddings, GradientExplainer, token_budget
from xai_lib.models.whitebox import Embedded, WhiteBox
from xai_lib.rng import generator
from xai_lib.text import TextInstance


@dataclass(frozen=True, eq=False)
class NoisyEmbedded(Embedded):
    """Instances with the noise that is added to them.

    Attributes
    ----------
    noise
        (P, n, T, d) float32: P draws for each input; 0 for tokens of no word.
    """

    noise: torch.Tensor


@dataclass(frozen=True)
class SmoothGrad(GradientExplainer):
    """The gradient averaged over Gaussian noise on the embeddings, times the embedding.

    Costs ``n_draws`` inputs for each class. The noise is independent in every coordinate of the
    tokens of words; separators and special tokens are left alone. It depends on the seed and the
    text only, so that all classes see the same.

    Attributes
    ----------
    n_draws
        Number of noisy copies, at least 1.
    stdev_share
        Standard deviation of the noise, as a share of the range (largest minus smallest
        coordinate) of the embeddings of the text's words. 0 gives the gradient itself.
    times_input
        Multiply the averaged gradient by the embedding without noise, as `InputXGradient` does.
        False leaves the gradient, as in the paper; for its size, as `Saliency` has it, ask for
        ``aggregation="l1"``.
    aggregation, target, group
        See `GradientExplainer`.

    References
    ----------
    Smilkov, Thorat, Kim, Viégas & Wattenberg (2017), "SmoothGrad: removing noise by adding noise",
    section 3, with its defaults of 50 samples and noise of 10 to 20 %.

    Notes
    -----
    captum's NoiseTunnel draws from torch's global generator, with one standard deviation for all
    texts of a batch; so the average is taken here.
    """

    name: ClassVar[str] = "smoothgrad"
    n_draws: int = 50
    stdev_share: float = 0.15
    times_input: bool = True

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        if self.n_draws < 1:
            raise ValueError(f"n_draws must be at least 1 noisy copy, got {self.n_draws}.")
        if not (math.isfinite(self.stdev_share) and self.stdev_share >= 0):
            raise ValueError(f"stdev_share must be a number of 0 or more, got {self.stdev_share}.")

    @property
    def inputs_per_class(self) -> int:
        """Inputs sent forward for one class of one text."""
        return self.n_draws

    def embed(
        self, box: WhiteBox, instances: Sequence[TextInstance], width: int, seed: int
    ) -> Embedded:
        """Look up embeddings and draw the noise; see `GradientExplainer.embed`."""
        found = box.embed(instances, width)
        values = found.embeddings.detach().cpu().numpy()
        noise = np.zeros((self.n_draws, *values.shape), dtype=np.float32)
        drawn: dict[int, np.ndarray] = {}
        for i, one in enumerate(instances):
            words = np.flatnonzero(found.word[i] >= 0)
            if id(one) not in drawn:
                shape = (self.n_draws, len(words), values.shape[2])
                rng = generator(seed, self.name, one.read_text)
                drawn[id(one)] = rng.standard_normal(shape, np.float32)
            own = values[i, words]
            spread = self.stdev_share * float(np.ptp(own)) if own.size else 0.0
            noise[:, i, words] = spread * drawn[id(one)]
        moved = torch.from_numpy(noise).to(found.embeddings)
        return NoisyEmbedded(found.embeddings, found.attention, found.word, moved)

    def coordinates(
        self, forward: FromEmbeddings, box: WhiteBox, embedded: Embedded, classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Attribute embedding coordinates; see `GradientExplainer.coordinates`."""
        assert isinstance(embedded, NoisyEmbedded)
        inputs = embedded.embeddings.detach()
        n, width = inputs.shape[:2]
        together = max(1, token_budget(inputs.device.type) // (n * width))
        total = torch.zeros_like(inputs, dtype=torch.float64)
        for noise in embedded.noise.split(together):
            noisy = (inputs + noise).flatten(0, 1).requires_grad_()
            logits = forward(noisy, embedded.attention.repeat(len(noise), 1))
            chosen = logits.gather(1, classes.repeat(len(noise))[:, None])
            (slope,) = torch.autograd.grad(chosen.sum(), noisy)
            total += slope.double().unflatten(0, (len(noise), n)).sum(dim=0)
        average = total / self.n_draws
        return (average * inputs if self.times_input else average), None
