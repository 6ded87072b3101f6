"""Softmax and its logarithm: dx = y·(g − Σ g·y), or g − softmax(x)·Σ g, with the sums along one axis."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor
from torch.nn import functional as F

from ..slips import Backwards, Slip
from ..slips.axes import axes_key, axes_sets
from ..slips.inside.softmaxes import AVERAGED, log_softmax_gradient, softmax_gradient
from .operation import Known, Operation, Options, Roles, Setting


def _softmax_slips(known: Known) -> Backwards:
    y = known.output
    message = "only the diagonal y·(1 − y) of the Jacobian is used; the rows of the gradient do not sum to 0"
    slip = Slip("softmax-diagonal-only", None, message, "y · (grad_output − (grad_output · y).sum(dim, keepdim=True))")
    yield (slip,), lambda g: g * y * (1 - y)
    message = "this is the derivative of log_softmax, g − softmax · Σ g"
    yield (
        (Slip("derivative-of-activation-wrong", "log", message, "y · (g − Σ g · y)"),),
        partial(log_softmax_gradient, y.log(), right(known)),
    )
    yield from _sum_changed(known, partial(softmax_gradient, y))


def _log_softmax_slips(known: Known) -> Backwards:
    p = known.output.exp()
    message = "only the diagonal 1 − softmax of the Jacobian is used; the rows of the gradient do not sum to 0"
    slip = Slip("softmax-diagonal-only", None, message, "grad_output − softmax · grad_output.sum(dim, keepdim=True)")
    yield (slip,), lambda g: g * (1 - p)
    message = "this is the derivative of softmax, y · (g − Σ g · y)"
    yield (
        (Slip("derivative-of-activation-wrong", "no log", message, "g − softmax · Σ g"),),
        partial(softmax_gradient, p, right(known)),
    )
    yield from _sum_changed(known, partial(log_softmax_gradient, known.output))


def right(known: Known) -> tuple[int]:
    """The axis that sums up to 1."""
    return (known.options["dim"] % known.g.dim(),)


def _sum_changed(known: Known, gradient: Callable[..., Tensor]) -> Backwards:
    dims, count = known.g.dim(), known.g.shape[right(known)[0]]
    yield (AVERAGED,), partial(gradient, right(known), share=1 / count)
    for axes in axes_sets(dims):
        if axes and axes != right(known):
            slip = Slip(
                "wrong-reduction-axes",
                axes_key(axes, dims),
                f"the sum runs over the axes {axes}: it belongs over {right(known)}",
            )
            yield (slip,), partial(gradient, axes)


def _settings() -> list[Setting]:
    return [
        Setting("R1", {"input": (5, 7)}, {"dim": -1}),
        Setting("R2", {"input": (4, 3)}, {"dim": -1}),
        Setting("R3", {"input": (6, 5)}, {"dim": -1}),  # matrices only: `axis=1` is right for those
    ]


def _guesses(roles: Roles, output: Tensor) -> list[Options]:
    x = roles["input"]
    return [{"dim": axis} for axis in range(-1, -x.dim() - 1, -1)] if x.shape == output.shape else []


def _operation(name: str, function: Callable[..., Tensor], slips: Callable[[Known], Backwards]) -> Operation:
    def forward(roles: Roles, options: Options) -> Tensor:
        return function(roles["input"], **options)

    return Operation(name, ("input",), forward, _settings, _guesses, slips=slips)


OPERATIONS = (
    _operation("softmax", F.softmax, _softmax_slips),
    _operation("log_softmax", F.log_softmax, _log_softmax_slips),
)
