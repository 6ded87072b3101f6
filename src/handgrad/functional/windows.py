"""The windows of a convolution as columns, and their adjoint, in PyTorch's layout, in one to three dimensions.

Who holds only the columns has all that a convolution needs: y = w · cols, dw = Σₙ dy · colsᵀ, dx = fold(wᵀ · dy).
"""

from __future__ import annotations

from math import prod

from torch import Tensor

from .._algorithms import reference
from .._errors import error
from .._geometry import Ints, conv_geometry, frozen, per_dim
from .._operands import check_tensors
from ._common import Padding, Size, batched, in_1d_2d_3d

__all__ = [
    "fold1d",
    "fold2d",
    "fold3d",
    "unfold1d",
    "unfold2d",
    "unfold3d",
]


def _unfold_nd(
    dims: int,
    input: Tensor,
    kernel_size: Size,
    dilation: Size = 1,
    padding: Padding = 0,
    stride: Size = 1,
) -> Tensor:
    """Every window of a {n}-d convolution as a column, as `torch.nn.functional.unfold` for {n}-d.

    cols[n, (c,k), p] = x[n, c, p·stride + k·dilation − low], zero in the padding.

    Args:
        input: x, (N, C, *I) or (C, *I).
        kernel_size: K, an int or {n}.
        dilation, padding, stride: as in `conv{n}d`.

    Returns:
        cols, (N, C·K, L) or (C·K, L), where K counts all taps of the kernel and L all output positions.

    Raises:
        HandgradError: where shapes, dtypes or numbers do not go together.
    """
    op = f"unfold{dims}d"
    check_tensors(op, input=input)
    if input.dim() not in (dims + 1, dims + 2):
        raise error(op, "input must be (N, C, *I) or (C, *I)", input=(input.shape, f"{input.dim()} axes"))
    if 0 in input.shape[-dims - 1 :]:
        raise error(op, "only the batch may be empty", input=input.shape)
    kernel = per_dim(op, "kernel_size", frozen(kernel_size), dims, 1)
    geometry = conv_geometry(op, input.shape[-dims:], kernel, frozen(stride), frozen(padding), frozen(dilation), 1)
    seen = reference.windows(batched(input, dims), geometry)
    cols = input.new_empty(seen.shape).copy_(seen)  # a copy also where the windows are the image itself
    # (N, C, *K, *L) → (N, C·K, L)
    return cols.view(*input.shape[: -dims - 1], input.shape[-dims - 1] * prod(kernel), prod(geometry.output))


def _fold_nd(
    dims: int,
    input: Tensor,
    output_size: Size,
    kernel_size: Size,
    dilation: Size = 1,
    padding: Padding = 0,
    stride: Size = 1,
) -> Tensor:
    """The adjoint of `unfold{n}d`: every column entry is added to the pixel it was read from.

    x[n,c,i] = Σ cols[n, (c,k), p] over all k and p with p·stride + k·dilation − low = i. As
    `torch.nn.functional.fold` for {n}-d.

    Args:
        input: cols, (N, C·K, L) or (C·K, L).
        output_size: *I, the size of the image that was unfolded, an int or {n}.
        kernel_size: K, an int or {n}.
        dilation, padding, stride: as in `conv{n}d`.

    Returns:
        x, (N, C, *I) or (C, *I).

    Raises:
        HandgradError: where shapes, dtypes or numbers do not go together.
    """
    op = f"fold{dims}d"
    check_tensors(op, input=input)
    kernel = per_dim(op, "kernel_size", frozen(kernel_size), dims, 1)
    size = per_dim(op, "output_size", frozen(output_size), dims, 1)
    geometry = conv_geometry(op, size, kernel, frozen(stride), frozen(padding), frozen(dilation), 1)
    _check_columns(op, input.shape, kernel, geometry.output)
    # (N, C·K, L) → (N, C, *K, *L)
    cols = input.reshape(-1, input.shape[-2] // prod(kernel), *kernel, *geometry.output)
    image = reference.fold(cols, geometry).contiguous()
    return image if input.dim() == 3 else image.squeeze(0)


def _check_columns(op: str, cols: Ints, kernel: Ints, output: Ints) -> None:
    if len(cols) not in (2, 3):
        raise error(op, "input must be (N, C·K, L) or (C·K, L)", input=(cols, f"{len(cols)} axes"))
    if cols[-2] == 0 or cols[-2] % prod(kernel) or cols[-1] != prod(output):
        raise error(
            op,
            "these are not the columns of this geometry",
            input=(cols, f"C·K = {cols[-2]}, L = {cols[-1]}"),
            needed=f"a multiple of K = {prod(kernel)}, and L = {prod(output)} positions {output}",
        )


unfold1d, unfold2d, unfold3d = in_1d_2d_3d(_unfold_nd)
fold1d, fold2d, fold3d = in_1d_2d_3d(_fold_nd)
