"""Average pooling with fixed and with adaptive windows, once for every dimension.

The mean over a box is a mean along one axis after the other, and so is its adjoint. Along one axis a window o is an
interval start ≤ i < stop of elements and a number to divide by:

    y_o = Σ x_i / divisor_o over the i in window o          dx_i = Σ dy_o / divisor_o over the windows o that hold i

Starts and stops both increase with o, so the windows that hold element i are neighbours: from the first that stops
after i to the last that starts no later. The gradient gathers from them (usually there is one): exact, deterministic,
and without scattering.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from ._layer import Backward, Layer


class _Windows(NamedTuple):
    """The windows along one axis of `size` elements; each tensor has one integer a window."""

    size: int
    start: Tensor
    stop: Tensor
    divisor: Tensor

    def adjoint(self, grad: Tensor, axis: int) -> Tensor:
        """Sum dy / divisor over the windows that hold an element: the axis grows from windows to elements."""
        element = torch.arange(self.size)
        first = torch.searchsorted(self.stop, element, right=True)
        end = torch.searchsorted(self.start, element, right=True)
        share = grad / self.divisor.to(grad).view(-1, *[1] * (-1 - axis))  # (…, o, …) / (o, 1, …)
        share = torch.cat([share, torch.zeros_like(share.narrow(axis, 0, 1))], axis)  # window −1: holds nothing
        turns = range(int((end - first).max()))
        held_by = [torch.where(first + turn < end, first + turn, len(self.start)) for turn in turns]
        return reduce(torch.add, (share.index_select(axis, window.to(grad.device)) for window in held_by))


class _MeanNd(Layer):
    # Fixed and adaptive windows differ in where they lie.

    _dims: ClassVar[int]

    def forward(self, input: Tensor) -> tuple[Tensor, Backward]:
        output: Tensor = super().forward(input)  # torch.nn's own

        def backward(grad_output: Tensor) -> Tensor:
            for axis in range(-1, -self._dims - 1, -1):
                windows = self._windows(input.shape[axis], output.shape[axis], axis)
                grad_output = windows.adjoint(grad_output, axis)
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
        kernel, stride, padding = (_along(axis, self._dims, setting) for setting in settings)
        start = torch.arange(count) * stride - padding
        stop = (start + kernel).clamp(max=size + padding)
        inside = start.clamp(min=0), stop.clamp(max=size)
        divisor = stop - start if self.count_include_pad else inside[1] - inside[0]
        return _Windows(size, *inside, self._overridden(divisor, axis))

    def _overridden(self, divisor: Tensor, axis: int) -> Tensor:
        """`divisor_override` divides once and for all axes, here along the last."""
        override = getattr(self, "divisor_override", None)  # AvgPool1d has none
        if override is None:
            return divisor
        return torch.full_like(divisor, override if axis == -1 else 1)


class _AdaptiveAvgPoolNd(_MeanNd):
    # Window o of O on I elements: start = ⌊o · I / O⌋, stop = ⌈(o + 1) · I / O⌉

    def _windows(self, size: int, count: int, axis: int) -> _Windows:  # noqa: ARG002
        window = torch.arange(count)
        start, stop = window * size // count, -(-(window + 1) * size // count)
        return _Windows(size, start, stop, stop - start)


def _along(axis: int, dims: int, setting: int | Sequence[int]) -> int:
    """A setting's value along one of the last axes: one number stands for all."""
    values = (setting,) if isinstance(setting, int) else tuple(setting)
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
