"""A weight that a loop uses again and again: its gradient is a sum over the turns, not what one of them leaves."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from ...reading import read
from .. import Backwards, Linear, Slip
from ..draw import Draw
from .recording import Record, Site, Step
from .replaying import hide, replayed


def slips(draw: Draw, record: Record) -> Backwards:
    """The gradient of the first, or of the last turn alone; where it is overwritten by name, of any use alone."""
    turns: dict[Site, list[Step]] = {}
    for step in record.steps.values():
        if step.site:  # in the user's code, not where the input is handed over
            turns.setdefault(step.site, []).append(step)
    for steps in turns.values():
        if len(steps) > 1:
            yield from _one_turn(draw, record, steps)
    if read(draw.case.code).overwrites:
        yield from _one_use(record)


def _one_use(record: Record) -> Backwards:
    """Of several places in the code at which the input enters, one."""
    entering = [step for step in record.steps.values() if step.site and record.enters(step)]
    for kept in entering if len({step.site for step in entering}) > 1 else ():
        message = f"only the use in line {kept.line} contributes: a second `=` stands where the uses must add up"
        slip = Slip("overwrite-instead-of-accumulate", ("use", kept.site), message, "accumulate with `+=`")
        yield (slip,), _Once(record, entering, kept).gradient


def _one_turn(draw: Draw, record: Record, steps: list[Step]) -> Backwards:
    """Of the places at which the input itself enters a loop, one."""
    entering = [step for step in steps if record.enters(step)]
    if len(entering) != len(steps):
        return
    line = steps[0].line
    message = f"only one turn of the loop contributes (line {line}): `=` stands where the turns must add up"
    for which, kept in (("first", steps[0]), ("last", steps[-1])):
        once = _Once(record, steps, kept)
        if len(steps) == draw.batch and _is_of_one_sample(draw, once, steps.index(kept)):
            continue  # a loop over the samples has a name of its own
        slip = Slip("overwrite-instead-of-accumulate", ("turn", which, steps[0].site), message, "accumulate with `+=`")
        yield (slip,), once.gradient


def _is_of_one_sample(draw: Draw, once: _Once, sample: int) -> bool:
    alone = torch.zeros_like(draw.g)
    alone[sample] = draw.g[sample]
    return draw.equal(once.gradient(draw.g), draw.backward(alone))


class _Once:
    """The forward pass in which only one of several uses of the input is seen by autograd."""

    def __init__(self, record: Record, steps: list[Step], kept: Step) -> None:
        self.record, self.hidden, self.linear = record, [step for step in steps if step is not kept], None

    def gradient(self, g: Tensor) -> Tensor:
        """The gradient of that use."""
        linear: Linear | None = self.linear or replayed(
            self.record, dict.fromkeys((step.index for step in self.hidden), partial(hide, None))
        )
        self.linear = linear  # type: ignore[assignment]
        return g.new_empty(0) if linear is None else linear(g)
