"""Two functions: `forward(*inputs)` with `backward(grad_output, *inputs)`, or with a cache between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from . import arguments as args
from .calling import Library, call, is_floating, is_numeric
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
        value = args.invoke("forward", self.functions[0], given)
        output, extras = split(value)
        differentiable = [name for name, argument in given.items() if is_floating(argument)]

        def backward(grad: Any) -> Returned:
            bound = args.bind_backward(self.functions[1], grad, given, output, extras, options)
            returned = by_position(call("backward", self.functions[1], *bound), given, differentiable, strict=False)
            returned.used_grad = any(argument is grad for argument in bound)
            return returned

        return Start(output, leaves, backward, lambda: cached(extras))


def split(value: Any) -> tuple[Any, list[Any]]:
    """What a forward returned, as the output and what it keeps beside it."""
    if isinstance(value, tuple | list) and value and is_numeric(value[0]):
        return value[0], [] if len(value) == 2 and callable(value[1]) else list(value[1:])
    return value, []


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
