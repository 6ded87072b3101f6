"""Which of somebody's tensors is which operand: settled by values, as the real operation must give the same output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..case import Vjp, same
from ..slips import Backwards, Linear
from .layouts import Layout, World, worlds
from .operation import Known, Operation, Options

if TYPE_CHECKING:
    from ..slips.draw import Draw


@dataclass(frozen=True)
class Bound:
    """An operation whose operands are somebody's tensors, each brought into PyTorch's layout."""

    operation: Operation
    options: Options
    roles: Mapping[str, str]  # the user's name by role
    world: World
    inputs: Mapping[str, Tensor]
    standard: Tensor  # the output in PyTorch's layout

    @property
    def convolves(self) -> bool:
        """Whether the forward pass runs through its kernel backwards, which PyTorch's own does not."""
        return any(layout.flips for layout in self.world.roles.values())

    @property
    def output(self) -> Tensor:
        """The operation's output in the user's layout."""
        return self.world.output.back(self.standard)

    def operands(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """By role, in PyTorch's layout."""
        return {role: self.world.roles[role](inputs[name]) for role, name in self.roles.items()}

    def vjp(self, inputs: Mapping[str, Tensor]) -> Vjp:
        """The operation's backward pass at the user's inputs, or at others of their shapes, by autograd."""
        leaves = {n: v.detach().clone().requires_grad_() for n, v in inputs.items() if v.is_floating_point()}
        output = self.operation.forward(self.operands({**inputs, **leaves}), self.options)

        def vjp(g: Tensor) -> Mapping[str, Tensor]:
            # of ⟨g, y⟩: given a grad_outputs, autograd.grad imports sympy the first time, a second's worth
            total = (output * self.grad_output(g)).sum()
            ways = torch.autograd.grad(total, list(leaves.values()), retain_graph=True, allow_unused=True)
            return {
                n: torch.zeros_like(leaf) if d is None else d for (n, leaf), d in zip(leaves.items(), ways, strict=True)
            }

        return vjp

    def grad_output(self, g: Tensor) -> Tensor:
        """The user's grad_output in PyTorch's layout."""
        return self.world.output(g).reshape(self.standard.shape)

    def slips(self, draw: Draw) -> Backwards:
        """The operation's own slips for one gradient, in the user's layout."""
        for known in self._known(draw):
            for path, linear in self.operation.slips(known):
                yield path, partial(self._in_users_layout, known.role, linear)

    def conventions(self, draw: Draw) -> Iterator[Tensor]:
        """Gradients that are as right as the truth, in the user's layout."""
        for known in self._known(draw):
            for gradient in self.operation.conventions(known):
                yield self.world.roles[known.role].back(gradient)

    def _known(self, draw: Draw) -> Iterator[Known]:
        for role, name in self.roles.items():
            if name == draw.name:
                operands = self.operands(self.inputs)
                yield Known(
                    role,
                    operands,
                    self.options,
                    self.standard,
                    self.grad_output(draw.g),
                    draw.user.shape,
                    draw.case.code,
                    self.convolves,
                )

    def _in_users_layout(self, role: str, linear: Linear, g: Tensor) -> Tensor:
        gradient = linear(self.grad_output(g))
        layout: Layout = self.world.roles[role]
        return layout.back(gradient)


def recognise(inputs: Mapping[str, Tensor], output: Tensor) -> Bound | None:
    """The operation, bound to these inputs, that gives this output of them; None where none does."""
    from . import get, names

    # in PyTorch's layout first: a batch of signals can also be read as one image
    for plain in (True, False):
        for name in names():
            operation = get(name)
            found = next(fitting(operation, inputs, output, operation.guesses, plain=plain), None)
            if found is not None:
                return found
    return None


def fitting(
    operation: Operation,
    inputs: Mapping[str, Tensor],
    output: Tensor,
    options: Callable[[Mapping[str, Tensor], Tensor], Iterable[Options]],
    *,
    plain: bool = False,
) -> Iterator[Bound]:
    """Every reading of the inputs as operands that gives the output; `plain` ones only in PyTorch's layout."""
    single = torch.equal(output.float().to(output.dtype), output) and bool((output % 1 != 0).any())
    tolerance = 1e-5 if single else 1e-10  # of float32 code, or of float64
    for roles in _assignments(operation, inputs):
        for world in worlds({role: inputs[name] for role, name in roles.items()}, output, operation.spatial):
            if plain and not world.is_plain:
                continue
            tensors = {role: world.roles[role](inputs[name]) for role, name in roles.items()}
            for guess in options(tensors, world.output(output)):
                y = _forward(operation, tensors, guess)
                if y is not None and y.numel() == output.numel() and _agree(y, world.output(output), tolerance):
                    yield Bound(operation, guess, roles, world, inputs, y)


def _agree(y: Tensor, output: Tensor, tolerance: float) -> bool:
    return same(y, output.reshape(y.shape), tolerance)


def _forward(operation: Operation, tensors: Mapping[str, Tensor], options: Options) -> Tensor | None:
    try:
        with torch.no_grad():
            return operation.forward(tensors, options)
    except (RuntimeError, ValueError, IndexError, KeyError, TypeError):
        return None  # this reading does not even run


def _assignments(operation: Operation, inputs: Mapping[str, Tensor]) -> Iterator[dict[str, str]]:
    """Roles for the inputs: in the operation's order first, then in every other."""
    if operation.required <= len(inputs) <= len(operation.roles):
        for order in permutations(inputs):
            yield dict(zip(operation.roles, order, strict=False))
