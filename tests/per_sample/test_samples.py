"""What a backward pass collects, against one sample at a time by the framework's autograd in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from test_promises import Largest
from torch import Tensor, nn

from handgrad import layers
from handgrad.layers import Layer
from handgrad.per_sample import Samples
from oracles import assert_equal


def network() -> layers.Sequential:
    return layers.Sequential(
        layers.Conv2d(2, 4, 3, 2, "valid", groups=2),
        layers.GroupNorm(2, 4),
        layers.Residual(layers.Sequential(layers.Tanh(), layers.Conv2d(4, 4, 3, padding=1, padding_mode="circular"))),
        layers.BatchNorm2d(4).eval(),
        layers.ConvTranspose2d(4, 3, 2, 2, output_padding=1, bias=False),
        layers.LayerNorm((5, 7)),
        layers.Sigmoid(),
        layers.Flatten(),
        layers.Linear(105, 5),
    )


def twice() -> layers.Sequential:
    """A layer that stands twice, and two that share a weight, one of them over many positions."""
    stands = layers.Linear(5, 5)
    tied = layers.Linear(5, 5, bias=False)
    tied.weight = stands.weight
    return layers.Sequential(stands, layers.Tanh(), stands, layers.SiLU(), tied)


SIZES: dict[Callable[[], layers.Sequential], tuple[int, ...]] = {network: (3, 2, 6, 7), twice: (3, 4, 5)}
every_network = pytest.mark.parametrize("build", SIZES)


def one_by_one(module: nn.Module, x: Tensor, dy: Tensor) -> list[Tensor]:
    """Of each parameter the gradient (N, *shape), by autograd of each sample alone."""
    found = [
        torch.autograd.grad((module(x[n : n + 1]) * dy[n : n + 1]).sum(), list(module.parameters()))
        for n in range(len(x))
    ]
    return [torch.stack(of_samples) for of_samples in zip(*found, strict=True)]


class Pass:
    """One backward pass of a network, and what it should have collected."""

    def __init__(self, layer: Layer, x: Tensor, **settings: int) -> None:
        self.layer, self.samples = layer.double(), Samples(**settings)
        self.parameters = list(layer.parameters())
        y, backward = layer(x)
        dy = torch.randn_like(y)
        self.dx = backward(dy, per_sample=self.samples)
        self.truth = dict(zip(self.parameters, one_by_one(layers.to_torch(layer), x, dy), strict=True))

    def flat(self) -> Tensor:
        """(N, numbers)."""
        return torch.cat([dw.flatten(1) for dw in self.truth.values()], 1)


@every_network
@pytest.mark.parametrize("max_bytes", [1, 1 << 21])
def test_everything_that_can_be_asked(build: Callable[[], layers.Sequential], max_bytes: int) -> None:
    done = Pass(build(), torch.randn(SIZES[build], dtype=torch.float64), max_bytes=max_bytes)
    samples, truth, flat = done.samples, done.truth, done.flat()
    assert set(samples.parameters()) == set(truth)
    for parameter, gradients in samples.gradients().items():
        assert_equal(gradients, truth[parameter], 1e-10)
    for parameter, sqnorm in samples.sqnorms().items():
        assert_equal(sqnorm, truth[parameter].flatten(1).square().sum(1), 1e-10)
    assert_equal(samples.sqnorm(), flat.square().sum(1), 1e-10)
    assert_equal(samples.gram(), flat @ flat.mT, 1e-10)
    directions = {parameter: torch.randn_like(parameter) for parameter in truth}
    along = torch.cat([directions[parameter].flatten() for parameter in truth])
    assert_equal(samples.dot(directions), flat @ along, 1e-10)
    a = torch.randn(len(flat), dtype=torch.float64)
    for parameter, weighted in samples.weighted(a).items():
        assert_equal(weighted, torch.tensordot(a, truth[parameter], 1), 1e-10)


def test_halves_are_rounded_to_the_parameters_dtype_unless_it_is_not_wanted() -> None:
    """Also where a layer computes in float32, as a normalization does."""
    layer, x = network().bfloat16(), torch.randn(SIZES[network]).bfloat16()
    y, backward = layer(x)
    samples, dy = Samples(accumulate=False), torch.randn_like(y)
    backward(dy, per_sample=samples)
    a = torch.randn(3)
    rounded, exact = samples.weighted(a), samples.weighted(a, rounded=False)
    for parameter, gradients in samples.gradients().items():
        (use,) = samples._uses[parameter]
        assert_equal(exact[parameter], sum(a[n] * use.gradients()[n] for n in range(3)), 1e-5)
        assert_equal(rounded[parameter], exact[parameter].bfloat16())
        assert_equal(gradients, use.gradients().bfloat16())


@every_network
def test_the_sum_is_accumulated_unless_it_is_not_wanted(build: Callable[[], layers.Sequential]) -> None:
    x = torch.randn(SIZES[build], dtype=torch.float64)
    wanted, unwanted = Pass(build(), x), Pass(build(), x, accumulate=False)
    for parameter, gradients in wanted.truth.items():
        assert_equal(parameter.grad, gradients.sum(0), 1e-10)
    assert all(parameter.grad is None for parameter in unwanted.parameters)
    assert unwanted.samples.sqnorm().shape == (3,)


@every_network
def test_the_input_gradient_is_the_same_or_none(build: Callable[[], layers.Sequential]) -> None:
    layer, x = build().double(), torch.randn(SIZES[build], dtype=torch.float64)
    y, backward = layer(x)
    dx, samples = backward(y), Samples()
    assert backward(y, per_sample=samples).equal(dx)
    before = [parameter.grad.clone() for parameter in layer.parameters()]
    assert backward(y, per_sample=samples, needs_input=False) is None
    for parameter, grad in zip(layer.parameters(), before, strict=True):
        assert_equal(parameter.grad, 1.5 * grad, 1e-12)


def test_what_nobody_reads_is_not_computed() -> None:
    """The first layers alone skip dx, in both branches of a residual."""
    asked: list[tuple[int, bool]] = []

    class Noting(layers.Conv1d):
        def _conv_backward(self, *operands: Tensor, needs: tuple[str, ...], **settings: object) -> object:
            asked.append((self.out_channels, "input" in needs))
            return layers.Conv1d._conv_backward(*operands, needs=needs, **settings)

    first = layers.Residual(layers.Sequential(Noting(2, 3, 1), Noting(3, 4, 1)), Noting(2, 4, 1))
    y, backward = layers.Sequential(first, layers.ReLU(), Noting(4, 5, 1))(torch.randn(3, 2, 6))
    backward(y, needs_input=False)
    assert asked == [(5, True), (4, True), (3, False), (4, False)]


def test_memory_is_bounded_also_where_uses_are_added_up() -> None:
    """16 gradients of the tied weight take 4 MiB, and those of the scale 1 MiB; no tensor exceeds a half."""
    tied = layers.Linear(256, 256, bias=False)
    network = layers.Sequential(tied, layers.Tanh(), tied, layers.LayerNorm((64, 256)))
    y, backward = network(torch.randn(16, 64, 256))
    samples = Samples(accumulate=False, max_bytes=1 << 19)
    backward(y, per_sample=samples)
    operands = [operand for uses in samples._uses.values() for use in uses for operand in use.operands.values()]
    with Largest(*operands) as seen:
        samples.sqnorm()
    assert 1 << 17 < seen.bytes <= 1 << 19
