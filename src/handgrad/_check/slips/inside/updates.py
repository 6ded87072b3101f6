"""Weights that are updated before they are used on the way back: in one product of the forward pass, or in all of them.

The values of the forward pass are those of the old weight, so that an activation behind it keeps its derivative.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .. import Backwards, Slip
from ..draw import Draw
from .recording import Record, Step
from .replaying import Cell, Replacement, replayed, switched

_PRODUCTS = {"matmul", "mm", "bmm", "einsum", "tensordot", "linear", "conv1d", "conv2d"}
_TURNS = 6  # of Newton's method for the rate; with one product the first is exact


def slips(draw: Draw, record: Record) -> Backwards:
    """U = BW with w − lr·dw in the place of w, lr read off U."""
    if draw.user.shape != draw.truth.shape:
        return
    steps = [step for step in record.steps.values() if _is_weighted(step)]
    for chosen in [[step] for step in steps] + ([steps] if len(steps) > 1 else []):
        this = _Updated(draw, record, chosen)
        rate = this.rate()
        if rate is not None:
            lines = ", ".join(dict.fromkeys(str(step.line) for step in chosen))
            message = f"this is the gradient for w − {rate:.6g}·dw: the weight was updated before it was used"
            variant = (tuple(step.site for step in chosen), f"{rate:.4g}")
            fix = "compute every gradient before a weight is updated"
            slip = Slip("updated-weight", variant, f"{message} (of the product in line {lines})", fix, inside=True)
            yield (slip,), partial(this.gradient, rate)


def _is_weighted(step: Step) -> bool:
    """Whether it is a product with something else that has a gradient."""
    weights = [one for one in step.args if isinstance(one, Tensor) and one.requires_grad]
    real = not any(one.is_complex() for one in weights)  # a transform's product has a way back that is conjugated
    return step.name in _PRODUCTS and len(step.sources) == 1 and not step.direct and len(weights) == 2 and real


class _Updated:
    """The way back in which some products are with weights that were updated before."""

    def __init__(self, draw: Draw, record: Record, steps: list[Step]) -> None:
        self.draw, self._rate, self._turns = draw, 0.0, _TURNS if len(steps) > 1 else 2
        replaced: Mapping[int, Replacement] = {s.index: partial(self._replacement, s.sources[0]) for s in steps}
        self.linear = replayed(record, replaced)

    def gradient(self, rate: float, g: Tensor) -> Tensor:
        """The gradient at a rate."""
        self._rate = rate
        return g.new_empty(0) if self.linear is None else self.linear(g)

    def rate(self) -> float | None:
        """The rate at which it is what the user returned."""
        rate, g = 0.0, self.draw.g
        for _ in range(self._turns):
            made = self.gradient(rate, g)
            if made.shape != self.draw.user.shape:
                return None
            if rate > 1e-9 and self.draw.equal(self.draw.user, made):
                return rate
            slope = (self.gradient(rate + 1e-4, g) - made) / 1e-4
            norm = float((slope**2).sum())
            rate += float(((self.draw.user - made) * slope).sum()) / norm if norm else 0.0
        return None

    def _replacement(self, source: int, replay: Any, function: Any, args: Any, output: Tensor) -> Tensor:
        operand = replay.outputs[source]
        return switched(output, Cell(partial(self._back, function, args, operand)), operand)

    def _back(self, function: Any, args: Any, operand: Tensor, g: Tensor) -> Tensor:
        """The product's way back with w − lr·dw: first dw, then dx with another w."""
        plain = [one.detach() if isinstance(one, Tensor) else one for one in args]
        here = next(i for i, one in enumerate(args) if one is operand)
        weight = next(
            i for i, one in enumerate(args) if isinstance(one, Tensor) and one.requires_grad and one is not operand
        )
        plain[weight] = plain[weight] - self._rate * _gradient(function, plain, weight, g)
        return _gradient(function, plain, here, g)


def _gradient(function: Any, args: list[Any], at: int, g: Tensor) -> Tensor:
    with torch.enable_grad():
        leaf = args[at].detach().requires_grad_()
        total = (function(*args[:at], leaf, *args[at + 1 :]) * g).sum()
    gradient: Tensor = torch.autograd.grad(total, leaf)[0]
    return gradient
