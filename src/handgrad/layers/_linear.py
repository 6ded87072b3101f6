"""The fully connected layer, and the flattening before it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from .._errors import error
from ._layer import Backward, Layer


class Linear(Layer, nn.Linear):
    """x Wᵀ + b, (…, in_features) to (…, out_features); raises `HandgradError` if the last axis differs."""

    # y = x Wᵀ + b          dx = dy W,   dW = Σ_n dy_nᵀ x_n,   db = Σ_n dy_n

    def forward(self, input: Tensor) -> tuple[Tensor, Backward]:
        weight = self.weight
        if input.shape[-1:] != weight.shape[1:]:
            raise error("Linear", "the input's last axis is not in_features", input=input.shape, weight=weight.shape)

        def backward(grad_output: Tensor) -> Tensor:
            inputs = input.reshape(-1, self.in_features)  # (…, in) = (n, in)
            grads = grad_output.reshape(-1, self.out_features)  # (…, out) = (n, out)
            self.accumulate_grad(weight=grads.mT @ inputs.conj(), bias=grads.sum(0))
            return grad_output @ weight.conj()

        return F.linear(input, weight, self.bias), backward


class Flatten(Layer, nn.Flatten):
    """Join the axes `start_dim` to `end_dim` into one."""

    # y = x in another shape          dx = dy in the first

    def forward(self, input: Tensor) -> tuple[Tensor, Backward]:
        def backward(grad_output: Tensor) -> Tensor:
            return grad_output.reshape(input.shape)

        return input.flatten(self.start_dim, self.end_dim), backward
