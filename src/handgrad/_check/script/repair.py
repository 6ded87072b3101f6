"""The search for a repair: the fewest edits of somebody's gradient, and a closer, that make it the truth.

Every set of edits runs at the smallest sizes first; what holds there must hold at the script's own sizes, and at one
of the choices for the sizes that stand in the gradient itself.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from ..subjects.calling import UserCodeError
from .closers import Closer, closers, closes, constant_name
from .edits import Edit
from .program import running
from .world import World

_SMALL = 4000  # numbers in a script, up to which it is the quickest itself
_MANY = 60  # edits, beyond which three at once must stand in one statement
_TURNS = frozenset({"transposed", "kernel-flipped"})  # what a whole result may be undone by, where an operand is meant


@dataclass(frozen=True)
class Repair:
    """Edits and a closer that make the truth of the claimed gradient."""

    edits: tuple[Edit, ...]
    closer: Closer

    @property
    def cost(self) -> int:
        """How many slips it undoes."""
        return len(self.edits) + len(self.closer.slips)


def repairs(
    posted: World, seconds: Sequence[World], edits: Sequence[Edit], depths: range, limit_s: float = 4.0
) -> Repair | None:
    """The repair with the fewest slips, among equals the one whose rules come first; None where there is none.

    `depths` are the numbers of edits to try, a closer comes to them. `seconds` are choices for other sizes: a repair
    must hold at the posted sizes and at one of them.
    """
    until = time.thread_time() + limit_s  # of this thread's own time: what else the machine does is no matter
    best: Repair | None = None
    filters = [posted] if not seconds or _numbers(posted) <= _SMALL else list(seconds)
    with running(posted.program):
        for depth in range(depths.start, depths.stop + 1):
            if best is not None and depth > best.cost - (best.closer.factor is None and not _is_turned(best, depth)):
                break
            for chosen in _choices(edits, depth) if depth < depths.stop or best is not None else ():
                if time.thread_time() > until:
                    return best
                for found in (found for there in filters for found in _closing(there, chosen)):
                    if best is None or _better(found, best):
                        best = _everywhere(found, posted, seconds) or best
    return best


def _is_turned(repair: Repair, depth: int) -> bool:
    """Whether it turns an operand and the result, (A·Bᵀ)ᵀ = B·Aᵀ: as many edits may say it without the second."""
    return depth == repair.cost and not _TURNS.isdisjoint(repair.closer.causes)


def _better(found: Repair, best: Repair) -> bool:
    """Fewer slips; then those with a name, no factor of the whole, no transpose of it; then the order of the rules."""
    return _worth(found) < _worth(best)


def _worth(repair: Repair) -> tuple[int, int, bool, bool, int]:
    unnamed = sum(edit.cause is None for edit in repair.edits)
    turned = bool(repair.edits) and not _TURNS.isdisjoint(repair.closer.causes)
    rank = max((edit.rank for edit in repair.edits), default=0)
    return repair.cost, unnamed, repair.closer.factor is not None, turned, rank


def _numbers(world: World) -> int:
    return sum(math.prod(numbers.shape) for _, numbers in world.state.numbers)


def _choices(edits: Sequence[Edit], depth: int) -> Iterator[tuple[Edit, ...]]:
    for chosen in itertools.combinations(edits, depth):
        places = {(edit.statement, edit.number, edit.cause) for edit in chosen}
        if len(places) < depth or (depth > 2 and len(edits) > _MANY and len({e.statement for e in chosen}) > 1):
            continue
        yield chosen


def _closing(world: World, edits: Sequence[Edit]) -> Iterator[Repair]:
    value = attempt(world, edits)
    if value is not None:
        for closer in closers(value, world.target, world.namespace):
            yield Repair(tuple(edits), closer)


def attempt(world: World, edits: Sequence[Edit]) -> Any:
    """The value with edits made, or None where that does not run."""
    try:
        return world.value(edits)
    except UserCodeError:
        return None
    except (SyntaxError, ValueError, TypeError, AttributeError):  # an edit that makes no Python, or none of another's
        return None


def _everywhere(repair: Repair, posted: World, seconds: Sequence[World]) -> Repair | None:
    """The repair in the posted script's own words, if it holds there and at one of the other sizes."""
    here = _same_at(repair, posted)
    return here if here is not None and (not seconds or any(_holds(here, there) for there in seconds)) else None


def _holds(repair: Repair, world: World) -> bool:
    """Whether a repair holds in another world: as it is, or with the closer's numbers of that world."""
    value = attempt(world, repair.edits)
    if value is None:
        return False
    # as it is needs no more than a few slopes; the whole truth takes its time by differences
    plain = repair.closer.factor is None and world.accepts(repair.closer.template, value)
    return plain or _same_at(repair, world) is not None


def _same_at(repair: Repair, world: World) -> Repair | None:
    """The repair with the closer that undoes the same slips in another world."""
    return next((found for found in _closing(world, repair.edits) if found.closer.causes == repair.closer.causes), None)


def is_latent(repair: Repair, posted: World, without: Edit | None) -> bool:
    """Whether the posted sizes hide a slip: the repair holds without undoing it (None: without the closer's)."""
    edits = tuple(edit for edit in repair.edits if edit is not without)
    template = repair.closer.template if without is not None else _reshape_only(posted)
    value = attempt(posted, edits)
    return value is not None and any(
        closes(t, value, posted.target, posted.namespace) for t in {template, _reshape_only(posted)}
    )


def _reshape_only(world: World) -> str:
    return f"{{}}.reshape({world.target.name}.shape)"


def factor_name(edits: Sequence[Edit], posted: World, seconds: Sequence[World]) -> tuple[str, str, str] | None:
    """(cause, name, template that undoes it) of the constant that a value is off by, if it has a name."""
    here = _factor(posted, edits)
    if here is None:
        return None
    others = [(there, _factor(there, edits)) for there in seconds]
    for there, factor in others:
        found = factor and constant_name([here, factor], [size_names(posted), size_names(there)])
        if found:
            return _if_summed(found, [here, factor], [posted, there])  # type: ignore[list-item]
    named = None if seconds else constant_name([here], [size_names(posted)])
    return named and _if_summed(named, [here], [posted])


def _if_summed(named: tuple[str, str, str], factors: Sequence[float], worlds: Sequence[World]) -> tuple[str, str, str]:
    """A mean is one over axes that the derivative sums over; one over any other size of the problem is a factor."""
    shapes = [tuple(there.grad_output.shape) for there in worlds]
    if named[0] != "mean-instead-of-sum" or len(shapes[0]) < 2 or any(len(s) != len(shapes[0]) for s in shapes):
        return named
    for count in range(1, len(shapes[0]) + 1):
        for axes in itertools.combinations(range(len(shapes[0])), count):
            counts = [math.prod(shape[axis] for axis in axes) for shape in shapes]
            averages = all(math.isclose(f * n, 1, rel_tol=1e-6) for f, n in zip(factors, counts, strict=True))
            if averages and not (len(axes) == 1 and axes[0] > 0 and _is_kept(counts, shapes, worlds)):
                return named
    return ("scale-factor", *named[1:])


def _is_kept(sizes: Sequence[int], shapes: Sequence[tuple[int, ...]], worlds: Sequence[World]) -> bool:
    """Whether an axis of grad_output is one of a parameter's gradient too, which has no axis for the batch."""
    return all(size in there.target.truth.shape for size, there in zip(sizes, worlds, strict=True)) and any(
        there.target.truth.shape[:1] != shape[:1] for shape, there in zip(shapes, worlds, strict=True)
    )


def _factor(world: World, edits: Sequence[Edit]) -> float | None:
    value = attempt(world, edits)
    found = closers(value, world.target, world.namespace) if value is not None else ()
    return next((closer.factor for closer in found if closer.factor is not None), None)


def size_names(world: World) -> dict[str, int]:
    """The sizes of the problem, by an expression that gives them."""
    names: dict[str, int] = {}
    for name, value in world.state.names.items():
        if not name.isidentifier() or not isinstance(value, Tensor | np.ndarray):
            continue
        shape = tuple(value.shape)
        names |= {f"{name}.shape[{axis}]": size for axis, size in enumerate(shape) if size > 1}
        count = "size" if isinstance(value, np.ndarray) else "numel()"
        for axes in range(min(len(shape) - 1, 3)):
            names[f"{name}{[0] * axes if axes else ''}.{count}"] = math.prod(shape[axes:])
    return names
