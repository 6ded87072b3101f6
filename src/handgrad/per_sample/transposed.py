"""What every sample of a batch says about the weight and the bias of a transposed convolution, before it is summed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from torch import Tensor

from ..functional._common import Crop, Size, in_1d_2d_3d
from ..functional._sides import of_transposed
from ._family import Extra, channel_bias, family
from ._use import Use
from ._weights import Product

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


def conv_transpose_nd(
    op: str,
    dims: int,
    input: Tensor,
    weight_size: Sequence[int],
    grad_output: Tensor,
    stride: Size = 1,
    padding: Crop = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
    **_: Unpack[Extra],
) -> Use:
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
    sides = of_transposed(op, dims, input, weight_size, grad_output, stride, padding, output_padding, groups, dilation)
    return Product(op, sides, sides.weight)


def _conv_transpose_nd_bias(dims: int, grad_output: Tensor) -> Tensor:
    """Every sample's gradient of `conv_transpose{n}d` with respect to its bias: db[n,o] = Σ dy[n,o,p] over p.

    Args:
        grad_output: dy, (N, O, *L), or (O, *L), which is one sample.

    Returns:
        (N, O).

    Raises:
        HandgradError: where grad_output has another number of axes or a dtype without gradients.
    """
    return channel_bias(f"per_sample.conv_transpose{dims}d_bias", grad_output, dims)


_of = family(conv_transpose_nd)

conv_transpose1d_weight, conv_transpose2d_weight, conv_transpose3d_weight = in_1d_2d_3d(_of.weight)
conv_transpose1d_weight_sqnorm, conv_transpose2d_weight_sqnorm, conv_transpose3d_weight_sqnorm = in_1d_2d_3d(_of.sqnorm)
conv_transpose1d_weight_dot, conv_transpose2d_weight_dot, conv_transpose3d_weight_dot = in_1d_2d_3d(_of.dot)
conv_transpose1d_weight_gram, conv_transpose2d_weight_gram, conv_transpose3d_weight_gram = in_1d_2d_3d(_of.gram)
conv_transpose1d_weight_weighted, conv_transpose2d_weight_weighted, conv_transpose3d_weight_weighted = in_1d_2d_3d(
    _of.weighted
)
conv_transpose1d_bias, conv_transpose2d_bias, conv_transpose3d_bias = in_1d_2d_3d(_conv_transpose_nd_bias)
