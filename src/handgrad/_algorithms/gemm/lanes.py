"""Channels that stand alone: how they come into the lanes of a vector and out, and which taps a position reads.

A lane is a group. Lane l of a block holds group g0 + l; a group's few channels c and m are loops. Where the groups do
not fill whole vectors, the last block begins earlier and repeats some; fewer groups than lanes leave lanes idle.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from numba import njit

from . import fields as f
from .copying import copying
from .lane_tile import unweaver, weaver
from .machine import Kind
from .tile import mover, number, put_offset


def lanes(kind: Kind) -> Any:
    """For one element type: weave_rows, unweave_rows, fill_slab, fill_taps."""
    size, width, half = kind.size, kind.width, kind.width // 2
    V = size * width
    rows_of, move, weave, unweave = copying(kind), mover(kind, width), weaver(kind), unweaver(kind)
    get, put = rows_of.get, rows_of.put

    @njit
    def weave_rows(to, to_row, source, source_row, lane, step, rows, count, many):
        """Rows of `count` numbers, `step` apart, of each of `many` channels, `lane` apart → rows of as many vectors."""
        if many == width and lane == 1:
            for r in range(rows):
                for i in range(count):
                    move(to + (r * to_row + i) * V, source + (r * source_row + i * step) * size)
        elif many == width and step == 1 and count >= half:
            last = count - half
            for r in range(rows):
                line, at = to + r * to_row * V, source + r * source_row * size
                for i in range(0, last, half):
                    weave(line + i * V, at + i * size, lane * size)
                weave(line + last * V, at + last * size, lane * size)
        else:
            for r in range(rows):
                for i in range(count):
                    for j in range(many):
                        put(to + (r * to_row + i) * V, j, get(source, r * source_row + i * step + j * lane))

    @njit
    def unweave_rows(to, to_row, lane, step, source, source_row, rows, count, many):
        """The reverse of weave_rows."""
        if many == width and lane == 1:
            for r in range(rows):
                for i in range(count):
                    move(to + (r * to_row + i * step) * size, source + (r * source_row + i) * V)
        elif many == width and step == 1 and count >= half:
            last = count - half
            for r in range(rows):
                line, at = to + r * to_row * size, source + r * source_row * V
                for i in range(0, last, half):
                    unweave(line + i * size, lane * size, at + i * V)
                unweave(line + last * size, lane * size, at + last * V)
        else:
            for r in range(rows):
                for i in range(count):
                    for j in range(many):
                        put(to, r * to_row + i * step + j * lane, get(source + (r * source_row + i) * V, j))

    @njit
    def fill_slab(p, slab, n, g0, many, d, block):
        """The source rows that a block of rows reads: (c, plane, row, left padding and col, lane)."""
        C, planes, rows, cols = number(p, f.C), number(p, f.PLANES), number(p, f.ROWS), number(p, f.COLS)
        depths, blocks = number(p, f.TAPS_D), number(p, f.ROW_BLOCKS) + block * 32
        first, high, ec, eh = number(blocks, 2), number(blocks, 3), number(p, f.SRC_C), number(p, f.SRC_H)
        source = number(p, f.SRC) + (n * number(p, f.SRC_N) + g0 * C * ec + first * eh) * size
        for c in range(C):
            for j in range(number(depths, d + 1) - number(depths, d)):
                depth = number(depths, number(p, f.OUT_DEPTH) + 1 + 2 * (number(depths, d) + j))
                to = slab + ((c * planes + j) * rows * cols + number(p, f.LOW_W)) * V
                at = source + (c * ec + depth * number(p, f.SRC_D)) * size
                weave_rows(to, cols, at, eh, C * ec, number(p, f.SRC_W), high, number(p, f.SRC_WIDTH), many)

    @njit
    def fill_taps(p, table, d, block):
        """For each row of a block and class of columns: how many runs of taps it reads, and of each (slab, weight).

        Both in bytes. What lies in a row or plane that is padding is not in the list.
        """
        C, planes, rows, cols = number(p, f.C), number(p, f.PLANES), number(p, f.ROWS), number(p, f.COLS)
        depths, heights, widths = number(p, f.TAPS_D), number(p, f.TAPS_H), number(p, f.TAPS_W)
        D, H, classes = number(p, f.OUT_DEPTH), number(p, f.OUT_HEIGHT), number(p, f.PHASES)
        kh, kw, T = number(p, f.KERNEL_H), number(p, f.KERNEL_W), number(p, f.T)
        blocks = number(p, f.ROW_BLOCKS) + block * 32
        list_ = table
        for h in range(number(blocks, 0), number(blocks, 1)):
            for k in range(classes):
                count = 0
                for c in range(C):
                    for i in range(number(depths, d), number(depths, d + 1)):
                        plane, tap_d = c * planes + i - number(depths, d), number(depths, D + 2 + 2 * i)
                        for j in range(number(heights, h), number(heights, h + 1)):
                            row = plane * rows + number(heights, H + 1 + 2 * j) - number(blocks, 2)
                            tap = (c * T + (tap_d * kh + number(heights, H + 2 + 2 * j)) * kw) * V
                            for e in range(number(widths, 9 * k + 7), number(widths, 9 * k + 8), 2):
                                at = number(widths, e)
                                put_offset(list_, 2 * count + 2, (row * cols + at) * V)
                                put_offset(list_, 2 * count + 3, tap + number(widths, e + 1) * V)
                                count += 1
                put_offset(list_, 0, count)
                list_ += 8 * (C * T + 1)

    return SimpleNamespace(weave_rows=weave_rows, unweave_rows=unweave_rows, fill_slab=fill_slab, fill_taps=fill_taps)
