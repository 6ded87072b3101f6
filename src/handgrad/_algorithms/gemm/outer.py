"""dw where rows of the image are short: every position adds the outer product of dy and of a window of x.

    dw[m, (c, tap)] = Σ_p dy[p, m] · window[p, (c, tap)]

A product of matrices whose depth is the positions of a block, without what lies between its rows. dy is laid position
by position, once; windows a strip as wide as the tile at a time, which stays in the first-level cache while all rows m
go by. The tile writes into the gradient itself, or where only its square is wanted, into a place that is squared,
summed and forgotten.

Jobs are those of `meet.py`: a block of m and c and one of `pieces` parts of the positions.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from . import fields as f
from .copying import copying
from .machine import Kind
from .packing import packing
from .rows import by_rows
from .squares import squares
from .tile import number, offset_of, product_tile, put_offset, take


def kernel(kind: Kind) -> Any:
    """The kernel for one element type: a function of the address of its table of numbers."""
    size, R = kind.size, kind.machine.rows
    vectors = kind.machine.vectors(R)
    wide, tile = vectors * kind.width, by_rows(lambda rows: product_tile(kind, rows, vectors), R)
    pack, rows_of = packing(kind), copying(kind)
    block, part_of, fill_offsets, fill_slab = pack.block, pack.part_of, pack.fill_offsets, pack.fill_slab
    copy_rows, add_rows, turn, put = rows_of.copy_rows, rows_of.add_rows, rows_of.turn, rows_of.put
    squares_of = squares(kind)

    @njit
    def pack_dy(p, to, rows, n0, ns, d0, h0, hs, w0, ws, m0, ms):
        """dy of a block: panels of R rows, (position, row)."""
        line, high = number(p, f.LINE), number(p, f.OUT_H)
        at = d0 * number(p, f.OUT_D) + h0 * high + w0 * number(p, f.OUT_W) + m0 * number(p, f.OUT_M)
        for m in range(0, ms, R):
            many = min(R, ms - m)
            for n in range(ns):
                for r in range(many):
                    source = at + (n0 + n) * number(p, f.OUT_N) + (m + r) * number(p, f.OUT_M)
                    row = rows + (r * line + n * hs * ws) * size
                    copy_rows(row, ws, 1, number(p, f.OTHER) + source * size, high, number(p, f.OUT_W), hs, ws)
            turn(to + m * ns * hs * ws * size, many, rows, line, many, ns * hs * ws)

    @njit
    def pack_windows(p, to, rows, slab, table, many, ns, hs, ws):
        """A strip of a block's windows, whose columns are the table's: (position, column)."""
        line, cols = number(p, f.LINE), number(p, f.COLS)
        for j in range(many):
            source = slab + offset_of(table, j) * size
            for n in range(ns):
                row = rows + (j * line + n * hs * ws) * size
                copy_rows(row, ws, 1, source + n * number(p, f.ROWS) * cols * size, cols, 1, hs, ws)
        turn(to, wide, rows, line, many, ns * hs * ws)

    @njit
    def multiply(p, a, strip, steps, depth, ms, to, line, left, edge, adds):
        """All rows against one strip: to[ms, line] = or += a · strip, of which the first `left` columns count."""
        for m in range(0, ms, R):
            rows, panel, place = min(R, ms - m), a + m * depth * size, to + m * line * size
            if left >= wide:
                tile(rows, depth, panel, strip, steps, place, line, number(p, f.ZEROS), adds)
                continue
            tile(rows, depth, panel, strip, steps, edge, wide, number(p, f.ZEROS), 0)
            if adds:
                add_rows(place, line, 1, edge, wide, rows, left)
            else:
                copy_rows(place, line, 1, edge, wide, 1, rows, left)

    @njit
    def run(p):
        scratch = number(p, f.SCRATCH) + take(p, f.SLOTS) * number(p, f.SCRATCH_BYTES)
        slab, table = scratch + number(p, f.SLAB_AT), scratch + number(p, f.TABLE_AT)
        strip, steps = scratch + number(p, f.OTHER_AT), scratch + number(p, f.LINEAR_AT)
        rows = strip + number(p, f.LINE) * wide * size
        edge, result = rows + number(p, f.LINE) * wide * size, scratch + number(p, f.TILE_AT)
        pieces, positions, G = number(p, f.PIECES), number(p, f.POSITIONS), number(p, f.G)
        wm, wc, wg, n_block = number(p, f.W_M), number(p, f.W_C), number(p, f.W_G), number(p, f.BLOCK_N)
        one_n = positions // ((number(p, f.N) + n_block - 1) // n_block)
        for k in range(number(p, f.LINE)):
            put_offset(steps, k, k * wide)
        tabled, laid = -1, -1
        while True:
            job = take(p, f.NEXT)
            if job >= number(p, f.JOBS):
                break
            piece = job % pieces
            g, m0, ms, c0, cs = part_of(p, job // pieces)
            columns = number(p, f.T) * cs
            if tabled != cs:
                tabled = cs
                fill_offsets(p, table, cs, 0, 1, number(p, f.T))
            to, line = number(p, f.OUT) + (piece * G * wg + g * wg + m0 * wm + c0 * wc) * size, wm
            if number(p, f.SQUARED):
                to, line = result, columns
            first, last = positions * piece // pieces, positions * (piece + 1) // pieces
            for index in range(first, last):
                n0, ns, d0, h0, hs, w0, ws = block(p, index)
                lies = (index % one_n * (n_block + 1) + ns) * (number(p, f.C) + 1) + cs
                fill_slab(p, slab, lies != laid, n0, ns, d0, h0, w0, g * number(p, f.C) + c0, cs)
                laid = lies
                pack_dy(p, scratch, rows, n0, ns, d0, h0, hs, w0, ws, g * number(p, f.M) + m0, ms)
                for j in range(0, columns, wide):
                    many, place = min(wide, columns - j), to + j * size
                    pack_windows(p, strip, rows, slab, table + j * 4, many, ns, hs, ws)
                    multiply(p, scratch, strip, steps, ns * hs * ws, ms, place, line, many, edge, index - first)
            if number(p, f.SQUARED):
                put(number(p, f.OUT), job, squares_of(result, ms, columns, edge))

    return run
