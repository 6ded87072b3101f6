"""The one law of convolution as a dense table for each axis, so that a slip in it is a slip in a table.

    input position = output position · stride + kernel position · dilation − low

`table[i, p, k]` is 1 where the law holds. All three functions of a convolution, and what becomes of them when stride
or padding is forgotten, a tap is flipped or a window overwritten, are one contraction with such tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Axis:
    """One spatial axis: the sizes of its three grids and the numbers of the law."""

    size: int
    kernel: int
    output: int
    stride: int = 1
    dilation: int = 1
    low: int = 0
    flipped: bool = False  # the kernel read from its end
    keep: str = ""  # 'last window', 'last tap': where several reach one input position, this one only
    shared: bool = False  # divided by how many reach it
    limit: int | None = None  # only this many windows count
    high: int | None = None  # padding at the end, where it is not that at the beginning

    def table(self) -> Tensor:
        """(I, L, K)."""
        i, p, k = (torch.arange(n) for n in (self.size, self.output, self.kernel))
        holds = p[:, None] * self.stride + k * self.dilation - self.low == i[:, None, None]
        table = holds.flip(2) if self.flipped else holds
        if self.limit is not None:
            table = table & (p < self.limit)[:, None]
        if self.keep:
            table = self._only_one(table)
        dense = table.double()
        return dense / dense.sum((1, 2), keepdim=True).clamp(min=1) if self.shared else dense

    def _only_one(self, table: Tensor) -> Tensor:
        """For each input position the largest window, or the largest tap, that reaches it."""
        axis = 1 if self.keep == "last window" else 2
        later = table.flip(axis).any(3 - axis).double().cumsum(1).flip(1)  # how many come at this or after it
        return table & (later == 1).unsqueeze(3 - axis)

    def natural(self) -> int:
        """The input size that the output's windows span, without a remainder."""
        return (self.output - 1) * self.stride + self.dilation * (self.kernel - 1) + 1 - self.padding

    @property
    def padding(self) -> int:
        """Both sides together."""
        return self.low + (self.low if self.high is None else self.high)

    def windows(self, size: int) -> int:
        """How many windows an input of that size has, without padding."""
        return max(0, (size - self.dilation * (self.kernel - 1) - 1) // self.stride + 1)


def changed(axes: Sequence[Axis], **changes: object) -> tuple[Axis, ...]:
    """The axes with the same change in each."""
    return tuple(replace(axis, **changes) for axis in axes)  # type: ignore[arg-type]


def columns(x: Tensor, axes: Sequence[Axis]) -> Tensor:
    """(N, C, *I) → every window: (N, C, *K, *L)."""
    for axis in axes:  # (…, I, …) → (…, L, K) behind, one axis after the other
        x = torch.tensordot(x, axis.table(), dims=([2], [0]))
    return _kernel_first(x, len(axes))


def _kernel_first(x: Tensor, dims: int) -> Tensor:
    """(N, C, L, K, L, K …) → (N, C, *K, *L)."""
    return x.permute(0, 1, *range(3, 2 + 2 * dims, 2), *range(2, 2 + 2 * dims, 2))


def fold(cols: Tensor, axes: Sequence[Axis]) -> Tensor:
    """(N, C, *K, *L) → the image that every entry is added to: (N, C, *I)."""
    dims = len(axes)
    for done, axis in enumerate(axes):  # K leads at 2, its L at 2 + what is left of K
        cols = torch.tensordot(cols, axis.table(), dims=([2, 2 + dims - done], [2, 1]))
    return cols


def fold_sideways(cols: Tensor, axes: Sequence[Axis]) -> Tensor:
    """The fold that is given (W, H): columns (N, C, kh, kw, H′, W′) are read as (N, C, kw, kh, W′, H′)."""
    dims = len(axes)
    sizes = (*reversed(cols.shape[2 : 2 + dims]), *reversed(cols.shape[2 + dims :]))
    return fold(cols.reshape(*cols.shape[:2], *sizes), axes[::-1])


def conv(x: Tensor, w: Tensor, axes: Sequence[Axis], groups: int = 1) -> Tensor:
    """(N, C, *I), (O, C/G, *K) → (N, O, *L)."""
    cols, w = _grouped(columns(x, axes), 1, groups), _grouped(w, 0, groups)
    n, g, dims = cols.shape[0], groups, len(axes)
    taps = cols.shape[2 : 3 + dims].numel()
    # (G, O/G, C/G·K) @ (N, G, C/G·K, L) = (N, G, O/G, L)
    y = w.reshape(g, -1, taps) @ cols.reshape(n, g, taps, -1)
    return y.reshape(n, -1, *(axis.output for axis in axes))


def conv_weight(cols: Tensor, dy: Tensor, dims: int, groups: int = 1) -> Tensor:
    """Columns (N, C, *K, *L), dy (N, O, *L) → (O, C/G, *K)."""
    n, kernel = cols.shape[0], cols.shape[2 : 2 + dims]
    dy = dy.reshape(n, groups, dy.shape[1] // groups, -1)
    flat = cols.reshape(n, groups, -1, dy.shape[-1])
    # (N, G, O/G, L) @ (N, G, L, C/G·K) = (N, G, O/G, C/G·K), then the sum over N
    return (dy @ flat.mT).sum(0).reshape(-1, cols.shape[1] // groups, *kernel)


def column_gradient(w: Tensor, dy: Tensor, groups: int = 1) -> Tensor:
    """w (O, C/G, *K), dy (N, O, *L) → (N, C, *K, *L)."""
    n, kernel, output = dy.shape[0], w.shape[2:], dy.shape[2:]
    flat = w.reshape(groups, w.shape[0] // groups, -1)
    # (G, C/G·K, O/G) @ (N, G, O/G, L) = (N, G, C/G·K, L)
    cols = flat.mT @ dy.reshape(n, groups, dy.shape[1] // groups, -1)
    return cols.reshape(n, -1, *kernel, *output)


def conv_input(w: Tensor, dy: Tensor, axes: Sequence[Axis], groups: int = 1) -> Tensor:
    """w (O, C/G, *K), dy (N, O, *L) → (N, C, *I)."""
    return fold(column_gradient(w, dy, groups), axes)


def _grouped(tensor: Tensor, axis: int, groups: int) -> Tensor:
    shape = tensor.shape
    return tensor.reshape(*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :])
