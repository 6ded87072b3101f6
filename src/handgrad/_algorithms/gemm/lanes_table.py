"""What the kernels of channels that stand alone are called with: lists of which index reads which, by which tap."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache
from math import prod

import numpy as np

from ..._geometry import Ints
from . import plan
from .fields import FIELDS
from .machine import kind
from .plan import Axis, Classes
from .tables import Layout, Table, places

FORMS = ((1, 0), (3, 1), (3, 2), (5, 1), (7, 1))  # taps of a run and their stride; 0: each tap for itself, any stride
POSITIONS = 8  # of a tile: as many sums at once hide the latency of each
SLAB = 96 << 10  # bytes of a slab, about: it should stay in a second-level cache with all else
JOBS = 8  # at least, where rows are enough
Sizes = tuple[int, int, int, int]  # N, G, and M and C of a group


@lru_cache(maxsize=4096)
def lanes_table(
    classes: Classes, kernel: Ints, sizes: Sizes, size: int, layout: Layout, meets: bool, each: bool = False
) -> Table:
    """For y and dx; for dw (`meets`) with the classes of y, where `each` keeps every sample's apart."""
    host, (N, G, M, C), T = kind(size), sizes, prod(kernel)
    depth, height, width = classes
    reads_d, reads_h = _reads(depth), _reads(height)
    planes = max(len(reads) for reads in reads_d)
    columns, left, cols = _columns(width, FORMS[:1] if meets else FORMS)
    lanes = -(-G // host.width)
    row = C * max(planes, 1) * cols * host.machine.vector
    blocks = _row_blocks(reads_h, max(1, SLAB // row), -(-JOBS // (N * len(reads_d) * lanes)))
    rows = max(high for *_, high in blocks)
    every_tap = itertools.product(*map(range, kernel))
    distances = [sum(k * step for k, step in zip(tap, layout.taps, strict=True)) for tap in every_tap]
    lists = {
        "taps": distances,
        "taps_d": _listed(reads_d),
        "taps_h": _listed(reads_h),
        "taps_w": columns,
        "row_blocks": [*itertools.chain(*blocks)],
    }
    arrays = {name: np.array(numbers, np.int64) for name, numbers in lists.items()}
    across = max(axis.count * axis.ostep for axis in width)  # of a row of results, and what the last tile adds
    far = 8 * max(max(axis.step, axis.ostep) for axis in width)
    slab = (C * planes * rows * cols + far + cols) * host.width
    high = max(last - first for first, last, *_ in blocks)
    listed = (2 * C * T + 2) * 4 * len(width) * high
    V = size * host.width
    at = places(2 * M * C * T * V, slab * size, listed, high * (across + far) * V, M * V)
    pieces = max(1, min(N * len(reads_d) * len(blocks), -(-JOBS // lanes), plan.MOST // (G * M * C * T * size)))
    pieces = N if each else pieces
    numbers = {
        "N": N,
        "G": G,
        "M": M,
        "C": C,
        "T": T,
        "kernel_h": kernel[1],
        "kernel_w": kernel[2],
        "src_W": width[0].size,
        "out_D": len(reads_d),
        "out_H": len(reads_h),
        "out_W": _length(width),
        "step_w": width[0].step,
        "low_w": left,
        "planes": planes,
        "rows": rows,
        "cols": cols,
        "slack": slab,
        "phases": len(width),
        "together": int(distances == list(range(T))),
        "positions": len(blocks),
        "line": across + far,
        "pieces": pieces,
        "jobs": lanes * (pieces if meets else N * len(reads_d) * len(blocks)),
        **{name: array.ctypes.data for name, array in arrays.items()},
        **dict(zip(("w_m", "w_c", "w_g"), layout.weight, strict=True)),
        **dict(zip(("src_n", "src_c", "src_d", "src_h", "src_w"), layout.source, strict=True)),
        **dict(zip(("out_n", "out_m", "out_d", "out_h", "out_w"), layout.positions, strict=True)),
        **dict(zip(("slab_at", "table_at", "tile_at", "other_at", "scratch_bytes"), at[1:], strict=True)),
    }
    table = np.array([numbers.get(name, 0) for name in FIELDS], np.int64)
    return Table(table, tuple(arrays.values()), numbers["jobs"], at[-1], 0, pieces)


def _length(classes: tuple[Axis, ...]) -> int:
    """Positions of an axis, of all its classes."""
    return sum(axis.count for axis in classes)


def _reads(classes: tuple[Axis, ...]) -> list[list[Ints]]:
    """For each position of an axis the (source index, tap) that it reads; what lies in the padding is not read."""
    reads: list[list[Ints]] = [[] for _ in range(_length(classes))]
    for axis in classes:
        for q in range(axis.count):
            places = ((q * axis.step + at, tap) for at, tap in zip(axis.at, axis.taps, strict=True))
            reads[q * axis.ostep + axis.obase] = [read for read in places if 0 <= read[0] < axis.size]
    return reads


def _listed(reads: list[list[Ints]]) -> list[int]:
    """Where each position's pairs begin, and the last one's end; then the pairs."""
    starts = itertools.accumulate(map(len, reads), initial=0)
    return [*starts, *itertools.chain(*itertools.chain(*reads))]


def _columns(classes: tuple[Axis, ...], forms: Sequence[tuple[int, int]]) -> tuple[list[int], int, int]:
    """The classes of columns and the (place, tap) of their runs; the left padding, a row's length.

    Of a class (base, ostep, count, positions a tile, step, form, from tap to tap, first, last). Neighbouring taps may
    be one run.
    """
    left = max(0, *(-at for axis in classes for at in axis.at), 0)
    right = max(0, *((axis.count - 1) * axis.step + at + 1 - axis.size for axis in classes for at in axis.at), 0)
    heads, runs = list[int](), list[int]()
    for axis in classes:
        pairs = sorted((left + at, tap) for at, tap in zip(axis.at, axis.taps, strict=True))
        near = all(later - at == 1 for (at, _), (later, _) in itertools.pairwise(pairs))
        form = forms.index((len(pairs), axis.step)) if near and (len(pairs), axis.step) in forms else 0
        apart = pairs[1][1] - pairs[0][1] if form else 0
        first = 9 * len(classes) + len(runs)
        runs += itertools.chain(*(pairs[:1] if form else pairs))
        last = 9 * len(classes) + len(runs)
        together = plan.evenly(axis.count, POSITIONS)
        heads += [axis.obase, axis.ostep, axis.count, together, axis.step, form, apart, first, last]
    return [*heads, *runs], left, left + classes[0].size + right


def _row_blocks(reads: list[list[Ints]], most: int, jobs: int) -> list[Ints]:
    """Blocks of rows (first, last, first source row, source rows), at least `jobs`, that read at most `most` rows."""
    for count in range(min(jobs, max(1, len(reads) // 8)), len(reads) + 1):
        edges = [len(reads) * i // count for i in range(count + 1)]
        blocks = [(first, last, *_extent(reads[first:last])) for first, last in itertools.pairwise(edges)]
        if max(high for *_, high in blocks) <= most:
            break
    return blocks


def _extent(reads: list[list[Ints]]) -> Ints:
    """The first source row that is read, and how many from there on."""
    rows = [row for read in reads for row, _ in read]
    return (min(rows), max(rows) - min(rows) + 1) if rows else (0, 0)
