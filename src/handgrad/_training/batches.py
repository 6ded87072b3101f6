"""Which images make up a batch: a fresh order every epoch, known from the seed and the epoch alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def batches(images: int, size: int, seed: int, epoch: int) -> list[Tensor]:
    """Every index once, in batches of `size`; the last one takes what is left over."""
    mixed = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0]
    order = torch.randperm(images, generator=torch.Generator().manual_seed(int(mixed)))
    return _split(order, size)


def count(images: int, size: int) -> int:
    """The number of batches in an epoch."""
    return len(_split(torch.arange(images), size))


def _split(order: Tensor, size: int) -> list[Tensor]:
    parts = list(torch.split(order, size))
    if len(parts) > 1 and len(parts[-1]) == 1:  # batch normalisation cannot normalise one value
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts
