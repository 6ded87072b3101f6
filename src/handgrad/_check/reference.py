"""The operation that a piece of code is declared to be, or taken for: does its forward agree, and its true product."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from .case import Vjp, same
from .inputs import Draw
from .operations import Bound, Operation
from .operations.binding import fitting

Options = Mapping[str, Any]


def agrees(operation: Operation, draw: Draw, output: Tensor, fixed: Options, *, declared: bool) -> Bound | None:
    """The operation bound to a draw if it gives the user's output with the options that are fixed.

    What is `declared` to be a convolution must be PyTorch's, which does not flip the kernel.

    Those that nobody fixed are read off the output: a stride that stands in the code.
    """

    def options(roles: Mapping[str, Tensor], output: Tensor) -> Iterable[Options]:
        yield from guesses(operation, roles, output, fixed)
        yield fixed

    with warnings.catch_warnings(action="ignore"):  # operands that do not belong together are tried, too
        bounds = fitting(operation, draw.inputs, output, options)
        return next((bound for bound in bounds if not (declared and bound.convolves)), None)


def guesses(operation: Operation, roles: Mapping[str, Tensor], output: Tensor, fixed: Options) -> Iterator[Options]:
    """The operation's guesses that do not contradict what is fixed."""
    for guess in operation.guesses(roles, output):
        if all(plain(guess.get(name, value)) == plain(value) for name, value in fixed.items()):
            yield {**guess, **fixed}


def plain(value: Any) -> Any:
    """An option in one form: (2, 2) and 2 are the same stride."""
    if isinstance(value, tuple | list) and value and all(size == value[0] for size in value):
        return value[0]
    return tuple(value) if isinstance(value, list) else value


def is_exact(bound: Bound, output: Tensor) -> bool:
    """Whether an operation that agrees with the user's output does so to float64's rounding: one eps, not another."""
    return same(bound.output.reshape(output.shape), output, 1e-11)


def product(bound: Bound) -> Vjp | None:
    """The operation's vector-Jacobian product at a draw, in the user's names and layout, by autograd.

    None where autograd itself does not take the user's layout: a γ of shape (1, C).
    """
    vjp = bound.vjp(bound.inputs)
    try:
        vjp(torch.ones_like(bound.output))
    except RuntimeError:
        return None
    return vjp
