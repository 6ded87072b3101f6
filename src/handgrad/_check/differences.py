"""Differences of a forward pass: along one direction to confirm a gradient, along every entry to make one."""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping

import torch
from torch import Tensor

from .case import Vjp
from .inputs import Draw
from .subjects import Subject


class NotDifferentiable(Exception):
    """The test point is a kink or a tie of the forward pass."""


class TooSlow(Exception):
    """The differences of this forward pass would take too long."""


def differentiable(draw: Draw) -> list[str]:
    """The inputs that have a gradient."""
    return [name for name, value in draw.inputs.items() if value.is_floating_point()]


def evaluate(subject: Subject, draw: Draw, changed: Mapping[str, Tensor] | None = None) -> Tensor:
    """The forward's output at these inputs, some of them changed."""
    return subject.run({**draw.inputs, **(changed or {})}, draw.options).output


def slope(
    subject: Subject, draw: Draw, name: str, direction: Tensor, grad: Tensor, output: Tensor, step: float
) -> tuple[float, float]:
    """The derivative of ⟨grad, output⟩ along a direction from the left and from the right."""
    middle, x = float((grad * output).sum()), draw.inputs[name]
    right = float((grad * evaluate(subject, draw, {name: x + step * direction})).sum())
    left = float((grad * evaluate(subject, draw, {name: x - step * direction})).sum())
    return (middle - left) / step, (right - middle) / step


def agrees(
    subject: Subject, draw: Draw, name: str, gradient: Tensor, grad: Tensor, output: Tensor, single: bool, seed: int = 0
) -> bool:
    """Whether one central difference along a random direction agrees with the gradient of one input.

    Smaller steps are tried until it does: a large one may cross a kink. Raises `NotDifferentiable` at a kink.
    """
    direction = direction_of(draw, name, seed)
    products = gradient * direction
    expected = float(products.sum())
    scale = abs(expected) + (float(products.abs().max()) if products.numel() else 0.0)
    size = float((grad * output).abs().sum())
    apart = noise = 0.0
    for step in (1e-2, 3e-3) if single else (1e-4, 1e-5, 1e-6, 1e-7, 1e-8):
        left, right = slope(subject, draw, name, direction, grad, output, step)
        noise, apart = (1e-6 if single else 1e-15) * size / step + 1e-10, abs(left - right)
        near = abs((left + right) / 2 - expected) <= (2e-2 if single else 1e-4) * scale + 10 * noise
        # autograd's 0 for |x| at 0 is the mean of both sides, so that they must agree as well
        if near and (single or apart <= 1e-3 * scale + 20 * noise):
            return True
    if not single and apart > 1e-3 * scale + 20 * noise:
        raise NotDifferentiable(name)
    return False


def product(subject: Subject, draw: Draw, single: bool, limit: float) -> Vjp:
    """The whole Jacobian by differences: exact where the forward is linear in an input, else central ones.

    Raises `TooSlow`, and `NotDifferentiable` where the two sides of an entry disagree.
    """
    begin = time.perf_counter()
    middle = evaluate(subject, draw)
    seconds = time.perf_counter() - begin
    linear = {name: is_affine(subject, draw, name, middle, single) for name in differentiable(draw)}
    calls = sum(draw.inputs[name].numel() * (1 if affine else 2) for name, affine in linear.items())
    entries = sum(draw.inputs[name].numel() for name in linear)
    if calls * seconds > limit or entries * middle.numel() > 3e7:
        raise TooSlow(f"{calls} forward passes of {seconds:.2g} s")
    jacobians = {
        name: _jacobian(subject, draw, name, middle, single, affine)
        for name, affine in linear.items()
        if draw.inputs[name].numel()
    }

    def vjp(grad_output: Tensor) -> Mapping[str, Tensor]:
        flat = grad_output.reshape(-1).double()
        zero = {name: torch.zeros_like(draw.inputs[name]) for name in linear}
        return zero | {name: (rows @ flat).reshape(draw.inputs[name].shape) for name, rows in jacobians.items()}

    return vjp


def direction_of(draw: Draw, name: str, purpose: object) -> Tensor:
    """A random direction for one input, of no other purpose's and unlike the input itself."""
    generator = torch.Generator().manual_seed(zlib.crc32(f"{purpose} {name}".encode()))
    return torch.randn(draw.inputs[name].shape, generator=generator, dtype=torch.float64)


def is_affine(subject: Subject, draw: Draw, name: str, middle: Tensor, single: bool) -> bool:
    """Whether the forward is linear, up to a constant, in one input: then one call an entry is exact."""
    x = draw.inputs[name]
    direction = direction_of(draw, name, "affine")
    once = evaluate(subject, draw, {name: x + direction}) - middle
    back = evaluate(subject, draw, {name: x - 3.7 * direction}) - middle
    return float((3.7 * once + back).abs().max()) <= (1e-4 if single else 1e-11) * (float(back.abs().max()) + 1e-3)


def _jacobian(subject: Subject, draw: Draw, name: str, middle: Tensor, single: bool, affine: bool) -> Tensor:
    """∂output/∂x as rows, one an entry of x. A kink that no step so far has met shows where the rows do not add up."""
    entries = range(draw.inputs[name].numel())
    rows = torch.stack([_row(subject, draw, name, i, middle, single, affine) for i in entries])
    if not affine or single:
        return rows
    direction, step = direction_of(draw, name, "rows"), 1e-5
    right, left = (evaluate(subject, draw, {name: draw.inputs[name] + s * direction}) for s in (step, -step))
    slope, expected = (right - left).reshape(-1) / (2 * step), direction.reshape(-1) @ rows
    if float((slope - expected).abs().max()) <= 1e-5 * (float(expected.abs().max()) + 1e-3):
        return rows
    return _jacobian(subject, draw, name, middle, single, affine=False)


def _row(subject: Subject, draw: Draw, name: str, index: int, middle: Tensor, single: bool, affine: bool) -> Tensor:
    """∂output/∂x[index], flat."""

    def side(step: float) -> Tensor:
        moved = draw.inputs[name].clone()
        moved.view(-1)[index] += step
        return (evaluate(subject, draw, {name: moved}) - middle).reshape(-1)

    if affine:
        return side(1.0)
    for step in (1e-2,) if single else (1e-4, 1e-5, 1e-6, 1e-7):
        right, left = side(step) / step, -side(-step) / step
        # the sides differ by step · f″; at a kink by the jump of the slope, however small the step
        if single or float((right - left).abs().max()) <= 20 * step * (1 + float((right + left).abs().max())):
            return (right + left) / 2
    raise NotDifferentiable(f"{name}[{index}]: {float((left - right).abs().max()):.2g} apart")
