"""One use of a parameter in one pass: what every sample's gradient is made of, and nothing that is computed yet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from math import prod

import torch
from torch import Tensor

from .._algorithms.reference import PIECE
from .._errors import error
from .._operands import check_tensors
from .._tensors import wide

MAX_BYTES = PIECE  # what the columns of a few samples take in the other functions as well
EVERYTHING = slice(None)


class Use(ABC):
    """The operands of a gradient that is linear in dy, with each sample on its own.

    Two methods say what the gradient is; from these follows the rest, which a use that knows better overrides. Sums are
    in at least float32.
    """

    def __init__(self, shape: Sequence[int], operands: dict[str, Tensor], max_bytes: int = MAX_BYTES) -> None:
        self.shape = torch.Size(shape)  # the parameter's
        self.operands = operands  # N first, each
        self.max_bytes = max_bytes  # what the work may take beside operands and result, but at least one sample's share
        self.like = next(iter(operands.values()))
        self.samples = self.like.shape[0]
        self.dtype = wide(self.like)

    @abstractmethod
    def gradients(self, piece: slice = EVERYTHING) -> Tensor:
        """(n, *shape): dw[n] of some samples."""

    @abstractmethod
    def weighted(self, coefficients: Tensor | None = None) -> Tensor:
        """(*shape): Σ a[n] · dw[n]; without coefficients the ordinary gradient."""

    def sqnorms(self) -> Tensor:
        """(N,): ‖dw[n]‖², from a few gradients at a time."""
        out = self.like.new_zeros(self.samples, dtype=self.dtype.to_real())
        for piece in self.pieces(self.max_bytes):
            # (n, *shape) → (n, numbers) → (n,)
            out[piece] = torch.linalg.vector_norm(self.gradients(piece).flatten(1), dim=1).square_()
        return out

    def dots(self, direction: Tensor) -> Tensor:
        """(N,): ⟨dw[n], v⟩."""
        out = self.like.new_zeros(self.samples, dtype=self.dtype)
        for piece in self.pieces(self.max_bytes):
            # (n, numbers) @ (numbers,) = (n,)
            out[piece] = self.gradients(piece).flatten(1).conj() @ direction.to(self.dtype).flatten()
        return out

    def gram(self) -> Tensor:
        """(N, N): ⟨dw[n], dw[m]⟩, from pairs of pieces; what stands above the diagonal is mirrored below it."""
        out = self.like.new_zeros(self.samples, self.samples, dtype=self.dtype)
        pieces = list(self.pieces(self.max_bytes // 2))
        for i, rows in enumerate(pieces):
            first = self.gradients(rows).flatten(1)
            for columns in pieces[i:]:
                second = first if columns is rows else self.gradients(columns).flatten(1)
                block = first.conj() @ second.mT  # (n, numbers) @ (numbers, m) = (n, m)
                out[rows, columns], out[columns, rows] = block, block.mH
        return out

    @property
    def entries(self) -> int:
        """How many numbers `gradients` makes for a sample."""
        return prod(self.shape)

    def pieces(self, max_bytes: int) -> Iterator[slice]:
        """Slices of the batch, each at least one sample: as many as have what `gradients` makes of them fit."""
        step = max(1, max_bytes // max(1, self.entries * self.dtype.itemsize))
        return (slice(start, min(start + step, self.samples)) for start in range(0, self.samples, step))


class Summed(Use):
    """A parameter that meets entries one by one: dw[n] = Σ dy[n] · x̂[n] over axes that it does not have.

    So do the scale and the shift of a normalization, and every bias, for which there is no x̂.
    """

    def __init__(self, shape: Sequence[int], axes: Sequence[int], **factors: Tensor) -> None:
        """Of factors (N, …), with the axes (none of which is N) summed."""
        super().__init__(shape, factors)
        self.axes = list(axes)

    def gradients(self, piece: slice = EVERYTHING) -> Tensor:
        """(n, *shape)."""
        terms = self._terms(piece)
        if not self.axes and len(self.operands) == 1:
            return terms.clone()  # not what the caller gave
        return (terms.sum(self.axes) if self.axes else terms).view(len(terms), *self.shape)

    def weighted(self, coefficients: Tensor | None = None) -> Tensor:
        """(*shape)."""
        terms = self._terms(EVERYTHING)
        if coefficients is not None:
            terms = terms * coefficients.to(terms.dtype).view(-1, *[1] * (terms.dim() - 1))  # (N,) → (N, 1, …)
        return terms.sum([0, *self.axes]).view(self.shape)

    @property
    def entries(self) -> int:
        """Those before the sum."""
        return prod(self.like.shape[1:])

    def _terms(self, piece: slice) -> Tensor:
        factors = self.operands.values() if piece is EVERYTHING else [side[piece] for side in self.operands.values()]
        return reduce(torch.mul, (factor.to(self.dtype) for factor in factors))


def by_channel(shape: Sequence[int], **factors: Tensor) -> Summed:
    """A parameter (C,) of factors (N, C, …)."""
    rank = next(iter(factors.values())).dim()
    return Summed(shape, range(2, rank), **factors)


def by_last(shape: Sequence[int], **factors: Tensor) -> Summed:
    """A parameter of factors (N, …, *shape), or of one sample (*shape)."""
    rank = next(iter(factors.values())).dim()
    if rank == len(shape):
        return Summed(shape, [], **{name: factor.unsqueeze(0) for name, factor in factors.items()})
    return Summed(shape, range(1, rank - len(shape)), **factors)


class Each(Summed):
    """Gradients that are there already, one for each sample: (N, *shape).

    Raises:
        HandgradError: for what is no tensor with gradients' dtype, or has no axis.
    """

    def __init__(self, gradients: Tensor) -> None:
        check_tensors("Each", gradients=gradients)
        if gradients.dim() == 0:
            raise error("Each", "gradients must be (N, *shape)", gradients=gradients.shape)
        super().__init__(gradients.shape[1:], [], gradients=gradients)


class Total(Use):
    """Several uses of one parameter: the gradient is their sum, and its norm is not the sum of theirs."""

    def __init__(self, uses: Sequence[Use]) -> None:
        super().__init__(uses[0].shape, {str(i): use.like for i, use in enumerate(uses)}, uses[0].max_bytes)
        self.uses = uses

    @property
    def entries(self) -> int:
        """Those of a sum so far, and of the use that is added to it."""
        return prod(self.shape) + max(use.entries for use in self.uses)

    def gradients(self, piece: slice = EVERYTHING) -> Tensor:
        """(n, *shape)."""
        return self._sum(lambda use: use.gradients(piece))

    def weighted(self, coefficients: Tensor | None = None) -> Tensor:
        """(*shape)."""
        return self._sum(lambda use: use.weighted(coefficients))

    def dots(self, direction: Tensor) -> Tensor:
        """(N,)."""
        return self._sum(lambda use: use.dots(direction))

    def _sum(self, of: Callable[[Use], Tensor]) -> Tensor:
        return reduce(torch.add, map(of, self.uses))
