"""PyTorch's own convolution of operands laid out channels-last: often faster, sometimes slower, never by itself."""

from __future__ import annotations

import torch
from torch import Tensor

from .._geometry import ConvGeometry
from . import native

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def refusal(op: str, a: Tensor, b: Tensor, geometry: ConvGeometry) -> str:
    """What `native` refuses, and one dimension, for which PyTorch has no such layout."""
    return native.refusal(op, a, b, geometry) or ("" if a.dim() in _FORMATS else "one dimension has no channels-last")


def conv(x: Tensor, w: Tensor, geometry: ConvGeometry, bias: Tensor | None = None) -> Tensor:
    """x (N, C, *I), w (O, C/G, *K) → y (N, O, *L), with a bias (O,) in the same pass."""
    return _as(x, native.conv(_laid(x), _laid(w), geometry, bias))


def conv_weight(x: Tensor, dy: Tensor, geometry: ConvGeometry) -> Tensor:
    """x (N, C, *I), dy (N, O, *L) → dw (O, C/G, *K)."""
    return _as(x, native.conv_weight(_laid(x), _laid(dy), geometry))


def conv_input(w: Tensor, dy: Tensor, geometry: ConvGeometry) -> Tensor:
    """w (O, C/G, *K), dy (N, O, *L) → dx (N, C, *I)."""
    return _as(dy, native.conv_input(_laid(w), _laid(dy), geometry))


def _laid(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=_FORMATS[tensor.dim()])


def _as(operand: Tensor, result: Tensor) -> Tensor:
    """Contiguous again where the operand is: that copy, too, is part of what it takes."""
    return result.contiguous() if operand.is_contiguous() else result
