"""A way back that ends early: at the windows, or the padded image, that the forward pass makes of the input."""

from __future__ import annotations

from functools import partial
from itertools import permutations

import torch
from torch import Tensor

from .. import Backwards, Slip
from ..draw import Draw
from .copies import copied_from, is_copy
from .places import local
from .recording import Record, Step

CAUSES = frozenset({"column-form", "padding-not-cropped"})
_MOST = 5  # axes whose every order is tried


def slips(draw: Draw, record: Record) -> Backwards:
    """U is the gradient of a tensor of copies: it has more entries than the input, in the tensor's order or another."""
    last = record.steps[max(record.steps)]
    for step in record.steps.values():
        if step is last or not is_copy(step) or step.tensor.numel() != draw.user.numel():
            continue
        copied = copied_from(record, step)
        if copied is None or draw.user.numel() == draw.input.numel() or copied.shape != draw.input.shape:
            continue
        shape, padded = tuple(step.tensor.shape), copied.box is not None
        what = "the padded tensor" if padded else "the copies that the forward pass makes"
        message = f"this is the gradient with respect to {what}, {shape} in line {step.line}: the rest of the way back"
        fix = "crop it; what was copied into the border is added up" if padded else "add it up: `fold`, or `+=`"
        for order in permutations(range(len(shape))) if len(shape) <= _MOST else [tuple(range(len(shape)))]:
            cause = "padding-not-cropped" if padded else "column-form"
            slip = Slip(cause, ("stops", step.site, order), f"{message} is missing", fix, inside=True)
            yield (slip,), partial(_until, last, step, order, draw.user.shape)


def _until(last: Step, step: Step, order: tuple[int, ...], shape: torch.Size, g: Tensor) -> Tensor:
    way = local(last, step, g.reshape(last.tensor.shape)).permute(order)
    return way.reshape(shape) if way.numel() == shape.numel() else way
