"""Every array that an object reaches, and where it hangs: attributes, slots, containers, inner objects.

People write `self.W`, `self.params["W"]`, `self.params[0][1]`, `self.W.data` of a small class of their own, and layers
inside layers, lists and tuples. A `Place` says where to put another value, and what the array is called.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from torch import nn

from .calling import is_floating
from .returned import is_gradient_name, word

# A small class around one array keeps it under one of these, and its gradient beside it.
_DATA = ("data", "value", "values", "val", "array", "arr", "tensor")
_BESIDE = ("grad", "gradient", "g", "diff", "d", "delta", "adjoint")
_STATE = ("m", "v", "momentum", "velocity", "cache", "mom", "s")
_PLAIN = ("", "params", "param", "parameters")  # containers whose name says nothing about what is in them


@dataclass(frozen=True, eq=False)
class Place:
    """Where an array hangs: `holder[key]`."""

    holder: Any  # attributes, a dictionary, a list, or a tuple
    key: Any
    owner: tuple[str, ...]  # the way to the object it belongs to, dictionaries and lists of arrays left out
    containers: tuple[Any, ...] = ()  # the dictionaries and lists it is in, from the attribute inwards: ("grads", "l1")
    alias: Any = None  # what a small class around it is called: W for `W.data`, grad_W for `W.grad`

    @property
    def path(self) -> tuple[Any, ...]:
        """The way to it, the same before and after a call."""
        return self.owner, self.containers, self.alias, self.key

    @property
    def value(self) -> Any:
        """The array itself."""
        return self.holder[self.key]

    @property
    def label(self) -> Any:
        """Its last name: a string, or the number in a list."""
        return self.key if self.alias is None else self.alias

    @property
    def name(self) -> str:
        """As the report calls it: `W`, `layers[0].W`, `l1.W`; `params[0]` where a list gives it no name."""
        inner = self.containers[1:]
        if isinstance(self.label, str) and all(isinstance(key, str) for key in inner):
            return ".".join((*self.owner, *inner, self.label))
        last = f".{self.label}" if isinstance(self.label, str) else f"[{self.label}]"
        return ".".join((*self.owner, str(self.containers[0]))) + "".join(f"[{key!r}]" for key in inner) + last

    @property
    def identities(self) -> tuple[Any, ...]:
        """What a parameter and its gradient have in common, the most exact first."""
        words = tuple(word(key) if isinstance(key, str) else key for key in self.containers)
        last = word(self.label) if isinstance(self.label, str) else self.label
        exact = self.owner, tuple(key for key in words if key not in _PLAIN), last
        # `state["W"]` has its gradient in `grads["W"]`; but `weights[0]` has not got it in `nabla_b[0]`
        loose = self.owner, tuple(key for key in words[1:] if key not in _PLAIN), last
        return (exact, loose) if isinstance(last, str) or len(words) > 1 else (exact,)

    @property
    def is_gradient(self) -> bool:
        """Whether its name, or that of a container, says gradient."""
        outer = self.containers[:1] + tuple(key for key in self.containers[1:] if "grad" in str(key).lower())
        return any(isinstance(key, str) and is_gradient_name(key) for key in (self.label, *outer))


class Attributes:
    """The attributes of an object as a dictionary, slots among them."""

    def __init__(self, thing: object) -> None:
        self.thing = thing

    def items(self) -> list[tuple[str, Any]]:
        """Name and value of every attribute that has a value."""
        slots = [name for cls in type(self.thing).__mro__ for name in _slots(cls) if hasattr(self.thing, name)]
        return [*getattr(self.thing, "__dict__", {}).items(), *((name, getattr(self.thing, name)) for name in slots)]

    def __getitem__(self, name: str) -> Any:
        own = getattr(self.thing, "__dict__", {})
        return own[name] if name in own else getattr(self.thing, name)

    def __setitem__(self, name: str, value: Any) -> None:
        object.__setattr__(self.thing, name, value)  # of a frozen dataclass as well


def _slots(cls: type) -> tuple[str, ...]:
    found = vars(cls).get("__slots__", ())
    names = (found,) if isinstance(found, str) else tuple(found)
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))


class Entries:
    """The entries of a tuple that hangs somewhere; a new one is put there to change an entry."""

    def __init__(self, holder: Any, key: Any) -> None:
        self.holder, self.key = holder, key

    def __getitem__(self, index: int) -> Any:
        return self.holder[self.key][index]

    def __setitem__(self, index: int, value: Any) -> None:
        old = self.holder[self.key]
        new = [value if i == index else entry for i, entry in enumerate(old)]
        self.holder[self.key] = type(old)(*new) if hasattr(old, "_fields") else tuple(new)


def held(thing: object) -> Iterator[Any]:
    """What an object and the objects inside it have as attributes, whatever it is."""
    todo, seen = [thing], set[int]()
    while todo:
        one = todo.pop()
        if id(one) not in seen:
            seen.add(id(one))
            values = [value for _, value in Attributes(one).items()]
            yield from values
            todo += [value for value in values if _is_object(value)]


def places(thing: object) -> Iterator[Place]:
    """Every floating point array that an object, its containers and its inner objects hold; no buffers."""
    return _of_object(thing, (), set())


def _of_object(thing: object, owner: tuple[str, ...], seen: set[int]) -> Iterator[Place]:
    if id(thing) in seen:
        return
    seen.add(id(thing))
    internal: frozenset[str] = frozenset()
    if isinstance(thing, nn.Module):
        internal = _module_internals()
        for name, inner in thing._modules.items():
            if inner is not None:
                yield from _of_object(inner, (*owner, name), seen)
        own = thing._parameters
        yield from (Place(own, key, owner) for key, value in own.items() if value is not None)
    attributes = Attributes(thing)
    for key, value in attributes.items():
        if key not in internal:
            yield from _inside(attributes, key, value, owner, (), seen)


def _inside(
    holder: Any, key: Any, value: Any, owner: tuple[str, ...], containers: tuple[Any, ...], seen: set[int]
) -> Iterator[Place]:
    if is_floating(value) or (isinstance(value, np.floating) and Place(holder, key, owner, containers).is_gradient):
        yield Place(holder, key, owner, containers)
    elif isinstance(value, dict | list | tuple | deque):
        if id(value) in seen:
            return
        seen.add(id(value))
        inner = Entries(holder, key) if isinstance(value, tuple) else value
        for inner_key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _inside(inner, inner_key, entry, owner, (*containers, key), seen)
    elif _is_object(value):
        data = _wrapped(value)
        if data is not None:
            yield from _around(Attributes(value), data, key, owner, containers)
        else:
            first, *rest = (*containers, key)
            way = f"{first}" + "".join(f"[{step!r}]" for step in rest)
            yield from _of_object(value, (*owner, way), seen)


def _is_object(value: object) -> bool:
    """An instance of a class that somebody wrote in Python, not of a library's."""
    if isinstance(value, nn.Module | SimpleNamespace | argparse.Namespace):
        return True
    if isinstance(value, type | FunctionType | MethodType | BuiltinFunctionType | ModuleType | functools.partial):
        return False
    root = type(value).__module__.partition(".")[0]
    known = root == "__main__" or root not in {*sys.stdlib_module_names, "numpy", "torch"}
    return known and (hasattr(value, "__dict__") or any(map(_slots, type(value).__mro__)))


def _wrapped(value: object) -> str | None:
    """The attribute of the one array that a small class is there for, beside its gradient and an optimizer's state."""
    names = [name for name, held in Attributes(value).items() if is_floating(held)]
    data = [name for name in names if name in _DATA]
    rest = [name for name in names if name not in (*_DATA, *_BESIDE, *_STATE) and not is_gradient_name(name)]
    return data[0] if len(data) == 1 and not rest and not isinstance(value, nn.Module) else None


def _around(
    attributes: Attributes, data: str, key: Any, owner: tuple[str, ...], containers: tuple[Any, ...]
) -> Iterator[Place]:
    """`W.data` as W and `W.grad` as grad_W; in a list, `params[0].grad` as grad_params[0]."""
    yield Place(attributes, data, owner, containers, alias=key)
    for name, held in attributes.items():
        if is_floating(held) and (name in _BESIDE or is_gradient_name(name)):
            if isinstance(key, str):
                yield Place(attributes, name, owner, containers, alias=f"grad_{key}")
            else:
                yield Place(attributes, name, owner, (f"grad_{containers[0]}", *containers[1:]), alias=key)


@cache
def _module_internals() -> frozenset[str]:
    return frozenset(vars(nn.Module()))
