"""Comparing thousands of predictions with one gradient: a few entries first, all of them only where those agree."""

from __future__ import annotations

import torch
from torch import Tensor

_PROBES = 6


class Goal:
    """A gradient that predictions are compared with, up to a constant factor and the shape."""

    def __init__(self, value: Tensor, tolerance: float) -> None:
        self.value, self.tolerance = value, tolerance
        flat = value.flatten()
        self.flat = flat
        order = flat.abs().argsort(descending=True)
        # the largest entry, which the factor is read off, and some others
        self._places = order[:: max(1, len(order) // _PROBES)][:_PROBES] if len(order) else order
        self._probes: list[float] = flat[self._places].tolist()
        self._allowed = tolerance * (abs(self._probes[0]) + 1e-3) if self._probes else 0.0

    def multiple_of(self, predicted: Tensor) -> float | None:
        """c where the goal is c · predicted, both flat; exactly 1.0 where that is within rounding; else None."""
        if predicted.numel() != self.flat.numel() or not self._probes:
            return None
        values: list[float] = torch.take(predicted, self._places).tolist()
        if self._probes[0] == 0.0:  # nothing but zeros
            return 1.0 if float(predicted.abs().max()) <= self._allowed else None
        if values[0] == 0.0:
            return None
        constant = self._probes[0] / values[0]
        if abs(constant - 1.0) <= 4 * self.tolerance:
            constant = 1.0
        if not all(
            abs(mine - constant * other) <= self._allowed for mine, other in zip(self._probes, values, strict=True)
        ):
            return None
        rest = float((self.flat - constant * predicted.flatten()).abs().max())
        return constant if rest <= self._allowed else None
