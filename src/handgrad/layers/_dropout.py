"""Dropout."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._backward import Pullback
from ._layer import Layer


class Dropout(Layer, nn.Dropout):
    """Zero each element with probability `p`, scale the rest by 1/(1 − p); the identity in evaluation. Of any shape.

    Draws what `torch.nn.Dropout` draws from the same generator state. `inplace` is accepted and means nothing.
    """

    # y = m x          dx = m dy,   m = 0 with probability p, else 1/(1 − p).   Srivastava et al., 2014

    def forward(self, input: Tensor) -> tuple[Tensor, Pullback]:
        if not self.training:
            return input, lambda grad_output: grad_output
        mask = F.dropout(torch.ones_like(input), self.p)

        def backward(grad_output: Tensor) -> Tensor:
            return mask * grad_output

        return mask * input, backward
