"""Random convolutions by handgrad's kernels against float64 autograd: right numbers, and sums as good as PyTorch's.

HANDGRAD_GEOMETRIES=50000 pytest tests/algorithms/test_gemm_geometries.py takes an hour; every failure tells its seed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import pytest
import torch
from geometries import Drawn, Results, by_autograd, drawn
from large import sized
from torch import Tensor

import handgrad as hg
from handgrad._algorithms import depthwise, gemm
from handgrad._algorithms.gemm import plan, tables
from handgrad._geometry import ConvGeometry

BATCHES, COUNT = 20, int(os.environ.get("HANDGRAD_GEOMETRIES", "2000"))
EPS = torch.finfo(torch.float32).eps
KERNELS = {"gemm": gemm, "depthwise": depthwise}


def computed(kernels: Any, case: Drawn, x: Tensor, w: Tensor, dy: Tensor) -> Results:
    """The three functions of two operands."""
    g = case.geometry
    return Results(kernels.conv(x, w, g), kernels.conv_weight(x, dy, g), kernels.conv_input(w, dy, g))


def apart(ours: Tensor, truth: Tensor) -> float:
    """The worst error, in units of the largest entry; NaN counts as one without measure."""
    assert ours.shape == truth.shape
    if truth.numel() == 0:
        return 0.0
    worst = ((ours - truth).abs().max() / truth.abs().max().clamp(min=1e-30)).item()
    return worst if worst == worst else float("inf")


def float32_errors(name: str, case: Drawn, truth: Results) -> Iterator[tuple[str, float, float]]:
    """Of y, dw and dx: its name, our error, PyTorch's."""
    operands = case.operands(torch.float32)
    ours, theirs = computed(KERNELS[name], case, *operands), by_autograd(case, *operands)
    for of, *two, true in zip(Results._fields, ours, theirs, truth, strict=True):
        yield of, apart(two[0], true), apart(two[1], true)


def cases(name: str, batch: int) -> Iterator[Drawn]:
    """One of `BATCHES` parts of the drawn convolutions; `depthwise` gets those that it takes."""
    return (drawn(seed, narrow=name == "depthwise") for seed in range(batch, COUNT, BATCHES))


def failures(name: str, batch: int, wrong: Callable[[Drawn], Iterator[str]]) -> list[str]:
    return [f"{text}: {case}" for case in cases(name, batch) for text in wrong(case)]


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("name", KERNELS)
def test_all_three_are_what_autograd_says(name: str, batch: int) -> None:
    """float64 up to rounding; float32 at most twice as far from the truth as PyTorch's own, and 4 eps."""

    def wrong(case: Drawn) -> Iterator[str]:
        doubles = case.operands()
        truth = by_autograd(case, *doubles)
        for of, ours, true in zip(Results._fields, computed(KERNELS[name], case, *doubles), truth, strict=True):
            if (error := apart(ours, true)) > 1e-12:
                yield f"{of} is wrong by {error:.3g}"
        for of, error, theirs in float32_errors(name, case, truth):
            if error > 2 * theirs + 4 * EPS:
                yield f"{of} in float32 is off by {error / EPS:.3g} eps, PyTorch's by {theirs / EPS:.3g}"

    assert failures(name, batch, wrong) == []


@pytest.mark.parametrize("name", KERNELS)
def test_the_median_of_errors_is_the_frameworks(name: str) -> None:
    errors: dict[str, list[tuple[float, float]]] = {of: [] for of in Results._fields}
    for case in (drawn(seed, narrow=name == "depthwise") for seed in range(400)):
        for of, *pair in float32_errors(name, case, by_autograd(case, *case.operands())):
            errors[of].append((pair[0], pair[1]))
    for of, pairs in errors.items():
        ours, theirs = (median(side) for side in zip(*pairs, strict=True))
        assert ours <= 1.1 * theirs, of


@pytest.mark.parametrize("of", ["y", "dx"])
@pytest.mark.parametrize("terms", [4608, 18432])
def test_long_sums_are_as_good(of: str, terms: int) -> None:
    """As in the deep layers of a ResNet: 512 channels under a kernel of 3 × 3, and four times as many."""
    channels = (terms // 9, 3) if of == "y" else (3, terms // 9)
    geometry = ConvGeometry((9, 8), (9, 8), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)), 1)
    case = Drawn(0, 2, *channels, geometry, ("plain", "plain", "plain"))
    found = {of: pair for of, *pair in float32_errors("gemm", case, by_autograd(case, *case.operands()))}
    error, theirs = found[of]
    assert error <= 2 * theirs + 4 * EPS, f"{error / EPS:.3g} eps, PyTorch's {theirs / EPS:.3g}"


def test_sums_of_short_rows_are_as_good() -> None:
    """The last layers of a ResNet: 196 positions in four images of 7², which outer products would sum in one chain."""
    case = sized(4, 512, 2048, (7, 7), (1, 1))
    x, w, dy = case.operands(torch.float32)
    truth = torch.einsum("nchw,nohw->oc", x.double(), dy.double())[..., None, None]
    native = torch.ops.aten.convolution_backward(
        dy, x, w, None, (1, 1), (0, 0), (1, 1), False, (0, 0), 1, (False, True, False)
    )[1]
    unit = truth.square().mean().sqrt()  # as `handgrad bench` has it: nearer to an ordinary entry than the largest is
    found = gemm.conv_weight(x, dy, case.geometry), native
    error, theirs = (((dw - truth).abs().max() / unit).item() for dw in found)
    assert error <= 2 * theirs + 4 * EPS, f"{error / EPS:.3g} eps, PyTorch's {theirs / EPS:.3g}"


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(("slab", "weights", "positions"), [(1 << 8, 1 << 8, 5), (1 << 12, 1 << 10, 100)])
def test_blocks_may_be_as_small_as_can_be(
    name: str, slab: int, weights: int, positions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every border between blocks that a large convolution has, in small ones."""
    for constant, value in {"SLAB": slab, "WEIGHTS": weights, "POSITIONS": positions, "MOST": 1 << 12}.items():
        monkeypatch.setattr(plan, constant, value)
    for table in (tables.follow_table, tables.meet_table):
        monkeypatch.setattr(tables, table.__name__, table.__wrapped__)
        monkeypatch.setattr(gemm, table.__name__, table.__wrapped__)
    for case in (drawn(seed, narrow=name == "depthwise") for seed in range(150)):
        operands = case.operands()
        for ours, truth in zip(computed(KERNELS[name], case, *operands), by_autograd(case, *operands), strict=True):
            assert apart(ours, truth) < 1e-12, case


@pytest.mark.parametrize("name", KERNELS)
def test_public_functions_lead_there(name: str) -> None:
    """The same bits from `hg.conv1d` … `hg.conv3d_input` with `algorithm=`."""
    drawings = (drawn(seed, narrow=name == "depthwise") for seed in range(60))
    for case in (case for case in drawings if case.is_whole and case.N):
        (x, w, dy), g = case.operands(), case.geometry
        options = {"stride": g.stride, "padding": g.padding, "dilation": g.dilation, "groups": g.groups}
        call = f"conv{g.dims}d"
        found = Results(
            getattr(hg, call)(x, w, algorithm=name, **options),
            getattr(hg, f"{call}_weight")(x, w.shape, dy, algorithm=name, **options),
            getattr(hg, f"{call}_input")(x.shape, w, dy, algorithm=name, **options),
        )
        for ours, direct in zip(found, computed(KERNELS[name], case, x, w, dy), strict=True):
            assert torch.equal(ours, direct), case
