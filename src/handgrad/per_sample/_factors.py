"""Kronecker factors: the second moments of what stands on either side of a weight gradient, see `hg.kfac`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .._errors import error
from .._tensors import wide
from ..functional._sides import Sides
from ._weights import Product

Kind = Literal["expand", "reduce"]


class Factors(NamedTuple):
    """Kronecker factors: one matrix for each group, of the input's side and of dy's."""

    A: Tensor
    G: Tensor


def product_factors(op: str, use: Product, kind: Kind = "expand", bias: bool = False) -> Factors:
    """Those of one use."""
    return factors(op, [use.sides], kind, use.max_bytes, bias)


def factors(op: str, uses: Sequence[Sides], kind: Kind, max_bytes: int, bias: bool = False) -> Factors:
    """Those of one weight, all of whose uses, if there are several, are further positions."""
    if kind not in ("expand", "reduce"):
        raise error(op, f"unknown kind {kind!r}", known="expand, reduce")
    if len({(sides.transposed, sides.geometry.groups) for sides in uses}) > 1:
        raise error(op, "the uses of one weight differ in their groups or in transposition", weight=uses[0].weight)
    seen = _moment(uses, Sides.columns, kind, max_bytes, ones=bias and not uses[0].transposed)
    met = _moment(uses, Sides.rows, kind, max_bytes)
    A, G = (met, seen) if uses[0].transposed else (seen, met)
    positions = sum(sides.positions for sides in uses)
    return Factors(A.div_(max(1, uses[0].samples) * (positions if kind == "expand" else positions**2)), G)


def _moment(
    uses: Sequence[Sides], side: Callable[[Sides, slice], Tensor], kind: Kind, max_bytes: int, ones: bool = False
) -> Tensor:
    """(G, h, h): the sum of v vᴴ over samples and positions, or over samples with v summed over positions."""
    h = uses[0].heights[side is Sides.columns] + ones
    out = uses[0].met.new_zeros(uses[0].geometry.groups, h, h, dtype=wide(uses[0].met))
    share = max_bytes // 2 // len(uses)  # the other half is for the copy that `flatten` makes
    for piece in max((list(sides.pieces(0, share)) for sides in uses), key=len):
        v = torch.cat([side(sides, piece) for sides in uses], 3)  # (n, G, h, L)
        if ones:
            v = F.pad(v, (0, 0, 0, 1), value=1.0)
        if kind == "reduce":
            v = v.sum(3, keepdim=True)  # (n, G, h, 1)
        v = v.permute(1, 2, 0, 3).flatten(2)  # (n, G, h, L) → (G, h, n·L)
        out.baddbmm_(v, v.mH)  # (G, h, n·L) @ (G, n·L, h) = (G, h, h)
    return out
