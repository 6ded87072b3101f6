"""Channels that stand alone, or in groups of a few: kernels of their own, a lane of a vector for each group.

With one input channel in a group there is no product of matrices to speak of. Neighbouring groups do the same, so their
numbers are woven into vectors, and every product and sum is one of whole vectors, however short a row is.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from .._geometry import ConvGeometry, spans
from .._layout import room
from . import gemm
from .costs import sizes
from .gemm import fields, five, plan, run_table, three
from .gemm.lanes_table import lanes_table
from .gemm.machine import kind
from .gemm.tables import Layout

NARROW = 4  # channels of a group, on either side
ROOM = 8 << 20  # bytes a thread: whole rows are woven


def refusal(op: str, a: Tensor, b: Tensor, geometry: ConvGeometry) -> str:
    """What `gemm` refuses, groups that are not narrow, and rows so long that a few of them are more than `ROOM`."""
    _, O, per_group = sizes(op, a, b, geometry)
    channels = max(per_group, O // geometry.groups)
    if geometry.groups == 1 or channels > NARROW:
        return f"each group must have at most {NARROW} channels, and there must be several groups"
    if (refused := gemm.refusal(op, a, b, geometry)) or _rows_at_once(geometry, channels) <= ROOM:
        return refused
    return f"a row of {max(geometry.input[-1], geometry.output[-1])} positions would take more than 8 MiB a thread"


def _rows_at_once(geometry: ConvGeometry, channels: int) -> int:
    """At most so many bytes of whole rows, a vector a position: what one row's windows see, and results beside.

    A stride's rows of dx are computed at once, where they see the same.
    """
    length = max(geometry.padded[-1], geometry.output[-1]) + 8 * geometry.stride[-1]  # what the last tile adds
    seen = prod(spans(geometry.kernel, geometry.dilation)[-2:-1]) * prod(geometry.kernel[:-2])
    return kind(8).machine.vector * length * (channels * seen + prod(geometry.stride[-2:-1]) + 2)


def conv(x: Tensor, w: Tensor, geometry: ConvGeometry, bias: Tensor | None = None) -> Tensor:
    """x (N, C, *I), w (O, C/G, *K) → y (N, O, *L), whose sums may start from a bias (O,)."""
    y = room((x.shape[0], w.shape[0], *geometry.output), x, w)
    m, c, *taps = w.stride()
    M, C = w.shape[0] // geometry.groups, w.shape[1]
    layout = Layout(five(x), five(y), (m, c, M * m), three(taps))
    _follow(x, w, y, plan.forward_classes(geometry), geometry, (M, C), layout, bias)
    return y


def conv_input(w: Tensor, dy: Tensor, geometry: ConvGeometry) -> Tensor:
    """w (O, C/G, *K), dy (N, O, *L) → dx (N, C, *I)."""
    dx = room((dy.shape[0], geometry.groups * w.shape[1], *geometry.input), dy, w, gradient=True)
    o, c, *taps = w.stride()
    M, C = w.shape[1], w.shape[0] // geometry.groups
    layout = Layout(five(dy), five(dx), (c, o, C * o), three(taps))
    _follow(dy, w, dx, plan.backward_classes(geometry), geometry, (M, C), layout)
    return dx


def conv_weight(x: Tensor, dy: Tensor, geometry: ConvGeometry) -> Tensor:
    """x (N, C, *I), dy (N, O, *L) → dw (O, C/G, *K)."""
    G, N = geometry.groups, x.shape[0]
    M, C = dy.shape[1] // G, x.shape[1] // G
    dw = x.new_empty(G * M, C, *geometry.kernel)
    if 0 in (*x.shape, *dy.shape):
        return dw.zero_()
    m, c, *taps = dw.stride()
    layout = Layout(five(x), five(dy), (m, c, M * m), three(taps))
    table = lanes_table(plan.forward_classes(geometry), _kernel(geometry), (N, G, M, C), x.element_size(), layout, True)
    parts = dw if table.pieces == 1 else dw.new_empty(table.pieces, *dw.shape)
    run_table("lanes_meet", table, x, {fields.OTHER: dy.data_ptr(), fields.OUT: parts.data_ptr()})
    return dw if table.pieces == 1 else torch.sum(parts, 0, out=dw)


def _follow(
    source: Tensor,
    w: Tensor,
    out: Tensor,
    classes: plan.Classes,
    geometry: ConvGeometry,
    channels: tuple[int, int],
    layout: Layout,
    bias: Tensor | None = None,
) -> None:
    """Fill `out`; channels are M and C a group."""
    if 0 in (*source.shape, *out.shape):
        out.zero_()
        return
    sizes, size = (source.shape[0], geometry.groups, *channels), source.element_size()
    table = lanes_table(classes, _kernel(geometry), sizes, size, layout, False)
    pointers = {
        fields.WEIGHT: w.data_ptr(),
        fields.OUT: out.data_ptr(),
        fields.BIAS: 0 if bias is None else bias.data_ptr(),
    }
    run_table("lanes_follow", table, source, pointers)


def _kernel(geometry: ConvGeometry) -> tuple[int, ...]:
    return (1,) * (3 - geometry.dims) + geometry.kernel
