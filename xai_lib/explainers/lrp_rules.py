"""Rules of layer-wise relevance propagation, as changes to the gradient of a network.

Write the relevance of a neuron as its value times a number, R = z c. Then every rule below says
what c becomes on the way back, and each is the gradient of the layer with some part of it held
constant or replaced by a ratio (Ancona et al. 2018, proposition 1). So one backward pass through a
network whose functions were exchanged gives c for the embeddings, and their relevance is
embedding times c. Nothing is ever divided by the value of a neuron that may be 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

RULES = ("epsilon", "deepexplain")

# Activations with f(0) = 0, for which f(z) / z stays finite.
ACTIVATIONS = ("relu", "leaky_relu", "elu", "gelu", "silu", "tanh")
# Those whose gradient the DeepExplain package overrides.
DEEPEXPLAIN = ("relu", "elu", "sigmoid", "tanh", "softplus")

# Nodes of torch's graph that add or move signals.
_SUMS = {
    "Add", "Alias", "AsStrided", "Cat", "Clone", "ConstantPadNd", "Expand", "Flip", "Gather",
    "Index", "IndexPut", "IndexSelect", "MaskedFill", "Mean", "Neg", "Permute", "Repeat",
    "ReshapeAlias", "Roll", "Rsub", "Select", "Slice", "Split", "SplitWithSizes", "Squeeze",
    "Stack", "Sub", "Sum", "T", "ToCopy", "Transpose", "Unbind", "UnsafeSplit", "UnsafeView",
    "Unsqueeze", "View", "Where",
}  # fmt: skip
# Nodes that are linear as long as one of their factors is constant; linear layers make such nodes.
_PRODUCTS = {"Addmm", "Baddbmm", "Bmm", "Dot", "Linear", "Mm", "Mul", "Mv"}
_ATTENTION = "ScaledDotProduct"


def stabilised(above: torch.Tensor, below: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Return above / (below + epsilon sign(below)), the sign of 0 being 1; without gradient."""
    above, below = above.detach(), below.detach()
    return above / torch.where(below < 0, below - epsilon, below + epsilon)


def with_slope(z: torch.Tensor, y: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    """Return a tensor with the value y, exactly, and the gradient slope times that of z."""
    return y.detach() + slope.detach() * (z - z.detach())


def linear_rule(z: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Let a weighted sum z give x w / (z + epsilon sign(z)) of its relevance to each summand x w.

    What is missing to the whole goes to the bias and to epsilon.
    """
    return with_slope(z, z, stabilised(z, z, epsilon))


def activation_rule(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Let y = f(z) hand its relevance to z unchanged, by the slope y / z; none where z is 0."""
    ratio = torch.where(z == 0, 0.0, y.detach() / z.detach())
    return with_slope(z, y, ratio)


def norm_rule(
    normalise: Callable[..., torch.Tensor],
    x: torch.Tensor,
    shape: tuple[int, ...],
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
) -> torch.Tensor:
    """Take the deviation that a layer norm divides by as a constant."""
    dims = tuple(range(-len(shape), 0))
    centred = x - x.mean(dim=dims, keepdim=True)
    slope = (centred.detach().square().mean(dim=dims, keepdim=True) + eps).rsqrt()
    y = normalise(x.detach(), shape, weight, bias, eps)
    return with_slope(centred, y, slope if weight is None else slope * weight)


def lstm_rule(
    x: torch.Tensor,
    start: tuple[torch.Tensor, torch.Tensor],
    weights: list[torch.Tensor],
    batch_first: bool,
    epsilon: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Run an LSTM of one layer whose gates are constants: the signal takes all relevance.

    Parameters
    ----------
    x
        (n, T, d) where `batch_first`, else (T, n, d).
    start
        The first h and c, (1, n, h) each.
    weights
        Of x (4 h, d), of h (4 h, h), and two biases (4 h,) or none; rows for the gates i, f, the
        signal g and the gate o.
    batch_first
        The order of x and of what is returned.
    epsilon
        See `linear_rule`.

    Returns
    -------
    states, last h, last c
        As ``torch.nn.LSTM`` returns them.
    """
    of_x, of_h, *biases = weights
    steps = functional.linear(x, of_x, biases[0] + biases[1] if biases else None)
    h, c = start[0][0], start[1][0]
    states = []
    for step in steps.unbind(1 if batch_first else 0):
        gate_i, gate_f, signal, gate_o = (step + functional.linear(h, of_h)).chunk(4, dim=1)
        signal = linear_rule(signal, epsilon)
        kept, entered = torch.sigmoid(gate_f.detach()), torch.sigmoid(gate_i.detach())
        c = kept * c + entered * activation_rule(signal, torch.tanh(signal))
        h = torch.sigmoid(gate_o.detach()) * activation_rule(c, torch.tanh(c))
        states.append(h)
    return torch.stack(states, dim=1 if batch_first else 0), h[None], c[None]


class _Exchange(TorchFunctionMode):
    """Every function of torch that is called in the block passes here by its name."""

    def __init__(self, rules: str, epsilon: float) -> None:
        super().__init__()
        self.apply = self._epsilon if rules == "epsilon" else self._deepexplain
        self.epsilon = epsilon

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if not (args and isinstance(args[0], torch.Tensor)):
            return func(*args, **kwargs)
        return self.apply(getattr(func, "__name__", ""), func, args, kwargs)

    def _epsilon(self, name: str, func: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        x = args[0]
        if name == "linear":
            return linear_rule(func(*args, **kwargs), self.epsilon)
        if name in ACTIVATIONS:
            # A copy, since an activation may work in place.
            return activation_rule(x, func(x.detach().clone(), *args[1:], **kwargs))
        if name == "softmax":
            return func(x.detach(), *args[1:], **kwargs)
        if name == "scaled_dot_product_attention" and len(args) > 2:
            return func(x.detach(), args[1].detach(), *args[2:], **kwargs)
        if name == "layer_norm":
            return norm_rule(func, *args, **kwargs)
        if name == "lstm" and is_simple_lstm(args):
            return lstm_rule(x, args[1], args[2], args[8], self.epsilon)
        return func(*args, **kwargs)

    def _deepexplain(self, name: str, func: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        x = args[0]
        if name in DEEPEXPLAIN:
            y = func(x.detach().clone(), *args[1:], **kwargs)
            return with_slope(x, y, stabilised(y, x, self.epsilon))
        return func(*args, **kwargs)


def is_simple_lstm(args: tuple[Any, ...]) -> bool:
    """Tell whether an LSTM has one layer, one direction, no projection and no packed sequences."""
    if len(args) != 9 or not isinstance(args[1], tuple | list):
        return False
    weights, n_layers, both_ways = args[2], args[4], args[7]
    return n_layers == 1 and not both_ways and len(weights) in (2, 4)


@contextmanager
def exchanged(network: torch.nn.Module, rules: str, epsilon: float) -> Iterator[None]:
    """Exchange the functions that a network calls in a block; its values stay the same.

    Parameters
    ----------
    network
        Whose modules of an activation that is written out in simple operations, such as
        transformers' GELU by tanh, are taken as one activation.
    rules
        ``"epsilon"``: `linear_rule` in linear layers, `activation_rule`, `norm_rule`,
        `lstm_rule`, and attention weights (any softmax) as constants. ``"deepexplain"``: the slope
        f(z) / (z + epsilon sign(z)) in relu, elu, sigmoid, tanh and softplus, and nothing else.
    epsilon
        Above 0.
    """
    hooks = []
    if rules == "epsilon":
        hooks = [
            module.register_forward_hook(lambda _, given, y: activation_rule(given[0], y))
            for module in network.modules()
            if "GELU" in type(module).__name__
        ]
    try:
        with _Exchange(rules, epsilon):
            yield
    finally:
        for hook in hooks:
            hook.remove()


def unruled(logits: torch.Tensor, inputs: torch.Tensor, ruled: Collection[str] = ()) -> list[str]:
    """List what is left between inputs and logits that is not linear, so that no rule was found.

    Parameters
    ----------
    logits
        What a network made of `inputs` inside `exchanged`.
    inputs
        A leaf that requires a gradient.
    ruled
        Names of operations that are a rule themselves.

    Returns
    -------
    list of str
        Names of torch's operations, sorted; a product of two signals counts too. What is held
        constant, such as all that goes into attention weights, is not between them.
    """
    found = set()
    depends: dict[Any, bool] = {}
    # Each node is met twice: first to go on to those below it, then when they are all known.
    waiting: list[tuple[Any, bool]] = [(logits.grad_fn, False)]
    while waiting:
        node, known = waiting.pop()
        below = [one for one, _ in node.next_functions]
        if known:
            signals = [one is not None and depends[one] for one in below]
            depends[node] = any(signals) or getattr(node, "variable", None) is inputs
            name = re.sub(r"Backward\d*$", "", node.name())
            if any(signals) and name not in ruled and not _linear(name, signals):
                found.add(name)
        elif node not in depends:
            depends[node] = False
            waiting.append((node, True))
            waiting += [(one, False) for one in below if one is not None]
    return sorted(found)


def _linear(name: str, signals: list[bool]) -> bool:
    """Tell whether an operation is linear in those of its arguments that depend on the input."""
    if name == "Div":
        return not any(signals[1:])
    if name in _PRODUCTS or name.startswith(_ATTENTION):
        return sum(signals) == 1
    return name in _SUMS
