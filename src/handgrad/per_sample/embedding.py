"""What every sample of a batch says about the rows of a table that it looked up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor

from .._errors import error
from .._operands import check_tensors
from ..functional._common import as_size
from ._family import Extra, family
from ._use import EVERYTHING, Use

__all__ = [
    "embedding_weight",
    "embedding_weight_dot",
    "embedding_weight_gram",
    "embedding_weight_sqnorm",
    "embedding_weight_weighted",
]


class Rows(Use):
    """dw[n,v] = Σ dy[n,p] over the positions p that looked up row v; most rows of a sample's gradient are zero.

    ⟨dw[n], dw[m]⟩ is therefore a sum over the rows that both looked up, and none that nobody did is ever made.
    """

    def __init__(self, indices: Tensor, shape: Sequence[int], grad_output: Tensor) -> None:
        """Indices (N, L), rows (V, D), dy (N, L, D)."""
        super().__init__(shape, {"grad_output": grad_output, "indices": indices})
        self.indices, self.dy = indices, grad_output

    def gradients(self, piece: slice = EVERYTHING) -> Tensor:
        """(n, V, D)."""
        return self._dense(self.indices[piece], self.dy[piece], self.shape[0])

    def weighted(self, coefficients: Tensor | None = None) -> Tensor:
        """(V, D)."""
        dy = self.dy.to(self.dtype)
        if coefficients is not None:
            dy = dy * coefficients.to(self.dtype).view(-1, 1, 1)
        # (N, L) and (N, L, D) → (V, D)
        return dy.new_zeros(self.shape).index_add_(0, self.indices.flatten(), dy.flatten(0, 1))

    def dots(self, direction: Tensor) -> Tensor:
        """(N,): Σ dy[n,p] · v[row of p]."""
        out = self.like.new_zeros(self.samples, dtype=self.dtype)
        for piece in self._pieces(self.dy.shape[1]):
            rows = direction.to(self.dtype)[self.indices[piece]]  # (V, D) → (n, L, D)
            out[piece] = (self.dy[piece].to(self.dtype).conj() * rows).sum((1, 2))
        return out

    def sqnorms(self) -> Tensor:
        """(N,): of each sample only the rows that it looked up."""
        out = self.like.new_zeros(self.samples, dtype=self.dtype.to_real())
        for piece in self._pieces(self.dy.shape[1]):
            indices = self.indices[piece]
            sample = torch.arange(len(indices), device=indices.device).view(-1, 1)
            keys, place = torch.unique(sample * self.shape[0] + indices, return_inverse=True)  # of (sample, row)
            rows = self._dense(place.flatten()[None], self.dy[piece].flatten(0, 1)[None], len(keys))[0]
            out[piece].index_add_(0, keys // self.shape[0], torch.linalg.vector_norm(rows, dim=1).square_())
        return out

    def gram(self) -> Tensor:
        """(N, N): some of the rows that anybody looked up at a time."""
        rows, place = torch.unique(self.indices, return_inverse=True)  # (N, L) → (U,) and (N, L)
        out = self.like.new_zeros(self.samples, self.samples, dtype=self.dtype)
        step = max(1, self.max_bytes // max(1, self.samples * self.shape[1] * self.dtype.itemsize))
        for start in range(0, len(rows), step):
            at = place - start
            within = ((at >= 0) & (at < step)).unsqueeze(2)
            part = self._dense(at.clamp(0, step - 1), self.dy * within, step).flatten(1)  # (N, u·D)
            out.addmm_(part.conj(), part.mT)  # (N, u·D) @ (u·D, N) = (N, N)
        return out

    def _dense(self, indices: Tensor, dy: Tensor, rows: int) -> Tensor:
        """Indices (n, L) into so many rows, dy (n, L, D) → (n, rows, D)."""
        samples, (_, D) = len(indices), self.shape
        first = torch.arange(samples, device=indices.device).view(-1, 1) * rows
        out = dy.new_zeros(samples * rows, D, dtype=self.dtype)
        # (n, L) and (n, L, D) → (n·rows, D) → (n, rows, D)
        out.index_add_(0, (first + indices).flatten(), dy.flatten(0, 1).to(self.dtype))
        return out.view(samples, rows, D)

    def _pieces(self, rows: int) -> Sequence[slice]:
        """Slices of the batch, of as many samples as have so many rows that fit."""
        step = max(1, self.max_bytes // max(1, rows * self.shape[1] * self.dtype.itemsize))
        return [slice(start, start + step) for start in range(0, self.samples, step)]


def embedding(
    op: str,
    input: Tensor,
    weight_size: Sequence[int],
    grad_output: Tensor,
    padding_idx: int | None = None,
    **_: Unpack[Extra],
) -> Rows:
    """Every sample's gradient of `torch.nn.functional.embedding` with respect to its weight.

    dw[n,v,d] = Σ dy[n,p,d] over the positions p with x[n,p] = v. The norms and inner products are had from the rows
    that were looked up, and cost no more for a large table.

    Args:
        input: x, integers (N, *), the rows to look up; () is one sample of one.
        weight_size: (V, D).
        grad_output: dy, (N, *, D).
        padding_idx: the row, also counted from the end, that gets no gradient.
        max_bytes: what the work may take at a time beside operands and result, but at least one sample's share.

    Returns:
        (N, V, D).

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    check_tensors(op, grad_output=grad_output)
    if not isinstance(input, Tensor) or input.dtype not in (torch.int32, torch.int64):
        raise error(op, "input must be a tensor of integers", input=getattr(input, "dtype", type(input).__name__))
    shape = as_size(op, "weight_size", weight_size)
    if len(shape) != 2 or grad_output.shape != (*input.shape, *shape[1:]) or input.device != grad_output.device:
        sizes = {"input": input.shape, "weight": shape, "grad_output": grad_output.shape}
        raise error(op, "the operands do not go together", **sizes, needed="(N, *), (V, D) and (N, *, D)")
    if input.numel() and not 0 <= int(input.min()) <= int(input.max()) < shape[0]:
        raise error(op, "there are not so many rows", weight=shape, input=f"{int(input.min())} to {int(input.max())}")
    indices, dy = samples_first(input.long(), grad_output)
    if padding_idx is not None:
        if not isinstance(padding_idx, int) or not -shape[0] <= padding_idx < shape[0]:
            raise error(op, "padding_idx must be one of the rows", weight=shape, padding_idx=padding_idx)
        dy = dy.masked_fill((indices == padding_idx % shape[0]).unsqueeze(2), 0)
    return Rows(indices, shape, dy)


def samples_first(indices: Tensor, grad_output: Tensor) -> tuple[Tensor, Tensor]:
    """(N, *) and (N, *, D) → (N, L) and (N, L, D); () is one sample."""
    samples = indices.shape[0] if indices.dim() else 1
    length = indices.shape[1:].numel()
    return indices.reshape(samples, length), grad_output.reshape(samples, length, grad_output.shape[-1])


(
    embedding_weight,
    embedding_weight_sqnorm,
    embedding_weight_dot,
    embedding_weight_gram,
    embedding_weight_weighted,
) = family(embedding)
