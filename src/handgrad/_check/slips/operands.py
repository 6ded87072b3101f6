"""What stands where grad_output belongs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations, permutations

import torch
from torch import Tensor

from ..reading import read
from . import Operands, Slip
from .draw import Draw
from .orders import reordered, reread, shuffled, shuffles, split_channels


def operands(draw: Draw) -> Operands:
    """Every slip of this kind, with the tensor that takes grad_output's place."""
    slips = chain(_other_tensors(draw), _overwritten(draw), _twice(draw), _turned(draw), _read_in_another_order(draw.g))
    return ((slip, tensor) for slip, tensor in slips if not draw.equal(tensor, draw.g))


def _other_tensors(draw: Draw) -> Operands:
    ones = "the result does not change when grad_output does: it was computed as if grad_output were all ones"
    yield Slip("grad-output-ignored", message=ones, fix="multiply by grad_output"), torch.ones_like(draw.g)
    for label, tensor in draw.named_tensors().items():
        if tensor.shape == draw.g.shape:
            cause = "output" if label == "the output" else "input"
            message = f"the gradient is right for grad_output = {label}: {label} stands where grad_output belongs"
            yield Slip(f"{cause}-instead-of-grad-output", label, message, f"use grad_output for {label}"), tensor


def _twice(draw: Draw) -> Operands:
    yield Slip("upstream-applied-twice", "g²", "grad_output was multiplied in twice", "multiply once"), draw.g**2


def _overwritten(draw: Draw) -> Operands:
    """A loop whose `=` should be `+=` leaves what its last (or first) turn computed."""
    g = draw.g
    batched = draw.bound is None or draw.bound.standard.dim() == g.dim() or g.dim() < 3
    for axes in _subsets(g.dim()):
        for end, at in (("last", -1), ("first", 0)):
            kept = torch.zeros_like(g)
            place = tuple(at if axis in axes else slice(None) for axis in range(g.dim()))
            kept[place] = g[place]
            loops = not read(draw.case.code).straight
            yield _loop_slip(axes, end, tuple(g.shape), batched, loops), kept


def _loop_slip(axes: tuple[int, ...], end: str, shape: tuple[int, ...], batched: bool, loops: bool) -> Slip:
    if axes == (0,) and batched:
        message = f"only the {end} of the {shape[0]} samples contributes"
        return Slip("one-sample-only", end, message, "accumulate: `+=` in the loop over the batch, or a sum over it")
    message = f"only the {end} index along axes {axes} of grad_output {shape} contributes"
    if not loops:
        return Slip("wrong-reduction-axes", (axes, end), f"{message}: all of them must be added up", f"`.sum({axes})`")
    message = f"{message}: each turn of a loop overwrites"
    return Slip("overwrite-instead-of-accumulate", (axes, end), message, "accumulate with `+=` in the loop")


def _turned(draw: Draw) -> Operands:
    """The image of grad_output lying on its side: `g[j, i]` for `g[i, j]`, which runs where it is square."""
    bound = draw.bound
    if bound is None or bound.operation.spatial != 2 or bound.standard.shape[2] != bound.standard.shape[3]:
        return
    turned = bound.world.output.back(bound.grad_output(draw.g).mT)
    if turned.shape == draw.g.shape:
        message = "grad_output's height and width are exchanged"
        yield Slip("height-width-swapped", "g", message, "the positions in the order (row, column)"), turned


def _subsets(dims: int) -> Iterator[tuple[int, ...]]:
    return chain.from_iterable(combinations(range(dims), size) for size in range(1, dims + 1))


def _read_in_another_order(g: Tensor) -> Operands:
    for parts, other in split_channels(g) if g.dim() > 2 else ():
        apart = parts, g.shape[1] // parts
        message = f"grad_output's channels, {apart[0]}·{apart[1]}, are read as if they were {apart[1]}·{apart[0]}"
        for place, size in enumerate(apart):  # one of the two is the same in every draw
            yield Slip("reshape-instead-of-permute", ("g", "channels", place, size), message), other
    if not 2 <= g.dim() <= 4:
        return
    for axes in permutations(range(g.dim())):
        if axes == tuple(range(g.dim())):
            continue
        if g.permute(axes).shape == g.shape:  # square: then the memory that is reinterpreted is its transpose
            yield Slip("transposed", ("g", axes), f"grad_output's axes are in the order {axes}"), g.permute(axes)
        message = f"grad_output's memory was reinterpreted by a reshape where its axes had to be permuted {axes}"
        fix = f"grad_output.permute{axes} before the reshape"
        yield Slip("reshape-instead-of-permute", ("g", "reordered", axes), message, fix), reordered(g, axes)
        yield Slip("reshape-instead-of-permute", ("g", "reread", axes), message, fix), reread(g, axes)
    if g.dim() > 3:
        yield from _positions_in_another_order(g.flatten(2), g.shape)


def _positions_in_another_order(g: Tensor, shape: torch.Size) -> Operands:
    """(N, O, L) laid out with the samples fastest and read with the positions fastest, and the like."""
    for taken, for_ in shuffles():
        message = f"grad_output as (N, O, L) is laid out in the order {taken} of its axes and read in the order {for_}"
        yield Slip("reshape-instead-of-permute", ("g", taken, for_), message), shuffled(g, taken, for_).reshape(shape)
