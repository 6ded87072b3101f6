"""What a geometry means for the kernels: taps, residue classes, slabs, blocks. Numbers only, no tensor.

Every axis of every pass is one law, out[q·ostep + obase] ← src[q·step + at[tap]]. Where `at` is split into a residue
and a shift, at = shift·step + phase, the source of one phase is read by neighbouring q at neighbouring places.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache
from math import isqrt, prod

from ..._geometry import ConvGeometry, Ints


@dataclass(frozen=True)
class Axis:
    """One axis of a pass; `taps` are the kernel's indices that `at` belongs to."""

    size: int  # of the source
    count: int  # of q
    step: int
    at: Ints
    taps: Ints
    ostep: int = 1
    obase: int = 0

    @property
    def shifts(self) -> Ints:
        return tuple(at // self.step for at in self.at)

    @property
    def phases(self) -> Ints:
        return tuple(sorted({at % self.step for at in self.at}))

    @property
    def low(self) -> int:
        return min(self.shifts)

    @property
    def span(self) -> int:
        """How many more source positions than output positions a block reads, in one phase."""
        return max(self.shifts) - self.low

    @property
    def shared(self) -> int:
        """How many zeros behind a line may be the ones before the next: those that every phase has on both sides."""
        length = self.count + self.span
        before = after = self.span
        for phase in self.phases:
            first = -self.low  # (low + j)·step + phase ≥ 0, and phase < step
            last = (self.size - 1 - phase) // self.step - self.low
            before, after = min(before, max(first, 0)), min(after, max(length - 1 - last, 0))
        return min(before, after)


ONE = Axis(1, 1, 1, (0,), (0,))
Axes = tuple[Axis, Axis, Axis]


def three(axes: tuple[Axis, ...]) -> Axes:
    """Depth, height and width; those that are not there have one position and one tap."""
    depth, height, width = (ONE,) * (3 - len(axes)) + axes
    return depth, height, width


@lru_cache(maxsize=4096)
def forward_axes(geometry: ConvGeometry) -> Axes:
    """y and dw: output position p reads x at p·stride + k·dilation − low."""
    g = geometry
    rows = zip(g.input, g.output, g.kernel, g.stride, g.dilation, g.padding, strict=True)
    return three(
        tuple(
            Axis(size, length, s, tuple(k * d - low for k in range(K)), tuple(range(K)))
            for size, length, K, s, d, (low, _) in rows
        )
    )


@lru_cache(maxsize=4096)
def backward_axes(geometry: ConvGeometry) -> tuple[Axes, ...]:
    """dx, by residue class: the positions i whose (i + low) mod stride are alike are reached by the same taps.

    Classes that no tap reaches are left out: there dx is zero.
    """
    depth, height, width = ([axis for axis in classes if axis.taps] for classes in backward_classes(geometry))
    return tuple(itertools.product(depth, height, width))


Classes = tuple[tuple[Axis, ...], tuple[Axis, ...], tuple[Axis, ...]]  # of each axis the positions read by like taps


@lru_cache(maxsize=4096)
def forward_classes(geometry: ConvGeometry) -> Classes:
    """For y and dw all positions of an axis are read alike."""
    depth, height, width = forward_axes(geometry)
    return (depth,), (height,), (width,)


@lru_cache(maxsize=4096)
def backward_classes(geometry: ConvGeometry) -> Classes:
    """For dx they are by residue.

    For i = q·stride + base, tap k reads dy at p = (i + low − k·d) / stride = q + (base + low − k·d) / stride.
    """
    g = geometry
    rows = zip(g.input, g.output, g.kernel, g.stride, g.dilation, g.padding, strict=True)
    depth, height, width = ((ONE,),) * (3 - g.dims) + tuple(
        tuple(
            Axis(length, -(-(size - base) // s), 1, tuple((base + low - k * d) // s for k in taps), taps, s, base)
            for base in range(min(s, size))
            for taps in [tuple(k for k in range(K) if (base + low - k * d) % s == 0)]
        )
        for size, length, K, s, d, (low, _) in rows
    )
    return depth, height, width


def reaches_all(geometry: ConvGeometry) -> bool:
    """Whether dx has no class that is left out."""
    classes = prod(min(s, size) for s, size in zip(geometry.stride, geometry.input, strict=True))
    return len(backward_axes(geometry)) == classes


@lru_cache(maxsize=4096)
def passes(axes: Axes, channels: int) -> tuple[Axes, ...]:
    """All of a pass at once; or where taps mostly read padding, one pass for each tap and the positions it reads for.

    These add up, from a result that is zero. `channels` is N · M · C.
    """
    each = [_apart(axis) for axis in axes]
    whole = prod(axis.count * len(axis.at) for axis in axes)
    reads = prod(sum(axis.count for axis in parts) for parts in each)
    taps = prod(len(axis.at) for axis in axes)
    if taps == 1 or reads > FAR * whole or channels * (whole - reads) < WORTH * taps:
        return (axes,)
    depth, height, width = each
    return tuple(itertools.product(depth, height, width))


def _apart(axis: Axis) -> list[Axis]:
    """For each tap an axis of its own, of the positions q with 0 ≤ q·step + at < size."""
    parts = []
    for at, tap in zip(axis.at, axis.taps, strict=True):
        first = max(0, -(at // axis.step))
        last = min(axis.count, (axis.size - 1 - at) // axis.step + 1)
        if first < last:
            base = first * axis.ostep + axis.obase
            parts.append(Axis(axis.size, last - first, axis.step, (first * axis.step + at,), (tap,), axis.ostep, base))
    return parts


@dataclass(frozen=True)
class Blocks:
    """One job of a pass: samples, rows, columns, output channels m and source channels c."""

    n: int
    h: int
    w: int
    m: int
    c: int


# Sizes in bytes, for a second-level cache of half a megabyte and more.
SLAB = 1 << 19  # of a source block
WEIGHTS = 1 << 20  # of packed weights, a thread
POSITIONS = 1024  # of a job, about
DEPTH = 1280  # products in one go of a tile, about: what a panel of a first-level cache holds
FAR = 0.8  # of the products that taps far apart would make: less is worth passes of their own,
WORTH = 1 << 21  # if each saves so many products
JOBS = 4  # at least, where the blocks do not become too small
MOST = 1 << 22  # of partial sums
STRIP = 192  # positions of a strip of windows, one chain of sums: 256 are 6 % faster at most, and err twice as far


def evenly(whole: int, most: int) -> int:
    """The size of the blocks when `whole` is cut into as few as possible of at most `most`, all about alike."""
    blocks = -(-whole // max(1, most))
    return -(-whole // blocks) if whole else 1


def follow_blocks(axes: Axes, N: int, M: int, C: int, size: int, rows: int) -> Blocks:
    """For y and dx: weights stay packed while positions go by."""
    depth, height, width = axes
    taps = prod(len(axis.at) for axis in axes)
    w = evenly(width.count, 2 * POSITIONS)
    line = _line(axes, w) * size
    c = evenly(C, min(max(4 * SLAB // (line * (1 + height.span)), 8), max(1, DEPTH // taps)))
    h = evenly(height.count, min(max(1, SLAB // (line * c) - height.span), max(1, POSITIONS // w)))
    n = 1
    if (h, w, 1) == (height.count, width.count, depth.count):
        n = evenly(N, min(POSITIONS // (h * w), SLAB // (line * c * (h + height.span))))
    m = -(-evenly(M, max(rows, WEIGHTS // (taps * c * size))) // rows) * rows
    jobs = -(-N // n) * depth.count * -(-height.count // h) * -(-width.count // w) * -(-M // m)
    if jobs < JOBS:
        m = max(-(-m * jobs // (JOBS * rows)) * rows, min(m, 8 * rows))
    return Blocks(n, h, w, min(M, m), c)


def meet_blocks(axes: Axes, N: int, M: int, C: int, size: int) -> Blocks:
    """For dw: sums of m · c · taps stay while positions go by. The fewer positions, the more of m and c share them."""
    depth, height, width = axes
    taps = prod(len(axis.at) for axis in axes)
    w = evenly(width.count, 2 * POSITIONS)
    line = _line(axes, w) * size
    positions = min(N * prod(axis.count for axis in axes), POSITIONS)
    side = max(32, SLAB // (positions * size))
    m = evenly(M, min(side, max(32, isqrt(WEIGHTS // (taps * size)))))
    c = evenly(C, max(1, min(side, WEIGHTS // (taps * m * size), 4 * SLAB // (line * (1 + height.span)))))
    row = line * c + (w + width.span) * m * size  # of both operands
    h = evenly(height.count, min(max(1, 2 * SLAB // row - height.span), max(1, 2 * POSITIONS // w)))
    n = 1
    if (h, w, 1) == (height.count, width.count, depth.count):
        n = evenly(N, min(2 * POSITIONS // (h * w), 2 * SLAB // (row * (h + height.span))))
    return Blocks(n, h, w, m, c)


def outer_blocks(axes: Axes, N: int, M: int, C: int, size: int) -> Blocks:
    """For dw by outer products: a depth that keeps a strip of windows in a first-level cache."""
    depth, height, width = axes
    taps = prod(len(axis.at) for axis in axes)
    w = evenly(width.count, STRIP)
    h = evenly(height.count, max(1, STRIP // w))
    m = evenly(M, max(8, WEIGHTS // (2 * STRIP * size)))
    n = evenly(N, STRIP // (h * w)) if (h, w, 1) == (height.count, width.count, depth.count) else 1
    slab = _line(axes, w) * n * (h + height.span) * size
    c = evenly(C, max(1, min(2 * SLAB // slab, WEIGHTS // (taps * m * size))))
    return Blocks(n, h, w, m, c)


def enough(b: Blocks, parts: int, M: int, C: int, rows: int) -> Blocks:
    """Smaller blocks of m and c, where there would be too few jobs for several threads."""
    m, c = b.m, b.c
    while parts * -(-M // m) * -(-C // c) < JOBS and (c > 8 or m > rows):
        c, m = (evenly(c, -(-c // 2)), m) if c > 8 else (c, -(-m // 2))
    return Blocks(b.n, b.h, b.w, m, c)


def merged(axes: Axes) -> Axes:
    """One tap that reads every position in order: an image of one row."""
    L, (depth, height, width) = prod(axis.count for axis in axes), axes
    return (Axis(1, 1, 1, (0,), depth.taps), Axis(1, 1, 1, (0,), height.taps), Axis(L, L, 1, (0,), width.taps))


def _line(axes: Axes, w: int) -> int:
    """Elements of a slab's row, of one channel: all phases, all planes."""
    depth, _, width = axes
    return prod(len(axis.phases) for axis in axes) * (depth.span + 1) * (w + width.span)
