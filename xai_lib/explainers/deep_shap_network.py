"""Networks by the multipliers of DeepLIFT: which rule each function that they call follows."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from xai_lib.explainers.deep_shap_rules import Pairs
from xai_lib.explainers.lrp_rules import is_simple_lstm

# Functions of one number. Where two inputs are almost equal the secant is lost in rounding; the
# tangent in the middle is as good for a smooth one, and the others are straight there.
SMOOTH = (
    "cos", "elu", "erf", "exp", "expm1", "gelu", "log", "log1p", "mish", "pow", "reciprocal",
    "rsqrt", "selu", "sigmoid", "silu", "sin", "softplus", "sqrt", "square", "tanh",
)  # fmt: skip
STRAIGHT = ("abs", "clamp", "hardtanh", "leaky_relu", "relu", "relu6")
_TIMES = ("mul", "multiply")
_OVER = ("div", "divide", "true_divide", "truediv")
_MATMUL = ("matmul", "bmm")


class _Exchange(TorchFunctionMode):
    """Every function of torch that is called in the block passes here by its name."""

    def __init__(self, pairs: Pairs) -> None:
        super().__init__()
        self.pairs = pairs

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = re.sub(r"^__(.*)__$", r"\1", getattr(func, "__name__", ""))
        signals = [isinstance(one, torch.Tensor) and one.requires_grad for one in args]
        if not any(signals[:3]):
            return func(*args, **kwargs)
        if name in SMOOTH or name in STRAIGHT:
            if sum(signals) == 1:
                return self._elementwise(name, func, args, kwargs)
        elif name in (*_TIMES, *_OVER, *_MATMUL):
            if signals[1:2] == [True]:
                return self._two(name, args[0], args[1])
        elif name == "softmax":
            x = args[0] if kwargs.get("dtype") is None else args[0].to(kwargs["dtype"])
            return self.pairs.softmax(x, kwargs["dim"] if "dim" in kwargs else args[1])
        elif name == "layer_norm":
            return layer_norm(self.pairs, *args, **kwargs)
        elif name == "scaled_dot_product_attention":
            return attention(self.pairs, *args, **kwargs)
        elif name == "lstm" and is_simple_lstm(args):
            return lstm(self.pairs, args[0], args[1], args[2], args[8])
        return func(*args, **kwargs)

    def _elementwise(self, name: str, func: Any, args: Any, kwargs: Any) -> torch.Tensor:
        def function(z: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = func(z, *args[1:], **kwargs)
            return y

        return self.pairs.secant(function, args[0], name in STRAIGHT)

    def _two(self, name: str, a: Any, b: torch.Tensor) -> torch.Tensor:
        """Combine what is left with a signal on the right."""
        if not isinstance(a, torch.Tensor) or not a.requires_grad:
            if name in _OVER:
                return a * self.pairs.secant(torch.reciprocal, b)
            return a * b if name in _TIMES else torch.matmul(a, b)
        if name in _OVER:
            return self.pairs.product(a, self.pairs.secant(torch.reciprocal, b))
        return self.pairs.product(a, b) if name in _TIMES else self.pairs.matmul(a, b)


def layer_norm(
    pairs: Pairs,
    x: torch.Tensor,
    shape: tuple[int, ...],
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
) -> torch.Tensor:
    """Apply a layer norm, taken apart into a mean, squares, a root and a product."""
    y = pairs.norm(x.flatten(-len(shape)), eps).view(x.shape)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def attention(
    pairs: Pairs,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """Apply torch's scaled dot-product attention, taken apart into products and a softmax.

    Raises
    ------
    ValueError
        If it is causal, drops weights, or groups heads.
    """
    if is_causal or enable_gqa or dropout_p:
        raise ValueError(
            "The method 'deep_shap' has no rule for attention that is causal, groups heads or "
            "drops weights."
        )
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = pairs.matmul(query * factor, key.transpose(-1, -2))
    if attn_mask is not None:
        if attn_mask.dtype == torch.bool:
            scores = scores.masked_fill(~attn_mask, -torch.inf)
        else:
            scores = scores + attn_mask
    return pairs.matmul(pairs.softmax(scores, -1), value)


def lstm(
    pairs: Pairs,
    x: torch.Tensor,
    start: tuple[torch.Tensor, torch.Tensor],
    weights: list[torch.Tensor],
    batch_first: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Run an LSTM of one layer, taken apart into sigmoids, tanh and products.

    Parameters and returns as for `xai_lib.explainers.lrp_rules.lstm_rule`.
    """
    of_x, of_h, *biases = weights
    steps = functional.linear(x, of_x, biases[0] + biases[1] if biases else None)
    sigmoid, tanh = (partial(pairs.secant, one) for one in (torch.sigmoid, torch.tanh))
    h, c = start[0][0], start[1][0]
    states = []
    for step in steps.unbind(1 if batch_first else 0):
        gate_i, gate_f, signal, gate_o = (step + functional.linear(h, of_h)).chunk(4, dim=1)
        c = pairs.product(sigmoid(gate_f), c) + pairs.product(sigmoid(gate_i), tanh(signal))
        h = pairs.product(sigmoid(gate_o), tanh(c))
        states.append(h)
    return torch.stack(states, dim=1 if batch_first else 0), h[None], c[None]


@contextmanager
def multiplied(pairs: Pairs) -> Iterator[None]:
    """Exchange the functions that a network calls in a block; its values stay the same.

    Parameters
    ----------
    pairs
        The groups of the batch that goes through the network in the block.
    """
    with _Exchange(pairs):
        yield
