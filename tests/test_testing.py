"""The oracle itself: by hand where it can be done by hand, and against the framework."""

from __future__ import annotations

import pytest
import torch

from cases import CASES, Case
from handgrad.testing import Loop, conv_loop, conv_transpose_loop
from oracles import assert_equal, gradients


def test_a_sum_of_two_products_by_hand() -> None:
    x, w = torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([[[10.0, 100.0]]])
    loop = conv_loop(x, w, torch.tensor([[[1.0, 1000.0]]]))
    assert loop.output.tolist() == [[[210.0, 320.0]]]
    assert loop.grad_input.tolist() == [[[10.0, 100.0 + 10_000.0, 100_000.0]]]
    assert loop.grad_weight.tolist() == [[[1.0 + 2000.0, 2.0 + 3000.0]]]


def test_a_transposed_convolution_by_hand() -> None:
    x, w = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[10.0, 100.0]]])
    loop = conv_transpose_loop(x, w, torch.tensor([[[1.0, 2.0, 4.0, 8.0, 16.0]]]), stride=2, output_padding=1)
    assert loop.output.tolist() == [[[10.0, 100.0, 20.0, 200.0, 0.0]]]
    assert loop.grad_input.tolist() == [[[210.0, 840.0]]]
    assert loop.grad_weight.tolist() == [[[1.0 + 8.0, 2.0 + 16.0]]]


def test_gradients_conjugate_what_is_known() -> None:
    x, w, dy = (torch.tensor([[[z]]]) for z in (1 + 2j, 3 + 4j, 5 + 6j))
    loop = conv_loop(x, w, dy)
    expected = [(1 + 2j) * (3 + 4j), (3 - 4j) * (5 + 6j), (1 - 2j) * (5 + 6j)]
    assert [entry.item() for entry in loop] == expected


@pytest.mark.parametrize("case", CASES[::4])
def test_the_loop_is_the_frameworks(case: Case) -> None:
    x, w, _, dy = case.operands()
    y, dx, dw = (conv_transpose_loop if case.transposed else conv_loop)(x, w, dy, **case.options)
    true_dx, true_dw = gradients(case.framework, (x, w), dy)
    for ours, truth in ((y, case.framework(x, w)), (dx, true_dx), (dw, true_dw)):
        assert_equal(ours, truth)


def test_single_precision_goes_in_and_double_comes_out() -> None:
    loop = conv_loop(torch.randn(1, 1, 3), torch.randn(1, 1, 2))
    assert isinstance(loop, Loop)
    assert loop.output.dtype == torch.float64
    assert (loop.grad_input, loop.grad_weight) == (None, None)
    assert conv_loop(torch.randn(1, 1, 3).cfloat(), torch.randn(1, 1, 2).cfloat()).output.dtype == torch.complex128
