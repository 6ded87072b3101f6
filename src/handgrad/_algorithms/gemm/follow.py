"""y and dx: each output position follows windows of a source image.

    out[n, m, p·ostep + obase] = bias[m] + Σ_{c, tap} w[m, c, tap] · src[n, c, p·step + shift[tap]]

The forward pass is this with src = x. The input gradient is this with src = dy, once for every residue class of the
stride, so that the zeros a stride would insert are never there (`plan.py`).

One job is a block of output positions and of output rows m. Its source is copied once, with its padding, into a slab
in which every tap's operand is a plain run of memory: one image a residue of `step`, so that even a stride reads
neighbours. Rows of the slab follow each other, and a row's right padding is the next one's left padding; what the
tile computes for the positions between two rows is not stored.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from . import fields as f
from .copying import copying
from .machine import Kind
from .packing import packing
from .rows import by_rows
from .tile import mover, number, offset_of, product_tile, put_offset, take

CHUNK = 160  # products in one chain: about as accurate as the shorter chains of a kernel that blocks channels


def kernel(kind: Kind) -> Any:
    """The kernel for one element type: a function of the address of its table of numbers."""
    size, width, R = kind.size, kind.width, kind.machine.rows
    tile = by_rows(lambda rows: product_tile(kind, rows, kind.machine.vectors(rows)), R)
    wide_of = _wide(kind, R)
    pack, rows_of = packing(kind), copying(kind)
    block, fill_offsets, fill_slab, pack_weight = pack.block, pack.fill_offsets, pack.fill_slab, pack.pack_weight
    move = mover(kind, width)
    copy_rows, add_rows, turn = rows_of.copy_rows, rows_of.add_rows, rows_of.turn

    @njit
    def chunks(rows, count, a, b, table, c, line, start, zeros):
        """One tile, its depth in parts: sums of a few hundred products are more accurate than one long chain."""
        tile(rows, min(count, CHUNK), a, b, table, c, line, start, 0)
        for k in range(CHUNK, count, CHUNK):
            tile(rows, min(count - k, CHUNK), a + k * rows * size, b, table + k * 4, c, line, zeros, 1)

    @njit
    def multiply(rows, count, a, source, table, line, result, start, zeros, first, total, in_place):
        """One panel of rows against the positions from `first` on: result[rows, line]."""
        wide = wide_of(rows)
        for q in range(first, total, wide):
            # a source read in place ends where it ends: its last tile begins earlier, and repeats some columns
            at = total - wide if in_place and q + wide > total else q
            chunks(rows, count, a, source + at * size, table, result + at * size, line, start, zeros)

    @njit
    def gather(panel, row, source, table, count, first, wide, hs, ws, high, cols):
        """Positions first … first + wide, without what lies between rows: (k, wide), in rows of `row` elements."""
        done = 0
        while done < wide:
            at = first + done
            line, j = at // ws, at % ws
            run = min(ws - j, wide - done)
            from_ = source + (((line // hs) * high + line % hs) * cols + j) * size
            for i in range(0, run, width):
                # the last vector copies more than it should: the next run lies over it, or the row's end holds it
                to, at = panel + (done + i) * size, from_ + i * size
                for k in range(count):
                    move(to + k * row * size, at + offset_of(table, k) * size)
            done += run

    @njit
    def multiply_dense(p, a, ms, depth, first, count, source, table, result, bias, ns, hs, ws):
        """All panels of rows against the positions of the image alone, gathered tile by tile: result[ms, line]."""
        wide, line, total = wide_of(R), number(p, f.LINE), ns * hs * ws
        panel = a + number(p, f.OTHER_AT)
        row, linear = wide + width, a + number(p, f.LINEAR_AT)
        for k in range(count):
            put_offset(linear, k, k * row)
        for q in range(0, total, wide):
            high, cols = number(p, f.ROWS), number(p, f.COLS)
            gather(panel, row, source, table, count, q, min(wide, total - q), hs, ws, high, cols)
            for m in range(0, ms, R):
                start = bias + m * size if bias else number(p, f.ZEROS)
                rows_at, to = a + (m * depth + first * R) * size, result + (m * line + q) * size
                chunks(R, count, rows_at, panel, linear, to, line, start, number(p, f.ZEROS))

    @njit
    def store(p, result, line, rows, out, ns, hs, ws, high, cols, adds):
        """result[rows, line] → its places; what lies between rows of the image is left."""
        on, om, oh, ow = number(p, f.OUT_N), number(p, f.OUT_M), number(p, f.OUT_H), number(p, f.OUT_W)
        for n in range(ns):
            for r in range(rows):
                to, source = out + (n * on + r * om) * size, result + (r * line + n * high * cols) * size
                if adds:
                    add_rows(to, oh, ow, source, cols, hs, ws)
                elif om == 1 and rows == R:
                    if r == 0:
                        for i in range(hs):
                            turn(to + i * oh * size, ow, source + i * cols * size, line, rows, ws)
                else:
                    copy_rows(to, oh, ow, source, cols, 1, hs, ws)

    @njit
    def reached(p, t, h0, hs):
        """Whether any of the block's rows is on the image for tap t; else all that the tap reads is padding."""
        top = h0 * number(p, f.STEP_H) + number(number(p, f.TAPS), 5 * number(p, f.T) + t)
        return top + (hs - 1) * number(p, f.STEP_H) >= 0 and top < number(p, f.SRC_HEIGHT)

    @njit
    def run(p):
        scratch = number(p, f.SCRATCH) + take(p, f.SLOTS) * number(p, f.SCRATCH_BYTES)
        slab, table = scratch + number(p, f.SLAB_AT), scratch + number(p, f.TABLE_AT)
        result, in_place = scratch + number(p, f.TILE_AT), number(p, f.IN_PLACE)
        M, C, T, zeros = number(p, f.M), number(p, f.C), number(p, f.T), number(p, f.ZEROS)
        m_block, c_block, line = number(p, f.BLOCK_M), number(p, f.BLOCK_C), number(p, f.LINE)
        blocks_m = (M + m_block - 1) // m_block
        N, n_block, positions = number(p, f.N), number(p, f.BLOCK_N), number(p, f.POSITIONS)
        one_n = positions // ((N + n_block - 1) // n_block)
        sample = number(p, f.ROWS) * number(p, f.COLS)
        # where little lies between two samples, a tile may cover the end of one and the beginning of the next
        together = n_block if sample - number(p, f.BLOCK_H) * number(p, f.COLS) < 2 * width else 1
        packed, tabled, laid = -1, -1, -1
        while True:
            job = take(p, f.NEXT)
            if job >= number(p, f.JOBS):
                break
            part, index = job // positions, job % positions
            g, m0 = part // blocks_m, part % blocks_m * m_block
            ms = min(m_block, M - m0)
            n0, ns, d0, h0, hs, w0, ws = block(p, index)
            length = (hs - 1) * number(p, f.COLS) + ws
            out = n0 * number(p, f.OUT_N) + (g * M + m0) * number(p, f.OUT_M) + d0 * number(p, f.OUT_D)
            out = number(p, f.OUT) + (out + h0 * number(p, f.OUT_H) + w0 * number(p, f.OUT_W)) * size
            t0, t1 = 0, T
            while t0 < t1 and not reached(p, t0, h0, hs):
                t0 += 1
            while t0 < t1 and not reached(p, t1 - 1, h0, hs):
                t1 -= 1
            for c0 in range(0, C, c_block):
                cs = min(c_block, C - c0)
                if packed != part * C + c0:
                    packed = part * C + c0
                    pack_weight(p, scratch, result, g, m0, ms, c0, cs)
                if tabled != cs:
                    tabled = cs
                    fill_offsets(p, table, cs, in_place, cs, 1)
                source = slab
                if in_place:
                    source = n0 * number(p, f.SRC_N) + (g * C + c0) * number(p, f.SRC_C) + w0
                    source = number(p, f.SRC) + source * size
                else:
                    lies = (index % one_n * (n_block + 1) + ns) * (C + 1) + cs
                    fill_slab(p, slab, lies != laid, n0, ns, d0, h0, w0, g * C + c0, cs)
                    laid = lies
                adds = number(p, f.ADDS) if c0 == 0 else 1
                first, count, offsets = t0 * cs, (t1 - t0) * cs, table + t0 * cs * 4
                bias = number(p, f.BIAS) + (g * M + m0) * size if number(p, f.BIAS) and c0 == 0 else 0
                if number(p, f.DENSE):
                    multiply_dense(p, scratch, ms, T * cs, first, count, source, offsets, result, bias, ns, hs, ws)
                for m in range(0, ms, R):
                    rows = min(R, ms - m)
                    to = out + m * number(p, f.OUT_M) * size
                    if number(p, f.DENSE):
                        store(p, result + m * line * size, line, rows, to, ns, hs, ws, hs, ws, adds)
                        continue
                    start = bias + m * size if bias else zeros
                    panel = scratch + (m * T * cs + first * rows) * size
                    for n in range(0, ns, together):
                        begin, end = n * sample, (min(n + together, ns) - 1) * sample + length
                        multiply(rows, count, panel, source, offsets, line, result, start, zeros, begin, end, in_place)
                    store(p, result, line, rows, to, ns, hs, ws, number(p, f.ROWS), number(p, f.COLS), adds)

    return run


def _wide(kind: Kind, rows: int) -> Any:
    """wide(rows): how many columns the tile of 1 … `rows` rows has."""
    columns = kind.machine.vectors(rows) * kind.width
    narrower = _wide(kind, rows - 1) if rows > 1 else njit(lambda _: 0)

    @njit
    def wide_of(wanted):
        return columns if wanted == rows else narrower(wanted)

    return wide_of
