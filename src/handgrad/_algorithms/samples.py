"""Every sample's dw by handgrad's own kernels, where they may run and can."""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor

from .._geometry import ConvGeometry
from .modules import load, refusal
from .setting import current


def kernels(x: Tensor, dy: Tensor, geometry: ConvGeometry) -> ModuleType | None:
    """`gemm.samples`, or None where it is ruled out: by what is set, or by what the operands are."""
    setting = current()
    wanted = setting.algorithm not in ("reference", "native") and "gemm" in setting.allowed
    if not wanted or torch.compiler.is_compiling() or refusal("gemm", "conv_weight", x, dy, geometry):
        return None
    return load("gemm.samples")
