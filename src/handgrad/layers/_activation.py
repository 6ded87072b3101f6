"""Activations: y = f(x) elementwise, hence dx = f′(x) · dy; and softmax, whose Jacobian is not diagonal.

A complex derivative is conjugated, the framework's convention; for real numbers `conj` costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._backward import Again, Pullback, fresh, repeatable, repeating
from ._layer import Layer


class ReLU(Layer, nn.ReLU):
    """max(x, 0), of any shape. The derivative at 0 is taken as 0. `inplace` is accepted and means nothing."""

    # y = max(x, 0)          dx = dy where x > 0, else 0

    @repeatable
    def forward(self, input: Tensor, *, over: bool = False, again: Again | None = None) -> tuple[Tensor, Pullback]:
        output = F.relu(input, inplace=over)
        y: Callable[[], Tensor] = (lambda: output) if again is None else Again(lambda: again.compute().relu_())

        @fresh
        def backward(grad_output: Tensor, over: bool = False) -> Tensor:
            # where(y > 0, dy, 0) takes twenty times as long
            return _where_positive(
                grad_output, y(), 0, grad_input=grad_output if over else torch.empty_like(grad_output)
            )

        return output, repeating(backward, y if isinstance(y, Again) else None)


_where_positive: Callable[..., Tensor] = torch.ops.aten.threshold_backward.grad_input


class LeakyReLU(Layer, nn.LeakyReLU):
    """x where x > 0, else negative_slope · x, of any shape. `inplace` is accepted and means nothing."""

    # y = x or a·x          dx = dy where x > 0, else a·dy.   Maas, Hannun, Ng, 2013

    def forward(self, input: Tensor) -> tuple[Tensor, Pullback]:
        slope = self.negative_slope

        def backward(grad_output: Tensor) -> Tensor:
            positive = input.sign().relu_()  # 1 where x > 0, else 0; a mask of booleans takes several times as long
            return grad_output * (positive + slope * (1 - positive))

        return F.leaky_relu(input, slope), backward


class Sigmoid(Layer, nn.Sigmoid):
    """1 / (1 + e⁻ˣ), of any shape."""

    # y = σ(x)          dx = y (1 − y) dy

    def forward(self, input: Tensor) -> tuple[Tensor, Pullback]:
        output = torch.sigmoid(input)

        def backward(grad_output: Tensor) -> Tensor:
            return grad_output * (output * (1 - output)).conj()

        return output, backward


class Tanh(Layer, nn.Tanh):
    """The hyperbolic tangent, of any shape."""

    # y = tanh(x)          dx = (1 − y²) dy

    def forward(self, input: Tensor) -> tuple[Tensor, Pullback]:
        output = torch.tanh(input)

        def backward(grad_output: Tensor) -> Tensor:
            return grad_output * (1 - output * output).conj()

        return output, backward


class GELU(Layer, nn.GELU):
    """x · Φ(x) with Φ the normal distribution function, of any shape; `approximate="tanh"` as in `torch.nn.GELU`."""

    # y = x Φ(x)            dx = (Φ(x) + x Φ′(x)) dy.   Hendrycks, Gimpel, 2016
    # Φ(x) = (1 + erf(x/√2)) / 2,   Φ′(x) = exp(−x²/2) / √(2π)
    # Φ(x) ≈ (1 + t) / 2,   Φ′(x) ≈ (1 − t²) u′ / 2   with t = tanh(u), u = √(2/π) (x + 0.044715 x³)

    def forward(self, input: Tensor) -> tuple[Tensor, Pullback]:
        approximate = self.approximate

        def backward(grad_output: Tensor) -> Tensor:
            x = input.clamp(-40, 40)  # beyond, the slope is 0 or 1 to the last bit; and x² and x³ stay finite in halves
            distribution, density = (_tanh_normal if approximate == "tanh" else _normal)(x)
            return distribution.addcmul_(x, density).mul_(grad_output)

        return F.gelu(input, approximate=approximate), backward


# Both work in place on what they made themselves: on large tensors new memory takes longer than the arithmetic.


def _normal(x: Tensor) -> tuple[Tensor, Tensor]:
    """Φ and Φ′."""
    return (x * math.sqrt(0.5)).erf_().add_(1).mul_(0.5), (x * x).mul_(-0.5).exp_().mul_(1 / math.sqrt(2 * math.pi))


def _tanh_normal(x: Tensor) -> tuple[Tensor, Tensor]:
    """The approximate Φ and its own derivative."""
    scale, cubic = math.sqrt(2 / math.pi), 0.044715
    square = x * x
    t = (square * cubic).add_(1).mul_(x).mul_(scale).tanh_()
    slope = square.mul_(3 * cubic).add_(1).mul_(scale / 2)  # u′ / 2
    return (1 + t).mul_(0.5), (1 - t * t).mul_(slope)


class SiLU(Layer, nn.SiLU):
    """x · σ(x), of any shape. `inplace` is accepted and means nothing."""

    # y = x σ(x)          dx = σ(x) (1 + x (1 − σ(x))) dy.   Elfwing, Uchibe, Doya, 2018

    def forward(self, input: Tensor) -> tuple[Tensor, Pullback]:
        def backward(grad_output: Tensor) -> Tensor:
            sigmoid = torch.sigmoid(input)
            slope = (1 - sigmoid).mul_(input).add_(1).mul_(sigmoid)
            return grad_output * slope.conj()

        return F.silu(input), backward


class Softmax(Layer, nn.Softmax):
    """eˣ / Σ eˣ along `dim`, of any shape. Raises `HandgradError` without `dim`: PyTorch's guess is deprecated."""

    # y_i = exp(x_i) / Σ_j exp(x_j);  ∂y_i/∂x_j = y_i (δ_ij − y_j);  dx = y (dy − Σ_j dy_j y_j)

    def forward(self, input: Tensor) -> tuple[Tensor, Pullback]:
        dim = self.dim
        if dim is None:
            raise self._error("no dim given", hint="Softmax(dim=1) for (N, C) or (N, C, H, W)")
        output = F.softmax(input, dim)

        def backward(grad_output: Tensor) -> Tensor:
            return output * (grad_output - (grad_output * output).sum(dim, keepdim=True))

        return output, backward
