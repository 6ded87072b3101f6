"""What happens to a gradient after it is computed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from itertools import combinations, permutations

from torch import Tensor

from . import Results, Slip
from .axes import picks
from .draw import Draw
from .orders import reordered, reread


def results(draw: Draw, gradient: Tensor, causes: Collection[str] | None = None) -> Results:
    """Every slip of this kind, or those of some causes only, with what it makes of a gradient."""
    for makes, slips in _TABLE:
        if causes is None or not makes.isdisjoint(causes):
            yield from slips(draw, gradient)


def _permuted(draw: Draw, gradient: Tensor) -> Results:
    dims = gradient.dim()
    identity = tuple(range(dims))
    if not 2 <= dims <= 5:
        return
    reverse, last_two = identity[::-1], (*identity[:-2], dims - 1, dims - 2)
    if dims > 2:
        fix = "`.mT`, or `.transpose(-2, -1)`, exchanges the last two axes only"
        yield (
            Slip("reversed-axes", None, f"all {dims} axes are in reverse order, as `.T` leaves them", fix),
            gradient.permute(reverse),
        )
    yield _exchanged(draw, dims), gradient.permute(last_two)
    for axes in permutations(identity):
        if axes not in (identity, last_two) and (dims == 2 or axes != reverse):
            yield _reordered_axes(draw, axes), gradient.permute(axes)


def _reordered_axes(draw: Draw, axes: tuple[int, ...]) -> Slip:
    """`.T` where the last two axes are exchanged already, if that is how it is written; or any other order."""
    back = tuple(axes.index(axis) for axis in range(len(axes)))
    code = draw.case.code
    turned = axes == (*range(len(axes))[-2:], *range(len(axes))[-3::-1])  # .mT.T
    if turned and re.search(r"\.T\b", code) and str(axes)[1:-1] not in code:
        message = "`.T` reverses all axes, where the last two were to be exchanged back"
        return Slip("reversed-axes", axes, message, "`.mT`, or `.transpose(-2, -1)`, exchanges the last two axes only")
    if _exchanges_channels(draw, axes):
        return Slip("channels-swapped", "permuted", "input and output channels are exchanged", "`.transpose(0, 1)`")
    return Slip("transposed", axes, f"the axes are in the order {axes}", f"`.permute{back}`")


def _exchanges_channels(draw: Draw, axes: tuple[int, ...]) -> bool:
    """Whether an order exchanges the channel axes of a convolution's weight, or of one for each sample."""
    bound, dims = draw.bound, draw.truth.dim()
    if bound is None or not bound.operation.spatial or bound.roles.get("weight") != draw.name or dims < 3:
        return False
    exchanged = (1, 0, *range(2, dims))
    return bound.world.is_plain and axes in (exchanged, (0, *(1 + axis for axis in exchanged)))


def _exchanged(draw: Draw, dims: int) -> Slip:
    """The last two axes: those of a matrix, or of a kernel."""
    bound = draw.bound
    if bound is not None and bound.operation.spatial == 2 and dims > 3 and bound.roles.get("weight") == draw.name:
        return Slip("kernel-axes-transposed", "result", "the kernel's height and width are exchanged", "`.mT`")
    if bound is not None and bound.operation.spatial == 2 and dims > 3 and bound.roles.get("input") == draw.name:
        return Slip("height-width-swapped", "result", "the image's height and width are exchanged", "`.mT`")
    return Slip("transposed", None, "the last two axes are exchanged", "`.mT`")


def _in_another_order(_draw: Draw, gradient: Tensor) -> Results:
    if not 2 <= gradient.dim() <= 4:
        return
    for axes in permutations(range(gradient.dim())):
        if axes != tuple(range(gradient.dim())):
            message = f"the numbers are right but in another order: a reshape stands where `.permute{axes}` belongs"
            yield Slip("reshape-instead-of-permute", ("reordered", axes), message), reordered(gradient, axes)
            yield Slip("reshape-instead-of-permute", ("reread", axes), message), reread(gradient, axes)


def _flipped(_draw: Draw, gradient: Tensor) -> Results:
    first = 2 if gradient.dim() > 2 else 0
    spatial = range(first, gradient.dim())
    for size in range(len(spatial), 0, -1) if gradient.dim() > 1 or gradient.numel() > 2 else ():
        for axes in combinations(spatial, size):
            message = f"the gradient is flipped along its axes {axes}"
            yield (
                Slip("kernel-flipped", axes, message, f"leave the flip out, or undo it: `.flip{axes}`"),
                gradient.flip(axes),
            )


def _cut(draw: Draw, gradient: Tensor) -> Results:
    wanted = draw.user.shape
    if len(wanted) != gradient.dim() or wanted == gradient.shape or 0 in wanted:
        return
    if all(small <= large for small, large in zip(wanted, gradient.shape, strict=True)):
        lost = {axis: gradient.shape[axis] - size for axis, size in enumerate(wanted) if size < gradient.shape[axis]}
        words = " and ".join(f"{count} at the end of axis {axis}" for axis, count in lost.items())
        kept = gradient[tuple(slice(size) for size in wanted)]
        yield (
            Slip("tail-lost", tuple(lost), f"entries are missing: {words}", "give the result the size of the input"),
            kept,
        )


def _multiplied_again(draw: Draw, gradient: Tensor) -> Results:
    if gradient.shape == draw.g.shape:
        slip = Slip("upstream-applied-twice", "T·g", "grad_output was multiplied in a second time", "multiply once")
        yield slip, gradient * draw.g


def _summed(_draw: Draw, gradient: Tensor) -> Results:
    """Reduced over axes that belong to the result: dropped, kept as 1, or broadcast back."""
    dims = gradient.dim()
    for size in range(1, dims + 1) if dims <= 4 else ():
        for axes in combinations(range(dims), size):
            if any(gradient.shape[axis] > 1 for axis in axes) and not picks(gradient, axes):
                total = gradient.sum(axes, keepdim=True)
                message = f"a sum too many: over axes {axes} of the gradient {tuple(gradient.shape)}"
                yield Slip("wrong-reduction-axes", axes, message), total
                yield Slip("wrong-reduction-axes", (axes, "dropped"), message), gradient.sum(axes)
                yield Slip("wrong-reduction-axes", (axes, "spread"), message), total.expand(gradient.shape)


_AXES = frozenset({"reversed-axes", "transposed", "kernel-axes-transposed", "height-width-swapped", "channels-swapped"})
_TABLE: tuple[tuple[frozenset[str], Callable[[Draw, Tensor], Results]], ...] = (
    (_AXES, _permuted),
    (frozenset({"kernel-flipped"}), _flipped),
    (frozenset({"tail-lost"}), _cut),
    (frozenset({"upstream-applied-twice"}), _multiplied_again),
    (frozenset({"wrong-reduction-axes"}), _summed),
    (frozenset({"reshape-instead-of-permute"}), _in_another_order),
)
