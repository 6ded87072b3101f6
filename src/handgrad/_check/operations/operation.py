"""What a reference operation is: its forward pass, sizes to try it at, and the slips that belong to it alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..slips import Backwards

Options = Mapping[str, Any]
Roles = Mapping[str, Tensor]  # tensors by role: input, weight, bias …


@dataclass(frozen=True)
class Setting:
    """Sizes and options to run an operation at, and what it is there for."""

    name: str
    sizes: Mapping[str, tuple[int, ...]]  # by role, in the operation's order
    options: Options = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)  # 'ties', 'distinct', 'index:7'; a role not named is normal

    def inputs(self, seed: int = 0) -> dict[str, Tensor]:
        """One draw of the inputs, by role: float64, integers for an index."""
        generator = torch.Generator().manual_seed(seed)
        return {role: _drawn(self.kinds.get(role, "normal"), size, generator) for role, size in self.sizes.items()}


def _drawn(kind: str, size: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if kind == "ties":  # so few values that every window has several maxima
        return torch.randint(0, 3, size, generator=generator).double()
    if kind == "distinct":  # maxima that no rounding can exchange
        return torch.randperm(torch.Size(size).numel(), generator=generator).reshape(size).double() / 7 - 5
    if kind.startswith("index:"):
        return torch.randint(0, int(kind.removeprefix("index:")), size, generator=generator)
    return torch.randn(size, generator=generator, dtype=torch.float64)


@dataclass(frozen=True)
class Known:
    """One gradient of a known operation: everything in the operation's own terms and layout."""

    role: str  # whose gradient it is
    tensors: Roles
    options: Options
    output: Tensor
    g: Tensor
    user_shape: torch.Size  # of what came back
    code: str = ""  # of the backward pass, as it is written
    convolves: bool = False  # whether the forward pass flips the kernel, which stands here as it is used

    @property
    def input(self) -> Tensor:
        """The operation's first operand."""
        return self.tensors["input"]


@dataclass(frozen=True)
class Operation:
    """An operation by PyTorch's name, with its roles in PyTorch's order."""

    name: str
    roles: tuple[str, ...]
    forward: Callable[[Roles, Options], Tensor]
    settings: Callable[[], list[Setting]]
    guesses: Callable[[Roles, Tensor], Iterable[Options]]  # the options with which the inputs could give that output
    spatial: int | None = None  # of an operation on images: how many spatial axes
    required: int = 1  # how many of the roles cannot be left out
    slips: Callable[[Known], Backwards] = lambda _: iter(())
    conventions: Callable[[Known], Iterator[Tensor]] = lambda _: iter(())  # gradients that are as right, at ties


def no_options(_roles: Roles, _output: Tensor) -> list[Options]:
    """The guess for an operation without options."""
    return [{}]
