"""The slips of a convolution: another geometry, columns that are not folded, another order of memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import chain, combinations, permutations

import torch
from torch import Tensor

from ..slips import Backwards, Linear, Slip
from ..slips.orders import reordered, reread, shuffled, shuffles
from ._axis_slips import Axes, geometries
from ._channel_slips import flip_slip, groups, kernels
from ._convolution import Convolution
from ._grid_slips import SIDEWAYS, full_paddings, result_geometries
from ._law import column_gradient, columns, conv_weight, fold, fold_sideways
from .operation import Known


def conv_slips(this: Convolution) -> Backwards:
    """Every slip of a convolution's gradient with respect to its input or weight; a bias has none of its own."""
    if this.known.role == "bias":
        return iter(())
    return chain(_column_form(this), _geometric(this), kernels(this), groups(this), _sideways(this), _orders(this))


def _geometric(this: Convolution) -> Backwards:
    for path, axes in geometries(this.axes, this.known.role, this.transposed):
        yield path, partial(this.gradient, axes=axes)
    for slip, axes, finish in result_geometries(this.axes, this.known.role, this.transposed, this.known.code):
        yield (slip,), partial(_finished, finish, this, axes)
    if this.scatters:
        yield from _unflipped_and_padded(this)
        yield from _overwritten(this)
    if this.transposed and this.known.role == "weight":
        yield from _of_one_position(this)


def _unflipped_and_padded(this: Convolution) -> Backwards:
    """A full correlation that neither flips the kernel nor is padded for it."""
    flip = flip_slip(this, tuple(range(len(this.axes))))
    for slip, axes in full_paddings(this.axes):
        yield (flip, slip), partial(this.gradient, axes=tuple(replace(axis, flipped=True) for axis in axes))


def _finished(finish: Callable[[Tensor], Tensor], this: Convolution, axes: Axes, g: Tensor) -> Tensor:
    return finish(this.gradient(g, axes=axes))


def _overwritten(this: Convolution) -> Backwards:
    """`=` for `+=` in a loop over windows or taps, with or without a loop over output channels inside."""
    fix = "accumulate where windows overlap: `+=`, or fold"
    for keep in ("last window", "last tap"):
        axes = tuple(replace(axis, keep=keep) for axis in this.axes)
        message = f"where windows overlap only the {keep} is left: `=` stands where `+=` belongs"
        yield (Slip("overwrite-instead-of-accumulate", keep, message, fix),), partial(this.gradient, axes=axes)
        both = Slip(
            "overwrite-instead-of-accumulate", (keep, "last channel"), message + ", for output channels too", fix
        )
        yield (both,), partial(_last_channel, this, axes)
    message = "overlapping windows are averaged: right for putting an image together again, wrong for a gradient"
    slip = Slip("averaged-overlap", None, message, "do not divide by fold(ones)")
    yield (slip,), partial(this.gradient, axes=tuple(replace(axis, shared=True) for axis in this.axes))


def _last_channel(this: Convolution, axes: Axes, g: Tensor) -> Tensor:
    kept = torch.zeros_like(g)
    kept[:, -1] = g[:, -1]
    return this.gradient(kept, axes=axes)


def _of_one_position(this: Convolution) -> Backwards:
    """`dw =` for `dw +=` in a loop over the input's positions, as a transposed convolution scatters them."""
    x, spatial = this.known.input, range(2, 2 + len(this.axes))
    for axes in chain.from_iterable(combinations(spatial, size) for size in range(1, len(spatial) + 1)):
        for end, at in (("last", -1), ("first", 0)):
            message = (
                f"only the {end} position of the input along axes {axes} contributes: each turn of a loop overwrites"
            )
            slip = Slip("overwrite-instead-of-accumulate", ("position", axes, end), message, "accumulate with `+=`")
            place = tuple(at if axis in axes else slice(None) for axis in range(x.dim()))
            kept = torch.zeros_like(x)
            kept[place] = x[place]
            yield (slip,), partial(this.gradient, x=kept)


def _column_form(this: Convolution) -> Backwards:
    """wᵀ·dy as it is, in any order of its axes (N, C, K, L)."""
    if not this.scatters:
        return
    shape = this.known.user_shape
    message = (
        f"the gradient with respect to the unfolded columns, shape {tuple(shape)}: the fold into the input is missing"
    )
    for order in permutations(range(4)):
        slip = Slip("column-form", order, message, "fold it with the forward pass's stride, padding and dilation")
        yield (slip,), partial(_columns_as, this, order, shape)


def _columns_as(this: Convolution, order: tuple[int, ...], shape: torch.Size, g: Tensor) -> Tensor:
    # (N, C·K, L) = (N, C, K, L)
    cols = this.column_gradient(g)
    cols = cols.reshape(len(g), -1, this.w.shape[2:].numel(), cols.shape[2]).permute(order)
    return cols.reshape(shape) if cols.numel() == shape.numel() else cols


def _sideways(this: Convolution) -> Backwards:
    """A fold that is given (W, H) where (H, W) belongs: what it gives has that shape, too."""
    if this.scatters and len(this.axes) == 2 and this.axes[0] != this.axes[1]:
        yield (SIDEWAYS,), partial(_fold_sideways, this)
        yield (SIDEWAYS,), partial(_in_shape_of_the_input, this.known, partial(_fold_sideways, this))


def _in_shape_of_the_input(known: Known, linear: Linear, g: Tensor) -> Tensor:
    return linear(g).reshape(known.input.shape)


def _fold_sideways(this: Convolution, g: Tensor) -> Tensor:
    return fold_sideways(column_gradient(this.w, g, this.groups), this.axes)


def _orders(this: Convolution) -> Backwards:
    """A reshape for a permute on the way: of the columns, of the image, of the kernel."""
    message = "a reshape stands where a permute belongs"
    for taken, for_ in shuffles():
        slip = Slip(
            "reshape-instead-of-permute", ("columns", taken, for_), f"{message}: the columns {taken} for {for_}"
        )
        if this.scatters:
            yield (slip,), partial(_fold_reordered, this, taken, for_)
        elif this.known.role == "weight" and not this.transposed:
            yield (slip,), partial(_weight_of_reordered, this, taken, for_)
    dims = len(this.axes)
    for order in ((0, *range(2, 2 + dims), 1), (0, 1 + dims, *range(1, 1 + dims)), (1, 0, *range(2, 2 + dims))):
        for change in (reordered, reread):
            name = "input" if this.known.role == "weight" else "weight"
            slip = Slip("reshape-instead-of-permute", (name, change.__name__, order), f"{message}: the {name} {order}")
            other = change(this.known.tensors[name], order)
            yield (slip,), partial(this.gradient, x=other) if name == "input" else partial(this.gradient, w=other)
    if this.known.role == "input":
        order = (*range(1, 2 + dims), 0)  # w.reshape(C·K, O) for its transpose
        slip = Slip(
            "reshape-instead-of-permute", ("weight matrix",), f"{message}: the weight's matrix must be transposed"
        )
        yield (slip,), partial(this.gradient, w=reread(this.w, order))


Order = tuple[int, ...]


def _fold_reordered(this: Convolution, taken: Order, for_: Order, g: Tensor) -> Tensor:
    cols = shuffled(this.column_gradient(g), taken, for_)
    kernel, output = this.w.shape[2:], g.shape[2:]
    return fold(cols.reshape(g.shape[0], -1, *kernel, *output), this.axes)


def _weight_of_reordered(this: Convolution, taken: Order, for_: Order, g: Tensor) -> Tensor:
    cols = columns(this.known.input, this.axes)
    flat = shuffled(cols.reshape(g.shape[0], -1, g.shape[2:].numel()), taken, for_)
    return conv_weight(flat.reshape(cols.shape), g, len(this.axes), this.groups)
