"""The readable algorithm: windows of the input as columns, one matrix product, and the fold that adds windows back.

Axis letters: N batch, C and O input and output channels, G groups, I input grid, K taps, L output positions. The
columns of a batch are one matrix (C/G·K, N·L) for each group, so that all three functions are one product:

    y = w · cols        dw = dy · colsᵀ        cols = wᵀ · dy, and dx is their fold

Columns are made for a few samples at a time, whose number keeps them near `PIECE` bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from .._geometry import ConvGeometry, spans

PIECE = 8 << 20  # bytes of columns at a time: they should still lie in the cache when the product reads them

HALVES = (torch.float16, torch.bfloat16)
Algorithm = Callable[..., Tensor]  # (operand, operand, geometry[, bias])


def windows(x: Tensor, geometry: ConvGeometry) -> Tensor:
    """(N, C, *I) → (N, C, *K, *L): what each tap of the kernel sees. A view, of a copy only where there is padding."""
    if any(map(any, geometry.padding)):
        x = F.pad(x, [end for pair in reversed(geometry.padding) for end in pair])
    span = spans(geometry.kernel, geometry.dilation)
    for i, (covers, stride, dilation, length) in enumerate(
        zip(span, geometry.stride, geometry.dilation, geometry.output, strict=True)
    ):
        x = x.unfold(2 + i, covers, stride).narrow(2 + i, 0, length)[..., ::dilation]
    # (N, C, *L, *K) → (N, C, *K, *L)
    D = geometry.dims
    return x.permute(0, 1, *range(2 + D, 2 + 2 * D), *range(2, 2 + D))


def fold(cols: Tensor, geometry: ConvGeometry) -> Tensor:
    """The adjoint of `windows`: (N, C, *K, *L) → (N, C, *I), everything that was read from a pixel added to it."""
    padded = cols.new_zeros(*cols.shape[:2], *geometry.padded)
    for tap in geometry.taps():
        padded[:, :, *geometry.seen_by(tap)] += cols[:, :, *tap]  # type: ignore[index]  # slices and ints are objects to it
    inside = (slice(low, low + size) for size, (low, _) in zip(geometry.input, geometry.padding, strict=True))
    return padded[:, :, *inside]


def refusal(op: str, a: Tensor, b: Tensor, geometry: ConvGeometry) -> str:  # noqa: ARG001
    """Never: this one takes whatever there is."""
    return ""


def in_float32(algorithm: Algorithm) -> Algorithm:
    """Half precision sums in float32, as in the framework's kernels."""

    @wraps(algorithm)
    def widened(a: Tensor, b: Tensor, geometry: ConvGeometry, *bias: Tensor | None) -> Tensor:
        if a.dtype not in HALVES:
            return algorithm(a, b, geometry, *bias)
        return algorithm(a.float(), b.float(), geometry, *(one if one is None else one.float() for one in bias))

    return widened


@in_float32
def conv(x: Tensor, w: Tensor, geometry: ConvGeometry) -> Tensor:
    """x (N, C, *I), w (O, C/G, *K) → y (N, O, *L)."""
    G, O = geometry.groups, w.shape[0]
    w = w.reshape(G, O // G, w[0].numel())  # (O, C/G, *K) → (G, O/G, C/G·K)
    y = x.new_empty(x.shape[0], O, *geometry.output)
    for piece in _pieces(x, geometry):
        # (G, O/G, C/G·K) @ (G, C/G·K, n·L) = (G, O/G, n·L) → (n, O, *L)
        product = w @ _columns(x[piece], geometry)
        y[piece] = product.view(O, *y[piece].shape[:1], *geometry.output).transpose(0, 1)
    return y


@in_float32
def conv_weight(x: Tensor, dy: Tensor, geometry: ConvGeometry) -> Tensor:
    """x (N, C, *I), dy (N, O, *L) → dw (O, C/G, *K)."""
    G, C, O = geometry.groups, x.shape[1], dy.shape[1]
    dw = x.new_zeros(G, O // G, C // G * prod(geometry.kernel))
    for piece in _pieces(x, geometry):
        # (G, O/G, n·L) @ (G, n·L, C/G·K) = (G, O/G, C/G·K)
        dw.baddbmm_(_rows(dy[piece], geometry), _columns(x[piece], geometry).mT)
    return dw.view(O, C // G, *geometry.kernel)


@in_float32
def conv_input(w: Tensor, dy: Tensor, geometry: ConvGeometry) -> Tensor:
    """w (O, C/G, *K), dy (N, O, *L) → dx (N, C, *I)."""
    G, O, C = geometry.groups, w.shape[0], w.shape[1] * geometry.groups
    w = w.reshape(G, O // G, w[0].numel())  # (O, C/G, *K) → (G, O/G, C/G·K)
    dx = dy.new_empty(dy.shape[0], C, *geometry.input)
    for piece in _pieces(dx, geometry):
        # (G, C/G·K, O/G) @ (G, O/G, n·L) = (G, C/G·K, n·L) → (C, *K, n, *L) → (n, C, *K, *L)
        cols = w.mT @ _rows(dy[piece], geometry)
        cols = cols.view(C, *geometry.kernel, *dx[piece].shape[:1], *geometry.output)
        dx[piece] = fold(cols.movedim(1 + geometry.dims, 0), geometry)
    return dx


def _columns(x: Tensor, geometry: ConvGeometry) -> Tensor:
    """(n, C, *I) → (G, C/G·K, n·L), the one copy."""
    taps = prod(geometry.kernel) * x.shape[1] // geometry.groups
    seen = windows(x, geometry).movedim(0, 1 + geometry.dims)  # (n, C, *K, *L) → (C, *K, n, *L)
    return seen.reshape(geometry.groups, taps, x.shape[0] * prod(geometry.output))


def _rows(dy: Tensor, geometry: ConvGeometry) -> Tensor:
    """(n, O, *L) → (G, O/G, n·L)."""
    n, O, G = dy.shape[0], dy.shape[1], geometry.groups
    return dy.transpose(0, 1).reshape(G, O // G, n * prod(geometry.output))


def _pieces(x: Tensor, geometry: ConvGeometry) -> Iterator[slice]:
    """Slices of the batch, each as many samples as `PIECE` bytes of columns hold, at least one."""
    sample = x.shape[1] * prod(geometry.kernel) * prod(geometry.output) * x.element_size()
    step = max(1, PIECE // max(1, sample))
    return (slice(start, start + step) for start in range(0, x.shape[0], step))
