"""Products in the middle of a forward pass: what comes back to one factor is made wrongly of the other one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .. import Backwards, Linear, Path, Slip
from .places import Back, Place, local, value
from .recording import Record, Step
from .replaying import Cell, Replay, replayed, switched

CAUSES = frozenset({"transposed", "wrong-operand-order"})
_MATRICES = {"matmul", "mm", "bmm"}


def slips(record: Record) -> Backwards:
    """For each factor of each product of matrices, the other products that have its shape where all is square."""
    for step in record.steps.values():
        if step.name in _MATRICES and isinstance(step.output, Tensor) and len(step.args) == 2:
            for side in (0, 1):
                yield from _of_factor(record, step, side)


def _of_factor(record: Record, step: Step, side: int) -> Backwards:
    one, other = step.args[side], step.args[1 - side]
    source = next((s for s in map(record.steps.get, step.sources) if s is not None and s.output is one), None)
    if source is None or not isinstance(other, Tensor) or min(one.dim(), other.dim()) < 2:
        return
    for path, back in _ways(side, other.detach().as_subclass(Tensor), step).items():
        if _fits(back, step, source):
            yield path, _Through(record, step.index, side, source.index, back)


def _ways(side: int, other: Tensor, step: Step) -> dict[Path, Back]:
    """The ways back to a factor beside the right one, g·Bᵀ for the first of A·B and Aᵀ·g for the second."""
    where, key = f" (at `{step.name}`, line {step.line})", (side, step.site)
    text = "the factors are multiplied in the wrong order on the way back"
    order = Slip("wrong-operand-order", key, text + where, "exchange the factors", inside=True)
    text = "the other factor is not transposed on the way back"
    transposed = Slip("transposed", ("other", key), text + where, "`.mT`", inside=True)
    return {
        (order,): lambda g: _toward(1 - side, other, g),
        (order, transposed): lambda g: _toward(1 - side, other.mT, g),
    }


def _toward(side: int, other: Tensor, g: Tensor) -> Tensor:
    return g @ other.mT if side == 0 else other.mT @ g


def _fits(back: Back, step: Step, source: Step) -> bool:
    """Whether the matrices can be multiplied that way, and give the shape that they must."""
    try:
        return back(torch.ones_like(value(step))).shape == source.tensor.shape
    except RuntimeError:
        return False


class _Through:
    """The backward pass with another way back to one factor; the forward pass runs again when it is first asked for."""

    def __init__(self, record: Record, index: int, side: int, source: int, back: Back) -> None:
        self.record, self.index, self.back = record, index, back
        self.put = partial(_put, side, source, Cell(back))
        self.linear: Linear | None = None

    def __call__(self, g: Tensor) -> Tensor:
        if self.linear is None:
            self.linear = replayed(self.record, {self.index: self.put})
        return g.new_empty(0) if self.linear is None else self.linear(g)


def _put(side: int, source: int, cell: Cell, replay: Replay, function: Any, args: Any, output: Tensor) -> Tensor:
    """The product's value; its way back to one factor is the cell's, and to the other what it is."""
    with torch.enable_grad():
        rest: Tensor = function(*(arg.detach() if place == side else arg for place, arg in enumerate(args)))
    return switched(output, cell, replay.outputs[source]) + (rest - rest.detach())


def places(record: Record) -> Iterator[Place]:
    """Each product of entries whose other factor is what a mask left, α·min(x, 0): the way back takes x for it."""
    for step in record.steps.values():
        if step.name not in ("mul", "multiply") or len(step.sources) != 1 or step.direct:
            continue
        source = record.steps[step.sources[0]]
        if isinstance(source.output, Tensor) and (back := _unmasked(record, step, source)) is not None:
            slip = Slip("mask-missing", "factor", "the mask of the other factor is left out")
            where = f"at `{step.name}`, line {step.line}"
            yield Place(step.index, source.index, partial(local, step, source), {(slip,): back}, (step.site,), where)


def _unmasked(record: Record, step: Step, source: Step) -> Callable[[Tensor], Tensor] | None:
    others = [one for one in step.args if isinstance(one, Tensor) and one is not source.output]
    if len(others) != 1 or others[0].shape != step.tensor.shape:
        return None
    masked = others[0].detach().as_subclass(Tensor)
    kept = masked != 0
    made = (one for _, _, one, site, _ in record.calls if site and isinstance(one, Tensor))
    for one in (*record.leaves.values(), *made) if bool(kept.any() and not kept.all()) else ():
        if one.shape == masked.shape and one.is_floating_point():
            whole = one.detach().as_subclass(Tensor)
            if torch.equal(whole[kept], masked[kept]) and bool((whole[~kept] != 0).any()):
                return partial(_times, whole, source.tensor.shape)
    return None


def _times(factor: Tensor, shape: torch.Size, g: Tensor) -> Tensor:
    """g · factor, summed over the axes along which the other factor was broadcast."""
    return (g * factor).sum_to_size(shape)
