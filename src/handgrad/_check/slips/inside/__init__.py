"""Slips inside a forward pass of several steps: one step's way back is wrong, all others are right.

The forward pass is run again with a switch at that step: its value is what it was, its way back a slip's. So an
activation in the middle of a network, softmax inside attention or the statistics of a normalisation have the slips that
they have alone, and autograd does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from dataclasses import replace
from functools import partial

from torch import Tensor

from .. import NO_WORD, Backwards, Linear, Path, Slip, copied
from ..draw import Draw
from . import (
    activations,
    choices,
    cofactors,
    copies,
    factors,
    normalisations,
    products,
    reuse,
    softmaxes,
    stops,
    turned,
    unknown,
    updates,
)
from .places import Place
from .recording import Record
from .replaying import Cell, Replacement, branch, replayed, switch

# the causes that each kind of place can have, and how it is found
_KINDS: tuple[tuple[frozenset[str], Callable[[Record], Iterator[Place]]], ...] = (
    (
        frozenset({"softmax-diagonal-only", "derivative-of-activation-wrong", "wrong-reduction-axes", NO_WORD}),
        softmaxes.places,
    ),
    (
        frozenset({"missing-mean-term", "missing-variance-term", "gamma-missing", "wrong-reduction-axes", NO_WORD}),
        normalisations.places,
    ),
    (
        frozenset({"mask-missing", "mask-from-gradient", "mask-from-wrong-tensor", "derivative-of-activation-wrong"}),
        activations.places,
    ),
    (frozenset({"transposed", "reshape-instead-of-permute", "scale-factor", "mask-missing"}), products.places),
    (frozenset({"mask-missing"}), cofactors.places),
    (copied.CAUSES, copies.places),
)
_CONSTANTS = frozenset({"wrong-sign", "scale-factor", "mean-instead-of-sum", NO_WORD})


def inside(draw: Draw, causes: Set[str] | None = None) -> Backwards:
    """Every slip in one step, or in all steps that come from one place of the code; or those of some causes only."""

    def asked(makes: Set[str]) -> bool:
        return causes is None or not causes.isdisjoint(makes)

    record = Record.of(draw.case.tracked, draw.name) if draw.case.tracked is not None else None
    if record is None or len(record.steps) < 2:
        return
    found = [list(find(record)) for makes, find in _KINDS if asked({*makes, *_CONSTANTS})]
    for places in found:
        groups: dict[object, list[Place]] = {}
        for place in places:
            for key in place.keys:
                groups.setdefault(key, []).append(place)
        for key, together in _different(groups).items():
            yield from _slips(record, key, together)
    if asked({"overwrite-instead-of-accumulate"}):
        yield from reuse.slips(draw, record)
    if asked({"mask-missing"}):
        yield from choices.slips(record)
    if asked({"updated-weight"}):
        yield from updates.slips(draw, record)
    if asked(turned.CAUSES | cofactors.CAUSES):
        yield from turned.slips(draw, record)
        yield from cofactors.slips(record)
    if asked(stops.CAUSES):
        yield from stops.slips(draw, record)
    if asked({"derivative-of-activation-wrong"}):
        yield from unknown.slips(draw, record)
    if asked(_CONSTANTS) and not draw.is_elementwise:  # of which any term is part of the derivative
        places = list({place.index: place for places in found for place in places}.values())
        yield from factors.slips(draw, record, places)


def _different(groups: dict[object, list[Place]]) -> dict[object, list[Place]]:
    """The groups without those that have the members of an earlier one."""
    seen: set[frozenset[int]] = set()
    found: dict[object, list[Place]] = {}
    for key, places in groups.items():
        members = frozenset(id(place) for place in places)
        if members not in seen and len({place.index for place in places}) == len(places):
            seen.add(members)
            found[key] = places
    return found


def _slips(record: Record, key: object, places: list[Place]) -> Backwards:
    switches = _Switches(record, places)
    for path in places[0].slips:
        yield tuple(_named(slip, key, places[0].where) for slip in path), partial(switches.gradient, path)


def _named(slip: Slip, key: object, where: str) -> Slip:
    return replace(slip, variant=(slip.variant, key), message=f"{slip.message} ({where})", inside=True)


class _Switches:
    """The forward pass with a switch at some places, run once it is needed."""

    def __init__(self, record: Record, places: list[Place]) -> None:
        self.record, self.places = record, places
        self.cells = [Cell(place.right) for place in places]
        self.linear: Linear | None = None
        self.known: dict[tuple[Path, int], tuple[Tensor, Tensor]] = {}

    def gradient(self, path: Path, g: Tensor) -> Tensor:
        """The gradient where each place has that slip; the search asks for each several times."""
        key = path, id(g)
        if key not in self.known:
            self.known[key] = g, self._gradient(path, g)
        return self.known[key][1]

    def _replacement(self, place: Place, cell: Cell) -> Replacement:
        if place.alone:
            return partial(branch, self.record.steps[place.source], cell)
        return partial(switch, place.source, cell)

    def _gradient(self, path: Path, g: Tensor) -> Tensor:
        if self.linear is None:
            pairs = zip(self.places, self.cells, strict=True)
            self.linear = replayed(self.record, {place.index: self._replacement(place, cell) for place, cell in pairs})
        if self.linear is None:
            return g.new_empty(0)
        for place, cell in zip(self.places, self.cells, strict=True):
            cell.set(place.slips.get(path, place.right))
        gradient = self.linear(g)
        # a mask of what has one sign lets nothing through: that is another slip, or none
        return g.new_empty(0) if any(cell.closed for cell in self.cells) else gradient
