"""The skeleton that all explicit layers share, so that no layer has to think of it.

A layer is one `forward` that returns the output and a closure. The closure holds what the derivative needs: nothing is
stored on the module, and a layer may stand twice in one network. Every layer shows the same three blocks: the formula
with its source as a comment, the forward pass, and nested in it the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from .._errors import HandgradError, error

Backward = Callable[[Tensor], Tensor]
"""What a layer returns beside its output: from the gradient of the output to the gradient of the input."""

_Facts = tuple[torch.Size, str]


class Layer(nn.Module):
    """A layer whose gradients are written out: `y, backward = layer(x)`, later `grad_x = backward(grad_y)`.

    `backward` returns the gradient of the input and *adds* the gradients of the parameters into their `.grad`, where
    `torch.optim` and `torch.nn.utils` find them. No autograd graph is built, whatever the inputs, and nothing is
    modified in place. A parameter gets its gradient also if its `requires_grad` is off: to freeze it, leave it out of
    the optimizer. Hooks for autograd never run; so `DistributedDataParallel` wraps a layer and broadcasts its weights,
    but the gradients are yours to average.

    A layer of your own derives from `Layer` and from the ordinary module, if there is one, that brings constructor,
    parameters and `repr`: `class PReLU(Layer, nn.PReLU)`. Its `forward(input)` returns `(output, backward)`, and its
    `backward(grad_output)` hands the parameters' gradients to `accumulate_grad` and returns the input's. All that this
    class promises holds for it too.

    Raises:
        HandgradError: if the input is no floating-point or complex tensor or has not the parameters' dtype; in the
            backward pass, if `grad_output` has not the output's shape and dtype, or if a parameter was changed in
            place since the forward pass.
    """

    _takes_complex: ClassVar[bool] = True

    def __call__(self, input: Tensor) -> tuple[Tensor, Backward]:
        """The output, and the function that turns its gradient into the gradient of the input."""
        _check_input(self, input)
        with torch.no_grad():
            output, gradient = super().__call__(input.detach())
        facts, versions = _facts(output), _versions(self)

        def backward(grad_output: Tensor) -> Tensor:
            _check_backward(self, grad_output, facts, versions)
            with torch.no_grad():
                grad_input: Tensor = gradient(grad_output.detach())
            return grad_input

        return output, backward

    def accumulate_grad(self, **gradients: Tensor | None) -> None:
        """Add the gradients, named as the parameters, into `.grad`; the gradient of an absent bias is ignored.

        Raises:
            HandgradError: for the name or the shape of no parameter of this layer.
        """
        for name, gradient in gradients.items():
            if name not in self._parameters:
                raise _error(self, f"{name} is no parameter of this layer", parameters=[*self._parameters])
            parameter = self._parameters[name]
            if parameter is None or gradient is None:
                continue
            if gradient.shape != parameter.shape:  # adding would broadcast it silently
                problem = f"the gradient of {name} has another shape"
                raise _error(self, problem, gradient=gradient.shape, parameter=parameter.shape)
            _add(parameter, gradient)


def _add(parameter: nn.Parameter, gradient: Tensor) -> None:
    if parameter.grad is None:
        with torch.inference_mode(False):  # an optimizer cannot use a tensor that was made under inference mode
            parameter.grad = torch.empty_like(parameter)  # in the parameter's memory layout too: fused ones want it
        parameter.grad.copy_(gradient)
    else:
        parameter.grad.add_(gradient)


def _check_input(layer: Layer, input: Tensor) -> None:
    if not isinstance(input, Tensor):
        hint = "a layer returns (output, backward); only the output goes on" if isinstance(input, tuple) else None
        raise _error(layer, "input is no tensor", hint, input=type(input).__name__)
    if not (input.is_floating_point() or (input.is_complex() and layer._takes_complex)):
        raise _error(layer, "input is not floating point", "`input.float()`", input=_facts(input))
    for name, parameter in layer.named_parameters(recurse=False):
        if parameter.dtype != input.dtype:
            facts, hint = {"input": _facts(input), name: _facts(parameter)}, f"`input.to({parameter.dtype})`"
            raise _error(layer, f"input and {name} disagree about the dtype", hint, **facts)


def _check_backward(layer: Layer, grad_output: Tensor, output: _Facts, versions: dict[str, int]) -> None:
    if _facts(grad_output) != output:
        raise _error(layer, "grad_output is not like the output", grad_output=_facts(grad_output), output=output)
    changed = [name for name, version in _versions(layer).items() if version != versions.get(name)]
    if changed:
        hint = "call backward before the optimizer's step"
        raise _error(layer, f"{' and '.join(changed)} changed since the forward pass", hint)


def _versions(layer: Layer) -> dict[str, int]:
    """How often each of the layer's own parameters was changed in place; inference tensors do not count it."""
    own = layer.named_parameters(recurse=False)
    return {name: parameter._version for name, parameter in own if not parameter.is_inference()}


def _facts(tensor: Tensor) -> _Facts:
    """What two tensors must have in common, as a row of an error shows it."""
    return tensor.shape, str(tensor.dtype)


def _error(layer: Layer, problem: str, hint: str | None = None, **rows: object) -> HandgradError:
    return error(type(layer).__name__, problem, hint, **rows)
