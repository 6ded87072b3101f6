"""What each algorithm costs, by a model with one line for each: seconds = call + products / (rate · threads).

`call` is what a call takes before its first product, `rate` what one thread multiplies and adds in a second, for a kind
of convolution. They are rough, and need not be more: only which algorithm comes first matters. They were measured over
common shapes with two threads of one processor, with AVX-512 and without; `benchmarks/NOTES.md` says how.
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
# many channels and a small image; taps that read much padding; images with groups of up to 16 channels; all others.
_RATES: dict[str, dict[tuple[str, torch.dtype], Cost]] = {
    "narrow": {
        ("depthwise", _SINGLE): Cost(15, 26, 27, 25),
        ("depthwise", _DOUBLE): Cost(15, 12, 11, 12),
        ("gemm", _SINGLE): Cost(15, 10, 13, 7),
        ("gemm", _DOUBLE): Cost(15, 5, 6, 4),
        ("native", _SINGLE): Cost(5, 28, 11, 26),
        ("native", _DOUBLE): Cost(5, 2, 2, 2),
    },
    "narrow, strided": {
        ("depthwise", _SINGLE): Cost(15, 16, 17, 11),
        ("depthwise", _DOUBLE): Cost(15, 5, 5, 5),
        ("gemm", _SINGLE): Cost(15, 8, 8, 5),
        ("gemm", _DOUBLE): Cost(15, 4, 4, 3),
        ("native", _SINGLE): Cost(5, 10, 9, 6),
        ("native", _DOUBLE): Cost(5, 1, 1, 1),
    },
    "few": {
        ("gemm", _SINGLE): Cost(15, 75, 70, 50),
        ("gemm", _DOUBLE): Cost(15, 30, 35, 22),
        ("native", _SINGLE): Cost(5, 90, 50, 11),
        ("native", _DOUBLE): Cost(5, 16, 12, 26),
    },
    "row": {
        ("gemm", _SINGLE): Cost(15, 100, 102, 98),
        ("gemm", _DOUBLE): Cost(15, 43, 44, 42),
        ("native", _SINGLE): Cost(5, 72, 86, 59),
        ("native", _DOUBLE): Cost(5, 30, 28, 24),
    },
    "row, deep": {
        ("gemm", _SINGLE): Cost(15, 98, 101, 93),
        ("gemm", _DOUBLE): Cost(15, 47, 50, 44),
        ("native", _SINGLE): Cost(5, 110, 89, 108),
        ("native", _DOUBLE): Cost(5, 45, 44, 45),
    },
    "pointwise": {
        ("gemm", _SINGLE): Cost(15, 78, 94, 82),
        ("gemm", _DOUBLE): Cost(15, 34, 46, 36),
        ("native", _SINGLE): Cost(5, 89, 85, 81),
        ("native", _DOUBLE): Cost(5, 42, 38, 36.5),
    },
    "pointwise, strided": {
        ("gemm", _SINGLE): Cost(15, 78, 84, 69),
        ("gemm", _DOUBLE): Cost(15, 41, 33, 34),
        ("native", _SINGLE): Cost(5, 70, 76, 48),
        ("native", _DOUBLE): Cost(5, 37, 35, 36),
    },
    "pointwise, small": {
        ("gemm", _SINGLE): Cost(15, 84, 93, 75),
        ("gemm", _DOUBLE): Cost(15, 40, 40, 34),
        ("native", _SINGLE): Cost(5, 96, 86, 88),
        ("native", _DOUBLE): Cost(5, 33, 44, 27),
    },
    "deep": {
        ("gemm", _SINGLE): Cost(15, 75, 91, 71),
        ("gemm", _DOUBLE): Cost(15, 35, 43, 34),
        ("native", _SINGLE): Cost(5, 107, 86, 90),
        ("native", _DOUBLE): Cost(5, 32, 44, 22),
    },
    "far": {
        ("gemm", _SINGLE): Cost(15, 155, 166, 136),
        ("gemm", _DOUBLE): Cost(15, 69, 73, 68),
        ("native", _SINGLE): Cost(5, 100, 177, 189),
        ("native", _DOUBLE): Cost(5, 42, 45, 36),
    },
    "thin": {
        ("gemm", _SINGLE): Cost(15, 86, 87, 86),
        ("gemm", _DOUBLE): Cost(15, 42, 44, 42),
        ("native", _SINGLE): Cost(5, 66, 62, 78),
        ("native", _DOUBLE): Cost(5, 8, 14, 16),
    },
    "dense": {
        ("gemm", _SINGLE): Cost(15, 91, 92, 92),
        ("gemm", _DOUBLE): Cost(15, 45, 45, 45),
        ("native", _SINGLE): Cost(5, 111, 97, 109),
        ("native", _DOUBLE): Cost(5, 18, 18, 25),
    },
}
_READABLE = {_SINGLE: Cost(50, 8, 8, 6), _DOUBLE: Cost(50, 4, 4, 3)}  # the reference, except for narrow groups
_SLOWER_WITHOUT_AVX512 = 0.9  # PyTorch's float32, which has kernels of its own for it; ours use vectors of 256 bits
_MUCH_SLOWER = {"far": 0.5, "narrow": 0.7}  # as they alone leave padding out, or give a lane to each channel
_BLOCK = 16  # channels that PyTorch's computes at once, even where there are fewer
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
        rate *= _MUCH_SLOWER.get(found, _SLOWER_WITHOUT_AVX512)
    if name == "native" and found == "few":
        rate *= min(1, sizes(op, a, b, geometry)[1] / _BLOCK)
    if name == "reference" and found.startswith("narrow"):
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
    strided, small = prod(geometry.stride) > 1, prod(geometry.output) <= 256
    if geometry.groups > 1 and max(per_group, O // geometry.groups) <= 4:
        return "narrow, strided" if strided else "narrow"
    if per_group <= 6:
        return "few"
    if geometry.dims == 1:
        return "row, deep" if per_group >= 80 else "row"
    if any(3 * sum(pads) >= size for pads, size in zip(geometry.padding, geometry.input, strict=True)) and any(
        d >= 8 for d in geometry.dilation
    ):
        return "far"
    if prod(geometry.kernel) == 1:
        return "pointwise, small" if small else "pointwise, strided" if strided else "pointwise"
    if per_group <= 16 and geometry.dims == 2 and a.is_contiguous():  # in channels-last PyTorch's are no slower
        return "thin"
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
