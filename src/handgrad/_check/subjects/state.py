"""What an object keeps: its parameters, and the gradients that its backward pass left beside them.

People write `self.W`, `self.params["W"]`, `self.params[0]`, `nn.Parameter`s and layers inside layers, and leave the
gradients in `self.dW`, `self.grad_weight`, `self.grads["W"]`, `self.grads[0]`, `self.W.grad`. Every array that an
object reaches gets a place; a gradient belongs to the parameter of the same owner whose word is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .calling import Library, gradient, is_floating, to_library
from .returned import is_gradient_name, word

_STATISTICS = ("running", "moving", "momentum", "velocity", "ema")
_OUTPUTS = ("output", "outputs", "out", "y", "result", "a", "activation", "activations", "z")


@dataclass(frozen=True, eq=False)
class Place:
    """Where an array hangs: `holder[key]` or, for an object, its attribute."""

    holder: Any  # the dictionary (an object's `__dict__` too) or the list
    key: Any
    owner: tuple[str, ...]  # the way to the object it belongs to, dictionaries and lists of arrays left out
    container: str  # the attribute of the dictionary or list it is in: "grads"; empty for an attribute

    @property
    def path(self) -> tuple[Any, ...]:
        """The way to it, the same before and after a call."""
        return self.owner, self.container, self.key

    @property
    def value(self) -> Any:
        """The array itself."""
        return self.holder[self.key]

    @property
    def name(self) -> str:
        """As the report calls it: `W`, `layers[0].W`; `params[0]` where a list gives it no name."""
        last = self.key if isinstance(self.key, str) else f"{self.container}[{self.key}]"
        return ".".join((*self.owner, str(last)))

    @property
    def identity(self) -> tuple[tuple[str, ...], Any]:
        """The same for a parameter and for its gradient."""
        if isinstance(self.key, str):
            return self.owner, word(self.key)
        kind = word(self.container)  # `nabla_w[0]` belongs to `weights[0]`, and `grads[0]` to `params[0]`
        return self.owner, (self.key, "" if kind in ("params", "param", "parameters") else kind)

    @property
    def is_gradient(self) -> bool:
        """Whether its name, or that of the container, says gradient."""
        named = isinstance(self.key, str) and is_gradient_name(self.key)
        return named or is_gradient_name(self.container)


def places(thing: object, owner: tuple[str, ...] = (), depth: int = 3) -> Iterator[Place]:
    """Every floating point array that an object, its dictionaries, lists and inner objects hold; no buffers."""
    attributes = vars(thing)
    if isinstance(thing, nn.Module):
        for name, inner in thing._modules.items():
            if inner is not None and depth:
                yield from places(inner, (*owner, name), depth - 1)
        parameters = thing._parameters
        yield from (Place(parameters, key, owner, "") for key, value in parameters.items() if value is not None)
        attributes = {key: value for key, value in attributes.items() if key not in _module_internals()}
    for key, value in attributes.items():
        yield from _inside(vars(thing), key, value, owner, depth)


def _inside(holder: Any, key: str, value: Any, owner: tuple[str, ...], depth: int) -> Iterator[Place]:
    if is_floating(value):
        yield Place(holder, key, owner, "")
    elif isinstance(value, dict | list) and depth:
        for inner_key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if is_floating(inner):
                yield Place(value, inner_key, owner, key)
            elif _is_object(inner):
                yield from places(inner, (*owner, f"{key}[{inner_key!r}]"), depth - 1)
    elif _is_object(value) and depth:
        yield from places(value, (*owner, key), depth - 1)


def _is_object(value: object) -> bool:
    """An instance of a class that somebody wrote in Python, not of a library's."""
    root = type(value).__module__.partition(".")[0]
    return hasattr(value, "__dict__") and not callable(value) and root not in ("builtins", "numpy", "torch")


@cache
def _module_internals() -> frozenset[str]:
    return frozenset(vars(nn.Module()))


def parameters(thing: object) -> dict[str, list[Place]]:
    """What may be a parameter: an array that is no gradient and no statistic; aliases are together."""
    found: dict[int, list[Place]] = {}
    for place in places(thing):
        if not place.is_gradient and not str(place.key).lower().startswith(_STATISTICS):
            found.setdefault(id(place.value), []).append(place)
    return {min((p.name for p in aliases), key=_plainness): aliases for aliases in found.values()}


def _plainness(name: str) -> tuple[bool, int]:
    return "[" in name, len(name)


def put(aliases: list[Place], value: Tensor, library: Library, *, track: bool) -> Tensor | None:
    """Give a parameter a new value wherever it hangs; when tracked, return what autograd differentiates."""
    old = aliases[0].value
    if isinstance(old, nn.Parameter):
        old.data, old.grad = value.clone(), None
        old.requires_grad_(track or old.requires_grad)
        return old if track else None
    leaf = value.clone().requires_grad_() if track else None
    new = leaf.clone() if leaf is not None else to_library(value, "torch" if isinstance(old, Tensor) else library)
    for place in aliases:
        place.holder[place.key] = new
    return leaf


Snapshot = Mapping[tuple[Any, ...], Any]  # arrays by their paths


def snapshot(thing: object) -> Snapshot:
    """Copies of all arrays now, to see later what a call changed."""
    return {place.path: _copy(place.value) for place in places(thing)}


def _copy(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else np.array(value)


def output(thing: object, before: Snapshot) -> Any:
    """What a forward that returns nothing left as its output: `self.output`."""
    return next((p.value for name in _OUTPUTS for p in _fresh(thing, before) if p.key == name and not p.owner), None)


def input_gradients(thing: object, names: list[str], before: Snapshot) -> dict[str, Any]:
    """The gradients of inputs that a backward left in attributes, instead of returning them: `self.dinputs`."""
    held = {
        word(str(place.key)): place.value for place in _fresh(thing, before) if place.is_gradient and not place.owner
    }
    return {name: held[word(name)] for name in names if word(name) in held}


def _fresh(thing: object, before: Snapshot) -> list[Place]:
    """The arrays that are new or changed since a snapshot."""
    return [place for place in places(thing) if not _unchanged(place.value, before.get(place.path))]


def gradients(thing: object, names: Mapping[str, list[Place]], before: Snapshot) -> dict[str, Any]:
    """The gradient of each parameter among what the object holds after its backward pass; those found only."""
    left = {name: list(aliases) for name, aliases in names.items()}
    found: dict[str, Any] = {}
    for name, aliases in left.items():
        value = aliases[0].value
        if isinstance(value, Tensor) and value.is_leaf and value.grad is not None:
            found[name] = value.grad
    # what backward has changed comes before what it left alone: a buffer of the same word
    fresh = [place for place in _fresh(thing, before) if place.is_gradient]
    paths = {place.path for place in fresh}
    held = fresh + [place for place in places(thing) if place.is_gradient and place.path not in paths]
    for name, aliases in left.items():
        keys = {place.identity for place in aliases}
        match = next((place for place in held if place.identity in keys), None)
        if name not in found and match is not None:
            found[name] = match.value
            held.remove(match)
    found |= _by_shape([p for p in fresh if p in held], {n: p for n, p in left.items() if n not in found})
    # last, what backward has made that did not exist before, under whatever name; a momentum did
    made = [place for place in _fresh(thing, before) if place.path not in before and not place.is_gradient]
    return found | _by_shape(made, {n: p for n, p in left.items() if n not in found})


def _by_shape(fresh: list[Place], left: Mapping[str, list[Place]]) -> dict[str, Any]:
    """Gradients that no name gives away: the only one of a parameter's shape, where only it has that shape."""
    found = {}
    shapes = [tuple(aliases[0].value.shape) for aliases in left.values()]
    for (name, _), shape in zip(left.items(), shapes, strict=True):
        fitting = [place for place in fresh if tuple(place.value.shape) == shape]
        if len(fitting) == 1 and shapes.count(shape) == 1:
            found[name] = fitting[0].value
    return found


def _unchanged(now: Any, then: Any) -> bool:
    if then is None or tuple(now.shape) != tuple(then.shape):
        return False
    return bool(torch.equal(torch.as_tensor(now), torch.as_tensor(then)))


def steps(names: Mapping[str, list[Place]], before: Mapping[str, Tensor], rate: float) -> dict[str, Tensor]:
    """The gradients of a backward that updates its parameters itself: (before − after) / rate."""
    after = {name: gradient(aliases[0].value) for name, aliases in names.items()}
    moved = {name: value for name, value in after.items() if value is not None and value.shape == before[name].shape}
    return {n: (before[n] - value) / rate for n, value in moved.items() if not torch.equal(value, before[n])}
