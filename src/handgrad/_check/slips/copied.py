"""Tensors that hold copies of another's entries: windows, picked rows, a padded or an enlarged image.

The right way back adds up what comes back to all copies of one entry. Which entry a place holds is its *origin*: a
place in the other tensor, −1 where there is none, as in zero padding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import permutations, product

import torch
from torch import Tensor

from . import Linear, Path, Slip

CAUSES = frozenset(
    {
        *("overwrite-instead-of-accumulate", "averaged-overlap", "height-width-swapped", "reshape-instead-of-permute"),
        "stride-ignored",
    }
)
_ACCUMULATE = "accumulate with `+=`, `index_add_` or `np.add.at`: `+=` with an array of indices adds once"


@dataclass(frozen=True, eq=False)
class Copied:
    """The origins of all places, and the shapes of the tensor that holds the copies and of the one copied."""

    origins: Tensor  # (places,)
    held: torch.Size
    shape: torch.Size

    @cached_property
    def counts(self) -> Tensor:
        """How many copies there are of each entry."""
        return torch.bincount(self.origins[self.origins >= 0], minlength=self.shape.numel())

    def back(self, g: Tensor) -> Tensor:
        """The right way back."""
        kept = self.origins >= 0
        total = g.new_zeros(self.shape.numel()).index_add(0, self.origins[kept], g.flatten()[kept])
        return total.reshape(self.shape)

    def slips(self) -> dict[Path, Linear]:
        """The wrong ways back."""
        return dict(self._of_several() if self.counts.max() > 1 else self._of_strided())

    def _of_strided(self) -> Iterator[tuple[Path, Linear]]:
        """Every second entry of an axis was taken: what comes back is put side by side."""
        if len(self.held) != len(self.shape) or not len(self.origins):
            return
        dense = torch.zeros(self.shape, dtype=torch.bool)
        dense[tuple(slice(size) for size in self.held)] = True
        grid = torch.arange(self.shape.numel()).reshape(self.shape)
        for steps in product(*(range(1, 1 + -(-size // max(held, 1))) for held, size in self._sizes())):
            taken = grid[tuple(slice(None, None, step) for step in steps)]
            if taken.shape == self.held and torch.equal(taken.flatten(), self.origins) and max(steps) > 1:
                message = f"the forward pass takes every {steps}th entry of the axes: the gradient is put side by side"
                slip = Slip("stride-ignored", "taken", message, "`dx[::stride] = g`")
                yield (slip,), lambda g: g.new_zeros(self.shape).masked_scatter(dense, g)
                return

    def _sizes(self) -> list[tuple[int, int]]:
        return list(zip(self.held, self.shape, strict=True))

    def _of_several(self) -> Iterator[tuple[Path, Linear]]:
        message = "an entry that is copied several times keeps one of its gradients: `=` stands where they must add up"
        for end in ("last", "first"):
            slip = Slip("overwrite-instead-of-accumulate", end, message, _ACCUMULATE)
            yield (slip,), partial(self._assigned, end == "last")
        if self.box is not None:
            message = "only the part of the gradient that lies where the input does is kept: the copies beside it count"
            slip = Slip("overwrite-instead-of-accumulate", "box", message, "add the border to where it is copied from")
            yield (slip,), partial(self._cropped, self.box)
        if len(set(self.counts[self.counts > 0].tolist())) > 1:
            message = "the gradients of an entry that is copied several times are averaged, where they must add up"
            slip = Slip("averaged-overlap", None, message, "leave out the division by how often it is copied")
            yield (slip,), lambda g: self.back(g) / self.counts.clamp(min=1).reshape(self.shape)
        yield from self._of_enlarged()

    def _assigned(self, forwards: bool, g: Tensor) -> Tensor:
        """What is left where each copy overwrites the ones before it."""
        values, back = g.flatten(), g.new_zeros(self.shape.numel())
        order = torch.arange(len(self.origins)) if forwards else torch.arange(len(self.origins)).flip(0)
        order = order[self.origins[order] >= 0]
        latest = torch.full((self.shape.numel(),), -1)
        latest = latest.scatter_reduce(0, self.origins[order], torch.arange(len(order)), "amax")
        touched = latest >= 0
        back[touched] = values[order[latest[touched]]]
        return back.reshape(self.shape)

    @cached_property
    def box(self) -> tuple[slice, ...] | None:
        """Where the whole tensor lies as it is, copies of some entries around it, as in a padding by reflection."""
        if len(self.held) != len(self.shape) or any(h < s for h, s in zip(self.held, self.shape, strict=True)):
            return None
        origins = self.origins.reshape(self.held)
        for corner in (origins == 0).nonzero().tolist():
            box = tuple(slice(low, low + size) for low, size in zip(corner, self.shape, strict=True))
            if torch.equal(origins[box].flatten(), torch.arange(self.shape.numel())):
                return box
        return None

    def _cropped(self, box: tuple[slice, ...], g: Tensor) -> Tensor:
        return g.reshape(self.held)[box]

    def _of_enlarged(self) -> Iterator[tuple[Path, Linear]]:
        """Every entry copied f times along an axis: the factors of two axes exchanged, the order of copies mistaken."""
        factors = self._factors()
        if factors is None:
            return
        side_by_side = torch.equal(self._enlarged(factors, fast=True), self.origins)
        if not side_by_side and not torch.equal(self._enlarged(factors, fast=False), self.origins):
            return
        message = f"every entry was copied {factors} times along the axes: the factors are exchanged"
        for other in sorted(set(permutations(factors))):
            moved = tuple(axis for axis, (one, two) in enumerate(zip(factors, other, strict=True)) if one != two)
            if moved and all(factors[axis] > 1 for axis in moved):
                slip = Slip("height-width-swapped", ("factors", moved), message, "the factor of each axis on that axis")
                yield (slip,), partial(self._summed, other, side_by_side)
        message = "the copies of an entry lie side by side, and are read as if they were a whole tensor apart"
        message = message if side_by_side else "the copies are whole tensors, and are read as if they lay side by side"
        slip = Slip("reshape-instead-of-permute", "copies", message, "split each axis in the order of the forward pass")
        yield (slip,), partial(self._summed, factors, not side_by_side)

    def _factors(self) -> tuple[int, ...] | None:
        sizes = self._sizes() if len(self.held) == len(self.shape) else []
        return None if not sizes or any(s == 0 or h % s for h, s in sizes) else tuple(h // s for h, s in sizes)

    def _enlarged(self, factors: tuple[int, ...], *, fast: bool) -> Tensor:
        """The origins where the copies of an entry lie side by side (`repeat_interleave`), or apart (`tile`)."""
        made = torch.arange(self.shape.numel()).reshape(self.shape)
        if not fast:
            return made.repeat(factors).flatten()
        for axis, factor in enumerate(factors):
            made = made.repeat_interleave(factor, axis)
        return made.flatten()

    def _summed(self, factors: tuple[int, ...], fast: bool, g: Tensor) -> Tensor:
        """(…, s·f, …) → (…, s, f, …) where the copies are fast, (…, f, s, …) where they are not, → (…, s, …)."""
        pairs = zip(self.shape, factors, strict=True)
        apart = [size for s, f in pairs for size in ((s, f) if fast else (f, s))]
        return g.reshape(apart).sum(tuple(range(1 if fast else 0, len(apart), 2)))
