"""Where a private run's chance comes from: the seed, for the same bits again, or the operating system, for nobody."""

from __future__ import annotations

import os
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
SUMMED = 4


class Generator(Protocol):
    """As numpy's own has them."""

    def random(self, size: int) -> Numbers:
        """Uniform numbers from 0 to 1, 1 left out."""

    def standard_normal(self, size: int) -> Numbers:
        """Normal numbers of mean 0 and deviation 1."""


def generator(secure: bool, *key: int) -> Generator:
    """The operating system's, or one that is known from `key` alone."""
    return System() if secure else np.random.default_rng(key)


class System:
    """The operating system's generator, fit for cryptography: there is no seed, and no state that could be saved."""

    def random(self, size: int) -> Numbers:
        """Uniform numbers from 0 to 1, 1 left out, in steps of 2⁻⁵²."""
        bits: Numbers = (np.frombuffer(os.urandom(8 * size), dtype=np.uint64) >> np.uint64(12)).astype(np.float64)
        return bits * 2.0**-52

    def standard_normal(self, size: int) -> Numbers:
        """Each half a sum of four, so that its last bits do not tell what it was added to.

        Holohan, Braghin, "Secure Random Sampling in Differential Privacy", 2021: who would undo the addition, as
        Mironov, "On significance of the least significant bits", 2012, has to guess four numbers instead of one.
        """
        uniform = torch.from_numpy(self.random(SUMMED * size) + 2.0**-53).view(SUMMED, size)  # 0 and 1 have no quantile
        normal: Numbers = (torch.special.ndtri(uniform).sum(0) / SUMMED**0.5).numpy()
        return normal
