"""The fully connected layer, and the flattening before it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ._layer import Backward, Layer


class Linear(Layer, nn.Linear):
    """x Wᵀ + b, (…, in_features) to (…, out_features); raises `HandgradError` if the last axis differs."""

    # y = x Wᵀ + b          dx = dy W,   dW = Σ_n dy_nᵀ x_n,   db = Σ_n dy_n

    def forward(self, input: Tensor) -> tuple[Tensor, Backward]:
        weight, batch = self.weight, input.shape[:-1].numel()
        if input.shape[-1:] != weight.shape[1:]:
            problem = "the input's last axis is not in_features"
            raise self._error(problem, input=input.shape, weight=weight.shape)

        def backward(grad_output: Tensor) -> Tensor:
            inputs = input.reshape(batch, weight.shape[1])  # (…, in) = (n, in)
            grads = grad_output.reshape(batch, weight.shape[0])  # (…, out) = (n, out)
            self.accumulate_grad(weight=grads.mT @ inputs.conj(), bias=grads.sum(0))
            return grad_output @ weight.conj()

        return F.linear(input, weight, self.bias), backward


class Flatten(Layer, nn.Flatten):
    """Join the axes `start_dim` to `end_dim` into one."""

    # y = x in another shape          dx = dy in the first

    def forward(self, input: Tensor) -> tuple[Tensor, Backward]:
        shape = input.shape  # of the input itself the backward pass needs nothing

        def backward(grad_output: Tensor) -> Tensor:
            return grad_output.reshape(shape)

        return input.flatten(self.start_dim, self.end_dim), backward
