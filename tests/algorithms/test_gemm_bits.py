"""The same bits from any number of threads and any run, wherever operands begin; the same values however they lie."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from geometries import ARRANGEMENTS, Drawn, by_autograd
from large import LARGE
from torch import Tensor

from handgrad._algorithms import depthwise, gemm
from oracles import assert_equal


@pytest.fixture(autouse=True)
def _threads_as_they_were() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def all_three(case: Drawn, x: Tensor, w: Tensor, dy: Tensor) -> list[Tensor]:
    """By `depthwise` where it can, else by `gemm`."""
    g = case.geometry
    kernels = gemm if depthwise.refusal("conv", x, w, g) else depthwise
    return [kernels.conv(x, w, g), kernels.conv_weight(x, dy, g), kernels.conv_input(w, dy, g)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", LARGE.values(), ids=LARGE)
def test_neither_threads_nor_runs_change_a_bit(case: Drawn, dtype: torch.dtype) -> None:
    operands = case.operands(dtype)
    alone = all_three(case, *operands)
    for threads in (1, 2, 3, 2, 3):
        torch.set_num_threads(threads)
        for ours, first in zip(all_three(case, *operands), alone, strict=True):
            assert torch.equal(ours, first)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("case", LARGE.values(), ids=LARGE)
def test_several_threads_are_right(case: Drawn, threads: int) -> None:
    torch.set_num_threads(threads)
    operands = case.operands()
    for ours, truth in zip(all_three(case, *operands), by_autograd(case, *operands), strict=True):
        assert_equal(ours, truth)


@pytest.mark.parametrize("case", LARGE.values(), ids=LARGE)
def test_where_an_operand_begins_does_not_change_a_bit(case: Drawn) -> None:
    operands = [operand.contiguous() for operand in case.operands(torch.float32)]
    first = all_three(case, *operands)
    for shift in (1, 2, 3, 5, 8):
        moved = [_moved(operand, shift) for operand in operands]
        for ours, before in zip(all_three(case, *moved), first, strict=True):
            assert torch.equal(ours, before)


def _moved(operand: Tensor, shift: int) -> Tensor:
    room = operand.new_empty(operand.numel() + shift)[shift:]
    return room.view(operand.shape).copy_(operand)


@pytest.mark.parametrize("arrangement", ["channels last", "channels before samples", "grid turned"])
@pytest.mark.parametrize("case", LARGE.values(), ids=LARGE)
def test_the_memory_format_changes_no_value(case: Drawn, arrangement: str) -> None:
    operands = case.operands()
    arranged = [ARRANGEMENTS[arrangement](operand) for operand in operands]
    for ours, plain in zip(all_three(case, *arranged), all_three(case, *operands), strict=True):
        assert_equal(ours, plain)
