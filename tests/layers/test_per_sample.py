"""What every layer hands over of each sample, over the one table of all layers, against one sample at a time."""

from __future__ import annotations

import re

import pytest
import torch
from layer_cases import CASES, ORACLE, Case
from test_contract import assert_close, pair
from torch import Tensor, nn

import handgrad as hg
from handgrad import layers
from handgrad.per_sample import Each, Samples

MIXING = [case for case in CASES if "untracked" in case.why or "how often" in case.why]  # in evaluation too
LEARNING = [case for case in CASES if any(True for _ in case.build(ORACLE).parameters()) and case not in MIXING]
each_case = pytest.mark.parametrize("case", LEARNING, ids=str)


def collected(layer: layers.Layer, x: Tensor, **settings: int) -> tuple[Samples, Tensor]:
    samples = Samples(**settings)
    y, backward = layer(x)
    dy = torch.randn_like(y)
    backward(dy, per_sample=samples)
    return samples, dy


def one_by_one(module: nn.Module, x: Tensor, dy: Tensor) -> list[Tensor]:
    """Of each parameter (N, *shape), by autograd of each sample alone."""
    parameters = list(module.parameters())
    found = []
    for n in range(len(x)):
        (module(x[n : n + 1]) * dy[n : n + 1]).sum().backward()
        found.append([parameter.grad.clone() for parameter in parameters])
        module.zero_grad()
    if not found:
        return [parameter.detach().new_zeros(0, *parameter.shape) for parameter in parameters]
    return [torch.stack(samples) for samples in zip(*found, strict=True)]


def check(layer: layers.Layer, samples: Samples, expected: list[Tensor]) -> None:
    """Everything that can be asked."""
    truth = dict(zip(layer.parameters(), expected, strict=True))
    flat = torch.cat([gradients.flatten(1) for gradients in expected], 1)
    directions, a = {parameter: torch.randn_like(parameter) for parameter in truth}, torch.randn(len(flat)).double()
    gradients, norms, weighted = samples.gradients(), samples.sqnorms(), samples.weighted(a)
    assert gradients.keys() == norms.keys() == weighted.keys() == truth.keys() == set(samples.parameters())
    for parameter, right in truth.items():
        assert_close(gradients[parameter], right)
        assert_close(norms[parameter], right.flatten(1).square().sum(1))
        assert_close(weighted[parameter], torch.tensordot(a, right, 1))
    assert_close(samples.sqnorm(), flat.square().sum(1))
    assert_close(samples.dot(directions), flat @ torch.cat([directions[parameter].flatten() for parameter in truth]))
    assert_close(samples.gram(), flat @ flat.mT)


@each_case
@pytest.mark.parametrize("max_bytes", [1, 1 << 20])
def test_a_batch(case: Case, max_bytes: int) -> None:
    layer, module = pair(case, train=False)
    x = case.draw(1)
    samples, dy = collected(layer, x, max_bytes=max_bytes)
    check(layer, samples, one_by_one(module, x, dy))


@each_case
def test_an_empty_batch(case: Case) -> None:
    layer, module = pair(case, train=False)
    x = case.draw(1, (0, *case.input[1:]))
    samples, dy = collected(layer, x)
    check(layer, samples, one_by_one(module, x, dy))


def alone(case: Case) -> bool:
    """Whether one sample is told from a batch: by its axes, or as it has none that could be one."""
    if case.layer in ("Linear", "LayerNorm", "Sequential"):
        return case.why in ("the plain one", "nested and named")
    return case.unbatched and case.layer != "Embedding"


@pytest.mark.parametrize("case", [case for case in LEARNING if alone(case) and case.layer != "LayerNorm"], ids=str)
def test_a_sample_without_a_batch(case: Case) -> None:
    layer, module = pair(case, train=False)
    x = case.draw(1)[:1]
    samples, dy = collected(layer, x[0])
    check(layer, samples, one_by_one(module, x, dy[None]))


def test_a_sample_of_all_that_is_normalized() -> None:
    layer, x = layers.LayerNorm((5, 3)).double(), torch.randn(1, 5, 3).double()
    samples, dy = collected(layer, x[0])
    check(layer, samples, one_by_one(layers.to_torch(layer), x, dy[None]))


@each_case
def test_the_batch_gradient_is_the_same_or_left_alone(case: Case) -> None:
    layer, _ = pair(case, train=False)
    y, backward = layer(case.draw(1))
    backward(y)
    before = {parameter: parameter.grad.clone() for parameter in layer.parameters()}
    layer.zero_grad()
    backward(y, per_sample=Samples(accumulate=False))
    assert all(parameter.grad is None for parameter in before)
    backward(y, per_sample=Samples())
    assert all(parameter.grad.equal(grad) for parameter, grad in before.items())


@pytest.mark.parametrize("case", MIXING, ids=str)
def test_what_mixes_samples_is_refused(case: Case) -> None:
    layer, _ = pair(case, train=False)
    with pytest.raises(hg.HandgradError, match=rf"^{case.layer}: .* belongs to one (of them|sample)\.\nhint: "):
        collected(layer, case.draw(1))


@pytest.mark.parametrize("affine", [True, False])
def test_batch_statistics_are_refused_with_what_to_take_instead(affine: bool) -> None:
    """Without parameters of its own too: what comes before it would get a gradient of all samples."""
    network = layers.Sequential(layers.Conv2d(2, 3, 1), layers.BatchNorm2d(3, affine=affine))
    with pytest.raises(hg.HandgradError, match=r"hint: `layer.eval\(\)`, or GroupNorm instead"):
        collected(network, torch.randn(4, 2, 3, 5))
    assert network[0].weight.grad is None
    assert collected(network.eval(), torch.randn(4, 2, 3, 5))[0].sqnorm().shape == (4,)


class Slope(layers.Layer):
    """As somebody would write it before they ask for samples, and after."""

    def __init__(self, tells: bool) -> None:
        super().__init__()
        self.slope, self.tells = nn.Parameter(torch.randn(5)), tells

    def forward(self, input: Tensor) -> tuple[Tensor, layers.Pullback]:
        def backward(grad_output: Tensor) -> Tensor:
            by_slope = grad_output * input
            self.accumulate_grad(slope=Each(by_slope) if self.tells else by_slope.sum(0))
            return grad_output * self.slope

        return input * self.slope, backward


def test_a_layer_of_your_own_tells_the_samples_apart_or_is_refused() -> None:
    told, x = Slope(True), torch.randn(3, 5)
    samples, dy = collected(told, x)
    assert samples.gradients()[told.slope].equal(dy * x)
    assert told.slope.grad.equal((dy * x).sum(0))
    message = "Slope: the gradient of slope does not tell the samples apart.\n"
    message += "hint: `self.accumulate_grad(slope=hg.per_sample.Each(…))` of (N, *(5,))"
    with pytest.raises(hg.HandgradError, match=f"^{re.escape(message)}$"):
        collected(layers.Sequential(layers.Linear(5, 5), Slope(False)), x)


def test_the_number_of_samples_must_be_one() -> None:
    with pytest.raises(hg.HandgradError, match=r"^Samples: the uses disagree about the number of samples"):
        collected(
            layers.Sequential(layers.Linear(4, 4), layers.Flatten(0, 1), layers.Linear(4, 4)), torch.ones(2, 3, 4)
        )


def test_what_the_gradients_are_made_of_must_not_change() -> None:
    x = torch.randn(3, 4)
    samples, _ = collected(layers.Linear(4, 4), x)
    samples.sqnorm()
    x.zero_()
    with pytest.raises(hg.HandgradError, match=r"^Samples: .* changed since the backward pass.\n  shape  \(3, 4\)"):
        samples.sqnorm()


def test_it_serves_one_batch() -> None:
    """Made outside of the loop, it would add the first batch's samples to those of the second."""
    layer, samples = layers.Linear(3, 2), Samples()
    optimizer = torch.optim.SGD(layer.parameters(), 0.1)

    def step() -> None:
        y, backward = layer(torch.randn(4, 3))
        backward(torch.ones_like(y), per_sample=samples)
        optimizer.step()

    step()
    message = "Samples: a parameter has changed since an earlier use.\n  shape  (2, 3)\n"
    message += "hint: a `Samples` serves one batch; make a new one in every step"
    with pytest.raises(hg.HandgradError, match=f"^{re.escape(message)}$"):
        step()


def test_a_step_of_the_optimizer_changes_nothing() -> None:
    layer = layers.Sequential(layers.Conv2d(2, 3, 2), layers.ReLU(), layers.GroupNorm(1, 3))
    samples, _ = collected(layer, torch.randn(2, 2, 4, 4))
    before = samples.sqnorm()
    torch.optim.SGD(layer.parameters(), 0.1).step()
    assert samples.sqnorm().equal(before)


def test_it_works_under_inference_mode_and_autocast_means_nothing() -> None:
    layer, x, samples = layers.Sequential(layers.Conv1d(2, 3, 2), layers.LayerNorm(4)), torch.randn(3, 2, 5), Samples()
    y, backward = layer(x)
    backward(y, per_sample=samples)
    expected = samples.gram()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        samples = Samples()
        y, backward = layer(x.clone())
        backward(y, per_sample=samples)
        assert samples.gram().equal(expected)
    assert not expected.requires_grad


@pytest.mark.filterwarnings("ignore:Complex modules")
def test_complex_numbers() -> None:
    """The first factor of an inner product is conjugate, here the gradient."""
    network = layers.Sequential(layers.Conv1d(2, 3, 2), layers.Tanh(), layers.Linear(4, 2)).to(torch.complex128)
    x = torch.randn(3, 2, 5, dtype=torch.complex128)
    samples, dy = collected(network, x)
    flat = []
    for n in range(3):
        module = layers.to_torch(network)
        module(x[n : n + 1]).backward(dy[n : n + 1])
        flat.append(torch.cat([parameter.grad.flatten() for parameter in module.parameters()]))
    truth = torch.stack(flat)
    directions = {parameter: torch.randn_like(parameter) for parameter in network.parameters()}
    along = torch.cat([directions[parameter].flatten() for parameter in network.parameters()])
    assert_close(samples.sqnorm(), truth.abs().square().sum(1))
    assert_close(samples.gram(), truth.conj() @ truth.mT)
    assert_close(samples.dot(directions), truth.conj() @ along)
    weighted = samples.weighted(torch.arange(3))
    ours = torch.cat([weighted[parameter].flatten() for parameter in network.parameters()])
    assert_close(ours, truth[1] + 2 * truth[2])


def test_a_custom_container_needs_nothing() -> None:
    class Twice(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.inner = layers.Linear(4, 4)

        def forward(self, input: Tensor) -> tuple[Tensor, layers.Pullback]:
            y, first = self.inner(input)
            y, second = self.inner(y)
            return y, lambda grad_output: first(second(grad_output))

    layer, x = Twice().double(), torch.randn(3, 4).double()
    samples, dy = collected(layer, x)
    check(layer, samples, one_by_one(nn.Sequential(*[layers.to_torch(layer.inner)] * 2), x, dy))
    assert layer(x)[1](dy, needs_input=False) is None
