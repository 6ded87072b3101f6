"""Activations and the linear layer beyond the contract: kinks, far tails, and what they refuse."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import handgrad as hg
from handgrad import layers

EXTREME = torch.tensor([-1e30, -1e4, -88.0, -9.0, -0.0, 0.0, 9.0, 88.0, 1e4, 1e30])


@pytest.mark.parametrize("name", ["ReLU", "LeakyReLU", "Sigmoid", "Tanh", "GELU", "SiLU"])
def test_kinks_and_tails_are_those_of_autograd(name: str) -> None:
    layer, module, x = getattr(layers, name)(), getattr(nn, name)(), EXTREME.clone().requires_grad_()
    y, backward = layer(x)
    dx = backward(torch.ones_like(y))
    module(x).sum().backward()
    assert dx.isfinite().all()
    torch.testing.assert_close(dx, x.grad)


def test_softmax_of_huge_logits() -> None:
    y, backward = layers.Softmax(0)(torch.tensor([1e30, 1e30, -1e30]))
    assert y.tolist() == [0.5, 0.5, 0]
    assert backward(torch.tensor([1.0, 0, 0])).tolist() == [0.25, -0.25, 0]


def test_softmax_needs_a_dim() -> None:
    with pytest.raises(hg.HandgradError, match=r"Softmax: no dim given.\nhint: Softmax\(dim=1\)"):
        layers.Softmax()(torch.zeros(2, 3))


@pytest.mark.parametrize("shape", [(2, 4), (2, 3, 1), ()])
def test_linear_refuses_another_last_axis(shape: tuple[int, ...]) -> None:
    with pytest.raises(hg.HandgradError, match="Linear: the input's last axis is not in_features"):
        layers.Linear(3, 4)(torch.zeros(shape))
