"""Every sample's weight gradient and its squared norm by handgrad's kernels, against autograd one sample at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch
from geometries import Drawn, by_autograd, drawn
from torch import Tensor

import handgrad as hg
from handgrad._algorithms.gemm import plan, samples, tables
from handgrad._algorithms.samples import kernels
from handgrad._geometry import ConvGeometry

BATCHES, COUNT = 10, int(os.environ.get("HANDGRAD_GEOMETRIES", "2000")) // 4
EPS = torch.finfo(torch.float32).eps
FORMS = ("outer", "dots", "lanes")
every_form = pytest.mark.parametrize("form", FORMS)


@pytest.fixture
def forced(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each form of the sum for every geometry that it can do, not only for those that it is good for."""
    monkeypatch.setattr(samples, "outer_is_faster", lambda *_: form == "outer")
    monkeypatch.setattr(samples, "alone", lambda *_: form == "lanes")


def one_by_one(case: Drawn, x: Tensor, w: Tensor, dy: Tensor) -> Tensor:
    """(N, O, C/G, *K) by autograd."""
    found = [by_autograd(case, x[n : n + 1], w, dy[n : n + 1]).dw for n in range(case.N)]
    return torch.stack(found) if found else w.new_zeros(0, *w.shape)


def computed(case: Drawn, x: Tensor, dy: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients, into memory full of NaN, and the squared norms."""
    out = x.new_full((case.N, *case.sizes[1]), torch.nan)
    samples.gradients(x, dy, case.geometry, out)
    return out, samples.squared_norms(x, dy, case.geometry)


def apart(ours: Tensor, truth: Tensor) -> float:
    """The worst error, in units of the largest entry; NaN counts as one without measure."""
    assert ours.shape == truth.shape
    if truth.numel() == 0:
        return 0.0
    worst = ((ours - truth).abs().max() / truth.abs().max().clamp(min=1e-30)).item()
    return worst if worst == worst else float("inf")


def wrong(case: Drawn) -> Iterator[str]:
    x, w, dy = case.operands()
    truth = one_by_one(case, x, w, dy)
    norms = truth.flatten(1).square().sum(1) if case.N else truth.new_zeros(0)
    for what, ours, true in zip(("gradients", "norms"), computed(case, x, dy), (truth, norms), strict=True):
        if (error := apart(ours, true)) > 1e-12:
            yield f"{what} are wrong by {error:.3g}: {case}"
    x, w, dy = case.operands(torch.float32)
    dw, squares = computed(case, x, dy)
    error, theirs = apart(dw, truth), apart(one_by_one(case, x, w, dy), truth)
    if error > 2 * theirs + 4 * EPS:
        yield f"gradients in float32 are off by {error / EPS:.3g} eps, PyTorch's by {theirs / EPS:.3g}: {case}"
    if (error := apart(squares, norms)) > 2 * theirs + 16 * EPS:
        yield f"norms in float32 are off by {error / EPS:.3g} eps: {case}"


@every_form
@pytest.mark.usefixtures("forced")
@pytest.mark.parametrize("batch", range(BATCHES))
def test_each_sample_is_what_autograd_says_of_it_alone(batch: int, form: str) -> None:
    """Among them narrow groups, and channels that stand alone; lanes are for these only."""
    cases = (drawn(seed, narrow=seed % 4 == 0 or form == "lanes") for seed in range(batch, COUNT, BATCHES))
    assert [text for case in cases for text in wrong(case)] == []


@every_form
@pytest.mark.usefixtures("forced")
@pytest.mark.parametrize(("slab", "weights", "strip"), [(1 << 8, 1 << 8, 5), (1 << 12, 1 << 10, 40)])
def test_blocks_may_be_as_small_as_can_be(
    slab: int, weights: int, strip: int, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for constant, value in {"SLAB": slab, "WEIGHTS": weights, "POSITIONS": strip, "STRIP": strip}.items():
        monkeypatch.setattr(plan, constant, value)
    for table in (tables.outer_table, tables.meet_table):
        monkeypatch.setattr(samples, table.__name__, table.__wrapped__)
    for case in (drawn(seed, narrow=form == "lanes") for seed in range(60)):
        x, w, dy = case.operands()
        truth = one_by_one(case, x, w, dy)
        dw, squares = computed(case, x, dy)
        assert apart(dw, truth) < 1e-12, case
        assert apart(squares, truth.flatten(1).square().sum(1) if case.N else squares) < 1e-12, case


@every_form
@pytest.mark.usefixtures("forced")
def test_bits_do_not_depend_on_threads(form: str) -> None:
    for case in (drawn(seed, narrow=form == "lanes") for seed in range(40)):
        x, _, dy = case.operands(torch.float32)
        alone = computed(case, x, dy)
        before = torch.get_num_threads()
        torch.set_num_threads(3)
        try:
            assert all(map(torch.equal, computed(case, x, dy), alone)), case
        finally:
            torch.set_num_threads(before)


def same_size(x: Tensor) -> ConvGeometry:
    """3 × 3 with padding 1."""
    return ConvGeometry(x.shape[2:], x.shape[2:], (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)), 1)


@pytest.mark.parametrize(("C", "size", "outer"), [(64, 8, True), (256, 4, True), (16, 32, False), (1, 28, False)])
def test_the_form_that_should_be_faster_is_taken(
    C: int, size: int, outer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, seen = torch.randn(2, C, size, size), list[str]()
    monkeypatch.setattr(samples, "run_table", lambda name, *_: seen.append(name))
    samples.squared_norms(x, x, same_size(x))
    assert seen == ["outer" if outer else "meet"]


def test_what_may_run_is_what_is_set() -> None:
    x = torch.randn(2, 3, 5, 5)
    geometry = same_size(x)
    assert kernels(x, x, geometry) is samples
    assert kernels(x.half(), x.half(), geometry) is None
    assert kernels(x.to("meta"), x.to("meta"), geometry) is None
    for setting in ({"algorithm": "reference"}, {"algorithm": "native"}, {"exclude": ["gemm"]}):
        with hg.set_algorithm(**setting):  # type: ignore[arg-type]  # a dictionary of its own arguments
            assert kernels(x, x, geometry) is None
    with hg.set_algorithm("gemm"):
        assert kernels(x, x, geometry) is samples


def test_under_vmap_there_are_operators_and_the_same_numbers() -> None:
    x = torch.randn(2, 3, 4, 6, 6, dtype=torch.float64)
    call = lambda x: hg.per_sample.conv2d_weight(x, (4, 4, 3, 3), x, padding=1)  # noqa: E731
    torch.testing.assert_close(torch.func.vmap(call)(x), torch.stack([call(one) for one in x]))
