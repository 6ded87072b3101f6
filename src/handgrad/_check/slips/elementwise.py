"""Slips in y = f(x), entry by entry: dx = g · f'(x), so all that can be wrong is the mask or the derivative."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from . import Backwards, Slip
from .draw import Draw

# What people write for a derivative, of x or of y.
FORMULAS: dict[str, Callable[[Tensor], Tensor]] = {
    "{t}·(1 − {t})": lambda t: t * (1 - t),
    "σ({t})·(1 − σ({t}))": lambda t: torch.sigmoid(t) * (1 - torch.sigmoid(t)),
    "1 − {t}²": lambda t: 1 - t**2,
    "1 − tanh²({t})": lambda t: 1 - torch.tanh(t) ** 2,
    "1 − {t}": lambda t: 1 - t,
    "1 + {t}": lambda t: 1 + t,
    "1 − tanh({t})": lambda t: 1 - torch.tanh(t),
    "1 − σ({t})": lambda t: 1 - torch.sigmoid(t),
    "{t}": lambda t: t,
    "{t}²": lambda t: t**2,
    "σ({t})": torch.sigmoid,
    "tanh({t})": torch.tanh,
    "exp({t})": torch.exp,
    "1/{t}": lambda t: 1 / t,
    "1/{t}²": lambda t: 1 / t**2,
    "−1/{t}": lambda t: -1 / t,
    "Φ({t})": torch.special.ndtr,
    "σ({t}) + {t}·σ({t})": lambda t: torch.sigmoid(t) * (1 + t),
    "σ({t}) + {t}·(1 − σ({t}))": lambda t: torch.sigmoid(t) + t * (1 - torch.sigmoid(t)),
    "sign({t})": torch.sign,
    "({t} > 0)": lambda t: (t > 0).to(t.dtype),
    "({t} < 0)": lambda t: (t < 0).to(t.dtype),
}


def elementwise(draw: Draw) -> Backwards:
    """Another mask or another derivative; nothing for a function that mixes entries."""
    if not draw.is_elementwise or draw.user.shape != draw.g.shape:
        return
    masked = bool(((draw.derivative == 0) | (draw.derivative == 1)).all())
    yield from _passed_through(_has_kink(draw, masked))
    yield from _masked_by_gradient(draw)
    yield from _masked_by_another(draw) if _has_kink(draw, masked) else ()
    yield from _other_formulas(draw)
    yield from _unknown_derivative(draw)


def _has_kink(draw: Draw, masked: bool) -> bool:
    """Whether the function is a ReLU of some kind or a dropout: its derivative takes two values only."""
    return masked or len(torch.unique(draw.derivative.float().round(decimals=4))) <= 2


def _passed_through(kink: bool) -> Backwards:
    if kink:
        message, fix = (
            "grad_output is passed through: the activation's mask is not applied",
            "multiply by the mask, `(x > 0)`",
        )
        yield (Slip("mask-missing", None, message, fix),), lambda g: g
    else:
        message = "grad_output is passed through: the activation's derivative is missing"
        yield (Slip("derivative-of-activation-wrong", "1", message, "multiply by the derivative"),), lambda g: g


def _masked_by_gradient(draw: Draw) -> Backwards:
    fix = "make the mask from the forward pass's input"
    for variant, keep in (("g > 0", torch.gt), ("g < 0", torch.lt)):
        slip = Slip("mask-from-gradient", variant, f"the mask is ({variant}), made from grad_output itself", fix)
        yield (slip,), partial(_only_where, keep)
        both = Slip("mask-from-gradient", f"f'·({variant})", f"the gradient is masked by ({variant}) in addition", fix)
        yield (both,), partial(_derived_where, draw, keep)


def _only_where(keep: Callable[[Tensor, float], Tensor], g: Tensor) -> Tensor:
    return g * keep(g, 0.0)


def _derived_where(draw: Draw, keep: Callable[[Tensor, float], Tensor], g: Tensor) -> Tensor:
    return draw.derivative * g * keep(g, 0.0)


def _masked_by_another(draw: Draw) -> Backwards:
    """g · m where m is made from whatever has the shape of the output, or is the mask upside down."""
    inverted = (draw.derivative == 0).to(draw.g.dtype)
    message, fix = "the mask is upside down: it keeps what the activation dropped", "`(x > 0)`"
    if inverted.any():
        yield (Slip("mask-from-wrong-tensor", "inverted", message, fix),), partial(torch.mul, inverted)
    for label, tensor in draw.named_tensors().items():
        if tensor.shape != draw.g.shape:
            continue
        for sign, mask in ((">", tensor > 0), ("≥", tensor >= 0), ("<", tensor < 0), ("≠", tensor != 0)):
            slip = Slip(
                "mask-from-wrong-tensor", (label, sign), f"the mask is ({label} {sign} 0)", "make the mask from `x`"
            )
            yield (slip,), partial(torch.mul, mask.to(draw.g.dtype))


def _other_formulas(draw: Draw) -> Backwards:
    for letter, tensor in _operands_of(draw):
        for text, formula in FORMULAS.items():
            value = formula(tensor)
            if torch.isfinite(value).all() and not draw.equal(value, draw.derivative):
                written = text.replace("{t}", letter)
                message = f"the derivative is taken to be {written}"
                yield (Slip("derivative-of-activation-wrong", written, message),), partial(torch.mul, value)
                twice = f"the derivative is multiplied by {written} in addition"
                both = Slip("derivative-of-activation-wrong", ("times", written), twice)
                yield (both,), partial(torch.mul, draw.derivative * value)
    slip = Slip("derivative-of-activation-wrong", "f'²", "the derivative is applied twice")
    yield (slip,), partial(torch.mul, draw.derivative**2)
    linear = draw.at(draw.name, draw.y.detach())
    if linear is not None:
        at_output = linear(torch.ones_like(draw.g))
        slip = Slip(
            "derivative-of-activation-wrong", "f'(y)", "the derivative is taken at the output y: it belongs at x"
        )
        yield (slip,), partial(torch.mul, at_output)


def _operands_of(draw: Draw) -> Iterator[tuple[str, Tensor]]:
    yield "x", draw.input
    yield "y", draw.y.detach()


def _unknown_derivative(draw: Draw) -> Backwards:
    """U = g · h with a smooth h of x that no formula here gives: whatever h is, it is not the derivative."""
    if draw.case.rerun is None or not (draw.g != 0).all():
        return
    others = torch.roll(draw.g.flatten(), 1).reshape(draw.g.shape)
    again = draw.case.rerun(others)[draw.name]
    slope = draw.user / draw.g
    if again is None or again.shape != slope.shape or not draw.equal(again.to(slope.dtype), others * slope):
        return
    if _is_function_of(draw.input, slope) or _is_function_of(draw.y.detach(), slope):
        message = "U/g depends on x alone, entry by entry, but it is not the derivative"
        yield (Slip("derivative-of-activation-wrong", "unknown", message),), partial(torch.mul, slope)


def _is_function_of(x: Tensor, values: Tensor) -> bool:
    """Whether values follow x: sorted by x they move little from one to the next, measured by their total variation."""
    if x.numel() < 40:
        return False
    ordered = values.flatten()[x.flatten().argsort()]
    steps, spread = ordered.diff().abs().sum(), ordered.max() - ordered.min()
    # at random order the steps would be about a third of the spread each
    return bool(spread > 0) and float(steps) < 0.08 * x.numel() * float(spread)
