"""What there is room for: of long axes the two ends, the same entries in every tensor, so that what meets is shown.

A view never changes a number: what it leaves out it counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, product
from math import prod

from .._geometry import Ints
from .axes import Axis
from .box import Box
from .numbers import ravel
from .roles import OPERANDS
from .trace import Trace
from .verify import pytorch

PAGE = 4000  # entries of one tensor, on a page
TERMINAL = 400
PLANES = 24  # of one tensor: more are many screens to scroll past

_TAPS = 12  # of a kernel, along one axis
_COLUMNS, _ROWS = 20, 27  # of the matrix of columns
_ROOM = ((8, 16, 32), (4, 8, 32), (2, 4, 32), (2, 3, 20), (2, 2, 14), (2, 2, 8), (1, 2, 6), (1, 1, 4))


@dataclass(frozen=True)
class Plane:
    """The last two axes of a tensor at one place of the others: what fits on paper."""

    box: Box
    prefix: Ints
    rows: Ints
    columns: Ints

    def index(self, row: int, column: int) -> Ints:
        """Of one entry; a vector has no rows."""
        return (*self.prefix, row, column) if len(self.box.letters) > 1 else (column,)

    @property
    def label(self) -> str:
        """Which plane: "sample 0, channel 1"."""
        return ", ".join(f"{word} {i}" for word, i in zip(self.box.words, self.prefix, strict=False))


@dataclass(frozen=True)
class View:
    """A tensor, and which of its positions are shown on each axis."""

    box: Box
    shown: tuple[Ints, ...]

    def planes(self) -> Iterator[Plane]:
        """In order; 0 is the only row of a vector."""
        *outer, rows, columns = self.shown if len(self.shown) > 1 else ((0,), *self.shown)
        for prefix in product(*outer):
            yield Plane(self.box, prefix, rows, columns)

    @property
    def left_out(self) -> str:
        """What is not shown, in words, or nothing."""
        sizes = [len(axis) for axis in self.box.ranges]
        parts = [
            f"{letter} {len(shown)} of {size}"
            for letter, shown, size in zip(self.box.letters, self.shown, sizes, strict=True)
            if len(shown) < size
        ]
        return f"shown: {', '.join(parts)}" if parts else ""

    def values(self) -> list[float]:
        """The entries that are shown, the last axis fastest."""
        return [self.box.at(index) for index in product(*self.shown)]


def views(trace: Trace, room: int = PAGE) -> dict[str, View]:
    """A view of every tensor, none much larger than `room`, or of many more than `PLANES` planes."""
    for limits in _ROOM:
        found = _views(trace, *limits)
        shapes = [tuple(map(len, view.shown)) for name, view in found.items() if "columns" not in name]
        if max(map(prod, shapes)) <= room and max(prod(shape[:-2]) for shape in shapes) <= PLANES:
            break
    return found


def example(trace: Trace, name: str, shown: Mapping[str, View]) -> Ints:
    """The entry of a result to begin with: in the middle, where most windows overlap.

    Of somebody's own numbers, many of which may be 0, the one whose sum has the most terms that are not.
    """
    view = shown[name]
    if not trace.made_up:
        return _fullest(trace, view)
    if name == trace.roles.folded:
        spatial = (_busiest(axis, at) for axis, at in zip(trace.axes, view.shown[2:], strict=True))
        return (*map(_middle, view.shown[:2]), *spatial)
    return tuple(map(_middle, view.shown))


def gaps(positions: Ints) -> Iterator[tuple[int, bool]]:
    """Each position, and whether something was left out before it."""
    yield positions[0], False
    for before, position in pairwise(positions):
        yield position, position - before > 1


def _middle(positions: Ints) -> int:
    """Of what is shown; where something is left out, of the first part."""
    whole = positions[-1] - positions[0] + 1 == len(positions)
    return positions[len(positions) // (2 if whole else 4)]


def _fullest(trace: Trace, view: View) -> Ints:
    """With 1 for every number that is not 0, a result is how many terms of its sum are not 0; of equals, the middle."""
    lit = {name: trace[name].ne(0).to(trace[name].dtype) for name in OPERANDS if name in trace.boxes}
    counts = pytorch(lit, trace.geometry, trace.padding_mode, trace.transposed, trace.output_padding)[view.box.name]
    inside = [[i for i in axis if 0 <= i < size] for axis, size in zip(view.shown, view.box.shape, strict=True)]
    middle = [_middle(tuple(axis)) for axis in inside]

    def fullness(index: Ints) -> tuple[int, int]:
        return round(counts[index].item()), -sum(abs(i - m) for i, m in zip(index, middle, strict=True))

    return max(product(*inside), key=fullness)


def _busiest(axis: Axis, positions: Ints) -> int:
    """The innermost of the input's positions at which most windows overlap."""
    inside = [i for i in positions if 0 <= i < axis.input]
    middle = _middle(tuple(inside))
    return max(inside, key=lambda i: (len(list(axis.meetings(i, True))), -abs(i - middle)))


def _views(trace: Trace, samples: int, channels: int, windows: int) -> dict[str, View]:
    weight, roles = trace.boxes["weight"], trace.roles
    n = _ends(trace["input"].shape[0], samples)
    a, b = (_ends(size, channels) for size in weight.shape[:2])
    k = [_ends(size, _TAPS) for size in trace.geometry.kernel]
    p = [_ends(size, windows) for size in trace.geometry.output]
    c = tuple(sorted({trace.channel(i, j) for i in a for j in b}))
    i = [_positions(*along) for along in zip(trace.axes, p, k, strict=True)]
    rows = thinned(tuple(ravel((channel, *tap), trace.geometry.kernel) for channel in c for tap in product(*k)), _ROWS)
    columns = thinned(tuple(ravel((0, *at), trace.geometry.output) for at in product(*p)), _COLUMNS)
    image, windowed, matrix = (n, c, *i), (n, a, *p), (n, rows, columns)
    shown = {"weight": (a, b, *k), "grad_weight": (a, b, *k)}
    shown |= {roles.image: image, roles.folded: image, roles.map: windowed, roles.gathered: windowed}
    shown |= {"columns": matrix, "grad_columns": matrix}
    outputs = (shown["output"][1],)
    shown |= {"bias": outputs, "grad_bias": outputs}
    return {name: View(box, shown[name]) for name, box in trace.boxes.items()}


def _ends(size: int, room: int) -> Ints:
    """All of range(size), or its first and last `room` / 2."""
    return tuple(range(size)) if size <= room else thinned(tuple(range(size)), room)


def thinned(positions: Ints, room: int) -> Ints:
    """All of them, or the first and last `room` / 2."""
    return (
        positions if len(positions) <= room else positions[: (room + 1) // 2] + positions[len(positions) - room // 2 :]
    )


def _positions(axis: Axis, p: Ints, k: Ints) -> Ints:
    """What the shown windows and taps see of an axis, and what the stride skips between."""
    seen = sorted({axis.position(*pair) for pair in product(p, k)})
    reach = min(max(axis.stride, axis.dilation), 32)
    ends = [*seen, axis.positions.stop] if axis.positions.stop - seen[-1] <= reach else seen
    between = {i for low, high in pairwise(ends) if high - low <= reach for i in range(low, high)}
    return tuple(sorted(between | set(seen)))
