"""Two functions: `forward(*inputs)` with `backward(grad_output, *inputs)`, or with a cache between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from . import arguments as args
from .calling import Library, call, is_floating
from .outputs import split
from .returned import Returned, by_position
from .start import Start


class Functions:
    """`y = forward(x, w)` and `backward(g, x, w)`; or `y, cache = forward(x, w)` and `backward(g, cache)`."""

    def __init__(self, name: str, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        self.name = name
        self.functions: tuple[Callable[..., Any], ...] = (forward, backward)
        names = [p.name for p in args.parameters(forward)]
        self.inputs = tuple(names)
        self.accepts = args.accepted(names, ())

    def parameters(self) -> Mapping[str, Tensor]:
        """None: functions have no state."""
        return {}

    def ignore(self, name: str) -> None:
        """Nothing to ignore."""

    def start(self, inputs: Mapping[str, Any], options: Mapping[str, Any], *, library: Library, track: bool) -> Start:
        """One forward pass; `options` go to the parameters that have their names."""
        del library
        given = args.bind(self.functions[0], inputs, options)
        leaves = {n: v.requires_grad_() for n, v in given.items() if track and is_floating(v)}
        given |= {name: leaf.clone() for name, leaf in leaves.items()}
        made = split(args.invoke("forward", self.functions[0], given), self.functions[0], self.functions[1], given)
        differentiable = [name for name, argument in given.items() if is_floating(argument)]

        def backward(grads: Sequence[Any]) -> Returned:
            bound = args.bind_backward(self.functions[1], grads, given, made, options)
            value, loss = call("backward", self.functions[1], *bound), np.ndim(made.values[0]) == 0
            returned = by_position(value, given, differentiable, strict=False, loss=loss)
            returned.used_grad, returned.ignored = made.handed(bound, grads), made.ignored(bound)
            return returned

        return Start(made.values, leaves, backward, lambda: cached(made.extras))


def cached(extras: list[Any]) -> dict[str, Any]:
    """The tensors in a cache, flat: a tuple's entries by number, a dictionary's by key."""
    found: dict[str, Any] = {}
    for extra in extras:
        items = (
            extra.items()
            if isinstance(extra, Mapping)
            else enumerate(extra if isinstance(extra, tuple | list) else [extra])
        )
        found |= {f"cache[{key!r}]": value for key, value in items if hasattr(value, "shape")}
    return found
