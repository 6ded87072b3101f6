"""What the framework says, in its own words: its convolutions, and the gradients of its autograd."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def torch_conv(
    x: Tensor, w: Tensor, b: Tensor | None = None, padding: Any = 0, padding_mode: str = "zeros", **options: Any
) -> Tensor:
    """The framework's convolution; unequal sides and padding modes by its own `F.pad` in front."""
    dims = w.dim() - 2
    conv = (F.conv1d, F.conv2d, F.conv3d)[dims - 1]
    if padding_mode == "zeros" and not _has_pairs(padding):
        return conv(x, w, b, padding=padding, **options)
    if padding == "same":
        spans = [(k - 1) * d for k, d in zip(w.shape[2:], _per_dim(options.get("dilation", 1), dims), strict=True)]
        padding = [(span // 2, span - span // 2) for span in spans]
    ends = [end for pair in reversed(_pairs(padding, dims)) for end in pair]
    mode = "constant" if padding_mode == "zeros" else padding_mode
    return conv(F.pad(x, ends, mode=mode) if any(ends) else x, w, b, **options)


def torch_conv_transpose(x: Tensor, w: Tensor, b: Tensor | None = None, padding: Any = 0, **options: Any) -> Tensor:
    """The framework's transposed convolution; unequal crops by slicing what comes out uncropped."""
    dims = w.dim() - 2
    conv = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[dims - 1]
    if not _has_pairs(padding):
        return conv(x, w, b, padding=padding, **options)
    y = conv(x, w, b, **options)
    for axis, (low, high) in enumerate(padding, start=y.dim() - dims):
        y = y.narrow(axis, low, y.shape[axis] - low - high)
    return y


def gradients(function: Callable[..., Tensor], operands: Sequence[Tensor], dy: Tensor) -> tuple[Tensor, ...]:
    """The gradient of each operand of `function`, by autograd; it must have the operand's own shape."""
    leaves = [operand.detach().requires_grad_() for operand in operands]
    found = torch.autograd.grad(function(*leaves), leaves, dy)
    assert [grad.shape for grad in found] == [operand.shape for operand in operands]
    return found


def assert_equal(ours: Tensor, truth: Tensor, tolerance: float = 1e-12) -> None:
    """Same size, same dtype, and apart by less than `tolerance` of the largest entry."""
    assert ours.shape == truth.shape
    assert ours.dtype == truth.dtype
    if truth.numel():
        worst, scale = (ours - truth).abs().max().item(), truth.abs().max().item()
        assert worst <= tolerance * max(scale, 1.0), f"apart by {worst:.3g}, the largest entry is {scale:.3g}"


def _has_pairs(padding: Any) -> bool:
    return isinstance(padding, (tuple, list)) and any(isinstance(entry, (tuple, list)) for entry in padding)


def _pairs(padding: Any, dims: int) -> Any:
    return padding if _has_pairs(padding) else [(end, end) for end in _per_dim(padding, dims)]


def _per_dim(value: Any, dims: int) -> list[int]:
    entries = list(value) if isinstance(value, (tuple, list)) else [value]
    return entries * dims if len(entries) == 1 else entries
