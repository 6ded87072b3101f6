"""What every sample of a batch says about the weight and the bias of a fully connected layer.

It is a convolution with a kernel of one over the axes before the last. An inner product of two samples' gradients is
nearly always cheapest by their positions: ‖dw[n]‖² = ‖dy[n]‖² · ‖x[n]‖² where there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from torch import Tensor

from .._context import by_hand
from .._errors import error
from .._operands import check_tensors
from ..functional._sides import of_linear
from ._family import Extra, family
from ._use import Use, by_last
from ._weights import Dense

__all__ = [
    "linear_bias",
    "linear_weight",
    "linear_weight_dot",
    "linear_weight_gram",
    "linear_weight_sqnorm",
    "linear_weight_weighted",
]


def linear(op: str, input: Tensor, weight_size: Sequence[int], grad_output: Tensor, **_: Unpack[Extra]) -> Use:
    """Every sample's gradient of `torch.nn.functional.linear` with respect to its weight.

    dw[n,o,i] = Σ dy[n,p,o] · x̄[n,p,i] over the positions p, which are all axes between the first and the last.

    Args:
        input: x, (N, *, in), or (in,), which is one sample.
        weight_size: (out, in).
        grad_output: dy, (N, *, out) or (out,).
        max_bytes: what the work may take at a time beside operands and result, but at least one sample's share.

    Returns:
        (N, out, in).

    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
    """
    shape = of_linear(op, input, weight_size, grad_output).weight[:2]
    return Dense(op, input, shape, grad_output)


@by_hand()
def linear_bias(grad_output: Tensor) -> Tensor:
    """Every sample's gradient of `torch.nn.functional.linear` with respect to its bias: db[n,o] = Σ dy[n,p,o] over p.

    Args:
        grad_output: dy, (N, *, out), or (out,), which is one sample.

    Returns:
        (N, out).

    Raises:
        HandgradError: where grad_output has no axis or a dtype without gradients.
    """
    check_tensors("per_sample.linear_bias", grad_output=grad_output)
    if grad_output.dim() == 0:
        raise error(
            "per_sample.linear_bias", "grad_output must be (N, *, out) or (out,)", grad_output=grad_output.shape
        )
    return by_last(grad_output.shape[-1:], grad_output=grad_output).gradients().to(grad_output.dtype)


linear_weight, linear_weight_sqnorm, linear_weight_dot, linear_weight_gram, linear_weight_weighted = family(linear)
