"""Steps that only copy entries: windows, rows picked by an index, upsampling. Their way back adds up what is copied.

Which entry is copied where is read off the step itself: its derivative along 1, 2, 3 … is made of those numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from ..copied import Copied
from .places import Place, local
from .recording import Record, Step

_COPIES = {
    "getitem", "index_select", "gather", "take", "take_along_dim", "embedding", "unfold", "as_strided", "pad",
    "expand", "expand_as", "broadcast_to", "repeat", "repeat_interleave", "tile", "interpolate", "upsample", "roll",
    "sliding_window_view", "index",
}  # fmt: skip
_JOINS = {"cat", "concat", "concatenate", "stack", "hstack", "vstack"}
TURNS = {"permute", "transpose", "swapaxes", "movedim", "moveaxis", "T", "mT", "t"}
_VIEWS = TURNS | {"view", "reshape", "flatten", "unflatten", "contiguous", "squeeze", "unsqueeze"}
_MOST = 300_000  # entries of a copy that are looked at


def places(record: Record) -> Iterator[Place]:
    """Each longest stretch of steps that copies some entries more than once."""
    for step in record.steps.values():
        begin = _stretch(record, step)[0] if is_copy(step) and not _goes_on(record, step) else None
        these = _copied(step, begin) if begin is not None else None
        slips = these.slips() if these is not None else {}
        if begin is not None and slips:
            where = f"at `{step.name}`, line {step.line}"
            yield Place(step.index, begin.index, partial(local, step, begin), slips, (("copy", step.site),), where)


def stretch(record: Record, step: Step) -> tuple[Copied, list[Step]] | None:
    """What a step holds of the first tensor that copies and views make it of, and the steps that do that."""
    begin, passed = _stretch(record, step)
    copied = _copied(step, begin) if begin is not None else None
    return None if copied is None else (copied, passed)


def is_view(step: Step) -> bool:
    """Whether a step only looks at a tensor in another shape or order."""
    return isinstance(step.output, Tensor) and step.name in _VIEWS and len(step.sources) == 1 and not step.direct


def is_copy(step: Step) -> bool:
    """Whether a step only copies entries, some perhaps several times."""
    joins = step.name in _JOINS or len(step.sources) == 1
    return isinstance(step.output, Tensor) and step.name in _COPIES | _JOINS and joins and not step.direct


def _goes_on(record: Record, step: Step) -> bool:
    """Whether all that uses a copy is one more copy."""
    users = record.consumers[step.index]
    return len(users) == 1 and is_copy(record.steps[users[0]])


def _stretch(record: Record, step: Step) -> tuple[Step | None, list[Step]]:
    """The one tensor that a stretch of copies and views, which ends with a step, begins with; and its steps."""
    open_ends, passed = set(step.sources), [step]
    while open_ends:
        source = record.steps[max(open_ends)]
        if not is_copy(source) and not is_view(source):
            return (source if len(open_ends) == 1 and isinstance(source.output, Tensor) else None), passed
        open_ends = (open_ends - {source.index}) | set(source.sources)
        passed.append(source)
    return None, passed


def _copied(step: Step, begin: Step) -> Copied | None:
    origins = _origins(step, begin)
    return None if origins is None else Copied(origins, step.tensor.shape, begin.tensor.shape)


def _origins(step: Step, begin: Step) -> Tensor | None:
    """For each entry of the copy the place in what it is a copy of, −1 for padding; None where it is no plain copy."""
    count = begin.tensor.numel()
    if max(count, step.tensor.numel()) > _MOST:
        return None
    numbers = torch.arange(1.0, count + 1.0, dtype=torch.float64)
    made = _along(step, begin, numbers.reshape(begin.tensor.shape))
    if made is None or not bool(((made >= 0) & (made <= count) & (made == made.round())).all()):
        return None
    origins = made.long().flatten() - 1
    other = torch.cat([numbers.sqrt(), numbers.new_zeros(1)])  # −1 is the last: padding
    again = _along(step, begin, other[:-1].reshape(begin.tensor.shape))
    return origins if again is not None and torch.allclose(again.flatten(), other[origins]) else None


def _along(step: Step, begin: Step, direction: Tensor) -> Tensor | None:
    """The derivative of a step along a direction: the way back is linear in g, and its own way back is this."""
    g = torch.zeros_like(step.tensor).as_subclass(Tensor).requires_grad_()
    try:
        (back,) = torch.autograd.grad((step.tensor * g).sum(), begin.tensor, create_graph=True)
        (made,) = torch.autograd.grad((back * direction).sum(), g)
    except RuntimeError:
        return None
    return made.detach().as_subclass(Tensor)
