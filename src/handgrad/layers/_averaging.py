"""Average pooling with fixed and with adaptive windows, once for every dimension.

The mean over a box is a mean along one axis after the other, and so is its adjoint. Along one axis a window o is an
interval start ≤ i < stop of elements and a number to divide by:

    y_o = Σ x_i / divisor_o over the i in window o          dx_i = Σ dy_o / divisor_o over the windows o that hold i

Starts and stops both increase with o, so the windows that hold element i are neighbours: from the first that stops
after i to the last that starts no later. The gradient gathers from them (usually there is one): exact, deterministic,
and without scattering.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache, reduce
from operator import index
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._backward import Pullback, fresh
from ._layer import Layer


class _Windows(NamedTuple):
    """The windows along one axis of `size` elements, an integer for each."""

    size: int
    start: tuple[int, ...]
    stop: tuple[int, ...]
    divisor: tuple[int, ...]

    def adjoint(self, grad: Tensor, axis: int) -> Tensor:
        """Sum dy / divisor over the windows that hold an element: the axis grows from windows to elements."""
        after = -1 - axis  # axes
        share = grad / grad.new_tensor(self.divisor).view(-1, *[1] * after)  # (…, o, …) / (o, 1, …)
        share = F.pad(share, [*[0, 0] * after, 0, 1])  # one window more, that holds nothing
        turns = (torch.tensor(windows, device=grad.device) for windows in _holders(self))
        return reduce(torch.add, (share.index_select(axis, window) for window in turns))


@lru_cache(maxsize=256)
def _holders(windows: _Windows) -> list[list[int]]:
    """For each element its first window, then its second, and so on; the one that holds nothing where there is none."""
    elements, nothing = range(windows.size), len(windows.start)
    first = [bisect_right(windows.stop, element) for element in elements]
    end = [bisect_right(windows.start, element) for element in elements]
    most = max(map(int.__sub__, end, first), default=0)
    return [
        [low + turn if low + turn < high else nothing for low, high in zip(first, end, strict=True)]
        for turn in range(max(most, 1))
    ]


class _MeanNd(Layer):
    # Fixed and adaptive windows differ in where they lie.

    _dims: ClassVar[int]

    def forward(self, input: Tensor) -> tuple[Tensor, Pullback]:
        output: Tensor = super().forward(input)  # torch.nn's own
        axes = range(-1, -self._dims - 1, -1)
        windows = [self._windows(input.shape[axis], output.shape[axis], axis) for axis in axes]

        @fresh
        def backward(grad_output: Tensor) -> Tensor:
            for axis, along_axis in zip(axes, windows, strict=True):
                grad_output = along_axis.adjoint(grad_output, axis)
            return grad_output

        return output, backward

    def _windows(self, size: int, count: int, axis: int) -> _Windows:
        raise NotImplementedError


class _AvgPoolNd(_MeanNd):
    kernel_size: int | tuple[int, ...]
    stride: int | tuple[int, ...]
    padding: int | tuple[int, ...]

    # The divisor counts the window's elements, those of the padding too if count_include_pad. A window that ceil_mode
    # lets run off the padded image does not count what lies beyond.

    def _windows(self, size: int, count: int, axis: int) -> _Windows:
        settings = self.kernel_size, self.stride or self.kernel_size, self.padding  # () is no stride, as in torch.nn
        kernel, stride, padding = (along(axis, self._dims, setting) for setting in settings)
        starts = [o * stride - padding for o in range(count)]
        stops = [min(start + kernel, size + padding) for start in starts]
        inside = tuple(max(start, 0) for start in starts), tuple(min(stop, size) for stop in stops)
        counted = (starts, stops) if self.count_include_pad else inside
        divisor = tuple(stop - start for start, stop in zip(*counted, strict=True))
        override = getattr(self, "divisor_override", None)  # AvgPool1d has none
        if override is not None:  # it divides once and for all axes, here along the last
            divisor = (override if axis == -1 else 1,) * count
        return _Windows(size, *inside, divisor)


class _AdaptiveAvgPoolNd(_MeanNd):
    # Window o of O on I elements: start = ⌊o · I / O⌋, stop = ⌈(o + 1) · I / O⌉

    def _windows(self, size: int, count: int, axis: int) -> _Windows:  # noqa: ARG002
        start = tuple(o * size // count for o in range(count))
        stop = tuple(-(-(o + 1) * size // count) for o in range(count))
        return _Windows(size, start, stop, tuple(map(int.__sub__, stop, start)))


def along(axis: int, dims: int, setting: int | Iterable[int]) -> int:
    """A setting's value along one of the last axes: one number stands for all."""
    values = tuple(setting) if isinstance(setting, Iterable) else (index(setting),)
    return (values * dims if len(values) == 1 else values)[axis]


class AvgPool1d(_AvgPoolNd, nn.AvgPool1d):
    """Mean over windows of (N, C, L) or (C, L); the settings of `torch.nn.AvgPool1d`."""

    _dims = 1


class AvgPool2d(_AvgPoolNd, nn.AvgPool2d):
    """Mean over windows of (N, C, H, W) or (C, H, W); the settings of `torch.nn.AvgPool2d`."""

    _dims = 2


class AvgPool3d(_AvgPoolNd, nn.AvgPool3d):
    """Mean over windows of (N, C, D, H, W) or (C, D, H, W); the settings of `torch.nn.AvgPool3d`."""

    _dims = 3


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd, nn.AdaptiveAvgPool1d):
    """Mean of (N, C, L) or (C, L) to any output size; the settings of `torch.nn.AdaptiveAvgPool1d`."""

    _dims = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd, nn.AdaptiveAvgPool2d):
    """Mean of (N, C, H, W) or (C, H, W) to any output size; the settings of `torch.nn.AdaptiveAvgPool2d`."""

    _dims = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd, nn.AdaptiveAvgPool3d):
    """Mean of (N, C, D, H, W) or (C, D, H, W) to any output size; the settings of `torch.nn.AdaptiveAvgPool3d`."""

    _dims = 3
