"""Layer-wise relevance propagation from a logit to the embeddings of the words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from xai_lib.explainers.gradient_base import FromEmbeddings, GradientExplainer
from xai_lib.explainers.lrp_rules import ACTIVATIONS, RULES, exchanged, unruled
from xai_lib.models.whitebox import Embedded, WhiteBox


@dataclass(frozen=True)
class Lrp(GradientExplainer):
    """Epsilon-LRP: each layer shares the logit out among its inputs, down to the embeddings.

    Costs one input for each class. The weight of a word is the sum of the relevance of its
    coordinates, with its sign.

    - A linear layer z = sum of x w + b gives x w / (z + epsilon sign(z)) of the relevance of z to
      each x. The rest is absorbed by the bias and by epsilon.
    - An activation hands its relevance on unchanged.
    - Of a product of a gate and a signal, the signal takes all: the gates of an LSTM are constants.
    - Attention weights are constants, and so is the deviation that a layer norm divides by.
    - A sum, such as that of a residual connection, a mean, or the cell of an LSTM, shares in
      proportion to the summands. What is added but no word, such as positions, token types and the
      bias of a layer norm, absorbs its share.

    Attributes
    ----------
    epsilon
        Added to the size of what a linear layer divides by, above 0; in the units of the
        network's neurons, not relative to them.
    rules
        ``"epsilon"``, as above. ``"deepexplain"`` is what the DeepExplain package calls
        epsilon-LRP: the gradient times the embedding, where relu, elu, sigmoid, tanh and softplus
        have the slope f(z) / (z + epsilon sign(z)) in place of their own and all else, softmax,
        products and norms, keeps its gradient.
    aggregation, target, group
        See `GradientExplainer`.

    References
    ----------
    Bach et al. (2015), "On pixel-wise explanations for non-linear classifier decisions by
    layer-wise relevance propagation", equation 58. Gates: Arras, Montavon, Mueller & Samek (2017),
    "Explaining recurrent neural network predictions in sentiment analysis", section 3. Attention
    and norms: Ali et al. (2022), "XAI for Transformers: better explanations through conservative
    propagation", section 4. As a gradient: Ancona, Ceolini, Oztireli & Gross (2018), "Towards
    better understanding of gradient-based attribution methods", proposition 1.

    Notes
    -----
    The diagnostic ``completeness_gap`` is the largest size over the classes of the relevance of all
    embeddings, special tokens included, minus the logit: what was absorbed.

    Deviations: Arras et al. share biases out among the inputs, and stabilise the sum in the cell
    of an LSTM; here biases absorb, and epsilon is in linear layers only.

    ``"deepexplain"`` equals the gradient times the embedding, up to epsilon, in a network whose
    only such functions are ReLU, since there f(z) / z is the gradient. Fused kernels hide what is
    in them: the functions inside of ``torch.nn.LSTM`` keep their gradient, as those of fused
    TensorFlow kernels do in DeepExplain, while a tanh outside is replaced.
    """

    name: ClassVar[str] = "lrp"
    epsilon: float = 1e-4
    rules: str = "epsilon"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        if not (self.epsilon > 0 and math.isfinite(self.epsilon)):
            raise ValueError(f"epsilon must be a finite number above 0, got {self.epsilon}.")
        if self.rules not in RULES:
            raise ValueError(f"Unknown rules {self.rules!r}. Valid rules are: {', '.join(RULES)}.")

    def coordinates(
        self, forward: FromEmbeddings, box: WhiteBox, embedded: Embedded, classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Attribute embedding coordinates; see `GradientExplainer.coordinates`.

        Raises
        ------
        ValueError
            If the network does something for which there is no rule.
        """
        values, logits = relevance(
            forward, embedded.embeddings, embedded.attention, classes, self.rules, self.epsilon
        )
        return values, values.sum(dim=(1, 2)) - logits


def relevance(
    network: torch.nn.Module,
    embeddings: torch.Tensor,
    attention: torch.Tensor | None,
    classes: torch.Tensor,
    rules: str = "epsilon",
    epsilon: float = 1e-4,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Share logits out among embedding coordinates.

    Parameters
    ----------
    network
        Called with `embeddings` and `attention`; (n, C) logits.
    embeddings
        (n, T, d).
    attention
        (n, T), 0 for padding.
    classes
        (n,) int: the class whose logit is shared out.
    rules, epsilon
        See `Lrp`.

    Returns
    -------
    values : (n, T, d) tensor
    logits : (n,) tensor

    Raises
    ------
    ValueError
        With the rules ``"epsilon"``, if the network does something for which there is none.
    """
    inputs = embeddings.detach().requires_grad_()
    with exchanged(network, rules, epsilon):
        logits = network(inputs, attention).gather(1, classes[:, None])[:, 0]
    if not logits.requires_grad:
        raise ValueError("The method 'lrp' found no way from the logits to the embeddings.")
    if rules == "epsilon" and (names := unruled(logits, inputs)):
        raise ValueError(
            f"The method 'lrp' has no rule for {', '.join(names)} in this network. It has rules "
            "for linear layers, layer norms, softmax attention, LSTMs of one layer and direction, "
            f"and the activations {', '.join(ACTIVATIONS)}. With rules='deepexplain', other "
            "operations keep their gradient."
        )
    (slope,) = torch.autograd.grad(logits.sum(), inputs)
    return inputs.detach() * slope, logits.detach()
