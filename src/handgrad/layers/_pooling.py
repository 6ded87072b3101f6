"""Maximum pooling, once for every dimension."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from .._errors import error
from ._layer import Backward, Layer


class _MaxPoolNd(Layer):
    # y_o = x_m(o) with m(o) the place of the maximum in window o          dx_i = Σ dy_o over the o with m(o) = i
    # Of equal maxima m(o) is PyTorch's choice: the first, row by row.

    _dims: ClassVar[int]
    _pool: ClassVar[Callable[..., Any]]

    def forward(self, input: Tensor) -> tuple[Tensor, Backward]:
        if self.return_indices:
            raise error(type(self).__name__, "return_indices is not supported", hint="build it without return_indices")
        settings = self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        output, place = self._pool(_channels_last(input, self._dims), *settings, return_indices=True)

        def backward(grad_output: Tensor) -> Tensor:
            places, grads = place.flatten(-self._dims), grad_output.flatten(-self._dims)  # (…, *L) = (…, L)
            grad_input = input.new_zeros(input.shape).flatten(-self._dims)  # (…, *I) = (…, I), which `place` counts in
            return grad_input.scatter_add_(-1, places, grads).view(input.shape)

        return output.contiguous() if input.is_contiguous() else output, backward


def _channels_last(input: Tensor, dims: int) -> Tensor:
    """The same tensor with channels innermost in memory, where PyTorch's kernel is vectorized (3 times as fast)."""
    return input.movedim(-dims - 1, -1).contiguous().movedim(-1, -dims - 1)


class MaxPool1d(_MaxPoolNd, nn.MaxPool1d):
    """Maximum over windows of (N, C, L) or (C, L); raises `HandgradError` for `return_indices`."""

    _dims, _pool = 1, staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPoolNd, nn.MaxPool2d):
    """Maximum over windows of (N, C, H, W) or (C, H, W); raises `HandgradError` for `return_indices`."""

    _dims, _pool = 2, staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPoolNd, nn.MaxPool3d):
    """Maximum over windows of (N, C, D, H, W) or (C, D, H, W); raises `HandgradError` for `return_indices`."""

    _dims, _pool = 3, staticmethod(F.max_pool3d)
