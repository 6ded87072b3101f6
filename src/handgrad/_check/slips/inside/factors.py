"""A constant, or a sign, on one of several ways back: 1/√d that only the scores should have, −1 on one term."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from .. import Backwards, Linear
from ..constants import NAMELESS, scaled
from ..draw import Draw
from .places import Place
from .recording import Record
from .replaying import Cell, replayed, switch


def slips(draw: Draw, record: Record, place: Place) -> Backwards:
    """U = G₀ + c·G₁, with G₁ what comes back through the place and G₀ what passes it by; c is read off U."""
    if draw.user.shape != draw.truth.shape:
        return
    aside = _without(record, place)
    g0 = aside(draw.g) if aside is not None else None
    if aside is None or g0 is None or not g0.any():
        return  # all of it goes through: then it is a constant of the whole
    g1 = draw.truth - g0
    norm = float((g1**2).sum())
    c = float(((draw.user - g0) * g1).sum()) / norm if norm else 0.0
    if abs(c) < 1e-6 or abs(c - 1) < 1e-6 or not draw.equal(draw.user, g0 + c * g1):
        return
    for path in scaled(draw, c):
        if all(slip.variant != NAMELESS for slip in path):
            yield path, partial(_weighted, draw, aside, c)


def _without(record: Record, place: Place) -> Linear | None:
    cell = Cell(lambda g: 0 * place.right(g))
    return replayed(record, {place.index: partial(switch, place.source, cell)})


def _weighted(draw: Draw, aside: Linear, c: float, g: Tensor) -> Tensor:
    passing = aside(g)
    return passing + c * (draw.backward(g) - passing)
