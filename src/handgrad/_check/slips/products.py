"""Gradients that are a product of two matrices: the factors exchanged."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from . import Backwards, Linear, Slip
from .draw import Draw


def products(draw: Draw) -> Backwards:
    """B·A, with any transposes, where the truth is A·B: it runs where the matrices are square."""
    yield from _turned_inputs(draw)
    if draw.truth.dim() < 2:
        return
    for label, other in draw.named_tensors().items():
        factors = _right_product(draw, other)
        if factors is None:
            continue
        for slip, wrong in _exchanged(label, *factors, other):
            yield (slip,), wrong


def _turned_inputs(draw: Draw) -> Backwards:
    """Another input transposed wherever the gradient uses it, which runs where it is square: P·g·Pᵀ for Pᵀ·g·P."""
    for other, value in draw.inputs.items():
        square = value.dim() > 1 and value.shape[-1] == value.shape[-2] > 1
        if other != draw.name and square and value.is_floating_point() and draw.user.shape == draw.truth.shape:
            linear = draw.at(other, value.mT.contiguous())
            if linear is not None:
                message = f"`{other}` is transposed wherever it must not be, and the reverse"
                yield (Slip("transposed", ("input", other), message, f"exchange `{other}` and `{other}.mT`"),), linear


def _right_product(draw: Draw, other: Tensor) -> tuple[bool, bool, bool] | None:
    """Whether g comes first, and which factor is transposed, in the product that is the truth."""
    for g_first in (True, False):
        for g_turned in (False, True):
            for other_turned in (False, True):
                product = _multiply(g_first, g_turned, other_turned, other, draw.g)
                if product is not None and draw.equal(product, draw.truth):
                    return g_first, g_turned, other_turned
    return None


def _exchanged(
    label: str, g_first: bool, g_turned: bool, other_turned: bool, other: Tensor
) -> Iterator[tuple[Slip, Linear]]:
    order = f"the factors, grad_output and {label}, are multiplied in the wrong order"
    for turn in ((g_turned, other_turned), (not g_turned, other_turned), (g_turned, not other_turned)):
        slip = Slip("wrong-operand-order", (label, turn), order, "exchange the factors")
        yield slip, partial(_or_nothing, not g_first, *turn, other)
        if turn != (g_turned, other_turned):
            factor = "grad_output" if turn[0] != g_turned else label
            message = (
                f"{factor} is transposed where it must not be, or the reverse, in its product with the other factor"
            )
            slip = Slip("transposed", (label, turn), message, f"exchange `{factor}` and its `.mT`".replace("``", "`"))
            yield slip, partial(_or_nothing, g_first, *turn, other)


def _or_nothing(g_first: bool, g_turned: bool, other_turned: bool, other: Tensor, g: Tensor) -> Tensor:
    product = _multiply(g_first, g_turned, other_turned, other, g)
    return torch.empty(0) if product is None else product


def _multiply(g_first: bool, g_turned: bool, other_turned: bool, other: Tensor, g: Tensor) -> Tensor | None:
    if g.dim() < 2 or other.dim() < 2:
        return None
    left, right = g.mT if g_turned else g, other.mT if other_turned else other
    if not g_first:
        left, right = right, left
    shared = min(left.dim(), right.dim()) == 2 or left.shape[:-2] == right.shape[:-2]  # a matrix goes with each
    if left.shape[-1] != right.shape[-2] or not shared:
        return None
    return left @ right
