"""dw of every sample on its own: the sample is one more index of a job, and nothing is summed over it.

The kernels are those of dw. A part of the positions is then one sample, whose sums are its gradient, stored where the
partial sums of a batch would be; or they are squared where they are, and only the norm leaves the job. Where an image
is small, a norm takes less by pairs of positions (`pairs.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import torch
from torch import Tensor

from ..._geometry import ConvGeometry
from . import ZEROS, fields, five, plan, run_table, seen_in_order, three
from .lanes_table import lanes_table
from .machine import kind
from .pairs_table import pairs_are_faster, pairs_table
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
    if alone(x, dy, geometry):
        norms = [_of_gradients(*some, geometry) for some in _pieces(x, dy, geometry)]
        return norms[0] if len(norms) == 1 else torch.cat(norms)
    name, table = _table(x, dy, geometry, "squared")
    parts = x.new_empty(table.jobs // x.shape[0], x.shape[0])  # of the weight
    _run(name, table, x, dy, parts)
    return parts.sum(0)


def by_pairs(x: Tensor, dy: Tensor, geometry: ConvGeometry) -> bool:
    """Whether `squared_norms_of_pairs` can be had of this geometry, and takes less than `squared_norms`."""
    if 0 in (*x.shape, *dy.shape) or alone(x, dy, geometry):
        return False
    M, C = dy.shape[1] // geometry.groups, x.shape[1] // geometry.groups
    axes, jobs = plan.forward_axes(geometry), x.shape[0] * geometry.groups
    return pairs_are_faster(axes, jobs, M, C, x.element_size())


def squared_norms_of_pairs(x: Tensor, dy: Tensor, geometry: ConvGeometry) -> tuple[Tensor, Tensor]:
    """x (N, C, *I), dy (N, O, *L) → (N,) and (N,): sums of pairs, and what they could be if no terms cancelled."""
    N, G = x.shape[0], geometry.groups
    layout = Layout(five(x), five(dy), (0, 0, 0), (0, 0, 0))  # no weight
    sizes = N, G, dy.shape[1] // G, x.shape[1] // G, x.element_size()
    out = x.new_empty(2, G, N)
    _run("pairs", pairs_table(plan.forward_axes(geometry), *sizes, layout), x, dy, out)
    norms, together = out.sum(1)
    return norms, together


def _pieces(x: Tensor, dy: Tensor, geometry: ConvGeometry) -> Iterator[tuple[Tensor, Tensor]]:
    """A few samples at a time, as many as have gradients that fit into a cache."""
    gradient = dy.shape[1] * x.shape[1] // geometry.groups * prod(geometry.kernel) * x.element_size()
    step = max(1, plan.MOST // gradient)
    return ((x[n : n + step], dy[n : n + step]) for n in range(0, x.shape[0], step))


def _of_gradients(x: Tensor, dy: Tensor, geometry: ConvGeometry) -> Tensor:
    """(N,): where channels stand alone, the gradients are small, and their kernel has no place where one lies whole."""
    dw = x.new_empty(x.shape[0], dy.shape[1], x.shape[1] // geometry.groups, *geometry.kernel)
    gradients(x, dy, geometry, dw)
    return dw.flatten(1).square_().sum(1)


def alone(x: Tensor, dy: Tensor, geometry: ConvGeometry) -> bool:
    """Whether groups are so narrow that each is best given a lane of a vector, and enough to fill one: measured."""
    G = geometry.groups
    return kind(x.element_size()).width <= G and x.shape[1] // G * (dy.shape[1] // G) <= 4


def _run(name: str, table: Table, x: Tensor, dy: Tensor, out: Tensor) -> None:
    pointers = {fields.OTHER: dy.data_ptr(), fields.OUT: out.data_ptr(), fields.ZEROS: ZEROS.ctypes.data}
    run_table(name, table, x, pointers)


def _table(x: Tensor, dy: Tensor, geometry: ConvGeometry, each: Each) -> tuple[str, Table]:
    """The kernel that should be faster, and what it is called with."""
    G, M, C, T = geometry.groups, dy.shape[1] // geometry.groups, x.shape[1] // geometry.groups, prod(geometry.kernel)
    taps = [prod(geometry.kernel[axis + 1 :]) for axis in range(geometry.dims)]  # distances in (O, C/G, *K)
    layout = Layout(five(x), five(dy), (C * T, T, M * C * T), three(taps))
    axes, sizes = plan.forward_axes(geometry), (x.shape[0], G, M, C, x.element_size())
    if alone(x, dy, geometry):
        classes, kernel = plan.forward_classes(geometry), (1,) * (3 - geometry.dims) + geometry.kernel
        return "lanes_meet", lanes_table(classes, kernel, sizes[:4], sizes[4], layout, meets=True, each=True)
    if outer_is_faster(axes, 1, M, C, x.element_size()):
        return "outer", outer_table(axes, *sizes, layout, each)
    axes, plain = seen_in_order(x, dy, axes)
    return "meet", meet_table(axes, *sizes, layout, plain and axes[2].count >= 256, each)
