"""The last resort: the right numbers in an order that reshapes and permutations make of the right one."""

from __future__ import annotations

import torch
from torch import Tensor

from . import Slip
from .draw import Draw


def rearranged(draw: Draw) -> Slip | None:
    """The slip that takes memory order for the order of axes, of whatever axes: a pixel shuffle's, those of heads.

    Which axes these are is told by the numbers alone, so they must all differ. Shifts and flips are other orders.
    """
    mine, places = draw.user.flatten().sort()
    right, origins = draw.truth.flatten().sort()
    if len(mine) != len(right) or len(right) < 4 or not draw.equal(mine, right):
        return None
    if right.diff().min() <= 0.1 * draw.tolerance * right.abs().max():
        return None
    order = torch.empty_like(places)
    order[places] = origins  # U[i] = T[order[i]]
    if torch.equal(order, torch.arange(len(order))) or not (_permutes_digits(order) or _both_permute(draw)):
        return None
    message = "the numbers are right but in another order: a reshape takes the memory order for that of the axes"
    fix = "reshape and permute back in the reverse of the forward pass's order"
    return Slip("reshape-instead-of-permute", "digits", message, fix)


def _both_permute(draw: Draw) -> bool:
    """Whether both are grad_output in another order of axes: then the axes themselves may be taken for others."""
    given, origins = draw.g.flatten().sort()
    for made in (draw.user, draw.truth):
        values, places = made.flatten().sort()
        if len(values) != len(given) or not draw.equal(values, given):
            return False
        order = torch.empty_like(places)
        order[places] = origins
        if not _permutes_digits(order):
            return False
    return True


def _permutes_digits(order: Tensor) -> bool:
    """Whether the places, written as digits of some axes, have their digits exchanged."""
    made, total = order.new_zeros(1), len(order)
    while len(made) < total:
        size, step = len(made), int(order[len(made)])
        counts = torch.arange(total // size)
        run = int((order[::size][: len(counts)] == counts * step).long().cumprod(0).sum())
        count = next((count for count in range(run, 0, -1) if total // size % count == 0), 1)
        if count == 1:
            return False
        # (count, 1) + (size,) = (count, size), the next digit in front
        made = (torch.arange(count)[:, None] * step + made).flatten()
    return torch.equal(made, order)
