"""Whether the numbers are PyTorch's: its own forward pass and autograd, in float64."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from .._context import by_hand
from .._geometry import ConvGeometry


def errors(
    tensors: Mapping[str, Tensor], geometry: ConvGeometry, mode: str, transposed: bool, extra: tuple[int, ...]
) -> dict[str, float]:
    """For each result, the largest difference from PyTorch's, relative to its largest entry."""
    found = pytorch(tensors, geometry, mode, transposed, extra)
    with by_hand():
        return {name: _error(tensors[name], theirs) for name, theirs in found.items()}


def pytorch(
    tensors: Mapping[str, Tensor], geometry: ConvGeometry, mode: str, transposed: bool, extra: tuple[int, ...]
) -> dict[str, Tensor]:
    """Each result as PyTorch computes it from the operands."""
    operands = {name: tensors[name].clone().requires_grad_() for name in ("input", "weight", "bias") if name in tensors}
    with torch.inference_mode(False), torch.enable_grad():
        run = _transposed if transposed else _convolution
        output = run(*operands.values(), geometry=geometry, **({"extra": extra} if transposed else {"mode": mode}))
        gradients = torch.autograd.grad(output, list(operands.values()), tensors["grad_output"])
    return {"output": output.detach(), **dict(zip([f"grad_{name}" for name in operands], gradients, strict=True))}


def _convolution(x: Tensor, w: Tensor, b: Tensor | None = None, *, geometry: ConvGeometry, mode: str) -> Tensor:
    ends = [end for pair in reversed(geometry.padding) for end in pair]
    x = F.pad(x, ends, mode="constant" if mode == "zeros" else mode) if any(ends) else x
    conv = (F.conv1d, F.conv2d, F.conv3d)[geometry.dims - 1]
    y: Tensor = conv(x, w, b, stride=geometry.stride, dilation=geometry.dilation, groups=geometry.groups)
    return y


def _transposed(
    x: Tensor, w: Tensor, b: Tensor | None = None, *, geometry: ConvGeometry, extra: tuple[int, ...]
) -> Tensor:
    conv = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[geometry.dims - 1]
    # uncropped: its own padding has no unequal sides
    y: Tensor = conv(x, w, b, geometry.stride, 0, extra, geometry.groups, geometry.dilation)
    for axis, ((low, _), size) in enumerate(zip(geometry.padding, geometry.input, strict=True), start=2):
        y = y.narrow(axis, low, size)
    return y


def _error(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max().clamp_min(1e-300)) if ours.numel() else 0.0
