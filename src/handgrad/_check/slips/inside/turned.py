"""A product, a contraction or a convolution in the middle, whose other factor is turned on the way back.

The step runs again with that factor transposed, flipped, its channels exchanged: what comes back is a gradient through
that, while the value stays what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ...reading import Reading, read
from .. import Backwards, Linear, Slip
from ..draw import Draw
from .recording import Record, Site, Step
from .replaying import Replacement, Replay, replayed

_PRODUCTS = {"einsum", "matmul", "mm", "bmm", "linear", "tensordot"}
_Turn = Callable[[Tensor], Tensor]
CAUSES = frozenset({"transposed", "kernel-flipped", "kernel-not-flipped", "kernel-axes-transposed", "channels-swapped"})


def slips(draw: Draw, record: Record) -> Backwards:
    """Each factor of each such step, turned in every way that keeps its shape."""
    together: dict[Site, list[Step]] = {}
    for step in record.steps.values():
        if step.site and isinstance(step.output, Tensor) and (step.name in _PRODUCTS or _is_convolution(step)):
            together.setdefault(step.site, []).append(step)
    for site, steps in together.items():
        for place, factor in enumerate(_tensors(steps[0])):
            for cause, text, turn in _turns(steps[0], factor, read(draw.case.code)):
                message = f"in the way back through `{steps[0].name}`, line {steps[0].line}, a factor {text}"
                slip = Slip(cause, ("factor", place, site), message, inside=True)
                yield (slip,), _Turned(record, [step.index for step in steps], place, turn)


def _is_convolution(step: Step) -> bool:
    return step.name.startswith("conv") and step.name.endswith(("1d", "2d", "3d"))


def _tensors(step: Step) -> list[Tensor]:
    """The operands of a step in order, those of a list as well."""
    return [one for arg in step.args for one in (arg if isinstance(arg, tuple | list) else [arg])
            if isinstance(one, Tensor)]  # fmt: skip


def _turns(step: Step, factor: Tensor, seen: Reading) -> Iterator[tuple[str, str, _Turn]]:
    """(cause, words, turn) for what can be done to a factor without changing its shape."""
    shape = factor.shape
    if _is_convolution(step) and factor.dim() > 2:
        spatial = tuple(range(2, factor.dim()))
        if any(size > 1 for size in shape[2:]):
            # a scatter flips by itself, a correlation does not: the values are the same
            flipped = "transpose" in step.name or (seen.flips and not seen.correlates)
            text = "is flipped where it must not be" if flipped else "is not flipped where it must be"
            yield "kernel-flipped" if flipped else "kernel-not-flipped", text, lambda w: w.flip(spatial)
        if factor.dim() == 4 and shape[2] == shape[3] > 1:
            yield "kernel-axes-transposed", "has its height and width exchanged", lambda w: w.mT
        if shape[0] == shape[1] > 1:
            yield "channels-swapped", "has its channel axes exchanged", lambda w: w.transpose(0, 1)
    elif step.name in _PRODUCTS and factor.dim() > 1 and shape[-1] == shape[-2] > 1:
        yield "transposed", "is transposed where it must not be, or the reverse", lambda w: w.mT


class _Turned:
    """The backward pass with one factor turned; the forward pass runs again when it is first asked for."""

    def __init__(self, record: Record, steps: list[int], place: int, turn: _Turn) -> None:
        self.record, self.steps, self.place, self.turn = record, steps, place, turn
        self.linear: Linear | None = None

    def __call__(self, g: Tensor) -> Tensor:
        if self.linear is None:
            put: Replacement = partial(_put, self.place, self.turn)
            self.linear = replayed(self.record, dict.fromkeys(self.steps, put))
        return g.new_empty(0) if self.linear is None else self.linear(g)


def _put(place: int, turn: _Turn, _replay: Replay, function: Any, args: Any, output: Tensor) -> Tensor:
    """The step's value; what comes back to the factor itself is right, to the others it is through the turned one."""
    with torch.enable_grad():
        turned = function(*_changed(args, place, lambda one: turn(one.detach()), lambda one: one))
        alone = function(*_changed(args, place, lambda one: one, lambda one: one.detach()))
    value: Tensor = output.detach() + (turned - turned.detach()) + (alone - alone.detach())
    return value


def _changed(args: Any, place: int, this: _Turn, others: _Turn) -> list[Any]:
    """The arguments with a change to the operand at a place and another to the rest."""
    count = 0

    def change(one: Any) -> Any:
        nonlocal count
        if isinstance(one, tuple | list):
            return type(one)(change(item) for item in one)
        if not isinstance(one, Tensor):
            return one
        count += 1
        return this(one) if count - 1 == place else others(one)

    return [change(arg) for arg in args]
