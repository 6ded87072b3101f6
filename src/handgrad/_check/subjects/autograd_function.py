"""A `torch.autograd.Function`, called directly: the engine sums a gradient that broadcasts, and so hides slips."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from . import arguments as args
from .calling import Library, call, is_floating
from .returned import Returned, by_position
from .start import Start


class Context:
    """A `ctx` that records: saved tensors, flags, and any attribute that the code sets on it."""

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self.saved_tensors: tuple[Any, ...] = ()
        self.dirty: tuple[Any, ...] = ()
        self.constant: tuple[Any, ...] = ()
        self.materialize = True

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for `saved_tensors`."""
        self.saved_tensors = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep nothing: forward mode is not checked."""

    def mark_dirty(self, *tensors: Any) -> None:
        """Inputs that forward changes in place."""
        self.dirty = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Outputs that have no gradient."""
        self.constant = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether the gradient of an output that nobody used is zeros, or else None."""
        self.materialize = value

    def has_gradient(self, output: Any) -> bool:
        """Whether an output has a gradient: an index has none, nor has what is marked."""
        return is_floating(output) and not any(output is other for other in self.constant)

    def unused(self, output: Any) -> Any:
        """What backward gets for an output without a gradient."""
        return torch.zeros_like(output) if isinstance(output, Tensor) and self.materialize else None

    @property
    def saved_variables(self) -> tuple[Any, ...]:
        """The old name of `saved_tensors`."""
        return self.saved_tensors


class AutogradFunction:
    """forward(ctx, …) or forward(…) with setup_context; backward(ctx, grad_output)."""

    def __init__(self, function: type[torch.autograd.Function]) -> None:
        self.function = function
        self.name = function.__name__
        self.with_context = function.setup_context is torch.autograd.Function.setup_context
        backward = function.backward if function.backward is not torch.autograd.Function.backward else function.vjp
        self.functions: tuple[Callable[..., Any], ...] = (function.forward, backward)
        names = [p.name for p in args.parameters(function.forward, skip=int(self.with_context))]
        self.inputs = tuple(names)
        self.accepts = args.accepted(names, ())

    def parameters(self) -> Mapping[str, Tensor]:
        """None: a Function has no state."""
        return {}

    def ignore(self, name: str) -> None:
        """Nothing to ignore."""

    def start(self, inputs: Mapping[str, Any], options: Mapping[str, Any], *, library: Library, track: bool) -> Start:
        """One forward pass; every floating point input counts as needing its gradient."""
        del library
        given = args.bind(self.function.forward, inputs, options, skip=int(self.with_context))
        leaves = {n: v.requires_grad_() for n, v in given.items() if track and is_floating(v)}
        # autograd needs a leaf, in-place code a tensor that is none
        given |= {name: leaf.clone() for name, leaf in leaves.items()}
        context = Context(tuple(is_floating(value) for value in given.values()))
        result = self._forward(context, list(given.values()))
        results = list(result) if isinstance(result, tuple | list) else [result]
        outputs = [value for value in results if context.has_gradient(value)] or results[:1]
        differentiable = [name for name, value in given.items() if is_floating(value)]

        def backward(grads: Sequence[Any]) -> Returned:
            left = iter(grads)
            every = [next(left) if any(v is o for o in outputs) else context.unused(v) for v in results]
            with torch.no_grad():
                value = call("backward", self.functions[1], context, *every)
            return by_position(value, given, differentiable, strict=True)

        dirty = frozenset(n for n, v in given.items() if any(v is other for other in context.dirty))
        return Start(outputs, leaves, backward, lambda: _saved(context), dirty=dirty)

    def _forward(self, context: Context, given: list[Any]) -> Any:
        if self.with_context:
            return call("forward", self.function.forward, context, *given)
        output = call("forward", self.function.forward, *given)
        call("setup_context", self.function.setup_context, context, tuple(given), output)
        return output


def _saved(context: Context) -> dict[str, Any]:
    named = {f"saved_tensors[{index}]": value for index, value in enumerate(context.saved_tensors)}
    return named | {f"ctx.{name}": value for name, value in vars(context).items() if isinstance(value, Tensor)}
