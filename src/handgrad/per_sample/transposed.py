"""What every sample of a batch says about the weight and the bias of a transposed convolution.

The same products as of a convolution, with the roles exchanged: windows read dy and meet x.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from .._tensors import wide
from ..functional import transposed
from ..functional._common import Crop, Size, batched, in_1d_2d_3d
from ..functional._sides import check_max_bytes, of_transposed
from . import _common
from ._common import MAX_BYTES

__all__ = [
    "conv_transpose1d_bias",
    "conv_transpose1d_weight",
    "conv_transpose1d_weight_dot",
    "conv_transpose1d_weight_gram",
    "conv_transpose1d_weight_sqnorm",
    "conv_transpose1d_weight_weighted",
    "conv_transpose2d_bias",
    "conv_transpose2d_weight",
    "conv_transpose2d_weight_dot",
    "conv_transpose2d_weight_gram",
    "conv_transpose2d_weight_sqnorm",
    "conv_transpose2d_weight_weighted",
    "conv_transpose3d_bias",
    "conv_transpose3d_weight",
    "conv_transpose3d_weight_dot",
    "conv_transpose3d_weight_gram",
    "conv_transpose3d_weight_sqnorm",
    "conv_transpose3d_weight_weighted",
]

_FORWARD = {1: transposed.conv_transpose1d, 2: transposed.conv_transpose2d, 3: transposed.conv_transpose3d}
_WEIGHT = {
    1: transposed.conv_transpose1d_weight,
    2: transposed.conv_transpose2d_weight,
    3: transposed.conv_transpose3d_weight,
}


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
    max_bytes: int = MAX_BYTES,
) -> Tensor:
    """Every sample's gradient of `conv_transpose{n}d` with respect to its weight.

    dw[n,c,o,k] = Σ x̄[n,c,p] · dy[n, o, p·stride + k·dilation − low] over p; their sum over n is
    `conv_transpose{n}d_weight`.

    Args:
        input: x, (N, C, *I), or (C, *I), which is one sample.
        weight_size: (C, O/groups, *K).
        grad_output: dy, (N, O, *L) or (O, *L).
        stride, padding, output_padding, groups, dilation: as in `conv_transpose{n}d`.
        max_bytes: what the work may take at a time beside operands and result, but at least one sample's columns.

    Returns:
        (N, C, O/groups, *K).

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    op = f"per_sample.conv_transpose{dims}d_weight"
    sides = of_transposed(op, dims, input, weight_size, grad_output, stride, padding, output_padding, groups, dilation)
    return _common.weight(op, sides, max_bytes)


def _conv_transpose_nd_bias(dims: int, grad_output: Tensor) -> Tensor:
    """Every sample's gradient of `conv_transpose{n}d` with respect to its bias: db[n,o] = Σ dy[n,o,p] over p.

    Args:
        grad_output: dy, (N, O, *L), or (O, *L), which is one sample.

    Returns:
        (N, O).

    Raises:
        HandgradError: where grad_output has another number of axes or a dtype without gradients.
    """
    return _common.bias(f"per_sample.conv_transpose{dims}d_bias", grad_output, dims)


def _conv_transpose_nd_weight_sqnorm(
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
    max_bytes: int = MAX_BYTES,
) -> Tensor:
    """The squared norm of every sample's gradient with respect to the weight, without holding all gradients.

    A few samples at a time, either from their gradients, or from pairs of positions by the Gram identity
    ‖dw[n]‖² = Σ ⟨dy[n,p], dy[n,q]⟩ · ⟨x[n,p], x[n,q]⟩ over groups and p, q, whichever takes fewer products of numbers.

    Args:
        input, weight_size, grad_output, stride, padding, output_padding, groups, dilation: as in
            `conv_transpose{n}d_weight`.
        max_bytes: what the work may take at a time beside operands and result, but at least one sample's share.

    Returns:
        (N,), real, in at least float32.

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    op = f"per_sample.conv_transpose{dims}d_weight_sqnorm"
    sides = of_transposed(op, dims, input, weight_size, grad_output, stride, padding, output_padding, groups, dilation)
    return _common.squared_norms(op, sides, max_bytes)


def _conv_transpose_nd_weight_dot(
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
    other: Tensor,
    max_bytes: int = MAX_BYTES,
) -> Tensor:
    """The inner product of every sample's gradient with respect to the weight with one direction.

    ⟨dw[n], v⟩ = ⟨dy[n], conv_transpose{n}d(x[n], v)⟩: one forward pass with v as the weight, and no gradient.

    Args:
        input, weight_size, grad_output, stride, padding, output_padding, groups, dilation: as in
            `conv_transpose{n}d_weight`.
        other: v, of `weight_size`.
        max_bytes: how much of that forward pass's output is held at a time, but at least one sample.

    Returns:
        (N,), in at least float32; of complex numbers the gradient is conjugate.

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    op = f"per_sample.conv_transpose{dims}d_weight_dot"
    check_max_bytes(op, max_bytes)
    sides = of_transposed(op, dims, input, weight_size, grad_output, stride, padding, output_padding, groups, dilation)
    _common.check_other(op, grad_output, sides, other)
    x, dy, v = batched(input, dims), batched(grad_output, dims), other.to(wide(other))
    out = v.new_empty(sides.samples)
    for piece in sides.pieces(0, max_bytes):
        y = _FORWARD[dims](x[piece].to(v.dtype), v, None, stride, padding, output_padding, groups, dilation)
        out[piece] = _common.meet(dy[piece].to(v.dtype), y)
    return out


def _conv_transpose_nd_weight_gram(
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
    max_bytes: int = MAX_BYTES,
) -> Tensor:
    """The inner products of all samples' gradients with respect to the weight with each other.

    From the gradients, some channels of the weight at a time, or from pairs of positions, as in
    `conv_transpose{n}d_weight_sqnorm`, whose result is the diagonal.

    Args:
        input, weight_size, grad_output, stride, padding, output_padding, groups, dilation: as in
            `conv_transpose{n}d_weight`.
        max_bytes: what the work may take at a time beside operands and result, but at least one sample's columns and
            one channel of all gradients.

    Returns:
        (N, N), in at least float32; of complex numbers the row's gradient is conjugate.

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    op = f"per_sample.conv_transpose{dims}d_weight_gram"
    sides = of_transposed(op, dims, input, weight_size, grad_output, stride, padding, output_padding, groups, dilation)
    return _common.gram(op, sides, max_bytes)


def _conv_transpose_nd_weight_weighted(
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
    coefficients: Tensor,
) -> Tensor:
    """The sum of all samples' gradients with respect to the weight, each times its coefficient, in one pass.

    Σ a[n] · dw[n] is `conv_transpose{n}d_weight` of a[n] · dy[n], as the gradient is linear in dy.

    Args:
        input, weight_size, grad_output, stride, padding, output_padding, groups, dilation: as in
            `conv_transpose{n}d_weight`.
        coefficients: a, (N,), of any dtype that the operands' can hold.

    Returns:
        (C, O/groups, *K).

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    op = f"per_sample.conv_transpose{dims}d_weight_weighted"
    sides = of_transposed(op, dims, input, weight_size, grad_output, stride, padding, output_padding, groups, dilation)
    dy = _common.scaled(op, grad_output, sides, coefficients)
    x = batched(input, dims).to(dy.dtype)
    return _WEIGHT[dims](x, weight_size, dy, stride, padding, output_padding, groups, dilation).to(input.dtype)


conv_transpose1d_weight, conv_transpose2d_weight, conv_transpose3d_weight = in_1d_2d_3d(_conv_transpose_nd_weight)
conv_transpose1d_bias, conv_transpose2d_bias, conv_transpose3d_bias = in_1d_2d_3d(_conv_transpose_nd_bias)
conv_transpose1d_weight_sqnorm, conv_transpose2d_weight_sqnorm, conv_transpose3d_weight_sqnorm = in_1d_2d_3d(
    _conv_transpose_nd_weight_sqnorm
)
conv_transpose1d_weight_dot, conv_transpose2d_weight_dot, conv_transpose3d_weight_dot = in_1d_2d_3d(
    _conv_transpose_nd_weight_dot
)
conv_transpose1d_weight_gram, conv_transpose2d_weight_gram, conv_transpose3d_weight_gram = in_1d_2d_3d(
    _conv_transpose_nd_weight_gram
)
conv_transpose1d_weight_weighted, conv_transpose2d_weight_weighted, conv_transpose3d_weight_weighted = in_1d_2d_3d(
    _conv_transpose_nd_weight_weighted
)
