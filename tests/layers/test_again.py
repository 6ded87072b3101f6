"""What a `Sequential` computes again instead of keeping it, and what `once` gives back: in no number to be seen."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import handgrad as hg
from handgrad import layers
from handgrad.layers import Layer, Pullback


def block(channels: int) -> Layer:
    body = layers.Sequential(
        layers.Conv2d(channels, channels, 3, padding=1), layers.BatchNorm2d(channels), layers.ReLU(),
        layers.Conv2d(channels, channels, 3, padding=1), layers.BatchNorm2d(channels),
    )  # fmt: skip
    return layers.Sequential(layers.Residual(body), layers.ReLU())


def branch(norm: bool = True) -> layers.Sequential:
    return layers.Sequential(layers.Conv2d(4, 4, 1), *[layers.BatchNorm2d(4)] * norm)


NETWORKS: dict[str, Callable[[], tuple[Layer, ...]]] = {
    "batch": lambda: (layers.Conv2d(3, 4, 3), layers.BatchNorm2d(4), layers.ReLU(), layers.Conv2d(4, 2, 3)),
    "no shift": lambda: (layers.BatchNorm2d(3, bias=False), layers.ReLU(), layers.Conv2d(3, 2, 3)),
    "nothing learned": lambda: (layers.BatchNorm2d(3, affine=False), layers.ReLU(), layers.Conv2d(3, 2, 3)),
    "estimates": lambda: (layers.BatchNorm2d(3).eval(), layers.ReLU(), layers.Conv2d(3, 2, 3)),
    "group": lambda: (layers.GroupNorm(3, 3), layers.ReLU(), layers.ReLU(), layers.ConvTranspose2d(3, 2, 3)),
    "layer": lambda: (layers.LayerNorm(9), layers.Linear(9, 4), layers.LayerNorm(4, bias=False), layers.ReLU()),
    "last": lambda: (layers.Conv2d(3, 4, 3), layers.BatchNorm2d(4), layers.ReLU()),
    "pooled": lambda: (layers.BatchNorm2d(3), layers.ReLU(), layers.AvgPool2d(2), layers.Flatten()),
    "blocks": lambda: (layers.Conv2d(3, 4, 3), layers.BatchNorm2d(4), layers.ReLU(), block(4), block(4), block(4)),
    "two ways": lambda: (
        layers.Conv2d(3, 4, 3), layers.BatchNorm2d(4), layers.ReLU(),
        layers.Residual(branch(), branch()), layers.ReLU(), layers.Conv2d(4, 2, 1),
    ),
    "a ReLU in the one, a convolution in the other": lambda: (
        layers.Conv2d(3, 4, 3), layers.GroupNorm(2, 4),
        layers.Residual(branch(False), layers.Sequential(layers.ReLU(), *branch(False))),
    ),
    "a ReLU, and nothing": lambda: (
        layers.Conv2d(3, 4, 3), layers.GroupNorm(2, 4), layers.Residual(layers.Sequential(layers.ReLU())),
        layers.Conv2d(4, 2, 1), layers.ReLU(), layers.BatchNorm2d(2), layers.Residual(layers.BatchNorm2d(2)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("places", [torch.contiguous_format, torch.channels_last], ids=["contiguous", "channels-last"])
@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_those_of_autograd_every_time(name: str, places: torch.memory_format) -> None:
    network = layers.Sequential(*NETWORKS[name]()).double()
    module = layers.to_torch(network)
    x = torch.randn(3, 3, 8, 9).double().to(memory_format=places)
    y, backward = network(x)
    grad = torch.randn_like(y)
    given = grad.clone()
    found = [backward(grad), backward(grad), backward(grad, once=True)]
    assert grad.equal(given)
    x.requires_grad_()
    expected = module(x)
    for _ in found:
        expected.backward(grad, retain_graph=True)
    torch.testing.assert_close(y, expected.detach(), rtol=1e-10, atol=1e-12)
    for each in found:
        torch.testing.assert_close(each, x.grad / len(found), rtol=1e-8, atol=1e-11)
    for ours, theirs in zip(network.parameters(), module.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", ["group", "layer", "a ReLU in the one, a convolution in the other", "estimates"])
def test_single_samples_see_the_same_inputs(name: str) -> None:
    network = layers.Sequential(*NETWORKS[name]()).double()
    x = torch.randn(3, 3, 8, 9).double()
    y, backward = network(x)
    grad, samples = torch.randn_like(y), hg.per_sample.Samples()
    backward(grad, per_sample=samples, once=True)
    norms = []
    for n in range(3):
        network.zero_grad()
        y, backward = network(x[n : n + 1])
        backward(grad[n : n + 1])
        norms.append(sum(parameter.grad.square().sum() for parameter in network.parameters()))
    torch.testing.assert_close(samples.sqnorm(), torch.stack(norms), rtol=1e-8, atol=1e-10)


class Told(layers.Conv2d):
    """Somebody's own, that takes what is offered and looks whether it is what it was given."""

    def forward(self, input: Tensor, again: Callable[[], Tensor] | None = None) -> tuple[Tensor, Pullback]:  # type: ignore[override]
        assert again is not None
        given, (output, backward) = input.clone(), super().forward(input)

        def checked(grad_output: Tensor) -> Tensor | None:
            assert again().equal(given)
            return backward(grad_output)

        return output, checked


@pytest.mark.parametrize(
    "norm", [layers.BatchNorm2d(16), layers.GroupNorm(4, 16), layers.BatchNorm2d(16).eval()], ids=str
)
def test_it_is_the_same_to_the_last_bit(norm: Layer) -> None:
    network = layers.Sequential(layers.Conv2d(3, 16, 3, padding=1), norm, layers.ReLU(), Told(16, 16, 1))
    chain = layers.Sequential(network[:3], layers.Residual(layers.Sequential(Told(16, 16, 1), norm)), Told(16, 3, 1))
    for net in (network, chain):
        y, backward = net(torch.randn(5, 3, 9, 7))
        backward(torch.randn_like(y))


def tensors() -> int:
    """Bytes of all there are."""
    gc.collect()
    places = {each.data_ptr(): each.untyped_storage().nbytes() for each in gc.get_objects() if type(each) is Tensor}
    return sum(places.values())


def test_of_four_tensors_in_a_block_two_are_kept() -> None:
    x, blocks = torch.randn(16, 8, 16, 16), map(block, [8] * 5)
    network = layers.Sequential(layers.Conv2d(8, 8, 3, padding=1), layers.BatchNorm2d(8), layers.ReLU(), *blocks)
    before = tensors()
    y, backward = network(x)
    kept = (tensors() - before) / (x.numel() * 4)
    assert 12 <= kept < 13  # the output, a centred input for each of eleven normalizations, a few numbers a channel
    backward(y)
    network.zero_grad()
    assert (tensors() - before) / (x.numel() * 4) == kept  # what was computed again is gone
    backward(y, once=True)
    network.zero_grad()
    assert (tensors() - before) / (x.numel() * 4) == 1


def test_what_is_needed_goes_with_the_pass_that_needed_it() -> None:
    class Seeing(Layer):
        def forward(self, input: Tensor) -> tuple[Tensor, Pullback]:
            def backward(grad_output: Tensor) -> Tensor:
                gone.append(kept() is None)
                return grad_output

            return input, backward

    class Keeping(Layer):
        def forward(self, input: Tensor) -> tuple[Tensor, Pullback]:
            nonlocal kept
            own = input.clone()
            kept = weakref.ref(own)
            return own + 0, lambda grad_output: grad_output * own

    kept: Callable[[], Tensor | None] = lambda: None  # noqa: E731
    gone: list[bool] = []
    network = layers.Sequential(Seeing(), layers.Sequential(Keeping()))
    y, backward = network(torch.randn(3))
    backward(y)
    backward(y, once=True)
    assert gone == [False, True]


@pytest.mark.parametrize(
    "network", [layers.Linear(3, 3), layers.Sequential(layers.Linear(3, 3), layers.ReLU())], ids=str
)
def test_after_once_there_is_no_second_time(network: Layer) -> None:
    y, backward = network(torch.randn(2, 3))
    with pytest.raises(hg.HandgradError, match="grad_output is not like the output"):
        backward(y[:1], once=True)  # this one has not run
    backward(y, once=True)
    message = r"^(Linear|Sequential): this backward pass ran with once=True, and what it needs is gone.\nhint: call"
    with pytest.raises(hg.HandgradError, match=message):
        backward(y)


class Rounding(layers.ReLU):
    """Another output, but the pullback of the layer that it derives from."""

    def forward(
        self, input: Tensor, *, over: bool = False, again: Callable[[], Tensor] | None = None
    ) -> tuple[Tensor, Pullback]:  # type: ignore[override]
        output, backward = super().forward(input, over=over, again=again)
        return output.round(), backward


@pytest.mark.parametrize("how", ["own", "hook", "exchanged"])
def test_what_is_not_the_layers_own_output_is_kept(how: str) -> None:
    relu = Rounding() if how == "own" else layers.ReLU()
    if how == "hook":
        relu.register_forward_hook(lambda _, __, result: (result[0].round(), result[1]))
    elif how == "exchanged":
        own = relu.forward
        relu.forward = lambda input: (own(input)[0].round(), own(input)[1])  # type: ignore[method-assign]
    conv = layers.Conv2d(3, 2, 1, bias=False)
    x = torch.randn(4, 3, 5, 5)
    norm = layers.GroupNorm(1, 3)
    y, backward = layers.Sequential(norm, relu, conv)(x)
    backward(torch.ones_like(y))
    seen = nn.functional.group_norm(x, 1).relu().round()
    expected = seen.sum((0, 2, 3)).expand(2, 3)[..., None, None]
    torch.testing.assert_close(conv.weight.grad, expected)


def test_a_gradient_is_written_over_only_if_nobody_else_has_it() -> None:
    class Remembering(Layer):
        def forward(self, input: Tensor) -> tuple[Tensor, Pullback]:
            def backward(grad_output: Tensor) -> Tensor:
                seen.append((grad_output, grad_output.clone()))
                return grad_output

            return input, backward

    seen: list[tuple[Tensor, Tensor]] = []
    network = layers.Sequential(
        layers.ReLU(), Remembering(), layers.ReLU(), layers.Residual(layers.Sequential(layers.ReLU(), Remembering())),
    )  # fmt: skip
    y, backward = network(torch.randn(4, 5))
    grad = torch.ones_like(y)
    backward(grad)
    assert grad.equal(torch.ones_like(y))
    assert all(now.equal(then) for now, then in seen)
