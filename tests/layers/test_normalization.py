"""Normalization beyond the contract: numbers far from 0, and what it refuses."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import handgrad as hg
from handgrad import layers


@pytest.mark.parametrize(
    "layer", [layers.BatchNorm1d(50), layers.GroupNorm(2, 50), layers.LayerNorm(50)], ids=["batch", "group", "layer"]
)
def test_numbers_far_from_zero_do_not_cancel(layer: layers.Layer) -> None:
    x = torch.randn(60, 50, dtype=torch.float64)
    far = (1e4 + x).float()
    y, backward = layer(far)
    grad = torch.randn(60, 50)
    dx = backward(grad)
    expected, expected_backward = layers.from_torch(layer).double()(far.double())
    torch.testing.assert_close(y.double(), expected, rtol=0, atol=0.01)  # float32 has 1e4 to 1e-3
    torch.testing.assert_close(dx.double(), expected_backward(grad.double()), rtol=0, atol=0.01)


def test_the_estimates_are_constants_of_an_earlier_backward() -> None:
    layer, x = layers.BatchNorm1d(3).eval(), torch.randn(5, 3)
    y, backward = layer(x)
    layer.train()(10 + 5 * x)
    torch.testing.assert_close(backward(torch.ones_like(y)), torch.full((5, 3), (1 + layer.eps) ** -0.5))


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (
            layers.BatchNorm2d(3),
            (2, 4, 5, 5),
            r"BatchNorm2d: the input does not fit.\n  input .*\n  needed  4 axes +C = 3",
        ),
        (layers.BatchNorm2d(3), (2, 3), "needed  4 axes"),
        (layers.BatchNorm1d(3), (2, 3, 4, 5), "BatchNorm1d: the input does not fit.\n.*\n  needed  2 or 3 axes"),
        (layers.BatchNorm1d(1), (5, 3), "C = 1"),
        (
            layers.GroupNorm(2, 6),
            (2, 4),
            r"GroupNorm: the input does not fit.\n  input .*\n  needed  \(N, C, …\)     C = 6",
        ),
        (layers.GroupNorm(2, 6), (6,), "GroupNorm: the input does not fit"),
        (
            layers.LayerNorm((4, 3)),
            (2, 3, 4),
            r"LayerNorm: the input's last axes are not normalized_shape.\n.*\n.*\(4, 3\)",
        ),
        (layers.LayerNorm((4, 3)), (3,), "LayerNorm: the input's last axes are not normalized_shape"),
        (layers.BatchNorm1d(3), (1, 3), "BatchNorm1d: 1 value a channel has no variance"),
    ],
)
def test_an_input_that_would_broadcast_is_refused(layer: layers.Layer, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(hg.HandgradError, match=message):
        layer(torch.zeros(shape))


def test_one_value_a_channel_is_enough_with_running_estimates() -> None:
    assert layers.BatchNorm1d(3).eval()(torch.zeros(1, 3))[0].shape == (1, 3)
    with pytest.raises(hg.HandgradError, match="1 value a channel has no variance"):
        layers.BatchNorm1d(3, track_running_stats=False).eval()(torch.zeros(1, 3))


def test_complex_numbers_are_refused() -> None:
    with pytest.raises(hg.HandgradError, match="LayerNorm: input is not floating point"):
        layers.LayerNorm(3, elementwise_affine=False)(torch.zeros(2, 3, dtype=torch.complex64))


NORMS = {"batch": layers.BatchNorm1d(50), "group": layers.GroupNorm(2, 50), "layer": layers.LayerNorm(50)}


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("parameters", [torch.float16, torch.float32], ids=str)
def test_halves_do_not_overflow(name: str, parameters: torch.dtype) -> None:
    layer = copy.deepcopy(NORMS[name]).to(parameters)
    exact, x, grad = copy.deepcopy(layer).double(), (300 * torch.randn(60, 50)).half(), torch.randn(60, 50).half()
    y, backward = layer(x)
    dx = backward(grad)
    expected, expected_backward = exact(x.double())
    assert y.dtype == dx.dtype == torch.float16
    torch.testing.assert_close(y.double(), expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(dx.double(), expected_backward(grad.double()), rtol=1e-3, atol=1e-6)
    for ours, theirs in zip(layer.parameters(), exact.parameters(), strict=True):
        torch.testing.assert_close(ours.grad.double(), theirs.grad, rtol=1e-3, atol=1e-2)
    for ours, theirs in zip(layer.buffers(), exact.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs.to(ours.dtype))


@pytest.mark.parametrize("name", NORMS)
def test_a_mean_of_numbers_far_from_zero_is_taken_twice(name: str) -> None:
    layer, far = copy.deepcopy(NORMS[name]), torch.randn(60, 50) + 1e5
    exact, grad = copy.deepcopy(layer).double(), torch.randn(60, 50)
    y, backward = layer(far)
    expected, expected_backward = exact(far.double())
    torch.testing.assert_close(y.double(), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(backward(grad).double(), expected_backward(grad.double()), rtol=0, atol=1e-5)


def test_a_channel_that_is_constant_has_no_variance() -> None:
    """The mean of equal numbers is rounded, and what it is off by must not make up a variance."""
    layer = layers.BatchNorm1d(64, momentum=1.0)
    y, backward = layer(torch.linspace(1e3, 1e10, 64).expand(1001, 64))
    torch.testing.assert_close(y, torch.zeros_like(y), rtol=0, atol=0.05)  # a rounding error of the input makes 3e5
    assert layer.running_var.equal(torch.zeros(64))
    assert backward(torch.ones_like(y)).isfinite().all()


def test_halves_in_evaluation_without_scale_stay_halves() -> None:
    layer, x = layers.BatchNorm1d(3, affine=False).eval(), torch.randn(5, 3).half()
    y, backward = layer(x)
    assert y.dtype == backward(y).dtype == torch.float16
    torch.testing.assert_close(y, nn.BatchNorm1d(3, affine=False).eval()(x))


@pytest.mark.parametrize("train", [True, False])
def test_running_estimates_of_another_precision_are_refused(train: bool) -> None:
    layer = layers.BatchNorm1d(3, affine=False).train(train)
    with pytest.raises(hg.HandgradError, match="BatchNorm1d: input and running_mean disagree about the dtype"):
        layer(torch.randn(5, 3).double())


def test_one_value_a_group_is_refused_as_by_torch() -> None:
    x, layer, module = torch.randn(2, 4), layers.GroupNorm(4, 4), nn.GroupNorm(4, 4)
    assert layer(x)[0].equal(torch.zeros_like(module(x)))  # two samples torch takes
    with pytest.raises(ValueError, match="more than 1 value"):
        module(x[:1])
    with pytest.raises(hg.HandgradError, match="GroupNorm: 1 value a group has no variance"):
        layer(x[:1])
