"""A subject: an adapter, run forward and backward on tensors."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ..._errors import HandgradError, error
from .calling import (
    Library,
    UserCodeError,
    from_library,
    is_complex,
    is_differentiable,
    is_numeric,
    is_single_precision,
    steady,
    to_library,
)
from .library import guess
from .start import Start
from .traced import traced


@dataclass
class Run:
    """One forward pass of the checked code; `backward` may be called on it, once or more."""

    output: Tensor  # float64, detached; several outputs are one flat tensor
    raw: Tensor | None  # the same as the code made it, with its graph when tracked; None where that is no tensor
    leaves: Mapping[str, Tensor]
    start: Start
    subject: Subject
    single: bool  # whether float32 has crept in
    returned_count: int | None = None  # how many gradients came back, where that is a wrong number
    used_grad: bool = True  # whether backward has an argument for grad_output; a loss need not
    updated: frozenset[str] = frozenset()  # gradients that were read off an update of the parameters
    unclaimed: int = 0  # arrays that backward left and that are nobody's gradient by their names
    ignored: int = 0  # further arrays that forward returned, which backward is neither handed nor asked a gradient of

    def backward(self, grad_output: Tensor) -> dict[str, Tensor | None]:
        """The gradients by input and parameter, as float64 of whatever shape; None where nothing came back.

        Raises `UserCodeError` if the code raises.
        """
        with self.subject.steady():
            returned = self.start.backward(self.subject.handed(self.start, grad_output))
        self.returned_count, self.used_grad, self.updated = returned.wrong_count, returned.used_grad, returned.updated
        self.unclaimed, self.ignored = returned.unclaimed, returned.ignored
        self.single = self.single or is_single_precision(*returned.values.values())
        return returned.tensors()

    @property
    def saved(self) -> dict[str, Tensor]:
        """The floating point tensors that the code keeps for its backward pass, by name."""
        found = {name: from_library(value) for name, value in self.start.saved().items()}
        return {name: value for name, value in found.items() if value is not None}


class Adapter(Protocol):
    """What differs from style to style."""

    name: str
    inputs: tuple[str, ...]  # the forward's parameters that can be tensors, in order
    accepts: frozenset[str]  # options of an operation that the forward takes: stride, padding …
    functions: tuple[Callable[..., Any], ...]  # forward and backward, for their source

    def parameters(self) -> Mapping[str, Tensor]:
        """A class's own parameters, which are inputs to be drawn as well."""

    def ignore(self, name: str) -> None:
        """Take an array of a class for no parameter after all."""

    def start(self, inputs: Mapping[str, Any], options: Mapping[str, Any], *, library: Library, track: bool) -> Start:
        """One forward pass on tensors or arrays that nobody else uses."""


_REAL = "gradients of real numbers only are checked: take the real and the imaginary part apart"


class Subject:
    """Somebody's forward and backward; the library it is written in is found out by running it."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.name = adapter.name
        self.namespace: Mapping[str, Any] = getattr(adapter.functions[0], "__globals__", {})
        self.library: Library = getattr(adapter, "library", None) or guess(adapter.functions)
        self.part: int | None = None  # the output that counts, of several; all of them where it is None
        self.outputs = 1  # how many there are, once it has run
        self.dtype = torch.float64  # float32 for code that takes nothing else
        self._settled = False

    def run(
        self, inputs: Mapping[str, Tensor], options: Mapping[str, Any] | None = None, *, track: bool = False
    ) -> Run:
        """The forward pass on these inputs (parameters among them); with `track` under autograd.

        Raises `UserCodeError` if the code raises, `HandgradError` if an argument is missing or no tensor comes out.
        """
        if track:  # NumPy code too, on tensors that answer its functions
            return self._run(inputs, options or {}, "torch", track)
        if self._settled:
            return self._run(inputs, options or {}, self.library, False)
        first = self._settle(inputs, options or {})
        if first is not None:
            raise first.original if isinstance(first.original, HandgradError) else first
        return self._run(inputs, options or {}, self.library, False)

    def _settle(self, inputs: Mapping[str, Tensor], options: Mapping[str, Any]) -> UserCodeError | None:
        """Find the library and the precision that the code runs in; what it raised at first where it runs in none."""
        guessed: Library = self.library
        other: Library = "numpy" if guessed == "torch" else "torch"
        first: UserCodeError | None = None
        for self.dtype in (torch.float64, torch.float32):
            for self.library in (guessed, other):
                try:
                    run = self._run(inputs, options, self.library, False)
                except UserCodeError as problem:
                    first = first or problem
                    continue
                self._settled = True
                if self.dtype == torch.float64 and not self._returns(run):
                    self._try_single(inputs, options)
                return None
        self.library, self.dtype = guessed, torch.float64
        return first

    def _try_single(self, inputs: Mapping[str, Tensor], options: Mapping[str, Any]) -> None:
        """Float32 for code whose backward raises in float64 and runs in float32."""
        self.dtype = torch.float32
        try:
            if self._returns(self._run(inputs, options, self.library, False)):
                return
        except UserCodeError:
            pass
        self.dtype = torch.float64

    @staticmethod
    def _returns(run: Run) -> bool:
        """Whether backward gets to its end."""
        try:
            run.backward(torch.ones_like(run.output))
        except UserCodeError:
            return False
        return True

    def native(self, tensor: Tensor, library: Library | None = None) -> Any:
        """A fresh tensor or array of the kind that the code takes."""
        return to_library(tensor.to(self.dtype) if tensor.is_floating_point() else tensor, library or self.library)

    def steady(self) -> AbstractContextManager[None]:
        """Random numbers from one seed, and new tensors in the precision that the code takes."""
        return steady(self.namespace, self.dtype)

    def _run(self, inputs: Mapping[str, Tensor], options: Mapping[str, Any], library: Library, track: bool) -> Run:
        given = {name: self.native(value, library) for name, value in inputs.items()}
        if track and self.library == "numpy":
            given = {name: traced(value) for name, value in given.items()}
        with self.steady(), torch.set_grad_enabled(track):
            start = self.adapter.start(given, options, library=library, track=track)
        if any(map(is_complex, start.outputs)):
            raise error("check", f"the forward of `{self.name}` returns complex numbers", hint=_REAL)
        if not any(map(is_differentiable, start.outputs)) and all(map(is_numeric, start.outputs)):
            raise error("check", f"the forward of `{self.name}` returns integers, which have no gradient")
        made, self.outputs = [from_library(output) for output in start.outputs], len(start.outputs)
        wrong_kind = library == "torch" and not all(isinstance(output, Tensor) for output in start.outputs)
        if any(output is None for output in made) or (wrong_kind and not self._settled):
            kind = type(start.outputs[0]).__name__
            problem = error("check", f"the forward of `{self.name}` returns no tensor but {kind}")
            raise UserCodeError("forward", problem) if not self._settled else problem
        output = self._whole([output for output in made if output is not None])
        raw = self._whole(start.outputs) if all(isinstance(value, Tensor) for value in start.outputs) else None
        return Run(output, raw, start.leaves, start, self, is_single_precision(*start.outputs))

    def of_output(self, index: int) -> Subject:
        """The same code with one of its outputs only: the others are handed zeros."""
        one = copy.copy(self)
        one.part = index
        return one

    def _whole(self, outputs: Sequence[Tensor]) -> Tensor:
        """The one output, the one that counts, or all in one flat tensor."""
        if len(outputs) == 1 or self.part is not None:
            return outputs[self.part or 0]
        return torch.cat([output.reshape(-1) for output in outputs])

    def pieces(self, start: Start, grad_output: Tensor) -> list[Tensor]:
        """The gradient of each output, from that of the whole."""
        shapes = [tuple(output.shape) if hasattr(output, "shape") else () for output in start.outputs]
        if len(shapes) == 1:
            return [grad_output]
        if self.part is not None:
            return [grad_output if i == self.part else grad_output.new_zeros(s) for i, s in enumerate(shapes)]
        flat = torch.split(grad_output, [math.prod(shape) for shape in shapes])
        return [piece.reshape(shape) for piece, shape in zip(flat, shapes, strict=True)]

    def handed(self, start: Start, grad_output: Tensor, layout: Callable[[Tensor], Tensor] | None = None) -> list[Any]:
        """What backward is called with: a gradient for each output in the code's own library."""
        grads = [self.native(layout(g) if layout else g) for g in self.pieces(start, grad_output)]
        return [grad if grad.ndim or self.library == "torch" else float(grad) for grad in grads]
