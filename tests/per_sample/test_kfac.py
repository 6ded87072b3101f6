"""The scales of the Kronecker factors, by the networks for which they are exact.

In a deep linear network the gradient of an output does not depend on the input, so that nothing is left of what K-FAC
takes for independent, and G ⊗ A is the Gauss-Newton matrix JᵀJ of the square loss: 'expand' where every position has an
output of its own, 'reduce' where a sample's positions are summed or averaged first (Eschenhagen et al., 2023,
propositions 1 and 2). The Jacobian J is the framework's, in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from handgrad import kfac, layers
from handgrad.per_sample import Samples
from oracles import assert_equal

N, L, IN, OUT, LAST = 3, 4, 3, 2, 5


def normal(*size: int) -> Tensor:
    return torch.randn(size, dtype=torch.float64)


def gauss_newton(outputs: Callable[[Tensor], Tensor], weight: Tensor) -> Tensor:
    """Σ JᵀJ over all outputs."""
    jacobian = torch.autograd.functional.jacobian(outputs, weight).reshape(-1, weight.numel())
    return jacobian.mT @ jacobian


def directions(y: Tensor) -> Iterator[Tensor]:
    """dy for each output channel, the last axis, at every sample and position at once: G is a sum over these."""
    for channel in range(y.shape[-1]):
        yield torch.zeros_like(y).index_fill(-1, torch.tensor([channel]), 1.0)


def product(factors: list[kfac.Factors]) -> Tensor:
    """G ⊗ A, of factors that differ in dy alone."""
    return torch.kron(sum(entry.G[0] for entry in factors), factors[0].A[0])


@pytest.mark.parametrize("kind", ["expand", "reduce"])
@pytest.mark.parametrize("scale", [1.0, 1 / L], ids=["sum", "mean"])
def test_they_are_exact_for_deep_linear_networks(kind: str, scale: float) -> None:
    x, w, last = normal(N, L, IN), normal(OUT, IN), normal(LAST, OUT)

    def outputs(w: Tensor) -> Tensor:
        y = x @ w.mT @ last.mT * scale  # (N, L, LAST)
        return y if kind == "expand" else y.sum(1)

    found = [
        kfac.linear_factors(x, w.shape, (dy @ last * scale).expand(N, L, OUT), kind=kind)
        for dy in (d if kind == "expand" else d.unsqueeze(1) for d in directions(outputs(w)))
    ]
    assert_equal(product(found), gauss_newton(outputs, w), 1e-12)


@pytest.mark.parametrize("kind", ["expand", "reduce"])
def test_they_are_exact_for_deep_linear_convolutions(kind: str) -> None:
    """Padding, stride and dilation are the columns' matter."""
    x, w, last = normal(N, IN, 7, 6), normal(OUT, IN, 2, 3), normal(LAST, OUT)
    settings = {"stride": 2, "padding": 1, "dilation": (1, 2)}

    def outputs(w: Tensor) -> Tensor:
        y = torch.conv2d(x, w, None, **settings).movedim(1, -1) @ last.mT  # (N, *L, LAST)
        return y if kind == "expand" else y.sum((1, 2))

    grid = torch.conv2d(x, w, None, **settings).shape[2:]
    found = []
    for dy in directions(outputs(w)):
        back = dy if kind == "expand" else dy.view(N, 1, 1, LAST).expand(N, *grid, LAST)
        found.append(kfac.conv2d_factors(x, w.shape, (back @ last).movedim(-1, 1), **settings, kind=kind))
    assert_equal(product(found), gauss_newton(outputs, w), 1e-12)


def test_they_are_exact_for_the_bias_as_one_more_weight() -> None:
    x, w, last = normal(N, L, IN), normal(OUT, IN + 1), normal(LAST, OUT)

    def outputs(w: Tensor) -> Tensor:
        return (x @ w[:, :-1].mT + w[:, -1]) @ last.mT

    found = [kfac.linear_factors(x, (OUT, IN), dy @ last, bias=True) for dy in directions(outputs(w))]
    assert_equal(product(found), gauss_newton(outputs, w), 1e-12)


def test_several_uses_of_a_weight_are_positions_of_one() -> None:
    """Wx + W(Cx): two uses that a sum brings together, as it does positions."""
    around = layers.Linear(IN, IN, bias=False).double()
    first, second = (layers.Linear(IN, OUT, bias=False).double() for _ in range(2))
    second.weight = first.weight
    network = layers.Residual(first, layers.Sequential(around, second))
    x = normal(N, IN)
    c, found = around.weight.detach(), []
    y, backward = network(x)
    for dy in directions(y):
        samples = Samples(accumulate=False)
        backward(dy, per_sample=samples)
        found.append(samples.factors("reduce")[first.weight])
    assert_equal(product(found), gauss_newton(lambda w: x @ w.mT + x @ c.mT @ w.mT, first.weight.detach()), 1e-12)


def test_samples_have_the_factors_of_their_functions() -> None:
    conv, up, line = layers.Conv2d(2, 4, 3, groups=2), layers.ConvTranspose2d(4, 3, 2), layers.Linear(6, 5)
    network = layers.Sequential(conv, up, layers.LayerNorm(6), line).double()
    x = normal(N, 2, 6, 7)
    inputs, outputs = [], []
    for layer in network:  # what goes into each, and what autograd says comes back
        inputs.append(x)
        x = layer(x)[0]
    y, backward = network(inputs[0])
    dy, samples = torch.randn_like(y), Samples(max_bytes=1)
    backward(dy, per_sample=samples)
    for layer in reversed(network):
        outputs.insert(0, dy)
        dy = layer(inputs[len(network) - len(outputs)])[1](dy)
    for kind in ("expand", "reduce"):
        factors = samples.factors(kind, bias=True)
        assert set(factors) == {conv.weight, up.weight, line.weight}
        conv_operands = inputs[0], conv.weight.shape, outputs[0]
        expected = {
            conv: kfac.conv2d_factors(*conv_operands, groups=2, kind=kind, bias=True),
            up: kfac.conv_transpose2d_factors(inputs[1], up.weight.shape, outputs[1], kind=kind),
            line: kfac.linear_factors(inputs[3], line.weight.shape, outputs[3], kind=kind, bias=True),
        }
        for layer, (A, G) in expected.items():
            assert_equal(factors[layer.weight].A, A, 1e-12)
            assert_equal(factors[layer.weight].G, G, 1e-12)
