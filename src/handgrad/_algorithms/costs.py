"""What each algorithm costs, by a model with one line for each: seconds = call + products / (rate · threads).

`call` is what a call takes before its first product, `rate` what one thread multiplies and adds in a second, for a kind
of convolution. They are rough, and need not be more: only which algorithm comes first matters. They were measured over
common shapes, on one processor with AVX-512; `benchmarks/NOTES.md` says how.
"""

from __future__ import annotations

from functools import cache
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

# By kind: groups of a few channels; few input channels; one dimension; one tap, of a large image and of a small one;
# many channels and a small image; taps that read much padding; all others.
_RATES: dict[str, dict[tuple[str, torch.dtype], Cost]] = {
    "narrow": {
        ("depthwise", _SINGLE): Cost(15, 22, 24, 20),
        ("depthwise", _DOUBLE): Cost(15, 7, 7, 6),
        ("gemm", _SINGLE): Cost(15, 10, 13, 7),
        ("gemm", _DOUBLE): Cost(15, 5, 6, 4),
        ("native", _SINGLE): Cost(5, 14, 14, 9),
        ("native", _DOUBLE): Cost(5, 1.5, 1.5, 1.5),
    },
    "few": {
        ("gemm", _SINGLE): Cost(15, 60, 60, 30),
        ("gemm", _DOUBLE): Cost(15, 29, 32, 18),
        ("native", _SINGLE): Cost(5, 45, 45, 8),
        ("native", _DOUBLE): Cost(5, 18, 15, 20),
    },
    "row": {
        ("gemm", _SINGLE): Cost(15, 90, 85, 86),
        ("gemm", _DOUBLE): Cost(15, 44, 44, 40),
        ("native", _SINGLE): Cost(5, 80, 76, 72),
        ("native", _DOUBLE): Cost(5, 34, 35, 36),
    },
    "pointwise": {
        ("gemm", _SINGLE): Cost(15, 68, 76, 65),
        ("gemm", _DOUBLE): Cost(15, 31, 37, 34),
        ("native", _SINGLE): Cost(5, 76, 75, 62),
        ("native", _DOUBLE): Cost(5, 36, 36, 33),
    },
    "small": {
        ("gemm", _SINGLE): Cost(15, 64, 80, 52),
        ("gemm", _DOUBLE): Cost(15, 40, 40, 34),
        ("native", _SINGLE): Cost(5, 66, 76, 60),
        ("native", _DOUBLE): Cost(5, 29, 39, 27),
    },
    "deep": {
        ("gemm", _SINGLE): Cost(15, 72, 85, 65),
        ("gemm", _DOUBLE): Cost(15, 38, 44, 36),
        ("native", _SINGLE): Cost(5, 92, 67, 85),
        ("native", _DOUBLE): Cost(5, 29, 42, 24),
    },
    "far": {
        ("gemm", _SINGLE): Cost(15, 130, 128, 120),
        ("gemm", _DOUBLE): Cost(15, 68, 68, 65),
        ("native", _SINGLE): Cost(5, 98, 147, 187),
        ("native", _DOUBLE): Cost(5, 40, 43, 39),
    },
    "dense": {
        ("gemm", _SINGLE): Cost(15, 79, 80, 75),
        ("gemm", _DOUBLE): Cost(15, 43, 42, 41),
        ("native", _SINGLE): Cost(5, 90, 84, 85),
        ("native", _DOUBLE): Cost(5, 18, 18, 24),
    },
}
_READABLE = {_SINGLE: Cost(50, 8, 8, 6), _DOUBLE: Cost(50, 4, 4, 3)}  # the reference, except for narrow groups
_SLOWER_WITHOUT_AVX512 = 0.9  # PyTorch's float32, which has kernels of its own for it; ours use vectors of 256 bits
_FAR_WITHOUT_AVX512 = 0.5  # there alone these kernels leave padding out
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
    found = kind(op, a, b, geometry)
    cost = _RATES[found].get((name, dtype))
    if name == "reference":
        cost = _READABLE[dtype]
    if cost is None or (name in _OURS and a.dtype != dtype) or (name == "native" and a.is_complex()):
        return inf
    rate: float = getattr(cost, op) * 1e9 * threads
    if name == "native" and dtype == _SINGLE and not _has_avx512():
        rate *= _FAR_WITHOUT_AVX512 if found == "far" else _SLOWER_WITHOUT_AVX512
    if name == "reference" and found == "narrow":
        rate /= 16
    if name == "depthwise":  # a lane for each group, however many there are
        rate *= min(1, geometry.groups * a.element_size() / 32)
    return cost.call * 1e-6 + flops(op, a, b, geometry) * (4 if a.is_complex() else 1) / rate


@cache
def _has_avx512() -> bool:
    return "AVX512" in torch.backends.cpu.get_cpu_capability()


def kind(op: str, a: Tensor, b: Tensor, geometry: ConvGeometry) -> str:
    """Which of the kinds of convolution this is."""
    _, O, per_group = sizes(op, a, b, geometry)
    if geometry.groups > 1 and max(per_group, O // geometry.groups) <= 4:
        return "narrow"
    if per_group <= 4:
        return "few"
    if geometry.dims == 1:
        return "row"
    if any(3 * sum(pads) >= size for pads, size in zip(geometry.padding, geometry.input, strict=True)) and any(
        d >= 8 for d in geometry.dilation
    ):
        return "far"
    one_tap, small = prod(geometry.kernel) == 1, prod(geometry.output) <= 256
    if one_tap:
        return "small" if small else "pointwise"
    return "deep" if small and per_group >= 128 else "dense"


def flops(op: str, a: Tensor, b: Tensor, geometry: ConvGeometry) -> int:
    """Products and additions of the bilinear form, with those in the padding: 2 · N · O · C/G · K · L."""
    N, O, per_group = sizes(op, a, b, geometry)
    return 2 * N * O * per_group * prod(geometry.kernel) * prod(geometry.output)


def sizes(op: str, a: Tensor, b: Tensor, geometry: ConvGeometry) -> tuple[int, int, int]:
    """(N, O, C/G): a and b are x and w, x and dy, or w and dy."""
    if op == "conv":
        return a.shape[0], b.shape[0], b.shape[1]
    if op == "conv_weight":
        return a.shape[0], b.shape[1], a.shape[1] // geometry.groups
    return b.shape[0], a.shape[0], a.shape[1]
