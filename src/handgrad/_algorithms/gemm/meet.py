"""dw: each weight's gradient is where a window of x meets dy.

    dw[m, c, tap] = Σ_{n, p} dy[n, m, p] · x[n, c, p·step + shift[tap]]

Rows of dy and shifted rows of x are both runs of memory along the image, so a tile of dot products needs no packing
but the padding. What lies between two rows is multiplied too, by zeros: where rows are short, `outer.py` is faster.

A job is a block of m and c and one of `pieces` parts of the positions; parts are added up in their order, so that the
bits of the sum do not depend on who computed what.
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
from .tile import dot_tile, number, take


def kernel(kind: Kind) -> Any:
    """The kernel for one element type: a function of the address of its table of numbers."""
    size, width = kind.size, kind.width
    pack, rows_of = packing(kind), copying(kind)
    block, part_of, fill_offsets = pack.block, pack.part_of, pack.fill_offsets
    fill_slab, fill_dy = pack.fill_slab, pack.fill_dy
    clear_run, copy_rows, put = rows_of.clear_run, rows_of.copy_rows, rows_of.put
    (R, COLUMNS), SLOT = kind.machine.dots, kind.slot
    tile, squares_of = by_rows(lambda rows: _tile(kind, rows), R), squares(kind)

    @njit
    def dots(count, dy, line, slab, table, sums, ms, columns):
        """Every row of dy · every shifted row of the slab, added to sums: a slot for each tile, rows fastest."""
        slot = sums
        for j in range(0, columns, COLUMNS):
            for i in range(0, ms, R):
                tile(min(R, ms - i), columns - j, count, dy + i * line * size, line, slab, table + j * 4, slot)
                slot += SLOT * size

    @njit
    def store(sums, to, line, ms, columns):
        """The sums to their places: rows `line` apart, columns are neighbours."""
        slot = sums
        for j in range(0, columns, COLUMNS):
            across = COLUMNS if columns - j > COLUMNS // 2 else COLUMNS // 2
            for i in range(0, ms, R):
                place, many = to + (i * line + j) * size, min(COLUMNS, columns - j)
                copy_rows(place, line, 1, slot, across, 1, min(R, ms - i), many)
                slot += SLOT * size

    @njit
    def clear_beyond(sums, ms, columns):
        """Zeros for what the last tiles have beyond the last column."""
        across = COLUMNS if (columns - 1) % COLUMNS + 1 > COLUMNS // 2 else COLUMNS // 2
        slot = sums + (columns - 1) // COLUMNS * ((ms + R - 1) // R) * SLOT * size
        for i in range(ms):
            for j in range((columns - 1) % COLUMNS + 1, across):
                put(slot, i // R * SLOT + i % R * across + j, 0.0)

    @njit
    def run(p):
        scratch = number(p, f.SCRATCH) + take(p, f.SLOTS) * number(p, f.SCRATCH_BYTES)
        slab, table = scratch + number(p, f.SLAB_AT), scratch + number(p, f.TABLE_AT)
        dy, line = scratch + number(p, f.OTHER_AT), number(p, f.LINE)
        M, C, T, pieces = number(p, f.M), number(p, f.C), number(p, f.T), number(p, f.PIECES)
        N, n_block = number(p, f.N), number(p, f.BLOCK_N)
        one_n = number(p, f.POSITIONS) // ((N + n_block - 1) // n_block)
        wm, wc, wg = number(p, f.W_M), number(p, f.W_C), number(p, f.W_G)
        tabled, laid = -1, -1
        while True:
            job = take(p, f.NEXT)
            if job >= number(p, f.JOBS):
                break
            piece = job % pieces
            g, m0, ms, c0, cs = part_of(p, job // pieces)
            columns = T * cs
            slots = ((columns + COLUMNS - 1) // COLUMNS) * ((ms + R - 1) // R)
            clear_run(scratch, slots * SLOT)
            first, last = number(p, f.POSITIONS) * piece // pieces, number(p, f.POSITIONS) * (piece + 1) // pieces
            for index in range(first, last):
                n0, ns, d0, h0, hs, w0, ws = block(p, index)
                lies = ((index % one_n * (n_block + 1) + ns) * (C + 1) + cs) * (M + 1) + ms
                in_place = 1 if number(p, f.IN_PLACE) and ws % width == 0 else 0
                if tabled != 2 * cs + in_place:
                    tabled = 2 * cs + in_place
                    fill_offsets(p, table, cs, in_place, 1, T)
                if in_place:
                    source = n0 * number(p, f.SRC_N) + (g * C + c0) * number(p, f.SRC_C) + w0
                    there = n0 * number(p, f.OUT_N) + (g * M + m0) * number(p, f.OUT_M) + w0
                    source, there = number(p, f.SRC) + source * size, number(p, f.OTHER) + there * size
                    dots(ws // width, there, number(p, f.OUT_M), source, table, scratch, ms, columns)
                else:
                    fill_slab(p, slab, lies != laid, n0, ns, d0, h0, w0, g * C + c0, cs)
                    fill_dy(p, dy, lies != laid, n0, ns, d0, h0, hs, w0, ws, g * M + m0, ms)
                    laid = lies
                    total = ((ns - 1) * number(p, f.ROWS) + hs - 1) * number(p, f.COLS) + ws
                    dots((total + width - 1) // width, dy, line, slab, table, scratch, ms, columns)
            if number(p, f.SQUARED):
                clear_beyond(scratch, ms, columns)
                put(number(p, f.OUT), job, squares_of(scratch, slots, SLOT, scratch + slots * SLOT * size))
                continue
            to = number(p, f.OUT) + (piece * number(p, f.G) * wg + g * wg + m0 * wm + c0 * wc) * size
            store(scratch, to, wm, ms, columns)

    return run


def _tile(kind: Kind, rows: int) -> Any:
    """tile(left, …): half as many columns where no more than that are left."""
    columns = kind.machine.dots[1]
    half = columns // 2
    whole, narrow = dot_tile(kind, rows, columns), dot_tile(kind, rows, half)

    @njit
    def tile(left, count, a, a_row, b, offset, c):
        if left > half:
            whole(count, a, a_row, b, offset, c)
        else:
            narrow(count, a, a_row, b, offset, c)

    return tile
