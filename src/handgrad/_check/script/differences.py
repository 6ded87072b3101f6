"""A script's output as a function of one of its variables, by running its statements again with another value."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..._errors import error
from ..case import same
from .program import Namespace, Program, execute, running
from .state import State
from .variables import put, tensor_of

STEP = 1e-5  # of a central difference: rounding 1e-11 and truncation 1e-10 for values about 1
_LIMIT = 40_000_000  # entries of a Jacobian


@dataclass
class Differences:
    """The output as a function of one variable, at one point, and what its differences tell."""

    program: Program  # cut behind the output
    output_name: str
    name: str
    start: int  # the statements from here on see the variable

    namespace: Namespace
    state: State  # just before `start`
    value: Tensor
    output: Tensor

    def rerun(self, value: Tensor) -> Tensor:
        """The output with the variable at another value; to be called inside `running(program)`."""
        self.state.restore(self.namespace)
        put(self.namespace, self.name, value)
        execute(self.program, self.program.statements[self.start :], self.namespace)
        return tensor_of(self.namespace, self.output_name)

    @cached_property
    def jacobian(self) -> Tensor:
        """(numel of the output, numel of the variable), by central differences."""
        if self.output.numel() * self.value.numel() > _LIMIT:
            raise error("check", f"{self.name} and {self.output_name} are too large for central differences",
                        **{self.name: self.value.shape, self.output_name: self.output.shape})  # fmt: skip
        # one long step to one side is exact for a linear function
        size, low = (1.0, 0.0) if self.affine else (STEP, -STEP)
        columns = []
        with running(self.program):
            for index in range(self.value.numel()):
                step = torch.zeros(self.value.shape, dtype=torch.float64)
                step.view(-1)[index] = 1.0
                below = self.rerun(self.value + low * step) if low else self.output
                columns.append((self.rerun(self.value + size * step) - below).reshape(-1) / (size - low))
        return torch.stack(columns, 1)

    @cached_property
    def affine(self) -> bool:
        """Whether the output is linear in the variable, up to a constant."""
        step = torch.randn(self.value.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        with running(self.program):
            ends = self.rerun(self.value + step) + self.rerun(self.value - step)
        return same(ends, 2 * self.output, 1e-12)

    def slope(self, grad_output: Tensor, direction: Tensor, sides: tuple[int, int] = (-1, 1)) -> float:
        """The derivative of ⟨grad_output, output⟩ along a direction; (0, 1) and (-1, 0) are the one-sided ones."""
        with running(self.program):
            low, high = (self.rerun(self.value + side * STEP * direction) for side in sides)
            self.state.restore(self.namespace)  # autograd may look at the variable where it stands
        return float((grad_output * (high - low)).sum()) / (STEP * (sides[1] - sides[0]))

    def agrees(self, grad_output: Tensor, gradient: Tensor) -> bool:
        """Whether a gradient has the slope of the output along a few random directions: much cheaper than the truth."""
        draw = torch.Generator().manual_seed(4)
        directions = [torch.randn(self.value.shape, generator=draw, dtype=torch.float64) for _ in range(4)]
        slopes = (abs(self.slope(grad_output, d) - float((gradient * d).sum())) for d in directions)
        return all(
            error <= 1e-6 * float(gradient.norm() * d.norm()) for error, d in zip(slopes, directions, strict=True)
        )
