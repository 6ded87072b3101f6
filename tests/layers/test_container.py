"""Sequential and Residual beyond the contract: building, indexing, and what they refuse."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import handgrad as hg
from handgrad import layers


@pytest.fixture
def chain() -> layers.Sequential:
    return layers.Sequential(layers.Linear(3, 4), layers.Tanh(), layers.Linear(4, 3))


def test_slices_sums_and_products_are_layers_that_share_the_children(chain: layers.Sequential) -> None:
    assert chain[0] is next(iter(chain))
    for derived, children in [
        (chain[1:], [chain[1], chain[2]]),
        (chain + chain[:1], [*chain, chain[0]]),
        (2 * chain, [*chain, *chain]),
        (chain * 2, [*chain, *chain]),
    ]:
        assert type(derived) is layers.Sequential
        assert list(derived) == children


def test_a_child_may_stand_twice(chain: layers.Sequential) -> None:
    x = torch.randn(2, 3)
    y, backward = (2 * chain)(x)
    dx = backward(torch.ones_like(y))
    module = layers.to_torch(chain)
    x.requires_grad_()
    module(module(x)).sum().backward()
    torch.testing.assert_close(dx, x.grad)
    torch.testing.assert_close(chain[0].weight.grad, module[0].weight.grad)


def test_a_child_that_is_no_layer_is_named() -> None:
    with pytest.raises(
        hg.HandgradError, match=r"Sequential: child 1 is no layer of handgrad.\n  child  ReLU\nhint:.*from_torch"
    ):
        layers.Sequential(layers.Linear(3, 4), nn.ReLU())(torch.zeros(2, 3))
    with pytest.raises(hg.HandgradError, match="Residual: child body is no layer"):
        layers.Residual(nn.Linear(3, 3))(torch.zeros(2, 3))
    with pytest.raises(hg.HandgradError, match="Residual: child shortcut is no layer"):
        layers.Residual(layers.Identity(), nn.Identity())(torch.zeros(2, 3))


def test_a_body_that_the_shortcut_would_broadcast_to_is_refused() -> None:
    message = (
        r"body and shortcut disagree about the shape.\n  input     \(2, 3\)\n  body      \(2, 1\)\n  shortcut  \(2, 3\)"
    )
    with pytest.raises(hg.HandgradError, match=message):
        layers.Residual(layers.Linear(3, 1))(torch.zeros(2, 3))
