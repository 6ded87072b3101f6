"""Steps that only copy entries: windows, rows picked by an index, upsampling. Their way back adds up what is copied.

Which entry is copied where is read off the step itself: its derivative along 1, 2, 3 … is made of those numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from .. import Path, Slip
from .places import Back, Place, local
from .recording import Record, Step

_COPIES = {
    "getitem", "index_select", "gather", "take", "take_along_dim", "embedding", "unfold", "as_strided", "pad",
    "expand", "expand_as", "broadcast_to", "repeat", "repeat_interleave", "tile", "interpolate", "upsample", "roll",
    "sliding_window_view", "index",
}  # fmt: skip
_VIEWS = {
    "view", "reshape", "flatten", "unflatten", "permute", "transpose", "T", "mT", "t", "movedim", "contiguous",
    "squeeze", "unsqueeze",
}  # fmt: skip
_MOST = 300_000  # entries of a copy that are looked at


def places(record: Record) -> Iterator[Place]:
    """Each longest stretch of steps that copies some entries more than once."""
    for step in record.steps.values():
        begin = _begin(record, step) if _copies(step) and not _goes_on(record, step) else None
        origins = _origins(step, begin) if begin is not None else None
        if begin is not None and origins is not None:
            slips = _slips(origins, begin.tensor.shape)
            where = f"at `{step.name}`, line {step.line}"
            if slips:
                yield Place(step.index, begin.index, partial(local, step, begin), slips, (("copy", step.site),), where)


def _copies(step: Step) -> bool:
    return isinstance(step.output, Tensor) and step.name in _COPIES and len(step.sources) == 1


def _goes_on(record: Record, step: Step) -> bool:
    """Whether all that uses a copy is one more copy."""
    users = record.consumers[step.index]
    return len(users) == 1 and _copies(record.steps[users[0]])


def _begin(record: Record, step: Step) -> Step | None:
    """What the stretch of copies that ends with a step begins with."""
    source = record.steps[step.sources[0]]
    while (_copies(source) or source.name in _VIEWS) and len(source.sources) == 1 and not source.direct:
        source = record.steps[source.sources[0]]
    return source if isinstance(source.output, Tensor) else None


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


def _slips(origins: Tensor, shape: torch.Size) -> dict[Path, Back]:
    """`=` for `+=` where an entry is copied several times, and a mean over its copies."""
    kept = origins[origins >= 0]
    counts = torch.bincount(kept, minlength=shape.numel())
    if counts.max() < 2:
        return {}
    message = "an entry that is read several times keeps one of its gradients: `=` stands where they must add up"
    found: dict[Path, Back] = {}
    for end in ("last", "first"):
        slip = Slip(
            "overwrite-instead-of-accumulate", end, message, "accumulate with `+=`, `index_add_` or `np.add.at`"
        )
        found[(slip,)] = partial(_assigned, origins, shape, end == "last")
    if len(set(counts[counts > 0].tolist())) > 1:
        message = "the gradients of an entry that is read several times are averaged, where they must add up"
        slip = Slip("averaged-overlap", None, message, "leave out the division by how often it is read")
        found[(slip,)] = partial(_averaged, origins, counts, shape)
    return found


def _assigned(origins: Tensor, shape: torch.Size, forwards: bool, g: Tensor) -> Tensor:
    """What is left where each copy overwrites the ones before it."""
    values, back = g.flatten(), g.new_zeros(shape.numel())
    order = torch.arange(len(origins)) if forwards else torch.arange(len(origins)).flip(0)
    order = order[origins[order] >= 0]
    latest = torch.full((shape.numel(),), -1).scatter_reduce(0, origins[order], torch.arange(len(order)), "amax")
    touched = latest >= 0
    back[touched] = values[order[latest[touched]]]
    return back.reshape(shape)


def _averaged(origins: Tensor, counts: Tensor, shape: torch.Size, g: Tensor) -> Tensor:
    kept = origins >= 0
    total = g.new_zeros(shape.numel()).index_add(0, origins[kept], g.flatten()[kept])
    return (total / counts.clamp(min=1)).reshape(shape)
