"""A class with forward and backward: "a network from scratch", an `nn.Module`, or one of handgrad's own layers."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from ..._errors import error
from . import arguments as args
from . import state
from .calling import Library, call, from_library, is_floating
from .functions import cached, split
from .places import Place, places
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
        self.ignored: set[str] = set()  # arrays that the forward does not depend on: momenta, running statistics

    def parameters(self) -> Mapping[str, Tensor]:
        """The parameters with the values that the constructor gave them."""
        values = {name: from_library(places[0].value) for name, places in self._places(self.template).items()}
        return {name: value for name, value in values.items() if value is not None}

    def ignore(self, name: str) -> None:
        """Take an array for no parameter after all."""
        self.ignored.add(name)

    def _places(self, thing: Any) -> dict[str, list[Place]]:
        return {name: places for name, places in state.parameters(thing).items() if name not in self.ignored}

    def start(self, inputs: Mapping[str, Any], options: Mapping[str, Any], *, library: Library, track: bool) -> Start:
        """One forward pass of a fresh copy of the object, its parameters set to the ones given."""
        thing = call("construction", _fresh, self.template)
        places = self._places(thing)
        values = {name: v for name in inputs if name in places and (v := from_library(inputs[name])) is not None}
        arguments = {name: value for name, value in inputs.items() if name not in places}

        def begin(given: Mapping[str, Any]) -> Start:
            leaves = {name: state.put(places[name], value, library, track=track) for name, value in values.items()}
            return self._pass(thing, places, given, options, leaves, track)

        start = begin(arguments)
        start.again = lambda: begin({name: copy.deepcopy(value) for name, value in arguments.items()})
        return start

    def _pass(
        self,
        thing: Any,
        places: Mapping[str, list[Place]],
        inputs: Mapping[str, Any],
        options: Mapping[str, Any],
        leaves: Mapping[str, Tensor | None],
        track: bool,
    ) -> Start:
        forward = _forward(thing)
        given = args.bind(forward, inputs, options)
        own = {n: v.requires_grad_() for n, v in given.items() if track and is_floating(v)}
        earlier = state.snapshot(thing)
        value = args.invoke("forward", forward, given | {name: leaf.clone() for name, leaf in own.items()})
        output, extras = split(value if value is not None else state.output(thing, earlier))
        closure = value[1] if isinstance(value, tuple) and len(value) == 2 and callable(value[1]) else None

        def backward(grad: Any) -> Returned:
            before = state.snapshot(thing)
            old = {n: v for n, p in places.items() if (v := from_library(p[0].value)) is not None}
            function = closure or _backward(thing)
            bound = [grad] if closure else args.bind_backward(function, grad, given, output, extras, options)
            result = call("backward", function, *bound)
            returned = _returned(result, given, list(places), function)
            inputs_left = [name for name in given if is_floating(given[name]) and name not in returned.values]
            aside = state.input_gradients(thing, inputs_left, before)
            left = {name: where for name, where in places.items() if name not in returned.values}
            kept = state.gradients(thing, left, before)
            rate = _rate(thing, function, bound)
            moved = state.steps({n: p for n, p in left.items() if n not in kept}, old, rate) if rate else {}
            missing = {
                n: None for n, p in left.items() if isinstance(p[0].value, nn.Parameter) and n not in kept | moved
            }
            used = any(argument is grad for argument in bound)
            return Returned(
                {**aside, **returned.values, **kept, **moved, **missing}, returned.wrong_count, used, frozenset(moved)
            )

        known = {name: leaf for name, leaf in leaves.items() if leaf is not None}
        return Start(output, {**own, **known}, backward, lambda: _kept(thing) | cached(extras))


def _forward(thing: Any) -> Callable[..., Any]:
    forward: Callable[..., Any] = thing.forward if hasattr(thing, "forward") else thing.__call__
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
    asked = [name for name in differentiable if not is_target(name)]
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
