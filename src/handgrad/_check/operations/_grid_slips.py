"""Slips in a geometry that give another grid than the input's, or the wrong part of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from torch import Tensor
from torch.nn import functional as F

from ..reading import read
from ..slips import Slip
from ._axis_slips import DILATION, PAD_FIX, PADDING, STRIDE, SWAPPED, Axes, each, swap_stride_and_dilation
from ._law import Axis

SIDEWAYS = Slip(
    "height-width-swapped",
    "fold",
    "the fold is given the image's width and height the wrong way round",
    "the sizes in the order (height, width)",
)


def result_geometries(
    axes: Axes, role: str, transposed: bool, code: str = ""
) -> Iterator[tuple[Slip, Axes, Callable[[Tensor], Tensor]]]:
    """Wrong numbers, with the grid that then comes out, as a library call gives it: as it is, and forced into shape."""
    if role == "weight":
        yield from _own_kernel(axes)
    elif not transposed:
        yield from _own_image(axes)
        yield from _crops(axes, code)


def _own_image(axes: Axes) -> Iterator[tuple[Slip, Axes, Callable[[Tensor], Tensor]]]:
    """dx of another geometry has another size; filled up with zeros it loses what lay beyond."""
    wanted = [axis.size for axis in axes]
    for slip, change in (
        (STRIDE, each(stride=1)),
        (DILATION, each(dilation=1)),
        (SWAPPED, swap_stride_and_dilation),
    ):
        other = change(axes)
        if other != axes and all(axis.natural() > 0 for axis in other):
            natural = tuple(replace(axis, size=axis.natural()) for axis in other)
            yield slip, natural, _as_it_is
            yield slip, natural, lambda dx: _to_size(dx, wanted)
    for slip, other in full_paddings(axes):
        yield slip, other, _as_it_is
        yield slip, other, lambda dx: _to_size(dx, wanted)
    short = tuple(replace(axis, size=min(axis.size, axis.natural())) for axis in axes)
    lost = [axis.size - less.size for axis, less in zip(axes, short, strict=True)]
    if any(lost) and all(axis.size > 0 for axis in short):
        message = f"the stride leaves a remainder: the last {tuple(lost)} entries of the spatial axes are missing"
        yield (
            Slip("tail-lost", None, message, "give the size: `output_padding`, or fold's output_size"),
            short,
            _as_it_is,
        )
        yield Slip("tail-lost", "zero", message.replace("missing", "zero")), short, lambda dx: _to_size(dx, wanted)


def full_paddings(axes: Axes) -> Iterator[tuple[Slip, Axes]]:
    """A full correlation, whose padding is kernel − 1, with the kernel of another axis: exchanged, or one for all."""
    if any(axis.stride > 1 or axis.dilation > 1 for axis in axes):
        return
    kernels = [axis.kernel for axis in axes]
    for words, others in (
        ("has height and width exchanged", kernels[::-1]),
        ("is made for the first axis", kernels[:1] * len(axes)),
        ("is made for the last axis", kernels[-1:] * len(axes)),
    ):
        wrong = tuple(
            replace(a, low=a.low + a.kernel - other, size=a.size + 2 * (other - a.kernel))
            for a, other in zip(axes, others, strict=True)
        )
        if wrong != axes and all(axis.size > 0 for axis in wrong):
            fix = "`F.pad` takes the last axis first: (kw − 1, kw − 1, kh − 1, kh − 1)"
            message = f"the padding of the full correlation {words}"
            yield Slip("height-width-swapped", f"full padding {words}", message, fix), wrong


def _crops(axes: Axes, code: str) -> Iterator[tuple[Slip, Axes, Callable[[Tensor], Tensor]]]:
    """The gradient of the padded input, whole, or another part of it than the right one."""
    pads = tuple(axis.low for axis in axes)
    if not any(axis.padding for axis in axes):
        return
    fix = "crop it: `[pad : pad + size]` on each spatial axis, pad being what stands before the image"
    whole = Slip(
        "padding-not-cropped", None, f"this is the gradient of the padded input: padding {pads} is not cropped", fix
    )
    padded = tuple(replace(axis, low=0, size=axis.size + axis.padding) for axis in axes)
    yield whole, padded, _as_it_is
    yield whole, tuple(replace(axis, size=replace(axis, high=0).natural()) for axis in each(low=0)(axes)), _as_it_is
    first = each(low=0)(axes)
    if code and not read(code).crops:  # the same values: nothing is cropped, the offset is forgotten
        yield (
            Slip("padding-ignored", "offset", "positions are taken without the padding's offset", PAD_FIX),
            first,
            _as_it_is,
        )
    if len({axis.low for axis in axes}) > 1:
        message = "the crop has the paddings of height and width exchanged"
        slip = Slip("height-width-swapped", ("low",), message, "the padding in the order (height, width)")
        yield slip, _cropped_by_the_other(axes), _as_it_is
    parts = {
        "first corner": first,
        "last corner": tuple(replace(axis, low=axis.padding) for axis in axes),
        "middle": tuple(replace(axis, low=axis.padding // 2) for axis in axes),
    }
    for name, part in parts.items():
        if [axis.low for axis in part] != [axis.low for axis in axes]:
            message = f"the {name} of the padded gradient was kept: the image begins at {pads}"
            yield Slip("wrong-crop", name, message, fix), part, _as_it_is


def _cropped_by_the_other(axes: Axes) -> Axes:
    """A crop that begins at the other axis's padding, and ends where the padded image does."""
    return tuple(
        replace(axis, low=other.low, size=min(axis.size, axis.size + axis.padding - other.low))
        for axis, other in zip(axes, axes[::-1], strict=True)
    )


def _own_kernel(axes: Axes) -> Iterator[tuple[Slip, Axes, Callable[[Tensor], Tensor]]]:
    """dw by a convolution has the kernel that fits: too large where the stride leaves a remainder."""
    wanted = [axis.kernel for axis in axes]
    plain = Slip(
        "wrong-crop",
        "kernel",
        "the stride leaves a remainder: the result is larger than the kernel",
        "crop it to the kernel",
    )
    for slip, change in (
        (plain, lambda axes: axes),
        (STRIDE, each(stride=1)),
        (DILATION, each(dilation=1)),
        (SWAPPED, swap_stride_and_dilation),
        (Slip("padding-ignored", "all windows", PADDING, PAD_FIX), each(low=0)),
    ):
        other = tuple(replace(axis, kernel=_fitting_kernel(axis)) for axis in change(axes))
        if (change(axes) != axes or slip is plain) and all(axis.kernel > 0 for axis in other):
            yield slip, other, _as_it_is
            if slip is not plain:
                yield slip, other, lambda dw: _to_size(dw, wanted)


def _fitting_kernel(axis: Axis) -> int:
    """How many taps a convolution of x with dy, whose strides and dilations are exchanged, has room for."""
    return (axis.size + axis.padding - axis.stride * (axis.output - 1) - 1) // axis.dilation + 1


def _as_it_is(result: Tensor) -> Tensor:
    return result


def _to_size(result: Tensor, wanted: Sequence[int]) -> Tensor:
    """Cropped, or filled up with zeros, at the end of each spatial axis."""
    missing = [size - have for size, have in zip(wanted, result.shape[2:], strict=True)]
    return F.pad(result, [entry for size in missing[::-1] for entry in (0, size)])
