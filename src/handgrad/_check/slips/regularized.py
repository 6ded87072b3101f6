"""A decay of the weights that is added to their gradient: U = c·T + λ·w, with c what else happened to the gradient."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from . import Backwards, Slip
from .draw import Draw


def regularized(draw: Draw) -> Backwards:
    """λ and c read off where they are known to the digit; alone, or with an average beside it.

    λ > 0 and the same whatever grad_output is: a decay that was forgotten has λ < 0, and is another slip.
    """
    weight = draw.input.to(draw.truth.dtype)
    if draw.user.shape != weight.shape or not weight.any() or weight.numel() < 2:
        return
    for letter, addition in (("w", weight), ("sign(w)", weight.sign())):
        for constant, rate in (_alone(draw, addition), _beside_a_constant(draw, addition)):
            if rate > 1e-12 and abs(constant) > 1e-12 and _is_added(draw, constant, rate * addition):
                message = f"{rate:.6g}·{letter} is added to the gradient, w = `{draw.name}`"
                slip = Slip(
                    "regularizer-included",
                    (f"λ·{letter}", f"{rate:.4g}"),
                    message,
                    "leave the weight decay to the optimizer",
                )
                yield (slip,), partial(_plus, draw, rate / constant * addition)


def _alone(draw: Draw, addition: Tensor) -> tuple[float, float]:
    """1 and λ of U − T = λ·w."""
    return 1.0, float(((draw.user - draw.truth) * addition).sum() / (addition**2).sum())


def _beside_a_constant(draw: Draw, addition: Tensor) -> tuple[float, float]:
    """c and λ of U = c·T + λ·w, by least squares; 0 of so few entries that any U is that."""
    known = (draw.truth + draw.user).isfinite().all()
    if addition.numel() < 4 or not known or not draw.truth.any():
        return 0.0, 0.0
    columns = torch.stack([draw.truth.flatten(), addition.flatten()], 1)
    constant, rate = torch.linalg.lstsq(columns, draw.user.flatten()[:, None]).solution.flatten().tolist()
    return constant, rate


def _is_added(draw: Draw, constant: float, addition: Tensor) -> bool:
    """Whether that is U, and what the gradient of another grad_output has too; a loss may multiply it by its own."""
    if not draw.equal(draw.user, constant * draw.truth + addition):
        return False
    again = draw.case.rerun(2 * draw.g)[draw.name] if draw.case.rerun is not None else None
    if again is None or again.shape != draw.truth.shape:
        return draw.case.rerun is None
    right, again = constant * draw.backward(2 * draw.g), again.to(draw.truth.dtype)
    return draw.equal(again, right + addition) or (not draw.g.dim() and draw.equal(again, right + 2 * addition))


def _plus(draw: Draw, addition: Tensor, g: Tensor) -> Tensor:
    return draw.backward(g) + addition
