"""The fully connected layer, and the flattening before it."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from ..per_sample._use import by_last
from ..per_sample._weights import Dense
from ._backward import Again, Pullback, fresh
from ._layer import Layer


class Linear(Layer, nn.Linear):
    """x Wᵀ + b, (…, in_features) to (…, out_features); raises `HandgradError` if the last axis differs."""

    # y = x Wᵀ + b          dx = dy W,   dW = Σ_n dy_nᵀ x_n,   db = Σ_n dy_n

    @fresh
    def forward(self, input: Tensor, *, again: Again | None = None) -> tuple[Tensor, Pullback]:
        weight = self.weight
        if input.shape[-1:] != weight.shape[1:]:
            problem = "the input's last axis is not in_features"
            raise self._error(problem, input=input.shape, weight=weight.shape)
        x: Callable[[], Tensor] = again or (lambda: input)

        @fresh
        def backward(grad_output: Tensor, needs_input: bool = True) -> Tensor | None:
            products = Dense("Linear", x(), weight.shape, grad_output)
            self.accumulate_grad(weight=products, bias=by_last(weight.shape[:1], grad_output=grad_output))
            return grad_output @ weight.conj() if needs_input else None

        return F.linear(input, weight, self.bias), backward


class Flatten(Layer, nn.Flatten):
    """Join the axes `start_dim` to `end_dim` into one."""

    # y = x in another shape          dx = dy in the first

    def forward(self, input: Tensor) -> tuple[Tensor, Pullback]:
        shape = input.shape  # of the input itself the backward pass needs nothing

        def backward(grad_output: Tensor) -> Tensor:
            return grad_output.reshape(shape)

        return input.flatten(self.start_dim, self.end_dim), backward
