"""What holds at a kink or a tie, where a function has more than one gradient: whatever all those beside it agree on.

Which of two equal maxima gets the gradient is a convention, and so is the derivative of |x| at 0. But the gradients of
a maximum sum up to the same number whichever entry wins, and a gradient that does not follows no convention.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from . import truth
from .inputs import Draw
from .report import Finding
from .subjects import Subject, UserCodeError

PAIRS = 4  # of points on opposite sides
STEP = 1e-5  # how far beside the kink
AGREED = 1e-3  # relative to the size of the terms of a sum


_INFINITE = Finding("not-differentiable-here", "at your own inputs, a kink, it is NaN or infinite")


def at_kink(subject: Subject, draw: Draw, grad: Tensor) -> dict[str, Finding]:
    """What is wrong with the user's gradients at a kink itself, by name."""
    user = subject.run(draw.inputs, draw.options).backward(grad)
    beside = list(_beside(subject, draw, grad))
    found: dict[str, Finding] = {}
    for name in truth.differentiable(draw):
        value, near = user.get(name), [gradients[name] for gradients in beside]
        if value is not None and value.shape == draw.inputs[name].shape and len(near) == 2 * PAIRS:
            finding = _judged(value, near, draw.inputs[name]) if value.isfinite().all() else _INFINITE
            found |= {name: finding} if finding is not None else {}
    return found


def _beside(subject: Subject, draw: Draw, grad: Tensor) -> Iterator[Mapping[str, Tensor]]:
    """The gradients at points around a kink, in pairs that are opposite, so that each tie is broken both ways."""
    generator = torch.Generator().manual_seed(23)
    for _ in range(PAIRS):
        noise = {n: torch.randn(draw.inputs[n].shape, generator=generator).double() for n in truth.differentiable(draw)}
        for side in (STEP, -STEP):
            moved = {
                name: value + side * noise[name] if name in noise else value for name, value in draw.inputs.items()
            }
            there = replace(draw, inputs=moved)
            try:
                found = truth.by_autograd(subject, there) or truth.by_differences(subject, there, limit=truth.SECONDS)
                yield found.vjp(grad)
            except (truth.NotDifferentiable, truth.TooSlow, UserCodeError):
                return


def _judged(user: Tensor, near: list[Tensor], x: Tensor) -> Finding | None:
    """Σ U and Σ x·U against those of the gradients around, where these agree with one another."""
    for weight, what in ((torch.ones_like(x), "its entries"), (x, "its entries times the input's")):
        sums = [float((weight * gradient).sum()) for gradient in near]
        scale = max(float((weight * gradient).abs().sum()) for gradient in near)
        mine = float((weight * user).sum())
        agree = max(sums) - min(sums) <= AGREED * scale
        if agree and scale > 0 and not abs(mine - sums[0]) <= 10 * AGREED * scale:
            message = f"your inputs have ties: there {what} sum up to {mine:.6g}, and beside them to {sums[0]:.6g}"
            evidence = {"sum": mine, "sum_beside": sums[0]}
            cause = "ties-counted-twice" if _takes_all(user, near) else "unexplained"
            fix = "give the gradient to one of the tied entries, or a share to each" if cause != "unexplained" else None
            return Finding(cause, message, fix=fix, evidence=evidence)
    return None


def _takes_all(user: Tensor, near: list[Tensor]) -> bool:
    """Whether every entry has the gradient that it has where it wins, as far as it does around here."""
    scale = max(float(gradient.abs().max()) for gradient in near)
    most = torch.stack([gradient.abs() for gradient in near]).max(0).values
    return bool(((user.abs() - most).abs() <= 10 * AGREED * scale)[most > 10 * AGREED * scale].all())
