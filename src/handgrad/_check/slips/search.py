"""The search: which chains of slips reproduce a draw's gradient to rounding."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain

from torch import Tensor

from . import Linear, Path, Slip
from .backwards import backwards
from .comparing import Goal
from .constants import scaled, vagueness
from .draw import Draw
from .operands import operands
from .repairs import repairs
from .results import results

# Slips with dozens of forms: in pairs with others of as many they cost more than they find.
_MANY = ("reshape-instead-of-permute",)
_AFTER_INSIDE = frozenset(
    {"transposed"}
)  # what a slip in one of many steps is combined with, beside constants and sums

Allowed = Collection[Slip] | None  # the slips a search may use; None for every one


def ranked(draw: Draw, depth: int) -> list[Path]:
    """All explanations, one for each set of slips; those with a constant that has no name come last."""
    found: dict[frozenset[Slip], Path] = {}
    for path in explanations(draw, depth):
        found.setdefault(frozenset(path), path)
    return sorted(found.values(), key=lambda path: max(map(vagueness, path), default=0))


def explanations(draw: Draw, depth: int, allowed: Allowed = None) -> Iterator[Path]:
    """Every chain of at most `depth` slips that makes the user's gradient of the truth, in the order of the tables.

    A constant factor or a lost axis of size 1 counts as a slip like any other.
    """
    repaired = (((slip,), value) for slip, value in repairs(draw) if _permitted((slip,), allowed))
    goals = [(path, Goal(value, draw.tolerance)) for path, value in chain([((), draw.user)], repaired) if value.numel()]
    for path, predicted in predictions(draw, depth, allowed):
        for undone, goal in goals:
            if len(path) + len(undone) <= depth and (constant := goal.multiple_of(predicted)) is not None:
                for end in _difference(draw, goal, predicted, constant):
                    whole = (*path, *undone, *end)
                    if 0 < len(whole) <= depth and _permitted(whole, allowed):
                        yield whole


def predictions(draw: Draw, depth: int, allowed: Allowed = None) -> Iterator[tuple[Path, Tensor]]:
    """The truth, and every gradient that at most `depth` slips make of it; what happens to a result comes last."""
    made = []
    for path, g, linear in _chains(draw, depth, allowed):
        gradient = linear(g)
        yield path, gradient
        if len(path) < depth:
            made.append((path, gradient))
    for path, gradient in made:
        yield from _changed(draw, path, gradient, depth, allowed)


def _chains(draw: Draw, depth: int, allowed: Allowed) -> Iterator[tuple[Path, Tensor, Linear]]:
    """Operand slip, or none, followed by a backward slip, or none."""
    every = backwards(draw, allowed)
    linears = [(path, linear) for path, linear in every if len(path) <= depth and _permitted(path, allowed)]
    yield (), draw.g, draw.backward
    yield from ((path, draw.g, linear) for path, linear in linears)
    for slip, g in operands(draw) if depth else ():
        if _permitted((slip,), allowed):
            yield (slip,), g, draw.backward
            rest = [(path, linear) for path, linear in linears if not _inside(path)] if slip.cause not in _MANY else []
            yield from (((slip, *path), g, linear) for path, linear in rest if 1 + len(path) <= depth)


def _changed(draw: Draw, path: Path, gradient: Tensor, depth: int, allowed: Allowed) -> Iterator[tuple[Path, Tensor]]:
    """A gradient with result slips, as many as are left."""
    if len(path) >= depth:
        return
    causes: Collection[str] | None = None if allowed is None else {slip.cause for slip in allowed}
    if _inside(path):
        if gradient.dim() != 2:
            return
        causes = _AFTER_INSIDE.intersection(causes or _AFTER_INSIDE)
    for slip, changed in results(draw, gradient, causes):
        if _permitted((slip,), allowed):
            yield (*path, slip), changed
            if slip.cause not in _MANY:
                yield from _changed(draw, (*path, slip), changed, depth, allowed)


def _inside(path: Path) -> bool:
    return any(slip.inside for slip in path)


def _permitted(path: Path, allowed: Allowed) -> bool:
    return allowed is None or all(slip in allowed for slip in path)


def _difference(draw: Draw, goal: Goal, predicted: Tensor, constant: float) -> Iterator[Path]:
    """The slips that still lie between a prediction and what came back: none, a shape, a constant."""
    have, want = tuple(goal.value.shape), tuple(predicted.shape)
    rank: Path = () if have == want else (_shape_slip(have, want),)
    if constant == 1.0:
        yield rank
    else:
        yield from ((*rank, *path) for path in scaled(draw, constant))


def _shape_slip(have: tuple[int, ...], want: tuple[int, ...]) -> Slip:
    """The same numbers in the same order of memory, under another shape."""
    message = f"the values are right, the shape {have} must be {want}"
    if len(have) == len(want) and sorted(have) == sorted(want) and 1 not in have:
        if len(have) > 2 and have == (*want[:-2], want[-1], want[-2]):
            return Slip("height-width-swapped", "reshape", f"height and width are exchanged in a reshape: {message}")
        return Slip("reshape-instead-of-permute", "shape", f"a reshape stands where a permute belongs: {message}")
    kind = "an axis of size 1" if _without_ones(have) == _without_ones(want) else "flattened"
    fix = f"`.reshape{want}`" if kind == "flattened" else f"`.view{want}`: an axis of size 1 is kept or lost"
    return Slip("wrong-rank", kind, message, fix)


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def explains(draw: Draw, path: Path) -> bool:
    """Whether this draw's gradient is reproduced by the chain, or by a part of it where the rest does not show."""
    return next(explanations(draw, len(path), frozenset(path)), None) is not None
