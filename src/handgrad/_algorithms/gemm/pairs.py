"""‖dw‖² of a sample from pairs of positions, where an image has few of them: no gradient is made.

    ‖dw‖² = Σ_pq D[p, q] · Σ_tap X[p + shift[tap], q + shift[tap]]

with D[p, q] = ⟨dy[p], dy[q]⟩ and X[u, v] = ⟨x[u], x[v]⟩ over the channels (see `per_sample/_positions.py`). Both are
the same for (p, q) and (q, p): only q ≥ p is computed, and what stands beside the diagonal counts twice. dy lies in
rows of the slab's length, zero between them, so that a tap is one distance for all pairs, and every row of D and of X
is a run of memory. The sum along the taps never leaves the registers; of D a few rows are held at a time.

A job is one sample and group. It has two results, for terms of pairs may cancel: the sum, and the square of
Σ_p ‖dy[p]‖ · ‖window[p]‖, which is what it could be if they did not.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from . import fields as f
from .copying import copying
from .machine import Kind
from .packing import packing
from .pairs_table import DEPTH, SUMS
from .sum_tile import root, summing_tile
from .tile import mover, number, offset_of, product_tile, put_offset, take


def kernel(kind: Kind) -> Any:
    """The kernel for one element type: a function of the address of its table of numbers."""
    size, R = kind.size, kind.machine.rows
    wide, many = kind.machine.vectors(R) * kind.width, SUMS * kind.width
    pack, rows_of = packing(kind), copying(kind)
    fill_slab, fill_dy = pack.fill_slab, pack.fill_dy
    clear_run, get, put = rows_of.clear_run, rows_of.get, rows_of.put
    tile, add_taps, move = product_tile(kind, R, kind.machine.vectors(R)), summing_tile(kind, SUMS), mover(kind, R)

    @njit
    def fill_steps(steps, count, step):
        """Where each channel begins."""
        for k in range(count):
            put_offset(steps, k, k * step)

    @njit
    def fill_taps(p, table, gram, line):
        """Where each tap of the pair (0, 0) lies in X: (phase and plane, u, v), of which a plane has `gram` numbers."""
        taps, planes, cols = number(p, f.TAPS), number(p, f.PLANES), number(p, f.COLS)
        for t in range(number(p, f.T)):
            plane = number(taps, 5 * t) * planes + number(taps, 5 * t + 1)
            shift = number(taps, 5 * t + 2) * cols + number(taps, 5 * t + 3)
            put_offset(table, t, plane * gram + shift * (line + 1))

    @njit
    def multiply(panel, source, steps, depth, count, to, line, zeros):
        """to[R, count] = inner products of R neighbouring positions with all `count` from the first of them on."""
        for k in range(0, depth, DEPTH):
            some = min(DEPTH, depth - k)
            for i in range(some):
                move(panel + i * R * size, source + offset_of(steps, k + i) * size)
            for j in range(0, count, wide):
                tile(some, panel, source + j * size, steps + 4 * k, to + j * size, line, zeros, k)

    @njit
    def meet(D, X, table, taps, sums, first, positions, line):
        """Σ D · (Σ_tap X) over R rows of pairs from `first` on and q ≥ p, the diagonal half; and its Σ of norms."""
        clear_run(sums, many)
        norms = 0.0
        for r in range(min(R, positions - first)):
            p, row, of = first + r, D + r * line * size, X + (first + r) * line * size
            clear_run(row + positions * size, many)  # where a tile has met another channel's numbers
            met = 1.0 * get(row, p)  # of twice as many bytes: a product of norms may be large
            put(row, p, 0.5 * met)
            norms += root(met * add_taps(taps, table, of + p * size, row + p * size, sums))
            for q in range(p + many, positions, many):
                add_taps(taps, table, of + q * size, row + q * size, sums)
        total = 0.0
        for i in range(many):
            total += get(sums, i)
        return total, norms

    @njit
    def run(p):
        panel = number(p, f.SCRATCH) + take(p, f.SLOTS) * number(p, f.SCRATCH_BYTES)
        slab, table, dy = panel + number(p, f.SLAB_AT), panel + number(p, f.TABLE_AT), panel + number(p, f.OTHER_AT)
        steps, X = panel + number(p, f.LINEAR_AT), panel + number(p, f.TILE_AT)
        N, M, C, inside = number(p, f.N), number(p, f.M), number(p, f.C), number(p, f.ROW_BLOCKS)
        line, zeros, plane = number(p, f.LINE), number(p, f.ZEROS), number(p, f.ROWS) * number(p, f.COLS)
        planes = number(p, f.PHASES) * number(p, f.PLANES)
        high, across = number(p, f.BLOCK_H), number(p, f.BLOCK_W)
        positions, seen = (high - 1) * number(p, f.COLS) + across, number(p, f.POSITIONS)
        gram = (seen + R) * line
        D = X + planes * gram * size
        sums = D + R * line * size
        fill_steps(steps, C, planes * plane)
        fill_steps(steps + 4 * C, M, line)
        fill_taps(p, table, gram, line)
        clear_run(X, planes * gram)
        fresh = 1
        while True:
            job = take(p, f.NEXT)
            if job >= number(p, f.JOBS):
                break
            n, g, total, norms = job % N, job // N, 0.0, 0.0
            fill_slab(p, slab, fresh, n, 1, 0, 0, 0, g * C, C)
            fill_dy(p, dy, fresh, n, 1, 0, 0, high, 0, across, g * M, M)
            fresh = 0
            for k in range(planes):
                for u in range(number(inside, 2 * k), number(inside, 2 * k + 1), R):
                    source, to = slab + (k * plane + u) * size, X + (k * gram + u * line + u) * size
                    multiply(panel, source, steps, C, seen - u, to, line, zeros)
            for u in range(0, positions, R):
                multiply(panel, dy + u * size, steps + 4 * C, M, positions - u, D + u * size, line, zeros)
                more, norm = meet(D, X, table, number(p, f.T), sums, u, positions, line)
                total += more
                norms += norm
            put(number(p, f.OUT), job, 2.0 * total)
            put(number(p, f.OUT), number(p, f.JOBS) + job, norms * norms)

    return run
