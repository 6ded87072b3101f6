"""What is convolved: somebody's tensors in float64, or small integers in a size they give."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from .._errors import error
from .._geometry import frozen

LARGEST = 1 << 24  # numbers of one tensor, all of which are really made

# Small enough for sums in the head. Weights and gradients are never 0: a product with 0 shows nothing.
_DIGITS = {
    "input": (0, 1, 2, 3, 4, 5),
    "weight": (-2, -1, 1, 2, 3),
    "bias": (-3, -1, 1, 2, 4),
    "grad_output": (-2, -1, 1, 2, 3),
}


def operand(name: str, given: Tensor | Sequence[int]) -> Tensor:
    """The tensor in float64 on the CPU, or one of that size, filled with small integers. Raises where it is neither."""
    if not isinstance(given, Tensor):
        return _drawn(name, given)
    if given.is_complex():
        raise error("explain", "complex numbers are not shown", **{name: (given.shape, str(given.dtype))})
    if given.numel() == 0:
        raise error("explain", "there is nothing to show of an empty tensor", **{name: (given.shape, "")})
    if given.is_meta:
        raise error("explain", f"{name} is on the meta device, where there are no numbers", **{name: given.shape})
    return given.detach().to("cpu", torch.float64)


def check_count(what: str, sizes: Sequence[int], **shapes: Sequence[int]) -> None:
    """Raise where that would be more numbers than are made for a page."""
    if (count := prod(sizes)) > LARGEST:
        hint = "explain one sample, a few channels, or a crop: all others are treated alike"
        raise error("explain", f"{count} numbers in the {what} are too many", hint, **shapes)


def _drawn(name: str, size: Sequence[int]) -> Tensor:
    sizes = frozen(size)
    if not isinstance(sizes, tuple) or not all(isinstance(entry, int) and entry > 0 for entry in sizes):
        is_size = isinstance(size, (tuple, list, str))
        hint = None if is_size else "`torch.from_numpy` or `torch.as_tensor` makes a tensor of it"
        told = repr(size) if is_size else f"a {type(size).__module__}.{type(size).__qualname__}"
        raise error("explain", f"{name} must be a tensor, or its size as positive ints", hint, **{name: told})
    check_count(name, sizes, **{name: sizes})
    digits = torch.tensor(_DIGITS[name], dtype=torch.float64)
    generator = torch.Generator().manual_seed(len(name))  # another one for each operand
    return digits[torch.randint(len(digits), sizes, generator=generator)]
