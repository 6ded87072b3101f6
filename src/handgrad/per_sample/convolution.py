"""What every sample of a batch says about the weight and the bias of a convolution, before it is summed."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from .._tensors import wide
from ..functional import convolution
from ..functional._common import Padding, PaddingMode, Size, batched, in_1d_2d_3d
from ..functional._sides import check_max_bytes, of_conv
from . import _common
from ._common import MAX_BYTES

__all__ = [
    "conv1d_bias",
    "conv1d_weight",
    "conv1d_weight_dot",
    "conv1d_weight_gram",
    "conv1d_weight_sqnorm",
    "conv1d_weight_weighted",
    "conv2d_bias",
    "conv2d_weight",
    "conv2d_weight_dot",
    "conv2d_weight_gram",
    "conv2d_weight_sqnorm",
    "conv2d_weight_weighted",
    "conv3d_bias",
    "conv3d_weight",
    "conv3d_weight_dot",
    "conv3d_weight_gram",
    "conv3d_weight_sqnorm",
    "conv3d_weight_weighted",
]

_FORWARD = {1: convolution.conv1d, 2: convolution.conv2d, 3: convolution.conv3d}
_WEIGHT = {1: convolution.conv1d_weight, 2: convolution.conv2d_weight, 3: convolution.conv3d_weight}


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
    max_bytes: int = MAX_BYTES,
) -> Tensor:
    """Every sample's gradient of `conv{n}d` with respect to its weight.

    dw[n,o,c,k] = Σ dy[n,o,p] · x̄[n, c, p·stride + k·dilation − low] over p; their sum over n is `conv{n}d_weight`.

    Args:
        input: x, (N, C, *I), or (C, *I), which is one sample.
        weight_size: (O, C/groups, *K).
        grad_output: dy, (N, O, *L) or (O, *L).
        stride, padding, dilation, groups, padding_mode: as in `conv{n}d`.
        max_bytes: what the work may take at a time beside operands and result, but at least one sample's columns.

    Returns:
        (N, O, C/groups, *K).

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    op = f"per_sample.conv{dims}d_weight"
    sides = of_conv(op, dims, input, weight_size, grad_output, stride, padding, dilation, groups, padding_mode)
    return _common.weight(op, sides, max_bytes)


def _conv_nd_bias(dims: int, grad_output: Tensor) -> Tensor:
    """Every sample's gradient of `conv{n}d` with respect to its bias: db[n,o] = Σ dy[n,o,p] over p.

    Args:
        grad_output: dy, (N, O, *L), or (O, *L), which is one sample.

    Returns:
        (N, O).

    Raises:
        HandgradError: where grad_output has another number of axes or a dtype without gradients.
    """
    return _common.bias(f"per_sample.conv{dims}d_bias", grad_output, dims)


def _conv_nd_weight_sqnorm(
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
    max_bytes: int = MAX_BYTES,
) -> Tensor:
    """The squared norm of every sample's gradient with respect to the weight, without holding all gradients.

    A few samples at a time, either from their gradients, or from pairs of positions by the Gram identity
    ‖dw[n]‖² = Σ ⟨dy[n,p], dy[n,q]⟩ · ⟨x[n,p], x[n,q]⟩ over groups and p, q, whichever takes fewer products of numbers.

    Args:
        input, weight_size, grad_output, stride, padding, dilation, groups, padding_mode: as in `conv{n}d_weight`.
        max_bytes: what the work may take at a time beside operands and result, but at least one sample's share.

    Returns:
        (N,), real, in at least float32.

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    op = f"per_sample.conv{dims}d_weight_sqnorm"
    sides = of_conv(op, dims, input, weight_size, grad_output, stride, padding, dilation, groups, padding_mode)
    return _common.squared_norms(op, sides, max_bytes)


def _conv_nd_weight_dot(
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
    other: Tensor,
    max_bytes: int = MAX_BYTES,
) -> Tensor:
    """The inner product of every sample's gradient with respect to the weight with one direction.

    ⟨dw[n], v⟩ = ⟨dy[n], conv{n}d(x[n], v)⟩: one forward pass with v as the weight, and no gradient.

    Args:
        input, weight_size, grad_output, stride, padding, dilation, groups, padding_mode: as in `conv{n}d_weight`.
        other: v, of `weight_size`.
        max_bytes: how much of that forward pass's output is held at a time, but at least one sample.

    Returns:
        (N,), in at least float32; of complex numbers the gradient is conjugate.

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    op = f"per_sample.conv{dims}d_weight_dot"
    check_max_bytes(op, max_bytes)
    sides = of_conv(op, dims, input, weight_size, grad_output, stride, padding, dilation, groups, padding_mode)
    _common.check_other(op, grad_output, sides, other)
    x, dy, v = batched(input, dims), batched(grad_output, dims), other.to(wide(other))
    out = v.new_empty(sides.samples)
    for piece in sides.pieces(0, max_bytes):
        y = _FORWARD[dims](x[piece].to(v.dtype), v, None, stride, padding, dilation, groups, padding_mode)
        out[piece] = _common.meet(dy[piece].to(v.dtype), y)
    return out


def _conv_nd_weight_gram(
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
    max_bytes: int = MAX_BYTES,
) -> Tensor:
    """The inner products of all samples' gradients with respect to the weight with each other.

    From the gradients, some channels of the weight at a time, or from pairs of positions, as in
    `conv{n}d_weight_sqnorm`, whose result is the diagonal.

    Args:
        input, weight_size, grad_output, stride, padding, dilation, groups, padding_mode: as in `conv{n}d_weight`.
        max_bytes: what the work may take at a time beside operands and result, but at least one sample's columns and
            one channel of all gradients.

    Returns:
        (N, N), in at least float32; of complex numbers the row's gradient is conjugate.

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    op = f"per_sample.conv{dims}d_weight_gram"
    sides = of_conv(op, dims, input, weight_size, grad_output, stride, padding, dilation, groups, padding_mode)
    return _common.gram(op, sides, max_bytes)


def _conv_nd_weight_weighted(
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
    coefficients: Tensor,
) -> Tensor:
    """The sum of all samples' gradients with respect to the weight, each times its coefficient, in one pass.

    Σ a[n] · dw[n] is `conv{n}d_weight` of a[n] · dy[n], as the gradient is linear in dy.

    Args:
        input, weight_size, grad_output, stride, padding, dilation, groups, padding_mode: as in `conv{n}d_weight`.
        coefficients: a, (N,), of any dtype that the operands' can hold.

    Returns:
        (O, C/groups, *K).

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    op = f"per_sample.conv{dims}d_weight_weighted"
    sides = of_conv(op, dims, input, weight_size, grad_output, stride, padding, dilation, groups, padding_mode)
    dy = _common.scaled(op, grad_output, sides, coefficients)
    x = batched(input, dims).to(dy.dtype)
    return _WEIGHT[dims](x, weight_size, dy, stride, padding, dilation, groups, padding_mode).to(input.dtype)


conv1d_weight, conv2d_weight, conv3d_weight = in_1d_2d_3d(_conv_nd_weight)
conv1d_bias, conv2d_bias, conv3d_bias = in_1d_2d_3d(_conv_nd_bias)
conv1d_weight_sqnorm, conv2d_weight_sqnorm, conv3d_weight_sqnorm = in_1d_2d_3d(_conv_nd_weight_sqnorm)
conv1d_weight_dot, conv2d_weight_dot, conv3d_weight_dot = in_1d_2d_3d(_conv_nd_weight_dot)
conv1d_weight_gram, conv2d_weight_gram, conv3d_weight_gram = in_1d_2d_3d(_conv_nd_weight_gram)
conv1d_weight_weighted, conv2d_weight_weighted, conv3d_weight_weighted = in_1d_2d_3d(_conv_nd_weight_weighted)
