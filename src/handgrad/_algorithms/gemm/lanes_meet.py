"""dw of channels that stand alone: where windows of x meet dy, lane by lane.

A job is as many groups as a vector has lanes, and one of `pieces` parts of the blocks of rows; parts are added up in
their order. No chain of additions becomes long: a stretch of a row of dy is a sum of its own for every tap, these are
summed for a block of rows or a part of a long one, and those for the piece.
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

CHUNK = 16  # positions in one chain of additions
PART = 16 * CHUNK  # positions of a row whose chains make one sum
TAPS = 9  # sums of a tile: enough to hide the latency of each, few enough for 16 registers


def kernel(kind: Kind) -> Any:
    """The kernel for one element type: a function of the address of its table of numbers."""
    size, width = kind.size, kind.width
    V = size * width
    tile, clear_run, add_up = meeting_tile(kind, TAPS), copying(kind).clear_run, copying(kind).add_rows
    of = lanes(kind)
    weave_rows, unweave_rows, fill_slab, fill_taps = of.weave_rows, of.unweave_rows, of.fill_slab, of.fill_taps

    @njit
    def add_part(totals, sums, count):
        """The sums of a part go to the totals and begin again."""
        add_up(totals, 0, 1, sums, 0, 1, count)
        clear_run(sums, count)

    @njit
    def add_rows(p, dy, slab, table, totals, sums, n, g0, many, d, block):
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
                for start in range(0, count, PART):
                    for k in range(0, taps, TAPS):
                        for q in range(start, min(start + PART, count), CHUNK):
                            some, at = min(CHUNK, count - q), slab + q * step
                            tile(min(TAPS, taps - k), some, row + q * V, at, list_ + 8 + k * 8, step, to)
                    if count > PART:
                        add_part(totals, sums, M * C * T * width)
        add_part(totals, sums, M * C * T * width)

    @njit
    def run(p):
        totals = number(p, f.SCRATCH) + take(p, f.SLOTS) * number(p, f.SCRATCH_BYTES)
        slab, table, dy = totals + number(p, f.SLAB_AT), totals + number(p, f.TABLE_AT), totals + number(p, f.TILE_AT)
        N, G, M, C, T = number(p, f.N), number(p, f.G), number(p, f.M), number(p, f.C), number(p, f.T)
        sums = totals + M * C * T * V
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
            clear_run(totals, 2 * M * C * T * width)
            for index in range(positions * piece // pieces, positions * (piece + 1) // pieces):
                block, rest = index % blocks, index // blocks
                d, n = rest % D, rest // D
                if tabled != d * blocks + block:
                    tabled = d * blocks + block
                    fill_taps(p, table, d, block)
                fill_slab(p, slab, n, g0, many, d, block)
                add_rows(p, dy, slab, table, totals, sums, n, g0, many, d, block)
            out = number(p, f.OUT) + (piece * G + g0) * M * C * T * size
            unweave_rows(out, 1, M * C * T, 1, totals, 1, 1, M * C * T, many)

    return run
