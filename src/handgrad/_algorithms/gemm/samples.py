"""dw of every sample on its own: the sample is one more index of a job, and nothing is summed over it.

The kernels are those of dw. A part of the positions is then one sample, whose sums are its gradient, stored where the
partial sums of a batch would be; or they are squared where they are, and only the norm leaves the job.
"""

from __future__ import annotations

from math import prod

from torch import Tensor

from ..._geometry import ConvGeometry
from . import ZEROS, fields, five, plan, run_table, seen_in_order, three
from .tables import Each, Layout, Table, meet_table, outer_is_faster, outer_table


def gradients(x: Tensor, dy: Tensor, geometry: ConvGeometry, out: Tensor) -> None:
    """x (N, C, *I), dy (N, O, *L) → out (N, O, C/G, *K), contiguous."""
    if 0 in (*x.shape, *dy.shape):
        out.zero_()
        return
    name, table = _table(x, dy, geometry, "kept")
    _run(name, table, x, dy, out)


def squared_norms(x: Tensor, dy: Tensor, geometry: ConvGeometry) -> Tensor:
    """x (N, C, *I), dy (N, O, *L) → (N,)."""
    if 0 in (*x.shape, *dy.shape):
        return x.new_zeros(x.shape[0])
    name, table = _table(x, dy, geometry, "squared")
    parts = x.new_empty(table.jobs // x.shape[0], x.shape[0])  # of the weight
    _run(name, table, x, dy, parts)
    return parts.sum(0)


def _run(name: str, table: Table, x: Tensor, dy: Tensor, out: Tensor) -> None:
    pointers = {fields.OTHER: dy.data_ptr(), fields.OUT: out.data_ptr(), fields.ZEROS: ZEROS.ctypes.data}
    run_table(name, table, x, pointers)


def _table(x: Tensor, dy: Tensor, geometry: ConvGeometry, each: Each) -> tuple[str, Table]:
    """The kernel that should be faster, and what it is called with."""
    G, M, C, T = geometry.groups, dy.shape[1] // geometry.groups, x.shape[1] // geometry.groups, prod(geometry.kernel)
    taps = [prod(geometry.kernel[axis + 1 :]) for axis in range(geometry.dims)]  # distances in (O, C/G, *K)
    layout = Layout(five(x), five(dy), (C * T, T, M * C * T), three(taps))
    axes, sizes = plan.forward_axes(geometry), (x.shape[0], G, M, C, x.element_size())
    if outer_is_faster(axes, 1, M, C, x.element_size()):
        return "outer", outer_table(axes, *sizes, layout, each)
    axes, plain = seen_in_order(x, dy, axes)
    return "meet", meet_table(axes, *sizes, layout, plain and axes[2].count >= 256, each)
