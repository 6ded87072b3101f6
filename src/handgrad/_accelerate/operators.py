"""The three functions of two operands as PyTorch operators, which compilers take as they are.

    handgrad::conv(x, w, size, …) → y
    handgrad::conv_weight(x, dy, size, …) → dw
    handgrad::conv_input(w, dy, size, …) → dx

`size` is the grid of the result (L, K or I), which the operands do not determine; `padding` is (low, high, low, …).
They have no autograd of their own: that would make `torch.func` fail, and forward mode silently zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .._algorithms.modules import readable
from .._algorithms.run import run
from .._cache import cached
from .._geometry import ConvGeometry, Ints, the_one
from .._layout import arranged

OPS = ("conv", "conv_weight", "conv_input")
_SCHEMA = "(Tensor a, Tensor b, SymInt[] size, int[] stride, int[] padding, int[] dilation, SymInt groups) -> Tensor"
_TAGS = (torch.Tag.pt2_compliant_tag, torch.Tag.needs_exact_strides)  # the result lies as the operands do
_library = torch.library.Library("handgrad", "DEF")  # type: ignore[no-untyped-call]  # the operators live as long


@cached
def _geometry(
    op: str, a: Ints, b: Ints, size: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> ConvGeometry:
    """From the grids of the operands, and of the result."""
    input, kernel, output = {"conv": (a, b, size), "conv_weight": (a, size, b), "conv_input": (size, a, b)}[op]
    sides = tuple(zip(padding[::2], padding[1::2], strict=True))
    return the_one(input, output, kernel, stride, dilation, sides, groups)


def _compute(
    op: str,
    a: Tensor,
    b: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    lists = (tuple(size), tuple(stride), tuple(padding), tuple(dilation))
    geometry = _geometry(op, a.shape[2:], b.shape[2:], *lists, groups)
    return arranged(run(f"accelerated {op}", op, a, b, geometry), a, b)


def call(op: str, a: Tensor, b: Tensor, *options: Any) -> Tensor:
    """The operator; where nobody could see it pass by, what it computes, without a dispatcher's detour."""
    plain = not torch.compiler.is_compiling() and readable(a, b)
    return _compute(op, a, b, *options) if plain else OPERATORS[op](a, b, *options)


def _fake(op: str, a: Tensor, b: Tensor, size: Sequence[int], *options: Any) -> Tensor:
    """A result without numbers: what a compiler needs to know of it."""
    groups = options[-1]
    if op == "conv":  # x (N, C, *I), w (O, C/G, *K) → y (N, O, *L)
        channels = a.shape[0], b.shape[0]
    elif op == "conv_weight":  # x (N, C, *I), dy (N, O, *L) → dw (O, C/G, *K)
        channels = b.shape[1], a.shape[1] // groups
    else:  # w (O, C/G, *K), dy (N, O, *L) → dx (N, C, *I)
        channels = b.shape[0], a.shape[1] * groups
    return arranged(a.new_empty(*channels, *size), a, b)


def _define(op: str) -> Callable[..., Tensor]:
    name = f"handgrad::{op}"
    _library.define(op + _SCHEMA, tags=_TAGS)  # type: ignore[no-untyped-call]
    _library.impl(op, partial(_compute, op), "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
    torch.library.register_fake(name, partial(_fake, op), lib=_library)
    return getattr(torch.ops.handgrad, op).default  # type: ignore[no-any-return]


OPERATORS = {op: _define(op) for op in OPS}
