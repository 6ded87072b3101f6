"""Squared norms from pairs of positions: what their kernel is called with, what it takes, and when it is faster."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from ..._geometry import Ints
from . import plan
from .machine import Kind, kind
from .plan import Axes, Axis, Blocks
from .tables import Layout, Table, common, cycles, places, table_of

ROOM = 7 << 20  # bytes a thread, at most
NEAR = 4 << 20  # with more, rows of pairs lie too far apart for a second-level cache
DEPTH = 160  # channels in one go of a tile: sums of more products would be less exact
SUMS = 4  # vectors of the tile that sums along the taps: enough to hide the latency of an addition


class _Extent(NamedTuple):
    """Of a whole image in a slab: its phases and planes, the positions in each, those of dy, a row of pairs."""

    planes: int
    seen: int
    met: int
    line: int


@lru_cache(maxsize=4096)
def pairs_are_faster(axes: Axes, jobs: int, M: int, C: int, size: int) -> bool:
    """Whether a sample's norm takes fewer cycles by pairs of positions than by the gradient, and has the room.

    It has one job for each sample and group; where these are few, a gradient is cut into several, for several threads.
    """
    host = kind(size)
    depth, e = axes[0], _extent(axes, host)
    if depth.count > 1 or _places(axes, e, M, C, host)[-1] > ROOM:
        return False
    alone = 2 if jobs < plan.JOBS else 1
    return alone * _cycles(axes, e, M, C, host) < min(cycles(axes, 1, M, C, size))


def _cycles(axes: Axes, e: _Extent, M: int, C: int, host: Kind) -> float:
    """By constants that were measured: half a cycle for each vector of products, a little more to add one up."""
    R, V, taps = host.machine.rows, host.machine.vectors(host.machine.rows), prod(len(axis.at) for axis in axes)

    def tiles(first: int, last: int, end: int, rows: int, vectors: int) -> int:
        """That rows first … last of pairs take, each from its diagonal to the end."""
        return sum(-(-(end - u) // (vectors * host.width)) for u in range(first, last, rows))

    seen = sum(tiles(first, last, e.seen, R, V) for first, last in _rows_inside(axes))
    met = tiles(0, e.met, e.met, R, V)
    products = (C * seen + M * met) * R * V / 2 * 1.22 + 30 * (seen + met)
    sums = (0.65 * SUMS * taps + 15) * tiles(0, e.met, e.met, 1, SUMS) + 20 * e.met
    far = 1.25 if _places(axes, e, M, C, host)[-1] > NEAR else 1
    return far * (products + sums + 0.6 * (e.planes * C + M) * e.seen)  # the last are laid


@lru_cache(maxsize=4096)
def pairs_table(axes: Axes, N: int, G: int, M: int, C: int, size: int, layout: Layout) -> Table:
    """For images whose output is one plane, which is one block."""
    host, (_, height, width) = kind(size), axes
    e = _extent(axes, host)
    numbers, lists, _ = common(axes, Blocks(1, height.count, width.count, M, C), layout)
    at = _places(axes, e, M, C, host)
    inside = np.array([*itertools.chain(*_rows_inside(axes))], np.int64)
    numbers |= {"N": N, "G": G, "M": M, "C": C, "jobs": G * N, "line": e.line, "positions": e.seen}
    numbers |= {"row_blocks": inside.ctypes.data, "scratch_bytes": at[-1]}
    numbers |= dict(zip(("slab_at", "table_at", "other_at", "linear_at", "tile_at"), at[1:-1], strict=True))
    return table_of(numbers, (*lists, inside), axes, layout)


def _extent(axes: Axes, host: Kind) -> _Extent:
    depth, height, width = axes
    cols = _cols(width)
    met = (height.count - 1) * cols + width.count
    seen = met + height.span * cols + width.span
    wide = host.machine.vectors(host.machine.rows) * host.width
    beyond = max(host.machine.rows + wide, SUMS * host.width)  # the last tiles are wider
    planes = prod(len(axis.phases) for axis in axes) * (depth.span + 1)
    return _Extent(planes, seen, met, -(-(seen + beyond) // host.width) * host.width)


def _places(axes: Axes, e: _Extent, M: int, C: int, host: Kind) -> Sequence[int]:
    """Of a panel of one operand, the slab, taps, dy, where channels begin, and pairs: X, a few rows of D, and sums."""
    R, size, taps = host.machine.rows, host.size, prod(len(axis.at) for axis in axes)
    slab = e.planes * C * e.seen + 64
    pairs = e.planes * (e.seen + R) * e.line + R * e.line + SUMS * host.width
    return places(DEPTH * R * size, slab * size, taps * 4, M * e.line * size, (C + M) * 4, pairs * size)


def _rows_inside(axes: Axes) -> Iterator[Ints]:
    """Where what lies on the image begins and ends, of each phase and plane."""
    depth, height, width = axes
    cols = _cols(width)
    for d, h, _ in itertools.product(*(axis.phases for axis in axes)):
        on = [(height.low + i) * height.step + h for i in range(height.count + height.span)]
        rows = [i for i, at in enumerate(on) if 0 <= at < height.size]
        for j in range(depth.span + 1):
            seen = rows and 0 <= (depth.low + j) * depth.step + d < depth.size
            yield (rows[0] * cols, (rows[-1] + 1) * cols) if seen else (0, 0)


def _cols(width: Axis) -> int:
    """Elements of a slab's row."""
    return width.count + width.span - width.shared
