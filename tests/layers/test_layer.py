"""The skeleton: what it refuses, and how it works together with PyTorch's tools."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

import handgrad as hg
from handgrad import layers
from handgrad.layers import Backward, Layer


class PReLU(Layer, nn.PReLU):
    """A layer as a reader of the documentation would write one."""

    def forward(self, input: Tensor) -> tuple[Tensor, Backward]:
        def backward(grad_output: Tensor) -> Tensor:
            self.accumulate_grad(weight=(grad_output * input.clamp(max=0)).sum().view(1))
            return grad_output * torch.where(input > 0, 1, self.weight)

        return F.prelu(input, self.weight), backward


def test_a_layer_of_your_own_has_all_that_is_promised() -> None:
    layer, x = PReLU(), torch.randn(3, 4, requires_grad=True)
    with torch.inference_mode():
        y, backward = layer(x)
        dx = backward(torch.ones_like(y))
    expected = F.prelu(x, layer.weight)
    dx_expected, dw_expected = torch.autograd.grad(expected.sum(), [x, layer.weight])
    torch.testing.assert_close(y, expected.detach())
    torch.testing.assert_close(dx, dx_expected)
    torch.testing.assert_close(layer.weight.grad, dw_expected)
    assert not layer.weight.grad.is_inference()


@pytest.mark.parametrize(
    ("input", "message"),
    [
        ([1.0, 2.0], "Linear: input is no tensor.\n  input  list"),
        (layers.ReLU()(torch.zeros(2, 3)), "hint: a layer returns \\(output, backward\\); only the output goes on"),
        (
            torch.zeros(2, 3, dtype=torch.int32),
            "Linear: input is not floating point.\n  input  \\(2, 3\\)     torch.int32",
        ),
        (
            torch.zeros(2, 3, dtype=torch.float64),
            "Linear: input and weight disagree about the dtype.\n"
            "  input   \\(2, 3\\)     torch.float64\n  weight  \\(4, 3\\)     torch.float32\n"
            "hint: `input.to\\(torch.float32\\)`",
        ),
    ],
)
def test_a_wrong_input_is_refused(input: object, message: str) -> None:
    with pytest.raises(hg.HandgradError, match=message):
        layers.Linear(3, 4)(input)


@pytest.mark.parametrize("grad", [torch.zeros(4), torch.zeros(2, 4, dtype=torch.float64)], ids=["shape", "dtype"])
def test_a_wrong_grad_output_is_refused(grad: Tensor) -> None:
    _, backward = layers.Linear(3, 4)(torch.zeros(2, 3))
    with pytest.raises(hg.HandgradError, match="Linear: grad_output is not like the output"):
        backward(grad)


def test_a_weight_that_was_stepped_before_backward_is_refused() -> None:
    layer = layers.Sequential(layers.Linear(3, 4), layers.Tanh(), layers.Linear(4, 3))
    y, backward = layer(torch.randn(2, 3))
    backward(torch.ones_like(y))
    torch.optim.SGD(layer[0].parameters(), 0.1).step()
    with pytest.raises(hg.HandgradError, match="Linear: weight and bias changed since the forward pass"):
        backward(torch.ones_like(y))


class Wrong(Layer, nn.Linear):
    """Returns what the framework's own engine would silently sum, or names what is not there."""

    name = "weight"

    def forward(self, input: Tensor) -> tuple[Tensor, Backward]:
        def backward(grad_output: Tensor) -> Tensor:
            self.accumulate_grad(**{self.name: grad_output[:, :, None] * input[:, None, :]})
            return grad_output

        return F.linear(input, self.weight, self.bias), backward


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("weight", "the gradient of weight has another shape.\n  gradient   \\(2, 4, 3\\)\n  parameter  \\(4, 3\\)"),
        ("kernel", "kernel is no parameter of this layer.\n  parameters  \\['weight', 'bias'\\]"),
    ],
)
def test_a_wrong_gradient_of_a_parameter_is_refused(name: str, message: str) -> None:
    layer = Wrong(3, 4)
    layer.name = name
    y, backward = layer(torch.zeros(2, 3))
    with pytest.raises(hg.HandgradError, match=message):
        backward(y)


def test_a_parametrized_weight_is_refused() -> None:
    layer = parametrizations.weight_norm(layers.Linear(3, 4))
    y, backward = layer(torch.zeros(2, 3))
    with pytest.raises(hg.HandgradError, match="weight is no parameter of this layer"):
        backward(y)


def test_a_tied_weight_gets_both_gradients() -> None:
    first, second, x = layers.Linear(3, 3, bias=False), layers.Linear(3, 3, bias=False), torch.randn(2, 3)
    second.weight = first.weight
    y, backward = layers.Sequential(first, second)(x)
    backward(torch.ones_like(y))
    (expected,) = torch.autograd.grad(F.linear(F.linear(x, first.weight), first.weight).sum(), first.weight)
    torch.testing.assert_close(first.weight.grad, expected)


def test_a_layer_may_be_born_under_inference_mode() -> None:
    with torch.inference_mode():
        network = layers.Sequential(layers.Linear(3, 4), layers.BatchNorm1d(4))
        y, backward = network(torch.randn(5, 3))
        backward(torch.ones_like(y))
        assert network[0].weight.is_inference()
    assert not any(parameter.grad.is_inference() for parameter in network.parameters())


def test_a_weight_in_channels_last_keeps_its_layout() -> None:
    layer = layers.Conv2d(2, 4, 3).to(memory_format=torch.channels_last)
    y, backward = layer(torch.randn(1, 2, 5, 5))
    backward(torch.ones_like(y))
    assert layer.weight.grad.stride() == layer.weight.stride() == (18, 1, 6, 2)


@pytest.mark.filterwarnings("ignore:Complex modules")
@pytest.mark.parametrize("layer", [layers.Linear, layers.Conv1d], ids=["Linear", "Conv1d"])
def test_complex_numbers_follow_the_convention_of_autograd(layer: type[Layer]) -> None:
    build = {layers.Linear: (3, 4), layers.Conv1d: (2, 4, 3)}[layer]
    network = layers.Sequential(layer(*build), layers.Sigmoid(), layers.Tanh()).to(torch.complex128)
    for parameter in network.parameters():
        parameter.data.copy_(torch.randn_like(parameter))  # with an imaginary part
    module, x = layers.to_torch(network), torch.randn(2, 2, 3, dtype=torch.complex128)
    y, backward = network(x)
    grad = torch.randn_like(y)
    dx = backward(grad)
    x.requires_grad_()
    module(x).backward(grad)
    torch.testing.assert_close(dx, x.grad, rtol=1e-10, atol=1e-12)
    for ours, theirs in zip(network.parameters(), module.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-10, atol=1e-12)


def test_silu_of_complex_numbers() -> None:
    x = torch.randn(4, dtype=torch.complex128, requires_grad=True)  # PyTorch's own silu has no gradient for them
    y, backward = layers.SiLU()(x)
    dx = backward(torch.ones_like(y))
    (x * torch.sigmoid(x)).backward(torch.ones_like(y))
    torch.testing.assert_close(dx, x.grad, rtol=1e-10, atol=1e-12)
