"""How the result of a convolution lies in memory: as the framework would lay it, by sizes and strides alone."""

from __future__ import annotations

import torch
from torch import Tensor

from ._cache import cached
from ._geometry import Ints


def arranged(result: Tensor, input: Tensor | None, weight: Tensor | None, gradient: bool = False) -> Tensor:
    """`result` (N, C, *I) laid out as the framework would: channels last if a known operand is, else contiguous.

    But in 1-d it looks at the weight alone, and its gradients of complex numbers and, in 3-d on a CPU, all kernels but
    those of single precision and bfloat16 only write contiguous results.
    """
    strides = _wanted(result.shape, result.dtype, result.is_cpu, gradient, _known(input, weight, result.dim()))
    return result if result.stride() == strides else result.new_empty_strided(result.shape, strides).copy_(result)


def room(size: Ints, input: Tensor, weight: Tensor, gradient: bool = False) -> Tensor:
    """An empty result that is `arranged` already: to rearrange it takes longer than to compute it, if it is large."""
    known = _known(input, weight, len(size))
    return input.new_empty_strided(size, _wanted(size, input.dtype, input.is_cpu, gradient, known))


def _known(input: Tensor | None, weight: Tensor | None, dims: int) -> tuple[tuple[Ints, Ints], ...]:
    """Sizes and strides of the operands that have a say."""
    said = (weight,) if dims == 3 and input is not None else (input, weight)
    return tuple((operand.shape, operand.stride()) for operand in said if operand is not None)


@cached
def _wanted(
    shape: Ints, dtype: torch.dtype, on_cpu: bool, gradient: bool, known: tuple[tuple[Ints, Ints], ...]
) -> Ints:
    """The strides of a result, from the sizes and strides of the operands that have a say."""
    plain = len(shape) == 5 and on_cpu and dtype in (torch.float64, torch.complex128, torch.float16)
    if plain or (gradient and dtype.is_complex):
        return _strides(shape, False)
    return _strides(shape, any(_is_channels_last(*operand) for operand in known))


def _is_channels_last(shape: Ints, strides: Ints) -> bool:
    """Whether strides grow from C over the last axis up to N, by the framework's own rules for axes of one or none."""
    if len(shape) == 3:  # (N, C, I) → (N, C, 1, I), as the framework computes in 1-d
        shape, strides = (*shape[:2], 1, shape[2]), (*strides[:2], shape[2] * strides[2], strides[2])
    least = 0
    for axis in (1, *range(len(shape) - 1, 1, -1), 0):
        size, stride = shape[axis], strides[axis]
        if size == 0 or stride < max(least, int(axis == 1)) or (axis == 0 and least == strides[1]):
            return False
        least = stride * max(size, 1)
    return True


def _strides(shape: Ints, last: bool) -> Ints:
    """The framework's strides, for axes of one as well: from them it tells the format of what comes next."""
    strides, step = [0] * len(shape), 1
    for axis in (1, *range(len(shape) - 1, 1, -1), 0) if last else range(len(shape) - 1, -1, -1):
        strides[axis] = step
        step = step * max(shape[axis], 1)  # not in place: while tracing, sizes are tensors
    return tuple(strides)
