"""The state of a half-run script, to go back to: its names, the numbers in its tensors, its random generators.

Numbers are put back *in place*, so that a view still looks at its base, a module at its parameter and a function at
its globals.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .program import Namespace


@dataclass(frozen=True)
class State:
    """Taken by `State.of`; `restore` may be called any number of times."""

    names: dict[str, Any]
    numbers: list[tuple[Any, Any]]
    containers: list[tuple[Any, Any]]
    randomness: tuple[Any, ...]
    generators: list[tuple[np.random.Generator, Any]]

    @staticmethod
    def of(namespace: Namespace) -> State:
        """The state now."""
        values = list(_values(namespace))
        return State(
            dict(namespace),
            [(v, v.detach().clone() if isinstance(v, Tensor) else v.copy()) for v in values if stands_alone(v)],
            [(v, v.copy()) for v in values if type(v) in (list, dict)],
            (torch.get_rng_state(), np.random.get_state(), random.getstate()),
            [(v, v.bit_generator.state) for v in values if isinstance(v, np.random.Generator)],
        )

    def restore(self, namespace: Namespace) -> None:
        """Make everything as it was."""
        namespace.clear()
        namespace.update(self.names)
        for container, content in self.containers:
            container.clear()
            container.extend(content) if isinstance(container, list) else container.update(content)
        for value, numbers in self.numbers:
            write(value, numbers)
        torch.set_rng_state(self.randomness[0])
        np.random.set_state(self.randomness[1])
        random.setstate(self.randomness[2])
        for generator, inner in self.generators:
            generator.bit_generator.state = inner


def _values(container: Any, depth: int = 3) -> Iterator[Any]:
    """Everything in a namespace, also inside lists, dictionaries, objects and modules."""
    items = container.values() if isinstance(container, dict) else container
    for value in list(items):
        yield value
        if depth and isinstance(value, list | tuple | dict):
            yield from _values(value, depth - 1)
        elif isinstance(value, torch.nn.Module):
            yield from value.state_dict(keep_vars=True).values()
        elif depth and not isinstance(value, type) and type(value).__module__ == "__main__":
            yield from _values(vars(value), depth - 1)


def stands_alone(value: Any) -> bool:
    """Whether every entry of a tensor or an array has memory of its own that can be written to."""
    if isinstance(value, np.ndarray):
        return bool(value.flags.writeable) and _spread(value.shape, value.strides) >= value.size * value.itemsize
    return isinstance(value, Tensor) and _spread(value.shape, value.stride()) >= value.numel()


def _spread(shape: Sequence[int], strides: Sequence[int]) -> int:
    """The memory from the first entry to the last, at least."""
    return sum((size - 1) * abs(step) for size, step in zip(shape, strides, strict=True)) + max([1, *map(abs, strides)])


def write(value: Any, numbers: Any) -> None:
    """Write numbers into a tensor or an array, in place and unseen by autograd."""
    if isinstance(value, Tensor):
        value.data.copy_(torch.as_tensor(numbers))
    else:
        value[...] = numbers
