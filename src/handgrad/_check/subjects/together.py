"""One function that returns a loss and its gradients together: `loss, dx = svm_loss(x, y)`, `cost, grads = f(w, x)`."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from ..._errors import error
from . import arguments as args
from .calling import Library, is_floating, is_numeric
from .returned import Returned, is_gradient_name, is_target, word
from .source import returned_names, returns
from .start import Start

_NUMBERS = {"reg": 0.1, "reg_strength": 0.1, "lam": 0.1, "lambd": 0.1, "lambda_": 0.1, "l2": 0.1, "weight_decay": 0.1}
_OTHERS = (
    "forward",
    "backward",
    "train",
    "fit",
    "step",
    "update",
    "optim",
    "sgd",
    "adam",
    "example",
    "test",
    "numerical",
)


class Together:
    """A function that has a loss and gradients of it among what it returns; nothing is handed back to it."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name = name
        self.functions: tuple[Callable[..., Any], ...] = (function, function)
        names = [p.name for p in args.parameters(function)]
        self.inputs = tuple(names)
        self.accepts = args.accepted(names, ())

    def parameters(self) -> Mapping[str, Tensor]:
        """None: functions have no state."""
        return {}

    def ignore(self, name: str) -> None:
        """Nothing to ignore."""

    def start(self, inputs: Mapping[str, Any], options: Mapping[str, Any], *, library: Library, track: bool) -> Start:
        """One call, which is both passes.

        Raises `HandgradError` if no number is returned that could be the loss.
        """
        del library
        given = args.bind(self.functions[0], inputs, {**_NUMBERS, **options})
        leaves = {n: v.requires_grad_() for n, v in given.items() if track and is_floating(v)}
        given |= {name: leaf.clone() for name, leaf in leaves.items()}
        value = args.invoke("forward", self.functions[0], given)
        items = list(value) if isinstance(value, tuple | list) else [value]
        losses = [index for index, item in enumerate(items) if is_numeric(item) and np.ndim(item) == 0]
        if not losses:
            raise error("check", f"`{self.name}` returns no loss beside its gradients", hint="a number, and gradients")
        names = returned_names(self.functions[0])
        names = names if len(names) == len(items) else [""] * len(items)
        rest = [pair for index, pair in enumerate(zip(names, items, strict=True)) if index != losses[0]]

        def backward(_: Sequence[Any]) -> Returned:
            return Returned(_matched(list(_opened(rest)), given), used_grad=False)

        return Start([items[losses[0]]], leaves, backward)


def _opened(items: Sequence[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Dictionaries and tuples of gradients, opened."""
    for name, item in items:
        if isinstance(item, Mapping):
            yield from ((str(key), inner) for key, inner in item.items() if is_numeric(inner))
        elif isinstance(item, tuple | list):
            yield from _opened([("", inner) for inner in item])
        elif is_numeric(item):
            yield name, item


def _matched(gradients: Sequence[tuple[str, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    """The gradient of each input that has one: by its name, else by its shape, else by its place."""
    free = [name for name, value in given.items() if is_floating(value)]
    found: dict[str, Any] = {}
    rules: tuple[Callable[[str, Any, str], bool], ...] = (
        lambda name, _, other: bool(name) and word(name) == word(other),
        lambda _, item, other: np.shape(item) == np.shape(given[other]),
        lambda _, __, other: not is_target(other),
    )
    left = list(gradients)
    for rule in rules:
        for pair in list(left):
            match = next((name for name in free if rule(*pair, name)), None)
            if match is not None:
                found[match] = pair[1]
                free.remove(match)
                left.remove(pair)
    return found


def returns_both(function: Callable[..., Any]) -> bool:
    """Whether a function names a gradient, and something else, in what it returns."""
    return _is_both(function.__name__, returned_names(function), [p.name for p in args.parameters(function)])


def defines_both(tree: ast.Module) -> bool:
    """Whether a file is there for such a function: it defines one, and does nothing else."""
    if any(isinstance(node, ast.For | ast.While | ast.With) or _is_call(node) for node in tree.body):
        return False
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return any(
        _is_both(f.name, [n.id if isinstance(n, ast.Name) else "" for n in returns(f)], [a.arg for a in f.args.args])
        for f in functions
    )


def _is_call(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)


def _is_both(name: str, returned: Sequence[str], parameters: Sequence[str]) -> bool:
    if any(part in name.lower() for part in _OTHERS) or len(returned) < 2:
        return False
    own = {f"d{parameter}" for parameter in parameters}
    gradients = [one in own or is_gradient_name(one) for one in returned]
    return any(gradients) and not all(gradients)


def candidates(own: Mapping[str, Any]) -> dict[str, Callable[[], Together]]:
    """Such functions among the names of a file."""
    functions = {name: value for name, value in own.items() if inspect.isfunction(value) and returns_both(value)}
    return {name: _later(name, function) for name, function in functions.items()}


def _later(name: str, function: Callable[..., Any]) -> Callable[[], Together]:
    return lambda: Together(name, function)
