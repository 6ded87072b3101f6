"""What a forward returned: its outputs, and what it keeps beside them for its backward."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from ..._errors import error
from . import arguments as args
from .calling import is_floating, is_listed, is_numeric, numbers
from .returned import is_gradient_name
from .source import Source, returned_names, source


@dataclass(frozen=True)
class Outputs:
    """The results of a forward pass."""

    values: tuple[Any, ...]  # those whose gradients backward is handed, in order
    extras: list[Any] = field(default_factory=list)  # a cache, a mask
    bundled: bool = False  # whether backward takes the gradients as one tuple
    named: Mapping[str, Any] = field(default_factory=dict)  # all of them by the names in the return statement

    def ignored(self, bound: Sequence[Any]) -> int:
        """How many of the extras could be outputs, though backward is neither handed them nor their gradients."""
        return sum(is_floating(extra) and not any(extra is value for value in bound) for extra in self.extras)

    def handed(self, bound: Sequence[Any], grads: Sequence[Any]) -> bool:
        """Whether any of the gradients is among the arguments of backward; a loss need not take one."""
        return self.bundled or any(argument is grad for argument in bound for grad in grads)


def split(
    value: Any, forward: Callable[..., Any], backward: Callable[..., Any] | None, inputs: Collection[str]
) -> Outputs:
    """The results told apart: there are as many outputs as backward takes gradients.

    `(h, c, cache)` has two where backward is `(dh, dc, cache)`, and `(y, mask)` one where it is `(dy, mask)`.
    """
    value = tuple(map(_array, value)) if isinstance(value, tuple) else _array(value)
    if not (isinstance(value, tuple | list) and value and is_numeric(value[0])):
        return Outputs((value,))
    if len(value) == 2 and callable(value[1]):
        return Outputs((value[0],))
    names = returned_names(forward)
    named = dict(zip(names, value, strict=True)) if len(names) == len(value) else {}
    count, bundled = _gradients(backward, _leading(value), {*inputs, *named})
    return Outputs(tuple(value[:count]), list(value[count:]), bundled, named)


def _array(value: Any) -> Any:
    return numbers(value) if is_listed(value) else value


def _leading(value: tuple[Any, ...] | list[Any]) -> int:
    """How many results could be outputs: floating point arrays and numbers, up to the first of another kind."""
    kinds = [is_floating(item) or isinstance(item, float | np.floating) for item in value]
    return kinds.index(False) if False in kinds else len(kinds)


def _gradients(backward: Callable[..., Any] | None, most: int, taken: Collection[str]) -> tuple[int, bool]:
    """How many gradients a backward takes, and whether it takes them as one tuple."""
    if backward is None or most < 1:
        return 1, False
    if (star := args.rest(backward)) is not None and is_gradient(star):
        return most, False
    known = [p.name for p in args.parameters(backward)]
    free = [name for name in known if name not in taken]
    count = sum(is_gradient(name) or (name != known[0] and _holds_gradients(source(backward), name)) for name in free)
    if count > most:
        what = f"backward takes {count} gradients, but forward returns {most} array{'s' * (most > 1)} side by side"
        raise error("check", what, hint="return the outputs side by side: `return y, h, c`")
    if count > 1:
        return count, False
    inside = _unpacked(source(backward), known[0]) if known and known[0] not in taken else 0
    return (min(inside, most), True) if inside > 1 else (1, False)


def is_gradient(name: str) -> bool:
    """Whether an argument of a backward of this name is the gradient of an output: `dnext_h`, `grad_mean`, `g2`."""
    return is_gradient_name(name) or re.fullmatch(_GRADIENTS, name.lower()) is not None


# a d before some other name, but no denominator; cotangents; letters
_GRADIENTS = (
    r"d(?!en|iff|ist|ata|im|rop|iag|ecay|et|il|epth|type|ev|ict)\w+|(upstream|cotangent|cot|gout|up)_?\w*"
    r"|(g|ct|adj|bar)_?[a-z]?\d*|\w+_?bar\d*"
)


@lru_cache(maxsize=64)  # asked for at every forward pass
def _holds_gradients(backward: Source | None, name: str) -> bool:
    """Whether an argument is taken apart into gradients: `dh, dc = state`."""
    for node in ast.walk(backward.tree) if backward is not None else ():
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == name:
            parts = [part for target in node.targets if isinstance(target, ast.Tuple) for part in target.elts]
            if parts and all(isinstance(part, ast.Name) and is_gradient(part.id) for part in parts):
                return True
    return False


@lru_cache(maxsize=64)
def _unpacked(backward: Source | None, name: str) -> int:
    """Into how many an argument is taken apart: `dh, dc = grads`, or `grads[0]` and `grads[1]`."""
    indices: set[int] = set()
    for node in ast.walk(backward.tree) if backward is not None else ():
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == name:
            for target in node.targets:
                if isinstance(target, ast.Tuple | ast.List):
                    return len(target.elts)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == name:
            index = node.slice.value if isinstance(node.slice, ast.Constant) else None
            indices |= {index} if isinstance(index, int) else set()
    return len(indices) if {0, 1} <= indices else 0
