"""handgrad's own kernels: an implicit matrix product, written from Python.

No unfolded matrix exists. A register tile reads windows where they lie (`tile.py`), in slabs of the image that hold its
padding (`packing.py`). y and dx are one loop over them (`follow.py`), dw is another (`meet.py`), or a third where rows
are short (`outer.py`). What a geometry means for them is settled in numbers beforehand (`plan.py`, `tables.py`),
compiled code is kept (`library.py`), and jobs are drawn by PyTorch's own threads (`launch.py`). The work is divided by
the geometry alone: on one machine the bits of a result do not depend on the number of threads.

`samples.py` is dw of every sample on its own, and `pairs.py` the norm of one that is never made. The files named
`lanes` are kernels for channels that stand alone, which `depthwise.py` beside this folder calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np
import torch
from torch import Tensor

from ..._geometry import ConvGeometry
from ..._layout import room
from . import fields, plan
from .launch import launch, scratch, threads
from .library import kernel
from .tables import Layout, Table, follow_table, meet_table, outer_is_faster, outer_table


def refusal(op: str, a: Tensor, b: Tensor, geometry: ConvGeometry) -> str:  # noqa: ARG001
    """Why the kernels cannot compute `op` of these operands, or ""."""
    if a.dtype not in (torch.float32, torch.float64):
        return f"the kernels know float32 and float64, not {str(a.dtype).removeprefix('torch.')}"
    return ""


def conv(x: Tensor, w: Tensor, geometry: ConvGeometry, bias: Tensor | None = None) -> Tensor:
    """x (N, C, *I), w (O, C/G, *K) → y (N, O, *L), whose sums may start from a bias (O,)."""
    G, O = geometry.groups, w.shape[0] // geometry.groups
    y = room((x.shape[0], w.shape[0], *geometry.output), x, w)
    m, c, *taps = w.stride()
    weight = Layout(five(x), five(y), (m, c, O * m), three(taps))
    axes = plan.forward_axes(geometry)
    passes = plan.passes(axes, x.shape[0] * O * w.shape[1])
    if adds := passes != (axes,):
        y = y.zero_() if bias is None else y.copy_(bias.view(-1, *[1] * geometry.dims))  # (O,) → (O, 1, …)
        bias = None
    for each in passes:
        _follow(x, w, y, each, (G, O, w.shape[1]), weight, bias, adds)
    return y


def conv_input(w: Tensor, dy: Tensor, geometry: ConvGeometry) -> Tensor:
    """w (O, C/G, *K), dy (N, O, *L) → dx (N, C, *I)."""
    G, O = geometry.groups, w.shape[0] // geometry.groups
    size = (dy.shape[0], G * w.shape[1], *geometry.input)
    dx = room(size, dy, w, gradient=True)
    classes = plan.backward_axes(geometry)
    passes = [each for axes in classes for each in plan.passes(axes, dy.shape[0] * O * w.shape[1])]
    adds = passes != [*classes]
    dx = dx if plan.reaches_all(geometry) and not adds else dx.zero_()
    o, c, *taps = w.stride()
    layout = Layout(five(dy), five(dx), (c, o, O * o), three(taps))
    for each in passes:
        _follow(dy, w, dx, each, (G, w.shape[1], O), layout, adds=adds)
    return dx


def conv_weight(x: Tensor, dy: Tensor, geometry: ConvGeometry) -> Tensor:
    """x (N, C, *I), dy (N, O, *L) → dw (O, C/G, *K)."""
    G, O, C = geometry.groups, dy.shape[1] // geometry.groups, x.shape[1] // geometry.groups
    dw = x.new_empty(G * O, C, *geometry.kernel)
    if 0 in (*x.shape, *dy.shape):
        return dw.zero_()
    axes = plan.forward_axes(geometry)
    passes = plan.passes(axes, x.shape[0] * O * C)
    if passes == (axes,):
        m, c, *taps = dw.stride()
        _meet(x, dy, dw, axes, (G, O, C), Layout(five(x), five(dy), (m, c, O * m), three(taps)))
        return dw
    dw.zero_()  # a tap that only ever reads padding has no pass
    room_of_sums = x.new_empty(min(G * O * C, max(C, plan.MOST // x.element_size())))
    for axes in passes:
        tap = tuple(axis.taps[0] for axis in axes[3 - geometry.dims :])
        for groups, read, rows in _parts(G, O, C, x.element_size()):
            sums = room_of_sums[: (rows.stop - rows.start) * C].view(-1, C)
            _one_tap(x[:, read], dy[:, rows], sums, axes, groups)
            dw[rows, :, *tap] = sums  # type: ignore[index]  # slices and ints are objects to it
    return dw


def _one_tap(x: Tensor, dy: Tensor, dw: Tensor, axes: plan.Axes, G: int) -> None:
    """Fill `dw` (O, C/G), of the only tap that `axes` have."""
    O, C = dy.shape[1] // G, x.shape[1] // G
    _meet(x, dy, dw, axes, (G, O, C), Layout(five(x), five(dy), (C, 1, O * C), (0, 0, 0)))


def _parts(G: int, O: int, C: int, size: int) -> Iterator[tuple[int, slice, slice]]:
    """Whole groups, or rows of one, whose sums take little memory: how many groups, channels of x, of dy."""
    most = max(1, plan.MOST // (C * size))
    groups, rows = max(1, most // O), min(most, O)
    for g in range(0, G, groups):
        many = min(groups, G - g)
        for m in range(0, O, rows):
            yield many, slice(g * C, (g + many) * C), slice(g * O + m, min(g * O + m + many * rows, (g + many) * O))


def _meet(x: Tensor, dy: Tensor, dw: Tensor, axes: plan.Axes, channels: tuple[int, int, int], layout: Layout) -> None:
    """Fill `dw`, whose taps are all those of `axes`; channels are G, M and C a group."""
    (G, M, C), size = channels, x.element_size()
    sizes = (x.shape[0], G, M, C, size)
    merged, plain = seen_in_order(x, dy, axes)
    if outer_is_faster(merged, x.shape[0], M, C, size):
        name, table = "outer", outer_table(axes, *sizes, layout)
    else:
        name, table = "meet", meet_table(merged, *sizes, layout, plain and merged[2].count >= 256)
    parts = dw if table.pieces == 1 else dw.new_empty(table.pieces, *dw.shape)
    pointers = {
        fields.OTHER: dy.data_ptr() + table.base * size,
        fields.OUT: parts.data_ptr(),
        fields.ZEROS: ZEROS.ctypes.data,
    }
    run_table(name, table, x, pointers)
    if table.pieces > 1:
        torch.sum(parts, 0, out=dw)


def _follow(
    source: Tensor,
    w: Tensor,
    out: Tensor,
    axes: plan.Axes,
    sizes: tuple[int, int, int],
    layout: Layout,
    bias: Tensor | None = None,
    adds: bool = False,
) -> None:
    """Fill the positions of `out` that `axes` name, or add to them; sizes are G, M and C a group."""
    if 0 in (*source.shape, *out.shape):
        out.zero_()
        return
    (G, M, C), size = sizes, source.element_size()
    axes, plain = seen_in_order(source, out, axes)
    table = follow_table(axes, source.shape[0], G, M, C, size, layout, plain and axes[2].count >= 64)
    pointers = {
        fields.WEIGHT: w.data_ptr(),
        fields.OUT: out.data_ptr() + table.base * size,
        fields.ZEROS: ZEROS.ctypes.data,
        fields.BIAS: 0 if bias is None else bias.data_ptr(),
        fields.ADDS: int(adds),
    }
    run_table("follow", table, source, pointers)


def run_table(name: str, table: Table, source: Tensor, pointers: dict[int, int]) -> None:
    """Call a kernel of the source's element type, on as many threads as there are jobs and PyTorch has."""
    count = threads(table.jobs)
    numbers = table.numbers.copy()
    numbers[fields.SRC] = source.data_ptr()
    numbers[fields.SCRATCH] = scratch.at_least(table.scratch * count)
    for field, address in pointers.items():
        numbers[field] = address
    launch(kernel(name, source.element_size()), numbers.ctypes.data, count)


def seen_in_order(source: Tensor, other: Tensor, axes: plan.Axes) -> tuple[plan.Axes, bool]:
    """Where one tap reads every position of each channel, in order: one long row, that could be read in place."""
    plain = all(axis.at == (0,) and axis.step == axis.ostep == 1 and axis.size == axis.count for axis in axes)
    plain = plain and other[0, 0].numel() == prod(axis.count for axis in axes)
    if plain and source[0, 0].is_contiguous() and other[0, 0].is_contiguous():
        return plan.merged(axes), True
    return axes, False


ZEROS = np.zeros(8)  # what a tile's rows start from


def five(tensor: Tensor) -> tuple[int, ...]:
    """Distances (n, channel, d, h, w) of (N, channels, *grid)."""
    n, channel, *grid = tensor.stride()
    return (n, channel, *three(grid))


def three(grid: list[int]) -> tuple[int, ...]:
    """Of an axis that is not there the distance is 0."""
    return (0,) * (3 - len(grid)) + tuple(grid)
