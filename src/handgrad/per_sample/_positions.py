"""Inner products of positions: what a squared norm is made of where images are small (see `_products`).

Two positions p and q of the output see the input through the same taps, and what they see meets tap by tap:

    ⟨seen[p], seen[q]⟩ = Σ_k ⟨x[p·stride + k·dilation − low], x[q·stride + k·dilation − low]⟩

Every term is an inner product of two positions of the input, over its channels alone. So the inner products of all
pairs of these are taken once, L² · A/G of them about, and added up along the taps, where the windows themselves would
take L² · A/G·K. Where a tap reads padding there is no term.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from .._geometry import ConvGeometry, Ints
from .._padding import pad, padded
from .._tensors import wide
from ..functional._sides import Sides

ADDITIONS = 18  # products that are as fast as one addition along a tap, measured


def products(sides: Sides) -> int:
    """What one sample takes, for one group."""
    L, geometry = sides.positions, padded(sides.geometry, sides.padding_mode)
    met, K = sides.heights[0], prod(geometry.kernel)
    return L * L * (met + ADDITIONS * K) + prod(geometry.input) ** 2 * sides.weight[1]


def numbers(sides: Sides) -> int:
    """How many inner products of one sample are held at a time."""
    whole = prod(padded(sides.geometry, sides.padding_mode).input)
    return sides.geometry.groups * (2 * sides.positions**2 + whole**2)


def squared_norms(sides: Sides, piece: slice) -> tuple[Tensor, Tensor]:
    """(n,): Σ ⟨met[p], met[q]⟩ · ⟨seen[p], seen[q]⟩ over groups and pairs, and what it could be if no terms cancelled.

    That is Σ_g (Σ_p ‖met[p]‖ · ‖seen[p]‖)², by Cauchy and Schwarz: the sum is as exact as that is rounded.
    """
    geometry = padded(sides.geometry, sides.padding_mode)
    met, x = sides.met[piece], sides.seen[piece]
    met = _of_pairs(met.to(wide(met)), geometry.groups, geometry.output)
    x = _of_pairs(pad(x.to(wide(x)), sides.geometry, sides.padding_mode), geometry.groups, geometry.input)
    seen = torch.zeros_like(met)
    for tap in geometry.taps():
        here, there = _inside(geometry, tap)
        seen[..., *here, *here] += x[..., *there, *there]  # type: ignore[index]  # slices are objects to it
    together = (_of_each(met, geometry.output) * _of_each(seen, geometry.output)).sum(2).square().sum(1)
    return (met * seen).flatten(1).sum(1).real, together


def _of_pairs(side: Tensor, groups: int, grid: Ints) -> Tensor:
    """(n, channels, *grid) → (n, G, *grid, *grid): inner products of all pairs of positions, the first conjugate."""
    rows = side.reshape(side.shape[0], groups, -1, prod(grid))
    # (n, G, positions, channels/G) @ (n, G, channels/G, positions) = (n, G, positions, positions)
    return (rows.mH @ rows).view(*rows.shape[:2], *grid, *grid)


def _of_each(pairs: Tensor, grid: Ints) -> Tensor:
    """(n, G, *grid, *grid) → (n, G, positions): the norm of what stands at each."""
    L = prod(grid)
    return pairs.reshape(*pairs.shape[:2], L, L).diagonal(dim1=2, dim2=3).real.clamp(min=0).sqrt()


def _inside(geometry: ConvGeometry, tap: Ints) -> tuple[list[slice], list[slice]]:
    """The output positions at which a tap reads the input and no padding, and the input positions that it reads."""
    here, there, g = [], [], geometry
    for k, d, s, length, size, (low, _) in zip(tap, g.dilation, g.stride, g.output, g.input, g.padding, strict=True):
        at = k * d - low
        first = max(0, -(at // s))
        last = max(first, min(length, (size - 1 - at) // s + 1))
        here.append(slice(first, last))
        there.append(slice(first * s + at, last * s + at, s))
    return here, there
