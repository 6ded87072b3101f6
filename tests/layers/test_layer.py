"""The skeleton: what it refuses, and how it works together with PyTorch's tools."""

from __future__ import annotations

import re

import numpy as np
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


@pytest.mark.parametrize(
    ("grad", "message"),
    [
        (None, "Linear: grad_output is no tensor.\n  grad_output  NoneType"),
        (1.0, "Linear: grad_output is no tensor.\n  grad_output  float"),
        ((torch.zeros(2, 4), None), "hint: a layer returns \\(output, backward\\)"),
        (np.zeros((2, 4)), "hint: `torch.from_numpy"),
        (torch.zeros(2, 4, device="meta"), "not like the output.\n.*torch.float32 on meta\n"),
    ],
    ids=["none", "number", "tuple", "numpy", "device"],
)
def test_a_grad_output_that_is_no_tensor_of_this_device_is_refused(grad: object, message: str) -> None:
    _, backward = layers.Linear(3, 4)(torch.zeros(2, 3))
    with pytest.raises(hg.HandgradError, match=message):
        backward(grad)


@pytest.mark.parametrize("layer", [layers.Linear(3, 4, device="meta"), layers.BatchNorm1d(3, device="meta")], ids=repr)
def test_an_input_on_another_device_is_refused(layer: Layer) -> None:
    with pytest.raises(hg.HandgradError, match=r"the devices differ.\n  input +cpu\n  weight +meta"):
        layer(torch.zeros(2, 3))


COMPLEX = torch.zeros(1, 2, 4, 4, dtype=torch.complex64)
IMAGE = torch.zeros(1, 2, 4, 4)


@pytest.mark.parametrize(
    ("layer", "input", "reason"),
    [
        (layers.Softmax(7), IMAGE, "Dimension out of range"),
        (layers.Flatten(1, 9), IMAGE, "Dimension out of range"),
        (layers.MaxPool2d(2), IMAGE[0, 0], "3D or 4D"),
        (layers.MaxPool2d(5), IMAGE, "too small"),
        (layers.AvgPool2d(2), IMAGE[0, 0], "Dimension out of range"),
        (layers.AvgPool2d(5), IMAGE, "too small"),
        (layers.AdaptiveAvgPool2d(2), IMAGE[0, 0], "3D or 4D"),
        *[(getattr(layers, name)(), COMPLEX, "complex|Complex") for name in ("ReLU", "LeakyReLU", "GELU", "Dropout")],
        *[(getattr(layers, f"{name}2d")(2), COMPLEX, "Complex") for name in ("MaxPool", "AvgPool", "AdaptiveAvgPool")],
        (layers.Softmax(1), COMPLEX, "Complex"),
    ],
    ids=str,
)
def test_what_pytorch_refuses_is_refused_in_our_words(layer: Layer, input: Tensor, reason: str) -> None:
    rows = f"  input .*torch.*\n  settings  {re.escape(layer.extra_repr())}\n  reason .*({reason})"
    message = f"^{type(layer).__name__}: cannot take this input.\n{rows}".replace("settings  \n", "settings\n")
    with pytest.raises(hg.HandgradError, match=message) as caught:
        layer(input)
    assert caught.value.__cause__ is not None


def test_out_of_memory_stays_what_it_is() -> None:
    class Greedy(Layer):
        def forward(self, input: Tensor) -> tuple[Tensor, Backward]:  # noqa: ARG002
            raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        Greedy()(IMAGE)


NEEDS = {  # what may not change between forward and backward, and what may
    "Linear(3, 3)": ("input", "output"),
    "Conv1d(2, 2, 1)": ("input", "output"),
    "LeakyReLU()": ("input", "output"),
    "GELU()": ("input", "output"),
    "SiLU()": ("input", "output"),
    "ReLU()": ("output", "input"),
    "Sigmoid()": ("output", "input"),
    "Tanh()": ("output", "input"),
    "Softmax(-1)": ("output", "input"),
    "LayerNorm(3, elementwise_affine=False)": ("output", "input"),
    "GroupNorm(1, 2, affine=False)": ("output", "input"),
    "BatchNorm1d(2, affine=False)": ("", "output"),  # neither: c = x − μ, which is both but for constants, is its own
}


@pytest.mark.parametrize("build", NEEDS)
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.inference_mode])
def test_what_backward_needs_must_not_change_and_the_rest_may(build: str, mode) -> None:
    layer, x = eval(f"layers.{build}"), torch.randn(4, 2, 3)
    for changed in filter(None, NEEDS[build]):
        given = x.clone()
        with mode():
            y, backward = layer(given)
        expected = backward(x)
        for _ in range(2):
            {"input": given, "output": y}[changed].detach().zero_()
            if changed == NEEDS[build][0] and not (y.is_inference() and changed == "output"):
                with pytest.raises(
                    hg.HandgradError, match=f"{changed} changed since the forward pass.\nhint: backward"
                ):
                    backward(x)
            elif changed != NEEDS[build][0]:
                assert backward(x).equal(expected)


def test_a_sum_into_the_output_is_seen_across_a_network() -> None:
    network = layers.Sequential(layers.Linear(3, 3), layers.Identity(), layers.Dropout().eval(), layers.ReLU())
    y, backward = network(torch.randn(2, 3))
    y += 1
    with pytest.raises(hg.HandgradError, match="ReLU: output changed"):
        backward(torch.ones_like(y))


def test_the_input_is_free_after_backward() -> None:
    layer, buffer = layers.Linear(3, 4), torch.empty(2, 3)
    for _ in range(2):
        y, backward = layer(buffer.normal_())
        backward(torch.ones_like(y))


def test_what_is_given_on_as_it_is_may_be_changed_after_its_last_use() -> None:
    for layer in (layers.Identity(), layers.Dropout().eval()):
        x = torch.randn(2, 3)
        y, backward = layer(x)
        assert y.data_ptr() == x.data_ptr()
        y.zero_()
        assert backward(torch.ones(2, 3)).equal(torch.ones(2, 3))


def test_a_conversion_between_forward_and_backward_is_refused() -> None:
    layer = layers.Linear(3, 4)
    y, backward = layer(torch.zeros(2, 3))
    layer.double()
    with pytest.raises(hg.HandgradError, match="Linear: weight and bias changed since the forward pass"):
        backward(y)


class Deep(Layer):
    """Its backward pass refers to a tensor only by a function, to itself, and to a variable without a value."""

    def forward(self, input: Tensor) -> tuple[Tensor, Backward]:
        def slope() -> Tensor:
            return input

        def backward(grad_output: Tensor, turns: int = 1) -> Tensor:
            return grad_output * slope() if turns else backward(grad_output) + missing

        if input.numel() == 0:
            missing = input
        return input.square() / 2, backward


def test_functions_that_a_closure_refers_to_are_watched_too() -> None:
    x = torch.randn(3)
    y, backward = Deep()(x)
    assert backward(y).equal(y * x)
    x += 1
    with pytest.raises(hg.HandgradError, match="Deep: input changed"):
        backward(y)


def test_autocast_means_nothing() -> None:
    network = layers.Sequential(layers.Linear(3, 4), layers.LayerNorm(4), layers.Softmax(-1), layers.Linear(4, 2))
    x, outside = torch.randn(5, 3), layers.from_torch(network)
    y, backward = outside(x)
    expected = backward(y)
    with torch.autocast("cpu", torch.bfloat16):
        output, backward = network(x)
        grad = backward(output)
    assert output.equal(y)
    assert grad.equal(expected)
    for ours, theirs in zip(network.parameters(), outside.parameters(), strict=True):
        assert ours.grad.equal(theirs.grad)
