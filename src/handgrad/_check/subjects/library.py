"""Is this code NumPy or torch? A first guess from what its functions mention; running it decides."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, ModuleType
from typing import Any

from .calling import Library


def guess(functions: Sequence[Callable[..., Any]]) -> Library:
    """The library whose modules the functions mention, or else their file; with both or neither, torch."""
    roots = {root for function in functions for root in _mentioned(function)}
    if not roots & {"numpy", "torch"}:
        roots = {root for function in functions for root in _imported(function)}
    return "numpy" if "numpy" in roots and "torch" not in roots else "torch"


def _imported(function: Callable[..., Any]) -> Iterator[str]:
    for value in getattr(getattr(function, "__func__", function), "__globals__", {}).values():
        if isinstance(value, ModuleType):
            yield value.__name__.partition(".")[0]


def _mentioned(function: Callable[..., Any]) -> Iterator[str]:
    """The packages mentioned by a function, and by those of its own file that it calls."""
    todo, seen = [getattr(function, "__func__", function)], set[CodeType]()
    while todo:
        current = todo.pop()
        code = getattr(current, "__code__", None)
        if code is None or code in seen:
            continue
        seen.add(code)
        for name in _names(code):
            value = getattr(current, "__globals__", {}).get(name)
            if isinstance(value, ModuleType):
                yield value.__name__.partition(".")[0]
            elif inspect.isfunction(value):
                todo.append(value)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
