"""Transposed convolutions and their gradients: the three functions of convolution with the roles exchanged.

A transposed convolution's forward is a convolution's input gradient, its input gradient is a convolution, and its
weight gradient is a convolution's with x and dy exchanged. The geometry is that convolution's: its input grid is the
grid that the transposed one puts out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from .._algorithms.run import add_bias, run
from .._cache import cached
from .._geometry import ConvGeometry, Ints, frozen, transpose_geometry
from .._operands import check_bias, check_grad_output, check_tensors, check_transpose
from ._common import (
    Algorithm,
    Crop,
    Gradients,
    Operand,
    Size,
    as_size,
    batched,
    check_needs,
    finished,
    in_1d_2d_3d,
    sum_to_bias,
)

__all__ = [
    "conv_transpose1d",
    "conv_transpose1d_backward",
    "conv_transpose1d_bias",
    "conv_transpose1d_input",
    "conv_transpose1d_weight",
    "conv_transpose2d",
    "conv_transpose2d_backward",
    "conv_transpose2d_bias",
    "conv_transpose2d_input",
    "conv_transpose2d_weight",
    "conv_transpose3d",
    "conv_transpose3d_backward",
    "conv_transpose3d_bias",
    "conv_transpose3d_input",
    "conv_transpose3d_weight",
]

OUTPUT = "L = (I − 1) · stride − low − high + dilation · (K − 1) + 1 + output_padding"


def _conv_transpose_nd(
    dims: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Crop = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
    *,
    algorithm: Algorithm | None = None,
) -> Tensor:
    """{n}-d transposed convolution: y[n,o,l] = b[o] + Σ w[c,o,k] · x[n,c,p] over p·stride + k·dilation − low = l.

    Args:
        input: x, (N, C, *I) or (C, *I).
        weight: w, (C, O/groups, *K).
        bias: (O,) or None.
        stride: steps of the window over the output, an int or {n}.
        padding: how much is cropped from the output, an int or {n}, or {n} pairs (low, high).
        output_padding: rows that the high side of the output gets in addition, an int or {n}.
        groups: the number of blocks of channels that are convolved each on its own.
        dilation: distance between neighbouring taps of the kernel, an int or {n}.
        algorithm: what computes this, instead of what `set_algorithm` says.

    Returns:
        y, (N, O, *L) or (O, *L), where
        L = (I − 1)·stride − low − high + dilation·(K − 1) + 1 + output_padding.

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    op = f"conv_transpose{dims}d"
    check_tensors(op, input=input, weight=weight, bias=bias)
    geometry, size = settle(op, dims, input.shape, weight.shape, stride, padding, output_padding, groups, dilation)
    check_bias(op, bias, weight.shape[1] * groups)
    y = run(op, "conv_input", weight, batched(input, dims), geometry, algorithm)
    return finished(add_bias(y, bias), size, input, weight)


def _conv_transpose_nd_input(
    dims: int,
    input_size: Sequence[int],
    weight: Tensor,
    grad_output: Tensor,
    stride: Size = 1,
    padding: Crop = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
    *,
    algorithm: Algorithm | None = None,
) -> Tensor:
    """Gradient of `conv_transpose{n}d` with respect to its input: the convolution of dy with the same weight.

    dx[n,c,p] = Σ w̄[c,o,k] · dy[n, o, p·stride + k·dilation − low] over o and k.

    Args:
        input_size: (N, C, *I) or (C, *I).
        weight: w, (C, O/groups, *K).
        grad_output: dy, (N, O, *L) or (O, *L).
        stride, padding, output_padding, groups, dilation, algorithm: as in `conv_transpose{n}d`.

    Returns:
        dx of `input_size`.

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    op = f"conv_transpose{dims}d_input"
    check_tensors(op, weight=weight, grad_output=grad_output)
    input_size = as_size(op, "input_size", input_size)
    geometry, size = settle(op, dims, input_size, weight.shape, stride, padding, output_padding, groups, dilation)
    check_grad_output(op, grad_output.shape, size, geometry, OUTPUT)
    return _dx(op, input_size, weight, grad_output, geometry, algorithm)


def _conv_transpose_nd_weight(
    dims: int,
    input: Tensor,
    weight_size: Sequence[int],
    grad_output: Tensor,
    stride: Size = 1,
    padding: Crop = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
    *,
    algorithm: Algorithm | None = None,
) -> Tensor:
    """Gradient of `conv_transpose{n}d` with respect to its weight.

    dw[c,o,k] = Σ x̄[n,c,p] · dy[n, o, p·stride + k·dilation − low] over n and p: the batch is summed as well.

    Args:
        input: x, (N, C, *I) or (C, *I).
        weight_size: (C, O/groups, *K).
        grad_output: dy, (N, O, *L) or (O, *L).
        stride, padding, output_padding, groups, dilation, algorithm: as in `conv_transpose{n}d`.

    Returns:
        dw of `weight_size`.

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    op = f"conv_transpose{dims}d_weight"
    check_tensors(op, input=input, grad_output=grad_output)
    weight_size = as_size(op, "weight_size", weight_size)
    geometry, size = settle(op, dims, input.shape, weight_size, stride, padding, output_padding, groups, dilation)
    check_grad_output(op, grad_output.shape, size, geometry, OUTPUT)
    return _dw(op, input, weight_size, grad_output, geometry, algorithm)


def _conv_transpose_nd_bias(dims: int, grad_output: Tensor) -> Tensor:
    """Gradient of `conv_transpose{n}d` with respect to its bias: db[o] = Σ dy[n,o,l] over n and l.

    Args:
        grad_output: dy, (N, O, *L) or (O, *L).

    Returns:
        db, (O,).

    Raises:
        HandgradError: where grad_output has another number of axes or a dtype without gradients.
    """
    op = f"conv_transpose{dims}d_bias"
    check_tensors(op, grad_output=grad_output)
    return sum_to_bias(op, grad_output, dims)


def _conv_transpose_nd_backward(
    dims: int,
    grad_output: Tensor,
    input: Tensor,
    weight: Tensor,
    stride: Size = 1,
    padding: Crop = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
    needs: Iterable[Operand] = ("input", "weight", "bias"),
    *,
    algorithm: Algorithm | None = None,
) -> Gradients:
    """All gradients of `conv_transpose{n}d` that are asked for.

    Args:
        grad_output: dy, (N, O, *L) or (O, *L).
        input: x, (N, C, *I) or (C, *I).
        weight: w, (C, O/groups, *K).
        stride, padding, output_padding, groups, dilation, algorithm: as in `conv_transpose{n}d`.
        needs: which gradients to compute, of 'input', 'weight' and 'bias'.

    Returns:
        The named tuple (input, weight, bias), None where a gradient was not asked for.

    Raises:
        HandgradError: where shapes, dtypes, devices, numbers or names do not go together.
    """
    op = f"conv_transpose{dims}d_backward"
    wanted = check_needs(op, needs)
    check_tensors(op, input=input, weight=weight, grad_output=grad_output)
    geometry, size = settle(op, dims, input.shape, weight.shape, stride, padding, output_padding, groups, dilation)
    check_grad_output(op, grad_output.shape, size, geometry, OUTPUT)
    return Gradients(
        _dx(op, input.shape, weight, grad_output, geometry, algorithm, input) if "input" in wanted else None,
        _dw(op, input, weight.shape, grad_output, geometry, algorithm, weight) if "weight" in wanted else None,
        sum_to_bias(op, grad_output, dims) if "bias" in wanted else None,
    )


def _dx(
    op: str,
    size: Ints,
    w: Tensor,
    dy: Tensor,
    geometry: ConvGeometry,
    algorithm: Algorithm | None,
    x: Tensor | None = None,
) -> Tensor:
    """w (C, O/G, *K), dy ([N,] O, *L) → dx of `size`; x only tells the memory format."""
    dx = run(op, "conv", batched(dy, geometry.dims), w.conj(), geometry, algorithm)
    return finished(dx, size, x, w, gradient=True)


def _dw(
    op: str,
    x: Tensor,
    size: Ints,
    dy: Tensor,
    geometry: ConvGeometry,
    algorithm: Algorithm | None,
    w: Tensor | None = None,
) -> Tensor:
    """x ([N,] C, *I), dy ([N,] O, *L) → dw of `size`; w only tells the memory format."""
    x, dy = batched(x, geometry.dims), batched(dy, geometry.dims)
    dw = run(op, "conv_weight", dy, x.conj(), geometry, algorithm)
    return finished(dw, size, x, w, gradient=True)


def settle(
    op: str,
    dims: int,
    input: Ints,
    weight: Ints,
    stride: Size,
    padding: Crop,
    output_padding: Size,
    groups: int,
    dilation: Size,
) -> tuple[ConvGeometry, Ints]:
    """The geometry and the output's size from the operands' sizes, all of it checked."""
    numbers = frozen(stride), frozen(padding), frozen(output_padding), frozen(groups), frozen(dilation)
    return _settled(op, dims, tuple(input), tuple(weight), *numbers)


@cached
def _settled(
    op: str,
    dims: int,
    input: Ints,
    weight: Ints,
    stride: object,
    padding: object,
    output_padding: object,
    groups: Any,
    dilation: object,
) -> tuple[ConvGeometry, Ints]:
    """The same of arguments that are keys."""
    check_transpose(op, input, weight, groups, dims)
    geometry = transpose_geometry(op, input[-dims:], weight[2:], stride, padding, output_padding, dilation, groups)
    return geometry, (*input[: -dims - 1], weight[1] * groups, *geometry.input)


conv_transpose1d, conv_transpose2d, conv_transpose3d = in_1d_2d_3d(_conv_transpose_nd)
conv_transpose1d_input, conv_transpose2d_input, conv_transpose3d_input = in_1d_2d_3d(_conv_transpose_nd_input)
conv_transpose1d_weight, conv_transpose2d_weight, conv_transpose3d_weight = in_1d_2d_3d(_conv_transpose_nd_weight)
conv_transpose1d_bias, conv_transpose2d_bias, conv_transpose3d_bias = in_1d_2d_3d(_conv_transpose_nd_bias)
conv_transpose1d_backward, conv_transpose2d_backward, conv_transpose3d_backward = in_1d_2d_3d(
    _conv_transpose_nd_backward
)
