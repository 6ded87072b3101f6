"""What everybody asks of tensors before computing: that they are tensors, and go together."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from ._errors import error


def check_tensors(operation: str, **tensors: object) -> dict[str, Tensor]:
    """Those that were given; raise unless all are tensors, and on one device."""
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise error(operation, f"{name} is no tensor", _hint(tensor), **{name: type(tensor).__name__})
    given = cast("dict[str, Tensor]", tensors)
    if len({tensor.device for tensor in given.values()}) > 1:
        raise error(operation, "the devices differ", **{name: tensor.device for name, tensor in given.items()})
    return given


def facts(tensor: Tensor) -> tuple[torch.Size, str]:
    """What two tensors must have in common, as a row of an error shows it."""
    place = "" if tensor.device.type == "cpu" else f" on {tensor.device}"
    return tensor.shape, f"{tensor.dtype}{place}"


def wide(tensor: Tensor) -> torch.dtype:
    """The tensor's dtype, but at least float32: sums and squares overflow in halves, and are rounded at each step."""
    return torch.promote_types(tensor.dtype, torch.float32)


def _hint(given: object) -> str | None:
    if isinstance(given, tuple):
        return "a layer returns (output, backward); only the output goes on"
    return "`torch.from_numpy(array)`" if type(given).__module__ == "numpy" else None
