"""Slips in the law's numbers, over the right grids: stride, dilation and padding ignored or exchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations

from ..slips import Path, Slip
from ._law import Axis

Axes = tuple[Axis, ...]
Change = Callable[[Axes], Axes]


def each(**changes: object) -> Change:
    return lambda axes: tuple(replace(axis, **changes) for axis in axes)  # type: ignore[arg-type]


def swap_stride_and_dilation(axes: Axes) -> Axes:
    return tuple(replace(axis, stride=axis.dilation, dilation=axis.stride) for axis in axes)


def _mirrored(*fields: str) -> Change:
    """Height for width in some of the options."""

    def change(axes: Axes) -> Axes:
        return tuple(
            replace(axis, **{field: getattr(other, field) for field in fields})
            for axis, other in zip(axes, axes[::-1], strict=True)
        )

    return change


def _only_inside(axes: Axes) -> Axes:
    return tuple(replace(axis, low=0, limit=axis.windows(axis.size)) for axis in axes)


STRIDE = Slip("stride-ignored", None, "this is the gradient for stride 1", "use the forward pass's stride")
DILATION = Slip("dilation-ignored", None, "this is the gradient for dilation 1", "use the forward pass's dilation")
PADDING = "this is the gradient for padding 0"
SWAPPED = Slip("stride-dilation-swapped", None, "stride and dilation are exchanged", "exchange stride and dilation")
PAD_FIX = "pad the input as the forward pass does"


def _changes(role: str, transposed: bool) -> Iterator[tuple[Slip, Change]]:
    yield STRIDE, each(stride=1)
    yield DILATION, each(dilation=1)
    yield SWAPPED, swap_stride_and_dilation
    yield Slip("padding-ignored", "inside", PADDING, PAD_FIX), _only_inside
    if role == "weight" or transposed:
        yield Slip("padding-ignored", "all windows", PADDING, PAD_FIX), each(low=0)
    for fields in (("stride",), ("low",), ("dilation",), ("stride", "low"), ("stride", "low", "dilation")):
        words = " and ".join("padding" if field == "low" else field for field in fields)
        message = f"height and width are exchanged in the {words}"
        yield (
            Slip("height-width-swapped", fields, message, f"the {words} in the order (height, width)"),
            _mirrored(*fields),
        )


def _one_axis(axes: Axes) -> Iterator[tuple[Slip, Axes]]:
    """The stride forgotten on one axis of several: `i * stride, j`."""
    for at, axis in enumerate(axes if len(axes) > 1 else ()):
        if axis.stride > 1:
            message = f"this is the gradient for stride 1 along axis {at + 2}"
            slip = Slip("stride-ignored", at, message, "use the forward pass's stride on every axis")
            yield slip, tuple(replace(other, stride=1) if i == at else other for i, other in enumerate(axes))


def geometries(axes: Axes, role: str, transposed: bool) -> Iterator[tuple[Path, Axes]]:
    """Wrong numbers in the law, over the right grids: one slip, or two."""
    changes = [(slip, change) for slip, change in _changes(role, transposed) if change(axes) != axes]
    for slip, change in changes:
        yield (slip,), change(axes)
    yield from (((slip,), other) for slip, other in _one_axis(axes))
    for (one, first), (other, second) in combinations(changes, 2):
        both = second(first(axes))
        if both not in (first(axes), second(axes), axes) and one.cause != other.cause:
            yield (one, other), both
