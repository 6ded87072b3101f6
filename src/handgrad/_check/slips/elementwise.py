"""Slips in y = f(x), entry by entry: dx = g · f'(x), so all that can be wrong is the mask or the derivative."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from . import Backwards, Slip
from .activation import Activation
from .draw import Draw

# What people write for a derivative, of x or of y.
FORMULAS: dict[str, Callable[[Tensor], Tensor]] = {
    "{t}·(1 − {t})": lambda t: t * (1 - t),
    "σ({t})·(1 − σ({t}))": lambda t: torch.sigmoid(t) * (1 - torch.sigmoid(t)),
    "{t}·(1 + {t})": lambda t: t * (1 + t),
    "1 − {t}²": lambda t: 1 - t**2,
    "1 + {t}²": lambda t: 1 + t**2,
    "1 − tanh²({t})": lambda t: 1 - torch.tanh(t) ** 2,
    "1 − {t}": lambda t: 1 - t,
    "(1 − {t})²": lambda t: (1 - t) ** 2,
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
    others = {label: tensor for label, tensor in draw.named_tensors().items() if tensor.shape == draw.g.shape}
    if sum(tensor.shape == draw.g.shape for tensor in draw.inputs.values()) == 1:
        # a mask of the only input, or of the output, is made of what it should be made of: another derivative
        own = [tensor.sign() for tensor in (draw.input, draw.y)]
        others = {label: one for label, one in others.items() if not any(map(one.sign().equal, own))}
    yield from activation_slips(Activation(draw.input, draw.y.detach(), draw.derivative, others, draw.derivative_at))
    yield from _unmasked(draw)


def _unmasked(draw: Draw) -> Backwards:
    """U is right wherever the derivative is not 0, and something where it is: what cuts off is not applied."""
    cut = draw.derivative.abs() <= draw.tolerance * draw.derivative.abs().max()
    if bool((cut & (draw.user == 0)).any()) or int(cut.sum()) < 2 or bool(cut.all()):
        return
    if draw.equal(torch.where(cut, 0.0, draw.user), draw.truth) and bool((draw.g != 0).all()):
        message = "the gradient is right where the function lets it through, and passed on where it does not"
        slip = Slip("mask-missing", "let through", message, "multiply by the mask of the forward pass")
        yield (slip,), partial(torch.mul, draw.user / draw.g)


def activation_slips(this: Activation, *, briefly: bool = False) -> Backwards:
    """Every slip in dx = g · f'(x), as a function of g; briefly without a formula beside the right derivative."""
    if this.is_linear:
        return
    yield from _passed_through(this)
    yield from _masked_by_gradient(this)
    yield from _masked_by_another(this) if this.has_kink else ()
    yield from _other_formulas(this)
    yield from _further_factors(this) if not briefly else ()


def _passed_through(this: Activation) -> Backwards:
    if this.has_kink:
        message = "grad_output is passed through: the activation's mask is not applied"
        yield (Slip("mask-missing", None, message, f"multiply by {_mask(this)}"),), _identity
    elif this.slopes == [0.0]:
        message = "grad_output is passed through a step function, whose derivative is 0: a straight-through estimate"
        fix = "if it is meant as an estimate, no gradient can confirm it"
        yield (Slip("derivative-of-activation-wrong", "1", message, fix),), _identity
    else:
        message = "grad_output is passed through: the activation's derivative is missing"
        yield (Slip("derivative-of-activation-wrong", "1", message, "multiply by the derivative"),), _identity


def _mask(this: Activation) -> str:
    """The mask in words: of a ReLU, a leaky one, or whatever cuts elsewhere."""
    sides = this.sides()
    if sides == (0.0, 1.0):
        return "the mask, `(x > 0)`"
    if sides is not None:
        return f"{sides[1]:.4g} where x > 0 and by {sides[0]:.4g} elsewhere"
    low, high = this.slopes[0], this.slopes[-1]
    return f"the mask: {high:.4g} where the forward pass let x through, {low:.4g} elsewhere"


def _identity(g: Tensor) -> Tensor:
    return g


def _masked_by_gradient(this: Activation) -> Backwards:
    fix = "make the mask from the forward pass's input"
    if (sides := this.sides()) is not None and sides[0] != sides[1]:
        message = (
            f"the slope is {sides[1]:.4g} where grad_output is positive and {sides[0]:.4g} elsewhere: it goes by x"
        )
        slip = Slip("mask-from-gradient", "f'(g)", message, fix)
        yield (slip,), partial(_by_sign, *sides)
    elif sides is None and this.at is not None:  # a slope for each channel, say
        message = "the derivative goes by the sign of grad_output: it goes by that of x"
        above, below = this.at(this.x.abs()), this.at(-this.x.abs())
        yield (Slip("mask-from-gradient", "f'(±|x|)", message, fix),), partial(_by_sign, below, above)
    for variant, keep in (("g > 0", torch.gt), ("g < 0", torch.lt)):
        slip = Slip("mask-from-gradient", variant, f"the mask is ({variant}), made from grad_output itself", fix)
        yield (slip,), partial(_only_where, torch.ones_like(this.x), keep)
        both = Slip("mask-from-gradient", f"f'·({variant})", f"the gradient is masked by ({variant}) in addition", fix)
        yield (both,), partial(_only_where, this.derivative, keep)


def _by_sign(below: float | Tensor, above: float | Tensor, g: Tensor) -> Tensor:
    return torch.where(g > 0, above, below) * g


def _only_where(factor: Tensor, keep: Callable[[Tensor, float], Tensor], g: Tensor) -> Tensor:
    return factor * g * keep(g, 0.0)


def _masked_by_another(this: Activation) -> Backwards:
    """g · m where m is made from whatever has the shape of the output, or is the mask upside down."""
    fix = "make the mask from what the activation was applied to"
    message = "the mask is upside down: it keeps what the activation dropped"
    slip = Slip("mask-from-wrong-tensor", "inverted", message, fix)
    yield (slip,), partial(torch.mul, (this.derivative == 0).to(this.x.dtype))
    if this.slopes[0] > 0:  # of a leaky one: the slopes exchanged
        yield (slip,), partial(torch.mul, sum(this.slopes) - this.derivative)
    for label, tensor in this.others.items():
        for sign, mask in ((">", tensor > 0), ("≥", tensor >= 0), ("<", tensor < 0), ("≠", tensor != 0)):
            if not mask.all():
                slip = Slip("mask-from-wrong-tensor", (label, sign), f"the mask is ({label} {sign} 0)", fix)
                yield (slip,), partial(torch.mul, mask.to(this.x.dtype))


def _other_formulas(this: Activation) -> Backwards:
    for written, value in _formulas(this):
        if not torch.allclose(value, this.derivative):
            message = f"the derivative is taken to be {written}"
            yield (Slip("derivative-of-activation-wrong", written, message),), partial(torch.mul, value)
            side = this.bent_side()
            if side is not None and not torch.allclose(value[side], this.derivative[side]):
                message = f"where the derivative is no constant it is taken to be {written}"
                one = torch.where(side, value, this.derivative)
                yield (Slip("derivative-of-activation-wrong", ("side", written), message),), partial(torch.mul, one)
    slip = Slip("derivative-of-activation-wrong", "f'²", "the derivative is applied twice")
    yield (slip,), partial(torch.mul, this.derivative**2)
    slip = Slip("derivative-of-activation-wrong", "√f'", "the derivative is taken to be its own square root")
    yield (slip,), partial(torch.mul, this.derivative.clamp(min=0).sqrt())
    if this.at is not None:
        message = "the derivative is taken at the output y: it belongs at x"
        yield (Slip("derivative-of-activation-wrong", "f'(y)", message),), partial(torch.mul, this.at(this.y))


def _further_factors(this: Activation) -> Backwards:
    for written, value in _formulas(this):
        message = f"the derivative is multiplied by {written} in addition"
        slip = Slip("derivative-of-activation-wrong", ("times", written), message)
        yield (slip,), partial(torch.mul, this.derivative * value)


def _formulas(this: Activation) -> Iterator[tuple[str, Tensor]]:
    """What people write for a derivative, with its value; nothing that is zero or infinite here."""
    for letter, tensor in (("x", this.x), ("y", this.y)):
        for text, formula in FORMULAS.items():
            value = formula(tensor)
            if torch.isfinite(value).all() and value.any():
                yield text.replace("{t}", letter), value
