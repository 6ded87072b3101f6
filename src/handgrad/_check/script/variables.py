"""Variables of a script, by the expression that stands for one: where they are made, read, and given other values."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..._errors import error
from ..subjects.calling import call, from_library
from .names import last_store, root, stored
from .program import Namespace, Program
from .state import stands_alone, write


def stored_at(program: Program, name: str, before: int) -> int:
    """The index of the last statement before `before` that stores `name`; HandgradError where there is none."""
    found = last_store(program.statements, root(ast_of(name)) or name, before)
    if found is None:
        raise unknown(program, name)
    return found


def ast_of(name: str) -> ast.expr:
    """The expression a name stands for: `kernel`, `conv.weight`, `grads["W"]`."""
    try:
        return ast.parse(name, mode="eval").body
    except SyntaxError:
        raise error("check", f"`{name}` is not an expression") from None


def unknown(program: Program, name: str) -> Exception:
    """The error for a name that the script does not have; lists those it has."""
    there = sorted({n for statement in program.statements for n in stored(statement)})
    return error("check", f"the script makes no variable `{name}`", there="variables: " + ", ".join(there))


def make_floating(namespace: Namespace, name: str) -> None:
    """Whole numbers typed as data, `x = np.array([[1, 2], [3, 4]])`, have a derivative only as floating ones."""
    value = namespace.get(name)
    if isinstance(value, np.ndarray) and value.dtype.kind in "iu":
        namespace[name] = value.astype(np.float64)
    elif isinstance(value, Tensor) and not value.is_floating_point() and value.dtype != torch.bool:
        namespace[name] = value.to(torch.float64)
    elif isinstance(value, int) and not isinstance(value, bool):
        namespace[name] = float(value)


def move(namespace: Namespace, name: str) -> None:
    """Give a variable other numbers: those it has, a little changed each by its own factor."""
    value = tensor_of(namespace, name)
    factors = torch.rand(value.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64) + 0.5
    put(namespace, name, value * factors)


def evaluate(namespace: Namespace, expression: str) -> Any:
    """The value of an expression in the script's names."""
    return call(f"`{expression}`", eval, expression, namespace)


def tensor_of(namespace: Namespace, expression: str) -> Tensor:
    value = from_library(evaluate(namespace, expression))
    if value is None or not value.is_floating_point():
        found = type(evaluate(namespace, expression)).__name__
        raise error("check", f"`{expression}` is not a tensor of floating-point numbers", found=found)
    return value


def put(namespace: Namespace, name: str, value: Tensor) -> None:
    """Give a variable another value, in place where it has a place."""
    there = evaluate(namespace, name)
    if stands_alone(there):
        write(there, value if isinstance(there, Tensor) else value.numpy())
    elif isinstance(there, Tensor):
        namespace[name] = value.clone()
    else:
        namespace[name] = value.numpy().copy() if isinstance(there, np.ndarray) else np.float64(float(value))


def leaf_of(namespace: Namespace, name: str) -> Tensor | None:
    """The variable, as autograd shall see it."""
    value = evaluate(namespace, name)
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return None
    if value.requires_grad:
        return value
    if name.isidentifier():
        value = namespace[name] = value.detach().clone()
    return value.requires_grad_()
