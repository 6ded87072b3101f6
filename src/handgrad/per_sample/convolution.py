"""What every sample of a batch says about the weight and the bias of a convolution, before it is summed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from torch import Tensor

from ..functional._common import Padding, PaddingMode, Size, in_1d_2d_3d
from ..functional._sides import of_conv
from ._family import Extra, channel_bias, family
from ._use import Use
from ._weights import Product

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


def conv_nd(
    op: str,
    dims: int,
    input: Tensor,
    weight_size: Sequence[int],
    grad_output: Tensor,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
    **_: Unpack[Extra],
) -> Use:
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
    sides = of_conv(op, dims, input, weight_size, grad_output, stride, padding, dilation, groups, padding_mode)
    return Product(op, sides, sides.weight)


def _conv_nd_bias(dims: int, grad_output: Tensor) -> Tensor:
    """Every sample's gradient of `conv{n}d` with respect to its bias: db[n,o] = Σ dy[n,o,p] over p.

    Args:
        grad_output: dy, (N, O, *L), or (O, *L), which is one sample.

    Returns:
        (N, O).

    Raises:
        HandgradError: where grad_output has another number of axes or a dtype without gradients.
    """
    return channel_bias(f"per_sample.conv{dims}d_bias", grad_output, dims)


_of = family(conv_nd)

conv1d_weight, conv2d_weight, conv3d_weight = in_1d_2d_3d(_of.weight)
conv1d_weight_sqnorm, conv2d_weight_sqnorm, conv3d_weight_sqnorm = in_1d_2d_3d(_of.sqnorm)
conv1d_weight_dot, conv2d_weight_dot, conv3d_weight_dot = in_1d_2d_3d(_of.dot)
conv1d_weight_gram, conv2d_weight_gram, conv3d_weight_gram = in_1d_2d_3d(_of.gram)
conv1d_weight_weighted, conv2d_weight_weighted, conv3d_weight_weighted = in_1d_2d_3d(_of.weighted)
conv1d_bias, conv2d_bias, conv3d_bias = in_1d_2d_3d(_conv_nd_bias)
