"""Forward passes that copy entries of an input, some of them more than once: rows of a table, windows, frames."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from . import Backwards, Slip, copied
from .copied import Copied
from .draw import Draw

CAUSES = copied.CAUSES | {"column-form", "padding-not-cropped"}


def copies(draw: Draw) -> Backwards:
    """What is wrong with the gradients of all copies of one entry: one of them is kept, or they are not added up."""
    if draw.g.shape != draw.y.shape or not draw.input.is_floating_point():
        return
    these = Copied(_origins(draw.input.flatten(), draw.y.flatten()), draw.y.shape, draw.input.shape)
    if not draw.equal(these.back(draw.g), draw.truth):
        return
    yield from _not_added(these)
    for path, back in these.slips().items():
        yield tuple(replace(slip, variant=("copies", slip.variant)) for slip in path), back


def _origins(x: Tensor, y: Tensor) -> Tensor:
    """The place in x of what each place of y holds, −1 where that is no entry of x."""
    if not len(x):
        return torch.full_like(y, -1, dtype=torch.int64)
    values, order = x.sort()
    at = torch.searchsorted(values, y).clamp(max=len(x) - 1)
    return torch.where(values[at] == y, order[at], -1)


def _not_added(these: Copied) -> Backwards:
    """grad_output as it is."""
    held = bool((these.origins >= 0).all())
    if held and bool((these.counts == 0).any()) and _jumps(these.origins):
        message = "one gradient for each copy of an entry, not yet added up where the entries were taken from"
        yield (Slip("column-form", "copies", message, "`index_add_`, `scatter_add_`, or `np.add.at`"),), lambda g: g
    elif held and these.box is not None and these.held != these.shape:
        message = "this is the gradient of the padded tensor: the padding is not taken off, and not added to its origin"
        fix = "add the border to where it is copied from, then crop"
        yield (Slip("padding-not-cropped", "copies", message, fix),), lambda g: g


def _jumps(origins: Tensor) -> bool:
    """Whether entries are picked in an order of their own, unlike those of a crop."""
    return bool((origins.diff() <= 0).any())
