"""A subject: an adapter, run forward and backward on tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ..._errors import error
from .calling import Library, UserCodeError, from_library, is_single_precision, steady, to_library
from .library import guess
from .start import Start


@dataclass
class Run:
    """One forward pass of the checked code; `backward` may be called on it, once or more."""

    output: Tensor  # float64, detached
    raw: Any  # the output as the code made it, with its graph when tracked
    leaves: Mapping[str, Tensor]
    start: Start
    subject: Subject
    single: bool  # whether float32 has crept in
    returned_count: int | None = None  # how many gradients came back, where that is a wrong number
    used_grad: bool = True  # whether backward has an argument for grad_output; a loss need not
    updated: frozenset[str] = frozenset()  # gradients that were read off an update of the parameters

    def backward(self, grad_output: Tensor) -> dict[str, Tensor | None]:
        """The gradients by input and parameter, as float64 of whatever shape; None where nothing came back.

        Raises `UserCodeError` if the code raises.
        """
        with steady(self.subject.namespace):
            grad = to_library(grad_output, self.subject.library)
            returned = self.start.backward(grad if grad_output.ndim or self.subject.library == "torch" else float(grad))
        self.returned_count, self.used_grad, self.updated = returned.wrong_count, returned.used_grad, returned.updated
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


class Subject:
    """Somebody's forward and backward; the library it is written in is found out by running it."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.name = adapter.name
        self.namespace: Mapping[str, Any] = getattr(adapter.functions[0], "__globals__", {})
        self.library: Library = guess(adapter.functions)
        self._settled = False

    def run(
        self, inputs: Mapping[str, Tensor], options: Mapping[str, Any] | None = None, *, track: bool = False
    ) -> Run:
        """The forward pass on these inputs (parameters among them); with `track` under autograd.

        Raises `UserCodeError` if the code raises, `HandgradError` if an argument is missing or no tensor comes out.
        """
        if track:  # NumPy code that uses operators only runs on tensors as well, and so under autograd
            return self._run(inputs, options or {}, "torch", track)
        if self._settled:
            return self._run(inputs, options or {}, self.library, False)
        first = self.library
        try:
            run = self._run(inputs, options or {}, first, False)
        except UserCodeError as problem:
            run = self._run_other(inputs, options or {}, problem)
        self._settled = True
        return run

    def _run_other(self, inputs: Mapping[str, Tensor], options: Mapping[str, Any], problem: UserCodeError) -> Run:
        first: Library = self.library
        self.library = "numpy" if first == "torch" else "torch"
        try:
            return self._run(inputs, options, self.library, False)
        except UserCodeError:
            self.library = first
            raise problem from None

    def _run(self, inputs: Mapping[str, Tensor], options: Mapping[str, Any], library: Library, track: bool) -> Run:
        given = {name: to_library(value, library) for name, value in inputs.items()}
        with steady(self.namespace), torch.set_grad_enabled(track):
            start = self.adapter.start(given, options, library=library, track=track)
        output = from_library(start.output)
        wrong_kind = library == "torch" and not isinstance(start.output, Tensor)
        if output is None or (wrong_kind and not self._settled):
            kind = type(start.output).__name__
            problem = error("check", f"the forward of `{self.name}` returns no tensor but {kind}")
            raise UserCodeError("forward", problem) if not self._settled else problem
        return Run(output, start.output, start.leaves, start, self, is_single_precision(start.output))
