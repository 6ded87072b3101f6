"""A program's true gradient, by central differences of its own forward along dense directions.

⟨U, v⟩ is compared with ⟨g, (f(x + hv) − f(x − hv)) / 2h⟩. A wrong U would have to be orthogonal to its error along
two random directions to pass; the third direction, all ones, gives the total. The differences of the output are kept,
so the truth for another grad_output costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from .play import Array, Play


class Truth:
    """The gradient with respect to one value, as far as its directions see it.

    `values` replaces the play's values, `where` is 1 at the entries to look at and 0 elsewhere.
    """

    def __init__(
        self, play: Play, name: str, values: Mapping[str, Array] | None = None, where: Array | None = None
    ) -> None:
        self.play, self.name, self.where = play, name, where
        self.values = dict(values or play.values)
        self.at = np.asarray(self.values[name], dtype=np.float64)
        in_float32 = play.output.dtype == np.float32
        self.step, self.tolerance = (0.05, 1e-4) if in_float32 else (1e-5, 1e-6)

    @cached_property
    def directions(self) -> list[tuple[Array, Array]]:
        """(v, the output's derivative along v): two random v and all ones."""
        rng = np.random.default_rng(23)
        where = np.ones(self.at.shape) if self.where is None else self.where
        chosen = [rng.standard_normal(self.at.shape) * where, rng.standard_normal(self.at.shape) * where, where]
        return [(v, self.derivative(v)) for v in chosen]

    def derivative(self, v: Array) -> Array:
        """The output's derivative along v."""
        low, high = (self.play.forward({**self.values, self.name: self.at + s * self.step * v}) for s in (-1, 1))
        return (high.astype(np.float64) - low) / (2 * self.step)

    @cached_property
    def totals(self) -> list[float]:
        """⟨T, v⟩ for each direction v."""
        return [float((self.play.grad_output.reshape(d.shape) * d).sum()) for _, d in self.directions]

    def matches(self, candidate: Array | None, grad_output: Array | None = None) -> bool:
        """Whether this is the gradient, for the play's own or another grad_output: shape and values."""
        if candidate is None or np.shape(candidate) != self.at.shape:
            return False
        g = self.play.grad_output if grad_output is None else grad_output
        pairs = [(candidate * v, g.reshape(d.shape) * d) for v, d in self.directions]
        return all(abs(a.sum() - b.sum()) < self.tolerance * (_norm(a) + _norm(b)) + 1e-300 for a, b in pairs)

    def factor(self, candidate: Array) -> float:
        """c with c · candidate = truth along the first direction."""
        return self.totals[0] / float((candidate * self.directions[0][0]).sum())

    @cached_property
    def full(self) -> Array:
        """The whole gradient, one difference an entry: for small values only."""
        entries = np.eye(self.at.size).reshape(-1, *self.at.shape)
        return np.array([(self.play.grad_output * self.derivative(v)).sum() for v in entries]).reshape(self.at.shape)


def _norm(products: Array) -> float:
    """The size of what a sum adds up, against which its rounding is measured."""
    return float(np.sqrt((products**2).sum()))
