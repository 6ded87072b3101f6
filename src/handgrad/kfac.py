"""Kronecker factors: the second moments of what stands on either side of a weight gradient.

A sample's gradient is a sum over positions, dw[n] = Σ_p b[n,p] ⊗ a[n,p], with a the column that a window reads and b
what it meets. K-FAC takes a and b for independent, so that Σ_n vec(dw[n]) vec(dw[n])ᵀ becomes a Kronecker product.
Groups share no weight, and so each has factors of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch.nn.functional as F
from torch import Tensor

from ._algorithms.reference import PIECE
from ._errors import error
from ._tensors import wide
from .functional._common import Crop, Padding, PaddingMode, Size, in_1d_2d_3d
from .functional._sides import Sides, check_max_bytes, of_conv, of_transposed

__all__ = [
    "Factors",
    "conv1d_factors",
    "conv2d_factors",
    "conv3d_factors",
    "conv_transpose1d_factors",
    "conv_transpose2d_factors",
    "conv_transpose3d_factors",
]

Kind = Literal["expand", "reduce"]


class Factors(NamedTuple):
    """What the functions of this module return: one matrix for each group, of the input's side and of dy's."""

    A: Tensor
    G: Tensor


def _conv_nd_factors(
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
    kind: Kind = "expand",
    bias: bool = False,
    max_bytes: int = PIECE,
) -> Factors:
    """Kronecker factors of `conv{n}d`, with a[n,p] the column of x̄ under the window at p and b[n,p] = dy[n,:,p].

    'expand' takes every position for a sample:
    A = 1/(N·L) Σ_np a aᴴ and G = Σ_np b bᴴ. This is the factorisation of R. Grosse and J. Martens, "A
    Kronecker-factored approximate Fisher matrix for convolution layers", 2016, whose Ω is L·A and whose Γ is
    G/(N·L).

    'reduce' sums over the positions first: A = 1/(N·L²) Σ_n (Σ_p a) (Σ_p a)ᴴ and G = Σ_n (Σ_p b) (Σ_p b)ᴴ. Both
    names and scales are those of R. Eschenhagen et al., "Kronecker-factored approximate curvature for modern neural
    network architectures", 2023. In both kinds G ⊗ A stands for Σ_n vec(dw[n]) vec(dw[n])ᴴ; where there is one
    position, they are equal.

    Args:
        input, weight_size, grad_output, stride, padding, dilation, groups, padding_mode: as in `conv{n}d_weight`.
        kind: 'expand' or 'reduce'.
        bias: whether every column gets a one at its end, for the bias as one more weight.
        max_bytes: what the work may take at a time beside operands and result, but at least one sample's columns.

    Returns:
        `Factors`: A (groups, C/groups·K, C/groups·K), one more with a bias, and G (groups, O/groups, O/groups), in at
        least float32.

    Raises:
        HandgradError: where shapes, dtypes, devices, numbers or names do not go together.
    """
    op = f"kfac.conv{dims}d_factors"
    _check(op, kind, max_bytes)
    sides = of_conv(op, dims, input, weight_size, grad_output, stride, padding, dilation, groups, padding_mode)
    A = _moment(sides, sides.columns, sides.heights[1], kind, max_bytes, ones=bias)
    return _scaled(A, _moment(sides, sides.rows, sides.heights[0], kind, max_bytes), sides, kind)


def _conv_transpose_nd_factors(
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
    kind: Kind = "expand",
    max_bytes: int = PIECE,
) -> Factors:
    """Kronecker factors of `conv_transpose{n}d`: those of `conv{n}d_factors` with the roles exchanged.

    Its weight is shared by the positions p of its *input*: a[n,p] = x̄[n,:,p], and b[n,p] is the column of dy under the
    window at p. L is then the number of input positions, and A ⊗ G has the order of the weight's own axes. A bias meets
    output positions instead, and has no place in these factors.

    Args:
        input, weight_size, grad_output, stride, padding, output_padding, groups, dilation: as in
            `conv_transpose{n}d_weight`.
        kind: 'expand' or 'reduce', as in `conv{n}d_factors`.
        max_bytes: what the work may take at a time beside operands and result, but at least one sample's columns.

    Returns:
        `Factors`: A (groups, C/groups, C/groups) and G (groups, O/groups·K, O/groups·K), in at least float32.

    Raises:
        HandgradError: where shapes, dtypes, devices, numbers or names do not go together.
    """
    op = f"kfac.conv_transpose{dims}d_factors"
    _check(op, kind, max_bytes)
    sides = of_transposed(op, dims, input, weight_size, grad_output, stride, padding, output_padding, groups, dilation)
    A = _moment(sides, sides.rows, sides.heights[0], kind, max_bytes)
    return _scaled(A, _moment(sides, sides.columns, sides.heights[1], kind, max_bytes), sides, kind)


def _moment(
    sides: Sides, side: Callable[[slice], Tensor], height: int, kind: Kind, max_bytes: int, ones: bool = False
) -> Tensor:
    """(G, h, h): the sum of v vᴴ over samples and positions, or over samples with v summed over positions."""
    G, h = sides.geometry.groups, height + ones
    out = sides.met.new_zeros(G, h, h, dtype=wide(sides.met))
    for piece in sides.pieces(0, max_bytes // 2):  # the other half is for the copy that `flatten` makes
        v = side(piece)  # (n, G, h, L)
        if ones:
            v = F.pad(v, (0, 0, 0, 1), value=1.0)
        if kind == "reduce":
            v = v.sum(3, keepdim=True)  # (n, G, h, 1)
        v = v.permute(1, 2, 0, 3).flatten(2)  # (n, G, h, L) → (G, h, n·L)
        out.baddbmm_(v, v.mH)  # (G, h, n·L) @ (G, n·L, h) = (G, h, h)
    return out


def _scaled(A: Tensor, G: Tensor, sides: Sides, kind: Kind) -> Factors:
    positions = sides.positions if kind == "expand" else sides.positions**2
    return Factors(A.div_(max(1, sides.samples) * positions), G)


def _check(op: str, kind: str, max_bytes: int) -> None:
    if kind not in ("expand", "reduce"):
        raise error(op, f"unknown kind {kind!r}", known="expand, reduce")
    check_max_bytes(op, max_bytes)


conv1d_factors, conv2d_factors, conv3d_factors = in_1d_2d_3d(_conv_nd_factors)
conv_transpose1d_factors, conv_transpose2d_factors, conv_transpose3d_factors = in_1d_2d_3d(_conv_transpose_nd_factors)
