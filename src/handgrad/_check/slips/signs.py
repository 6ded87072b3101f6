"""A last resort: the right numbers, some of them with the wrong sign."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from torch import Tensor

from . import NO_WORD, Slip
from .draw import Draw


def partly_negated(draw: Draw) -> Slip | None:
    """The slip that turns the sign of some entries and leaves others as they are."""
    user, truth = draw.user, draw.truth
    if user.shape != truth.shape or draw.is_elementwise or not draw.equal(user.abs(), truth.abs()):
        return None
    known = truth.abs() > 10 * draw.tolerance * truth.abs().max()
    turned = known & (user.sign() != truth.sign())
    if not turned.any() or turned.equal(known) or known.sum() < 4:
        return None
    if any(_is_one_side(turned[known], value[known]) for value in _compared(draw)):
        message = "the sign of the derivative is wrong on one side of its kink"
        return Slip("derivative-of-activation-wrong", "side", message, "multiply by the sign of what has the kink")
    message = f"the sign of some entries is wrong, of {int(turned.sum())} here, and all others are right"
    return Slip(NO_WORD, "signs", message, "look for a term that is added and should be taken off, or the reverse")


def _compared(draw: Draw) -> Iterator[Tensor]:
    """What a loss or an activation may have its kink in: an input, or the difference of two."""
    inputs = [value for value in draw.inputs.values() if value.shape == draw.truth.shape]
    yield from inputs
    yield from (first - second for first, second in combinations(inputs, 2))


def _is_one_side(turned: Tensor, value: Tensor) -> bool:
    """Whether entries are turned exactly where a value is below, or exactly where it is above some number."""
    inside, outside = value[turned], value[~turned]
    return bool(inside.max() < outside.min() or inside.min() > outside.max())
