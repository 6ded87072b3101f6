"""A pass as the table of numbers its kernel is called with, made once for a geometry and layout."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..._geometry import Ints
from . import plan
from .fields import FIELDS
from .machine import Kind, kind
from .plan import Axes, Blocks

Numbers = NDArray[np.int64]
Each = Literal["kept", "squared"]
"""What becomes of every sample's dw, where they are not summed."""


@dataclass(frozen=True)
class Layout:
    """Distances in elements: source and positions (n, channel, d, h, w), weight (m, c, group), its taps (d, h, w)."""

    source: Ints
    positions: Ints
    weight: Ints
    taps: Ints


@dataclass(frozen=True, eq=False)
class Table:
    """`numbers` has the pointers still to be filled in; it points into `lists`."""

    numbers: Numbers
    lists: tuple[Numbers, ...]
    jobs: int
    scratch: int  # bytes a thread
    base: int  # of the first position, in elements
    pieces: int = 1


@lru_cache(maxsize=4096)
def follow_table(axes: Axes, N: int, G: int, M: int, C: int, size: int, layout: Layout, in_place: bool) -> Table:
    """For y and dx. `in_place`: one tap, and channels whose positions follow each other, are read where they lie."""
    host = kind(size)
    if in_place:
        L = axes[2].count
        channels = plan.evenly(C, plan.WEIGHTS // (size * host.machine.rows))
        w = min(L, max(256, plan.SLAB // (channels * size)))
        b = Blocks(1, 1, w, min(M, max(host.machine.rows, plan.WEIGHTS // (channels * size) // 8 * 8)), channels)
    else:
        b = plan.follow_blocks(axes, N, M, C, size, host.machine.rows)
    numbers, lists, slab = common(axes, b, layout)
    taps = numbers["T"]
    packed = (b.m + host.machine.rows) * taps * b.c * size
    dense = not in_place and _dense(b, M, numbers, host)
    flat = b.w if in_place else b.n * numbers["rows"] * numbers["cols"]
    line = -(-(b.n * b.h * b.w if dense else flat) // 64) * 64 + 8 * host.width  # the last tile is wider
    result = line * (b.m if dense else host.machine.rows) * size
    gathered = taps * b.c * (host.machine.vectors(host.machine.rows) + 1) * host.width * size if dense else 0
    at = places(
        packed, 0 if in_place else slab * size, taps * b.c * 4 + 64, result, gathered, taps * b.c * 4 if dense else 0
    )
    positions = _positions(axes, b, N)
    numbers |= {"N": N, "G": G, "M": M, "C": C, "jobs": G * -(-M // b.m) * positions, "positions": positions}
    numbers |= {"line": line, "in_place": int(in_place), "dense": int(dense), "scratch_bytes": at[-1]}
    numbers |= dict(zip(("slab_at", "table_at", "tile_at", "other_at", "linear_at"), at[1:-1], strict=True))
    return table_of(numbers, lists, axes, layout)


@lru_cache(maxsize=4096)
def meet_table(
    axes: Axes, N: int, G: int, M: int, C: int, size: int, layout: Layout, in_place: bool, each: Each | None = None
) -> Table:
    """For dw. `in_place`: as for y, where a block's positions fill whole vectors."""
    host = kind(size)
    b = plan.meet_blocks(axes, 1 if each else N, M, C, size)
    if in_place:
        b = Blocks(1, 1, plan.evenly(axes[2].count, plan.POSITIONS) // host.width * host.width, b.m, b.c)
    if each:
        b = plan.enough(b, G * N, M, C, host.machine.rows)
    numbers, lists, slab = common(axes, b, layout)
    taps, (rows, columns) = numbers["T"], host.machine.dots
    line = -(-(numbers["rows"] * b.n * numbers["cols"]) // host.width) * host.width
    sums = -(-b.m // rows) * -(-taps * b.c // columns) * host.slot * size + 2 * host.machine.vector
    at = places(sums, (slab + host.width) * size, taps * b.c * 4 + 64, line * b.m * size)
    numbers |= {"line": line, "in_place": int(in_place), "scratch_bytes": at[-1]}
    numbers |= dict(zip(("slab_at", "table_at", "other_at"), at[1:-1], strict=True))
    numbers |= _shared_out(axes, b, (N, G, M, C), taps * size, each)
    return table_of(numbers, lists, axes, layout)


@lru_cache(maxsize=4096)
def outer_table(
    axes: Axes, N: int, G: int, M: int, C: int, size: int, layout: Layout, each: Each | None = None
) -> Table:
    """For dw by outer products."""
    host = kind(size)
    b = plan.outer_blocks(axes, 1 if each else N, M, C, size)
    b = plan.enough(b, G * N if each else G, M, C, host.machine.rows)
    numbers, lists, slab = common(axes, b, layout)
    taps, wide = numbers["T"], host.machine.vectors(host.machine.rows) * host.width
    depth = b.n * b.h * b.w
    line = -(-depth // host.width) * host.width + host.width  # rows begin in cache lines of different sets
    strips = (2 * line + host.machine.rows) * wide * size + 2 * host.machine.vector
    result = b.m * b.c * taps * size if each == "squared" else 0
    at = places(depth * b.m * size, slab * size, taps * b.c * 4 + 64, strips, line * 4, result)
    numbers |= {"line": line, "scratch_bytes": at[-1]}
    numbers |= dict(zip(("slab_at", "table_at", "other_at", "linear_at", "tile_at"), at[1:-1], strict=True))
    numbers |= _shared_out(axes, b, (N, G, M, C), taps * size, each)
    return table_of(numbers, lists, axes, layout)


@lru_cache(maxsize=4096)
def outer_is_faster(axes: Axes, N: int, M: int, C: int, size: int) -> bool:
    """For N samples, by a count of cycles."""
    outer, dots = cycles(axes, N, M, C, size)
    return outer < dots


def cycles(axes: Axes, N: int, M: int, C: int, size: int) -> tuple[float, float]:
    """What outer products and dots take, by constants that were measured; a tile takes half a cycle for each vector.

    A tile of dots adds up its lanes and is copied, and what lies between two rows is multiplied; outer products need
    windows laid position by position.
    """
    (depth, height, width), host = axes, kind(size)
    columns, rows = C * prod(len(axis.at) for axis in axes), N * depth.count * height.count
    vectors = -(-rows * (width.count + width.span - width.shared) // host.width)
    (R, across), high = host.machine.dots, host.machine.rows
    broad, positions = host.machine.vectors(high), rows * width.count
    times = -(-positions // (2 * plan.POSITIONS)), -(-positions // plan.STRIP)  # that sums are put down
    dots = -(-M // R) * -(-columns // across) * (R * across / 2 * 1.1 * vectors + 60 * times[0])
    outer = -(-M // high) * -(-columns // (broad * host.width)) * (high * broad / 2 * 1.15 * positions + 25 * times[1])
    return outer + (columns + M) * positions * (0.9 if width.count >= host.width else 1.8), dots


def _shared_out(
    axes: Axes, b: Blocks, sizes: tuple[int, int, int, int], weight: int, each: Each | None
) -> dict[str, int]:
    """The jobs of dw: a block of m and c, and one of `pieces` parts of the positions, or one sample.

    There are parts for jobs enough, if their sums find room. `weight` is the size of all taps of one m and c, in bytes.
    """
    N, G, M, C = sizes
    across, positions = G * -(-M // b.m) * -(-C // b.c), _positions(axes, b, N)
    pieces = N if each else max(1, min(positions, -(-8 // across), plan.MOST // (G * M * C * weight)))
    numbers = {"N": N, "G": G, "M": M, "C": C, "jobs": across * pieces, "pieces": pieces, "positions": positions}
    return {**numbers, "squared": int(each == "squared")}


def _dense(b: Blocks, M: int, numbers: dict[str, int], host: Kind) -> bool:
    """Whether it pays to gather positions without what lies between rows: what is saved against moving the windows."""
    rows = host.machine.rows
    if M % rows:
        return False
    wide = host.machine.vectors(rows) * host.width
    gap = (numbers["rows"] - b.h) * numbers["cols"]
    flat = b.n * ((b.h - 1) * numbers["cols"] + b.w) + (b.n - 1) * gap
    # a tile takes rows · vectors / 2 cycles for each k, and gathering its windows about as many as a row of it
    per_tile = b.m // rows * rows * host.machine.vectors(rows) / 2
    return -(-flat // wide) * per_tile > -(-(b.n * b.h * b.w) // wide) * (per_tile + 12)


def common(axes: Axes, b: Blocks, layout: Layout) -> tuple[dict[str, int], tuple[Numbers, ...], int]:
    """The numbers that every kernel needs, the lists they point to, and the elements of a slab."""
    depth, height, width = axes
    phases = list(itertools.product(*(axis.phases for axis in axes)))
    entries, first_rows = _taps(axes, phases, layout.taps)
    lists = (np.array([*itertools.chain(*entries), *first_rows], np.int64), np.array(phases, np.int64))
    # a block that is as wide as the image can share its rows' padding, and one as high its samples'
    wide = b.w == width.count
    shared_w = width.shared if wide else 0
    shared_h = height.shared if wide and b.h == height.count else 0
    rows, cols = b.h + height.span - shared_h, b.w + width.span - shared_w
    slack = shared_h * cols + shared_w + 64  # what the last row shares with none, and where the last tile ends
    together = [entry[4] for entry in entries] == list(range(len(entries)))
    numbers = {
        "taps": lists[0].ctypes.data,
        "phase_table": lists[1].ctypes.data,
        "T": len(entries),
        "phases": len(phases),
        "planes": depth.span + 1,
        "rows": rows,
        "cols": cols,
        "slack": slack,
        "together": int(together),
        **dict(zip(("w_m", "w_c", "w_g"), layout.weight, strict=True)),
        **dict(zip(("src_n", "src_c", "src_d", "src_h", "src_w"), layout.source, strict=True)),
        **dict(zip(("out_n", "out_m"), layout.positions[:2], strict=True)),
        **{f"block_{name}": getattr(b, name) for name in "nhwmc"},
    }
    for axis, name, step in zip(axes, "dhw", layout.positions[2:], strict=True):
        numbers |= {f"src_{name.upper()}": axis.size, f"out_{name.upper()}": axis.count}
        numbers |= {f"step_{name}": axis.step, f"low_{name}": axis.low, f"out_{name}": step * axis.ostep}
    return numbers, lists, len(phases) * (depth.span + 1) * b.n * rows * cols * b.c + slack


def _taps(axes: Axes, phases: list[Ints], weight: Ints) -> tuple[list[tuple[int, ...]], list[int]]:
    """For each tap (phase, shifts, distance in the weight), and the source row that it reads for output row 0."""
    entries, rows = [], []
    for tap in itertools.product(*(range(len(axis.at)) for axis in axes)):
        chosen = [(axis, axis.at[i], axis.taps[i]) for axis, i in zip(axes, tap, strict=True)]
        phase = phases.index(tuple(at % axis.step for axis, at, _ in chosen))
        shifts = (at // axis.step - axis.low for axis, at, _ in chosen)
        entries.append((phase, *shifts, sum(k * step for (_, _, k), step in zip(chosen, weight, strict=True))))
        rows.append(chosen[1][1])
    return entries, rows


def _positions(axes: Axes, b: Blocks, N: int) -> int:
    """Blocks of positions."""
    depth, height, width = axes
    return -(-N // b.n) * depth.count * -(-height.count // b.h) * -(-width.count // b.w)


def places(*sizes: int) -> Sequence[int]:
    """Where parts of so many bytes begin, each in cache lines of its own; the last number is the end."""
    return [0, *itertools.accumulate(-(-size // 64) * 64 + 64 for size in sizes)]


def table_of(numbers: dict[str, int], lists: tuple[Numbers, ...], axes: Axes, layout: Layout) -> Table:
    array = np.array([numbers.get(name, 0) for name in FIELDS], np.int64)
    base = sum(axis.obase * step for axis, step in zip(axes, layout.positions[2:], strict=True))
    return Table(array, lists, numbers["jobs"], numbers["scratch_bytes"], base, numbers.get("pieces", 1))
