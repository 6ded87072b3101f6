"""Linear steps in the middle of a forward pass: products, transpositions, constants."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from .. import Path, Slip
from .activations import REDUCTIONS, elementwise
from .choices import CHOICES
from .places import Back, Place
from .recording import Record, Step

_TURNS = {"T", "t", "mT", "transpose", "permute", "swapaxes", "movedim", "moveaxis"}


def places(record: Record) -> Iterator[Place]:
    """Each product, transposition and constant factor."""
    for step in record.steps.values():
        yield from _of_square(record, step)
        if not isinstance(step.output, Tensor) or len(step.sources) != 1 or step.direct:
            continue
        source = record.steps[step.sources[0]]
        if isinstance(source.output, Tensor):
            slips = _turned(step, source) | _multiplied(step, source) | _scaled(record, step, source)
            if slips:
                where = f"at `{step.name}`, line {step.line}"
                back = partial(_back, step, source)
                yield Place(step.index, source.index, back, slips, (("linear", step.site),), where)


def _of_square(record: Record, step: Step) -> Iterator[Place]:
    """gᵀ·B for g·B on the way back to one factor, where the product is square, as q·kᵀ is."""
    shape = step.tensor.shape if isinstance(step.output, Tensor) else ()
    if step.name not in ("matmul", "mm", "bmm", "einsum") or len(shape) < 2 or shape[-1] != shape[-2]:
        return
    for index in dict.fromkeys(step.sources):
        source = record.steps[index]
        if isinstance(source.output, Tensor):
            back = partial(_back, step, source)
            message = (
                f"the gradient of the product in line {step.line} is transposed where it must not be, or the reverse"
            )
            slips: dict[Path, Back] = {(Slip("transposed", "of a product", message, "`.mT`"),): _transposed(back)}
            keys = (("square", step.site, source.site),)
            yield Place(step.index, index, back, slips, keys, f"at `{step.name}`", alone=True)


def _transposed(back: Back) -> Back:
    return lambda g: back(g.mT)


def _back(step: Step, source: Step, g: Tensor) -> Tensor:
    with torch.enable_grad():
        total = (step.tensor * g).sum()
    (back,) = torch.autograd.grad(total, source.tensor, retain_graph=True)
    return back.as_subclass(Tensor)


def _turned(step: Step, source: Step) -> dict[Path, Back]:
    """A transposition that the way back leaves out, or takes for a reshape."""
    if step.name not in _TURNS or step.tensor.dim() < 2:
        return {}
    shape = source.tensor.shape
    message = "a reshape stands where the axes must be permuted back"
    found: dict[Path, Back] = {(Slip("reshape-instead-of-permute", "inside", message),): lambda g: g.reshape(shape)}
    if step.tensor.shape == shape:
        found = {(Slip("transposed", "inside", "a transposition is left out on the way back"),): lambda g: g}
    return found


def _multiplied(step: Step, source: Step) -> dict[Path, Back]:
    """g·B for g·Bᵀ, A·g for Aᵀ·g, where the matrix is square."""
    if step.name not in ("matmul", "mm", "bmm") or len(step.args) != 2:
        return {}
    first, second = step.args
    if not isinstance(first, Tensor) or not isinstance(second, Tensor) or min(first.dim(), second.dim()) < 2:
        return {}
    left = first is not source.output
    other = (first if left else second).detach().as_subclass(Tensor)
    if other.shape[-1] != other.shape[-2] or source.tensor.shape != step.tensor.shape:
        return {}
    message = "a matrix is not transposed on the way back"
    back: Back = (lambda g: other @ g) if left else (lambda g: g @ other)
    return {(Slip("transposed", ("factor", left), message, "`.mT`"),): back}


def _scaled(record: Record, step: Step, source: Step) -> dict[Path, Back]:
    """A constant of the forward pass, 1/√d or 2, that the way back leaves out."""
    if step.name not in ("mul", "multiply", "div", "divide", "true_divide") or source.name in REDUCTIONS:
        return {}
    constants = [one for one in step.args if not (isinstance(one, Tensor) and one.requires_grad)]
    plain = len(constants) == 1 and (not isinstance(constants[0], Tensor) or constants[0].numel() == 1)
    if not plain or step.tensor.shape != source.tensor.shape or _is_part_of_a_formula(record, step):
        return {}
    factor = float(torch.as_tensor(constants[0]))
    if abs(abs(factor) - 1) < 1e-9 or factor == 0:
        return {}
    if any(record.steps[user].name in CHOICES for user in record.consumers[step.index]):
        message = f"the slope of the forward pass on one side, {factor:.6g}, is not applied"
        return {(Slip("mask-missing", "slope", message, "multiply by the slope where x is on that side"),): lambda g: g}
    message = f"the factor of the forward pass, {factor:.6g}, is left out on the way back"
    return {(Slip("scale-factor", "inside", message, "multiply by it"),): lambda g: g}


def _is_part_of_a_formula(record: Record, step: Step) -> bool:
    """Whether it belongs to a function of one entry: the 2 in tanh(2x), the ½ before erf."""
    return any(step.index in pair for pair in elementwise(record))
