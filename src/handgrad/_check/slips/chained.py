"""A loss whose gradient is that of what comes before: times the derivative of the activation that makes its input."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from . import Backwards, Slip
from .draw import Draw
from .elementwise import FORMULAS

_OF_WHAT_IT_MADE = ("{t}·(1 − {t})", "1 − {t}²", "({t} > 0)")  # sigmoid, tanh, ReLU: the input is the activation


def one_step_further(draw: Draw) -> Backwards:
    """U = T · f'(x) where x is what an activation made: p − t for the gradient of cross entropy with respect to p."""
    if draw.user.shape != draw.truth.shape or draw.is_elementwise or draw.input.shape != draw.truth.shape:
        return
    for written in _OF_WHAT_IT_MADE:
        factor = FORMULAS[written](draw.input)
        if bool(factor.any()) and not torch.allclose(factor, torch.ones_like(factor)):
            text = written.replace("{t}", draw.name)
            message = f"{text} is multiplied in: this is the gradient of what an activation makes `{draw.name}` of"
            slip = Slip("derivative-of-activation-wrong", ("further", written), message, f"divide by {text}")
            yield (slip,), partial(_times, draw, factor)


def _times(draw: Draw, factor: Tensor, g: Tensor) -> Tensor:
    return factor * draw.backward(g)
