"""The forward pass again with some of its steps replaced: the value that it was, another way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .. import Linear
from .recording import Record, Step, pieces_of

# (replay, function, its arguments, its output) → another output
Replacement = Callable[["Replay", Any, Any, Any], Any]


class Replay(TorchFunctionMode):
    """The same calls again, what some of them return replaced."""

    def __init__(self, replaced: Mapping[int, Replacement], leaf: Tensor) -> None:
        super().__init__()
        self.replaced, self.leaf, self.outputs = replaced, leaf, list[Any]()

    def __torch_function__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """The call, or what stands for it."""
        output = self._put(partial(func, **(kwargs or {})), args, func(*args, **(kwargs or {})))
        pieces = [self._put(torch.Tensor.view_as, (whole, piece), piece) for whole, piece in pieces_of(output)]
        return tuple(pieces) or output

    def is_input(self, tensor: Tensor) -> bool:
        """Whether it is the input, or a plain copy of it."""
        copied = ("CloneBackward0", "AliasBackward0")
        fresh = tensor.is_leaf or (tensor.grad_fn is not None and tensor.grad_fn.name() in copied)
        return tensor.requires_grad and fresh and torch.equal(tensor.detach(), self.leaf)

    def _put(self, function: Any, args: Any, output: Any) -> Any:
        """The output of one step, or another in its place."""
        replace = self.replaced.get(len(self.outputs))
        self.outputs.append(output if replace is None else replace(self, function, args, output))
        return self.outputs[-1]


def replayed(record: Record, replaced: Mapping[int, Replacement]) -> Linear | None:
    """The backward pass of the forward with these steps replaced."""
    tracked = record.run(Replay(replaced, record.leaf))
    if tracked is None:
        return None
    output, leaf = tracked.output, tracked.leaves[record.name]

    def linear(g: Tensor) -> Tensor:
        total = (output * g.reshape(output.shape)).sum()
        (gradient,) = torch.autograd.grad(total, leaf, retain_graph=True, allow_unused=True)
        return (torch.zeros_like(leaf) if gradient is None else gradient).detach().as_subclass(Tensor)

    return linear


def hide(used: Step | None, replay: Replay, function: Any, args: Any, _output: Tensor) -> Any:
    """The same call with one of its operands hidden from autograd: what a step made, or the input."""
    made = replay.outputs[used.index] if used is not None else None

    def is_hidden(one: Any) -> bool:
        return one is made if made is not None else isinstance(one, Tensor) and replay.is_input(one)

    with torch.enable_grad():
        return function(*(_without(is_hidden, one) for one in args))


def _without(is_hidden: Callable[[Any], bool], value: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(_without(is_hidden, one) for one in value)
    return value.detach() if is_hidden(value) else value


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


def branch(used: Step, cell: Cell, replay: Replay, function: Any, args: Any, output: Tensor) -> Tensor:
    """A replacement: the way back to one of a step's sources through the cell, to the others as it is."""
    other: Tensor = hide(used, replay, function, args, output)
    return other + switched(torch.zeros_like(other), cell, replay.outputs[used.index])


def switched(value: Tensor, cell: Cell, source: Tensor) -> Tensor:
    """The value, its way back to the source through the cell."""
    made: Tensor = Switch.apply(value.detach(), cell, source)  # type: ignore[no-untyped-call]
    return made.as_subclass(type(value))
