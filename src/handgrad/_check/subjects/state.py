"""What an object keeps: its parameters, and the gradients that its backward pass left beside them.

Gradients are left in `self.dW`, `self.grad_weight`, `self.grads["W"]`, `self.grads[0]`, `self.W.grad`. A gradient
belongs to the parameter of the same owner whose word is the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .calling import Library, gradient, to_library
from .places import Place, places
from .returned import word

_STATISTICS = ("running", "moving", "momentum", "velocity", "ema")
_OUTPUTS = ("output", "outputs", "out", "y", "result", "a", "activation", "activations", "z")


def parameters(thing: object) -> dict[str, list[Place]]:
    """What may be a parameter: an array that is no gradient, no statistic and not frozen; aliases are together."""
    found: dict[int, list[Place]] = {}
    for place in places(thing):
        frozen = isinstance(place.value, nn.Parameter) and not place.value.requires_grad
        if not place.is_gradient and not frozen and not str(place.label).lower().startswith(_STATISTICS):
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
    return next((p.value for name in _OUTPUTS for p in _fresh(thing, before) if p.label == name and not p.owner), None)


def input_gradients(thing: object, names: list[str], before: Snapshot) -> dict[str, Any]:
    """The gradients of inputs that a backward left in attributes, instead of returning them: `self.dinputs`."""
    held = {
        word(str(place.label)): place.value for place in _fresh(thing, before) if place.is_gradient and not place.owner
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
    for rank in range(2):
        for name, aliases in left.items():
            keys = {place.identities[rank] for place in aliases if rank < len(place.identities)}
            match = next((p for p in held if keys & set(p.identities[: rank + 1])), None)
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


def unclaimed(thing: object, before: Snapshot, taken: list[Any], missing: list[list[Place]]) -> int:
    """How many arrays backward has left that nobody took for a gradient, though they could be a missing one."""
    sizes = {math.prod(aliases[0].value.shape) for aliases in missing}
    fresh = [p.value for p in _fresh(thing, before) if not any(p.value is value for value in taken)]
    return sum(math.prod(value.shape) in sizes for value in fresh)


def _unchanged(now: Any, then: Any) -> bool:
    if then is None or tuple(now.shape) != tuple(then.shape):
        return False
    return bool(torch.equal(torch.as_tensor(now), torch.as_tensor(then)))


def steps(names: Mapping[str, list[Place]], before: Mapping[str, Tensor], rate: float) -> dict[str, Tensor]:
    """The gradients of a backward that updates its parameters itself: (before − after) / rate."""
    after = {name: gradient(aliases[0].value) for name, aliases in names.items()}
    moved = {name: value for name, value in after.items() if value is not None and value.shape == before[name].shape}
    return {n: (before[n] - value) / rate for n, value in moved.items() if not torch.equal(value, before[n])}
