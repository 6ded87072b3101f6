"""A weight that a loop uses again and again: its gradient is a sum over the turns, not what one of them leaves."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from .. import Backwards, Linear, Slip
from .recording import Record, Site, Step
from .replaying import Replay, replayed


def slips(record: Record) -> Backwards:
    """The gradient of the first, or of the last turn alone."""
    turns: dict[Site, list[Step]] = {}
    for step in record.steps.values():
        if step.site:  # in the user's code, not where the input is handed over
            turns.setdefault(step.site, []).append(step)
    for steps in turns.values():
        if len(steps) > 1:
            yield from _one_turn(record, steps)


def _one_turn(record: Record, steps: list[Step]) -> Backwards:
    """Of the places at which the input itself enters a loop, one."""
    entering = [step for step in steps if _enters(record, step)]
    if len(entering) != len(steps):
        return
    line = steps[0].line
    message = f"only one turn of the loop contributes (line {line}): `=` stands where the turns must add up"
    for which, kept in (("first", steps[0]), ("last", steps[-1])):
        slip = Slip("overwrite-instead-of-accumulate", ("turn", which, steps[0].site), message, "accumulate with `+=`")
        yield (slip,), _Once(record, steps, kept).gradient


def _enters(record: Record, step: Step) -> bool:
    """Whether one operand is the input, or a plain copy of it."""
    return step.direct or any(_is_copy(record, source) for source in step.sources)


def _is_copy(record: Record, index: int) -> bool:
    step = record.steps[index]
    return step.direct and step.name == "clone"


class _Once:
    """The forward pass in which only one of several uses of the input is seen by autograd."""

    def __init__(self, record: Record, steps: list[Step], kept: Step) -> None:
        self.record, self.hidden, self.linear = record, [step for step in steps if step is not kept], None

    def gradient(self, g: Tensor) -> Tensor:
        """The gradient of that use."""
        linear: Linear | None = self.linear or replayed(
            self.record, dict.fromkeys((step.index for step in self.hidden), partial(_hidden, self.record))
        )
        self.linear = linear  # type: ignore[assignment]
        return g.new_empty(0) if linear is None else linear(g)


def _hidden(record: Record, _replay: Replay, function: Any, args: Any, _output: Tensor) -> Any:
    """The same call with the input itself hidden from autograd."""
    hidden = [arg.detach() if isinstance(arg, Tensor) and _is_input(record, arg) else arg for arg in args]
    with torch.enable_grad():
        return function(*hidden)


def _is_input(record: Record, tensor: Tensor) -> bool:
    copied = ("CloneBackward0", "AliasBackward0")
    fresh = tensor.is_leaf or (tensor.grad_fn is not None and tensor.grad_fn.name() in copied)
    return tensor.requires_grad and fresh and torch.equal(tensor.detach(), record.leaf)
