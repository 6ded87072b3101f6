"""What the functions of this folder share: their three dimensions, batches of one, the bias, memory formats."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import wraps
from operator import index
from typing import Concatenate, Literal, NamedTuple, ParamSpec, TypeVar

from torch import Tensor

from .._algorithms.setting import Algorithm as Algorithm
from .._context import by_hand
from .._errors import error
from .._geometry import Ints, frozen
from .._layout import arranged

Size = int | Sequence[int]
Crop = int | Sequence[int] | Sequence[tuple[int, int]]
Padding = Literal["valid", "same"] | Crop
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
Operand = Literal["input", "weight", "bias"]

P = ParamSpec("P")
R = TypeVar("R")


class Gradients(NamedTuple):
    """What a `_backward` returns: the gradient of each operand, None where it was not asked for."""

    input: Tensor | None
    weight: Tensor | None
    bias: Tensor | None


def in_1d_2d_3d(
    function: Callable[Concatenate[int, P], R],
) -> tuple[Callable[P, R], Callable[P, R], Callable[P, R]]:
    """Three functions from one whose first argument is the number of dimensions, each computing `by_hand`.

    `_conv_nd_weight` becomes `conv1d_weight` and so on; `{n}` in its docstring becomes the number.
    """
    whole = inspect.signature(function)
    signature = whole.replace(parameters=[*whole.parameters.values()][1:])

    def fixed(dims: int) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                with by_hand():
                    return function(dims, *args, **kwargs)
            except TypeError:  # a wrong call is told of in this function's own name and number of arguments
                check_call(call.__name__, signature, *args, **kwargs)
                raise

        call.__name__ = call.__qualname__ = function.__name__.lstrip("_").replace("_nd", f"{dims}d")
        call.__doc__ = (function.__doc__ or "").replace("{n}", str(dims))
        call.__signature__ = signature  # type: ignore[attr-defined]
        call.__annotations__ = {name: kind for name, kind in function.__annotations__.items() if name != "dims"}
        del call.__wrapped__  # it has one argument more
        return call

    return fixed(1), fixed(2), fixed(3)


def check_call(name: str, signature: inspect.Signature, *args: object, **kwargs: object) -> None:
    """Raise a `TypeError` in this function's name unless it may be called so."""
    try:
        signature.bind(*args, **kwargs)
    except TypeError as problem:
        raise TypeError(f"{name}() {problem}") from None


def as_size(op: str, name: str, size: Sequence[int]) -> Ints:
    """A size as a tuple of ints; raise where it is no such thing."""
    try:
        return tuple(index(entry) for entry in size)
    except TypeError:
        raise error(op, f"{name} must be a sequence of ints", **{name: size}) from None


def batched(tensor: Tensor, dims: int) -> Tensor:
    """(C, *I) → (1, C, *I); a batch stays as it is."""
    return tensor if tensor.dim() == dims + 2 else tensor.unsqueeze(0)


def finished(result: Tensor, size: Ints, input: Tensor | None, weight: Tensor | None, gradient: bool = False) -> Tensor:
    """(N, C, *I) → `size`, which may have no batch, in the known operands' dtype and the memory format they imply."""
    dtype = next(operand.dtype for operand in (input, weight) if operand is not None)
    known = None if input is None else batched(input, result.dim() - 2)
    result = arranged(result if result.dtype == dtype else result.to(dtype), known, weight, gradient)
    return result if result.dim() == len(size) else result.squeeze(0)


def sum_to_bias(op: str, grad_output: Tensor, dims: int) -> Tensor:
    """(N, O, *L) or (O, *L) → (O,): the bias met every output position of its channel once."""
    if grad_output.dim() not in (dims + 1, dims + 2):
        raise error(op, "grad_output must be (N, O, *L) or (O, *L)", grad_output=grad_output.shape)
    return grad_output.sum([axis for axis in range(grad_output.dim()) if axis != grad_output.dim() - dims - 1])


def check_needs(op: str, needs: Iterable[Operand]) -> Collection[object]:
    """`needs`, which must be names of operands, as a tuple."""
    names = frozen(needs)
    if not isinstance(names, tuple) or not set(names) <= set(Gradients._fields):
        raise error(op, "needs must be a collection of 'input', 'weight' and 'bias'", needs=repr(needs))
    return names
