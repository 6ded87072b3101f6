"""The search for a repair: the fewest edits of somebody's gradient, and a closer, that make it the truth.

Every set of edits runs at the smallest sizes first; what holds there must hold at the script's own sizes, and at one
of the choices for the sizes that stand in the gradient itself.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..subjects.calling import UserCodeError, gradient
from .closers import Closer, closers, closes, constant_name
from .edits import RULES, Edit
from .program import running
from .world import World

_DEEPEST = 3  # edits at once, beside the closer
_MANY = 60  # edits, beyond which three at once must stand in one statement
_RANK = {rule.__name__: i for i, rule in enumerate(RULES)}


@dataclass(frozen=True)
class Repair:
    """Edits and a closer that make the truth of the claimed gradient."""

    edits: tuple[Edit, ...]
    closer: Closer

    @property
    def cost(self) -> int:
        """How many slips it undoes."""
        return len(self.edits) + len(self.closer.slips)


def repairs(posted: World, seconds: Sequence[World], edits: Sequence[Edit], limit_s: float = 5.0) -> Repair | None:
    """The repair with the fewest slips, among equals the one whose rules come first; None where there is none.

    `seconds` are choices for other sizes: a repair must hold at the posted sizes and at one of them.
    """
    until, best = time.monotonic() + limit_s, None
    small = min([*seconds, posted], key=_numbers)
    with running(posted.program):
        for depth in range(_DEEPEST + 1):
            if best is not None and depth >= best.cost:
                break
            for chosen in _choices(edits, depth):
                if time.monotonic() > until:
                    return best
                for found in _closing(small, chosen):
                    if best is None or found.cost < best.cost:
                        best = _everywhere(found, posted, seconds, small) or best
    return best


def _numbers(world: World) -> int:
    return sum(numbers.size if hasattr(numbers, "nbytes") and not hasattr(numbers, "numel") else numbers.numel()
               for _, numbers in world.state.numbers)  # fmt: skip


def _choices(edits: Sequence[Edit], depth: int) -> Iterator[tuple[Edit, ...]]:
    for chosen in itertools.combinations(edits, depth):
        places = {(edit.statement, edit.number) for edit in chosen}
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
    except (SyntaxError, ValueError, TypeError):  # an edit that makes no Python
        return None


def _everywhere(repair: Repair, posted: World, seconds: Sequence[World], small: World) -> Repair | None:
    """The repair in the posted script's own words, if it holds there and at one of the other sizes."""
    here = _same_at(repair, posted)
    if here is None or (small is posted and seconds and not any(_same_at(repair, world) for world in seconds)):
        return None
    return here


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


def factor_name(repair: Repair, worlds: Sequence[World]) -> tuple[str, str, str] | None:
    """(cause, name, template that undoes it) of a repair's constant factor, if one name fits at all sizes."""
    factors, sizes = [], []
    for world in worlds:
        value = attempt(world, repair.edits)
        found = [c.factor for c in closers(value, world.target, world.namespace) if c.factor is not None]
        if found:
            factors.append(found[0])
            sizes.append(size_names(world))
    return constant_name(factors, sizes) if factors else None


def size_names(world: World) -> dict[str, int]:
    """The sizes of the problem, by an expression that gives them."""
    names: dict[str, int] = {}
    for name in (world.claim.grad_output, world.claim.output, world.claim.name):
        value = world.namespace.get(name or "")
        shape = tuple(getattr(value, "shape", ()))
        names |= {f"{name}.shape[{axis}]": size for axis, size in enumerate(shape) if size > 1}
        if len(shape) > 1:
            tensor = gradient(value)
            count = "size" if not hasattr(value, "numel") else "numel()"
            names[f"{name}.{count}"] = tensor.numel() if tensor is not None else 1
            if len(shape) > 2:
                names[f"({name}[0].{count})"] = int(tensor[0].numel()) if tensor is not None else 1
                names[f"({name}[0, 0].{count})"] = int(tensor[0, 0].numel()) if tensor is not None else 1
    return names
