"""Which images make up a private batch: each is in it by its own chance, so batches vary in size and may be empty.

The accounting holds for this, and not for shuffled batches of one size.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .randomness import Generator, generator

BATCH = 1  # tells the batches' numbers from the noise's


def steps(images: int, size: int) -> int:
    """As many batches make an epoch: every image is seen once on average."""
    return max(1, round(images / size))


def batches(images: int, size: int, seed: int, epoch: int, secure: bool, start: int = 0) -> Iterator[Tensor]:
    """The indices of each batch of an epoch from `start` on, of `size` on average: known from seed, epoch and position.

    With `secure` nobody knows them.
    """
    for position in range(start, steps(images, size)):
        yield sample(images, size / images, generator(secure, seed, epoch, position, BATCH))


def sample(images: int, probability: float, chance: Generator) -> Tensor:
    """The indices, ascending, of those that chance takes."""
    return torch.from_numpy(chance.random(images) < probability).nonzero().flatten()
