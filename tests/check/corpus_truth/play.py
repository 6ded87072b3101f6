"""A `Play`: one run of a program, whatever its style, and what running one needs."""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .table import Entry

Array = np.ndarray
Gradients = dict[str, Array | None]


@dataclass
class Play:
    """One run of a program, its gradients for one grad_output, and the means to run it again."""

    entry: Entry
    values: dict[str, Array]  # every float input and parameter, by name
    output: Array
    grad_output: Array
    gradients: Gradients
    forward: Callable[[Mapping[str, Array]], Array]  # a fresh run with some values replaced
    backward: Callable[[Any], Gradients] | None = None  # the same run's backward once more
    returned: tuple[int, int] = (0, 0)  # how many gradients came back, and how many should
    handed_in: list[Any] = field(default_factory=list)  # the very objects: the inputs, then grad_output
    before: list[Array] = field(default_factory=list)  # copies of them from before the run


def load(entry: Entry) -> dict[str, Any]:
    """The program's namespace, run afresh: no state is left over from another run."""
    seed(0)
    space: dict[str, Any] = {"__name__": "program"}
    with quiet():
        exec(compiled(entry.path), space)
    return space


@functools.cache
def compiled(path: Path) -> Any:
    return compile(path.read_text(), str(path), "exec")


def seed(number: int) -> None:
    torch.manual_seed(number)
    np.random.seed(number)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings (`.T` of three axes …) and nothing printed."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def classes(space: Mapping[str, Any]) -> list[type]:
    """The classes that the program defines itself."""
    return [v for v in space.values() if inspect.isclass(v) and v.__module__ == "program"]


def array(value: Any) -> Array:
    """A copy of a tensor or an array."""
    return value.detach().numpy().copy() if isinstance(value, torch.Tensor) else np.array(value)


def is_float(value: Any) -> bool:
    return isinstance(value, (np.ndarray, torch.Tensor)) and array(value).dtype.kind == "f"


def given(entry: Entry, value: Array) -> Any:
    """A copy as the program's library wants it; integers stay integers."""
    return torch.from_numpy(np.array(value)) if entry.library == "torch" else np.array(value)


def like(example: Any, value: Any) -> Any:
    """The value as a tensor where the example is one."""
    if isinstance(value, torch.Tensor) or not isinstance(example, torch.Tensor):
        return value
    return torch.from_numpy(np.array(value))


def grad_output_for(output: Any, chosen: Array | None) -> Array:
    return np.random.default_rng(5).standard_normal(array(output).shape) if chosen is None else chosen


def as_tuple(returned: Any) -> tuple[Any, ...]:
    return returned if isinstance(returned, tuple) else (returned,)
