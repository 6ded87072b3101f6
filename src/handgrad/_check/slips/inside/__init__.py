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

_Find = Callable[[Record], Iterator[Place]]
_Slips = Callable[[Draw, Record], Backwards]

# the causes that each kind of place can have, and how it is found
_KINDS: tuple[tuple[frozenset[str], _Find], ...] = (
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
# those that are found from the record as a whole
_OTHERS: tuple[tuple[frozenset[str], _Slips], ...] = (
    (frozenset({"overwrite-instead-of-accumulate"}), reuse.slips),
    (frozenset({"mask-missing"}), lambda _, record: choices.slips(record)),
    (frozenset({"updated-weight"}), updates.slips),
    (turned.CAUSES, turned.slips),
    (cofactors.CAUSES, lambda _, record: cofactors.slips(record)),
    (stops.CAUSES, stops.slips),
    (frozenset({"derivative-of-activation-wrong"}), unknown.slips),
)
_CONSTANTS = frozenset({"wrong-sign", "scale-factor", "mean-instead-of-sum", NO_WORD})


def inside(draw: Draw, causes: Set[str] | None = None) -> Backwards:
    """Every slip in one step, or in all steps that come from one place of the code; or those of some causes only."""

    def asked(makes: Set[str]) -> bool:
        return causes is None or not causes.isdisjoint(makes)

    record = draw.once("record", partial(_record, draw))
    if record is None:
        return
    for makes, find in _KINDS:
        if asked(makes):
            yield from draw.once(find, partial(_at_places, draw, record, find))
    for makes, slips in _OTHERS:
        if asked(makes):
            yield from draw.once(slips, partial(_listed, slips, draw, record))
    if asked(_CONSTANTS) and not draw.is_elementwise:  # of which any term is part of the derivative
        yield from draw.once(factors, partial(_constants, draw, record))


def _record(draw: Draw) -> Record | None:
    record = Record.of(draw.case.tracked, draw.name) if draw.case.tracked is not None else None
    return None if record is None or len(record.steps) < 2 else record


def _places(draw: Draw, record: Record, find: _Find) -> list[Place]:
    return draw.once((find, "places"), lambda: list(find(record)))


def _at_places(draw: Draw, record: Record, find: _Find) -> list[tuple[Path, Linear]]:
    """The slips of one kind, at each place alone and at those that belong together."""
    groups: dict[object, list[Place]] = {}
    for place in _places(draw, record, find):
        for key in place.keys:
            groups.setdefault(key, []).append(place)
    return [slip for key, together in _different(groups).items() for slip in _slips(record, key, together)]


def _listed(slips: _Slips, draw: Draw, record: Record) -> list[tuple[Path, Linear]]:
    return list(slips(draw, record))


def _constants(draw: Draw, record: Record) -> list[tuple[Path, Linear]]:
    places = {place.index: place for _, find in _KINDS for place in _places(draw, record, find)}
    return list(factors.slips(draw, record, list(places.values())))


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
