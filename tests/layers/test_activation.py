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


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_the_slope_of_gelu_is_0_or_1_far_away(approximate: str, dtype: torch.dtype) -> None:
    largest = torch.finfo(dtype).max
    x = torch.tensor([-torch.inf, -largest, -300, -41, 41, 300, largest, torch.inf], dtype=dtype)
    _, backward = layers.GELU(approximate)(x)
    assert backward(torch.ones_like(x)).tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize("name", ["ReLU", "LeakyReLU"])
def test_infinite_gradients_and_inputs_that_are_no_numbers_are_those_of_autograd(name: str) -> None:
    layer, module = getattr(layers, name)(), getattr(nn, name)()
    x = torch.tensor([torch.nan, -1.0, -0.0, 0.0, 1e-45, 1.0], requires_grad=True)
    for grad in [torch.full((6,), torch.inf), torch.full((6,), -torch.inf), torch.tensor([1, -2.0, 3, 4, -5, 6])]:
        _, backward = layer(x)
        torch.testing.assert_close(backward(grad), *torch.autograd.grad(module(x), x, grad))


@pytest.mark.parametrize(
    ("layer", "name", "other"),
    [(layers.LeakyReLU(0.2), "negative_slope", 9.0), (layers.GELU(), "approximate", "tanh")],
    ids=["LeakyReLU", "GELU"],
)
def test_settings_of_a_forward_pass_are_those_of_its_backward_pass(layer, name: str, other: object) -> None:
    x = torch.randn(9)
    y, backward = layer(x)
    expected = backward(torch.ones_like(y))
    setattr(layer, name, other)
    assert backward(torch.ones_like(y)).equal(expected)


@pytest.mark.filterwarnings("ignore:Initializing zero-element")
@pytest.mark.parametrize(("inputs", "outputs"), [(0, 3), (3, 0)])
def test_linear_may_be_empty(inputs: int, outputs: int) -> None:
    layer = layers.Linear(inputs, outputs)
    _, backward = layer(torch.ones(2, inputs))
    assert backward(torch.ones(2, outputs)).equal(torch.zeros(2, inputs))
    assert layer.bias.grad.equal(torch.full((outputs,), 2.0))
