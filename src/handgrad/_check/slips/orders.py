"""A tensor's numbers in other orders: what a reshape makes where a permutation belongs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from torch import Tensor


def reordered(tensor: Tensor, axes: tuple[int, ...]) -> Tensor:
    """The tensor's numbers in the order of the permuted axes, in its own shape: what a reshape for a permute makes."""
    return tensor.permute(axes).reshape(tensor.shape)


def shuffled(tensor: Tensor, taken: tuple[int, ...], for_: tuple[int, ...]) -> Tensor:
    """Laid out in the order of one permutation of its axes and read as that of another."""
    sizes = [tensor.shape[axis] for axis in for_]
    inverse = [for_.index(axis) for axis in range(len(for_))]
    return tensor.permute(taken).reshape(sizes).permute(inverse)


def shuffles() -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Every pair of different orders of three axes, for `shuffled`."""
    orders = list(permutations(range(3)))
    return [(taken, for_) for taken in orders for for_ in orders if taken != for_]


def reread(tensor: Tensor, axes: tuple[int, ...]) -> Tensor:
    """The inverse of `reordered`: its memory taken for that of the permuted axes, then permuted back."""
    inverse = [axes.index(axis) for axis in range(len(axes))]
    return tensor.reshape([tensor.shape[axis] for axis in axes]).permute(inverse)


def split_channels(tensor: Tensor, axis: int = 1) -> Iterator[tuple[int, Tensor]]:
    """The channels, an axis that is two in one, (c, m) taken for (m, c), for every way to take it apart."""
    size = tensor.shape[axis] if tensor.dim() > axis else 0
    for parts in range(2, size // 2 + 1):
        if size % parts == 0:
            apart = tensor.reshape(*tensor.shape[:axis], parts, size // parts, *tensor.shape[axis + 1 :])
            # (…, parts, size / parts, …) → (…, size / parts, parts, …)
            yield parts, apart.transpose(axis, axis + 1).reshape(tensor.shape)
