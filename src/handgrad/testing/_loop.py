"""An oracle to test convolutions against: the law itself, as a loop over numbers.

>>> import torch, handgrad.testing
>>> loop = handgrad.testing.conv_loop(torch.randn(2, 3, 5, 5), torch.randn(4, 3, 3, 3), torch.ones(2, 4, 3, 3))
>>> loop.output.shape, loop.grad_weight.shape
(torch.Size([2, 4, 3, 3]), torch.Size([4, 3, 3, 3]))

Written to be checked by eye, for small sizes (a microsecond or so for every product of two numbers). It has no matrix
product, no window and no reshape, and it shares nothing with the functions of handgrad: a mistake would have to be
made twice to go unseen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .._errors import error

__all__ = ["Loop", "conv_loop", "conv_transpose_loop"]

_Index = tuple[int, ...]
_Entries = dict[_Index, complex]
_Meeting = tuple[int, int, int]  # output position, kernel position, input position
_Term = tuple[_Index, _Index, _Index]  # where one product of the sum finds its y, its w and its x


class Loop(NamedTuple):
    """What the loops return, in float64 or complex128; the gradients are None where no `grad_output` was given."""

    output: Tensor
    grad_input: Tensor | None
    grad_weight: Tensor | None


def conv_loop(
    input: Tensor,
    weight: Tensor,
    grad_output: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] | Sequence[tuple[int, int]] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Loop:
    """A 1-d, 2-d or 3-d convolution and both its gradients, by a loop; its dimensions are those of the kernel.

    Args:
        input: x, (N, C, *I) or (C, *I).
        weight: w, (O, C/groups, *K).
        grad_output: dy, (N, O, *L) or (O, *L), or None for the output alone.
        stride, padding, dilation, groups, padding_mode: as in `handgrad.conv2d`. They are taken as good: a loop does
            not look for what is wrong with them.

    Raises:
        HandgradError: where grad_output has not the output's size.
    """
    outputs, axes = [], []
    for size, k, s, d, (low, high) in _axes(input, weight, stride, dilation, padding):
        # Windows start every s positions, as long as the dilated kernel still fits.
        outputs.append(len(range(0, low + size + high - d * (k - 1), s)))
        axes.append(list(_meetings(outputs[-1], k, size, s, d, low, padding_mode)))
    batch = input.shape[: -len(axes) - 1]
    terms = _law(batch, weight.shape, groups, axes)
    output_size = (*batch, weight.shape[0], *outputs)
    return _sums("conv_loop", terms, input, weight, grad_output, output_size)


def conv_transpose_loop(
    input: Tensor,
    weight: Tensor,
    grad_output: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | Sequence[tuple[int, int]] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Loop:
    """A transposed convolution and both its gradients, by the same loop with x and y exchanged.

    Args:
        input: x, (N, C, *I) or (C, *I).
        weight: w, (C, O/groups, *K).
        grad_output: dy, (N, O, *L) or (O, *L), or None for the output alone.
        stride, padding, output_padding, groups, dilation: as in `handgrad.conv_transpose2d`, taken as good.

    Raises:
        HandgradError: where grad_output has not the output's size.
    """
    outputs, axes = [], []
    extras = _per_dim(output_padding, weight.dim() - 2)
    for (size, k, s, d, (low, high)), extra in zip(
        _axes(input, weight, stride, dilation, padding), extras, strict=True
    ):
        # The last window starts at (size − 1) · s and covers d · (k − 1) + 1; low and high are cropped.
        outputs.append((size - 1) * s + d * (k - 1) + 1 - low - high + extra)
        axes.append(list(_meetings(size, k, outputs[-1], s, d, low, "zeros")))
    batch = input.shape[: -len(axes) - 1]
    exchanged = ((y_at, w_at, x_at) for x_at, w_at, y_at in _law(batch, weight.shape, groups, axes))
    output_size = (*batch, weight.shape[1] * groups, *outputs)
    return _sums("conv_transpose_loop", exchanged, input, weight, grad_output, output_size)


def _meetings(
    outputs: int, kernel: int, inputs: int, stride: int, dilation: int, low: int, mode: str
) -> Iterator[_Meeting]:
    """The law, along one axis: which input position each tap of the kernel meets at each output position."""
    for p, k in product(range(outputs), range(kernel)):
        position = p * stride + k * dilation - low
        if mode == "circular":
            yield p, k, position % inputs
        elif mode == "replicate":
            yield p, k, min(max(position, 0), inputs - 1)
        elif mode == "reflect":
            yield p, k, min(abs(position), 2 * (inputs - 1) - position)
        elif 0 <= position < inputs:
            yield p, k, position


def _law(batch: _Index, weight: _Index, groups: int, axes: list[list[_Meeting]]) -> Iterator[_Term]:
    """Every term of B(x, w, dy) = Σ dy[n,o,p] · w[o,c,k] · x[n,c,i], as the three places it reads or writes.

    `weight` is (O, C/groups, *K); the k-th axis' meetings (p, k, i) are in `axes[k]`.
    """
    O, per_group = weight[:2]
    places = [tuple(zip(*meetings, strict=True)) for meetings in product(*axes)]  # (p, k, i), each with all axes
    for n, o, c in product(product(*map(range, batch)), range(O), range(per_group)):
        channel = o // (O // groups) * per_group + c
        for p, k, i in places:
            yield (*n, o, *p), (o, c, *k), (*n, channel, *i)


def _sums(op: str, terms: Iterable[_Term], input: Tensor, weight: Tensor, grad: Tensor | None, size: _Index) -> Loop:
    """y = Σ w·x, dx = Σ w̄·dy, dw = Σ x̄·dy, each into the place that the term names."""
    if grad is not None and tuple(grad.shape) != size:
        raise error(op, "grad_output must have the output's size", grad_output=grad.shape, needed=size)
    x, w, dy = _entries(input), _entries(weight), {} if grad is None else _entries(grad)
    y, dx, dw = _zeros(size), _zeros(input.shape), _zeros(weight.shape)
    for y_at, w_at, x_at in terms:
        y[y_at] += w[w_at] * x[x_at]
        if dy:
            dx[x_at] += w[w_at].conjugate() * dy[y_at]
            dw[w_at] += x[x_at].conjugate() * dy[y_at]
    dtype = torch.complex128 if input.is_complex() else torch.float64
    gradients = (None, None) if grad is None else (_tensor(dx, input.shape, dtype), _tensor(dw, weight.shape, dtype))
    return Loop(_tensor(y, size, dtype), *gradients)


def _entries(tensor: Tensor) -> _Entries:
    return dict(zip(product(*map(range, tensor.shape)), tensor.flatten().tolist(), strict=True))


def _zeros(size: _Index) -> _Entries:
    return dict.fromkeys(product(*map(range, size)), 0.0)


def _tensor(entries: _Entries, size: _Index, dtype: torch.dtype) -> Tensor:
    return torch.tensor(list(entries.values()), dtype=dtype).view(size)


def _axes(
    input: Tensor, weight: Tensor, stride: object, dilation: object, padding: object
) -> Iterator[tuple[int, int, int, int, tuple[int, int]]]:
    """(input size, kernel size, stride, dilation, (low, high)) of each spatial axis."""
    kernel = weight.shape[2:]
    dims = len(kernel)
    d = _per_dim(dilation, dims)
    return zip(input.shape[-dims:], kernel, _per_dim(stride, dims), d, _pads(padding, kernel, d), strict=True)


def _per_dim(value: Any, dims: int) -> list[Any]:
    entries = list(value) if isinstance(value, Sequence) else [value]
    return entries * dims if len(entries) == 1 else entries


def _pads(padding: object, kernel: Sequence[int], dilation: Sequence[int]) -> list[tuple[int, int]]:
    """Padding as (low, high) along every axis; of an odd 'same' the high side gets the larger half."""
    if padding == "valid":
        return [(0, 0)] * len(kernel)
    if padding == "same":
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    ends = _per_dim(padding, len(kernel))
    return [(end[0], end[1]) if isinstance(end, Sequence) else (end, end) for end in ends]
