"""Activations: y = f(x) elementwise, hence dx = f′(x) · dy; and softmax, whose Jacobian is not diagonal.

A complex derivative is conjugated, the framework's convention; for real numbers `conj` costs nothing.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .._errors import error
from ._layer import Backward, Layer


class ReLU(Layer, nn.ReLU):
    """max(x, 0), of any shape. The derivative at 0 is taken as 0. `inplace` is accepted and means nothing."""

    # y = max(x, 0)          dx = dy where x > 0, else 0

    def forward(self, input: Tensor) -> tuple[Tensor, Backward]:
        output = F.relu(input)

        def backward(grad_output: Tensor) -> Tensor:
            return grad_output.masked_fill(output <= 0, 0)  # y > 0 just where x > 0, and y is kept anyway

        return output, backward


class LeakyReLU(Layer, nn.LeakyReLU):
    """x where x > 0, else negative_slope · x, of any shape. `inplace` is accepted and means nothing."""

    # y = x or a·x          dx = dy where x > 0, else a·dy.   Maas, Hannun, Ng, 2013

    def forward(self, input: Tensor) -> tuple[Tensor, Backward]:
        def backward(grad_output: Tensor) -> Tensor:
            return torch.where(input > 0, grad_output, self.negative_slope * grad_output)

        return F.leaky_relu(input, self.negative_slope), backward


class Sigmoid(Layer, nn.Sigmoid):
    """1 / (1 + e⁻ˣ), of any shape."""

    # y = σ(x)          dx = y (1 − y) dy

    def forward(self, input: Tensor) -> tuple[Tensor, Backward]:
        output = torch.sigmoid(input)

        def backward(grad_output: Tensor) -> Tensor:
            return grad_output * (output * (1 - output)).conj()

        return output, backward


class Tanh(Layer, nn.Tanh):
    """The hyperbolic tangent, of any shape."""

    # y = tanh(x)          dx = (1 − y²) dy

    def forward(self, input: Tensor) -> tuple[Tensor, Backward]:
        output = torch.tanh(input)

        def backward(grad_output: Tensor) -> Tensor:
            return grad_output * (1 - output * output).conj()

        return output, backward


class GELU(Layer, nn.GELU):
    """x · Φ(x) with Φ the normal distribution function, of any shape; `approximate="tanh"` as in `torch.nn.GELU`."""

    # y = x Φ(x)            dx = (Φ(x) + x φ(x)) dy,  φ(x) = exp(−x²/2) / √(2π).   Hendrycks, Gimpel, 2016
    # Φ(x) ≈ (1 + t) / 2    with t = tanh(u), u = √(2/π) (x + 0.044715 x³), hence Φ′ = (1 − t²) u′ / 2

    def forward(self, input: Tensor) -> tuple[Tensor, Backward]:
        def backward(grad_output: Tensor) -> Tensor:
            distribution, density = (_tanh_normal if self.approximate == "tanh" else _normal)(input)
            return grad_output * (distribution + input * density)

        return F.gelu(input, approximate=self.approximate), backward


def _normal(x: Tensor) -> tuple[Tensor, Tensor]:
    """Φ and its derivative φ."""
    return torch.special.ndtr(x), torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _tanh_normal(x: Tensor) -> tuple[Tensor, Tensor]:
    """The approximation of Φ and its own derivative."""
    scale, cubic = math.sqrt(2 / math.pi), 0.044715
    t = torch.tanh(scale * (x + cubic * x**3))
    return (1 + t) / 2, (1 - t * t) * scale * (1 + 3 * cubic * x * x) / 2


class SiLU(Layer, nn.SiLU):
    """x · σ(x), of any shape. `inplace` is accepted and means nothing."""

    # y = x σ(x)          dx = σ(x) (1 + x (1 − σ(x))) dy.   Elfwing, Uchibe, Doya, 2018

    def forward(self, input: Tensor) -> tuple[Tensor, Backward]:
        def backward(grad_output: Tensor) -> Tensor:
            sigmoid = torch.sigmoid(input)
            return grad_output * (sigmoid * (1 + input * (1 - sigmoid))).conj()

        return F.silu(input), backward


class Softmax(Layer, nn.Softmax):
    """eˣ / Σ eˣ along `dim`, of any shape. Raises `HandgradError` without `dim`: PyTorch's guess is deprecated."""

    # y_i = exp(x_i) / Σ_j exp(x_j);  ∂y_i/∂x_j = y_i (δ_ij − y_j);  dx = y (dy − Σ_j dy_j y_j)

    def forward(self, input: Tensor) -> tuple[Tensor, Backward]:
        dim = self.dim
        if dim is None:
            raise error("Softmax", "no dim given", hint="Softmax(dim=1) for (N, C) or (N, C, H, W)")
        output = F.softmax(input, dim)

        def backward(grad_output: Tensor) -> Tensor:
            return output * (grad_output - (grad_output * output).sum(dim, keepdim=True))

        return output, backward
