"""How a number is written for a reader, and how several positions are one."""

from __future__ import annotations

from math import isfinite

from .._geometry import Ints


def number(value: float) -> str:
    """Whole numbers whole, others to four digits; a minus sign of the width of a digit."""
    whole = isfinite(value) and value == int(value) and abs(value) < 1e6
    return (str(int(value)) if whole else f"{value:.4g}").replace("-", "−")


def compact(value: float) -> str:
    """As `number`, but in the little room of a cell."""
    return number(value) if value == int(value if isfinite(value) else 0) else f"{value:.3g}".replace("-", "−")


def signed(value: float) -> str:
    """As a factor: a negative one in parentheses."""
    return f"({number(value)})" if value < 0 else number(value)


def shape_text(shape: tuple[int, ...]) -> str:
    """(2, 3) as "2×3"."""
    return "×".join(map(str, shape))


def sizes_text(sizes: Ints) -> str:
    """One number if all axes agree, else all of them."""
    return str(sizes[0]) if len(set(sizes)) == 1 else str(sizes)


def ravel(position: Ints, sizes: Ints) -> int:
    """(outer, *position) in one number, the last axis fastest: (channel, *tap) is a row of the columns."""
    flat = position[0]
    for i, size in zip(position[1:], sizes, strict=True):
        flat = flat * size + i
    return flat


def unravel(flat: int, sizes: Ints) -> list[int]:
    """The reverse of `ravel`."""
    found: list[int] = []
    for size in reversed(sizes):
        flat, position = divmod(flat, size)
        found.insert(0, position)
    return [flat, *found]
