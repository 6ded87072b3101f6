"""What every layer promises, over the one table of all layers. The oracle is torch.nn with autograd, in float64."""

from __future__ import annotations

import copy
import pickle
from typing import NamedTuple

import pytest
import torch
from layer_cases import CASES, ORACLE, Case
from torch import Tensor, nn

from handgrad import layers

EACH_CASE = pytest.mark.parametrize("case", CASES, ids=str)
EACH_MODE = pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])


class Result(NamedTuple):
    output: Tensor
    grad_input: Tensor | None  # integers have none
    grads: dict[str, Tensor]
    buffers: dict[str, Tensor]


def test_every_public_layer_is_in_the_table() -> None:
    public = (getattr(layers, name) for name in layers.__all__)
    known = {cls.__name__ for cls in public if isinstance(cls, type) and issubclass(cls, layers.Layer)}
    assert {case.layer for case in CASES} == known - {"Layer"}


@pytest.mark.smoke
@EACH_CASE
@EACH_MODE
def test_values_and_gradients_are_those_of_autograd(case: Case, train: bool) -> None:
    layer, module = pair(case, train)
    inputs = [case.draw(seed) for seed in (1, 2)]  # twice: running statistics move on
    for x in inputs:
        layer.zero_grad()
        assert_equal(explicit(layer, x), autograd(module, x))


@EACH_CASE
@EACH_MODE
def test_it_may_stand_twice_in_one_network(case: Case, train: bool) -> None:
    layer, module = pair(case, train)
    first, second = case.draw(1), case.draw(2)
    torch.manual_seed(0)
    (y1, backward1), (y2, backward2) = layer(first), layer(second)
    g1, g2 = random(y1.shape, 3), random(y2.shape, 4)
    dx1, dx2 = backward1(g1), backward2(g2)  # first comes first: nothing of the second call may get in its way
    torch.manual_seed(0)
    x1, x2 = leaf(first), leaf(second)
    torch.autograd.backward([module(x1.clone()), module(x2.clone())], [g1, g2])
    assert_equal(result(layer, y1, dx1), result(module, y1, x1.grad))
    assert_same(dx2, x2.grad)


@pytest.mark.parametrize("case", [case for case in CASES if case.unbatched], ids=str)
def test_a_batch_equals_its_samples(case: Case) -> None:
    layer, _ = pair(case, train=False)
    x = case.draw(1)
    whole = explicit(layer, x)
    layer.zero_grad()
    g = random(whole.output.shape, 9)
    samples = [layer(sample) for sample in x]
    assert_close(torch.stack([y for y, _ in samples]), whole.output)
    found = [backward(g[n]) for n, (_, backward) in enumerate(samples)]
    grads = None if case.rows else torch.stack(found)
    assert_equal(result(layer, whole.output, grads), whole)  # the parameters' gradients are the samples' sum


@EACH_CASE
@pytest.mark.parametrize("form", ["transposed", "expanded", "strided"])
def test_grad_output_may_lie_anyhow_in_memory(case: Case, form: str) -> None:
    layer, _ = pair(case, train=True)
    x = case.draw(1)
    shape = output_shape(layer, x)
    grad = {
        "transposed": random(shape[::-1], 9).permute(*reversed(range(len(shape)))),
        "expanded": random(shape[-1:], 9).expand(shape),
        "strided": random((*shape[:-1], 2 * shape[-1]), 9)[..., ::2],
    }[form]
    expected = explicit(layer, x, grad.contiguous())
    layer.zero_grad()
    actual = explicit(layer, x, grad)
    assert_same(actual.grad_input, expected.grad_input)
    assert_same_tensors(actual.grads, expected.grads)


@EACH_CASE
@EACH_MODE
def test_the_input_may_lie_anyhow_in_memory(case: Case, train: bool) -> None:
    layer, module = pair(case, train)
    x = case.draw(1, case.input[::-1]).permute(*reversed(range(len(case.input))))
    assert_equal(explicit(layer, x), autograd(module, x))


@EACH_CASE
def test_gradients_accumulate(case: Case) -> None:
    layer, module = pair(case, train=True)
    x = case.draw(1)
    once = autograd(module, x).grads
    before = {}
    for name, parameter in layer.named_parameters():
        parameter.grad = before[name] = torch.ones_like(parameter)
    grads = explicit(layer, x).grads
    assert_same_tensors(grads, {name: 1 + grad for name, grad in once.items()})
    assert all(grads[name] is before[name] for name in before), "accumulated in place: others may hold the tensor"


@EACH_CASE
def test_requires_grad_may_be_off(case: Case) -> None:
    layer, module = pair(case, train=True)
    x = case.draw(1)
    assert_equal(explicit(layer.requires_grad_(False), x), autograd(module, x))


@EACH_CASE
def test_it_works_under_inference_mode(case: Case) -> None:
    layer, module = pair(case, train=True)
    x = case.draw(1)
    with torch.inference_mode():
        actual = explicit(layer, x.clone())
    assert_equal(actual, autograd(module, x))
    for name, parameter in layer.named_parameters():
        grad = parameter.grad
        assert not grad.is_inference()
        assert (grad.shape, grad.dtype, grad.stride()) == (parameter.shape, parameter.dtype, parameter.stride()), name
    explicit(layer, x)  # and goes on outside


@EACH_CASE
def test_no_graph_is_built(case: Case) -> None:
    layer, _ = pair(case, train=True)
    x = leaf(case.draw(1))
    y, backward = layer(x)
    dx = backward(torch.ones_like(y).requires_grad_())
    for tensor in (y, *([] if dx is None else [dx]), *result(layer, y, dx).grads.values(), *layer.buffers()):
        assert tensor.grad_fn is None
        assert not tensor.requires_grad
    assert x.grad is None


@EACH_CASE
def test_nothing_is_modified_in_place(case: Case) -> None:
    layer, _ = pair(case, train=True)
    x = case.draw(1)
    y, backward = layer(x)
    g = random(y.shape, 9)
    constants = [x, y, g, *layer.parameters()]
    before = [(tensor.clone(), tensor._version) for tensor in constants]
    backward(g)
    layer(x)
    for tensor, (value, version) in zip(constants, before, strict=True):
        assert tensor.equal(value)
        assert tensor._version == version


HALVES = [case for case in CASES if case.layer != "AvgPool3d"]  # whose own forward pass PyTorch lacks on a CPU


@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        *[(case, torch.float32) for case in CASES],
        *[(case, dtype) for case in HALVES for dtype in (torch.float16, torch.bfloat16)],
    ],
    ids=str,
)
def test_other_precisions_are_roughly_right(case: Case, dtype: torch.dtype) -> None:
    layer, module = pair(case, train=False)
    x, tolerance = case.draw(1), 50 * torch.finfo(dtype).eps
    x = x if case.rows else x.to(dtype)
    actual, expected = explicit(layer.to(dtype), x), autograd(module, x if case.rows else x.double())
    assert actual.output.dtype == dtype
    assert actual.grad_input is None or actual.grad_input.dtype == dtype
    assert_equal(actual, expected, tolerance)


@EACH_CASE
def test_everything_but_forward_is_that_of_the_module(case: Case) -> None:
    layer, module = pair(case, train=True)
    assert repr(layer) == repr(module)
    assert shapes(layer.state_dict()) == shapes(module.state_dict())
    assert [name for name, _ in layer.named_parameters()] == [name for name, _ in module.named_parameters()]


@EACH_CASE
def test_it_can_be_copied_and_pickled(case: Case) -> None:
    layer, module = pair(case, train=True)
    x = case.draw(1)
    copies = [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]
    expected = autograd(module, x)
    for twin in copies:
        assert_equal(explicit(twin, x), expected)


@EACH_CASE
@EACH_MODE
def test_an_empty_batch(case: Case, train: bool) -> None:
    layer, module = pair(case, train)
    x = case.draw(1, (0, *case.input[1:]))
    expected = autograd(module, x)
    actual = explicit(layer, x)
    assert actual.output.shape == expected.output.shape
    assert (actual.grad_input is None) if case.rows else (actual.grad_input.shape == x.shape)
    assert_same_tensors(actual.grads, expected.grads)
    assert_same_tensors(actual.buffers, expected.buffers)


def pair(case: Case, train: bool) -> tuple[layers.Layer, nn.Module]:
    """The explicit layer and its oracle with the same state, drawn at random so that no scale is 1 and no bias 0."""
    layer, module = case.build(layers).double().train(train), case.build(ORACLE).double().train(train)
    for seed, (name, tensor) in enumerate(layer.state_dict().items()):
        if tensor.is_floating_point():
            value = random(tensor.shape, 100 + seed)
            tensor.copy_(value.abs() + 0.5 if name.endswith("running_var") else value)
    module.load_state_dict(layer.state_dict())
    return layer, module


def random(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def output_shape(layer: layers.Layer, x: Tensor) -> torch.Size:
    return copy.deepcopy(layer)(x)[0].shape


def explicit(layer: layers.Layer, x: Tensor, grad_output: Tensor | None = None) -> Result:
    torch.manual_seed(0)
    y, backward = layer(x)
    grad_output = random(y.shape, 9).to(y) if grad_output is None else grad_output
    return result(layer, y, backward(grad_output))


def autograd(module: nn.Module, x: Tensor) -> Result:
    """The oracle. Its input is handed on as a clone, because an in-place module may not touch a leaf."""
    torch.manual_seed(0)
    module.zero_grad()
    x = leaf(x)
    y = module(x.clone())
    (y * random(y.shape, 9)).sum().backward()
    return result(module, y.detach(), x.grad)


def leaf(x: Tensor) -> Tensor:
    """A copy that autograd gives a gradient, if it can have one."""
    return x.clone().requires_grad_(x.is_floating_point())


def result(module: nn.Module, output: Tensor, grad_input: Tensor | None) -> Result:
    grads = {name: parameter.grad for name, parameter in module.named_parameters()}
    return Result(output, grad_input, grads, dict(module.named_buffers()))


def assert_equal(actual: Result, expected: Result, tolerance: float = 1e-10) -> None:
    assert_close(actual.output, expected.output, tolerance)
    assert_same(actual.grad_input, expected.grad_input, tolerance)
    assert_same_tensors(actual.grads, expected.grads, tolerance)
    assert_same_tensors(actual.buffers, expected.buffers, tolerance)


def assert_same_tensors(actual: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float = 1e-10) -> None:
    assert list(actual) == list(expected)
    for name, tensor in expected.items():
        assert_close(actual[name], tensor, tolerance)


def assert_same(actual: Tensor | None, expected: Tensor | None, tolerance: float = 1e-10) -> None:
    """As `assert_close`, or that there is none."""
    if actual is None or expected is None:
        assert actual is expected
    else:
        assert_close(actual, expected, tolerance)


def assert_close(actual: Tensor, expected: Tensor, tolerance: float = 1e-10) -> None:
    """The largest difference, relative to the largest value."""
    assert actual.shape == expected.shape
    if expected.numel():
        error = (actual.to(expected.dtype) - expected).abs().max()
        assert error <= tolerance * expected.abs().max(), f"relative error {error / expected.abs().max():.1e}"


def shapes(state: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in state.items()}
