"""y and dx of channels that stand alone: each output position follows windows of a source image, lane by lane.

A job is a block of rows of as many groups as a vector has lanes, in one sample and plane. The forward pass and the
input gradient differ only in the lists of taps that they come with: which source index each output index reads, by
which tap. Along a row, positions that are read by the same taps are a class, `stride` positions apart in dx.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from . import fields as f
from .copying import copying
from .lane_tile import window_tile
from .lanes import lanes
from .lanes_table import FORMS, POSITIONS
from .machine import Kind
from .tile import number, offset_of, take


def kernel(kind: Kind) -> Any:
    """The kernel for one element type: a function of the address of its table of numbers."""
    size, width = kind.size, kind.width
    V = size * width
    tile, clear_run = window_tile(kind, FORMS, POSITIONS), copying(kind).clear_run
    of = lanes(kind)
    weave_rows, unweave_rows, fill_slab, fill_taps = of.weave_rows, of.unweave_rows, of.fill_slab, of.fill_taps

    @njit
    def pack_weight(p, weights, starts, g0, many):
        """w[m, c, tap] and the bias → lanes."""
        M, C, T = number(p, f.M), number(p, f.C), number(p, f.T)
        wm, wc, wg = number(p, f.W_M), number(p, f.W_C), number(p, f.W_G)
        taps, bias = number(p, f.TAPS), number(p, f.BIAS)
        for m in range(M):
            for c in range(C):
                to, at = weights + (m * C + c) * T * V, number(p, f.WEIGHT) + (g0 * wg + m * wm + c * wc) * size
                if number(p, f.TOGETHER):
                    weave_rows(to, T, at, T, wg, 1, 1, T, many)
                else:
                    for t in range(T):
                        weave_rows(to + t * V, 1, at + number(taps, t) * size, 1, wg, 1, 1, 1, many)
            if bias:
                weave_rows(starts + m * V, 1, bias + (g0 * M + m) * size, 1, M, 1, 1, 1, many)

    @njit
    def row_of(p, weights, slab, list_, start, result):
        """One row of one m, as vectors of lanes."""
        widths, classes = number(p, f.TAPS_W), number(p, f.PHASES)
        for k in range(classes):
            head = widths + 72 * k
            to, ostep = result + number(head, 0) * V, number(head, 1) * V
            each, step, form, w_step = number(head, 3), number(head, 4) * V, number(head, 5), number(head, 6) * V
            count = offset_of(list_, 0)
            for q in range(0, number(head, 2), each):
                tile(form, each, count, weights, w_step, slab + q * step, list_ + 8, step, to + q * ostep, ostep, start)
            list_ += 8 * (number(p, f.C) * number(p, f.T) + 1)

    @njit
    def run(p):
        weights = number(p, f.SCRATCH) + take(p, f.SLOTS) * number(p, f.SCRATCH_BYTES)
        slab, table = weights + number(p, f.SLAB_AT), weights + number(p, f.TABLE_AT)
        result, starts = weights + number(p, f.TILE_AT), weights + number(p, f.OTHER_AT)
        G, M, C, T = number(p, f.G), number(p, f.M), number(p, f.C), number(p, f.T)
        D, blocks, classes = number(p, f.OUT_DEPTH), number(p, f.POSITIONS), number(p, f.PHASES)
        om, oh, line, many = number(p, f.OUT_M), number(p, f.OUT_H), number(p, f.LINE), min(width, G)
        clear_run(slab, number(p, f.SLACK))  # the padding: nothing is ever written there
        clear_run(starts, M * width)
        packed, tabled, lanes_ = -1, -1, (G + width - 1) // width
        while True:
            job = take(p, f.NEXT)
            if job >= number(p, f.JOBS):
                break
            block, rest = job % blocks, job // blocks
            d, rest = rest % D, rest // D
            lane, n = rest % lanes_, rest // lanes_  # memory goes by in order, which keeps it coming
            g0 = min(lane * width, G - many)
            if packed != lane:
                packed = lane
                pack_weight(p, weights, starts, g0, many)
            if tabled != d * blocks + block:
                tabled = d * blocks + block
                fill_taps(p, table, d, block)
            fill_slab(p, slab, n, g0, many, d, block)
            first = number(number(p, f.ROW_BLOCKS), 4 * block)
            high = number(number(p, f.ROW_BLOCKS), 4 * block + 1) - first
            out = n * number(p, f.OUT_N) + g0 * M * om + d * number(p, f.OUT_D) + first * oh
            out = number(p, f.OUT) + out * size
            for m in range(M):
                for h in range(high):
                    list_ = table + h * classes * 8 * (C * T + 1)
                    row_of(p, weights + m * C * T * V, slab, list_, starts + m * V, result + h * line * V)
                to = out + m * om * size
                unweave_rows(to, oh, M * om, number(p, f.OUT_W), result, line, high, number(p, f.OUT_WIDTH), many)

    return run
