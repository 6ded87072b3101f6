"""Programs made of a class: forward(x…), backward(grad), the parameters' gradients in attributes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from .play import (
    Array,
    Gradients,
    Play,
    array,
    as_tuple,
    classes,
    given,
    grad_output_for,
    is_float,
    like,
    load,
    quiet,
    seed,
)
from .table import Entry

SPELLINGS = ("d{}", "d_{}", "grad_{}", "{}_grad", "{}_gradient", "{}_error")


def layer_of(entry: Entry) -> Any:
    """The class of the file, made as the corpus' contract says, in float64."""
    space = load(entry)
    seed(3)
    if "example_layer" in space:
        layer = space["example_layer"]()
    elif entry.target:
        layer = space[entry.target]()
    else:
        layer = next(cls for cls in classes(space) if hasattr(cls, "forward") and hasattr(cls, "backward"))()
    return layer.double() if isinstance(layer, torch.nn.Module) else _in_float64(layer)


def _in_float64(layer: Any) -> Any:
    for name, value in vars(layer).items():
        if isinstance(value, torch.Tensor) and value.dtype == torch.float32:
            setattr(layer, name, value.double())
    return layer


def parameters(entry: Entry) -> list[str]:
    """The names of the forward's parameters."""
    return list(inspect.signature(layer_of(entry).forward).parameters)


def _weights(layer: Any) -> dict[str, Any]:
    """A module's parameters, or the float arrays among the attributes and in `params`."""
    if isinstance(layer, torch.nn.Module):
        return dict(layer.named_parameters())
    return {name: v for name, v in {**vars(layer), **_table(layer, "params")}.items() if is_float(v)}


def _table(layer: Any, name: str) -> dict[str, Any]:
    found = getattr(layer, name, None)
    return found if isinstance(found, dict) else {}


def _gradient(layer: Any, name: str) -> Any:
    """The gradient of the parameter, wherever the class left it."""
    for spelling in SPELLINGS:
        if hasattr(layer, spelling.format(name)):
            return getattr(layer, spelling.format(name))
    return _table(layer, "grads").get(name, getattr(getattr(layer, name, None), "grad", None))


def _assign(holder: Any, value: Array) -> None:
    if isinstance(holder, torch.Tensor):
        holder.data.copy_(torch.from_numpy(np.array(value)))
    else:
        holder[...] = value


def play_layer(entry: Entry, inputs: list[Array], grad_output: Array | None = None) -> Play:
    """One run with these inputs, of a layer made for it."""
    names, layer = parameters(entry), layer_of(entry)
    weights = {name: array(value) for name, value in _weights(layer).items()}
    args = [given(entry, value) for value in inputs]

    def forward(changed: Mapping[str, Array]) -> Array:
        fresh = layer_of(entry)
        for name, holder in _weights(fresh).items():
            if name in changed:
                _assign(holder, changed[name])
        with torch.no_grad():
            return array(fresh.forward(*[given(entry, changed.get(n, v)) for n, v in zip(names, inputs, strict=False)]))

    def backward(g: Any) -> Gradients:
        returned = dict(zip(names, as_tuple(layer.backward(like(output, g))), strict=False))
        found = returned | {name: _gradient(layer, name) for name in weights}
        return {name: array(value) for name, value in found.items() if value is not None}

    with quiet(), torch.no_grad():
        output = layer.forward(*args)
        g = grad_output_for(output, grad_output)
        handed_in = [*args, like(output, g)]
        gradients = backward(handed_in[-1])
    values = {name: v for name, v in zip(names, inputs, strict=False) if is_float(v)}
    values |= {name: v for name, v in weights.items() if name in gradients}
    return Play(
        entry,
        values,
        array(output),
        g,
        gradients,
        forward,
        backward=backward,
        handed_in=handed_in,
        before=[*map(array, inputs), array(g)],
    )
