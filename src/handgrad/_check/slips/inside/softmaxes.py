"""Softmax or its logarithm in the middle of a forward pass, however it is written: known by its values."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from .. import NO_WORD, Path, Slip
from ..axes import axes_key, axes_sets
from .places import Back, Place, close, same_shape, value
from .recording import Record, Step

_DIAGONAL = Slip(
    "softmax-diagonal-only",
    None,
    "only the diagonal y·(1 − y) of softmax's Jacobian is used; the rows of the gradient do not sum to 0",
    "y · (grad − (grad · y).sum(dim, keepdim=True))",
)
_MISSING = Slip("derivative-of-activation-wrong", "1", "softmax's derivative is missing", "y · (grad − Σ grad · y)")
_PRODUCT = Slip(
    "derivative-of-activation-wrong",
    "y",
    "softmax's derivative is taken to be y: what its sum does is missing",
    "y · (grad − Σ grad · y)",
)


_LOGITS = Slip(
    "derivative-of-activation-wrong", "x", "the logits stand where softmax of them belongs", "grad − softmax · Σ grad"
)
_NOT_ADDED = Slip(
    "derivative-of-activation-wrong",
    "p",
    "what comes back is left out, as is a one-hot target that is not subtracted: softmax alone remains",
    "grad − softmax · Σ grad",
)
AVERAGED = Slip(  # the gradient is no multiple of the right one, so the word for a mean does not fit
    NO_WORD,
    "softmax",
    "the sum in softmax's derivative is taken to be a mean",
    "`.sum(dim, keepdim=True)` for `.mean`",
)


def places(record: Record) -> Iterator[Place]:
    """Each tensor that is the softmax of an earlier one, or its logarithm."""
    for step in record.steps.values():
        before = same_shape(record, step)
        axis = _axis(value(step)) if before else None
        if axis is None:
            continue
        logarithm = bool((value(step) < 0).any())
        function = torch.log_softmax if logarithm else torch.softmax
        fitting = [source for source in before if close(function(value(source), axis), value(step))]
        if fitting:  # the earliest: not what a maximum was taken off
            yield _place(fitting[-1], step, axis, logarithm)


def _axis(y: Tensor) -> int | None:
    """Along which axis it, or exp of it, sums to 1."""
    p = y.exp() if bool((y < 0).any()) else y
    one = (axis for axis in reversed(range(p.dim())) if p.shape[axis] > 1)
    return next((axis for axis in one if bool(((p.sum(axis) - 1).abs() < 1e-9).all())), None)


def _place(source: Step, step: Step, axis: int, logarithm: bool) -> Place:
    y = value(step)
    gradient = partial(log_softmax_gradient if logarithm else softmax_gradient, y)
    slips: dict[Path, Back] = {}
    if logarithm:
        slips[(_DIAGONAL,)] = partial(torch.mul, 1 - y.exp())
        message = "the derivative of softmax stands where that of its logarithm belongs"
        slip = Slip("derivative-of-activation-wrong", "no log", message, "grad − softmax · Σ grad")
        slips[(slip,)] = partial(softmax_gradient, y.exp(), (axis,))
        slips[(_LOGITS,)] = lambda g: g - value(source) * g.sum(axis, keepdim=True)
        slips[(_NOT_ADDED,)] = lambda g: -y.exp() * g.sum(axis, keepdim=True)
    else:
        slips |= {(_DIAGONAL,): partial(torch.mul, y * (1 - y)), (_PRODUCT,): partial(torch.mul, y)}
    slips[(_MISSING,)] = lambda g: g
    slips[(AVERAGED,)] = partial(gradient, (axis,), share=1 / y.shape[axis])
    for axes in axes_sets(y.dim()):
        if axes and axes != (axis,):
            message = f"the sum of softmax's derivative runs over the axes {axes}: it belongs over {axis}"
            slips[(Slip("wrong-reduction-axes", axes_key(axes, y.dim()), message),)] = partial(gradient, axes)
    where = f"at `{step.name}`, line {step.line}"
    return Place(step.index, source.index, partial(gradient, (axis,)), slips, (("softmax", step.site),), where)


def softmax_gradient(y: Tensor, over: tuple[int, ...], g: Tensor, share: float = 1.0) -> Tensor:
    """y·(g − Σ g·y); the sum times `share`."""
    return y * (g - share * (g * y).sum(over, keepdim=True))


def log_softmax_gradient(y: Tensor, over: tuple[int, ...], g: Tensor, share: float = 1.0) -> Tensor:
    """g − softmax·Σ g, y the logarithm; the sum times `share`."""
    return g - share * y.exp() * g.sum(over, keepdim=True)
