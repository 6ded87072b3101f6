"""What a backward pass still needs must not change before it runs.

A closure holds what it needs, so it can be asked: the tensors among its variables, and among those of the functions in
them, are what the framework would call saved for backward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import FunctionType

from torch import Tensor

from ._errors import error


def watch(operation: str, closure: object, **parameters: Tensor) -> Callable[[], None]:
    """A check for later: it raises if, since now, a parameter or a tensor that the closure holds was changed."""
    held = [*parameters.items(), *_held(closure)]
    before = [state_of(tensor) for _, tensor in held]

    def check() -> None:
        changed = [name for (name, tensor), state in zip(held, before, strict=True) if state_of(tensor) != state]
        if changed:
            hint = "backward comes first: before the optimizer's step, and before anything is changed in place"
            raise error(operation, f"{' and '.join(dict.fromkeys(changed))} changed since the forward pass", hint)

    return check


def _held(closure: object) -> Iterator[tuple[str, Tensor]]:
    """The tensors that a function and the functions in it refer to, by the names they have there."""
    functions = [closure]
    for function in functions:  # it grows on the way
        for name, value in _variables(function):
            if isinstance(value, Tensor):
                yield name, value
            elif isinstance(value, FunctionType) and value not in functions:
                functions.append(value)


def _variables(function: object) -> Iterator[tuple[str, object]]:
    if isinstance(function, FunctionType):
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                yield name, cell.cell_contents
            except ValueError:  # no value yet
                continue


def state_of(tensor: Tensor) -> tuple[object, ...]:
    """It differs after a change in place, which inference tensors do not count, and after a conversion."""
    return None if tensor.is_inference() else tensor._version, tensor.dtype, tensor.device
