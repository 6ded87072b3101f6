"""Channels that stand alone, or in groups of a few: the direct form of the kernels, vectorised along the image.

With one input channel in a group there is no product of matrices to speak of. The kernels of `gemm` then read a
channel's padded image once and keep the taps of its few outputs in registers; that form is all that this module runs.
"""

from __future__ import annotations

from torch import Tensor

from .._geometry import ConvGeometry
from . import gemm
from .costs import sizes
from .gemm import conv, conv_input, conv_weight

__all__ = ["conv", "conv_input", "conv_weight", "refusal"]

NARROW = 4  # channels of a group, on either side


def refusal(op: str, a: Tensor, b: Tensor, geometry: ConvGeometry) -> str:
    """What `gemm` refuses, and groups that are not narrow."""
    _, O, per_group = sizes(op, a, b, geometry)
    if geometry.groups == 1 or max(per_group, O // geometry.groups) > NARROW:
        return f"each group must have at most {NARROW} channels, and there must be several groups"
    return gemm.refusal(op, a, b, geometry)
