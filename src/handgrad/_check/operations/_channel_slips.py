"""The slips of a convolution in its kernel and its channels: flipped, exchanged, grouped another way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain, combinations

import torch
from torch import Tensor

from ..reading import read
from ..slips import Backwards, Slip
from ..slips.orders import reordered, reread
from ._convolution import Convolution

_CHANNELS = "input and output channels are exchanged"


def kernels(this: Convolution) -> Backwards:
    """Flipped, its axes exchanged, its channels exchanged."""
    dims = len(this.axes)
    for axes in chain.from_iterable(combinations(range(dims), size) for size in range(dims, 0, -1)):
        turned = tuple(replace(axis, flipped=i in axes) for i, axis in enumerate(this.axes))
        yield (flip_slip(this, axes),), partial(this.gradient, axes=turned)
        if this.known.role == "input" and this.w.shape[0] == this.w.shape[1]:  # w as it is, where all sizes fit
            both = (flip_slip(this, axes), Slip("channels-swapped", "permuted", _CHANNELS, "`w.transpose(0, 1)`"))
            yield both, partial(this.gradient, axes=turned, w=this.w.transpose(0, 1))
    yield from _exchanged(
        this, (0, 1, *range(2 + dims)[:1:-1]), "kernel-axes-transposed", "the kernel's axes are exchanged"
    )
    yield from _exchanged(this, (1, 0, *range(2, 2 + dims)), "channels-swapped", _CHANNELS)


def _is_flipped(this: Convolution, whole: bool) -> bool:
    """Whether a dx for the flipped kernel comes of a flip in the code, and not of a correlation without one.

    One that flips some of the axes is a correlation that should flip them all, unless it adds up windows.
    """
    seen = read(this.known.code)
    return not this.scatters or (seen.flips and not seen.correlates and (whole or seen.scatters))


def flip_slip(this: Convolution, axes: tuple[int, ...]) -> Slip:
    """The slip of a gradient for the kernel flipped along some axes, counted from the first spatial one."""
    whole = len(axes) == len(this.axes)
    where = "" if whole else f" along axes {tuple(axis + 2 for axis in axes)}"
    if _is_flipped(this, whole):
        fix = (
            "leave out the flip: adding up windows flips the kernel by itself"
            if this.scatters
            else "leave out the flip"
        )
        return Slip("kernel-flipped", axes, f"the kernel is flipped{where} where it must not be", fix)
    if this.known.convolves:
        message = f"this is dx for the kernel the other way round{where}: the forward pass convolves, so dx correlates"
        return Slip("kernel-not-flipped", axes, message, "correlate with the kernel, or convolve with it flipped")
    message = f"this is dx for the kernel flipped{where}: a correlation flips all its axes, a scatter none"
    spatial = ", ".join(str(axis + 2) for axis in range(len(this.axes)))
    return Slip(
        "kernel-not-flipped", axes, message, f"in a correlation flip the weight's axes ({spatial}), all of them"
    )


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


def groups(this: Convolution) -> Backwards:
    """Groups ignored, or their blocks in another order; nothing where there is one group."""
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
        yield (slip,), partial(_formed, forms[variant], dense)


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


def _formed(form: Callable[[Tensor], Tensor], dense: Convolution, g: Tensor) -> Tensor:
    return form(dense.gradient(g))
