"""What can be known of every sample's weight gradient, from its two sides (see `functional._sides`).

With dw[n] = Σ_p met[n,p] ⊗ seen[n,p], an inner product of two gradients can be had without either of them:

    ⟨dw[n], dw[m]⟩ = Σ_g Σ_pq ⟨met[n,g,p], met[m,g,q]⟩ · ⟨seen[n,g,p], seen[m,g,q]⟩

summed over the groups g, which share no weight, and all pairs of positions: L² (B + A·K) products of two numbers for
each pair of samples, where the gradients themselves take L·B·A/G·K for each sample. Deep layers, whose images are
small, are far cheaper by positions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod
from types import ModuleType

import torch
from torch import Tensor

from .. import _pages
from .._algorithms.samples import kernels
from .._padding import pad, padded
from .._tensors import wide
from ..functional._sides import Sides
from . import _positions

EVERYTHING = slice(None)


def gradients(sides: Sides, max_bytes: int, channels: slice = EVERYTHING) -> Tensor:
    """(N, G, b, A/G·K): every sample's gradient, of all or some of the B/G channels of each group."""
    met, seen = sides.heights
    size = (sides.geometry.groups, len(range(*channels.indices(met))), seen)
    out = _pages.empty(sides.met, (sides.samples, *size), wide(sides.met))
    if (own := kernels(sides.seen, sides.met, sides.geometry)) is not None:
        some = _some_channels(sides, channels)
        for piece, x in _read(sides, max_bytes):
            own.gradients(x, some[piece], padded(sides.geometry, sides.padding_mode), out[piece])
        return out
    for piece in sides.pieces(prod(size), max_bytes):
        # (n, G, b, L) @ (n, G, L, A/G·K) = (n, G, b, A/G·K)
        out[piece] = sides.rows(piece)[:, :, channels] @ sides.columns(piece).mT
    return out


def squared_norms(sides: Sides, max_bytes: int) -> Tensor:
    """(N,): of every sample's gradient, from pairs of positions where they are cheaper, by kernels or by operators."""
    own, geometry = kernels(sides.seen, sides.met, sides.geometry), padded(sides.geometry, sides.padding_mode)
    if own is not None and own.by_pairs(sides.seen, sides.met, geometry):
        return _joined(
            sides,
            (
                _trusted(sides.part(piece), max_bytes, *own.squared_norms_of_pairs(x, sides.met[piece], geometry))
                for piece, x in _read(sides, max_bytes)
            ),
        )
    if positions_are_cheaper(sides) and _may_look():
        return _joined(
            sides,
            (
                _trusted(sides.part(piece), max_bytes, *_positions.squared_norms(sides, piece))
                for piece in sides.pieces(_positions.numbers(sides), max_bytes)
            ),
        )
    return _squared_norms_by_gradients(sides, max_bytes, own)


def gram(sides: Sides, max_bytes: int) -> Tensor:
    """(N, N): ⟨dw[n], dw[m]⟩, the first conjugate."""
    return (_gram_by_positions if pairs_are_cheaper(sides) else _gram_by_gradients)(sides, max_bytes)


def positions_are_cheaper(sides: Sides) -> bool:
    """Whether pairs of positions take less than the gradients, for the norms; they take a quarter longer a product."""
    met, seen = sides.heights
    return 1.25 * _positions.products(sides) < sides.positions * met * seen


def pairs_are_cheaper(sides: Sides) -> bool:
    """N² L² (B + A·K) < (N·L + N²) · B · A/G·K, divided by N·G."""
    (met, seen), N, L = sides.heights, sides.samples, sides.positions
    return N * L * L * (met + seen) < (L + N) * met * seen


def _trusted(sides: Sides, max_bytes: int, norms: Tensor, together: Tensor) -> Tensor:
    """(N,): the norms, but of a sample whose pairs cancel to what may be rounding from its gradient, however small.

    A norm that came out as 0 would let a gradient of any size pass for one that needs no clipping. What is not finite
    comes from the gradient too, for there may be pairs of what no window reads.
    """
    doubtful = ~(norms >= _TRUSTED * torch.finfo(norms.dtype).eps * together)
    for n in doubtful.nonzero().flatten().tolist():
        some = sides.part(slice(n, n + 1))
        norms[n] = _squared_norms_by_gradients(some, max_bytes, kernels(some.seen, some.met, some.geometry))[0]
    return norms


_TRUSTED = 1000  # times the rounding of what pairs add up to: a norm that is larger is right to a thousandth


def _may_look() -> bool:
    """Whether what is done next may depend on numbers: not under `vmap`, and not in what is compiled."""
    return torch._C._functorch.peek_interpreter_stack() is None and not torch.compiler.is_compiling()


def _squared_norms_by_gradients(sides: Sides, max_bytes: int, own: ModuleType | None) -> Tensor:
    """(N,): by kernels that forget a gradient at once, or of a few samples at a time."""
    if own is not None:
        geometry = padded(sides.geometry, sides.padding_mode)
        pieces = _read(sides, max_bytes)
        return _joined(sides, (own.squared_norms(x, sides.met[piece], geometry) for piece, x in pieces))
    return _joined(
        sides,
        (
            # (n, G, B/G, L) @ (n, G, L, A/G·K) = (n, G, B/G, A/G·K), which nobody holds while the next are made
            torch.linalg.vector_norm((sides.rows(piece) @ sides.columns(piece).mT).flatten(1), dim=1).square_()
            for piece in sides.pieces(sides.geometry.groups * prod(sides.heights), max_bytes)
        ),
    )


def _joined(sides: Sides, norms: Iterable[Tensor]) -> Tensor:
    """(N,) of norms piece by piece."""
    pieces = list(norms)
    if len(pieces) == 1:
        return pieces[0]
    return torch.cat([sides.met.new_zeros(0, dtype=wide(sides.met).to_real()), *pieces])


def _gram_by_gradients(sides: Sides, max_bytes: int) -> Tensor:
    """A sum over the channels of the weight, of as many at a time as the gradients of all samples fit with."""
    (met, seen), N = sides.heights, sides.samples
    channel = max(1, N * sides.geometry.groups * seen * wide(sides.met).itemsize)
    step = max(1, max_bytes // (2 * channel))  # the other half is for `gradients`
    out = sides.met.new_zeros(N, N, dtype=wide(sides.met))
    for start in range(0, met, step):
        # (N, G, b, A/G·K) → (N, G·b·A/G·K)
        part = gradients(sides, max_bytes // 2, slice(start, start + step)).flatten(1)
        out.addmm_(part.conj(), part.mT)  # (N, G·b·A/G·K) @ (G·b·A/G·K, N) = (N, N)
    return out


def _gram_by_positions(sides: Sides, max_bytes: int) -> Tensor:
    """Pairs of pieces; what stands above the diagonal is mirrored below it."""
    N, G, L = sides.samples, sides.geometry.groups, sides.positions
    out = sides.met.new_empty(N, N, dtype=wide(sides.met))
    fits = max(1, int((max_bytes / 4 / (2 * G * L * L * wide(sides.met).itemsize)) ** 0.5))  # n² · 2·G·L² numbers
    pieces = list(sides.pieces(0, max_bytes // 4))
    pieces = [slice(at, min(at + fits, p.stop)) for p in pieces for at in range(p.start, p.stop, fits)]
    for i, first in enumerate(pieces):
        met, seen = _flat(sides.rows(first)), _flat(sides.columns(first))
        for second in pieces[i:]:
            # (G, n·L, B/G) @ (G, B/G, m·L) = (G, n·L, m·L), as (G, n·L, A/G·K) @ (G, A/G·K, m·L)
            pairs = (met.mH @ _flat(sides.rows(second))).mul_(seen.mH @ _flat(sides.columns(second)))
            # (G, n·L, m·L) → (G, n, L, m, L) → (n, m)
            block = pairs.view(G, -1, L, pairs.shape[2] // L, L).sum((0, 2, 4))
            out[first, second], out[second, first] = block, block.mH
    return out


def _flat(side: Tensor) -> Tensor:
    """(n, G, B/G, L) → (G, B/G, n·L)."""
    return side.permute(1, 2, 0, 3).flatten(2)


def _read(sides: Sides, max_bytes: int) -> Iterator[tuple[slice, Tensor]]:
    """Samples and what their windows read; some at a time where a padding mode makes that a copy."""
    if sides.padding_mode == "zeros":
        yield EVERYTHING, sides.seen
        return
    before = sides.seen.shape[1] * prod(sides.geometry.padded)  # whoever reads these still has the last ones
    for piece in sides.pieces(before, max_bytes):
        yield piece, pad(sides.seen[piece], sides.geometry, sides.padding_mode)


def _some_channels(sides: Sides, channels: slice) -> Tensor:
    """What the windows meet, of some of the B/G channels of each group: (N, G·b, *L)."""
    if channels == EVERYTHING:
        return sides.met
    # (N, B, *L) → (N, G, B/G, *L) → (N, G·b, *L)
    by_group = sides.met.view(sides.samples, sides.geometry.groups, -1, *sides.geometry.output)
    return by_group[:, :, channels].flatten(1, 2)
