"""Convolutions and transposed convolutions, once for every dimension: `hg.functional` has the arithmetic.

The settings are those of the same modules of `torch.nn`; a transposed convolution has no `output_size` here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor, nn

from .. import functional as F
from ..functional._common import batched
from ..functional._sides import Sides, of_conv, of_transposed
from ..per_sample._samples import collecting
from ..per_sample._use import Use, by_channel
from ..per_sample._weights import Product
from ._backward import Again, Pullback, fresh
from ._layer import Layer


class _ConvNd(Layer):
    # y = B(x, w, ·) + b          dx = B(·, w, dy),   dw = B(x, ·, dy),   db = Σ dy.   B: see `handgrad._algorithms`

    weight: nn.Parameter
    bias: nn.Parameter | None
    _conv: ClassVar[Callable[..., Tensor]]
    _conv_backward: ClassVar[Callable[..., F.Gradients]]
    _sides: ClassVar[Callable[..., Sides]] = staticmethod(of_conv)
    _settings: ClassVar[tuple[str, ...]] = ("stride", "padding", "dilation", "groups", "padding_mode")

    @fresh
    def forward(self, input: Tensor, *, again: Again | None = None) -> tuple[Tensor, Pullback]:
        settings: dict[str, Any] = {name: getattr(self, name) for name in self._settings}
        weight = self.weight  # the tensors are named here, where the skeleton can see what the backward pass needs
        learned = ("weight",) if self.bias is None else ("weight", "bias")
        x: Callable[[], Tensor] = again or (lambda: input)

        @fresh
        def backward(grad_output: Tensor, needs_input: bool = True) -> Tensor | None:
            needs: tuple[str, ...] = ("input",) if needs_input else ()
            if collecting() is None:
                needs += learned  # all in one call
            else:
                self.accumulate_grad(**self._of_each_sample(x(), grad_output, settings))
            grads = self._conv_backward(grad_output, x(), weight, **settings, needs=needs)
            self.accumulate_grad(weight=grads.weight, bias=grads.bias)
            return grads.input

        return self._conv(input, weight, self.bias, **settings), backward

    def _of_each_sample(self, input: Tensor, grad_output: Tensor, settings: dict[str, Any]) -> dict[str, Use]:
        name, size, bias = type(self).__name__, self.weight.shape, self.bias
        sides = self._sides(name, len(size) - 2, input, size, grad_output, **settings)
        uses: dict[str, Use] = {"weight": Product(name, sides, size)}
        if bias is not None:
            dy = batched(grad_output, len(size) - 2)
            dy = dy if size[1] else dy.new_zeros(len(dy), *bias.shape)  # without input channels there is no output
            uses["bias"] = by_channel(bias.shape, grad_output=dy)
        return uses


class Conv1d(_ConvNd, nn.Conv1d):
    """Convolution of (N, C, L) or (C, L); the errors of `hg.conv1d`."""

    _conv, _conv_backward = staticmethod(F.conv1d), staticmethod(F.conv1d_backward)


class Conv2d(_ConvNd, nn.Conv2d):
    """Convolution of (N, C, H, W) or (C, H, W); the errors of `hg.conv2d`."""

    _conv, _conv_backward = staticmethod(F.conv2d), staticmethod(F.conv2d_backward)


class Conv3d(_ConvNd, nn.Conv3d):
    """Convolution of (N, C, D, H, W) or (C, D, H, W); the errors of `hg.conv3d`."""

    _conv, _conv_backward = staticmethod(F.conv3d), staticmethod(F.conv3d_backward)


class _ConvTransposeNd(_ConvNd):
    _sides = staticmethod(of_transposed)
    _settings = ("stride", "padding", "output_padding", "groups", "dilation")


class ConvTranspose1d(_ConvTransposeNd, nn.ConvTranspose1d):
    """Transposed convolution of (N, C, L) or (C, L); the errors of `hg.conv_transpose1d`."""

    _conv, _conv_backward = staticmethod(F.conv_transpose1d), staticmethod(F.conv_transpose1d_backward)


class ConvTranspose2d(_ConvTransposeNd, nn.ConvTranspose2d):
    """Transposed convolution of (N, C, H, W) or (C, H, W); the errors of `hg.conv_transpose2d`."""

    _conv, _conv_backward = staticmethod(F.conv_transpose2d), staticmethod(F.conv_transpose2d_backward)


class ConvTranspose3d(_ConvTransposeNd, nn.ConvTranspose3d):
    """Transposed convolution of (N, C, D, H, W) or (C, D, H, W); the errors of `hg.conv_transpose3d`."""

    _conv, _conv_backward = staticmethod(F.conv_transpose3d), staticmethod(F.conv_transpose3d_backward)
