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


def squared_norms(sides: Sides, piece: slice) -> Tensor:
    """(n,): Σ ⟨met[p], met[q]⟩ · ⟨seen[p], seen[q]⟩ over groups and pairs."""
    geometry = padded(sides.geometry, sides.padding_mode)
    met, x = sides.met[piece], sides.seen[piece]
    met = _of_pairs(met.to(wide(met)), geometry.groups, geometry.output)
    x = _of_pairs(pad(x.to(wide(x)), sides.geometry, sides.padding_mode), geometry.groups, geometry.input)
    seen = torch.zeros_like(met)
    for tap in geometry.taps():
        here, there = _inside(geometry, tap)
        seen[..., *here, *here] += x[..., *there, *there]  # type: ignore[index]  # slices are objects to it
    return (met * seen).flatten(1).sum(1)


def _of_pairs(side: Tensor, groups: int, grid: Ints) -> Tensor:
    """(n, channels, *grid) → (n, G, *grid, *grid): inner products of all pairs of positions, the first conjugate."""
    rows = side.reshape(side.shape[0], groups, -1, prod(grid))
    # (n, G, positions, channels/G) @ (n, G, channels/G, positions) = (n, G, positions, positions)
    return (rows.mH @ rows).view(*rows.shape[:2], *grid, *grid)


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
