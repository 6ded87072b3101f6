"""The algorithms' modules, imported when first asked for, and what keeps each from computing something."""

from __future__ import annotations

import warnings
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import cast

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from .._errors import HandgradWarning
from .._geometry import ConvGeometry

_MODULES = {"native:channels-last": "channels_last"}  # the rest are named as they are called
_KERNELS = ("gemm", "depthwise")
_PLAIN = (Tensor, nn.Parameter)


def refusal(name: str, op: str, a: Tensor, b: Tensor, geometry: ConvGeometry) -> str:
    """Why the algorithm cannot compute `op` of these operands, or ""."""
    if name in _KERNELS:
        if not readable(a, b):
            return "only plain tensors on a CPU have numbers that a kernel can read"
        if not _numba_is_there():
            return "numba is not installed"
    return cast("str", load(name).refusal(op, a, b, geometry))


@cache
def load(name: str) -> ModuleType:
    """The module of an algorithm."""
    return import_module(f".{_MODULES.get(name, name)}", __package__)


def readable(a: Tensor, b: Tensor) -> bool:
    """Whether a kernel may read the numbers where they lie: plain tensors on a CPU, with nobody watching.

    Under `vmap`, forward-mode differentiation, tracing or a dispatch mode, what is computed has to be operators.
    """
    return (
        a.is_cpu
        and type(a) in _PLAIN
        and type(b) in _PLAIN
        and not (a.is_neg() or b.is_neg())
        and torch._C._functorch.peek_interpreter_stack() is None
        and torch._C._len_torch_dispatch_stack() == 0
        and torch._C._get_tracing_state() is None
        and forward_ad._current_level < 0
    )


@cache
def _numba_is_there() -> bool:
    try:
        import_module("numba")
    except ImportError as problem:
        text = f"handgrad's own kernels are off, and PyTorch's convolution takes their place: {problem}"
        warnings.warn(HandgradWarning(text), stacklevel=2)
        return False
    return True
