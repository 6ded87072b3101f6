"""Convolutions and their gradients: one bilinear form, one operand left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from .._algorithms.run import run, run_backward, run_conv
from .._cache import cached
from .._geometry import ConvGeometry, Ints, conv_geometry, frozen
from .._operands import check_bias, check_conv, check_grad_output, check_tensors
from .._padding import check_mode, pad, pad_input, padded
from ._common import (
    Algorithm,
    Gradients,
    Operand,
    Padding,
    PaddingMode,
    Size,
    as_size,
    batched,
    check_needs,
    finished,
    in_1d_2d_3d,
    sum_to_bias,
)

__all__ = [
    "conv1d",
    "conv1d_backward",
    "conv1d_bias",
    "conv1d_input",
    "conv1d_weight",
    "conv2d",
    "conv2d_backward",
    "conv2d_bias",
    "conv2d_input",
    "conv2d_weight",
    "conv3d",
    "conv3d_backward",
    "conv3d_bias",
    "conv3d_input",
    "conv3d_weight",
]

OUTPUT = "L = ⌊(I + low + high − dilation · (K − 1) − 1) / stride⌋ + 1"


def _conv_nd(
    dims: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
    *,
    algorithm: Algorithm | None = None,
) -> Tensor:
    """{n}-d convolution: y[n,o,p] = b[o] + Σ w[o,c,k] · x[n, c, p·stride + k·dilation − low] over c and k.

    Args:
        input: x, (N, C, *I) or (C, *I).
        weight: w, (O, C/groups, *K).
        bias: (O,) or None.
        stride: steps of the window, an int or {n}.
        padding: an int or {n}; 'valid'; 'same' (needs stride 1; of an odd total the low side gets the smaller half); or
            {n} pairs (low, high).
        dilation: distance between neighbouring taps of the kernel, an int or {n}.
        groups: the number of blocks of channels that are convolved each on its own.
        padding_mode: 'zeros', 'reflect', 'replicate' or 'circular'.
        algorithm: what computes this, instead of what `set_algorithm` says.

    Returns:
        y, (N, O, *L) or (O, *L), where L = ⌊(I + low + high − dilation·(K − 1) − 1) / stride⌋ + 1. As in PyTorch it
        has no channels where the input has none.

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    op = f"conv{dims}d"
    check_tensors(op, input=input, weight=weight, bias=bias)
    geometry, size = settle(op, dims, input.shape, weight.shape, stride, padding, dilation, groups, padding_mode)
    check_bias(op, bias, weight.shape[0])
    if weight.numel() == 0:
        return input.new_empty(size)
    x = pad(batched(input, dims), geometry, padding_mode)
    y = run_conv(op, x, weight, padded(geometry, padding_mode), algorithm, bias)
    return finished(y, size, input, weight)


def _conv_nd_input(
    dims: int,
    input_size: Sequence[int],
    weight: Tensor,
    grad_output: Tensor,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
    *,
    algorithm: Algorithm | None = None,
) -> Tensor:
    """Gradient of `conv{n}d` with respect to its input.

    dx[n,c,i] = Σ w̄[o,c,k] · dy[n,o,p] over o and all k and p with p·stride + k·dilation − low = i.

    Args:
        input_size: (N, C, *I) or (C, *I). It must be given: several sizes lead to the same output.
        weight: w, (O, C/groups, *K).
        grad_output: dy, (N, O, *L) or (O, *L).
        stride, padding, dilation, groups, padding_mode, algorithm: as in `conv{n}d`. What padding copied from within
            the input adds to the gradient of the pixel it was copied from.

    Returns:
        dx of `input_size`; zero where no window reaches.

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    op = f"conv{dims}d_input"
    check_tensors(op, weight=weight, grad_output=grad_output)
    input_size = as_size(op, "input_size", input_size)
    geometry, size = settle(op, dims, input_size, weight.shape, stride, padding, dilation, groups, padding_mode)
    check_grad_output(op, grad_output.shape, size, geometry, OUTPUT)
    return _dx(op, input_size, weight, grad_output, geometry, padding_mode, algorithm)


def _conv_nd_weight(
    dims: int,
    input: Tensor,
    weight_size: Sequence[int],
    grad_output: Tensor,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
    *,
    algorithm: Algorithm | None = None,
) -> Tensor:
    """Gradient of `conv{n}d` with respect to its weight.

    dw[o,c,k] = Σ dy[n,o,p] · x̄[n, c, p·stride + k·dilation − low] over n and p: the batch is summed as well.

    Args:
        input: x, (N, C, *I) or (C, *I).
        weight_size: (O, C/groups, *K).
        grad_output: dy, (N, O, *L) or (O, *L).
        stride, padding, dilation, groups, padding_mode, algorithm: as in `conv{n}d`.

    Returns:
        dw of `weight_size`.

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    op = f"conv{dims}d_weight"
    check_tensors(op, input=input, grad_output=grad_output)
    weight_size = as_size(op, "weight_size", weight_size)
    geometry, size = settle(op, dims, input.shape, weight_size, stride, padding, dilation, groups, padding_mode)
    check_grad_output(op, grad_output.shape, size, geometry, OUTPUT)
    return _dw(op, input, weight_size, grad_output, geometry, padding_mode, algorithm)


def _conv_nd_bias(dims: int, grad_output: Tensor) -> Tensor:
    """Gradient of `conv{n}d` with respect to its bias: db[o] = Σ dy[n,o,p] over the batch and all output positions.

    Args:
        grad_output: dy, (N, O, *L) or (O, *L).

    Returns:
        db, (O,).

    Raises:
        HandgradError: where grad_output has another number of axes or a dtype without gradients.
    """
    op = f"conv{dims}d_bias"
    check_tensors(op, grad_output=grad_output)
    return sum_to_bias(op, grad_output, dims)


def _conv_nd_backward(
    dims: int,
    grad_output: Tensor,
    input: Tensor,
    weight: Tensor,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
    needs: Iterable[Operand] = ("input", "weight", "bias"),
    *,
    algorithm: Algorithm | None = None,
) -> Gradients:
    """All gradients of `conv{n}d` that are asked for.

    Args:
        grad_output: dy, (N, O, *L) or (O, *L).
        input: x, (N, C, *I) or (C, *I).
        weight: w, (O, C/groups, *K).
        stride, padding, dilation, groups, padding_mode, algorithm: as in `conv{n}d`.
        needs: which gradients to compute, of 'input', 'weight' and 'bias'.

    Returns:
        The named tuple (input, weight, bias), None where a gradient was not asked for.

    Raises:
        HandgradError: where shapes, dtypes, devices, numbers or names do not go together.
    """
    op = f"conv{dims}d_backward"
    wanted = check_needs(op, needs)
    check_tensors(op, input=input, weight=weight, grad_output=grad_output)
    geometry, size = settle(op, dims, input.shape, weight.shape, stride, padding, dilation, groups, padding_mode)
    check_grad_output(op, grad_output.shape, size, geometry, OUTPUT)
    dx = dw = db = None
    if "input" in wanted and "weight" in wanted:
        dx, dw = _both(op, input, weight, grad_output, geometry, padding_mode, algorithm)
    elif "input" in wanted:
        dx = _dx(op, input.shape, weight, grad_output, geometry, padding_mode, algorithm, input)
    elif "weight" in wanted:
        dw = _dw(op, input, weight.shape, grad_output, geometry, padding_mode, algorithm, weight)
    if "bias" in wanted:
        # without input channels the output has none, but the bias still has its O
        db = sum_to_bias(op, grad_output, dims) if weight.shape[1] else weight.new_zeros(weight.shape[0])
    return Gradients(dx, dw, db)


def _dx(
    op: str,
    size: Ints,
    w: Tensor,
    dy: Tensor,
    geometry: ConvGeometry,
    padding_mode: PaddingMode,
    algorithm: Algorithm | None,
    x: Tensor | None = None,
) -> Tensor:
    """w (O, C/G, *K), dy ([N,] O, *L) → dx of `size`; x only tells the memory format."""
    if w.numel() == 0:
        return w.new_zeros(size)
    dy = batched(dy, geometry.dims)
    dx = run(op, "conv_input", w.conj(), dy, padded(geometry, padding_mode), algorithm)
    return finished(pad_input(dx, geometry, padding_mode), size, x, w, gradient=True)


def _dw(
    op: str,
    x: Tensor,
    size: Ints,
    dy: Tensor,
    geometry: ConvGeometry,
    padding_mode: PaddingMode,
    algorithm: Algorithm | None,
    w: Tensor | None = None,
) -> Tensor:
    """x ([N,] C, *I), dy ([N,] O, *L) → dw of `size`; w only tells the memory format."""
    if 0 in size:
        return x.new_zeros(size)
    x, dy = pad(batched(x, geometry.dims), geometry, padding_mode), batched(dy, geometry.dims)
    dw = run(op, "conv_weight", x.conj(), dy, padded(geometry, padding_mode), algorithm)
    return finished(dw, size, x, w, gradient=True)


def _both(
    op: str,
    x: Tensor,
    w: Tensor,
    dy: Tensor,
    geometry: ConvGeometry,
    padding_mode: PaddingMode,
    algorithm: Algorithm | None,
) -> tuple[Tensor, Tensor]:
    """x ([N,] C, *I), w (O, C/G, *K), dy ([N,] O, *L) → dx and dw."""
    if w.numel() == 0:
        return w.new_zeros(x.shape), x.new_zeros(w.shape)
    seen, dy = pad(batched(x, geometry.dims), geometry, padding_mode), batched(dy, geometry.dims)
    dx, dw = run_backward(op, seen.conj(), w.conj(), dy, padded(geometry, padding_mode), algorithm)
    dx = finished(pad_input(dx, geometry, padding_mode), x.shape, x, w, gradient=True)
    return dx, finished(dw, w.shape, x, w, gradient=True)


def settle(
    op: str,
    dims: int,
    input: Ints,
    weight: Ints,
    stride: Size,
    padding: Padding,
    dilation: Size,
    groups: int,
    padding_mode: PaddingMode,
) -> tuple[ConvGeometry, Ints]:
    """The geometry and the output's size from the operands' sizes, all of it checked."""
    numbers = frozen(stride), frozen(padding), frozen(dilation), frozen(groups)
    return _settled(op, dims, tuple(input), tuple(weight), *numbers, padding_mode)


@cached
def _settled(
    op: str,
    dims: int,
    input: Ints,
    weight: Ints,
    stride: object,
    padding: object,
    dilation: object,
    groups: Any,
    padding_mode: PaddingMode,
) -> tuple[ConvGeometry, Ints]:
    """The same of arguments that are keys."""
    check_conv(op, input, weight, groups, dims)
    geometry = conv_geometry(op, input[-dims:], weight[2:], stride, padding, dilation, groups)
    check_mode(op, padding_mode, geometry)
    O = weight[0] if weight[1] else 0  # as in PyTorch: without input channels there are no output channels
    return geometry, (*input[: -dims - 1], O, *geometry.output)


conv1d, conv2d, conv3d = in_1d_2d_3d(_conv_nd)
conv1d_input, conv2d_input, conv3d_input = in_1d_2d_3d(_conv_nd_input)
conv1d_weight, conv2d_weight, conv3d_weight = in_1d_2d_3d(_conv_nd_weight)
conv1d_bias, conv2d_bias, conv3d_bias = in_1d_2d_3d(_conv_nd_bias)
conv1d_backward, conv2d_backward, conv3d_backward = in_1d_2d_3d(_conv_nd_backward)
