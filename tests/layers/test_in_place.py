"""What a `Sequential` does that its children alone do not: it lets one write over what another has left, and pools
before a ReLU. Neither is to be seen in any number.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.utils._python_dispatch import TorchDispatchMode

from handgrad import layers
from handgrad.layers import Layer, Pullback

BUILT = {
    "convolution": lambda: (layers.Conv2d(3, 4, 3, bias=False), layers.ReLU()),
    "grouped": lambda: (layers.Conv2d(3, 6, 3, stride=2, groups=3), layers.ReLU(), layers.Conv2d(6, 2, 1)),
    "transposed": lambda: (layers.ConvTranspose2d(3, 4, 3, stride=2), layers.ReLU()),
    "linear": lambda: (layers.Flatten(2), layers.Linear(72, 5), layers.ReLU()),
    "normalized": lambda: (layers.Conv2d(3, 4, 3), layers.BatchNorm2d(4), layers.ReLU(), layers.Conv2d(4, 2, 3)),
    "no scale": lambda: (layers.Conv2d(3, 4, 3), layers.BatchNorm2d(4, affine=False), layers.ReLU()),
    "estimates": lambda: (layers.Conv2d(3, 4, 3), layers.BatchNorm2d(4).eval(), layers.ReLU()),
    "groups": lambda: (layers.Conv2d(3, 4, 3), layers.GroupNorm(2, 4), layers.ReLU()),
    "no scale of groups": lambda: (layers.Conv2d(3, 4, 3), layers.GroupNorm(2, 4, affine=False), layers.ReLU()),
    "pooled": lambda: (layers.Conv2d(3, 4, 3), layers.ReLU(), layers.MaxPool2d(2, 1), layers.MaxPool2d(2)),
    "first": lambda: (layers.ReLU(), layers.BatchNorm2d(3), layers.ReLU(), layers.MaxPool2d(3, padding=1)),
    "last": lambda: (layers.Conv2d(3, 4, 3), layers.ReLU(), layers.MaxPool2d(2, dilation=2, padding=1)),
    "nested": lambda: (layers.Sequential(layers.Conv2d(3, 4, 3), layers.ReLU()), layers.ReLU(), layers.Sequential()),
    "residual": lambda: (
        layers.Residual(layers.Sequential(layers.Conv2d(3, 3, 1), layers.BatchNorm2d(3))),
        layers.ReLU(),
    ),
    "residual of itself": lambda: (layers.Residual(layers.Identity(), layers.Identity()), layers.ReLU()),
    "two ways": lambda: (layers.Residual(layers.Conv2d(3, 4, 1), layers.Conv2d(3, 4, 1)), layers.ReLU()),
}


@pytest.mark.parametrize("places", [torch.contiguous_format, torch.channels_last], ids=["contiguous", "channels-last"])
@pytest.mark.parametrize("name", BUILT)
def test_nothing_is_to_be_seen_of_it(name: str, places: torch.memory_format) -> None:
    network = layers.Sequential(*BUILT[name]()).double()
    module = layers.to_torch(network)
    # whole numbers: many are equal in a window, and many are 0
    x = torch.randint(-2, 3, (2, 3, 8, 9)).double().to(memory_format=places)
    given = x.clone()
    y, backward = network(x)
    grad = torch.randn_like(y)
    found = backward(grad)
    given.requires_grad_()
    expected = module(given)
    expected.backward(grad)
    assert x.equal(given)
    torch.testing.assert_close(y, expected.detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found, given.grad, rtol=1e-10, atol=1e-12)
    for ours, theirs in zip(network.parameters(), module.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-10, atol=1e-12)
    assert backward(grad).equal(found)  # a second time


class Called(TorchDispatchMode):
    """The names of the operators that run, and the sizes of what they were given first."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, torch.Size] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if args and isinstance(args[0], Tensor):
            self.names[func.__name__.partition(".")[0]] = args[0].shape
        return func(*args, **(kwargs or {}))


def test_it_happens() -> None:
    network = layers.Sequential(layers.Conv2d(3, 4, 3), layers.ReLU(), layers.MaxPool2d(2))
    with Called() as called:
        network(torch.randn(2, 3, 8, 8))
    assert called.names["relu_"] == (2, 4, 3, 3)
    assert "relu" not in called.names


@pytest.mark.parametrize("everywhere", [False, True])
def test_hooks_see_and_keep_what_they_would(everywhere: bool) -> None:
    kept: list[tuple[str, Tensor, Tensor]] = []

    def hook(module: nn.Module, args: tuple[Tensor], result: tuple[Tensor, Any]) -> None:
        kept.append((type(module).__name__, args[0], result[0]))

    network = layers.Sequential(layers.Conv2d(3, 4, 3), layers.BatchNorm2d(4), layers.ReLU(), layers.MaxPool2d(2))
    registered = (
        [register_module_forward_hook(hook)] if everywhere else [layer.register_forward_hook(hook) for layer in network]
    )
    y, _ = network(torch.randn(2, 3, 8, 8))
    for handle in registered:
        handle.remove()
    assert [name for name, _, _ in kept[:4]] == ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]
    for (_, _, output), (_, input, _) in pairwise(kept[:4]):
        assert output.equal(input)
    assert kept[2][1].min() < 0 <= kept[2][2].min()  # what the ReLU was given is still there
    assert y.equal(kept[3][2])


class Keeping(layers.Conv2d):
    """Somebody's own, who still needs the output."""

    def forward(self, input: Tensor) -> tuple[Tensor, Pullback]:
        output, backward = super().forward(input)
        self.kept = output
        return output, backward


class Doubling(layers.ReLU):
    def forward(self, input: Tensor) -> tuple[Tensor, Pullback]:  # type: ignore[override]
        output, backward = super().forward(input)
        return 1 - 2 * output, lambda grad: -2 * backward(grad)


class Negative(layers.MaxPool2d):
    def forward(self, input: Tensor) -> tuple[Tensor, Pullback]:
        output, backward = super().forward(input)
        return -output, lambda grad: backward(-grad)


@pytest.mark.parametrize("kind", [layers.ReLU, Doubling])
def test_layers_of_ones_own_keep_what_they_keep(kind: type[Layer]) -> None:
    conv = Keeping(3, 4, 3)
    layers.Sequential(conv, kind())(torch.randn(2, 3, 8, 8))
    assert conv.kept.min() < 0


@pytest.mark.parametrize(
    "pair", [(Doubling(), layers.MaxPool2d(2)), (layers.ReLU(), Negative(2))], ids=["relu", "pool"]
)
def test_layers_of_ones_own_keep_their_place(pair: tuple[Layer, Layer]) -> None:
    x = torch.randn(2, 3, 8, 8)
    y, _ = layers.Sequential(*pair)(x)
    assert y.equal(pair[1](pair[0](x)[0])[0])


def test_a_forward_that_was_exchanged_keeps_its_output() -> None:
    conv, kept = layers.Conv2d(3, 4, 3), []

    def forward(input: Tensor) -> tuple[Tensor, Pullback]:
        result = layers.Conv2d.forward(conv, input)
        kept.append(result[0])
        return result

    conv.forward = forward  # type: ignore[method-assign]
    layers.Sequential(conv, layers.ReLU())(torch.randn(2, 3, 8, 8))
    assert kept[0].min() < 0


def test_a_window_that_sees_nothing_has_its_maximum_for_itself() -> None:
    x = torch.randn(2, 3, 2)  # the taps are at −1 and 2
    y, backward = layers.Sequential(layers.ReLU(), layers.MaxPool1d(2, padding=1, dilation=3))(x)
    assert y.equal(torch.full((2, 3, 1), -torch.inf))
    assert backward(torch.ones_like(y)).equal(torch.zeros_like(x))
