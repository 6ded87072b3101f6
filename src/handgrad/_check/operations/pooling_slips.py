"""The slips of a pooling: who gets a window's gradient, and where it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..slips import Backwards, Slip
from ._axis_slips import geometries
from ._grid_slips import SIDEWAYS, result_geometries
from ._law import Axis, columns, fold, fold_sideways
from .operation import Known


@dataclass(frozen=True)
class Pooling:
    """One draw of a pooling: each channel stands alone, every window has a weight for each of its places."""

    known: Known
    axes: tuple[Axis, ...]
    is_max: bool

    def shares(self) -> Tensor:
        """What each place of each window gets of its dy: (N, C, *K, *L), or (1, 1, *K, *L) where x does not matter."""
        dims = len(self.axes)
        if self.is_max:
            windows = self.windows()
            first = F.one_hot(windows.argmax(2), windows.shape[2]).movedim(-1, 2).double()
            return first.reshape(*windows.shape[:2], *(axis.kernel for axis in self.axes), *windows.shape[3:])
        kernel = [axis.kernel for axis in self.axes]
        return torch.full((1, 1, *kernel, *[1] * dims), 1 / torch.Size(kernel).numel(), dtype=torch.float64)

    def windows(self) -> Tensor:
        """x in windows, padding being −∞: (N, C, K, *L)."""
        outside = columns(torch.ones_like(self.known.input), self.axes) == 0
        cols = columns(self.known.input, self.axes).masked_fill(outside, -torch.inf)
        return cols.flatten(2, 1 + len(self.axes))

    def gradient(self, g: Tensor, axes: tuple[Axis, ...] | None = None, shares: Tensor | None = None) -> Tensor:
        """dx by another geometry or other shares."""
        return fold(self.columns(g, self.shares() if shares is None else shares), axes or self.axes)

    def columns(self, g: Tensor, shares: Tensor) -> Tensor:
        """What each place of each window gets: (N, C, *K, *L)."""
        cols = shares * g.reshape(*g.shape[:2], *[1] * len(self.axes), *g.shape[2:])  # (N, C, 1…, *L)
        return cols.expand(*cols.shape[:2], *(axis.kernel for axis in self.axes), *g.shape[2:])

    def sideways(self, g: Tensor) -> Tensor:
        """dx by a fold that is given (W, H)."""
        return fold_sideways(self.columns(g, self.shares()), self.axes)


def pooling_slips(this: Pooling) -> Backwards:
    """Every slip of a pooling; none where the last windows are smaller than the others."""
    if this.known.options.get("ceil_mode"):
        return
    yield from _ties(this) if this.is_max else ()
    for path, axes in geometries(this.axes, "input", False):
        yield path, partial(this.gradient, axes=axes)
    for slip, axes, finish in result_geometries(this.axes, "input", False, this.known.code):
        yield (slip,), partial(_finished, finish, this, axes)
    if len(this.axes) == 2 and this.axes[0] != this.axes[1]:
        yield (SIDEWAYS,), this.sideways
        yield (SIDEWAYS,), lambda g: this.sideways(g).reshape(this.known.input.shape)
    yield from _turned(this)
    yield from _overlaps(this)
    yield from _laid_out(this)


def _turned(this: Pooling) -> Backwards:
    """Windows that lie on their side: (kw, kh) for (kh, kw), with their strides."""
    sides = [(axis.kernel, axis.stride, axis.low) for axis in this.axes[::-1]]
    turned = tuple(replace(a, kernel=k, stride=s, low=p) for a, (k, s, p) in zip(this.axes, sides, strict=True))
    if turned != this.axes:
        message = "the windows have height and width exchanged"
        slip = Slip("height-width-swapped", "windows", message, "the window in the order (height, width)")
        yield (slip,), replace(this, axes=turned).gradient


def _overlaps(this: Pooling) -> Backwards:
    """What does not add up where windows overlap."""
    fix = "accumulate where windows overlap: `+=`"
    for keep in ("last window", "last tap"):
        axes = tuple(replace(axis, keep=keep) for axis in this.axes)
        message = f"where windows overlap only the {keep} is left: `=` stands where `+=` belongs"
        yield (Slip("overwrite-instead-of-accumulate", keep, message, fix),), partial(this.gradient, axes=axes)
    if this.is_max:
        message = "a maximum shared by windows gets one window's gradient"
        yield (Slip("overwrite-instead-of-accumulate", "max_unpool", message, fix),), partial(_unpooled, this)
    message, fix = "overlapping windows are averaged", "do not divide by how many windows overlap"
    slip = Slip("averaged-overlap", None, message, fix)
    yield (slip,), partial(this.gradient, axes=tuple(replace(axis, shared=True) for axis in this.axes))


def _laid_out(this: Pooling) -> Backwards:
    """Windows side by side reshaped into the image, whose axes must be interleaved: (…, H′, W′, kh, kw) for (H, W)."""
    dims, x = len(this.axes), this.known.input
    if dims > 2 or any(axis.kernel * axis.output != axis.size for axis in this.axes):
        return
    right = tuple(axis for i in range(dims) for axis in (2 + dims + i, 2 + i))

    def shown(order: tuple[int, ...]) -> list[int]:  # an average has the same share for all places of a window
        return list(order) if this.is_max else [max(1 + dims, axis) for axis in order]

    for order in permutations(range(2, 2 + 2 * dims)):
        if shown(order) != shown(right):
            message = "the windows are reshaped into the image, whose rows and columns they must be permuted into"
            fix = "permute to (N, C, H′, kh, W′, kw) before the reshape"
            yield (
                (Slip("reshape-instead-of-permute", ("windows", order), message, fix),),
                partial(_reshaped, this, order, x.shape),
            )


def _reshaped(this: Pooling, order: tuple[int, ...], shape: torch.Size, g: Tensor) -> Tensor:
    return this.columns(g, this.shares()).permute(0, 1, *order).reshape(shape)


def _finished(finish: Callable[[Tensor], Tensor], this: Pooling, axes: tuple[Axis, ...], g: Tensor) -> Tensor:
    return finish(this.gradient(g, axes=axes))


def _ties(this: Pooling) -> Backwards:
    message = "every one of several equal maxima in a window gets the whole gradient: it is counted twice"
    slip = Slip("ties-counted-twice", None, message, "give it to one of them (argmax), or divide by their number")
    yield (slip,), partial(this.gradient, shares=tied(this))
    slip = Slip(
        "mask-missing", None, "every entry of a window gets the gradient, not the maximum alone", "mask with the argmax"
    )
    yield (slip,), partial(this.gradient, shares=torch.ones_like(this.shares()))
    message = "the mask is upside down: it lets through every entry of a window but its maximum"
    slip = Slip("mask-from-wrong-tensor", "inverted", message, "let the maximum through")
    yield (slip,), partial(this.gradient, shares=1 - tied(this))


def tied(this: Pooling) -> Tensor:
    """Which places of each window hold its maximum, of the shape of `shares`."""
    windows = this.windows()
    return (windows == windows.amax(2, keepdim=True)).double().reshape(this.shares().shape)


def _unpooled(this: Pooling, g: Tensor) -> Tensor:
    """`dx[argmax] = dy`, window after window: the last one that has its maximum there stays."""
    dims, x = len(this.axes), this.known.input
    place = columns(torch.arange(x[0, 0].numel(), dtype=torch.float64).reshape(1, 1, *x.shape[2:]), this.axes)
    taken = (this.shares() * place).flatten(2, 1 + dims).sum(2).long().flatten(2)  # (N, C, L)
    dx = torch.zeros_like(x).flatten(2)
    for p, each in enumerate(g.flatten(2).unbind(2)):
        dx.scatter_(2, taken[:, :, p : p + 1], each.unsqueeze(2))
    return dx.reshape(x.shape)
