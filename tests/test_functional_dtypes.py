"""How exact each dtype is: against the same operands in double precision, and against the framework's own error."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import handgrad as hg
from cases import CASES, Case, case, transposed
from oracles import gradients

HALF = [torch.float16, torch.bfloat16]
# Long sums, where a careless order of adding would show.
LONG = [
    case("many channels", (2, 64, 14, 14), (64, 64, 3, 3), padding=1),
    case("many positions", (16, 8, 32, 32), (16, 8, 3, 3), padding=1),
    case("many positions, depthwise", (8, 16, 32, 32), (16, 1, 3, 3), groups=16),
    transposed("many channels", (2, 64, 10, 10), (64, 32, 3, 3), stride=2),
    case("long", (8, 16, 500), (16, 16, 5)),
    case("deep", (2, 8, 8, 9, 10), (16, 8, 3, 3, 3), padding=1),
]


def results(case: Case, dtype: torch.dtype) -> list[tuple[str, Tensor, Tensor, Tensor]]:
    """(name, ours, the framework's, the truth in double precision) of the output and each gradient."""
    double = torch.complex128 if dtype.is_complex else torch.float64
    low = [operand.to(dtype) for operand in case.operands(double)]
    (x, w, b, dy), high = low, [operand.to(double) for operand in low]
    ours = (case.function()(x, w, b, **case.options), *case.function("_backward")(dy, x, w, **case.options))
    theirs = (case.framework(x, w, b), *gradients(case.framework, (x, w, b), dy))
    truth = (case.framework(*high[:3]), *gradients(case.framework, high[:3], high[3]))
    return list(zip(("y", "dx", "dw", "db"), ours, theirs, truth, strict=True))


def worst(a: Tensor, truth: Tensor) -> float:
    """The largest distance, in units of the largest entry."""
    return ((a.to(truth.dtype) - truth).abs().max() / truth.abs().max()).item()


@pytest.mark.parametrize("algorithm", ["reference", "native", "depthwise", "gemm"], indirect=True)
@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
@pytest.mark.parametrize("case", CASES[::3] + LONG)
def test_single_precision_is_as_exact_as_the_frameworks(case: Case, dtype: torch.dtype, algorithm: str) -> None:
    for name, ours, theirs, truth in results(case, dtype):
        assert ours.dtype == dtype
        twice, little = 2 * worst(theirs, truth), 4 * torch.finfo(dtype).eps
        assert worst(ours, truth) <= (max(twice, little) if algorithm == "reference" else twice + little), name


@pytest.mark.parametrize("algorithm", ["reference", "native"], indirect=True)
@pytest.mark.usefixtures("algorithm")
@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("case", CASES[::3] + LONG)
def test_half_precision_rounds_once(case: Case, dtype: torch.dtype) -> None:
    """Sums are made in float32, with the bias and the fold of the padding: every entry, not only the largest, is
    within half a unit of its own last place."""
    for name, ours, _, truth in results(case, dtype):
        assert ours.dtype == dtype
        noise = 100 * torch.finfo(torch.float32).eps * truth.abs().max() + torch.finfo(dtype).smallest_normal
        allowed = truth.abs() * torch.finfo(dtype).eps / 2 + noise
        assert ((ours.double() - truth).abs() <= allowed).all(), name


@pytest.mark.parametrize("dtype", HALF)
def test_half_precision_sums_further_than_half_precision_counts(dtype: torch.dtype) -> None:
    """Adding ones in float16 stops at 2048, in bfloat16 at 256."""
    x, dy = torch.ones(1, 1, 64, 64, dtype=dtype), torch.ones(1, 1, 64, 64, dtype=dtype)
    assert hg.conv2d_weight(x, (1, 1, 1, 1), dy).item() == 4096
    assert hg.conv2d_bias(dy).item() == 4096
    assert hg.conv2d(x, x).item() == 4096


def test_unfold_and_fold_keep_the_dtype() -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128):
        cols = hg.unfold2d(torch.randn(2, 3, 5, 6).to(dtype), 2)
        assert cols.dtype == hg.fold2d(cols, (5, 6), 2).dtype == dtype
