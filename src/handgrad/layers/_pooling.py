"""Maximum pooling, once for every dimension."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._averaging import along
from ._backward import Pullback, fresh
from ._layer import Layer


class MaxPoolNd(Layer):
    """Maximum over windows of `_dims` axes."""

    # y_o = x_m(o) with m(o) the place of the maximum in window o          dx_i = Σ dy_o over the o with m(o) = i
    # Of equal maxima m(o) is PyTorch's choice: the first, row by row.

    kernel_size: int | tuple[int, ...]
    stride: int | tuple[int, ...]
    padding: int | tuple[int, ...]
    dilation: int | tuple[int, ...]
    _dims: ClassVar[int]
    _pool: ClassVar[Callable[..., Any]]

    @fresh
    def forward(self, input: Tensor) -> tuple[Tensor, Pullback]:
        if self.return_indices:
            raise self._error("return_indices is not supported", "build it without return_indices")
        settings = self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        output, place = self._pool(_innermost(input, self._dims), *settings, return_indices=True)
        shape, dims, contiguous = input.shape, self._dims, input.is_contiguous()
        blind = self._blind(shape, output.shape)
        place = _zeroed(place, blind)  # their maximum is −∞, and PyTorch's place for it means nothing
        place = place if contiguous else _numbered(place, dims)

        @fresh
        def backward(grad_output: Tensor) -> Tensor:
            grads = _zeroed(grad_output, blind)
            if not contiguous:
                return _scattered_innermost(_innermost(grads, dims), place, shape, dims)
            grad_input = grads.new_zeros(shape)
            # (…, *L) = (…, L) are added to (…, *I) = (…, I), which `place` counts in
            grad_input.flatten(-dims).scatter_add_(-1, place.flatten(-dims), grads.flatten(-dims))
            return grad_input

        return output.contiguous() if contiguous else output, backward

    def may_be_blind(self) -> bool:
        """Whether a window may see nothing but padding: a dilated one's taps may lie to both sides of the input."""
        return any(along(axis, self._dims, self.dilation) > 1 for axis in range(-self._dims, 0))

    def _blind(self, input: torch.Size, output: torch.Size) -> dict[int, list[int]]:
        """Of each axis the windows that see nothing but padding: a dilated kernel may step over everything else."""
        settings = self.kernel_size, self.stride or self.kernel_size, self.padding, self.dilation  # () is no stride
        blind = {}
        for axis in range(-self._dims, 0):
            kernel, stride, padding, dilation = (along(axis, self._dims, setting) for setting in settings)
            taps, inside = [tap * dilation - padding for tap in range(kernel)], range(input[axis])
            blind[axis] = [o for o in range(output[axis]) if not any(o * stride + tap in inside for tap in taps)]
        return blind


def _zeroed(tensor: Tensor, windows: dict[int, list[int]]) -> Tensor:
    """The tensor with zeros at these windows of each axis; itself if, as nearly always, there are none."""
    for axis, indices in windows.items():
        if indices:
            tensor = tensor.index_fill(axis, torch.tensor(indices, device=tensor.device), 0)
    return tensor


def _numbered(place: Tensor, dims: int) -> Tensor:
    """(…, C, *L) → (…, *L, C): places i as numbers i·C + c where channels lie innermost, written over the places."""
    C = place.shape[-dims - 1]
    return place.movedim(-dims - 1, -1).mul_(C).add_(torch.arange(C, device=place.device))


def _scattered_innermost(grads: Tensor, number: Tensor, shape: Sequence[int], dims: int) -> Tensor:
    """The same in the order of memory, which is three times as fast: (…, *L, C) = (…, L·C) are added to (…, I·C)."""
    grad_input = grads.new_zeros(*shape[: -dims - 1], *shape[-dims:], shape[-dims - 1])
    flat = (tensor.flatten(-dims - 1) for tensor in (number, grads.movedim(-dims - 1, -1)))
    grad_input.flatten(-dims - 1).scatter_add_(-1, *flat)
    return grad_input.movedim(-1, -dims - 1)


def _innermost(input: Tensor, dims: int) -> Tensor:
    """The same tensor with channels innermost in memory, where PyTorch's kernel is vectorized (3 times as fast)."""
    if input.ndim <= dims:  # no channels: PyTorch says so
        return input
    return input.movedim(-dims - 1, -1).contiguous().movedim(-1, -dims - 1)


class MaxPool1d(MaxPoolNd, nn.MaxPool1d):
    """Maximum over windows of (N, C, L) or (C, L); raises `HandgradError` for `return_indices`."""

    _dims, _pool = 1, staticmethod(F.max_pool1d)


class MaxPool2d(MaxPoolNd, nn.MaxPool2d):
    """Maximum over windows of (N, C, H, W) or (C, H, W); raises `HandgradError` for `return_indices`."""

    _dims, _pool = 2, staticmethod(F.max_pool2d)


class MaxPool3d(MaxPoolNd, nn.MaxPool3d):
    """Maximum over windows of (N, C, D, H, W) or (C, D, H, W); raises `HandgradError` for `return_indices`."""

    _dims, _pool = 3, staticmethod(F.max_pool3d)
