"""Kronecker factors: the second moments of what stands on either side of a weight gradient.

A sample's gradient is a sum over positions, dw[n] = Σ_p b[n,p] ⊗ a[n,p], with a what the weight meets at p, and b the
gradient of what it makes of it. K-FAC takes a and b for independent, so that Σ_n vec(dw[n]) vec(dw[n])ᵀ becomes a
Kronecker product. Groups share no weight, and so each has factors of its own.

Both kinds of factors, and their scales, are those of R. Eschenhagen et al., "Kronecker-factored approximate curvature
for modern neural network architectures", 2023.
"""

from __future__ import annotations

from .functional._common import in_1d_2d_3d
from .per_sample._factors import Factors, product_factors
from .per_sample._family import function
from .per_sample._use import MAX_BYTES
from .per_sample.convolution import conv_nd
from .per_sample.linear import linear
from .per_sample.transposed import conv_transpose_nd

__all__ = [
    "Factors",
    "conv1d_factors",
    "conv2d_factors",
    "conv3d_factors",
    "conv_transpose1d_factors",
    "conv_transpose2d_factors",
    "conv_transpose3d_factors",
    "linear_factors",
]

_CONV = """
    Kronecker factors of `conv{n}d`, with a[n,p] the column of x̄ under the window at p and b[n,p] = dy[n,:,p].

    'expand' takes every position for a sample:
    A = 1/(N·L) Σ_np a aᴴ and G = Σ_np b bᴴ. This is the factorisation of R. Grosse and J. Martens, "A
    Kronecker-factored approximate Fisher matrix for convolution layers", 2016, whose Ω is L·A and whose Γ is
    G/(N·L).

    'reduce' sums over the positions first: A = 1/(N·L²) Σ_n (Σ_p a) (Σ_p a)ᴴ and G = Σ_n (Σ_p b) (Σ_p b)ᴴ. In both
    kinds G ⊗ A stands for Σ_n vec(dw[n]) vec(dw[n])ᴴ; where there is one position, they are equal.

    Args:
        {arguments}: as in `{law}_weight`.
        kind: 'expand' or 'reduce'.
        bias: whether every column gets a one at its end, for the bias as one more weight.
        max_bytes: what the work may take at a time beside operands and result, but at least one sample's columns.

    Returns:
        `Factors`: A (groups, C/groups·K, C/groups·K), one more with a bias, and G (groups, O/groups, O/groups), in at
        least float32.

    Raises:
        HandgradError: where shapes, dtypes, devices, numbers or names do not go together.
"""
_TRANSPOSED = """
    Kronecker factors of `conv_transpose{n}d`: those of `conv{n}d_factors` with the roles exchanged.

    Its weight is shared by the positions p of its *input*: a[n,p] = x̄[n,:,p], and b[n,p] is the column of dy under the
    window at p. L is then the number of input positions, and A ⊗ G has the order of the weight's own axes. A bias meets
    output positions instead, and has no place in these factors.

    Args:
        {arguments}: as in `{law}_weight`.
        kind: 'expand' or 'reduce', as in `conv{n}d_factors`.
        max_bytes: what the work may take at a time beside operands and result, but at least one sample's columns.

    Returns:
        `Factors`: A (groups, C/groups, C/groups) and G (groups, O/groups·K, O/groups·K), in at least float32.

    Raises:
        HandgradError: where shapes, dtypes, devices, numbers or names do not go together.
"""
_LINEAR = """
    Kronecker factors of `torch.nn.functional.linear`: those of `conv1d_factors` with a kernel of one.

    The positions are all axes between the first and the last, a[n,p] = x̄[n,p,:] and b[n,p] = dy[n,p,:].

    Args:
        {arguments}: as in `{law}_weight`.
        kind: 'expand' or 'reduce', as in `conv1d_factors`.
        bias: whether every input gets a one at its end, for the bias as one more weight.
        max_bytes: what the work may take at a time beside operands and result, but at least one sample's share.

    Returns:
        `Factors`: A (1, in, in), one more with a bias, and G (1, out, out), in at least float32.

    Raises:
        HandgradError: where shapes, dtypes, devices, numbers or names do not go together.
"""

_with_bias = {"kind": "expand", "bias": False, "max_bytes": MAX_BYTES}
_conv = function(conv_nd, "kfac.conv_nd_factors", _CONV, product_factors, **_with_bias)
_transposed = function(
    conv_transpose_nd,
    "kfac.conv_transpose_nd_factors",
    _TRANSPOSED,
    product_factors,
    kind="expand",
    max_bytes=MAX_BYTES,
)

conv1d_factors, conv2d_factors, conv3d_factors = in_1d_2d_3d(_conv)
conv_transpose1d_factors, conv_transpose2d_factors, conv_transpose3d_factors = in_1d_2d_3d(_transposed)
linear_factors = function(linear, "kfac.linear_factors", _LINEAR, product_factors, **_with_bias)
