"""The forward pass again with some of its steps replaced: the value that it was, another way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .. import Linear
from .recording import Record

# (replay, function, its arguments, its output) → another output
Replacement = Callable[["Replay", Any, Any, Any], Any]


class Replay(TorchFunctionMode):
    """The same calls again, what some of them return replaced."""

    def __init__(self, replaced: Mapping[int, Replacement]) -> None:
        super().__init__()
        self.replaced, self.outputs = replaced, list[Any]()

    def __torch_function__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """The call, or what stands for it."""
        output = func(*args, **(kwargs or {}))
        replace = self.replaced.get(len(self.outputs))
        if replace is not None:
            output = replace(self, partial(func, **(kwargs or {})), args, output)
        self.outputs.append(output)
        return output


def replayed(record: Record, replaced: Mapping[int, Replacement]) -> Linear | None:
    """The backward pass of the forward with these steps replaced."""
    tracked = record.run(Replay(replaced))
    if tracked is None:
        return None
    output, leaf = tracked.output, tracked.leaves[record.name]

    def linear(g: Tensor) -> Tensor:
        total = (output * g.reshape(output.shape)).sum()
        (gradient,) = torch.autograd.grad(total, leaf, retain_graph=True, allow_unused=True)
        return (torch.zeros_like(leaf) if gradient is None else gradient).detach().as_subclass(Tensor)

    return linear


class Cell:
    """The backward pass of one replaced step; set to a slip's for as long as its gradient is computed."""

    def __init__(self, right: Callable[[Tensor], Any]) -> None:
        self.set(right)

    def set(self, back: Callable[[Tensor], Any]) -> None:
        """Another way back."""
        self.back, self.closed = back, False

    def __call__(self, g: Tensor) -> Any:
        """The way back of one gradient."""
        made = self.back(g)
        self.closed = bool(g.any()) and isinstance(made, Tensor) and not made.any()
        return made


class Switch(torch.autograd.Function):
    """A value already computed, with whatever backward pass the cell holds."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, cell: Cell, _input: Tensor) -> Tensor:
        """The value as it is."""
        ctx.cell = cell
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> tuple[Any, ...]:
        """The cell's gradient of the input."""
        back = ctx.cell(g[0].as_subclass(Tensor))
        return None, None, back


def switch(source: int, cell: Cell, replay: Replay, _function: object, _args: object, output: Tensor) -> Tensor:
    """A replacement: the step's value, its way back to an earlier step through the cell."""
    return switched(output, cell, replay.outputs[source])


def switched(value: Tensor, cell: Cell, source: Tensor) -> Tensor:
    """The value, its way back to the source through the cell."""
    made: Tensor = Switch.apply(value.detach(), cell, source)  # type: ignore[no-untyped-call]
    return made.as_subclass(type(value))
