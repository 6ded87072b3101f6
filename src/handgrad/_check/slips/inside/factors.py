"""A constant, or a sign, on one of several ways back: 1/√d that only the scores should have, −1 on one term.

Where another gradient has that constant as a whole, it is what comes back on that way that has it. Where none has,
it is a number in one term of a formula, for which there is no word.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from torch import Tensor

from ...case import same
from .. import NO_WORD, Backwards, Linear, Path, Slip
from ..constants import NAMELESS, scaled
from ..draw import Draw
from .places import Place
from .recording import Record, Step
from .replaying import Cell, hide, replayed, switch

_MOST = 24  # uses of tensors that are used more than once


def slips(draw: Draw, record: Record, places: list[Place]) -> Backwards:
    """Every way back that can be told from the rest: through a place, or through one use of a tensor of several."""
    if draw.user.shape != draw.truth.shape:
        return
    for place in (one for one in places if not one.alone):  # those are uses
        cell = Cell(lambda g, place=place: 0 * place.right(g))  # type: ignore[misc]
        aside = replayed(record, {place.index: partial(switch, place.source, cell)})
        yield from _weighted(draw, aside, place.keys[0], place.where)
    for used, step in _uses(record)[:_MOST]:
        aside = replayed(record, {step.index: partial(hide, used)})
        where = f"on the way through `{step.name}`, line {step.line}"
        yield from _weighted(draw, aside, (step.site, "use"), where)


def _uses(record: Record) -> list[tuple[Step | None, Step]]:
    """Each use of a tensor that the forward pass uses more than once, and of the input, which has no step."""
    found: list[tuple[Step | None, Step]] = []
    entering = [step for step in record.steps.values() if record.enters(step) and not record.is_copy(step.index)]
    found += [(None, step) for step in entering if len(entering) > 1]
    for index, users in record.consumers.items():
        if len(users) > 1 and not record.is_copy(index):
            found += [(record.steps[index], record.steps[user]) for user in users]
    return found


def _weighted(draw: Draw, aside: Linear | None, key: object, where: str) -> Iterator[tuple[Path, Linear]]:
    """U = G₀ + c·G₁, with G₁ what comes back on one way and G₀ what comes back on all others; c is read off U."""
    g0 = aside(draw.g) if aside is not None else None
    if aside is None or g0 is None or not g0.any():
        return  # all of it goes through: then it is a constant of the whole
    g1 = draw.truth - g0
    norm = float((g1**2).sum())
    c = float(((draw.user - g0) * g1).sum()) / norm if norm else 0.0
    if abs(c) < 1e-6 or abs(c - 1) < 1e-6 or not draw.equal(draw.user, g0 + c * g1):
        return
    whole = any(_is_multiple(draw, other, c) for other in draw.gradients)
    for path in scaled(draw, c):
        if all(slip.variant != NAMELESS for slip in path):
            named = tuple(_named(slip, key, where, whole=whole) for slip in path)
            yield named, partial(_combined, draw, aside, c)


def _is_multiple(draw: Draw, other: str, c: float) -> bool:
    user, right = draw.case.user.get(other), draw.gradients[other]
    return user is not None and bool(right.any()) and same(user, c * right, draw.tolerance)


def _named(slip: Slip, key: object, where: str, *, whole: bool) -> Slip:
    message = f"{slip.message} ({where})"
    cause, variant = (slip.cause, slip.variant) if whole else (NO_WORD, (slip.cause, slip.variant))
    return replace(slip, cause=cause, variant=(variant, key), message=message, inside=True)


def _combined(draw: Draw, aside: Linear, c: float, g: Tensor) -> Tensor:
    passing = aside(g)
    return passing + c * (draw.backward(g) - passing)
