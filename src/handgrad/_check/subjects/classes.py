"""A class with forward and backward: "a network from scratch", an `nn.Module`, or one of handgrad's own layers."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..._errors import error
from . import arguments as args
from . import state
from .calling import Library, call, from_library, is_floating, is_single_precision, rewind
from .functions import cached
from .outputs import split
from .places import Place, held, places
from .refused import loosen
from .returned import Returned, by_position, is_target, word
from .source import returned_names
from .start import Start


class ClassInstance:
    """y = layer.forward(x); dx = layer.backward(dy), with the parameters' gradients returned or left in attributes."""

    def __init__(self, template: Any, name: str | None = None) -> None:
        copied = _fresh(template)
        self.template = copied.double() if isinstance(copied, nn.Module) else copied  # buffers too
        self.name = name or type(template).__name__
        forward = _forward(template)
        backward = getattr(template, "backward", None)
        self.functions: tuple[Callable[..., Any], ...] = (forward, backward) if backward else (forward,)
        names = [p.name for p in args.parameters(forward)]
        self.inputs = tuple(names)
        self.accepts = args.accepted(names, ())
        kinds = {type(where[0].value) for where in state.parameters(self.template).values()}
        self.library: Library | None = "numpy" if kinds == {np.ndarray} else "torch" if kinds else None
        self.loose = False  # whether a `.grad` may have another shape than its parameter's
        self.ignored: set[str] = set()  # arrays that the forward does not depend on: momenta, running statistics

    def parameters(self) -> Mapping[str, Tensor]:
        """The parameters with the values that the constructor gave them."""
        values = {name: from_library(places[0].value) for name, places in self._places(self.template).items()}
        return {name: value for name, value in values.items() if value is not None}

    def is_trained(self, name: str) -> bool:
        """Whether a parameter is one of PyTorch's, which says that it has a gradient."""
        return isinstance(self._places(self.template)[name][0].value, nn.Parameter)

    def ignore(self, name: str) -> None:
        """Take an array for no parameter after all."""
        self.ignored.add(name)

    def _places(self, thing: Any) -> dict[str, list[Place]]:
        return {name: places for name, places in state.parameters(thing).items() if name not in self.ignored}

    def start(self, inputs: Mapping[str, Any], options: Mapping[str, Any], *, library: Library, track: bool) -> Start:
        """One forward pass of a fresh copy of the object, its parameters set to the ones given."""
        thing = call("construction", _fresh, self.template)
        if isinstance(thing, nn.Module) and is_single_precision(*inputs.values()):
            thing = thing.float()
        if self.loose and not track:
            loosen(thing)
        places = self._places(thing)
        values = {name: torch.as_tensor(value) for name, value in inputs.items() if name in places}
        arguments = {name: value for name, value in inputs.items() if name not in places}

        def begin(given: Mapping[str, Any]) -> Start:
            rewind(held(thing))
            leaves = {name: state.put(places[name], value, library, track=track) for name, value in values.items()}
            known = {name: leaf for name, leaf in leaves.items() if leaf is not None}
            return _Pass(thing, places, tuple(values), options).forward(given, known, track)

        untouched = {} if track else copy.deepcopy(arguments)  # whatever backward does to what it was given
        start = begin(arguments)
        start.again = None if track else lambda: begin(copy.deepcopy(untouched))
        return start


@dataclass
class _Pass:
    """One forward pass of an object, and its backward pass."""

    thing: Any
    places: Mapping[str, list[Place]]  # what may be a parameter
    drawn: tuple[str, ...]  # and what was given a value
    options: Mapping[str, Any]

    def forward(self, inputs: Mapping[str, Any], leaves: Mapping[str, Tensor], track: bool) -> Start:
        forward = _forward(self.thing)
        self.given = args.bind(forward, inputs, self.options)
        own = {n: v.requires_grad_() for n, v in self.given.items() if track and is_floating(v)}
        earlier = state.snapshot(self.thing)
        value = args.invoke("forward", forward, self.given | {name: leaf.clone() for name, leaf in own.items()})
        self.closure = value[1] if isinstance(value, tuple) and len(value) == 2 and callable(value[1]) else None
        result = value[0] if self.closure else value if value is not None else state.output(self.thing, earlier)
        self.made = split(result, forward, self.closure or getattr(self.thing, "backward", None), self.given)
        saved = lambda: _kept(self.thing) | cached(self.made.extras)  # noqa: E731
        return Start(self.made.values, {**own, **leaves}, self.backward, saved)

    def backward(self, grads: Sequence[Any]) -> Returned:
        thing, given, function = self.thing, self.given, self.closure or _backward(self.thing)
        before = state.snapshot(thing)
        old = {n: v for n, p in self.places.items() if (v := from_library(p[0].value)) is not None}
        bound = list(grads) if self.closure else args.bind_backward(function, grads, given, self.made, self.options)
        returned = _returned(call("backward", function, *bound), given, list(self.places), function)
        inputs_left = [name for name in given if is_floating(given[name]) and returned.values.get(name) is None]
        aside = state.input_gradients(thing, inputs_left, before)
        came = {name: value for name, value in returned.values.items() if value is not None or name not in aside}
        left = {name: where for name, where in self.places.items() if name not in returned.values}
        kept = state.gradients(thing, left, before)
        rate = _rate(thing, function, bound)
        moved = state.steps({n: p for n, p in left.items() if n not in kept}, old, rate) if rate else {}
        missing = [name for name in left if name in self.drawn and name not in kept | moved]
        return Returned(
            {**aside, **came, **kept, **moved, **dict.fromkeys(missing)},
            None if aside else returned.wrong_count,
            used_grad=self.made.handed(bound, grads),
            updated=frozenset(moved),
            unclaimed=state.unclaimed(thing, before, [*kept.values()], [self.places[name] for name in missing]),
            ignored=self.made.ignored(bound),
        )


def _forward(thing: Any) -> Callable[..., Any]:
    forward: Callable[..., Any] | None = getattr(thing, "forward", None) or getattr(thing, "__call__", None)  # noqa: B004
    if forward is None:
        raise error("check", f"`{type(thing).__name__}` has no forward", hint="a method forward, or __call__")
    return forward


def _backward(thing: Any) -> Callable[..., Any]:
    if not hasattr(thing, "backward"):
        name = getattr(thing, "__name__", type(thing).__name__)
        raise error(
            "check", f"`{name}` has no backward", hint="a method backward, or a forward that returns (y, backward)"
        )
    backward: Callable[..., Any] = thing.backward
    return backward


def _fresh(template: Any) -> Any:
    try:
        return copy.deepcopy(template)
    except (TypeError, RuntimeError):  # holds what cannot be copied: a graph, a file, a lock
        return copy.copy(template)


def _rate(thing: Any, function: Callable[..., Any], bound: list[Any]) -> float | None:
    """The learning rate of a backward pass that updates its own parameters; None where nothing says it."""
    for index, parameter in enumerate(args.parameters(function)):
        if parameter.name in args.RATES:
            return float(bound[index] if index < len(bound) else parameter.default)
    return next((float(getattr(thing, n)) for n in args.RATES if isinstance(getattr(thing, n, None), float)), None)


def _kept(thing: Any) -> dict[str, Any]:
    return {place.name: place.value for place in places(thing)}


def _returned(value: Any, given: Mapping[str, Any], parameters: list[str], function: Callable[..., Any]) -> Returned:
    """Gradients by their names where they have any; else those of the inputs come first, then the parameters'."""
    differentiable = [name for name, argument in given.items() if is_floating(argument)]
    asked = [name for name in differentiable if not is_target(name)] or differentiable[:1]
    items, named = _flat(value)
    items = [] if value is None else items
    by_word = {word(name.rpartition(".")[2]): name for name in (*asked, *parameters)}
    known = {by_word[word(key)]: item for key, item in named.items() if word(key) in by_word}
    words = [word(name) for name in returned_names(function)]
    if len(items) > 1 and len(set(words)) == len(items) == len(words) and all(name in by_word for name in words):
        return Returned(known | {by_word[name]: item for name, item in zip(words, items, strict=True)})
    if len(items) == len(asked):
        return Returned(known | dict(zip(asked, items, strict=True)))
    if items and (len(items) <= len(differentiable) or not parameters):
        returned = by_position(tuple(items), given, differentiable, strict=False)
        return Returned({**returned.values, **known}, returned.wrong_count)
    first, rest = dict(zip(asked, items, strict=False)), items[len(asked) :]
    words = words[len(asked) :]
    if len(words) == len(rest) and all(name in by_word for name in words):
        return Returned(known | first | {by_word[name]: item for name, item in zip(words, rest, strict=True)})
    left = [name for name in parameters if name not in known]
    wrong = len(items) if len(rest) > len(left) else None
    return Returned(known | first | dict(zip(left, rest, strict=False)), wrong)


def _flat(value: Any) -> tuple[list[Any], dict[str, Any]]:
    """What backward returned, tuples inside tuples opened; what a dictionary names stands apart."""
    if isinstance(value, Mapping):
        return [], {str(key): item for key, item in value.items()}
    if not isinstance(value, tuple | list):
        return [value], {}
    items: list[Any] = []
    named: dict[str, Any] = {}
    for part in value:
        inner, keys = _flat(part)
        items, named = items + inner, named | keys
    return items, named


def make(cls: type) -> Any:
    """An object of a class that can be made without arguments; raises `HandgradError` if it needs some."""
    needed = [p.name for p in inspect.signature(cls).parameters.values() if p.default is p.empty and p.kind < 2]
    if needed:
        hint = "write an example_layer() in the file that returns one"
        raise error("check", f"`{cls.__name__}` cannot be made without arguments", hint=hint, needed=", ".join(needed))
    return call("construction", cls)
