"""A named tensor whose entries can be asked for by their position."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from torch import Tensor

from .._geometry import Ints

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class Box:
    """A tensor in float64 with its name, the letters of its axes, and the words for them.

    `low` is how many padded positions come before entry 0 on each axis, and `padded` the values with the padding
    around them: what is read there, or, of a result, what falls there and is dropped or copied back.
    """

    name: str
    symbol: str
    letters: tuple[str, ...]
    words: tuple[str, ...]
    values: Tensor
    low: Ints
    padded: Tensor

    @property
    def shape(self) -> Ints:
        """Of the values, without padding."""
        return tuple(self.values.shape)

    @property
    def ranges(self) -> tuple[range, ...]:
        """Every position of each axis, padding included."""
        return tuple(range(-low, size - low) for low, size in zip(self.low, self.padded.shape, strict=True))

    def at(self, index: Ints) -> float:
        """The entry at an index; it may lie in the padding. Raises IndexError where there is none."""
        if len(index) != len(self.ranges) or any(i not in axis for i, axis in zip(index, self.ranges, strict=True)):
            raise IndexError(f"{self.name} has no entry {index}: its positions are {list(self.ranges)}")
        offset = 0
        for i, axis in zip(index, self.ranges, strict=True):
            offset = offset * len(axis) + i - axis.start
        return float(self._flat[offset])

    @cached_property
    def _flat(self) -> np.ndarray[Any, Any]:
        return self.padded.contiguous().flatten().numpy()
