"""Small sizes in place of large ones: a layer of real size is run once as it is, and looked into at a small one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations_with_replacement, islice

from torch import Tensor

from .inputs import Spec

LARGE = 1 << 14  # numbers in all inputs together: with more a check begins to be felt
HUGE = 1 << 25  # and with more it takes gigabytes
SMALL = 8  # sizes up to this one stay

Sizes = Mapping[int, int]


def entries(specs: Mapping[str, Spec]) -> int:
    """How many numbers the inputs hold together."""
    return sum(math.prod(spec.shape) for spec in specs.values())


def growth(small: Mapping[str, Tensor], large: Mapping[str, Tensor]) -> float:
    """How much longer a large draw takes than a small one, roughly: what is summed over grows as well."""
    first, second = (sum(value.numel() for value in inputs.values()) for inputs in (small, large))
    return math.pow(second / max(first, 1), 1.25)


def shrunk(specs: Mapping[str, Spec], accepts: Callable[[dict[str, Spec]], bool]) -> dict[str, Spec] | None:
    """The specs at small sizes that the code takes; None where it takes none.

    What is equal stays equal, and what is larger stays larger.
    """
    every = {size for spec in specs.values() for size in spec.shape}
    large = sorted(size for size in every if size > SMALL)
    for sizes in _together(large, every):
        if accepts(found := _mapped(specs, sizes)):
            return found
    one_by_one: dict[int, int] = {}
    for size in reversed(large if entries(specs) <= HUGE else []):
        tried = [one_by_one | {size: new} for new in (5, SMALL, 12, 16, size // 4, size // 2) if new < size]
        one_by_one = next((sizes for sizes in tried if accepts(_mapped(specs, sizes))), one_by_one)
    return _mapped(specs, one_by_one) if one_by_one else None


def _together(large: list[int], every: set[int]) -> Iterator[Sizes]:
    """Small numbers for all large sizes: any, even ones, multiples of 4 and 8 for what must divide, then fractions."""
    for step in (1, 2, 4, 8):
        free = (new for new in range(4 + step, 100) if new % step == 0 and new not in every)
        sizes = dict(zip(large, islice(free, len(large)), strict=True))
        products = _products(sizes, every)
        yield from [sizes | products, sizes] if products else [sizes]
    yield from ({size: max(2, size // by) for size in large} for by in (64, 32, 16, 8, 4, 2))


def _products(sizes: Sizes, every: set[int]) -> dict[int, int]:
    """Sizes that are the product of two others, as L = H·W is, and stay so."""
    pairs = list(combinations_with_replacement(sorted(size for size in every if size > 1), 2))
    made = {a * b: sizes.get(a, a) * sizes.get(b, b) for a, b in pairs}
    return {size: made[size] for size in sizes if size in made}


def _mapped(specs: Mapping[str, Spec], sizes: Sizes) -> dict[str, Spec]:
    """The specs at other sizes; an index stays below all of them."""
    shapes = {name: tuple(sizes.get(size, size) for size in spec.shape) for name, spec in specs.items()}
    below = min((size for shape in shapes.values() for size in shape if size > 1), default=2)
    return {name: Spec(shape, specs[name].kind, min(specs[name].high, below)) for name, shape in shapes.items()}
