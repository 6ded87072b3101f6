"""Every convolution and every gradient against the loop over the law and against the framework's autograd."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import handgrad as hg
from cases import ARRANGEMENTS, CASES, EMPTY, Case
from handgrad.testing import conv_loop, conv_transpose_loop
from oracles import assert_equal, gradients

# Complex numbers are for the reference alone, and `depthwise` for groups.
RUNS = [
    ("reference", torch.float64),
    ("reference", torch.complex128),
    ("native", torch.float64),
    ("native:channels-last", torch.float64),
    ("gemm", torch.float64),
    ("depthwise", torch.float64),
]


def runs(cases: list[Any]) -> Any:
    """Every case by every algorithm, in every dtype that it knows."""
    return pytest.mark.parametrize(
        ("case", "algorithm", "dtype"),
        [
            pytest.param(
                case.values[0],
                algorithm,
                dtype,
                id=f"{algorithm}-{'complex' if dtype.is_complex else 'real'}-{case.id}",
                marks=[pytest.mark.smoke] * (algorithm == "reference" and not dtype.is_complex),
            )
            for case in cases
            for algorithm, dtype in RUNS
            if algorithm != "depthwise" or case.values[0].options.get("groups", 1) > 1
        ],
        indirect=["algorithm"],
    )


def everything(case: Case, x: Tensor, w: Tensor, dy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """y, dx and dw by handgrad's three functions."""
    y = case.function()(x, w, **case.options)
    dx = case.function("_input")(x.shape, w, dy, **case.options)
    dw = case.function("_weight")(x, w.shape, dy, **case.options)
    return y, dx, dw


@pytest.mark.usefixtures("algorithm")
@runs(CASES)
def test_the_three_functions_are_the_loop_over_the_law(case: Case, dtype: torch.dtype) -> None:
    x, w, _, dy = case.operands(dtype)
    loop = (conv_transpose_loop if case.transposed else conv_loop)(x, w, dy, **case.options)
    for ours, truth in zip(everything(case, x, w, dy), loop, strict=True):
        assert_equal(ours, truth)


@pytest.mark.usefixtures("algorithm")
@runs(CASES + EMPTY)
def test_output_and_gradients_are_the_frameworks(case: Case, dtype: torch.dtype) -> None:
    x, w, b, dy = case.operands(dtype)
    y, dx, dw = everything(case, x, w, dy)
    assert_equal(y, case.framework(x, w))
    assert_equal(case.function()(x, w, b, **case.options), case.framework(x, w, b))
    true_dx, true_dw, true_db = gradients(case.framework, (x, w, b), dy)
    assert_equal(dx, true_dx)
    assert_equal(dw, true_dw)
    if dy.numel() or 0 not in case.w:  # grad_output without channels cannot tell how many the bias has
        assert_equal(case.function("_bias")(dy), true_db)
    for ours, truth in zip(
        case.function("_backward")(dy, x, w, **case.options), (true_dx, true_dw, true_db), strict=True
    ):
        assert_equal(ours, truth)


@pytest.mark.usefixtures("algorithm")
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
@pytest.mark.parametrize("case", [c for c in CASES if len(c.values[0].x) == len(c.values[0].w)][::4])
def test_the_place_in_memory_does_not_matter(case: Case, arrangement: str) -> None:
    x, w, _, dy = case.operands()
    arranged = [ARRANGEMENTS[arrangement](operand) for operand in (x, w, dy)]
    for ours, plain in zip(everything(case, *arranged), everything(case, x, w, dy), strict=True):
        assert_equal(ours, plain)


@pytest.mark.usefixtures("algorithm")
@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_expanded_operands(axis: int) -> None:
    """A broadcast axis has stride 0; so has every axis of the gradient of a sum."""
    x, w, dy = torch.randn(3, 4, 6, 5), torch.randn(2, 4, 3, 2), torch.randn(3, 2, 4, 4)
    x, w, dy = (operand.narrow(axis, 0, 1).expand_as(operand).double() for operand in (x, w, dy))
    x, w, dy = (operand.narrow(axis, 0, 1).expand_as(operand) for operand in (x, w, dy))
    true_dx, true_dw = gradients(torch.conv2d, (x, w), dy)
    assert_equal(hg.conv2d(x, w), torch.conv2d(x, w))
    assert_equal(hg.conv2d_input(x.shape, w, dy), true_dx)
    assert_equal(hg.conv2d_weight(x, w.shape, dy), true_dw)


@pytest.mark.usefixtures("algorithm")
def test_the_gradient_of_a_sum_may_be_one_expanded_number() -> None:
    x, w = torch.randn(2, 3, 6, 5, dtype=torch.float64), torch.randn(4, 3, 3, 2, dtype=torch.float64)
    dy = torch.ones((), dtype=torch.float64).expand(2, 4, 4, 4)
    for ours, truth in zip(hg.conv2d_backward(dy, x, w)[:2], gradients(torch.conv2d, (x, w), dy), strict=True):
        assert_equal(ours, truth)


@pytest.mark.usefixtures("algorithm")
def test_flipped_and_lazily_conjugated_operands() -> None:
    """`conj` is a view with a bit set, and so is the `imag` of one: the bits must not be lost."""
    x, w = torch.randn(2, 3, 6, 5, dtype=torch.complex128), torch.randn(4, 3, 3, 2, dtype=torch.complex128)
    dy = torch.randn(2, 4, 4, 4, dtype=torch.complex128)
    x, w, dy = x.conj(), w.flip(-1).conj(), dy.conj()
    assert x.is_conj()
    assert_equal(hg.conv2d(x, w), torch.conv2d(x, w))
    for ours, truth in zip(hg.conv2d_backward(dy, x, w)[:2], gradients(torch.conv2d, (x, w), dy), strict=True):
        assert_equal(ours, truth)
    assert x.imag.is_neg()
    assert_equal(hg.conv2d(x.imag, w.real), torch.conv2d(x.imag.resolve_neg(), w.real))


def test_an_int_means_the_same_in_every_dimension() -> None:
    x, w = torch.randn(2, 2, 7, 8, dtype=torch.float64), torch.randn(3, 2, 2, 3, dtype=torch.float64)
    assert_equal(hg.conv2d(x, w, None, 2, 1, 3), hg.conv2d(x, w, stride=(2, 2), padding=(1, 1), dilation=(3, 3)))
    assert_equal(hg.conv2d(x, w, None, 2, 1, 3), torch.conv2d(x, w, None, 2, 1, 3))


def test_arguments_stand_in_the_frameworks_order() -> None:
    x, w, b = (torch.randn(s, dtype=torch.float64) for s in ((2, 4, 7), (4, 3, 3), (6,)))
    theirs = torch.nn.functional.conv_transpose1d(x, w, b, 3, 1, 2, 2, 4)
    assert_equal(hg.conv_transpose1d(x, w, b, 3, 1, 2, 2, 4), theirs)
    x, w, dy = (torch.randn(s, dtype=torch.float64) for s in ((2, 4, 9, 8), (6, 2, 2, 3), (2, 6, 5, 3)))
    theirs = torch.nn.grad.conv2d_input(x.shape, w, dy, (2, 3), (1, 2), (1, 2), 2)
    assert_equal(hg.conv2d_input(x.shape, w, dy, (2, 3), (1, 2), (1, 2), 2), theirs)
    theirs = torch.nn.grad.conv2d_weight(x, w.shape, dy, (2, 3), (1, 2), (1, 2), 2)
    assert_equal(hg.conv2d_weight(x, w.shape, dy, (2, 3), (1, 2), (1, 2), 2), theirs)
    assert_equal(hg.conv2d_backward(dy, x, w, (2, 3), (1, 2), (1, 2), 2).weight, theirs)


@pytest.mark.parametrize("name", ["conv2d", "conv_transpose2d"])
@pytest.mark.parametrize("needs", [(), ("input",), ("weight",), ("bias",), ["weight", "input"], {"bias", "weight"}])
def test_backward_computes_what_is_asked(name: str, needs: object) -> None:
    x, w = torch.randn(2, 3, 5, 6), torch.randn(3, 3, 2, 2)
    dy = torch.randn_like(getattr(hg, name)(x, w))
    every, asked = getattr(hg, name + "_backward")(dy, x, w), getattr(hg, name + "_backward")(dy, x, w, needs=needs)
    assert isinstance(asked, hg.Gradients)
    for field in hg.Gradients._fields:
        ours, truth = getattr(asked, field), getattr(every, field)
        assert (ours is None) if field not in needs else torch.equal(ours, truth)


def test_what_is_not_asked_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> Tensor:
        raise AssertionError

    x, w, dy = torch.randn(2, 3, 5, 6), torch.randn(3, 3, 2, 2), torch.randn(2, 3, 4, 5)
    monkeypatch.setattr("handgrad._algorithms.reference.conv_input", never)
    with hg.set_algorithm("reference"):
        assert hg.conv2d_backward(dy, x, w, needs=("weight", "bias")).input is None
        monkeypatch.setattr("handgrad._algorithms.reference.conv_weight", never)
        assert hg.conv2d_backward(dy, x, w, needs=("bias",)).weight is None
        with pytest.raises(AssertionError):
            hg.conv2d_backward(dy, x, w, needs=("weight",))
