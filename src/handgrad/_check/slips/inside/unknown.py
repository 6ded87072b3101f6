"""A derivative that no formula gives, of an activation of the input itself with more steps behind it: a loss.

U = h · G with G what comes back to the activation; where h follows x alone, entry by entry, it was meant to be f'(x).
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from .. import Backwards, Linear, Slip
from ..draw import Draw
from ..unknown import UNKNOWN
from .activations import elementwise
from .places import value
from .recording import Record, Step
from .replaying import Cell, replayed, switch


def slips(draw: Draw, record: Record) -> Backwards:
    """The slip, for each function of one entry that begins with the input and that all of it goes through."""
    if draw.user.shape != draw.truth.shape:
        return
    for source, index in elementwise(record):
        step, begin = record.steps[index], record.steps[source]
        if begin.direct and begin.name == "clone":
            found = _slope(draw, record, step, begin)
            if found is not None:
                message = (
                    "beside what comes back to it, the gradient depends on x alone, but not as the derivative does"
                )
                slip = Slip("derivative-of-activation-wrong", UNKNOWN, f"{message} (line {step.line})", inside=True)
                yield (slip,), found


def _slope(draw: Draw, record: Record, step: Step, begin: Step) -> Linear | None:
    """The backward pass with U's own h for f'(x), if there is one."""
    seen: list[Tensor] = []
    cell = Cell(lambda g: seen.append(g) or 0 * g)  # type: ignore[func-returns-value]
    linear = replayed(record, {step.index: partial(switch, begin.index, cell)})
    if linear is None or bool(linear(draw.g).any()) or not seen or not bool((seen[0] != 0).all()):
        return None
    x, slope = value(begin), draw.user / seen[0]
    right = draw.truth / seen[0]
    # what comes back must be no function of x itself, or nobody can tell which of the two is wrong
    if _follows(x, seen[0]) or not _follows(x, slope) or not _in_stretches(x, slope, right):
        return None
    cell.set(partial(torch.mul, slope))
    return linear


def _follows(x: Tensor, values: Tensor) -> bool:
    """Whether values follow x: sorted by x they move little from one to the next, measured by their total variation."""
    if x.numel() < 24:
        return False
    ordered = values.flatten()[x.flatten().argsort()]
    steps, spread = ordered.diff().abs().sum(), ordered.max() - ordered.min()
    # at random order the steps would be about a third of the spread each
    return bool(spread > 0) and float(steps) < 0.08 * x.numel() * float(spread)


def _in_stretches(x: Tensor, values: Tensor, right: Tensor) -> bool:
    """Whether values are wrong over whole stretches of x: not in one channel of it, or at a border."""
    wrong = ((values - right).abs() > 1e-6 * (1e-3 + right.abs().max())).flatten()[x.flatten().argsort()]
    count, ends = int(wrong.sum()), int((wrong[1:] != wrong[:-1]).sum())
    return (count >= 5 and ends <= 2) or (5 * count > wrong.numel() and ends <= 4)
