"""Sets of axes, over which a sum may run."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations


def axes_key(axes: tuple[int, ...], dims: int) -> object:
    """What is the same in draws of several dimensions: the axes, or that it is all of them."""
    return "all" if len(axes) == dims else axes


def axes_sets(dims: int) -> Iterator[tuple[int, ...]]:
    """Every set of axes, the empty one first."""
    return chain.from_iterable(combinations(range(dims), size) for size in range(dims + 1))
