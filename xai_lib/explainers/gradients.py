"""Gradient methods: how the logits change with the embeddings of the words."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import torch

from xai_lib.explainers.gradient_base import FromEmbeddings, GradientExplainer, token_budget
from xai_lib.models.whitebox import Embedded, WhiteBox


def _captum() -> ModuleType:
    try:
        import captum.attr
    except ImportError as error:
        raise ImportError(
            "The gradient methods need captum; install it with: pip install 'xai_lib[gradients]'"
        ) from error
    return captum.attr


@dataclass(frozen=True)
class Saliency(GradientExplainer):
    """The gradient of the logit; with the default norm, its size.

    Costs one input for each class. With ``aggregation="sum"`` weights are signed: the sum of the
    gradient over the coordinates.

    References
    ----------
    Simonyan, Vedaldi & Zisserman (2014), "Deep inside convolutional networks", section 3.
    """

    name: ClassVar[str] = "saliency"
    aggregation: str = "l1"

    def coordinates(
        self, forward: FromEmbeddings, box: WhiteBox, embedded: Embedded, classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Attribute embedding coordinates; see `GradientExplainer.coordinates`."""
        method = _captum().Saliency(forward)
        inputs = embedded.embeddings.detach().requires_grad_()
        extra = (embedded.attention,)
        return method.attribute(inputs, classes, abs=False, additional_forward_args=extra), None


@dataclass(frozen=True)
class GuidedBackprop(GradientExplainer):
    """The gradient with negative signals stopped at every ReLU; with the default norm, its size.

    Costs one input for each class. Only ``torch.nn.ReLU`` modules are guided. A network without
    them, such as BERT with its GELU, gives exactly the values of `Saliency`.

    References
    ----------
    Springenberg, Dosovitskiy, Brox & Riedmiller (2015), "Striving for simplicity", section 3.4.
    """

    name: ClassVar[str] = "guided_backprop"
    aggregation: str = "l1"

    def coordinates(
        self, forward: FromEmbeddings, box: WhiteBox, embedded: Embedded, classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Attribute embedding coordinates; see `GradientExplainer.coordinates`."""
        method = _captum().GuidedBackprop(forward)
        inputs = embedded.embeddings.detach().requires_grad_()
        return method.attribute(inputs, classes, (embedded.attention,)), None


@dataclass(frozen=True)
class InputXGradient(GradientExplainer):
    """The gradient times the embedding. Costs one input for each class.

    References
    ----------
    Shrikumar, Greenside, Shcherbina & Kundaje (2016), "Not just a black box", section 3.
    """

    name: ClassVar[str] = "input_x_gradient"

    def coordinates(
        self, forward: FromEmbeddings, box: WhiteBox, embedded: Embedded, classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Attribute embedding coordinates; see `GradientExplainer.coordinates`."""
        method = _captum().InputXGradient(forward)
        inputs = embedded.embeddings.detach().requires_grad_()
        return method.attribute(inputs, classes, (embedded.attention,)), None


@dataclass(frozen=True)
class IntegratedGradients(GradientExplainer):
    """The gradient averaged on the way from a text of padding, times the way.

    The baseline puts the padding embedding in the place of every token of a word and keeps
    special tokens, separators and positions. So the weights of the words (with the aggregation
    ``"sum"``) add up to the logit of the text minus the logit of the baseline, up to the error of
    the quadrature; its largest size over the classes is the diagnostic ``completeness_gap``, in
    logits. Costs ``n_steps + 2`` inputs for each class.

    Attributes
    ----------
    n_steps
        Points of the Gauss-Legendre quadrature, at least 2.
    aggregation, target, group
        See `GradientExplainer`.

    References
    ----------
    Sundararajan, Taly & Yan (2017), "Axiomatic attribution for deep networks", equation 1.
    """

    name: ClassVar[str] = "integrated_gradients"
    n_steps: int = 50

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        if self.n_steps < 2:
            raise ValueError(f"n_steps must be at least 2 points, got {self.n_steps}.")

    @property
    def inputs_per_class(self) -> int:
        """Inputs sent forward for one class of one text: the points and both ends."""
        return self.n_steps + 2

    def coordinates(
        self, forward: FromEmbeddings, box: WhiteBox, embedded: Embedded, classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Attribute embedding coordinates; see `GradientExplainer.coordinates`."""
        inputs = embedded.embeddings
        words = torch.from_numpy(embedded.word >= 0).to(inputs.device)
        baseline = torch.where(words[..., None], box.padding_embedding(), inputs)
        budget = token_budget(inputs.device.type)
        values, gap = (
            _captum()
            .IntegratedGradients(forward)
            .attribute(
                inputs,
                baseline,
                classes,
                (embedded.attention,),
                n_steps=self.n_steps,
                internal_batch_size=max(len(inputs), budget // inputs.shape[1]),
                return_convergence_delta=True,
            )
        )
        return values, gap


@dataclass(frozen=True)
class DeepLift(GradientExplainer):
    """DeepLIFT with the rescale rule against embeddings of zeros.

    Costs two inputs for each class, the text and the baseline.

    References
    ----------
    Shrikumar, Greenside & Kundaje (2017), "Learning important features through propagating
    activation differences", section 3.5.1.

    Notes
    -----
    The baseline zeroes every token, special ones included, as xai-benchmark does. captum applies
    the rule to activation modules only (ReLU, ELU, LeakyReLU, Sigmoid, Tanh, Softplus, max pooling,
    softmax); attention, layer norm and GELU pass the plain gradient. So on BERT, where the
    pooler's Tanh is the only such module, the values stay close to `InputXGradient`.
    """

    name: ClassVar[str] = "deeplift"

    @property
    def inputs_per_class(self) -> int:
        """Inputs sent forward for one class of one text."""
        return 2

    def coordinates(
        self, forward: FromEmbeddings, box: WhiteBox, embedded: Embedded, classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Attribute embedding coordinates; see `GradientExplainer.coordinates`."""
        method = _captum().DeepLift(forward)
        inputs = embedded.embeddings.detach().requires_grad_()
        baseline = torch.zeros_like(inputs)
        extra = (embedded.attention,)
        return method.attribute(inputs, baseline, classes, additional_forward_args=extra), None
