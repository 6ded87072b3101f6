"""Programs made of functions: an autograd.Function, a forward/backward pair, NAME_forward and NAME_backward."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import torch

from .play import Array, Gradients, Play, array, as_tuple, classes, given, grad_output_for, is_float, like, load, quiet
from .table import Entry


class Context(SimpleNamespace):
    """What autograd hands to a Function, without autograd."""

    def save_for_backward(self, *tensors: torch.Tensor) -> None:
        self.saved_tensors = tensors


def parameters(entry: Entry) -> list[str]:
    """The names of the forward's parameters, without ctx."""
    forward, _ = _pair(entry, load(entry))
    return [name for name in inspect.signature(forward).parameters if name != "ctx"]


def _function(entry: Entry, space: Mapping[str, Any]) -> Any:
    own = [cls for cls in classes(space) if issubclass(cls, torch.autograd.Function)]
    return space[entry.target] if entry.target else own[0]


def _pair(entry: Entry, space: Mapping[str, Any]) -> tuple[Callable, Callable]:
    if entry.style == "function":
        return _function(entry, space).forward, _function(entry, space).backward
    if entry.style == "functions":
        return space["forward"], space["backward"]
    stem = entry.target or next(n.removesuffix("_backward") for n in space if n.endswith("_backward"))
    return space[f"{stem}_forward"], space[f"{stem}_backward"]


def _once(entry: Entry, space: Mapping[str, Any], args: list[Any]) -> tuple[Any, Callable[[Any], Any]]:
    """(output, backward of grad_output) of one call."""
    forward, backward = _pair(entry, space)
    geometry = entry.geometry
    if entry.style == "functions":
        return forward(*args, **geometry), lambda g: backward(g, *args, **geometry)
    if entry.style == "course":
        output, cache = forward(*args, **geometry)
        return output, lambda g: backward(g, cache)
    ctx = Context(needs_input_grad=[True] * 10)
    if "setup_context" in vars(_function(entry, space)):
        output = forward(*args, **geometry)
        _function(entry, space).setup_context(ctx, (*args, *geometry.values()), output)
    else:
        output = forward(ctx, *args, **geometry)
    return output, lambda g: backward(ctx, g)


def play_functions(entry: Entry, inputs: list[Array], grad_output: Array | None = None) -> Play:
    """One run with these inputs."""
    names = parameters(entry)
    expected = len(names) if entry.style == "function" else len(inputs)  # a Function returns a None a setting
    args = [given(entry, value) for value in inputs]
    values = {name: value for name, value in zip(names, inputs, strict=False) if is_float(value)}

    def forward(changed: Mapping[str, Array]) -> Array:
        fresh = [given(entry, changed.get(n, v)) for n, v in zip(names, inputs, strict=False)]
        return array(_once(entry, load(entry), fresh)[0])

    def named(returned: Any) -> Gradients:
        kept = dict(zip(names, as_tuple(returned), strict=False))
        return {name: None if kept.get(name) is None else array(kept[name]) for name in values}

    with quiet():
        output, backward = _once(entry, load(entry), args)
        g = grad_output_for(output, grad_output)
        handed_in = [*args, like(output, g)]
        returned = backward(handed_in[-1])
    return Play(
        entry,
        values,
        array(output),
        g,
        named(returned),
        forward,
        backward=lambda g: named(backward(like(output, g))),
        returned=(len(as_tuple(returned)), expected),
        handed_in=handed_in,
        before=[*map(array, inputs), array(g)],
    )
