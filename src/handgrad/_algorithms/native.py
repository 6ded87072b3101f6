"""PyTorch's own convolution: a peer to race, to fall back on, and what runs on a GPU.

Its padding is the same on both sides, and its output is as large as it can be. Here both grids are given, so the input
is padded or cropped to exactly what the windows see, wherever that is not what PyTorch would do by itself.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from .._cache import cached
from .._geometry import ConvGeometry, Ints, spans
from .reference import HALVES, Algorithm, in_float32

_Ends = list[int]
_Options = tuple[Ints, Ints, Ints, bool, Ints, int]


def refusal(op: str, a: Tensor, b: Tensor, geometry: ConvGeometry) -> str:  # noqa: ARG001
    """Real numbers only: as one operator, PyTorch has no gradients of a convolution of complex ones."""
    return "complex numbers: PyTorch has no operator for their gradients" if a.is_complex() else ""


def _in_float32_on_a_cpu(algorithm: Algorithm) -> Algorithm:
    """A GPU sums halves in float32 by itself, and rounds at the end."""
    widened = in_float32(algorithm)

    def call(a: Tensor, b: Tensor, geometry: ConvGeometry, *bias: Tensor | None) -> Tensor:
        return (widened if a.is_cpu and a.dtype in HALVES else algorithm)(a, b, geometry, *bias)

    return call


@_in_float32_on_a_cpu
def conv(x: Tensor, w: Tensor, geometry: ConvGeometry, bias: Tensor | None = None) -> Tensor:
    """x (N, C, *I), w (O, C/G, *K) → y (N, O, *L), with a bias (O,) in the same pass."""
    ends, options = _split(geometry)
    return torch.convolution(_pad(x, ends), w, bias, *options)


@_in_float32_on_a_cpu
def conv_weight(x: Tensor, dy: Tensor, geometry: ConvGeometry) -> Tensor:
    """x (N, C, *I), dy (N, O, *L) → dw (O, C/G, *K)."""
    ends, options = _split(geometry)
    w = _size_alone(x, (dy.shape[1], x.shape[1] // geometry.groups, *geometry.kernel))
    _, dw, _ = _backward(dy, _pad(x, ends), w, None, *options, (False, True, False))
    return cast("Tensor", dw)


@_in_float32_on_a_cpu
def conv_input(w: Tensor, dy: Tensor, geometry: ConvGeometry) -> Tensor:
    """w (O, C/G, *K), dy (N, O, *L) → dx (N, C, *I)."""
    ends, options = _split(geometry)
    grid = (size + low + high for size, low, high in zip(geometry.input, ends[-2::-2], ends[::-2], strict=True))
    x = _size_alone(w, (dy.shape[0], w.shape[1] * geometry.groups, *grid))
    dx, _, _ = _backward(dy, x, w, None, *options, (True, False, False))
    return _pad(dx, [-end for end in ends])  # the adjoint of padding is cropping, and the reverse


def conv_backward(x: Tensor, w: Tensor, dy: Tensor, geometry: ConvGeometry) -> tuple[Tensor, Tensor]:
    """x (N, C, *I), w (O, C/G, *K), dy (N, O, *L) → dx, dw: of one call, which needs nothing to stand for x."""
    if x.is_cpu and x.dtype in HALVES:
        return conv_input(w, dy, geometry), conv_weight(x, dy, geometry)
    ends, options = _split(geometry)
    dx, dw, _ = _backward(dy, _pad(x, ends), w, None, *options, (True, True, False))
    return _pad(dx, [-end for end in ends]), cast("Tensor", dw)


_backward = torch.ops.aten.convolution_backward


def _size_alone(like: Tensor, size: Ints) -> Tensor:
    """A tensor of this size without memory of its own, as in `torch.nn.grad`: it stands for the unknown operand."""
    return like.new_empty_strided(size, (0,) * len(size))


@cached
def _split(geometry: ConvGeometry) -> tuple[_Ends, _Options]:
    """What is left for `F.pad`, in its order, (low, high) from the last axis on; and PyTorch's own arguments.

    The windows see (L − 1)·stride + span positions from −low on; on the high side that is less than the padded input
    where a stride leaves rows unread.
    """
    g = geometry
    covers = zip(spans(g.kernel, g.dilation), g.stride, g.output, strict=True)
    sees = [(length - 1) * stride + span for span, stride, length in covers]
    by_itself = all(
        low == high and 0 <= low + size + high - seen < stride
        for (low, high), size, seen, stride in zip(g.padding, g.input, sees, g.stride, strict=True)
    )
    none = (0,) * g.dims
    if by_itself:
        padding, ends = tuple(low for low, _ in g.padding), [0, 0] * g.dims
    else:
        exact = [(low, seen - low - size) for (low, _), size, seen in zip(g.padding, g.input, sees, strict=True)]
        padding, ends = none, [end for pair in reversed(exact) for end in pair]
    return ends, (g.stride, padding, g.dilation, False, none, g.groups)  # False, none: not transposed


def _pad(x: Tensor, ends: _Ends) -> Tensor:
    """Grown first, then cropped: a window may see so little of the input that its crop reaches into its padding."""
    if not any(ends):
        return x
    for part in ([max(end, 0) for end in ends], [min(end, 0) for end in ends]):
        x = F.pad(x, part) if any(part) else x
    return x
