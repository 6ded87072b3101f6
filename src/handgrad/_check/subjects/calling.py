"""Calling somebody's code: fixed random numbers, float64 by default, NumPy or torch, and what it raises."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ..._errors import error
from .explaining import explain

Library = Literal["torch", "numpy"]
SEED = 20240229


class UserCodeError(Exception):
    """The checked code raised; `original` is its exception, traceback and all, with an explaining note added."""

    def __init__(self, stage: str, original: BaseException) -> None:
        super().__init__(f"{stage}: {type(original).__name__}: {_text(original)}")
        self.stage, self.original = stage, original


def _text(problem: BaseException) -> str:
    """What an exception says; one that cannot even say that says so."""
    try:
        return f"{problem}"
    except Exception:
        return "<its __str__ raises>"


_listeners: list[Callable[[str], None]] = []


def on_stage(listener: Callable[[str], None]) -> None:
    """Have a function told, from now on, what is being called: "import", "forward", "backward"."""
    _listeners.append(listener)


def call(stage: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`function(*args, **kwargs)`; whatever it raises, `SystemExit` included, comes as `UserCodeError`.

    Only `KeyboardInterrupt` passes: it is the person's, not the code's.
    """
    for listener in _listeners:
        listener(stage)
    try:
        return function(*args, **kwargs)
    except (UserCodeError, KeyboardInterrupt):
        raise
    except BaseException as original:
        explain(original)
        raise UserCodeError(stage, original) from original


@contextmanager
def steady(generators: Mapping[str, Any] | None = None, precision: torch.dtype = torch.float64) -> Iterator[None]:
    """Inside, random numbers start at one seed and new torch tensors are float64; both are put back afterwards.

    `generators` is the namespace of the checked code: a generator that it keeps there is rewound as well.
    """
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    dtype = torch.get_default_dtype()
    torch.default_generator.manual_seed(SEED)  # torch.manual_seed is slow: it formats a stack for CUDA's sake
    np.random.seed(SEED % 2**32)
    random.seed(SEED)
    rewind((generators or {}).values())
    torch.set_default_dtype(precision)
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])


def rewind(values: Iterable[Any]) -> None:
    """Have the random number generators among some values begin at the seed."""
    for value in list(values):
        if isinstance(value, np.random.Generator):
            value.bit_generator.state = type(value.bit_generator)(SEED).state
        elif isinstance(value, np.random.RandomState):
            value.seed(SEED)
        elif isinstance(value, torch.Generator):
            value.manual_seed(SEED)
        elif isinstance(value, random.Random):
            value.seed(SEED)


def to_library(tensor: Tensor, library: Library) -> Any:
    """A fresh tensor or array for the checked code to work on, laid out in memory as the tensor is."""
    return tensor.clone() if library == "torch" else np.copy(tensor.detach().numpy(), order="K")


def is_numeric(value: object) -> bool:
    """Whether a tensor can be made of it: tensors, arrays and numbers of Python."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fiub"
    return isinstance(value, Tensor | np.generic | float | int) and not isinstance(value, str)


def is_floating(value: object) -> bool:
    """Whether it is a floating point tensor or array: something with a gradient."""
    if isinstance(value, Tensor):
        return value.is_floating_point()
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def is_differentiable(value: object) -> bool:
    """Whether it is floating point: an array or tensor, or a number."""
    return is_floating(value) or isinstance(value, float | np.floating)


def numbers(value: Any) -> Any:
    """A list of numbers, or of such lists, as the array that it stands for; anything else as it is."""
    if isinstance(value, np.ndarray) and value.dtype == object:
        value = value.tolist()
    if not isinstance(value, list) or not value:
        return value
    try:
        array = np.array([numbers(item) for item in value])
    except (ValueError, TypeError):
        return value
    return array if array.dtype.kind in "fiub" else value


def is_listed(value: Any) -> bool:
    """Whether it is a list of plain numbers, or of such lists: an array as code without a library writes it."""
    return isinstance(value, list) and bool(value) and all(is_plain(item) or is_listed(item) for item in value)


def is_plain(value: object) -> bool:
    """Whether it is one number, of Python or NumPy."""
    return isinstance(value, float | int | np.floating | np.integer)


def is_complex(value: object) -> bool:
    """Whether it is a tensor, an array or a number with an imaginary part."""
    if isinstance(value, Tensor):
        return value.is_complex()
    return isinstance(value, complex) or (isinstance(value, np.ndarray | np.generic) and value.dtype.kind == "c")


def from_library(value: Any) -> Tensor | None:
    """What the checked code made, as a dense float64 tensor of its own; integers and booleans keep their dtype.

    Raises `HandgradError` for a tensor on the meta device.
    """
    if not is_numeric(value):
        return None
    tensor = value if isinstance(value, Tensor) else torch.as_tensor(np.array(value))
    tensor = tensor.detach()
    if tensor.is_meta:
        raise error("check", "the code made a tensor on the meta device, which holds no values")
    tensor = tensor if tensor.layout == torch.strided else tensor.to_dense()
    if not tensor.is_floating_point():
        return tensor.clone()
    return tensor.to(device="cpu", dtype=torch.float64, copy=True)


def gradient(value: Any) -> Tensor | None:
    """A gradient that came back, as float64 whatever its dtype; without an imaginary part that is rounding.

    An imaginary part that is not is kept as a last axis, so that it cannot be right.
    """
    if is_complex(value):
        pair = torch.view_as_real(torch.as_tensor(value).detach().resolve_conj().to(torch.complex128))
        size = float(pair.abs().max()) if pair.numel() else 0.0
        return pair[..., 0].clone() if pair.numel() == 0 or pair[..., 1].abs().max() <= 1e-9 * size else pair
    tensor = from_library(numbers(value))
    return None if tensor is None else tensor.to(torch.float64)


def is_single_precision(*values: Any) -> bool:
    """Whether some of these are float32 or shorter, so that rounding is float32's."""
    short = {torch.float32, torch.float16, torch.bfloat16}
    return any(
        (isinstance(value, Tensor) and value.dtype in short)
        or (isinstance(value, np.ndarray | np.generic) and value.dtype in (np.float32, np.float16))
        for value in values
    )
