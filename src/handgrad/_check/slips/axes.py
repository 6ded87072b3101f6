"""Sets of axes, over which a sum may run."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations

from torch import Tensor


def axes_key(axes: tuple[int, ...], dims: int) -> object:
    """What is the same in draws of several dimensions: the axes, or that it is all of them."""
    return "all" if len(axes) == dims else axes


def axes_sets(dims: int) -> Iterator[tuple[int, ...]]:
    """Every set of axes, the empty one first."""
    return chain.from_iterable(combinations(range(dims), size) for size in range(dims + 1))


def picks(gradient: Tensor, axes: tuple[int, ...]) -> bool:
    """Whether a sum over these axes only finds the one entry that is not zero: a row of a table, a maximum's place."""
    return bool(((gradient != 0).sum(axes) <= 1).all())
