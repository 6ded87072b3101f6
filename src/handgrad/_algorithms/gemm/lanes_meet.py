"""dw of channels that stand alone: where windows of x meet dy, lane by lane.

A job is as many groups as a vector has lanes, and one of `pieces` parts of the blocks of rows; parts are added up in
their order. Each row of dy is a short sum of its own for every tap, so that no chain of additions becomes long.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from . import fields as f
from .copying import copying
from .lane_tile import meeting_tile
from .lanes import lanes
from .machine import Kind
from .tile import number, offset_of, take

CHUNK = 128  # positions in one chain of additions
TAPS = 9  # sums of a tile: enough to hide the latency of each, few enough for 16 registers


def kernel(kind: Kind) -> Any:
    """The kernel for one element type: a function of the address of its table of numbers."""
    size, width = kind.size, kind.width
    V = size * width
    tile, clear_run = meeting_tile(kind, TAPS), copying(kind).clear_run
    of = lanes(kind)
    weave_rows, unweave_rows, fill_slab, fill_taps = of.weave_rows, of.unweave_rows, of.fill_slab, of.fill_taps

    @njit
    def add_rows(p, dy, slab, table, sums, n, g0, many, d, block):
        """Every row of dy in the block, against the windows of x that its taps read."""
        M, C, T, count = number(p, f.M), number(p, f.C), number(p, f.T), number(p, f.OUT_WIDTH)
        em, eh, blocks = number(p, f.OUT_M), number(p, f.OUT_H), number(p, f.ROW_BLOCKS) + block * 32
        source = n * number(p, f.OUT_N) + g0 * M * em + d * number(p, f.OUT_D) + number(blocks, 0) * eh
        source = number(p, f.OTHER) + source * size
        step, high = number(p, f.STEP_W) * V, number(blocks, 1) - number(blocks, 0)
        for m in range(M):
            weave_rows(dy, count, source + m * em * size, eh, M * em, number(p, f.OUT_W), high, count, many)
            for h in range(high):
                list_ = table + h * 8 * (C * T + 1)
                row, to, taps = dy + h * count * V, sums + m * C * T * V, offset_of(list_, 0)
                for k in range(0, taps, TAPS):
                    for q in range(0, count, CHUNK):
                        some, at = min(CHUNK, count - q), slab + q * step
                        tile(min(TAPS, taps - k), some, row + q * V, at, list_ + 8 + k * 8, step, to)

    @njit
    def run(p):
        sums = number(p, f.SCRATCH) + take(p, f.SLOTS) * number(p, f.SCRATCH_BYTES)
        slab, table, dy = sums + number(p, f.SLAB_AT), sums + number(p, f.TABLE_AT), sums + number(p, f.TILE_AT)
        N, G, M, C, T = number(p, f.N), number(p, f.G), number(p, f.M), number(p, f.C), number(p, f.T)
        D, blocks, pieces = number(p, f.OUT_DEPTH), number(p, f.POSITIONS), number(p, f.PIECES)
        many, positions = min(width, G), N * D * blocks
        clear_run(slab, number(p, f.SLACK))
        tabled = -1
        while True:
            job = take(p, f.NEXT)
            if job >= number(p, f.JOBS):
                break
            piece, lane = job % pieces, job // pieces
            g0 = min(lane * width, G - many)
            clear_run(sums, M * C * T * width)
            for index in range(positions * piece // pieces, positions * (piece + 1) // pieces):
                block, rest = index % blocks, index // blocks
                d, n = rest % D, rest // D
                if tabled != d * blocks + block:
                    tabled = d * blocks + block
                    fill_taps(p, table, d, block)
                fill_slab(p, slab, n, g0, many, d, block)
                add_rows(p, dy, slab, table, sums, n, g0, many, d, block)
            out = number(p, f.OUT) + (piece * G + g0) * M * C * T * size
            unweave_rows(out, 1, M * C * T, 1, sums, 1, 1, M * C * T, many)

    return run
