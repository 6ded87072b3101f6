"""Pooling beyond the contract: ties, and gradients that must not spread."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import handgrad as hg
from handgrad import layers


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_tied_maxima_give_the_whole_gradient_to_the_one_that_pytorch_chooses(stride: int) -> None:
    x = torch.randint(3, (2, 3, 8, 9)).double().requires_grad_()  # three values: nearly every window has a tie
    y, backward = layers.MaxPool2d(3, stride, 1)(x)
    grad = torch.rand_like(y)
    dx = backward(grad)
    nn.MaxPool2d(3, stride, 1)(x).backward(grad)
    torch.testing.assert_close(dx, x.grad)
    torch.testing.assert_close(dx.sum(), grad.sum())


def test_the_output_lies_in_memory_as_the_input() -> None:
    x = torch.randn(2, 3, 4, 6)
    assert layers.MaxPool2d(2)(x)[0].is_contiguous()
    assert layers.MaxPool2d(2)(x.to(memory_format=torch.channels_last))[0].is_contiguous(
        memory_format=torch.channels_last
    )


def test_return_indices_is_refused() -> None:
    with pytest.raises(hg.HandgradError, match="MaxPool2d: return_indices is not supported"):
        layers.MaxPool2d(2, return_indices=True)(torch.zeros(1, 1, 4, 4))


@pytest.mark.parametrize("pool", [layers.AvgPool2d(2), layers.AdaptiveAvgPool2d(2), layers.MaxPool2d(2)], ids=repr)
def test_an_infinite_gradient_stays_in_its_window(pool: layers.Layer) -> None:
    y, backward = pool(torch.randn(1, 1, 4, 4))
    grad = torch.ones_like(y)
    grad[0, 0, 0, 0] = torch.inf
    dx = backward(grad)
    assert dx[..., :2, :2].isinf().any()
    assert dx[..., 2:].isfinite().all()
    assert dx[..., 2:, :].isfinite().all()


@pytest.mark.parametrize("size", [(2,), [3, 2], (3, 2)], ids=str)
def test_kernel_sizes_may_be_sequences(size) -> None:
    x = torch.randn(2, 3, 6, 8).double().requires_grad_()
    y, backward = layers.AvgPool2d(size)(x)
    dx = backward(torch.ones_like(y))
    nn.AvgPool2d(size)(x).sum().backward()
    torch.testing.assert_close(dx, x.grad)


NOTHING = -torch.inf  # the maximum of a window of padding alone


@pytest.mark.parametrize(
    ("pool", "x", "y", "grad", "dx"),
    [
        (layers.MaxPool1d(2, stride=1, padding=1, dilation=2), [[5.0]], [[NOTHING]], [[7.0]], [[0.0]]),
        (  # rows −1 and 0 of height 2; columns −1 and 2, 0 and 3 of width 2
            layers.MaxPool2d([2, 2], [3, 1], [1, 1], [1, 3]),
            [[[1.0, 2.0], [3.0, 4.0]]],
            [[[NOTHING]]],
            [[[7.0]]],
            [[[0.0, 0.0], [0.0, 0.0]]],
        ),
    ],
    ids=["one element", "between the columns"],
)
def test_a_window_of_padding_alone_has_no_gradient(pool: layers.Layer, x: list, y: list, grad: list, dx: list) -> None:
    output, backward = pool(torch.tensor(x))
    assert output.tolist() == y
    assert backward(torch.tensor(grad)).tolist() == dx


@pytest.mark.parametrize("name", ["AvgPool2d", "MaxPool2d"])
def test_sizes_may_be_of_numpy(name: str) -> None:
    x = torch.randn(1, 2, 4, 6)
    (y, backward), (expected, other) = (getattr(layers, name)(size)(x) for size in (np.int64(2), 2))
    assert y.equal(expected)
    assert backward(y).equal(other(y))


@pytest.mark.parametrize("pool", [layers.AvgPool2d(2), layers.AdaptiveAvgPool2d(2), layers.MaxPool2d(2)], ids=repr)
def test_settings_of_a_forward_pass_are_those_of_its_backward_pass(pool: layers.Layer) -> None:
    y, backward = pool(torch.randn(1, 1, 4, 4))
    expected = backward(y)
    pool.kernel_size = pool.stride = pool.output_size = 4
    assert backward(y).equal(expected)


@pytest.mark.parametrize("pool", [layers.AvgPool2d(2), layers.AdaptiveAvgPool2d(2), layers.MaxPool2d(2)], ids=repr)
def test_a_default_device_means_nothing(pool: layers.Layer) -> None:
    x = torch.randn(1, 1, 4, 4)
    y, backward = pool(x)
    expected = backward(y)
    pool = type(pool)(2)
    with torch.device("meta"):
        y, backward = pool(x)
        actual = backward(y)
    assert actual.equal(expected)


def test_a_pool_to_no_element_has_no_gradient() -> None:
    y, backward = layers.AdaptiveAvgPool2d((0, 2))(torch.randn(1, 2, 3, 4))
    assert y.shape == (1, 2, 0, 2)
    assert backward(y).equal(torch.zeros(1, 2, 3, 4))


@pytest.mark.parametrize("batch", [(), (2,)], ids=["one", "batch"])
@pytest.mark.parametrize("name", ["MaxPool1d", "MaxPool2d", "MaxPool3d"])
def test_channels_innermost_get_their_own_gradients(name: str, batch: tuple[int, ...]) -> None:
    dims = int(name[-2])
    x = torch.randint(-3, 4, (*batch, *range(5, 5 + dims), 3)).double().movedim(-1, -dims - 1)
    y, backward = getattr(layers, name)(3, 2, 1)(x)
    grad = torch.randn_like(y)
    found = backward(grad)
    x.requires_grad_()
    getattr(nn, name)(3, 2, 1)(x).backward(grad)
    torch.testing.assert_close(found, x.grad, rtol=1e-12, atol=1e-12)
    assert found.stride() == x.stride()
