"""Squared norms from pairs of positions by handgrad's kernel: right as far as pairs can be, each sample for itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import product
from random import Random
from types import SimpleNamespace

import pytest
import torch
from geometries import Drawn, by_autograd, drawn
from torch import Tensor

import handgrad as hg
from handgrad._algorithms import gemm
from handgrad._algorithms.gemm import plan, samples
from handgrad._geometry import ConvGeometry
from handgrad.per_sample import _products

BATCHES, COUNT = 10, int(os.environ.get("HANDGRAD_GEOMETRIES", "2000")) // 2
NAN = float("nan")


def kernel_can(case: Drawn) -> bool:
    """The output is one plane, and nothing is empty."""
    return plan.forward_axes(case.geometry)[0].count == 1 and case.N > 0


def cases(seeds: range) -> Iterator[Drawn]:
    """Among them narrow groups."""
    return filter(kernel_can, (drawn(seed, narrow=seed % 4 == 0) for seed in seeds))


def truth(case: Drawn, x: Tensor, w: Tensor, dy: Tensor) -> tuple[Tensor, Tensor]:
    """(N,) and (N,) in float64: ‖dw[n]‖² by autograd; Σ_g (Σ_p ‖dy[n, g, p]‖ · ‖window[n, g, p]‖)²."""
    G, x, w, dy = case.geometry.groups, x.double(), w.double(), dy.double()
    dw = torch.stack([by_autograd(case, x[n : n + 1], w, dy[n : n + 1]).dw for n in range(case.N)])
    # ‖window‖² is the convolution of x² with ones
    ones, once = w.new_ones(G, *w.shape[1:]), dy.new_ones(case.N, G, *dy.shape[2:])
    seen = by_autograd(case, x.square(), ones, once).y.sqrt()
    met = dy.square().unflatten(1, (G, -1)).sum(2).sqrt()
    return dw.flatten(1).square().sum(1), (met * seen).flatten(2).sum(2).square().sum(1)


def wrong(case: Drawn, dtype: torch.dtype) -> Iterator[str]:
    x, w, dy = case.operands(dtype)
    norms, together = truth(case, x, w, dy)
    ours, bound = (found.double() for found in samples.squared_norms_of_pairs(x, dy, case.geometry))
    eps = torch.finfo(dtype).eps
    if not ((ours - norms).abs() <= 16 * eps * together).all():
        yield f"norms are off by {((ours - norms).abs() / together).max() / eps:.3g} eps of the bound: {case}"
    if not ((bound - together).abs() <= 32 * eps * together).all():
        yield f"the bound is off by {((bound / together - 1).abs()).max() / eps:.3g} eps: {case}"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", range(BATCHES))
def test_each_norm_is_what_autograd_says_of_its_sample_alone(batch: int, dtype: torch.dtype) -> None:
    assert [text for case in cases(range(batch, COUNT, BATCHES)) for text in wrong(case, dtype)] == []


def test_bits_do_not_depend_on_threads() -> None:
    before = torch.get_num_threads()
    for case in cases(range(60)):
        x, _, dy = case.operands(torch.float32)
        found = []
        try:
            for threads in (1, 3, 2):
                torch.set_num_threads(threads)
                found.append(torch.stack(samples.squared_norms_of_pairs(x, dy, case.geometry)))
        finally:
            torch.set_num_threads(before)
        assert torch.equal(found[0], found[1]), case
        assert torch.equal(found[0], found[2]), case


@pytest.mark.parametrize("of", ["x", "dy"])
@pytest.mark.parametrize("value", [NAN, float("inf")])
def test_what_is_not_finite_reaches_no_other_sample(of: str, value: float) -> None:
    """Bit for bit, from a thread that computes one sample after the other in the same memory."""
    for case in cases(range(200)):
        x, _, dy = (operand.contiguous() for operand in case.operands(torch.float32))
        clean = torch.stack(samples.squared_norms_of_pairs(x, dy, case.geometry))
        n, some = Random(case.seed).randrange(case.N), x if of == "x" else dy
        some[n].view(-1)[:: 1 + case.seed % 3] = value
        found = torch.stack(samples.squared_norms_of_pairs(x, dy, case.geometry))
        others = torch.arange(case.N) != n
        assert torch.equal(found[:, others], clean[:, others]), case


def square(N: int, C: int, size: int, O: int | None = None) -> tuple[Tensor, Tensor, ConvGeometry]:
    """x, dy and the geometry of 3 × 3 with padding 1."""
    geometry = ConvGeometry((size, size), (size, size), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)), 1)
    return torch.randn(N, C, size, size), torch.randn(N, O or C, size, size), geometry


@pytest.mark.parametrize(
    ("C", "size", "taken"),
    [(256, 4, True), (128, 14, True), (64, 12, True), (32, 8, True), (64, 26, False), (32, 18, False), (3, 8, False)],
)
def test_pairs_are_taken_where_they_should_be_faster(C: int, size: int, taken: bool) -> None:
    """They cross at 7, 12, 20 and 28 for 16, 32, 64 and 128 channels, by measured constants of one processor."""
    assert samples.by_pairs(*square(8, C, size)) is taken


def test_pairs_are_not_taken_where_the_kernel_cannot() -> None:
    x, dy, geometry = square(8, 64, 4)
    assert samples.by_pairs(x, dy, geometry)
    assert not samples.by_pairs(x[:0], dy[:0], geometry)
    planes = ConvGeometry((2, 4, 4), (2, 4, 4), (1, 3, 3), (1, 1, 1), (1, 1, 1), ((0, 0), (1, 1), (1, 1)), 1)
    assert not samples.by_pairs(x.view(4, 64, 2, 4, 4), dy.view(4, 64, 2, 4, 4), planes)
    each = ConvGeometry((4, 4), (4, 4), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)), 64)
    assert not samples.by_pairs(x, dy, each)


def test_few_samples_are_few_jobs() -> None:
    """One sample's gradient can be cut into jobs for several threads, its pairs cannot."""
    assert samples.by_pairs(*square(4, 64, 16))
    assert not samples.by_pairs(*square(1, 64, 16))
    assert samples.by_pairs(*square(1, 64, 8))


def test_memory_of_a_thread_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked for, for one thread, by the largest images that are taken."""
    asked = list[int]()
    monkeypatch.setattr(gemm, "launch", lambda *_: None)
    monkeypatch.setattr(gemm, "scratch", SimpleNamespace(at_least=lambda size: asked.append(size) or 0))
    for C, size, dtype in product((64, 512, 2048), range(2, 50), (torch.float32, torch.float64)):
        x = torch.empty(1, 1, 1, 1, dtype=dtype).expand(8, C, size, size)
        geometry = square(1, 1, size)[2]
        if samples.by_pairs(x, x, geometry):
            samples.squared_norms_of_pairs(x, x, geometry)
    assert 4 << 20 < max(asked) < 8 << 20


def cancelling() -> tuple[Tensor, Tensor, Tensor]:
    """A nearly constant image under a dy without mean but in the last sample; and the norms that are right."""
    x, dy = 1 + 1e-4 * torch.randn(6, 64, 6, 6), 1e4 * torch.randn(6, 64, 6, 6)
    dy[:5] -= dy[:5].mean((2, 3), keepdim=True)
    return x, dy, torch.einsum("nohw,nchw->noc", dy.double(), x.double()).square().sum((1, 2))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many samples came from their gradients, at each call."""
    found, original = list[int](), _products._squared_norms_by_gradients
    note = lambda sides, *rest: (found.append(sides.samples), original(sides, *rest))[1]  # noqa: E731
    monkeypatch.setattr(_products, "_squared_norms_by_gradients", note)
    return found


@pytest.mark.parametrize("padding_mode", ["zeros", "circular"])
def test_a_norm_whose_pairs_cancel_comes_from_its_gradient_and_no_other(counted: list[int], padding_mode: str) -> None:
    x, dy, exact = cancelling()
    sqnorm = hg.per_sample.conv2d_weight_sqnorm(x, (64, 64, 1, 1), dy, padding_mode=padding_mode)
    torch.testing.assert_close(sqnorm.double(), exact, rtol=0.02, atol=0)
    assert counted == [1] * 5


def test_what_is_not_finite_comes_from_the_gradient_and_nothing_else_does(counted: list[int]) -> None:
    """NaN where no window reads is in no gradient. A gradient that is zero has pairs that are zero."""
    x, dy, w = torch.randn(5, 64, 8, 8), torch.randn(5, 64, 3, 3), (64, 64, 3, 3)
    x[0, 3, 1, 7], x[1, 3, 4, 4], dy[2], x[3] = NAN, NAN, 0, 0
    norms = hg.per_sample.conv2d_weight_sqnorm(x, w, dy, stride=2)
    dw = torch.einsum("nohw,nchwij->nocij", dy.double(), x.double().unfold(2, 3, 2).unfold(3, 3, 2))
    torch.testing.assert_close(norms.double(), dw.flatten(1).square().sum(1), rtol=1e-5, atol=0, equal_nan=True)
    assert norms.isnan().tolist() == [False, True, False, False, False]
    assert counted == [1, 1]
