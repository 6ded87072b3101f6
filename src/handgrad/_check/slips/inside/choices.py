"""Steps that choose between tensors, a maximum of two or a `where`: only what was chosen has a gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .. import Backwards, Linear, Slip
from .recording import Record, Site
from .replaying import Replay, replayed

CHOICES = frozenset({"where", "maximum", "minimum", "max", "min", "fmax", "fmin"})


def slips(record: Record) -> Backwards:
    """What comes back is handed to all that could have been chosen, in each place of the code."""
    together: dict[Site, list[int]] = {}
    for step in record.steps.values():
        if step.site and step.name in CHOICES and len(_choosable(step.args)) > 1 and isinstance(step.output, Tensor):
            together.setdefault(step.site, []).append(step.index)
    for site, steps in together.items():
        step = record.steps[steps[0]]
        message = f"each tensor gets the whole gradient, chosen or not (at `{step.name}`, line {step.line})"
        fix = "multiply by the mask of the entries where it was chosen"
        yield (Slip("mask-missing", ("choice", site), message, fix, inside=True),), _Unchosen(record, steps)


def _choosable(args: Any) -> list[Tensor]:
    return [one for one in args if isinstance(one, Tensor) and one.is_floating_point() and one.requires_grad]


class _Unchosen:
    """The backward pass without those masks; the forward pass runs again when it is first asked for."""

    def __init__(self, record: Record, steps: list[int]) -> None:
        self.record, self.steps = record, steps
        self.linear: Linear | None = None

    def __call__(self, g: Tensor) -> Tensor:
        if self.linear is None:
            self.linear = replayed(self.record, dict.fromkeys(self.steps, _to_all))
        return g.new_empty(0) if self.linear is None else self.linear(g)


def _to_all(_replay: Replay, _function: Any, args: Any, output: Tensor) -> Tensor:
    """The step's value; what comes back to it goes to each operand."""
    with torch.enable_grad():
        return sum((one - one.detach() for one in _choosable(args)), output.detach())
