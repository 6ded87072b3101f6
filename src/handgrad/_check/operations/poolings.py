"""Maximum and average pooling in one to three dimensions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..slips import Backwards, Slip
from ._axis_slips import SIDEWAYS, geometries, result_geometries
from ._law import Axis, columns, fold, fold_sideways
from .operation import Known, Operation, Options, Roles, Setting

_MAX: dict[int, Callable[..., Tensor]] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVG: dict[int, Callable[..., Tensor]] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


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


def _slips(dims: int, is_max: bool, known: Known) -> Backwards:
    this = Pooling(known, _axes(dims, known), is_max)
    if known.options.get("ceil_mode"):
        return
    yield from _ties(this) if is_max else ()
    for path, axes in geometries(this.axes, "input", False):
        yield path, partial(this.gradient, axes=axes)
    for slip, axes, finish in result_geometries(this.axes, "input", False, known.code):
        yield (slip,), partial(_finished, finish, this, axes)
    if dims == 2 and this.axes[0] != this.axes[1]:
        yield (SIDEWAYS,), this.sideways
        yield (SIDEWAYS,), lambda g: this.sideways(g).reshape(known.input.shape)
    fix = "accumulate where windows overlap: `+=`"
    for keep in ("last window", "last tap"):
        axes = tuple(replace(axis, keep=keep) for axis in this.axes)
        message = f"where windows overlap only the {keep} is left: `=` stands where `+=` belongs"
        yield (Slip("overwrite-instead-of-accumulate", keep, message, fix),), partial(this.gradient, axes=axes)
    if is_max:
        slip = Slip(
            "overwrite-instead-of-accumulate",
            "max_unpool",
            "a maximum shared by windows gets one window's gradient",
            fix,
        )
        yield (slip,), partial(_unpooled, this)
    slip = Slip(
        "averaged-overlap", None, "overlapping windows are averaged", "do not divide by how many windows overlap"
    )
    yield (slip,), partial(this.gradient, axes=tuple(replace(axis, shared=True) for axis in this.axes))


def _finished(finish: Callable[[Tensor], Tensor], this: Pooling, axes: tuple[Axis, ...], g: Tensor) -> Tensor:
    return finish(this.gradient(g, axes=axes))


def _ties(this: Pooling) -> Backwards:
    message = "every one of several equal maxima in a window gets the whole gradient: it is counted twice"
    slip = Slip("ties-counted-twice", None, message, "give it to one of them (argmax), or divide by their number")
    yield (slip,), partial(this.gradient, shares=_tied(this))
    slip = Slip(
        "mask-missing", None, "every entry of a window gets the gradient, not the maximum alone", "mask with the argmax"
    )
    yield (slip,), partial(this.gradient, shares=torch.ones_like(this.shares()))


def _tied(this: Pooling) -> Tensor:
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


def _conventions(dims: int, known: Known) -> Iterator[Tensor]:
    """At ties: the last maximum instead of the first, or equal parts for all."""
    this = Pooling(known, _axes(dims, known), True)
    tied = _tied(this)
    flat = tied.flatten(2, 1 + dims)
    yield this.gradient(known.g)
    yield this.gradient(known.g, shares=(flat / flat.sum(2, keepdim=True)).reshape(tied.shape))
    last = flat.flip(2).cumsum(2).flip(2) == 1
    yield this.gradient(known.g, shares=(flat * last).reshape(tied.shape))


def _axes(dims: int, known: Known) -> tuple[Axis, ...]:
    kernel, stride, padding, dilation = (_per_axis(known.options, key, dims) for key in _KEYS)
    sizes = zip(known.input.shape[-dims:], known.output.shape[-dims:], strict=True)
    return tuple(Axis(i, kernel[a], o, stride[a], dilation[a], padding[a]) for a, (i, o) in enumerate(sizes))


_KEYS = ("kernel_size", "stride", "padding", "dilation")
_PLAIN = {"padding": 0, "dilation": 1}


def _per_axis(options: Options, key: str, dims: int) -> tuple[int, ...]:
    value = options.get(key)
    if value is None:
        value = options["kernel_size"] if key == "stride" else _PLAIN[key]
    return (value,) * dims if isinstance(value, int) else tuple(value)


_SETTINGS: dict[int, list[tuple[str, tuple[int, ...], Any, Any, Any]]] = {
    1: [("R1", (3, 2, 11), 3, 2, 1), ("R2", (2, 3, 9), 2, 2, 0), ("overlap", (2, 3, 13), 4, 1, 0)],
    2: [
        ("R1", (3, 2, 10, 14), (4, 3), (3, 2), (2, 1)),
        ("R2", (2, 3, 9, 7), (2, 3), (2, 3), 0),
        ("overlap", (2, 3, 6, 9), (3, 2), (1, 1), (1, 0)),
        ("plain", (4, 2, 6, 8), 2, 2, 0),  # what most people use it for
        ("square", (3, 2, 7, 7), 3, 2, 0),
    ],
    3: [("R1", (2, 2, 5, 6, 7), (2, 3, 2), (2, 1, 2), (1, 0, 1)), ("R2", (1, 3, 4, 6, 5), 2, 2, 0)],
}


def _settings(dims: int, is_max: bool) -> list[Setting]:
    settings = [
        Setting(
            name, {"input": size}, {"kernel_size": kernel, "stride": stride, "padding": padding}, {"input": "distinct"}
        )
        for name, size, kernel, stride, padding in _SETTINGS[dims]
    ]
    if is_max:
        size = _SETTINGS[dims][1][1]
        settings.append(
            Setting("ties", {"input": size}, {"kernel_size": 2, "stride": 2, "padding": 0}, {"input": "ties"})
        )
    return settings


def _guesses(dims: int, roles: Roles, output: Tensor) -> Iterator[Options]:
    x = roles["input"]
    if x.dim() != output.dim() or x.dim() != dims + 2 or x.shape[:2] != output.shape[:2] or x.shape == output.shape:
        return
    axes = [
        [
            (kernel, stride, padding)
            for kernel, stride, padding in product(range(2, min(size, 5) + 1), range(1, 5), range(3))
            if padding <= kernel // 2 and (size + 2 * padding - kernel) // stride + 1 == out
        ]
        for size, out in zip(x.shape[2:], output.shape[2:], strict=True)
    ]
    for chosen in sorted(product(*axes), key=lambda chosen: (len(set(chosen)), [k != s for k, s, _ in chosen], chosen)):
        kernel, stride, padding = (tuple(column) for column in zip(*chosen, strict=True))
        yield {"kernel_size": kernel, "stride": stride, "padding": padding}


def _operation(dims: int, is_max: bool) -> Operation:
    function = (_MAX if is_max else _AVG)[dims]
    return Operation(
        f"{'max' if is_max else 'avg'}_pool{dims}d",
        ("input",),
        lambda roles, options: function(roles["input"], **options),
        partial(_settings, dims, is_max),
        partial(_guesses, dims),
        dims,
        slips=partial(_slips, dims, is_max),
        conventions=partial(_conventions, dims) if is_max else lambda _: iter(()),
    )


OPERATIONS = tuple(_operation(dims, is_max) for is_max in (True, False) for dims in (2, 1, 3))
