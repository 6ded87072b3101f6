"""A linear layer or a convolution with its activation in one function, and the two-layer network.

Slips inside such a function cannot be had from its backward pass as a whole. So the forward pass is run again with an
activation that has the slip in its own backward pass, and autograd does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..slips import Backwards, Linear
from ..slips.activation import Activation
from ..slips.elementwise import activation_slips
from . import convolutions, products
from .operation import Known, Operation, Options, Roles, Setting

Function = Callable[[Tensor], Tensor]


class _Replaced(torch.autograd.Function):
    """An activation's value with somebody's idea of its backward pass."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, y: Tensor, backward: Linear) -> Tensor:  # noqa: ARG004
        ctx.linear = backward
        return y.clone()

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> tuple[Tensor, None, None]:
        return ctx.linear(g[0]), None, None


@dataclass(frozen=True)
class _Layer:
    """An operation, the roles it takes of the whole, and the activation after it, if any."""

    operation: Operation
    suffix: str
    activation: Function | None

    def linear(self, h: Tensor, roles: Roles, options: Options) -> Tensor:
        """Before the activation."""
        own = {role: roles[role + self.suffix] for role in ("weight", "bias") if role + self.suffix in roles}
        return self.operation.forward({"input": h, **own}, options)

    def owns(self, role: str) -> bool:
        """Whether the operand is this layer's own."""
        return role in (f"weight{self.suffix}", f"bias{self.suffix}")


def _forward(layers: tuple[_Layer, ...], roles: Roles, options: Options) -> Tensor:
    h = roles["input"]
    for layer in layers:
        z = layer.linear(h, roles, options)
        h = z if layer.activation is None else layer.activation(z)
    return h


def _gradient(layers: tuple[_Layer, ...], known: Known, at: int, backward: Linear, g: Tensor) -> Tensor:
    """The gradient of the whole where one layer's activation has that backward pass."""
    leaf = known.tensors[known.role].detach().clone().requires_grad_()
    roles = {**known.tensors, known.role: leaf}
    h = roles["input"]
    for index, layer in enumerate(layers):
        z = layer.linear(h, roles, known.options)
        h = z if layer.activation is None else layer.activation(z)
        if index == at:
            h = _Replaced.apply(z, h.detach(), backward)  # type: ignore[no-untyped-call]
    return torch.autograd.grad((h * g).sum(), leaf)[0]


def _slips(layers: tuple[_Layer, ...], known: Known) -> Backwards:
    h = known.tensors["input"]
    own = next((index for index, layer in enumerate(layers) if layer.owns(known.role)), 0)
    for index, layer in enumerate(layers):
        z = layer.linear(h, known.tensors, known.options)
        if layer.activation is not None:
            if index >= own:  # what lies behind an activation does not pass through it on the way back
                for path, backward in activation_slips(_activation(layer, known, h, z)):
                    yield path, partial(_gradient, layers, known, index, backward)
            h = layer.activation(z)
    if len(layers) == 1:
        yield from _slips_before(layers[0], known, z)


def _slips_before(layer: _Layer, known: Known, z: Tensor) -> Backwards:
    """The slips of the operation itself, which gets g · f'."""
    assert layer.activation is not None
    derivative = _derivative(layer.activation, z)
    inner = replace(known, output=z, g=known.g * derivative)
    for path, linear in layer.operation.slips(inner):
        yield path, partial(_after, linear, derivative)


def _after(linear: Linear, derivative: Tensor, g: Tensor) -> Tensor:
    return linear(g * derivative)


def _activation(layer: _Layer, known: Known, h: Tensor, z: Tensor) -> Activation:
    assert layer.activation is not None
    others: dict[str, Tensor] = {}
    if f"bias{layer.suffix}" in known.tensors:
        without = {role: value for role, value in known.tensors.items() if role != f"bias{layer.suffix}"}
        others["the product without its bias"] = layer.linear(h, without, known.options)
    if h.shape == z.shape:
        others["the layer's input"] = h
    return Activation(
        z, layer.activation(z), _derivative(layer.activation, z), others, partial(_derivative, layer.activation)
    )


def _derivative(function: Function, z: Tensor) -> Tensor:
    point = z.detach().clone().requires_grad_()
    return torch.autograd.grad(function(point).sum(), point)[0]


_ACTIVATIONS: Mapping[str, Function] = {
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "leaky_relu": F.leaky_relu,
}


def _one_layer(base: Operation, name: str) -> Operation:
    layers = (_Layer(base, "", _ACTIVATIONS[name]),)
    return Operation(
        f"{base.name}+{name}",
        base.roles,
        partial(_forward, layers),
        base.settings,
        base.guesses,
        base.spatial,
        base.required,
        partial(_slips, layers),
    )


def _two_layers(base: Operation, name: str, *roles: str) -> Operation:
    layers = (_Layer(base, "1", _ACTIVATIONS[name]), _Layer(base, "2", None))
    return Operation(
        f"linear+{name}+linear" + ("" if "bias1" in roles else " without biases"),
        ("input", *roles),
        partial(_forward, layers),
        partial(_settings, roles),
        _guesses,
        None,
        1 + len(roles),
        partial(_slips, layers),
    )


def _settings(roles: tuple[str, ...]) -> list[Setting]:
    def sizes(N: int, I: int, H: int, O: int) -> dict[str, tuple[int, ...]]:
        every = {"weight1": (H, I), "bias1": (H,), "weight2": (O, H), "bias2": (O,)}
        return {"input": (N, I), **{role: every[role] for role in roles}}

    return [Setting("R1", sizes(6, 3, 5, 4)), Setting("R2", sizes(4, 5, 3, 2))]


def _guesses(roles: Roles, _output: Tensor) -> Iterable[Options]:
    return [{}] if all(roles[role].dim() == 2 for role in roles if not role.startswith("bias")) else []


_LINEAR = products.OPERATIONS[0]
_BASES = (_LINEAR, *(one for one in convolutions.OPERATIONS if one.name in ("conv2d", "conv1d")))
OPERATIONS = (
    *(_one_layer(base, name) for base in _BASES for name in _ACTIVATIONS),
    *(_two_layers(_LINEAR, name, "weight1", "bias1", "weight2", "bias2") for name in _ACTIVATIONS),
    *(_two_layers(_LINEAR, name, "weight1", "weight2") for name in _ACTIVATIONS),
)
