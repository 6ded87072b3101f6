"""NumPy code under autograd: a tensor that answers NumPy's functions and an array's methods with torch's.

What is not in the table raises, and so does whatever makes a plain array of a tensor that has a graph. Then there is no
autograd for that code, and differences are its truth. What runs is not taken on trust either: see `truth.confirmed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

Axes = int | Sequence[int] | None


class Traced(Tensor):
    """A tensor in the place of an array."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """`np.exp(x)`, `array * x`: torch's function of that name."""
        function = getattr(torch, _UFUNCS.get(ufunc.__name__, ufunc.__name__), None)
        if method != "__call__" or kwargs or function is None:
            return NotImplemented
        return function(*(value if isinstance(value, Tensor) else torch.as_tensor(value) for value in inputs))

    def __array_function__(self, func: Any, _types: Any, args: Any, kwargs: Any) -> Any:
        """`np.sum(x, axis=1)`: the function of that name here."""
        function = _FUNCTIONS.get(func.__name__)
        return NotImplemented if function is None else function(*args, **kwargs)

    # in place would change what autograd keeps; a new tensor under the old name is the same to nearly all code
    def __iadd__(self, other: Any) -> Any:  # type: ignore[misc]
        """x + other."""
        return self + _tensor(other)

    def __isub__(self, other: Any) -> Any:  # type: ignore[misc]
        """x − other."""
        return self - _tensor(other)

    def __imul__(self, other: Any) -> Any:  # type: ignore[misc]
        """x · other."""
        return self * _tensor(other)

    def __itruediv__(self, other: Any) -> Any:  # type: ignore[misc]
        """x / other."""
        return self / _tensor(other)

    @property
    def T(self) -> Any:  # type: ignore[override]
        """All axes in reverse order, however many there are."""
        return self.permute(tuple(range(self.ndim))[::-1])

    @property
    def size(self) -> int:  # type: ignore[override]
        """How many entries there are."""
        return self.numel()

    def transpose(self, *axes: Any) -> Any:
        """An array's: a permutation of all axes."""
        return transpose(self, *axes)

    def dot(self, other: Any) -> Any:
        """An array's: over the last axis of the first."""
        return dot(self, other)

    def astype(self, kind: Any, **_: Any) -> Any:
        """A number of another kind; floats stay float64, as everything is checked in that."""
        return self.double() if np.dtype(kind).kind == "f" else self.to(torch.as_tensor(np.zeros(0, kind)).dtype)

    def copy(self, **_: Any) -> Any:
        """A copy."""
        return self.clone()

    def max(self, axis: Axes = None, keepdims: bool = False) -> Any:  # type: ignore[override]
        """Over all axes, or over some."""
        return _reduced(torch.amax, self, axis, keepdims)

    def min(self, axis: Axes = None, keepdims: bool = False) -> Any:  # type: ignore[override]
        """Over all axes, or over some."""
        return _reduced(torch.amin, self, axis, keepdims)

    def sum(self, axis: Axes = None, keepdims: bool = False) -> Any:  # type: ignore[override]
        """Over all axes, or over some."""
        return _reduced(torch.sum, self, axis, keepdims)

    def mean(self, axis: Axes = None, keepdims: bool = False) -> Any:  # type: ignore[override]
        """Over all axes, or over some."""
        return _reduced(torch.mean, self, axis, keepdims)

    def var(self, axis: Axes = None, ddof: int = 0, keepdims: bool = False) -> Any:  # type: ignore[override]
        """Over all axes, or over some; divided by the count, unlike torch's."""
        return _reduced(torch.var, self, axis, keepdims, correction=ddof)

    def std(self, axis: Axes = None, ddof: int = 0, keepdims: bool = False) -> Any:  # type: ignore[override]
        """Over all axes, or over some; divided by the count, unlike torch's."""
        return _reduced(torch.std, self, axis, keepdims, correction=ddof)


def traced(tensor: Tensor) -> Tensor:
    """The tensor as code that expects an array can use it."""
    return tensor.as_subclass(Traced) if tensor.is_floating_point() else tensor


@contextmanager
def traced_buffers(namespace: MutableMapping[str, Any]) -> Iterator[None]:
    """Inside, the arrays that code makes to fill them are traced: what a loop puts into them keeps its graph.

    Only the code's own `np` is another: NumPy itself, which writes into such arrays from C, is left alone.
    """
    names = [name for name, value in namespace.items() if value is np]
    namespace.update(dict.fromkeys(names, _Numpy()))
    try:
        yield
    finally:
        namespace.update(dict.fromkeys(names, np))


class _Numpy:
    """NumPy, but for what makes an array."""

    def __getattr__(self, name: str) -> Any:
        function = getattr(np, name)
        return partial(_buffer, function) if name in ("zeros", "ones", "empty") else function


def _buffer(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    array = function(*args, **kwargs)
    return torch.from_numpy(array).double().as_subclass(Traced) if array.dtype.kind == "f" else array


def _tensor(value: Any) -> Any:
    """An array as a tensor; numbers and tensors as they are."""
    return torch.as_tensor(value) if isinstance(value, np.ndarray | np.generic) else value


def _reduced(function: Callable[..., Any], x: Any, axis: Axes, keepdims: bool, **options: Any) -> Any:
    axes = tuple(range(x.ndim)) if axis is None else axis
    return function(_tensor(x), dim=axes, keepdim=keepdims, **options)


def transpose(x: Any, *axes: Any) -> Any:
    """All axes in another order; in reverse where none is given."""
    order = axes[0] if len(axes) == 1 and isinstance(axes[0], tuple | list) else axes
    return x.permute(tuple(order)) if order and order != (None,) else x.T


def dot(first: Any, second: Any) -> Any:
    """The sum over the last axis of the first and the last but one of the second."""
    first, second = _tensor(first), _tensor(second)
    if not torch.is_tensor(first) or not torch.is_tensor(second) or not first.ndim or not second.ndim:
        return first * second
    return torch.tensordot(first, second, dims=([first.ndim - 1], [max(0, second.ndim - 2)]))


def _where(condition: Any, *branches: Any) -> Any:
    condition = condition if isinstance(condition, Tensor) else torch.as_tensor(condition)
    return torch.where(condition, *(_tensor(value) for value in branches))


def _joined(function: Callable[..., Any]) -> Callable[..., Any]:
    def joined(parts: Any, axis: int = 0) -> Any:
        return function([_tensor(part) for part in parts], axis)

    return joined


def _side_by_side(parts: Any) -> Any:
    return torch.hstack([_tensor(part) for part in parts])


def _like(function: Callable[..., Any]) -> Callable[..., Any]:
    def like(x: Any, dtype: Any = None) -> Any:  # noqa: ARG001 - all floats are float64
        return function(x).as_subclass(Traced)

    return like


def _method(name: str) -> Callable[..., Any]:
    def method(x: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(x, name)(*args, **kwargs)

    return method


def _norm(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    return _reduced(torch.sum, x**2, axis, keepdims) ** 0.5


_UFUNCS = {
    "absolute": "abs",
    "arctan": "atan",
    "power": "pow",
    "equal": "eq",
    "not_equal": "ne",
    "invert": "bitwise_not",
}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{name: _method(name) for name in ("sum", "mean", "var", "std", "max", "min", "argmax", "reshape", "squeeze")},
    **{name: _method(name) for name in ("swapaxes", "copy", "ravel", "clip", "round", "any", "all", "cumsum")},
    "amax": _method("max"),
    "amin": _method("min"),
    "moveaxis": _method("moveaxis"),
    "expand_dims": lambda x, axis: x.unsqueeze(axis),
    "transpose": transpose,
    "dot": dot,
    "outer": lambda a, b: torch.outer(_tensor(a).reshape(-1), _tensor(b).reshape(-1)),
    "einsum": lambda formula, *operands: torch.einsum(formula, *(_tensor(operand) for operand in operands)),
    "where": _where,
    "concatenate": _joined(torch.cat),
    "stack": _joined(torch.stack),
    "hstack": _side_by_side,
    "split": lambda x, parts, axis=0: torch.tensor_split(x, parts, axis),
    "tril": lambda x, k=0: torch.tril(x, k),
    "triu": lambda x, k=0: torch.triu(x, k),
    "repeat": lambda x, repeats, axis=None: torch.repeat_interleave(x, repeats, axis),
    "zeros_like": _like(torch.zeros_like),
    "ones_like": _like(torch.ones_like),
    "empty_like": _like(torch.zeros_like),
    "norm": _norm,
    "shape": lambda x: tuple(x.shape),
    "ndim": lambda x: x.ndim,
}
