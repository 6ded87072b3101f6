"""A script at one choice of sizes, halted just before its hand-written gradient: the truth, and the gradient again.

The statements of a script fall into three: the *forward pass*, which output, grad_output and the variable come from;
the *backward pass*, which the claimed gradient comes from and nothing of the forward pass does; and all others, of
which it does not matter what they do.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..._errors import error
from ..case import same
from ..subjects.calling import UserCodeError, from_library, gradient, to_library
from .adjoint import folds
from .closers import TOLERANCE, Target
from .edits import Edit, edited
from .names import last_store, loaded, root, slice_of, stored
from .program import Namespace, Program, execute, new_namespace, running
from .state import State
from .truth import Derivative, derivative
from .variables import ast_of, evaluate, move, stored_at, unknown

CLAIM = "_handgrad_claim"


@dataclass(frozen=True)
class Claim:
    """`expression` claims to be the gradient of `output` with respect to `name`, for `grad_output` at the output."""

    output: str
    grad_output: str | None
    name: str
    expression: str


@dataclass(frozen=True)
class World:
    """Everything about a claim at one choice of sizes; `backward` are its statements, by their index."""

    program: Program
    claim: Claim
    derivative: Derivative
    grad_output: Tensor
    forward: tuple[int, ...]
    backward: tuple[tuple[int, ast.stmt], ...]
    namespace: Namespace
    state: State
    given: Tensor | None = None  # another grad_output for the backward pass

    @cached_property
    def target(self) -> Target:
        """The truth, worked out when it is first asked for: by differences it takes its time."""
        return Target(self.claim.name, self.derivative.vjp(self.grad_output), folds(self.program))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that the gradient must have."""
        return tuple(self.derivative.value.shape)

    def is_right(self, user: Tensor) -> bool:
        """Whether this is the gradient."""
        if tuple(user.shape) != self.shape:
            return False
        if self.derivative.recorded is None and "target" not in vars(self):
            return self.derivative.agrees(self.grad_output, user)
        return same(user, self.target.truth, TOLERANCE)

    def accepts(self, template: str, value: Any) -> bool:
        """Whether a closer's template makes the gradient of a value."""
        try:
            result = gradient(eval(template.format("_value"), dict(self.namespace), {"_value": value}))
        except Exception:  # a template that does not fit raises whatever it likes
            return False
        return result is not None and bool(result.isfinite().all()) and self.is_right(result)

    def value(self, edits: Sequence[Edit] = ()) -> Any:
        """What the claimed gradient is, with these edits made; raises `UserCodeError` where it fails.

        To be called inside `running(program)`.
        """
        self.state.restore(self.namespace)
        if self.given is not None and self.claim.grad_output is not None:
            self._give(self.claim.grad_output, self.given)
        for index, statement in self.backward:
            mine = [edit for edit in edits if edit.statement == index]
            execute(self.program, [edited(statement, mine) if mine else statement], self.namespace)
        return evaluate(self.namespace, self.claim.expression)

    def value_at(self, inputs: Mapping[str, Tensor], grad_output: Tensor) -> Any:
        """What the claimed gradient is where variables have other numbers: the forward pass behind them runs again.

        To be called inside `running(program)`; raises `UserCodeError` where it fails.
        """
        self.state.restore(self.namespace)
        for name, value in inputs.items():
            self._give(name, value)
        made = set(inputs)
        for index in self.forward:
            statement = self.program.statements[index]
            if index >= self.derivative.start and loaded(statement) & made and not stored(statement) & set(inputs):
                execute(self.program, [statement], self.namespace)
                made |= stored(statement)
        if self.claim.grad_output is not None:
            self._give(self.claim.grad_output, grad_output)
        for _, statement in self.backward:
            execute(self.program, [statement], self.namespace)
        return evaluate(self.namespace, self.claim.expression)

    def _give(self, name: str, value: Tensor) -> None:
        """Put a tensor in a variable's place, as the variable's own kind."""
        numpy = isinstance(self.namespace.get(name), np.ndarray)
        self.namespace[name] = to_library(value, "numpy" if numpy else "torch")

    def with_backward(self, backward: Sequence[tuple[int, ast.stmt]]) -> World:
        """The same world with another backward pass."""
        return replace(self, backward=tuple(backward))


def world(program: Program, claim: Claim, moved: bool = False) -> World:
    """Run a script up to its hand-written gradient; `moved`, with other numbers in the variable.

    Raises HandgradError where a name of the claim is not in the script, and `UserCodeError` with what the forward pass
    raises; what other statements raise does not matter.
    """
    found = derivative(program, claim.output, claim.name, moved)
    until = _until(program, claim)
    forward = _forward(program, claim, found)
    wanted = loaded(ast_of(claim.expression)) - {"torch", "np"}
    backward = [i for i in slice_of(program.statements, wanted, until) if i not in forward]
    namespace = new_namespace(program)
    with running(program):
        for i in range(max(until, max(forward) + 1)):
            if moved and i == found.start:
                move(namespace, claim.name)
            if i not in backward:
                _run_one(program, i, namespace, required=i in forward)
        grad_output = _grad_output(claim, found, namespace)
        state = State.of(namespace)
    statements = tuple((i, program.statements[i]) for i in backward)
    return World(program, claim, found, grad_output, tuple(sorted(forward)), statements, namespace, state)


def _until(program: Program, claim: Claim) -> int:
    """The statements before this index make the claimed gradient; an expression is evaluated at the very end."""
    count = len(program.statements)
    if not claim.expression.isidentifier():
        for name in loaded(ast_of(claim.expression)):
            if last_store(program.statements, name, count) is None and name not in ("torch", "np"):
                raise unknown(program, name)
        return count
    return stored_at(program, claim.expression, count) + 1


def _forward(program: Program, claim: Claim, found: Derivative) -> set[int]:
    statements = program.statements
    forward = set(slice_of(statements, [root(ast_of(claim.output)) or claim.output], len(found.program.statements)))
    forward |= set(slice_of(statements, [root(ast_of(claim.name)) or claim.name], found.start))
    if claim.grad_output is not None:
        names = loaded(ast_of(claim.grad_output)) - {"torch", "np"}
        for name in names:
            forward |= set(slice_of(statements, [name], _given_at(program, name) + 1))
    return forward


def _given_at(program: Program, name: str) -> int:
    """The statement after which grad_output is as it was given: `dy[x < 0] = 0` belongs to the backward pass."""
    at = stored_at(program, name, len(program.statements))
    while _masks(program.statements[at], name):
        at = stored_at(program, name, at)
    return at


def _masks(statement: ast.stmt, name: str) -> bool:
    """`dy[x < 0] = 0`, `dy *= x > 0`."""
    masks: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        masks = [target.slice for target in statement.targets if isinstance(target, ast.Subscript)]
    elif isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Mult):
        masks = [statement.value]
    return name in stored(statement) and any(isinstance(n, ast.Compare) for mask in masks for n in ast.walk(mask))


def _run_one(program: Program, index: int, namespace: Namespace, required: bool) -> None:
    try:
        execute(program, [program.statements[index]], namespace)
    except UserCodeError:
        if required:
            raise


def _grad_output(claim: Claim, found: Derivative, namespace: Namespace) -> Tensor:
    """The gradient at the output, of the output's shape; 1 for a scalar when none is named."""
    shape = found.output.shape
    if claim.grad_output is None:
        if found.output.numel() != 1:
            raise error("check", f"`{claim.output}` is no scalar, so it takes a --grad-output", output=(shape, ""))
        return torch.ones(shape, dtype=torch.float64)
    value = from_library(evaluate(namespace, claim.grad_output))
    if value is not None and value.numel() == 1 == found.output.numel():
        value = value.reshape(shape)
    if value is None or value.shape != shape:
        given = tuple(value.shape) if value is not None else "no tensor"
        raise error("check", f"`{claim.grad_output}` does not have the shape of `{claim.output}`",
                    **{claim.grad_output: (given, ""), claim.output: (tuple(shape), "")})  # fmt: skip
    return value.to(torch.float64)
