"""What each algorithm costs, by a model with one line for each: seconds = call + products / (rate · threads).

`call` is what a call takes before its first product, `rate` what one thread multiplies and adds in a second. They are
rough, and need not be more: only which algorithm comes first matters. `benchmarks/` measures them.
"""

from __future__ import annotations

from math import inf, prod
from typing import NamedTuple

import torch
from torch import Tensor

from .._geometry import ConvGeometry


class Cost(NamedTuple):
    """Microseconds a call; GFLOP/s a thread of y, dw and dx, a product and its addition being two."""

    call: float
    conv: float
    conv_weight: float
    conv_input: float


_SINGLE, _DOUBLE = torch.float32, torch.float64

# Of two threads on AVX2, over the geometric mean of common shapes.
_DENSE = {
    ("gemm", _SINGLE): Cost(15, 70, 70, 70),
    ("gemm", _DOUBLE): Cost(15, 35, 35, 35),
    ("native", _SINGLE): Cost(5, 36, 28, 30),
    ("native", _DOUBLE): Cost(5, 8, 8, 9),
    ("reference", _SINGLE): Cost(50, 8, 8, 6),
    ("reference", _DOUBLE): Cost(50, 4, 4, 3),
}
_NARROW = {
    ("depthwise", _SINGLE): Cost(15, 12, 12, 12),
    ("depthwise", _DOUBLE): Cost(15, 6, 6, 6),
    ("gemm", _SINGLE): Cost(15, 3, 3, 3),
    ("gemm", _DOUBLE): Cost(15, 2, 2, 2),
    ("native", _SINGLE): Cost(5, 4, 4, 4),
    ("native", _DOUBLE): Cost(5, 0.5, 0.5, 0.5),
    ("reference", _SINGLE): Cost(50, 0.5, 0.5, 0.5),
    ("reference", _DOUBLE): Cost(50, 0.3, 0.3, 0.3),
}
# What the kernels do not know: halves are summed in float32, a product of complex numbers is four.
_SUMMED_IN = {
    _SINGLE: _SINGLE,
    _DOUBLE: _DOUBLE,
    torch.float16: _SINGLE,
    torch.bfloat16: _SINGLE,
    torch.complex64: _SINGLE,
    torch.complex128: _DOUBLE,
}
_OURS = ("gemm", "depthwise")


def seconds(name: str, op: str, a: Tensor, b: Tensor, geometry: ConvGeometry, threads: int) -> float:
    """What `op` of these operands should take; infinite where the model knows nothing, or that it cannot be."""
    if not a.is_cpu:  # a GPU's own library, and nothing else, is made for it
        return 0.0 if name == "native" else inf
    dtype = _SUMMED_IN[a.dtype]
    cost = (_NARROW if is_narrow(op, a, b, geometry) else _DENSE).get((name, dtype))
    if cost is None or (name in _OURS and a.dtype != dtype) or (name == "native" and a.is_complex()):
        return inf
    rate: float = getattr(cost, op) * 1e9 * threads
    return cost.call * 1e-6 + flops(op, a, b, geometry) * (4 if a.is_complex() else 1) / rate


def flops(op: str, a: Tensor, b: Tensor, geometry: ConvGeometry) -> int:
    """Products and additions of the bilinear form, with those in the padding: 2 · N · O · C/G · K · L."""
    N, O, per_group = sizes(op, a, b, geometry)
    return 2 * N * O * per_group * prod(geometry.kernel) * prod(geometry.output)


def is_narrow(op: str, a: Tensor, b: Tensor, geometry: ConvGeometry) -> bool:
    """Whether there are several groups, each of a few channels at most: `depthwise` is made for these."""
    _, O, per_group = sizes(op, a, b, geometry)
    return geometry.groups > 1 and max(per_group, O // geometry.groups) <= 4


def sizes(op: str, a: Tensor, b: Tensor, geometry: ConvGeometry) -> tuple[int, int, int]:
    """(N, O, C/G): a and b are x and w, x and dy, or w and dy."""
    if op == "conv":
        return a.shape[0], b.shape[0], b.shape[1]
    if op == "conv_weight":
        return a.shape[0], b.shape[1], a.shape[1] // geometry.groups
    return b.shape[0], a.shape[0], a.shape[1]
