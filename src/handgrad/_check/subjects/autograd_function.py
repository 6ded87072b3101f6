"""A `torch.autograd.Function`, called directly: the engine sums a gradient that broadcasts, and so hides slips."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for `saved_tensors`."""
        self.saved_tensors = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep nothing: forward mode is not checked."""

    def mark_dirty(self, *_: Any) -> None:
        """Accept the engine's bookkeeping."""

    mark_non_differentiable = set_materialize_grads = mark_dirty

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
        output = self._forward(context, list(given.values()))
        many = isinstance(output, tuple | list)
        differentiable = [name for name, value in given.items() if is_floating(value)]

        def backward(grad: Any) -> Returned:
            grads = [grad, *(torch.zeros_like(other) for other in output[1:])] if many else [grad]
            with torch.no_grad():
                value = call("backward", self.functions[1], context, *grads)
            return by_position(value, given, differentiable, strict=True)

        return Start(output[0] if many else output, leaves, backward, lambda: _saved(context))

    def _forward(self, context: Context, given: list[Any]) -> Any:
        if self.with_context:
            return call("forward", self.function.forward, context, *given)
        output = call("forward", self.function.forward, *given)
        call("setup_context", self.function.setup_context, context, tuple(given), output)
        return output


def _saved(context: Context) -> dict[str, Any]:
    named = {f"saved_tensors[{index}]": value for index, value in enumerate(context.saved_tensors)}
    return named | {f"ctx.{name}": value for name, value in vars(context).items() if isinstance(value, Tensor)}
