"""What every function promises besides its numbers: no graph, inputs untouched, results that are nobody else's."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import handgrad as hg


def calls(dims: int, dtype: torch.dtype = torch.float32) -> dict[str, tuple[Callable[..., Any], list[Tensor]]]:
    """Every function of `dims` dimensions, with its tensors; the rest of its arguments is bound."""
    grid, kernel, G = (6, 5, 4)[:dims], (3, 2, 1)[:dims], 2
    x, w, b = torch.randn(2, 4, *grid), torch.randn(6, 2, *kernel), torch.randn(6)
    xt, wt, bt = torch.randn(2, 6, *grid), torch.randn(6, 2, *kernel), torch.randn(4)
    x, w, b, xt, wt, bt = (tensor.to(dtype) for tensor in (x, w, b, xt, wt, bt))
    options: dict[str, Any] = {"stride": 2, "padding": 1, "groups": G, "padding_mode": "reflect"}
    crop: dict[str, Any] = {"stride": 2, "padding": 1, "groups": G, "output_padding": 1}
    conv, transposed = f"conv{dims}d", f"conv_transpose{dims}d"
    of = partial(getattr, hg)
    dy, dyt = torch.randn_like(of(conv)(x, w, **options)), torch.randn_like(of(transposed)(xt, wt, **crop))
    cols = of(f"unfold{dims}d")(x, kernel)
    size, sizet = x.shape, xt.shape
    return {
        conv: (partial(of(conv), **options), [x, w, b]),
        f"{conv}_input": (lambda w, dy: of(f"{conv}_input")(size, w, dy, **options), [w, dy]),
        f"{conv}_weight": (lambda x, dy: of(f"{conv}_weight")(x, w.shape, dy, **options), [x, dy]),
        f"{conv}_bias": (of(f"{conv}_bias"), [dy]),
        f"{conv}_backward": (partial(of(f"{conv}_backward"), **options), [dy, x, w]),
        transposed: (partial(of(transposed), **crop), [xt, wt, bt]),
        f"{transposed}_input": (lambda w, dy: of(f"{transposed}_input")(sizet, w, dy, **crop), [wt, dyt]),
        f"{transposed}_weight": (lambda x, dy: of(f"{transposed}_weight")(x, wt.shape, dy, **crop), [xt, dyt]),
        f"{transposed}_bias": (of(f"{transposed}_bias"), [dyt]),
        f"{transposed}_backward": (partial(of(f"{transposed}_backward"), **crop), [dyt, xt, wt]),
        f"unfold{dims}d": (partial(of(f"unfold{dims}d"), kernel_size=kernel), [x]),
        f"fold{dims}d": (partial(of(f"fold{dims}d"), output_size=grid, kernel_size=kernel), [cols]),
    }


NAMES = [(dims, name) for dims in (1, 2, 3) for name in calls(dims)]
every_function = pytest.mark.parametrize(("dims", "name"), NAMES, ids=[name for _, name in NAMES])


def tensors(result: Any) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else list(result)


def test_these_are_all_the_functions_there_are() -> None:
    assert {name for _, name in NAMES} | {"Gradients"} == set(hg.functional.__all__)


@every_function
def test_no_result_has_a_graph(dims: int, name: str) -> None:
    function, operands = calls(dims)[name]
    for operand in operands:
        operand.requires_grad_()
    assert not any(result.requires_grad for result in tensors(function(*operands)))
    assert torch.is_grad_enabled()


@every_function
def test_works_under_inference_mode(dims: int, name: str) -> None:
    function, operands = calls(dims)[name]
    expected = tensors(function(*operands))
    with torch.inference_mode():
        mixed = tensors(function(operands[0].clone(), *operands[1:]))  # the first made here, the others outside
    for ours, truth in zip(mixed, expected, strict=True):
        assert torch.equal(ours, truth)


@every_function
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.complex64])
def test_inputs_are_untouched_and_results_are_new(dims: int, name: str, dtype: torch.dtype) -> None:
    function, operands = calls(dims, dtype)[name]
    before = [(operand.clone(), operand._version, operand.stride()) for operand in operands]
    results = tensors(function(*operands))
    for operand, (values, version, strides) in zip(operands, before, strict=True):
        assert torch.equal(operand, values)
        assert (operand._version, operand.stride()) == (version, strides)
    memory = {operand.untyped_storage().data_ptr() for operand in operands}
    own = [result.untyped_storage().data_ptr() for result in results]
    assert not memory.intersection(own)
    assert len(set(own)) == len(own)


@every_function
def test_twice_is_the_same_to_the_last_bit(dims: int, name: str) -> None:
    function, operands = calls(dims)[name]
    for first, second in zip(tensors(function(*operands)), tensors(function(*operands)), strict=True):
        assert torch.equal(first, second)


@every_function
def test_results_are_plain_tensors(dims: int, name: str) -> None:
    """Parameters and lazily conjugated views go in; neither comes out."""
    function, operands = calls(dims, torch.complex64)[name]
    for kind in (torch.nn.Parameter, torch.conj):
        for result in tensors(function(*map(kind, operands))):
            assert type(result) is Tensor
            assert not result.is_conj()
            assert not result.is_neg()


@pytest.mark.parametrize("name", [name for _, name in NAMES])
def test_a_function_says_what_it_is(name: str) -> None:
    function = getattr(hg, name)
    assert function.__name__ == function.__qualname__ == name
    assert function.__doc__
    assert "{n}" not in function.__doc__
    assert "dims" not in inspect.signature(function).parameters
    assert "Returns:" in function.__doc__
    assert "Raises:" in function.__doc__


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_signatures_are_the_frameworks(dims: int) -> None:
    """torch.nn.grad's parameters come first, in its order, with its defaults; then what it lacks."""
    for of in ("input", "weight"):
        theirs = inspect.signature(getattr(torch.nn.grad, f"conv{dims}d_{of}")).parameters
        ours = inspect.signature(getattr(hg, f"conv{dims}d_{of}")).parameters
        assert list(ours) == [*theirs, "padding_mode", "algorithm"]
        assert all(ours[name].default == theirs[name].default for name in theirs)


@pytest.mark.parametrize("of", [tuple, list, torch.Size, np.array, torch.tensor], ids=lambda kind: kind.__name__)
def test_any_sequence_of_integers_is_a_stride(of: Callable[[Any], Any]) -> None:
    x, w = torch.randn(1, 2, 9, 8), torch.randn(3, 2, 2, 2)
    y = hg.conv2d(x, w, stride=of((2, 3)), padding=of((1, 0)), dilation=of((1, 2)))
    assert torch.equal(y, hg.conv2d(x, w, stride=(2, 3), padding=(1, 0), dilation=(1, 2)))
    dx = hg.conv2d_input(of(x.shape), w, torch.ones_like(y), of((2, 3)), of((1, 0)), of((1, 2)))
    assert dx.shape == x.shape


@pytest.mark.parametrize("one", [np.int64(2), torch.tensor(2), True + True])
def test_any_integer_is_a_stride(one: Any) -> None:
    x, w = torch.randn(1, 4, 9, 8), torch.randn(4, 2, 2, 2)
    y = hg.conv2d(x, w, None, one, one, one, one)
    assert torch.equal(y, hg.conv2d(x, w, None, 2, 2, 2, 2))
    transposed = hg.conv_transpose2d(x, w, None, one, one, one - 1, one, one)
    assert torch.equal(transposed, hg.conv_transpose2d(x, w, None, 2, 2, 1, 2, 2))
    assert type(transposed.shape[1]) is int
