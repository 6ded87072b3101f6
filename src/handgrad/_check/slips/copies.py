"""Forward passes that copy entries of an input, some of them more than once: rows of a table, windows, frames."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from . import Backwards, Slip
from .draw import Draw


def copies(draw: Draw) -> Backwards:
    """What an assignment leaves of the gradients of all copies of one entry: `dx[i] = g`, `dx[indices] += g`."""
    if draw.g.shape != draw.y.shape or not draw.input.is_floating_point():
        return
    places, source = _sources(draw.input.flatten(), draw.y.flatten())
    if not draw.equal(_added(draw.input, places, source, draw.g), draw.truth):
        return
    distinct = len(set(source.tolist()))
    if len(places) == draw.g.numel() and distinct < draw.input.numel() and _jumps(source):
        message = "one gradient for each copy of an entry, not yet added up where the entries were taken from"
        yield (Slip("column-form", "copies", message, "`index_add_`, `scatter_add_`, or `np.add.at`"),), lambda g: g
    if len(source) == distinct:
        return
    message = "an entry that is used several times keeps one gradient: `=` stands where `+=` belongs"
    fix = "`np.add.at`, or `index_add_`: `+=` with an array of indices adds once"
    for end in ("last", "first"):
        slip = Slip("overwrite-instead-of-accumulate", ("copies", end), message, fix)
        yield (slip,), partial(_assigned, draw.input, places, source, end)


def _sources(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The places of y that hold an entry of x, and the places of x that these are."""
    values, order = x.sort()
    at = torch.searchsorted(values, y).clamp(max=max(len(x) - 1, 0))
    held = values[at] == y if len(x) else torch.zeros_like(y, dtype=torch.bool)
    return held.nonzero()[:, 0], order[at[held]]


def _jumps(source: Tensor) -> bool:
    """Whether entries are picked in an order of their own, unlike those of a crop."""
    return bool((source.diff() <= 0).any())


def _added(x: Tensor, places: Tensor, source: Tensor, g: Tensor) -> Tensor:
    return torch.zeros_like(x).flatten().index_add(0, source, g.flatten()[places]).reshape(x.shape)


def _assigned(x: Tensor, places: Tensor, source: Tensor, end: str, g: Tensor) -> Tensor:
    pairs = list(zip(source.tolist(), g.flatten()[places].tolist(), strict=True))
    kept = dict(pairs if end == "last" else pairs[::-1])
    dx = torch.zeros_like(x).flatten()
    dx[list(kept)] = torch.tensor(list(kept.values()), dtype=dx.dtype)
    return dx.reshape(x.shape)
