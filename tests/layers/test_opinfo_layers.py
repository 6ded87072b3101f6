"""PyTorch's own operator database on layers and losses: inputs that nobody here chose.

A sample of a function becomes a layer with the sample's settings and weights; what autograd says about the function
must hold for the layer. How many samples ran is part of each test, so that none can pass by running nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import handgrad as hg
from handgrad import layers, losses
from oracles import assert_equal
from test_opinfo import operator

Build = Callable[..., layers.Layer]

WITHOUT_WEIGHTS = {
    "max_pool1d": (layers.MaxPool1d, 432), "max_pool2d": (layers.MaxPool2d, 720), "max_pool3d": (layers.MaxPool3d, 288),
    "avg_pool1d": (layers.AvgPool1d, 9), "avg_pool2d": (layers.AvgPool2d, 7), "avg_pool3d": (layers.AvgPool3d, 8),
    "adaptive_avg_pool1d": (layers.AdaptiveAvgPool1d, 6), "adaptive_avg_pool2d": (layers.AdaptiveAvgPool2d, 10),
    "adaptive_avg_pool3d": (layers.AdaptiveAvgPool3d, 12),
    "relu": (layers.ReLU, 4), "leaky_relu": (layers.LeakyReLU, 9), "silu": (layers.SiLU, 3), "gelu": (layers.GELU, 8),
}  # fmt: skip


@pytest.mark.parametrize("name", WITHOUT_WEIGHTS)
def test_layers_without_weights(name: str) -> None:
    build, count = WITHOUT_WEIGHTS[name]
    samples = [sample for sample in drawn(name) if not sample.kwargs.get("return_indices")]
    assert len(samples) == count
    for sample in samples:
        layer = build(*sample.args, **sample.kwargs)
        compare(layer, sample.input, operator(name)(sample.input, *sample.args, **sample.kwargs))


def linear(_: Tensor, weight: Tensor, bias: Tensor | None = None) -> layers.Layer:
    return weighted(layers.Linear(*reversed(weight.shape)), weight, bias)


def layer_norm(
    _: Tensor, shape: tuple[int, ...], weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> layers.Layer:
    return weighted(layers.LayerNorm(shape, eps), weight, bias)


def group_norm(
    x: Tensor, groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> layers.Layer:
    return weighted(layers.GroupNorm(groups, x.shape[1], eps), weight, bias)


def batch_norm(
    x: Tensor,
    mean: Tensor | None,
    variance: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> layers.Layer:
    build = layers.BatchNorm2d if x.ndim == 4 else layers.BatchNorm1d
    layer = build(x.shape[1], eps, momentum, track_running_stats=mean is not None).train(training)
    layer.running_mean, layer.running_var = (
        tensor if tensor is None else tensor.clone() for tensor in (mean, variance)
    )
    return weighted(layer, weight, bias)


def weighted(layer: layers.Layer, weight: Tensor | None, bias: Tensor | None) -> layers.Layer:
    for name, tensor in [("weight", weight), ("bias", bias)]:
        setattr(layer, name, None if tensor is None else nn.Parameter(tensor.detach().clone()))
    return layer


@pytest.mark.parametrize(("build", "count"), [(linear, 18), (layer_norm, 6), (group_norm, 21), (batch_norm, 10)])
def test_layers_with_weights(build: Build, count: int) -> None:
    samples = [sample for sample in drawn(build.__name__) if build is not batch_norm or sample.input.ndim > 1]
    assert len(samples) == count  # two of batch_norm's have one axis, which no module takes
    for sample in samples:
        layer = build(sample.input, *sample.args, **sample.kwargs)
        y = operator(build.__name__)(sample.input, *sample.args, **sample.kwargs)
        tensors = [tensor for tensor in (*sample.args, *sample.kwargs.values()) if isinstance(tensor, Tensor)]
        compare(layer, sample.input, y, [tensor for tensor in tensors if tensor.requires_grad])
        for ours, theirs in zip((b for b in layer.buffers() if b.ndim), tensors, strict=False):
            assert_equal(ours, theirs)  # the running estimates come first among the arguments


LOSSES = {"cross_entropy": 21, "binary_cross_entropy_with_logits": 26, "mse_loss": 6, "l1_loss": 6, "huber_loss": 9}


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str) -> None:
    samples = drawn(name)
    assert len(samples) == LOSSES[name]
    for sample in samples:
        expected = operator(name)(sample.input, *sample.args, **sample.kwargs)
        value, backward = getattr(losses, name)(sample.input, *sample.args, **sample.kwargs)
        grad = torch.randn_like(value)
        assert_equal(value, expected.detach())
        assert_equal(backward(grad), *torch.autograd.grad(expected, sample.input, grad))


@pytest.mark.parametrize(("name", "count"), [("l1_loss", 2), ("huber_loss", 3)])
def test_error_inputs_of_losses(name: str, count: int) -> None:
    errors = list(operator(name).error_inputs("cpu"))
    assert len(errors) == count
    for bad in errors:
        with pytest.raises(hg.HandgradError, match=f"^{name}: "):
            getattr(losses, name)(bad.sample_input.input, *bad.sample_input.args, **bad.sample_input.kwargs)


def drawn(name: str) -> list[Any]:
    return list(operator(name).sample_inputs("cpu", torch.float64, requires_grad=True))


def compare(layer: layers.Layer, x: Tensor, expected: Tensor, weights: list[Tensor] | None = None) -> None:
    """Output and gradients of the layer against those of `expected`, a function of x and the weights."""
    y, backward = layer(x)
    dy = torch.randn_like(y)
    assert_equal(y, expected.detach())
    dx = backward(dy)
    truth = torch.autograd.grad(expected, [x, *(weights or [])], dy)
    for ours, theirs in zip([dx, *(parameter.grad for parameter in layer.parameters())], truth, strict=True):
        assert_equal(ours, theirs)
