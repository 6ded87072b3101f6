"""The two known operands of a weight gradient, as matrices, with each sample on its own.

Before the batch is summed, the gradient of one sample is one product for each group:

    dw[n] = met[n] · seen[n]ᵀ        met (B/G, L)   seen (A/G·K, L)

`seen` are the columns of what the windows read, `met` is what they meet at each position. Of a convolution they are x
and dy; of a transposed one they are dy and x, the roles exchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

from torch import Tensor

from .._algorithms import reference
from .._errors import error
from .._geometry import ConvGeometry, Ints
from .._operands import check_grad_output, check_tensors
from .._padding import pad, padded
from .._tensors import wide
from . import convolution, transposed
from ._common import Crop, Padding, PaddingMode, Size, as_size, batched


@dataclass(frozen=True)
class Sides:
    """Two operands, checked against each other; known operands of a gradient are conjugate already."""

    seen: Tensor  # (N, A, *I)
    met: Tensor  # (N, B, *L)
    weight: Ints  # (B, A/G, *K)
    geometry: ConvGeometry
    padding_mode: PaddingMode
    transposed: bool = False  # whether what the windows read is dy

    @property
    def samples(self) -> int:
        """N."""
        return self.met.shape[0]

    @property
    def positions(self) -> int:
        """L."""
        return prod(self.geometry.output)

    @property
    def heights(self) -> Ints:
        """(B/G, A/G·K): how many numbers of each side stand at one position, in one group."""
        return self.met.shape[1] // self.geometry.groups, prod(self.weight[1:])

    def part(self, piece: slice) -> Sides:
        """The sides of some samples."""
        return replace(self, seen=self.seen[piece], met=self.met[piece])

    def columns(self, piece: slice) -> Tensor:
        """(n, G, A/G·K, L): what the windows of these samples read, in at least float32."""
        x = self.seen[piece]
        x = pad(x.to(wide(x)), self.geometry, self.padding_mode)
        cols = reference.windows(x, padded(self.geometry, self.padding_mode))
        # (n, A, *K, *L) → (n, G, A/G·K, L)
        return cols.reshape(x.shape[0], self.geometry.groups, self.heights[1], self.positions)

    def rows(self, piece: slice) -> Tensor:
        """(n, G, B/G, L): what they meet, in at least float32."""
        y = self.met[piece]
        # (n, B, *L) → (n, G, B/G, L)
        return y.to(wide(y)).reshape(y.shape[0], self.geometry.groups, self.heights[0], self.positions)

    def pieces(self, entries: int, max_bytes: int) -> Iterator[slice]:
        """Slices of the batch, each at least one sample: as many as, with copies of their sides and `entries`, fit.

        What the windows read is copied twice, in at least float32 and with its padding, before it is columns.
        """
        g, (met, seen) = self.geometry, self.heights
        copied = g.groups * self.positions * (met + seen) + self.seen.shape[1] * (prod(g.input) + prod(g.padded))
        sample = (copied + entries) * wide(self.met).itemsize
        step = max(1, max_bytes // max(1, sample))
        return (slice(start, min(start + step, self.samples)) for start in range(0, self.samples, step))


def of_conv(
    op: str,
    dims: int,
    input: Tensor,
    weight_size: Sequence[int],
    grad_output: Tensor,
    stride: Size,
    padding: Padding,
    dilation: Size,
    groups: int,
    padding_mode: PaddingMode,
) -> Sides:
    """The sides of a convolution: windows read x̄ and meet dy."""
    check_tensors(op, input=input, grad_output=grad_output)
    weight = as_size(op, "weight_size", weight_size)
    geometry, size = convolution.settle(op, dims, input.shape, weight, stride, padding, dilation, groups, padding_mode)
    check_grad_output(op, grad_output.shape, size, geometry, convolution.OUTPUT)
    return Sides(batched(input, dims).conj(), batched(grad_output, dims), weight, geometry, padding_mode)


def of_transposed(
    op: str,
    dims: int,
    input: Tensor,
    weight_size: Sequence[int],
    grad_output: Tensor,
    stride: Size,
    padding: Crop,
    output_padding: Size,
    groups: int,
    dilation: Size,
) -> Sides:
    """The sides of a transposed convolution: windows read dy and meet x̄."""
    check_tensors(op, input=input, grad_output=grad_output)
    weight = as_size(op, "weight_size", weight_size)
    geometry, size = transposed.settle(op, dims, input.shape, weight, stride, padding, output_padding, groups, dilation)
    check_grad_output(op, grad_output.shape, size, geometry, transposed.OUTPUT)
    return Sides(batched(grad_output, dims), batched(input, dims).conj(), weight, geometry, "zeros", transposed=True)


def of_linear(op: str, input: Tensor, weight_size: Sequence[int], grad_output: Tensor) -> Sides:
    """The sides of a fully connected layer, a convolution with a kernel of one over the axes before the last."""
    check_tensors(op, input=input, grad_output=grad_output)
    weight = as_size(op, "weight_size", weight_size)
    if len(weight) != 2 or input.shape[-1:] != weight[1:] or grad_output.shape != (*input.shape[:-1], *weight[:1]):
        rows = {"input": input.shape, "weight": weight, "grad_output": grad_output.shape}
        raise error(op, "the sizes do not go together", **rows, needed="(N, *, in), (out, in) and (N, *, out)")
    x, dy = (_positions_last(side) for side in (input, grad_output))
    length = (x.shape[2],)
    geometry = ConvGeometry(length, length, kernel=(1,), stride=(1,), dilation=(1,), padding=((0, 0),), groups=1)
    return Sides(x.conj(), dy, (*weight, 1), geometry, "zeros")


def _positions_last(tensor: Tensor) -> Tensor:
    """(N, *L, features) → (N, features, L); (features,) is one sample, and of no position there is one of zeros."""
    samples = tensor.shape[0] if tensor.dim() > 1 else 1
    positions = prod(tensor.shape[1:-1])
    if not positions:
        return tensor.new_zeros(samples, tensor.shape[-1], 1)
    return tensor.reshape(samples, positions, tensor.shape[-1]).mT


def check_max_bytes(op: str, max_bytes: object) -> None:
    """Raise unless `max_bytes` is a positive int."""
    if not isinstance(max_bytes, int) or max_bytes < 1:
        raise error(op, "max_bytes must be a positive int", max_bytes=max_bytes)
