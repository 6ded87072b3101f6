"""Which of the things that a backward returned is the gradient of what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from .calling import gradient, is_numeric, numbers

# A loss has no gradient with respect to these, whatever their dtype; two of them mean other things elsewhere.
_TARGETS = {
    "target", "targets", "tgt", "label", "labels", "y_true", "ytrue", "truth", "gt", "ground_truth",
    "onehot", "one_hot", "mask", "attn_mask", "attention_mask", "padding_mask", "t", "y",
}  # fmt: skip
_SHORT = ("t", "y")
_SYNONYMS = {
    "w": {"w", "weight", "weights", "kernel", "kernels", "filter", "filters"},
    "b": {"b", "bias", "biases"},
    "gamma": {"gamma", "g"},
    "beta": {"beta", "shift"},
    "x": {"x", "input", "inputs", "inp"},
}
# grad_w, w_gradient, dloss_dw, dL_wrt_w, nabla_w, delta_w, derivative_w
_LOSS_BEFORE = r"^d_?(?:loss|l|j|e|cost|c|error|err|out|z|y)_?(?:d_?|wrt_)"
_GRADIENT_WORDS = rf"gradients?|grads?|nabla|delta|derivatives?|{_LOSS_BEFORE}|_?wrt_?|[^a-z0-9_]"


@dataclass
class Returned:
    """Gradients by name, as the code made them."""

    values: Mapping[str, Any]
    wrong_count: int | None = None  # how many came back, where it is a wrong number
    used_grad: bool = True  # whether the backward has an argument for grad_output; a loss need not
    updated: frozenset[str] = frozenset()  # gradients read off an update, whose sign and mean are the update's
    unclaimed: int = 0  # arrays that backward left and that are nobody's gradient by their names
    ignored: int = 0  # further arrays that forward returned, which backward is neither handed nor asked a gradient of

    def tensors(self) -> dict[str, Tensor | None]:
        """The same as float64 tensors."""
        return {name: gradient(value) for name, value in self.values.items()}


def is_target(name: str) -> bool:
    """Whether an input of this name is something to compare with: labels, a mask."""
    return name.lower() in _TARGETS


def _is_compared(name: str, value: Any, *, loss: bool) -> bool:
    """Whether an input is something to compare with: by its name, where that is short by its values or use as well."""
    return is_target(name) and (name.lower() not in _SHORT or loss or _is_label(value))


def _is_label(value: Any) -> bool:
    """Whether values are all between 0 and 1, as of one-hot labels and masks."""
    return bool((value >= 0).all() and (value <= 1).all())


def word(name: str) -> str:
    """What a name stands for, the words for gradients taken off: `dW`, `grad_weight` and `kernel` are all `w`."""
    plain = re.sub(_GRADIENT_WORDS, "", name.lower())
    plain, digits = re.fullmatch(r"(.*?)(\d*)", plain.replace("_", ""), re.DOTALL).groups()  # type: ignore[union-attr]
    stems = [plain, plain[1:]] if plain.startswith("d") and len(plain) > 1 else [plain]
    stems = [plain[1:]] if plain in ("gw", "gb", "gx") else stems
    for stem in stems:
        for short, words in _SYNONYMS.items():
            if stem in words:
                return short + digits
    return stems[-1] + digits


def is_gradient_name(name: str) -> bool:
    """Whether a name says that it holds a gradient: `dw`, `d_w`, `dW1`, `grad_b`, `W_grad`, `delta_w`."""
    starts = (
        r"(d_?[A-Z_]|d[a-z]{1,2}\d*$|d_?(weight|bias|gamma|beta|kernel|filter|input)|d_?(loss|l|j|e|c|z)_?d_?[a-z]"
        r"|g_?[WBXwbx]\d*$)"
    )
    words = ("grad", "delta", "nabla", "_wrt_", "derivative")
    return bool(re.match(starts, name)) or any(part in name.lower() for part in words)


def by_position(
    value: Any, arguments: Mapping[str, Any], differentiable: Sequence[str], *, strict: bool, loss: bool = False
) -> Returned:
    """The gradients of a call that returns them in the order of its arguments.

    A tuple may have one entry for every argument, for every tensor, or for every floating point tensor that is not a
    target (`loss` says that the output is a single number); with `strict` (an autograd.Function) only the first. Any
    other number is a wrong count.
    """
    if isinstance(value, Mapping):
        return Returned(_by_name(value, differentiable))
    items = list(value) if isinstance(value, tuple | list) else [value]
    table, shapes = numbers(value), [tuple(arguments[name].shape) for name in differentiable]
    if isinstance(table, np.ndarray) and [table.shape] == shapes:
        items = [table]  # one gradient, as a list of lists
    while len(items) > len(arguments) and items[-1] is None:
        items.pop()
    tensors = [name for name, argument in arguments.items() if is_numeric(argument) and hasattr(argument, "shape")]
    asked = [name for name in differentiable if not _is_compared(name, arguments[name], loss=loss)]
    asked = asked or list(differentiable[:1])  # of two that look like labels the first is compared with the other
    orders: list[Sequence[str]] = [tuple(arguments), tensors, differentiable, asked]
    while not strict and items and items[-1] is None and len(items) not in map(len, orders):
        items.pop()
    for order in orders[:1] if strict else orders:
        if len(order) == len(items):
            found = dict(zip(order, items, strict=True))
            # what comes back for an integer is of interest only where it may be another's
            lacking = any(found.get(name) is None for name in differentiable)
            found = {n: g for n, g in found.items() if n in differentiable or (lacking and gradient(g) is not None)}
            return Returned(dict.fromkeys(n for n in differentiable if n not in found) | found)
    values = dict(zip(differentiable, items, strict=False))
    missing = dict.fromkeys(asked) if not strict else dict.fromkeys(differentiable)
    return Returned(missing | values, wrong_count=len(items))


def _by_name(value: Mapping[Any, Any], names: Sequence[str]) -> dict[str, Any]:
    keys = {word(str(key)): item for key, item in value.items()}
    found = {name: value.get(name, keys.get(word(name))) for name in names}
    return {name: item for name, item in found.items() if item is not None or not is_target(name)}
