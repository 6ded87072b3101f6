"""Layers made of layers: by the chain rule, the children's backward passes run in reverse."""

from __future__ import annotations

from typing import overload

import torch
from torch import Tensor, nn

from ._activation import ReLU
from ._backward import Again, Pullback, Returned, fresh, repeatable, repeating
from ._layer import Layer
from ._pooling import MaxPoolNd


class Identity(Layer, nn.Identity):
    """The input itself, of any shape."""

    # y = x          dx = dy

    def forward(self, input: Tensor) -> tuple[Tensor, Pullback]:
        return input, lambda grad_output: grad_output


class Sequential(Layer, nn.Sequential):
    """One layer after the other; built, indexed, sliced, added and multiplied as `torch.nn.Sequential`.

    Raises `HandgradError` for a child that is no `Layer`, by its name.
    """

    # y = f_n(… f_1(x))          dx = f_1′(… f_n′(dy)),   f′ standing for a backward pass

    # What one child alone has made and does not need, the next may write over: half of the memory, and of the time
    # that the system takes to hand it out.

    # And what can be computed again from what is kept anyway, as ReLU's output behind a normalization, is not kept.

    @repeatable
    def forward(self, input: Tensor, *, over: bool = False, again: Again | None = None) -> tuple[Tensor, Pullback]:
        output, backwards = input, list[Returned]()
        for child in self._in_order():
            output, child_backward = child._after(output, over, again)
            over, again = child._is_fresh(), child_backward.again
            backwards.append(child_backward)

        def backward(
            grad_output: Tensor, needs_input: bool = True, over: bool = False, once: bool = False
        ) -> Tensor | None:
            grad: Tensor | None = grad_output
            for i in reversed(range(len(backwards))):
                assert grad is not None
                child, made = backwards[i], backwards[i].again
                grad = child.run(grad, needs_input=needs_input or i > 0, over=over, once=once)
                over = child.fresh
                if made is not None:
                    made.free()
            return grad

        backward = fresh(backward) if backwards and backwards[0].fresh else backward
        return output, repeating(backward, again if backwards else None)

    def _in_order(self) -> list[Layer]:
        """The children, each ReLU behind the maximum pooling that follows it: the same numbers from fewer."""
        order = [_layer(self, name, child) for name, child in self._modules.items()]
        for i in range(1, len(order)):
            if _commute(order[i - 1], order[i]):
                order[i - 1 : i + 1] = order[i], order[i - 1]
        return order

    def _is_fresh(self) -> bool:
        own = type(self).forward is Sequential.forward and self._is_unwatched()
        return own and len(self) > 0 and self._in_order()[-1]._is_fresh()

    @overload
    def __getitem__(self, idx: int) -> Layer: ...
    @overload
    def __getitem__(self, idx: slice) -> Sequential: ...
    def __getitem__(self, idx: int | slice) -> nn.Module:
        """A child, or a `Sequential` of some that shares them."""
        return super().__getitem__(idx)

    def __add__(self, other: nn.Sequential) -> Sequential:
        return Sequential(*super().__add__(other))  # torch.nn's own returns its own class, which cannot run layers

    def __mul__(self, other: int) -> Sequential:
        return Sequential(*super().__mul__(other))


class PlainResidual(nn.Module):
    """The sum body(x) + shortcut(x), or body(x) + x, as an ordinary module: what `to_torch` makes of a `Residual`."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, input: Tensor) -> Tensor:
        """The sum."""
        output: Tensor = self.body(input) + (input if self.shortcut is None else self.shortcut(input))
        return output


class Residual(Layer, PlainResidual):
    """A body and a way around it: body(x) + shortcut(x), or body(x) + x without a shortcut.

    Raises `HandgradError` if the two disagree about the shape or if one of them is no `Layer`.
    """

    # y = f(x) + s(x)          dx = f′(dy) + s′(dy).   He, Zhang, Ren, Sun, 2015

    @fresh
    @repeatable
    def forward(self, input: Tensor, *, again: Again | None = None) -> tuple[Tensor, Pullback]:
        body = _layer(self, "body", self.body)
        shortcut = _layer(self, "shortcut", Identity() if self.shortcut is None else self.shortcut)
        (output, through), (around, past) = (branch._after(input, False, again) for branch in (body, shortcut))
        if output.shape != around.shape:  # the sum would broadcast
            shapes = {"input": input.shape, "body": output.shape, "shortcut": around.shape}
            raise self._error("body and shortcut disagree about the shape", **shapes)

        @fresh
        def backward(grad_output: Tensor, needs_input: bool = True, once: bool = False) -> Tensor | None:
            dx, around = (branch.run(grad_output, needs_input=needs_input, once=once) for branch in (through, past))
            if dx is None or around is None:
                return None
            return torch.add(dx, around, out=dx if through.fresh else None)

        f, s = through.again, again if self.shortcut is None else past.again
        repeat = None if f is None or s is None else Again(lambda: f.compute().add_(s()))
        return torch.add(output, around, out=output if body._is_fresh() else None), repeating(backward, repeat)


def _commute(first: Layer, second: Layer) -> bool:
    """Whether they are a ReLU and a maximum over windows: max(max(x_i, 0)) = max(max(x_i), 0), and where it is 0 no
    gradient passes. Not so of a window that sees nothing, whose maximum is −∞: a dilated one may.
    """
    if type(first).forward is not ReLU.forward or not isinstance(second, MaxPoolNd) or second.may_be_blind():
        return False
    return type(second).forward is MaxPoolNd.forward and first._is_unwatched() and second._is_unwatched()


def _layer(parent: Layer, name: str, child: nn.Module | None) -> Layer:
    if not isinstance(child, Layer):
        hint = "`hg.layers.from_torch` turns modules of torch.nn into layers"
        raise parent._error(f"child {name} is no layer of handgrad", hint, child=type(child).__name__)
    return child
