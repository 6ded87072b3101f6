"""Random geometries of every kind, against the loop over the law, the adjoint identity, and the framework."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cases import Case
from handgrad.testing import conv_loop, conv_transpose_loop
from oracles import assert_equal, gradients

LARGEST_KERNEL = {1: 6, 2: 4, 3: 3}
DTYPES = st.sampled_from([torch.float64, torch.complex128])
examples = settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@st.composite
def conv_cases(draw: st.DrawFn) -> Case:
    """Any convolution small enough for the loop."""
    dims, groups, per_group = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    mode = draw(st.sampled_from(["zeros", "zeros", "reflect", "replicate", "circular"]))
    kernel, stride, dilation = _kernel(draw, dims), _each(draw, dims, 1, 4), _each(draw, dims, 1, 3)
    pads = [(draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in range(dims)]
    same = draw(st.integers(0, 4)) == 0
    if same:
        stride, totals = (1,) * dims, [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        pads = [(total // 2, total - total // 2) for total in totals]
    # The kernel has to fit, and a mode has to find what it copies.
    copied = {"reflect": 1, "circular": 0}.get(mode)
    least = [
        max(1, d * (k - 1) + 1 - low - high, 0 if copied is None else max(low, high) + copied)
        for k, d, (low, high) in zip(kernel, dilation, pads, strict=True)
    ]
    grid = tuple(size + draw(st.integers(0, 3)) for size in least)
    options = {"stride": stride, "padding": "same" if same else pads, "dilation": dilation, "padding_mode": mode}
    w = (groups * draw(st.integers(1, 2)), per_group, *kernel)
    return Case("drawn", (*_batch(draw), groups * per_group, *grid), w, options | {"groups": groups})


@st.composite
def transposed_cases(draw: st.DrawFn) -> Case:
    """Any transposed convolution small enough for the loop."""
    dims, groups, per_group = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    kernel, stride, dilation = _kernel(draw, dims), _each(draw, dims, 1, 3), _each(draw, dims, 1, 3)
    grid = _each(draw, dims, 1, 4 - dims + 1)
    extra = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    pads = []
    for size, s, k, d, e in zip(grid, stride, kernel, dilation, extra, strict=True):
        low = draw(st.integers(0, min(3, (size - 1) * s + d * (k - 1) + e)))
        pads.append((low, draw(st.integers(0, min(3, (size - 1) * s + d * (k - 1) + e - low)))))
    options = {"stride": stride, "padding": pads, "output_padding": extra, "dilation": dilation, "groups": groups}
    w = (groups * per_group, draw(st.integers(1, 2)), *kernel)
    return Case("drawn", (*_batch(draw), groups * per_group, *grid), w, options, transposed=True)


def _kernel(draw: st.DrawFn, dims: int) -> tuple[int, ...]:
    return _each(draw, dims, 1, LARGEST_KERNEL[dims])


def _each(draw: st.DrawFn, dims: int, least: int, most: int) -> tuple[int, ...]:
    return tuple(draw(st.lists(st.integers(least, most), min_size=dims, max_size=dims)))


def _batch(draw: st.DrawFn) -> tuple[int, ...]:
    return draw(st.sampled_from([(2,), (3,), (1,), (0,), ()]))


def agrees(case: Case, dtype: torch.dtype) -> None:
    """Loop, framework and identity say the same of y, dx, dw and db."""
    x, w, b, dy = case.operands(dtype)
    y = case.function()(x, w, b, **case.options)
    dx, dw, db = case.function("_backward")(dy, x, w, **case.options)
    loop = (conv_transpose_loop if case.transposed else conv_loop)(x, w, dy, **case.options)
    assert_equal(y, loop.output + b.view(-1, *[1] * case.dims))
    assert_equal(dx, loop.grad_input)
    assert_equal(dw, loop.grad_weight)
    assert_equal(y, case.framework(x, w, b))
    for ours, truth in zip((dx, dw, db), gradients(case.framework, (x, w, b), dy), strict=True):
        assert_equal(ours, truth)
    forms = [(a.conj() * b).sum().item() for a, b in ((y, dy), (x, dx), (w, dw), (b, db))]
    assert forms[0] - forms[3] == pytest.approx(forms[1], rel=1e-9, abs=1e-9)
    assert forms[0] - forms[3] == pytest.approx(forms[2], rel=1e-9, abs=1e-9)


@pytest.mark.usefixtures("algorithm")
@examples
@given(case=conv_cases(), dtype=DTYPES)
def test_convolutions(case: Case, dtype: torch.dtype) -> None:
    agrees(case, dtype)


@pytest.mark.usefixtures("algorithm")
@examples
@given(case=transposed_cases(), dtype=DTYPES)
def test_transposed_convolutions(case: Case, dtype: torch.dtype) -> None:
    agrees(case, dtype)


@examples
@given(case=conv_cases(), seed=st.integers(0, 9))
def test_unfold_and_fold(case: Case, seed: int) -> None:
    """The columns give the convolution of one group, and fold is unfold's adjoint."""
    import handgrad as hg

    options: dict[str, Any] = {name: case.options[name] for name in ("dilation", "padding", "stride")}
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(case.x, generator=generator, dtype=torch.float64)
    w = torch.randn(2, x.shape[-case.dims - 1], *case.w[2:], generator=generator, dtype=torch.float64)
    cols = getattr(hg, f"unfold{case.dims}d")(x, case.w[2:], **options)
    y = getattr(hg, f"conv{case.dims}d")(x, w, **options)
    assert_equal((w.flatten(1) @ cols).view_as(y), y)
    other = torch.randn_like(cols)
    image = getattr(hg, f"fold{case.dims}d")(other, x.shape[-case.dims :], case.w[2:], **options)
    assert (cols * other).sum().item() == pytest.approx((x * image).sum().item(), rel=1e-9, abs=1e-9)
