"""The sum of squares of what a job has computed, where a gradient's norm is wanted and nobody wants the gradient."""

from __future__ import annotations

from typing import Any

from numba import njit

from .copying import copying
from .machine import Kind
from .tile import dot_tile, put_offset, zeroer


def squares(kind: Kind) -> Any:
    """squares(source, rows, count, place): Σ v² over rows · count neighbours; `place` holds two vectors.

    Row by row, and each row's lanes apart, so that no chain of float32 sums becomes long.
    """
    size, width, dot, clear = kind.size, kind.width, dot_tile(kind, 1, 1), zeroer(kind)
    get = copying(kind).get

    @njit
    def squares_of(source, rows, count, place):
        clear(place)
        put_offset(place + width * size, 0, 0)
        total = 0.0
        for r in range(rows):
            row = source + r * count * size
            dot(count // width, row, 0, row, place + width * size, place)
            for i in range(count // width * width, count):
                total += get(row, i) * get(row, i)
        return get(place, 0) + total

    return squares_of
