"""The one way into an algorithm: choose it, once for each kind of operands, and call it.

    run("conv2d_weight", "conv_weight", x, dy, geometry, algorithm)

names the public function, for errors, and which of the three functions of two operands it is.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, cast

import torch
from torch import Tensor

from .._errors import error
from .._geometry import ConvGeometry
from . import native, reference
from .choose import choose
from .costs import sizes
from .modules import load, readable
from .setting import Setting, current, for_call

_MOST = 4096  # kinds of operands that are remembered
_chosen: dict[tuple[Any, ...], ModuleType] = {}


def run_conv(
    where: str, x: Tensor, w: Tensor, geometry: ConvGeometry, algorithm: str | None, bias: Tensor | None
) -> Tensor:
    """`run` of "conv", and a bias (O,), which all but the reference add in the same pass over y."""
    if bias is not None and bias.is_contiguous() and bias.dtype == x.dtype and readable(x, bias):
        return run(where, "conv", x, w, geometry, algorithm, bias)
    y = run(where, "conv", x, w, geometry, algorithm)
    return add_bias(y, bias)


def run(
    where: str,
    op: str,
    a: Tensor,
    b: Tensor,
    geometry: ConvGeometry,
    algorithm: str | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """`op` of the two operands by the algorithm that this call, or else the context's setting, says."""
    if torch.compiler.is_compiling():
        y = _compiled(where, op, a, b, geometry, algorithm)
        return add_bias(y, bias)
    setting = current() if algorithm is None else for_call(where, current(), algorithm)
    if setting.notes is not None:
        setting.notes.append((op, a, b, geometry, setting))
        return _nothing(op, a, b, geometry)
    chosen = _choice(where, op, a, b, geometry, setting)
    if bias is None:
        return cast("Tensor", getattr(chosen, op)(a, b, geometry))
    if chosen is reference:
        return add_bias(reference.conv(a, b, geometry), bias)
    return cast("Tensor", chosen.conv(a, b, geometry, bias))


def run_backward(
    where: str, x: Tensor, w: Tensor, dy: Tensor, geometry: ConvGeometry, algorithm: str | None
) -> tuple[Tensor, Tensor]:
    """`run` of "conv_input" and of "conv_weight"; where both are PyTorch's own, in one call."""
    setting = current() if algorithm is None else for_call(where, current(), algorithm)
    if torch.compiler.is_compiling() or setting.notes is not None:
        dx = run(where, "conv_input", w, dy, geometry, algorithm)
        return dx, run(where, "conv_weight", x, dy, geometry, algorithm)
    for_dx = _choice(where, "conv_input", w, dy, geometry, setting)
    for_dw = _choice(where, "conv_weight", x, dy, geometry, setting)
    if for_dx is for_dw is native:
        return native.conv_backward(x, w, dy, geometry)
    return for_dx.conv_input(w, dy, geometry), for_dw.conv_weight(x, dy, geometry)


def add_bias(y: Tensor, bias: Tensor | None) -> Tensor:
    """y (N, O, *L) + bias (O,), in y's own memory and at least the bias' precision."""
    return y if bias is None else y.add_(bias.view(-1, *[1] * (y.dim() - 2)))  # (O,) → (O, 1, …)


def _choice(where: str, op: str, a: Tensor, b: Tensor, geometry: ConvGeometry, setting: Setting) -> ModuleType:
    """Made once for each kind of operands, where they have a kind."""
    if not readable(a, b):
        return load(choose(where, op, a, b, geometry, setting))
    key = (op, geometry, a.shape, a.stride(), b.shape, b.stride(), a.dtype, torch.get_num_threads(), setting)
    found = _chosen.get(key)
    return found if found is not None else _remember(key, load(choose(where, op, a, b, geometry, setting)))


def _remember(key: tuple[Any, ...], chosen: ModuleType) -> ModuleType:
    if len(_chosen) >= _MOST:
        _chosen.clear()
    _chosen[key] = chosen
    return chosen


def _compiled(where: str, op: str, a: Tensor, b: Tensor, geometry: ConvGeometry, algorithm: str | None) -> Tensor:
    """Under `torch.compile` and in an export all is PyTorch's operators, which is what they are traced for."""
    if algorithm in ("gemm", "depthwise", "measured"):
        raise error(where, f"algorithm {algorithm!r} cannot be compiled", able="reference, native")
    by_itself = reference if algorithm == "reference" or a.is_complex() else native
    return cast("Tensor", getattr(by_itself, op)(a, b, geometry))


def _nothing(op: str, a: Tensor, b: Tensor, geometry: ConvGeometry) -> Tensor:
    """A tensor of the result's size."""
    N, O, per_group = sizes(op, a, b, geometry)
    size: dict[str, tuple[int, ...]] = {
        "conv": (N, O, *geometry.output),
        "conv_weight": (O, per_group, *geometry.kernel),
        "conv_input": (N, per_group * geometry.groups, *geometry.input),
    }
    return a.new_empty(size[op])
