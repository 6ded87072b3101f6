"""The slips of a convolution: another geometry, another kernel, another order of channels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, combinations, permutations

import torch
from torch import Tensor

from ..slips import Backwards, Slip
from ..slips.draw import reordered, reread, shuffled, shuffles
from ._axis_slips import Axes, geometries, result_geometries
from ._law import column_gradient, columns, conv, conv_input, conv_weight, fold
from .operation import Known


@dataclass(frozen=True)
class Convolution:
    """One gradient of one convolution: what is contracted, by which geometry.

    Of a transposed convolution, x is grad_output and dy its input.
    """

    known: Known
    axes: Axes
    groups: int
    transposed: bool

    @property
    def w(self) -> Tensor:
        """(O, C/G, *K); of a transposed convolution (C, O/G, *K), which is the same to the law."""
        return self.known.tensors["weight"]

    @property
    def scatters(self) -> bool:
        """Whether this gradient adds up in overlapping windows."""
        return self.known.role == "input" and not self.transposed

    def gradient(self, g: Tensor, axes: Axes | None = None, w: Tensor | None = None, x: Tensor | None = None) -> Tensor:
        """The gradient, by another geometry, kernel or input where one is given."""
        axes = axes or self.axes
        w, x = self.w if w is None else w, self.known.input if x is None else x
        if self.known.role == "weight":
            known, dy = (g, x) if self.transposed else (x, g)
            return conv_weight(columns(known, axes), dy, len(axes), self.groups)
        if self.transposed:
            return conv(g, w, axes, self.groups)
        return conv_input(w, g, axes, self.groups)


def conv_slips(this: Convolution) -> Backwards:
    """Every slip of a convolution's gradient with respect to its input or weight; a bias has none of its own."""
    if this.known.role == "bias":
        return iter(())
    return chain(_column_form(this), _geometric(this), _kernels(this), _groups(this), _orders(this))


def _geometric(this: Convolution) -> Backwards:
    for path, axes in geometries(this.axes, this.known.role, this.transposed):
        yield path, partial(this.gradient, axes=axes)
    for slip, axes, finish in result_geometries(this.axes, this.known.role, this.transposed, this.known.code):
        yield (slip,), partial(_finished, finish, this, axes)
    if this.scatters:
        yield from _overwritten(this)


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


def _column_form(this: Convolution) -> Backwards:
    """wᵀ·dy as it is, in any order of its axes (N, C·K, L)."""
    if not this.scatters:
        return
    shape = this.known.user_shape
    message = (
        f"the gradient with respect to the unfolded columns, shape {tuple(shape)}: the fold into the input is missing"
    )
    for order in permutations(range(3)):
        slip = Slip("column-form", order, message, "fold it with the forward pass's stride, padding and dilation")
        yield (slip,), partial(_columns_as, this, order, shape)


def _columns_as(this: Convolution, order: tuple[int, ...], shape: torch.Size, g: Tensor) -> Tensor:
    cols = _flat_columns(this, g).permute(order)
    return cols.reshape(shape) if cols.numel() == shape.numel() else cols


def _flat_columns(this: Convolution, g: Tensor) -> Tensor:
    """wᵀ·dy: (N, C·K, L)."""
    cols = column_gradient(this.w, g, this.groups)
    return cols.reshape(g.shape[0], -1, g.shape[2:].numel())


def _kernels(this: Convolution) -> Backwards:
    """Flipped, its axes exchanged, its channels exchanged."""
    dims = len(this.axes)
    for axes in chain.from_iterable(combinations(range(dims), size) for size in range(dims, 0, -1)):
        turned = tuple(replace(axis, flipped=i in axes) for i, axis in enumerate(this.axes))
        yield (_flip_slip(this, axes),), partial(this.gradient, axes=turned)
    yield from _exchanged(
        this, (0, 1, *range(2 + dims)[:1:-1]), "kernel-axes-transposed", "the kernel's axes are exchanged"
    )
    yield from _exchanged(
        this, (1, 0, *range(2, 2 + dims)), "channels-swapped", "input and output channels are exchanged"
    )


def _flips_in_a_scatter(code: str) -> bool:
    """Whether the code flips something, and adds up windows itself: the values of a correlation without the flip."""
    flips = any(word in code for word in ("flip", "rot90", "::-1"))
    scatters = any(word in code for word in ("fold(", "+=", "conv_transpose"))
    return flips and scatters and not any(word in code for word in ("convolve", "correlate"))


def _flip_slip(this: Convolution, axes: tuple[int, ...]) -> Slip:
    where = "" if len(axes) == len(this.axes) else f" along axes {tuple(axis + 2 for axis in axes)}"
    if this.scatters and not _flips_in_a_scatter(this.known.code):
        message = f"this is dx for the kernel flipped{where}: a correlation must flip it, a scatter or fold must not"
        return Slip("kernel-not-flipped", axes, message, "`weight.flip(2, 3)` in a correlation, `weight` in a scatter")
    return Slip("kernel-flipped", axes, f"the kernel is flipped{where} where it must not be", "leave out the flip")


def _exchanged(this: Convolution, order: tuple[int, ...], cause: str, message: str) -> Backwards:
    """Two axes of the kernel exchanged: in the weight gradient itself, or in the kernel that makes dx."""
    if order == tuple(range(len(order))):
        return
    if this.known.role == "weight":
        for variant, change in (("permuted", _permuted), ("reordered", reordered), ("reread", reread)):
            yield (Slip(cause, variant, message, f"`.permute{order}`"),), partial(_changed, change, order, this)
        return
    if this.w.permute(order).shape == this.w.shape:
        yield (Slip(cause, "permuted", message),), partial(this.gradient, w=this.w.permute(order))
    for variant, change in (("reordered", reordered), ("reread", reread)):
        yield (Slip(cause, variant, message),), partial(this.gradient, w=change(this.w, order))


def _permuted(tensor: Tensor, axes: tuple[int, ...]) -> Tensor:
    return tensor.permute(axes)


def _changed(
    change: Callable[[Tensor, tuple[int, ...]], Tensor], order: tuple[int, ...], this: Convolution, g: Tensor
) -> Tensor:
    return change(this.gradient(g), order)


def _groups(this: Convolution) -> Backwards:
    if this.groups == 1:
        return
    yield from _dense(this)
    message = f"the {this.groups} groups' blocks are in another order"
    channel = 0 if this.known.role == "weight" else 1
    for variant, order in _block_orders(this.known.tensors[this.known.role].shape[channel], this.groups):
        yield (Slip("groups-permuted", ("result", variant), message),), partial(_reordered_result, this, channel, order)
    for variant, order in _block_orders(this.known.g.shape[1], this.groups):
        yield (Slip("groups-permuted", ("g", variant), message),), partial(_reordered_g, this, order)
    for variant, order in _block_orders(this.w.shape[0], this.groups) if not this.transposed else ():
        yield (Slip("groups-permuted", ("output channels", variant), message),), partial(_other_blocks, this, order)
    if this.known.role == "input":
        for variant, order in _block_orders(this.w.shape[0], this.groups):
            yield (Slip("groups-permuted", ("w", variant), message),), partial(this.gradient, w=this.w[order])
    else:
        for variant, order in _block_orders(this.known.input.shape[1], this.groups):
            yield (
                (Slip("groups-permuted", ("x", variant), message),),
                partial(this.gradient, x=this.known.input[:, order]),
            )


def _dense(this: Convolution) -> Backwards:
    """The gradient of one block that covers all channels, as it is, or squeezed into the grouped shape."""
    dense = replace(this, groups=1)
    block = this.w.shape[1]
    message = f"groups = {this.groups} is ignored: this is the dense gradient"
    forms: dict[str, Callable[[Tensor], Tensor]] = {
        "whole": lambda full: full,
        "first block": lambda full: full[:, :block],
        "sum of blocks": lambda full: full.reshape(full.shape[0], -1, block, *full.shape[2:]).sum(1),
        "tiled": lambda full: full.repeat(1, this.groups, *[1] * len(this.axes)),
        "zeros": lambda full: torch.cat([full, full.new_zeros(_with(full, 1, full.shape[1] * (this.groups - 1)))], 1),
    }
    wanted = ("whole", "first block", "sum of blocks") if this.known.role == "weight" else ("whole", "tiled", "zeros")
    for variant in wanted if not this.transposed or this.known.role == "weight" else ():
        slip = Slip("groups-ignored", variant, message, "contract each group's channels on their own")
        yield (slip,), partial(_finished, forms[variant], dense, this.axes)


def _with(tensor: Tensor, axis: int, size: int) -> list[int]:
    return [size if i == axis else have for i, have in enumerate(tensor.shape)]


def _block_orders(channels: int, groups: int) -> Iterator[tuple[str, Tensor]]:
    index = torch.arange(channels)
    blocks = index.reshape(groups, -1)
    yield "interleaved", blocks.T.flatten()
    yield "taken for interleaved", index.reshape(-1, groups).T.flatten()
    yield "reversed", blocks.flip(0).flatten()
    yield "rolled", blocks.roll(1, 0).flatten()
    yield "rolled back", blocks.roll(-1, 0).flatten()


def _reordered_result(this: Convolution, axis: int, order: Tensor, g: Tensor) -> Tensor:
    return this.gradient(g).index_select(axis, order)


def _reordered_g(this: Convolution, order: Tensor, g: Tensor) -> Tensor:
    return this.gradient(g[:, order])


def _other_blocks(this: Convolution, order: Tensor, g: Tensor) -> Tensor:
    """Every output channel taken for one of another group: with its own kernel, but another group's input channels."""
    if this.known.role == "input":
        return this.gradient(g[:, order], w=this.w[order])
    return this.gradient(g[:, order])[order.argsort()]


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
    cols = shuffled(_flat_columns(this, g), taken, for_)
    kernel, output = this.w.shape[2:], g.shape[2:]
    return fold(cols.reshape(g.shape[0], -1, *kernel, *output), this.axes)


def _weight_of_reordered(this: Convolution, taken: Order, for_: Order, g: Tensor) -> Tensor:
    cols = columns(this.known.input, this.axes)
    flat = shuffled(cols.reshape(g.shape[0], -1, g.shape[2:].numel()), taken, for_)
    return conv_weight(flat.reshape(cols.shape), g, len(this.axes), this.groups)
