"""No image's gradient counts for more than a bound: each is scaled down to it, from norms alone, and then summed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from handgrad.per_sample import Samples

CLIPPINGS = ("flat", "per-layer")
LEAST_BOUND = 1e-12  # the square of a norm below 1e-19 is lost in float32, and the gradient would not be clipped


def groups(model: nn.Module, clipping: str) -> list[list[nn.Parameter]]:
    """What is clipped together: all parameters, or those of each layer."""
    if clipping == "flat":
        return [list(model.parameters())]
    layers = [list(module.parameters(recurse=False)) for module in model.modules()]
    return [parameters for parameters in layers if parameters]


def norms(samples: Samples, together: Sequence[Sequence[nn.Parameter]]) -> list[Tensor]:
    """(N,) for each group: the norm of each image's gradient; infinite where its square is beyond float32."""
    squares = samples.sqnorms()
    return [reduce(torch.add, [squares[parameter] for parameter in group]).clamp(min=0).sqrt() for group in together]


def coefficients(
    norms: Sequence[Tensor], together: Sequence[Sequence[nn.Parameter]], bound: float
) -> dict[nn.Parameter, Tensor]:
    """{parameter: (N,)}: what each image's gradient is multiplied with, so that its norm is at most `bound`.

    min(1, C_g / ‖g‖) in each of G groups with C_g = C/√G; the squares of the C_g add up to that of C.
    """
    share = bound / len(together) ** 0.5
    factors = [(share / norm).clamp(max=1) for norm in norms]  # C/0 = inf: nothing to clip
    return {parameter: factor for group, factor in zip(together, factors, strict=True) for parameter in group}
