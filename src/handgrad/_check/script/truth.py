"""The truth about a script: the derivative of its output with respect to one of its variables.

The script runs up to the variable's last assignment before the output; from there on the variable is a leaf of
autograd, or, where that cannot be, every entry of it is moved by a small step in both directions and the statements up
to the output run again. Statements after the output never run here, so a script may call `.backward()` or update its
weights as it likes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from ..case import Tracked
from ..subjects.calling import UserCodeError
from .differences import Differences
from .names import last_store, root, stored
from .program import Program, execute, new_namespace, recorded_by_autograd, running
from .state import State
from .variables import ast_of, leaf_of, make_floating, move, stored_at, tensor_of


@dataclass
class Derivative(Differences):
    """The output as a function of one variable, at one point; `vjp` is linear in `grad_output`."""

    @cached_property
    def recorded(self) -> Callable[[Tensor], Tensor] | None:
        """The vjp by autograd, or None where autograd does not see the way from the variable to the output."""
        with running(self.program), torch.enable_grad():
            self.state.restore(self.namespace)
            leaf = leaf_of(self.namespace, self.name)
            output = self._forward() if leaf is not None else None
        if leaf is None or output is None:
            return None

        def vjp(grad_output: Tensor) -> Tensor:
            grad_output = grad_output.reshape(output.shape).to(output.dtype)
            (found,) = torch.autograd.grad(output, [leaf], grad_output, retain_graph=True, allow_unused=True)
            return torch.zeros_like(self.value) if found is None else found.detach().to(torch.float64)

        try:
            vjp(torch.ones_like(output))
        except RuntimeError:  # changed in place what autograd needs
            return None
        return vjp

    def _forward(self, given: Collection[str] = ()) -> Tensor | None:
        """The output as autograd sees it, from a leaf that is in its place; None where it does not see it.

        What is given is not made again.
        """
        left = [s for s in self.program.statements[self.start :] if not stored(s) & set(given)]
        try:
            execute(self.program, map(recorded_by_autograd, left), self.namespace)
        except UserCodeError:
            return None
        output = eval(self.output_name, self.namespace)
        return output if isinstance(output, Tensor) and output.requires_grad else None

    def tracked(
        self, inside: AbstractContextManager[object], values: Mapping[str, Tensor] | None = None
    ) -> Tracked | None:
        """The statements from the variable to the output once more, in a context; with other values of variables."""
        given = dict(values or {})
        leaf = given.pop(self.name, self.value).detach().clone().requires_grad_()
        with running(self.program), torch.enable_grad():
            self.state.restore(self.namespace)
            self.namespace.update(given)
            with inside:
                self.namespace[self.name] = leaf.clone()  # a leaf of autograd cannot be changed in place
                output = self._forward(given)
        return None if output is None else Tracked(output, {self.name: leaf})

    @property
    def is_tracked(self) -> bool:
        """Whether autograd sees the whole way from a variable that stands alone."""
        return self.name.isidentifier() and self.recorded is not None and not self.cut

    def at(self, values: Mapping[str, Tensor]) -> Callable[[Tensor], Tensor]:
        """The gradient as a function of grad_output, with variables at other values."""
        made = self.tracked(nullcontext(), values)
        if made is None:
            return self.vjp
        leaf = made.leaves[self.name]

        def vjp(grad_output: Tensor) -> Tensor:
            grad_output = grad_output.reshape(made.output.shape)
            (found,) = torch.autograd.grad(made.output, [leaf], grad_output, retain_graph=True, allow_unused=True)
            return torch.zeros_like(leaf) if found is None else found.detach()

        return vjp

    @cached_property
    def cut(self) -> bool:
        """Whether autograd sees only a part, or nothing: then differences are the truth."""
        if self.recorded is None:
            return True
        draw = torch.Generator().manual_seed(1)
        grad_output = torch.randn(self.output.shape, generator=draw, dtype=torch.float64)
        direction = torch.randn(self.value.shape, generator=draw, dtype=torch.float64)
        gradient = self.recorded(grad_output)
        if _near(self.slope(grad_output, direction), gradient, direction):
            return False
        left, right = (self.slope(grad_output, direction, sides) for sides in ((-1, 0), (0, 1)))
        return abs(left - right) < 1e-3 * (abs(left) + abs(right))  # else it is a kink, where differences say nothing

    def vjp(self, grad_output: Tensor) -> Tensor:
        """The gradient of ⟨grad_output, output⟩ with respect to the variable."""
        if self.recorded is not None and not self.cut:
            return self.recorded(grad_output)
        # (1, out) @ (out, in) = (1, in)
        return (grad_output.reshape(1, -1).to(torch.float64) @ self.jacobian).view(self.value.shape)


def _near(slope: float, gradient: Tensor, direction: Tensor) -> bool:
    return abs(slope - float((gradient * direction).sum())) <= 1e-5 * (float(gradient.norm() * direction.norm()) + 1e-3)


@lru_cache(maxsize=64)
def derivative(program: Program, output: str, name: str, moved: bool = False) -> Derivative:
    """The derivative of `output` with respect to `name` in this script, or, `moved`, at another value of it.

    Raises HandgradError where one of them is no variable of the script or not a tensor, and `UserCodeError` with what
    the script itself raises.
    """
    end = stored_at(program, output, len(program.statements)) + 1
    start = stored_at(program, name, end) + 1
    if start == end:  # both come from one statement: the variable must be older
        start = (last_store(program.statements, root(ast_of(name)) or name, end - 1) or 0) + 1
    program = program.changed(program.statements[:end])
    namespace = new_namespace(program)
    with running(program):
        execute(program, program.statements[:start], namespace)
        make_floating(namespace, name)
        if moved:
            move(namespace, name)
        state = State.of(namespace)
        value = tensor_of(namespace, name)
        execute(program, program.statements[start:], namespace)
        return Derivative(program, output, name, start, namespace, state, value, tensor_of(namespace, output))
