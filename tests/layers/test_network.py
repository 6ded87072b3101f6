"""A whole small network: its gradients, and its walk under each optimizer, against autograd."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from handgrad import layers, losses


def small_network() -> layers.Sequential:
    """A layer of each kind that keeps state, and one way around."""
    body = layers.Sequential(layers.Conv2d(4, 4, 3, padding=1), layers.GELU(), layers.GroupNorm(2, 4))
    return layers.Sequential(
        layers.Conv2d(2, 4, 3, padding="same", bias=False),
        layers.BatchNorm2d(4),
        layers.ReLU(),
        layers.MaxPool2d(2),
        layers.Residual(body),
        layers.ConvTranspose2d(4, 4, 2, 2),
        layers.Dropout(0.2),
        layers.AdaptiveAvgPool2d(2),
        layers.Flatten(),
        layers.LayerNorm(16),
        layers.Linear(16, 3),
    ).double()


X, TARGET = torch.randn(4, 2, 6, 6, generator=torch.Generator().manual_seed(1)).double(), torch.tensor([0, 2, 1, 2])


@pytest.mark.smoke
def test_all_gradients_are_those_of_autograd() -> None:
    network = small_network()
    module, x = layers.to_torch(network), X.clone().requires_grad_()
    torch.manual_seed(0)
    y, backward = network(x)
    loss, loss_backward = losses.cross_entropy(y, TARGET, label_smoothing=0.1)
    dx = backward(loss_backward())
    torch.manual_seed(0)
    expected = F.cross_entropy(module(x), TARGET, label_smoothing=0.1)
    expected.backward()
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-10, atol=0)
    torch.testing.assert_close(dx, x.grad, rtol=1e-10, atol=1e-12)
    ours, theirs = ({name: p.grad for name, p in net.named_parameters()} for net in (network, module))
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


OPTIMIZERS = {
    f"{optimizer.__name__} {kind}": (optimizer, options | ({} if kind == "for loop" else {kind: True}))
    for optimizer, options in [
        (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
        (torch.optim.Adam, {"lr": 0.01}),
        (torch.optim.AdamW, {"lr": 0.01}),
    ]
    for kind in ("for loop", "foreach", "fused")
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_optimizers_walk_the_same_way_as_with_autograd(name: str, mode: Callable[[], AbstractContextManager]) -> None:
    optimizer, options = OPTIMIZERS[name]
    network = small_network()
    module = layers.to_torch(network)
    ours, theirs = optimizer(network.parameters(), **options), optimizer(module.parameters(), **options)
    for step in range(3):
        torch.manual_seed(step)
        theirs.zero_grad()
        F.cross_entropy(module(X), TARGET).backward()
        norm = nn.utils.clip_grad_norm_(module.parameters(), 0.5)
        theirs.step()
        torch.manual_seed(step)
        with mode():
            ours.zero_grad(set_to_none=False)
            y, backward = network(X)
            backward(losses.cross_entropy(y, TARGET)[1]())
            torch.testing.assert_close(nn.utils.clip_grad_norm_(network.parameters(), 0.5), norm)
            ours.step()
    for key, value in module.state_dict().items():
        torch.testing.assert_close(network.state_dict()[key], value, rtol=1e-9, atol=1e-10)
