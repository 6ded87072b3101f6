"""Functions of one entry; their slips are those of every such function, see `slips.elementwise`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from .operation import Operation, Options, Roles, Setting

_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "silu": F.silu,
    "elu": F.elu,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "mish": F.mish,
    "hardtanh": F.hardtanh,
    "exp": torch.exp,
    "sin": torch.sin,
    "cos": torch.cos,
    "square": torch.square,
    "abs": torch.abs,
}


def _settings() -> list[Setting]:
    return [Setting("R1", {"input": (5, 23)}), Setting("R2", {"input": (3, 2, 7, 4)}), Setting("R3", {"input": (67,)})]


def _guesses(roles: Roles, output: Tensor) -> list[Options]:
    return [{}] if roles["input"].shape == output.shape else []


def _operation(name: str, function: Callable[[Tensor], Tensor]) -> Operation:
    return Operation(name, ("input",), lambda roles, _: function(roles["input"]), _settings, _guesses)


OPERATIONS = tuple(_operation(name, function) for name, function in _FUNCTIONS.items())
