"""Multipliers of DeepLIFT: how a difference of inputs makes a difference of outputs.

A text x and its references r go through a network in one batch, in groups of G rows: x first,
then its G - 1 references. Every function that the network calls has, for each pair of x and r, a
multiplier m with

    f(x) - f(r) = sum over the inputs of m (x - r),

exactly: the slope of the secant, not of the tangent. So do chains of such functions, with
multipliers that are multiplied and summed as gradients are. The rules below therefore are
gradients of functions whose forward values stay the same. The multiplier of a pair is kept in the
row of its reference, and the rows of x stay empty, since m is the same seen from either end.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from xai_lib.explainers.lrp_rules import is_simple_lstm

Function = Callable[[torch.Tensor], torch.Tensor]

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


@dataclass(frozen=True)
class Pairs:
    """How rows are grouped: n groups of `size` rows, a text and its references.

    The batch is the first dimension of a tensor, or the slowest part of it where other dimensions
    were folded in, as heads of attention are.
    """

    n: int
    size: int

    def split(self, z: torch.Tensor) -> torch.Tensor:
        """Return (n, size, k, ...) from (n size k, ...).

        Raises
        ------
        ValueError
            If the first dimension cannot be the batch.
        """
        if z.ndim == 0 or z.shape[0] == 0 or z.shape[0] % (self.n * self.size):
            raise ValueError(
                "The method 'deep_shap' needs networks that keep the batch in the first "
                f"dimension, got a tensor of the shape {tuple(z.shape)} for "
                f"{self.n * self.size} inputs."
            )
        return z.unflatten(0, (self.n, self.size, -1))

    def middle(self, z: torch.Tensor) -> torch.Tensor:
        """Return the mean of each row and the text of its group."""
        parts = self.split(z)
        return ((parts + parts[:, :1]) / 2).flatten(0, 2)

    def secant(self, function: Function, z: torch.Tensor, straight: bool = False) -> torch.Tensor:
        """Apply a function of one number to each number, with the slope of its secant.

        `straight` says that the function is made of straight pieces.
        """
        found: torch.Tensor = _Secant.apply(z, function, self, straight)
        return found

    def product(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Multiply: the difference of a b is that of a times the mean of b, and vice versa."""
        found: torch.Tensor = _Product.apply(a, b, self)
        return found

    def matmul(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Multiply matrices, by the rule of `product`."""
        shape = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = (one.expand(*shape, *one.shape[-2:]) for one in (a, b))
        found: torch.Tensor = _Matmul.apply(a, b, self)
        return found

    def softmax(self, scores: torch.Tensor, dim: int) -> torch.Tensor:
        """Exponentials of the scores minus the logarithm of the sum of their exponentials."""
        found: torch.Tensor = _Softmax.apply(scores, dim if dim < 0 else dim - scores.ndim, self)
        return found


class _Secant(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, z: torch.Tensor, function: Function, pairs: Pairs, straight: bool
    ) -> torch.Tensor:
        y = function(z.clone())  # A copy, since an activation may work in place.
        ctx.save_for_backward(z, y)
        ctx.function, ctx.pairs, ctx.straight = function, pairs, straight
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: torch.Tensor) -> Any:
        z, y = (ctx.pairs.split(one) for one in ctx.saved_tensors)
        run, rise = (one[:, 1:] - one[:, :1] for one in (z, y))
        tolerance = 0.0 if ctx.straight else torch.finfo(z.dtype).eps ** (1 / 3)
        near = run.abs() <= tolerance
        slope = rise / torch.where(near, 1.0, run)
        if near.any():
            at = ((z[:, 1:] + z[:, :1]) / 2)[near]
            slope[near] = _tangent(ctx.function, at)
        found = torch.zeros_like(z)
        found[:, 1:] = slope * ctx.pairs.split(above)[:, 1:]
        return found.flatten(0, 2), None, None, None


def _tangent(function: Function, at: torch.Tensor) -> torch.Tensor:
    with torch.enable_grad():
        at = at.detach().requires_grad_()
        (slope,) = torch.autograd.grad(function(at.clone()).sum(), at)
    return slope


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, b: torch.Tensor, pairs: Pairs) -> torch.Tensor:
        ctx.save_for_backward(a, b)
        ctx.pairs = pairs
        return a * b

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: torch.Tensor) -> Any:
        a, b = ctx.saved_tensors
        need_a, need_b, _ = ctx.needs_input_grad
        of_a = (above * ctx.pairs.middle(b)).sum_to_size(a.shape) if need_a else None
        of_b = (above * ctx.pairs.middle(a)).sum_to_size(b.shape) if need_b else None
        return of_a, of_b, None


class _Matmul(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, b: torch.Tensor, pairs: Pairs) -> torch.Tensor:
        ctx.save_for_backward(a, b)
        ctx.pairs = pairs
        return a @ b

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: torch.Tensor) -> Any:
        a, b = ctx.saved_tensors
        need_a, need_b, _ = ctx.needs_input_grad
        of_a = above @ ctx.pairs.middle(b).transpose(-1, -2) if need_a else None
        of_b = ctx.pairs.middle(a).transpose(-1, -2) @ above if need_b else None
        return of_a, of_b, None


class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: torch.Tensor, dim: int, pairs: Pairs) -> torch.Tensor:
        p = torch.softmax(scores, dim)
        ctx.save_for_backward(scores, p)
        ctx.dim, ctx.pairs = dim, pairs
        return p

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: torch.Tensor) -> Any:
        scores, p = (ctx.pairs.split(one) for one in ctx.saved_tensors)
        total = torch.logsumexp(scores, ctx.dim, keepdim=True)
        # What is masked is minus infinity in both; it has no part in anything.
        change = torch.nan_to_num(scores - scores[:, :1])
        of_total = total - total[:, :1]
        of_p = logarithmic_mean(p[:, :1], p, change - of_total)
        # The sum's exponential may be too large for a number; with its larger end as the unit it
        # is not. The mean of the sums is then (1 - exp(-|d|)) / |d|.
        top = of_total.clamp(min=0)
        before, after = p[:, :1] * torch.exp(-top), p * torch.exp(of_total - top)
        size = of_total.abs()
        unit = torch.where(size == 0, 1.0, -torch.expm1(-size) / torch.where(size == 0, 1.0, size))
        of_score = logarithmic_mean(before, after, change) / unit
        reached = ctx.pairs.split(above) * of_p
        found = reached - of_score * reached.sum(dim=ctx.dim, keepdim=True)
        return found.flatten(0, 2), None, None


def logarithmic_mean(a: torch.Tensor, b: torch.Tensor, log_ratio: torch.Tensor) -> torch.Tensor:
    """Return (b - a) / log(b / a), the slope of the exponential's secant from a to b.

    Parameters
    ----------
    a, b
        Numbers of 0 or more.
    log_ratio
        log(b / a), also where a and b are 0.

    Returns
    -------
    tensor
        Near log_ratio = 0 two parts geometric and one part arithmetic mean, whose error is of the
        fourth order.
    """
    near = log_ratio.abs() < torch.finfo(log_ratio.dtype).eps ** (1 / 6)
    away = (b - a) / torch.where(near, 1.0, log_ratio)
    return torch.where(near, (2 * (a * b).sqrt() + (a + b) / 2) / 3, away)


class _Norm(torch.autograd.Function):
    """Layer norm over the last dimension, without gain: c / sqrt(mean of c^2 + eps)."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, eps: float, pairs: Pairs) -> torch.Tensor:
        centred = x - x.mean(dim=-1, keepdim=True)
        scale = (centred.square().mean(dim=-1, keepdim=True) + eps).rsqrt()
        ctx.save_for_backward(centred, scale)
        ctx.pairs = pairs
        return centred * scale

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: torch.Tensor) -> Any:
        centred, scale = ctx.saved_tensors
        middle, parts = ctx.pairs.middle(centred), ctx.pairs.split(scale)
        # With s = v^(-1/2), (s - s') / (v - v') = -s^2 s'^2 / (s + s').
        first = parts[:, :1]
        slope = (-parts.square() * first.square() / (parts + first)).flatten(0, 2)
        of_scale = (above * middle).sum(dim=-1, keepdim=True)
        found = above * ctx.pairs.middle(scale)
        found = found + of_scale * slope * 2 * middle / centred.shape[-1]
        return found - found.mean(dim=-1, keepdim=True), None, None


RULED = frozenset({"_Secant", "_Product", "_Matmul", "_Softmax", "_Norm"})


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
    y: torch.Tensor = _Norm.apply(x.flatten(-len(shape)), eps, pairs)
    y = y.view(x.shape)
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
