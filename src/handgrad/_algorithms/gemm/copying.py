"""Moving rows of an image: with a step, added, and from one memory format to the other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from numba import njit

from .machine import Kind
from .tile import halver, mover, reader, transposer, writer, zeroer


def copying(kind: Kind) -> Any:
    """For one element type: clear_run, copy_rows, add_rows, turn, get, put."""
    size, width, half = kind.size, kind.width, kind.width // 2
    get, put, move, clear = reader(kind), writer(kind), mover(kind, width), zeroer(kind)
    move_half, halve, halve_half = mover(kind, half), halver(kind, width), halver(kind, half)
    transpose = transposer(kind)

    @njit
    def clear_run(to, count):
        """Zeros."""
        i = 0
        while i + width <= count:
            clear(to + i * size)
            i += width
        while i < count:
            put(to, i, 0.0)
            i += 1

    @njit
    def copy_rows(to, to_row, to_step, source, source_row, step, rows, count):
        """Rows of `count` elements, `to_step` apart, from elements `step` apart; a last vector may repeat some."""
        last = (count - width) * size
        if to_step != 1:
            for r in range(rows):
                for i in range(count):
                    put(to + r * to_row * size, i * to_step, get(source + r * source_row * size, i * step))
        elif step == 1 and count >= 2 * width:
            for r in range(rows):
                line, at = to + r * to_row * size, source + r * source_row * size
                i = 0
                while i < last:
                    move(line + i, at + i)
                    i += width * size
                move(line + last, at + last)
        elif step == 1 and count >= width:
            for r in range(rows):
                line, at = to + r * to_row * size, source + r * source_row * size
                move(line, at)
                move(line + last, at + last)
        elif step == 1 and count >= half:
            for r in range(rows):
                line, at = to + r * to_row * size, source + r * source_row * size
                move_half(line, at)
                move_half(line + (count - half) * size, at + (count - half) * size)
        elif step == 2 and count >= width:
            for r in range(rows):
                line, at = to + r * to_row * size, source + r * source_row * size
                i = 0
                while i < last:
                    halve(line + i, at + 2 * i)
                    i += width * size
                halve(line + last, at + 2 * last)
        elif step == 2 and count >= half:
            for r in range(rows):
                line, at = to + r * to_row * size, source + r * source_row * size
                halve_half(line, at)
                halve_half(line + (count - half) * size, at + 2 * (count - half) * size)
        else:
            for r in range(rows):
                for i in range(count):
                    put(to + r * to_row * size, i, get(source + r * source_row * size, i * step))

    @njit
    def add_rows(to, to_row, to_step, source, source_row, rows, count):
        """Rows of neighbours, added to elements `to_step` apart."""
        for r in range(rows):
            line, at = to + r * to_row * size, source + r * source_row * size
            if to_step == 1:
                for i in range(count):
                    put(line, i, get(line, i) + get(at, i))
            else:
                for i in range(count):
                    put(line, i * to_step, get(line, i * to_step) + get(at, i))

    @njit
    def turn(to, to_row, source, source_row, rows, count):
        """to[j, i] = source[i, j] for `rows` rows of `count` elements."""
        for i in range(0, rows, width):
            many = min(width, rows - i)
            j = 0
            if many == width:
                while j + width <= count:
                    transpose(to + (j * to_row + i) * size, to_row, source + (i * source_row + j) * size, source_row)
                    j += width
            while j < count:
                for k in range(i, i + many):
                    put(to, j * to_row + k, get(source, k * source_row + j))
                j += 1

    return SimpleNamespace(clear_run=clear_run, copy_rows=copy_rows, add_rows=add_rows, turn=turn, get=get, put=put)
