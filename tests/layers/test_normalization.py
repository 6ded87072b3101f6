"""Normalization beyond the contract: numbers far from 0, and what it refuses."""

from __future__ import annotations

import pytest
import torch

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
