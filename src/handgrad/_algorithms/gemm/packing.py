"""How operands come to lie where the tile reads them: the slab of a source, the panels of a weight."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from numba import njit

from . import fields as f
from .copying import copying
from .machine import Kind
from .tile import mover, number, put_offset


def packing(kind: Kind) -> Any:
    """For one element type: block, part_of, fill_offsets, fill_slab, fill_dy, pack_weight."""
    size, width, R = kind.size, kind.width, kind.machine.rows
    move = mover(kind, width)
    rows_of = copying(kind)
    get, put, turn = rows_of.get, rows_of.put, rows_of.turn
    clear_run, copy_rows = rows_of.clear_run, rows_of.copy_rows

    @njit
    def block(p, index):
        """Where a block of positions begins and how far it goes: n0, ns, d, h0, hs, w0, ws."""
        N, H, W = number(p, f.N), number(p, f.OUT_HEIGHT), number(p, f.OUT_WIDTH)
        n, h, w = number(p, f.BLOCK_N), number(p, f.BLOCK_H), number(p, f.BLOCK_W)
        across, down = (W + w - 1) // w, (H + h - 1) // h
        w0, index = index % across * w, index // across
        h0, index = index % down * h, index // down
        d, n0 = index % number(p, f.OUT_DEPTH), index // number(p, f.OUT_DEPTH) * n
        return n0, min(n, N - n0), d, h0, min(h, H - h0), w0, min(w, W - w0)

    @njit
    def part_of(p, part):
        """The part of a weight that a job sums: its group, where its rows and channels begin and how many: g, m, c."""
        M, C, m_block, c_block = number(p, f.M), number(p, f.C), number(p, f.BLOCK_M), number(p, f.BLOCK_C)
        blocks_m, blocks_c = (M + m_block - 1) // m_block, (C + c_block - 1) // c_block
        c0, part = part % blocks_c * c_block, part // blocks_c
        m0 = part % blocks_m * m_block
        return part // blocks_m, m0, min(m_block, M - m0), c0, min(c_block, C - c0)

    @njit
    def fill_offsets(p, table, cs, in_place, tap_step, c_step):
        """Where each tap of each c begins, in the slab or in a source that is read in place; steps are the table's."""
        taps, phases, planes, cols = number(p, f.TAPS), number(p, f.PHASES), number(p, f.PLANES), number(p, f.COLS)
        plane = number(p, f.ROWS) * number(p, f.BLOCK_N) * cols
        channel = number(p, f.SRC_C) if in_place else phases * planes * plane
        for t in range(number(p, f.T)):
            inside = (number(taps, 5 * t) * planes + number(taps, 5 * t + 1)) * plane
            inside += number(taps, 5 * t + 2) * cols + number(taps, 5 * t + 3)
            for c in range(cs):
                put_offset(table, t * tap_step + c * c_step, c * channel + inside)
        for k in range(16):  # a tile's last columns may be none
            put_offset(table, number(p, f.T) * cs + k, 0)

    @njit
    def first_inside(base, step):
        """The first i ≥ 0 with base + i·step ≥ 0."""
        return (step - 1 - base) // step if base < 0 else 0

    @njit
    def fill_slab(p, slab, fresh, n0, ns, d0, h0, w0, c_first, cs):
        """The padded source of a block: (c, phase, plane, sample and row, col).

        Where the padding lies depends on the block alone: if the last block lay alike (not `fresh`), it is still there.
        """
        phases, planes, rows, cols = number(p, f.PHASES), number(p, f.PLANES), number(p, f.ROWS), number(p, f.COLS)
        block_n, table = number(p, f.BLOCK_N), number(p, f.PHASE_TABLE)
        sd, sh, sw = number(p, f.STEP_D), number(p, f.STEP_H), number(p, f.STEP_W)
        en, ec, ed = number(p, f.SRC_N), number(p, f.SRC_C), number(p, f.SRC_D)
        eh, ew = number(p, f.SRC_H), number(p, f.SRC_W)
        channel = phases * planes * block_n * rows * cols
        if fresh:
            clear_run(slab, cs * channel + number(p, f.SLACK))
        for phase in range(phases):
            # what lies on the image, of rows and columns: (block + low + i)·step + phase
            w_base = (w0 + number(p, f.LOW_W)) * sw + number(table, 3 * phase + 2)
            h_base = (h0 + number(p, f.LOW_H)) * sh + number(table, 3 * phase + 1)
            left, top = first_inside(w_base, sw), first_inside(h_base, sh)
            wide = min(cols, (number(p, f.SRC_WIDTH) - w_base + sw - 1) // sw) - left
            high = min(rows, (number(p, f.SRC_HEIGHT) - h_base + sh - 1) // sh) - top
            if wide <= 0 or high <= 0:
                continue
            for j in range(planes):
                d = (d0 + number(p, f.LOW_D) + j) * sd + number(table, 3 * phase)
                if d < 0 or d >= number(p, f.SRC_DEPTH):
                    continue
                corner = d * ed + (h_base + top * sh) * eh + (w_base + left * sw) * ew
                for n in range(ns):
                    place = (((phase * planes + j) * block_n + n) * rows + top) * cols + left
                    at = (corner + (n0 + n) * en + c_first * ec) * size
                    to, source = slab + place * size, number(p, f.SRC) + at
                    if ec == 1 and cs > 1:
                        for i in range(high):
                            turn(to + i * cols * size, channel, source + i * sh * eh * size, sw * ew, wide, cs)
                    else:
                        for c in range(cs):
                            copy_rows(
                                to + c * channel * size, cols, 1, source + c * ec * size, sh * eh, sw * ew, high, wide
                            )

    @njit
    def fill_dy(p, to, fresh, n0, ns, d0, h0, hs, w0, ws, m0, ms):
        """dy of a block in rows of the slab's length, zero between them: (m, sample and row, col)."""
        rows, cols, line = number(p, f.ROWS), number(p, f.COLS), number(p, f.LINE)
        en, em, eh, ew = number(p, f.OUT_N), number(p, f.OUT_M), number(p, f.OUT_H), number(p, f.OUT_W)
        corner = d0 * number(p, f.OUT_D) + h0 * eh + w0 * ew + m0 * em
        if fresh:
            clear_run(to, ms * line)
        for n in range(ns):
            source = number(p, f.OTHER) + ((n0 + n) * en + corner) * size
            if em == 1 and ms > 1:
                for i in range(hs):
                    turn(to + (n * rows + i) * cols * size, line, source + i * eh * size, ew, ws, ms)
            else:
                for m in range(ms):
                    copy_rows(to + (m * line + n * rows * cols) * size, cols, 1, source + m * em * size, eh, ew, hs, ws)

    @njit
    def pack_panel(p, a, temporary, at, rows, cs):
        """w[m, c, tap] of some rows m → (tap, c, rows)."""
        taps, T = number(p, f.TAPS), number(p, f.T)
        wm, wc = number(p, f.W_M), number(p, f.W_C)
        if rows == R and wm == 1:
            for t in range(T):
                source = at + number(taps, 5 * t + 4) * size
                for c in range(cs):
                    for r in range(0, R, width):
                        move(a + ((t * cs + c) * R + r) * size, source + (c * wc + r) * size)
            return
        if rows < R or not number(p, f.TOGETHER):
            for t in range(T):
                source = at + number(taps, 5 * t + 4) * size
                for c in range(cs):
                    for r in range(rows):
                        put(a, (t * cs + c) * rows + r, get(source, c * wc + r * wm))
            return
        # a row is one run (c, tap), or one run of taps for each c
        runs, length = (1, cs * T) if wc == T else (cs, T)
        for run in range(runs):
            source, tap, c = at + run * wc * size, 0, run
            for e in range(0, length, width):
                many = min(width, length - e)
                turn(temporary, R, source + e * size, wm, R, many)
                for i in range(many):
                    for r in range(0, R, width):
                        move(a + ((tap * cs + c) * R + r) * size, temporary + (i * R + r) * size)
                    tap += 1
                    if tap == T:
                        tap = 0
                        c += 1

    @njit
    def pack_weight(p, a, temporary, g, first, ms, c0, cs):
        """Panels of R rows, and one of what is left."""
        weight = number(p, f.WEIGHT) + (g * number(p, f.W_G) + c0 * number(p, f.W_C)) * size
        for m in range(0, ms, R):
            rows = min(R, ms - m)
            pack_panel(p, a, temporary, weight + (first + m) * number(p, f.W_M) * size, rows, cs)
            a += rows * number(p, f.T) * cs * size

    return SimpleNamespace(
        block=block,
        part_of=part_of,
        fill_offsets=fill_offsets,
        fill_slab=fill_slab,
        fill_dy=fill_dy,
        pack_weight=pack_weight,
    )
