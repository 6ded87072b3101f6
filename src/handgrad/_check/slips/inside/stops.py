"""A way back that ends early: at the windows, or the padded image, that the forward pass makes of the input."""

from __future__ import annotations

from functools import partial
from itertools import permutations

import torch
from torch import Tensor

from .. import Backwards, Slip
from ..copied import Copied
from ..draw import Draw
from .copies import TURNS, is_copy, is_view, stretch
from .places import local
from .recording import Record, Step

CAUSES = frozenset({"column-form", "padding-not-cropped"})
_MOST = 5  # axes whose every order is tried


def slips(draw: Draw, record: Record) -> Backwards:
    """U is the gradient of a tensor of copies, in that tensor's order of axes or in another."""
    last = record.steps[max(record.steps)]
    if draw.user.shape == draw.input.shape:
        return
    for step in record.steps.values():
        if step is not last and (is_copy(step) or is_view(step)) and step.tensor.numel() == draw.user.numel():
            copied = _made_of_input(draw, record, step)
            if copied is not None:
                yield from _orders(draw, last, step, copied)


def _made_of_input(draw: Draw, record: Record, step: Step) -> Copied | None:
    """What a step holds of the input, if that is more than the input in another shape, or in another order."""
    found = stretch(record, step)
    if found is None or found[0].shape != draw.input.shape:
        return None
    copied, passed = found
    turned = any(one.name in TURNS for one in passed) and draw.user.dim() != draw.input.dim()
    return copied if turned or any(map(is_copy, passed)) else None


def _orders(draw: Draw, last: Step, step: Step, copied: Copied) -> Backwards:
    shape, padded = tuple(step.tensor.shape), copied.box is not None
    what = "the padded tensor" if padded else "the columns that the forward pass makes"
    message = (
        f"this is the gradient with respect to {what}, {shape} in line {step.line}: the rest of the way is missing"
    )
    fix = "crop it; what was copied into the border is added up" if padded else "put it back: `fold`, or `+=` in a loop"
    for order in permutations(range(len(shape))) if len(shape) <= _MOST else [tuple(range(len(shape)))]:
        cause = "padding-not-cropped" if padded else "column-form"
        slip = Slip(cause, ("stops", step.site, order), message, fix, inside=True)
        yield (slip,), partial(_until, last, step, order, draw.user.shape)


def _until(last: Step, step: Step, order: tuple[int, ...], shape: torch.Size, g: Tensor) -> Tensor:
    way = local(last, step, g.reshape(last.tensor.shape)).permute(order)
    return way.reshape(shape) if way.numel() == shape.numel() else way
