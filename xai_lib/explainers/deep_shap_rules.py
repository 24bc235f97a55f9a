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

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import once_differentiable

Function = Callable[[torch.Tensor], torch.Tensor]


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

    def norm(self, x: torch.Tensor, eps: float) -> torch.Tensor:
        """Centre the last dimension and divide it by its standard deviation."""
        found: torch.Tensor = _Norm.apply(x, eps, self)
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
