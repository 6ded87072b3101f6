"""A weight that products of matrices meet: every convolution, transposed or not, and the fully connected layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from torch import Tensor

from .._algorithms.run import run
from .._geometry import ConvGeometry
from .._padding import pad, padded
from ..functional._sides import Sides, of_linear
from . import _products
from ._use import EVERYTHING, MAX_BYTES, Use


class Product(Use):
    """dw[n] = met[n] · seen[n]ᵀ for each group (see `functional._sides`).

    The law's form has three places. With two of them taken by the sides, the direction in the third makes an inner
    product, conv(seen, v) with met, and what is left out makes a sum over samples.
    """

    def __init__(self, op: str, sides: Sides, shape: Sequence[int], max_bytes: int = MAX_BYTES) -> None:
        super().__init__(shape, {"seen": sides.seen, "met": sides.met}, max_bytes)
        self.op = op
        self._make: Callable[[], Sides] = lambda: sides

    @cached_property
    def sides(self) -> Sides:
        """What the gradients are products of."""
        return self._make()

    def gradients(self, piece: slice = EVERYTHING) -> Tensor:
        """(n, *shape)."""
        sides = self.sides.part(piece)
        if 0 in self.shape:
            return sides.met.new_zeros(sides.samples, *self.shape, dtype=self.dtype)
        # (n, G, B/G, A/G·K) → (n, B, A/G, *K)
        return _products.gradients(sides, self.max_bytes).view(-1, *self.shape)

    def weighted(self, coefficients: Tensor | None = None) -> Tensor:
        """(*shape): `conv_weight` of the sides, one of them with each sample times its coefficient."""
        seen, met = self.sides.seen, self.sides.met
        if 0 in self.shape:
            return met.new_zeros(self.shape)
        if coefficients is not None:
            seen, met = seen.to(self.dtype), met.to(self.dtype)
            met = met * coefficients.to(self.dtype).view(-1, *[1] * (met.dim() - 1))  # (N,) → (N, 1, …)
        return run(self.op, "conv_weight", self._padded(seen), met, self._geometry).reshape(self.shape)

    def dots(self, direction: Tensor) -> Tensor:
        """(N,): ⟨dw[n], v⟩ = ⟨met[n], conv(seen[n], v)⟩, a forward pass with v as the weight and no gradient."""
        out = self.like.new_zeros(self.samples, dtype=self.dtype)
        if 0 in self.shape:
            return out
        v = direction.to(self.dtype).view(self.sides.weight)
        for piece in self.sides.pieces(0, self.max_bytes):
            part = self.sides.part(piece)
            y = run(self.op, "conv", self._padded(part.seen.conj().to(self.dtype)), v, self._geometry)
            out[piece] = (part.met.to(self.dtype).conj() * y).flatten(1).sum(1)  # (n, B, *L) → (n,)
        return out

    def sqnorms(self) -> Tensor:
        """(N,)."""
        return _products.squared_norms(self.sides, self.max_bytes)

    def gram(self) -> Tensor:
        """(N, N)."""
        return _products.gram(self.sides, self.max_bytes)

    @property
    def _geometry(self) -> ConvGeometry:
        return padded(self.sides.geometry, self.sides.padding_mode)

    def _padded(self, seen: Tensor) -> Tensor:
        return pad(seen, self.sides.geometry, self.sides.padding_mode)


class Dense(Product):
    """A fully connected layer's, whose ordinary gradient is one product over samples and positions together."""

    def __init__(self, op: str, input: Tensor, shape: Sequence[int], grad_output: Tensor) -> None:
        """Of x (N, *, in) or (in,), the size (out, in) and dy (N, *, out) or (out,)."""
        operands = {"input": input, "grad_output": grad_output}
        Use.__init__(self, shape, {name: side if side.dim() > 1 else side[None] for name, side in operands.items()})
        self.op = op
        self._make = lambda: of_linear(op, input, shape, grad_output)

    def weighted(self, coefficients: Tensor | None = None) -> Tensor:
        """(out, in): Σ a[n] · dy[n]ᵀ x[n]."""
        x, dy = self.operands.values()
        if coefficients is not None:
            x, dy = x.to(self.dtype), dy.to(self.dtype) * coefficients.to(self.dtype).view(-1, *[1] * (dy.dim() - 1))
        # (N, *, out) → (out, N·L), and (N, *, in) → (N·L, in)
        return dy.flatten(0, -2).mT @ x.flatten(0, -2).conj()

    def dots(self, direction: Tensor) -> Tensor:
        """(N,): Σ dy[n] · (v x[n])."""
        x, dy, v = (side.to(self.dtype) for side in (*self.operands.values(), direction))
        # (N, *, in) @ (in, out) = (N, *, out), with dy → (N,)
        return (dy.conj() * (x @ v.mT)).flatten(1).sum(1)
