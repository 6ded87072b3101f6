"""Convolution modules that compute by the form: the module's own class with one more in front.

What the kernels do not cover goes on to the module's own forward, and with it every error.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from .._algorithms.modules import readable
from .._cache import cached
from .._geometry import Ints, spans
from .form import form

_CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
CONVOLUTIONS = (*_CONVS, *_TRANSPOSED)
_PLAIN = (Tensor, nn.Parameter)


class Accelerated:
    """In front of a convolution module's class: its forward, where the kernels can compute it."""

    def __reduce_ex__(self, _protocol: Any) -> tuple[Any, ...]:
        # pickle looks a class up by its name, and under this one it finds the module's own
        parts: tuple[Any, ...] = super().__reduce_ex__(2)  # type: ignore[assignment]
        _, (cls, *args), *state = parts
        return _new, (original(cls), *args), *state


class _Conv(Accelerated):
    def forward(self: Any, input: Tensor) -> Tensor:
        """As the module's own."""
        weight, bias = self.weight, self.bias
        if not _is_covered(input, weight, bias, self.in_channels):
            return super().forward(input)  # type: ignore[misc,no-any-return]
        x, dims, padding = input, weight.dim() - 2, self.padding
        if isinstance(padding, str):
            padding = _pairs(self._reversed_padding_repeated_twice)
        if self.padding_mode != "zeros":
            x, padding = nn.functional.pad(x, self._reversed_padding_repeated_twice, self.padding_mode), 0
        size, *options = _conv(x.shape[-dims:], weight.shape[2:], self.stride, padding, self.dilation)
        if min(size) < 1:
            return super().forward(input)  # type: ignore[misc,no-any-return]
        return _compute("conv", x, weight, bias, size, *options, self.groups)


class _ConvTranspose(Accelerated):
    def forward(self: Any, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """As the module's own."""
        weight, bias, stride, dilation = self.weight, self.bias, self.stride, self.dilation
        if not _is_covered(input, weight, bias, self.in_channels):
            return super().forward(input, output_size)  # type: ignore[misc,no-any-return]
        dims, extra = weight.dim() - 2, self.output_padding
        if output_size is not None:
            extra = self._output_padding(input, output_size, stride, self.padding, self.kernel_size, dims, dilation)
        size, *options = _transposed(input.shape[-dims:], weight.shape[2:], stride, self.padding, dilation, extra)
        if min(size) < 1:
            return super().forward(input, output_size)  # type: ignore[misc,no-any-return]
        return _compute("conv_input", input, weight, bias, size, *options, self.groups)


@cache
def accelerated(cls: Any) -> type[nn.Module]:
    """The class of a convolution module with `Accelerated` in front, under the same name."""
    front = _Conv if issubclass(cls, _CONVS) else _ConvTranspose
    named = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    return type(cls.__name__, (front, cls), named)


def original(cls: type) -> type[nn.Module]:
    """The class that `accelerated` was given."""
    return cls.__bases__[1]


def _new(cls: Any, *args: Any) -> nn.Module:
    """An empty accelerated module, as unpickling wants it."""
    made = accelerated(cls)
    return made.__new__(made, *args)


def _is_covered(x: Tensor, weight: Tensor, bias: Tensor | None, channels: int) -> bool:
    """Whether the form gives what the module would: real CPU tensors of one dtype, and nobody who wants operators."""
    dims, dtype = weight.dim() - 2, x.dtype
    return (
        type(x) in _PLAIN
        and type(weight) in _PLAIN
        and x.is_cpu
        and weight.is_cpu
        and dtype in (torch.float32, torch.float64)
        and weight.dtype == dtype
        and (bias is None or (type(bias) in _PLAIN and bias.is_cpu and bias.dtype == dtype))
        and x.dim() in (dims + 1, dims + 2)
        and x.shape[-dims - 1] == channels
        and 0 not in x.shape
        and forward_ad._current_level < 0
        and not (torch.is_autocast_enabled("cpu") or torch.compiler.is_exporting() or torch._C._get_tracing_state())
    )


def _compute(
    op: str,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    size: Ints,
    *options: Any,
) -> Tensor:
    """The form of x ([N,] C, *I) and the weight, and the bias; the options are stride, padding, dilation, groups."""
    batch = x if x.dim() == weight.dim() else x.unsqueeze(0)
    a, b = (batch, weight) if op == "conv" else (weight, batch)
    y = form(op, a, b, size, *options)
    if bias is not None:
        bias = bias.view(-1, *[1] * len(size))  # (O,) → (O, 1, …)
        in_place = not torch.compiler.is_compiling() and readable(x, weight)
        y = y.add_(bias) if in_place else y + bias
    return y if batch is x else y.squeeze(0)


@cached
def _conv(input: Ints, kernel: Ints, stride: Any, padding: Any, dilation: Any) -> tuple[Ints, Ints, Ints, Ints]:
    """(L, stride, padding, dilation), padding as (low, high, low, high, …): L = ⌊(I + low + high − span) / s⌋ + 1."""
    dims = len(input)
    stride, padding, dilation = _each(stride, dims), _sides(padding, dims), _each(dilation, dims)
    axes = zip(input, padding[::2], padding[1::2], spans(kernel, dilation), stride, strict=True)
    size = tuple((i + low + high - span) // s + 1 for i, low, high, span, s in axes)
    return size, stride, padding, dilation


@cached
def _transposed(
    input: Ints, kernel: Ints, stride: Any, padding: Any, dilation: Any, extra: Any
) -> tuple[Ints, Ints, Ints, Ints]:
    """The same of L = (I − 1)·s − low − high + span + output_padding; 0 where output_padding is too large."""
    dims = len(input)
    stride, padding, dilation = _each(stride, dims), _sides(padding, dims), _each(dilation, dims)
    spread = spans(kernel, dilation)
    axes = zip(input, padding[::2], padding[1::2], spread, stride, dilation, _each(extra, dims), strict=True)
    size = tuple(
        (i - 1) * s - low - high + span + e if 0 <= e < max(s, d) else 0 for i, low, high, span, s, d, e in axes
    )
    return size, stride, padding, dilation


def _sides(padding: Any, dims: int) -> Ints:
    """(low, high, low, high, …) of one number, one for each dimension, or one pair for each."""
    each = _each(padding, dims)
    return tuple(end for entry in each for end in (entry if isinstance(entry, tuple) else (entry, entry)))


def _pairs(ends: Any) -> Any:
    """(low, high) a dimension, from a list of ends that begins with the last dimension."""
    return tuple(zip(ends[-2::-2], ends[::-2], strict=True))


def _each(value: Any, dims: int) -> Any:
    return (value,) * dims if isinstance(value, int) else tuple(value) * (dims // len(value))
