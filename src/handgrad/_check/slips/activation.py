"""A function of one entry, as far as it is known: its derivative at some points, and what that is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Activation:
    """One function of one entry at one point, and what else of its shape a mask could be made from."""

    x: Tensor
    y: Tensor
    derivative: Tensor
    others: Mapping[str, Tensor]
    at: Callable[[Tensor], Tensor] | None  # the derivative at another point

    @cached_property
    def sampled(self) -> tuple[Tensor, Tensor]:
        """Points and the derivative there: more than the draw's own, where they can be had, as it may see one side."""
        if self.at is None:
            return self.x, self.derivative
        points = (self.x, -self.x, 4 * self.x)
        return torch.cat(points), torch.cat([self.at(point) for point in points])

    @cached_property
    def slopes(self) -> list[float]:
        """The values of the derivative, if they are no more than two."""
        values = slopes(self.sampled[1])
        return values if len(values) <= 2 else []

    @property
    def has_kink(self) -> bool:
        """Whether it is a ReLU of some kind or a dropout: its derivative is a mask, of two values and one sign."""
        one_side = self.at is None and self.slopes in ([0.0], [1.0])
        return one_side or (len(self.slopes) == 2 and self.slopes[0] >= 0)

    @property
    def is_linear(self) -> bool:
        """Whether the derivative is a constant: then only the constant can be wrong."""
        return len(self.slopes) == 1 and self.slopes[0] != 0 and not self.has_kink

    def bent_side(self) -> Tensor | None:
        """Where x has the sign for which the derivative is no constant, if for the other it is one, as with ELU."""
        below, above = (len(slopes(self.derivative[side])) for side in (self.x < 0, self.x > 0))
        if below > 1 and above == 1:
            return self.x <= 0
        return self.x > 0 if above > 1 and below == 1 else None

    def sides(self) -> tuple[float, float] | None:
        """The derivative where x < 0 and where x > 0, if it is constant on both sides."""
        x, derivative = self.sampled
        below, above = (slopes(derivative[side]) for side in (x < 0, x > 0))
        return (below[0], above[0]) if len(below) == len(above) == 1 else None


def slopes(derivative: Tensor) -> list[float]:
    """The values that a derivative takes, in order, to four digits."""
    return sorted(set(derivative.float().round(decimals=4).flatten().tolist()))
