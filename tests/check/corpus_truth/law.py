"""The convolution's gradients for any geometry, by the law alone: in = out · stride + tap · dilation − padding.

Positions outside the input contribute nothing, so a wrong geometry has a gradient too: the one a slip produces.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .play import Array, Play

Index = tuple[Array, ...]


class Convolution:
    """x (N, C, *S), w (O, C, *K) and g (N, O, *L) of a play, under a geometry that may be changed."""

    def __init__(self, play: Play, **changed: int) -> None:
        self.x, self.w, *_ = play.values.values()
        self.g = play.grad_output
        self.geometry = {"stride": 1, "padding": 0, "dilation": 1} | play.entry.geometry | changed
        # the shape of the columns: (N, C, *K, *L)
        self.shape = (*self.x.shape[:2], *self.w.shape[2:], *self.g.shape[2:])

    def taps(self) -> Iterator[tuple[tuple[int, ...], Index, Index]]:
        """(tap, input positions, output positions), as far as they lie inside the input."""
        stride, dilation, padding = (self.geometry[key] for key in ("stride", "dilation", "padding"))
        for tap in np.ndindex(self.w.shape[2:]):
            starts = [k * dilation - padding for k in tap]
            reached = [np.arange(n) * stride + start for n, start in zip(self.g.shape[2:], starts, strict=True)]
            kept = [np.flatnonzero((r >= 0) & (r < s)) for r, s in zip(reached, self.x.shape[2:], strict=True)]
            yield tap, np.ix_(*(r[k] for r, k in zip(reached, kept, strict=True))), np.ix_(*kept)

    def scatter(self, cols: Array) -> Array:
        """(N, C, *K, *L) → (N, C, *S): every column entry back to where it came from."""
        out = np.zeros(self.x.shape)
        for tap, inside, outputs in self.taps():
            out[(..., *inside)] += cols[(slice(None), slice(None), *tap)][(..., *outputs)]
        return out

    def input_gradient(self) -> Array:
        """Σ_o g[n, o, p] · w[o, c, k], scattered."""
        cols = np.einsum("nop,ock->nckp", _flat(self.g), _flat(self.w))
        return self.scatter(cols.reshape(self.shape))

    def weight_gradient(self) -> Array:
        """Σ_{n, p} g[n, o, p] · x[n, c, in(p, k)]."""
        out = np.zeros(self.w.shape)
        for tap, inside, outputs in self.taps():
            seen, g = self.x[(..., *inside)], self.g[(..., *outputs)]
            out[(slice(None), slice(None), *tap)] = np.einsum("nop,ncp->oc", _flat(g), _flat(seen))
        return out

    def count(self) -> Array:
        """How many windows cover each input position, at least 1."""
        return np.maximum(self.scatter(np.ones(self.shape)), 1)

    def misread_columns(self) -> Array:
        """dx from columns that were laid down as (C·K, N·L) and taken up as (N, C, *K, *L)."""
        return self.scatter(np.einsum("nop,ock->cknp", _flat(self.g), _flat(self.w)).reshape(self.shape))


def _flat(t: Array) -> Array:
    return t.reshape(*t.shape[:2], -1)
