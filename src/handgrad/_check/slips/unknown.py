"""A derivative that no formula gives: that it is one, of the right function or not, is asked of the code itself."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from . import Backwards, Slip
from .activation import slopes
from .draw import Draw

UNKNOWN = "unknown"  # believed where nothing else explains it


def unknown_derivative(draw: Draw) -> Backwards:
    """U = g · h(x), entry by entry, with an h that no formula here gives: whatever it is, it is not the derivative."""
    if not draw.is_elementwise or draw.user.shape != draw.g.shape:
        return
    slope = draw.user / draw.g
    if not (draw.g != 0).all() or not torch.isfinite(slope).all() or not _bends(draw):
        return
    wrong = ((slope - draw.derivative).abs() > 1e-6 * (1e-3 + draw.derivative.abs().max())).flatten()
    looked_at = [*wrong.nonzero()[:4, 0].tolist(), *(~wrong).nonzero()[:4, 0].tolist()]
    if wrong.any() and all(_is_entry_by_entry(draw, slope, index) for index in looked_at):
        message = "U/g depends on x alone, entry by entry, but it is not the derivative"
        yield (Slip("derivative-of-activation-wrong", UNKNOWN, message),), partial(torch.mul, slope)


def _bends(draw: Draw) -> bool:
    """Whether the function is not linear in this input: of one that is, there is no derivative to get wrong."""
    if draw.derivative_at is None:
        return len(slopes(draw.derivative)) > 1 and sum(v.shape == draw.g.shape for v in draw.inputs.values()) == 1
    return not draw.equal(draw.derivative_at(0.7 * draw.input.flip(0) - 1.3), draw.derivative)


def _is_entry_by_entry(draw: Draw, slope: Tensor, index: int) -> bool:
    """Whether U/g is the same everywhere where all inputs are everywhere what they are at one place, and as there."""
    shape = draw.g.shape
    inputs = {name: _spread(value, shape, index) for name, value in draw.inputs.items()}
    again = draw.case.run_at(inputs, draw.g)[draw.name] if draw.case.run_at is not None else None
    if again is None or again.shape != shape:
        return False
    return draw.equal(again.to(slope.dtype), draw.g * slope.flatten()[index])


def _spread(value: Tensor, shape: torch.Size, index: int) -> Tensor:
    """What an input that broadcasts to a shape holds at one place of it, everywhere."""
    try:
        there = value.expand(shape).flatten()[index].item()
    except RuntimeError:
        return value
    return torch.full_like(value, there)
