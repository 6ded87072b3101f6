"""Sums over the wrong axes: of grad_output, of what each entry contributes, of one gradient a sample."""

from __future__ import annotations

from functools import partial
from itertools import product
from math import prod
from typing import Protocol

import torch
from torch import Tensor

from . import Backwards, Linear, Slip
from .axes import axes_key, axes_sets, picks
from .draw import Draw


def reductions(draw: Draw) -> Backwards:
    """Every slip of this kind that code of any kind can have."""
    yield from _summed_per_sample(draw)
    yield from _bias_like(draw)
    yield from _of_broadcast(draw)


def _summed_per_sample(draw: Draw) -> Backwards:
    """One gradient for each sample, added up along an axis of its own instead of over the batch."""
    if not draw.g.dim() or not draw.batch:
        return
    for axis, size in enumerate(draw.truth.shape, 1):
        if (
            draw.user.numel() * size == draw.batch * draw.truth.numel()
            and size > 1
            and not picks(per_sample(draw, draw.g), (axis,))
        ):
            message = f"summed over axis {axis} of one gradient a sample, {(draw.batch, *draw.truth.shape)}: 0 is right"
            yield (Slip("wrong-reduction-axes", ("samples", axis), message, "`.sum(0)`"),), partial(_over, draw, axis)


def _over(draw: Draw, axis: int, g: Tensor) -> Tensor:
    return per_sample(draw, g).sum(axis)


def per_sample(draw: Draw, g: Tensor) -> Tensor:
    """One gradient for each sample: the backward pass with every other sample's grad_output zeroed."""
    stack = []
    for sample in range(g.shape[0]):
        alone = torch.zeros_like(g)
        alone[sample] = g[sample]
        stack.append(draw.backward(alone))
    return torch.stack(stack)


def _bias_like(draw: Draw) -> Backwards:
    """A gradient that is a plain sum of grad_output, summed over other axes."""
    for axes in axes_sets(draw.g.dim()):
        total = draw.g.sum(axes) if axes else draw.g
        if axes and total.numel() == draw.truth.numel() and draw.equal(total.reshape(draw.truth.shape), draw.truth):
            return summed(draw, axes, lambda g: g)
    return iter(())


def _of_broadcast(draw: Draw) -> Backwards:
    """A parameter that is spread over grad_output's axes, as a scale is: the contributions summed over other axes."""
    shape, kept = draw.g.shape, [size for size in draw.truth.shape if size > 1]
    for right in axes_sets(len(shape)) if draw.user.shape != draw.truth.shape else ():
        rest = [size for axis, size in enumerate(shape) if axis not in right]
        count = prod(shape[axis] for axis in right)
        if right and 1 < count <= _MOST and rest == kept:
            factor = _factors(draw, right, rest)
            if draw.equal((draw.g * factor).sum(right).reshape(draw.truth.shape), draw.truth):
                yield from summed(draw, right, partial(torch.mul, factor))
            return


_MOST = 200  # backward passes


def _factors(draw: Draw, right: tuple[int, ...], rest: list[int]) -> Tensor:
    """∂y/∂w of every entry of y, if it depends on one entry of w: the backward pass of ones at one place of `right`."""
    found = torch.zeros_like(draw.g)
    for place in product(*(range(draw.g.shape[axis]) for axis in right)):
        at = [slice(None)] * draw.g.dim()
        for axis, index in zip(right, place, strict=True):
            at[axis] = index  # type: ignore[call-overload]
        ones = torch.zeros_like(draw.g)
        ones[tuple(at)] = 1.0
        found[tuple(at)] = draw.backward(ones).reshape(rest)
    return found


class Sized(Protocol):
    """What has a grad_output and the shape of what came back: a draw, or an operation's view of it."""

    @property
    def g(self) -> Tensor:
        """grad_output."""

    @property
    def user_shape(self) -> torch.Size:
        """The shape of what came back."""


def summed(of: Sized, right: tuple[int, ...], contribution: Linear) -> Backwards:
    """`contribution(g)`, of grad_output's shape, summed over every set of axes but the right one."""
    shape, user = tuple(of.g.shape), of.user_shape
    wanted = [1 if axis in right else size for axis, size in enumerate(shape)]
    for axes in axes_sets(len(shape)):
        kept = [1 if axis in axes else size for axis, size in enumerate(shape)]
        if axes != right and prod(kept) == user.numel():
            yield (_reduction_slip(axes, right, shape),), partial(_sum_into, contribution, axes, user)
        if set(axes) > set(right) and prod(wanted) == user.numel():  # too much is summed, then spread out again
            yield (_reduction_slip(axes, right, shape),), partial(_spread_into, contribution, axes, wanted, user)


def _reduction_slip(axes: tuple[int, ...], right: tuple[int, ...], shape: tuple[int, ...]) -> Slip:
    fix = f"`.sum({right})`"
    if axes == right[1:] and right[0] == 0:
        message = f"one gradient a sample: the sum over the batch, axis 0 of {shape}, is missing"
        return Slip("missing-batch-sum", None, message, f"sum over the batch as well: {fix}")
    over = f"over axes {axes}" if axes else "nowhere"
    return Slip(
        "wrong-reduction-axes",
        axes_key(axes, len(shape)),
        f"summed {over} where the axes {right} of {shape} belong",
        fix,
    )


def _sum_into(contribution: Linear, axes: tuple[int, ...], shape: torch.Size, g: Tensor) -> Tensor:
    each = contribution(g)
    return (each.sum(axes) if axes else each).reshape(shape)


def _spread_into(
    contribution: Linear, axes: tuple[int, ...], wanted: list[int], shape: torch.Size, g: Tensor
) -> Tensor:
    return contribution(g).sum(axes, keepdim=True).expand(wanted).reshape(shape)
