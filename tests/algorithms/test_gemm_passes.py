"""Taps so far apart that most of what they read is padding: a pass for each, over the positions it reads for."""

from __future__ import annotations

import pytest
import torch
from geometries import by_autograd, drawn
from large import sized

from handgrad._algorithms import gemm
from handgrad._algorithms.gemm import plan
from handgrad._geometry import conv_geometry
from oracles import assert_equal


def test_passes_add_up_to_what_autograd_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "WORTH", -1)
    monkeypatch.setattr(plan, "FAR", 1)
    plan.passes.cache_clear()
    for case in map(drawn, range(120)):
        (x, w, dy), g = case.operands(), case.geometry
        truth, bias = by_autograd(case, x, w, dy), torch.randn(w.shape[0], dtype=w.dtype)
        assert_equal(gemm.conv(x, w, g, bias), truth.y + bias.view(-1, *[1] * g.dims))
        assert_equal(gemm.conv_input(w, dy, g), truth.dx)
        assert_equal(gemm.conv_weight(x, dy, g), truth.dw)
    plan.passes.cache_clear()


@pytest.mark.parametrize("groups", [1, 3])
def test_a_large_weight_is_summed_in_parts(groups: int, monkeypatch: pytest.MonkeyPatch) -> None:
    case = sized(2, 6, 15, (6, 7), (3, 3), padding=4, dilation=4, groups=groups)
    x, w, dy = case.operands()
    monkeypatch.setattr(plan, "WORTH", -1)
    plan.passes.cache_clear()
    for most in (1, 2 * 6 // groups, 7 * 6 // groups, 1000):  # numbers: one row, some of a group, whole groups, all
        monkeypatch.setattr(plan, "MOST", most * x.element_size())
        assert_equal(gemm.conv_weight(x, dy, case.geometry), by_autograd(case, x, w, dy).dw)
    plan.passes.cache_clear()


def test_only_far_taps_of_many_channels_have_passes_of_their_own() -> None:
    far, near = (plan.forward_axes(conv_geometry("t", (28, 28), (3, 3), (1, 1), (d, d), (d, d), 1)) for d in (12, 1))
    assert len(plan.passes(far, 2 * 512 * 256)) == 9
    assert plan.passes(far, 2 * 8 * 8) == (far,)
    assert plan.passes(near, 2 * 512 * 256) == (near,)
    products = sum(axes[1].count * axes[2].count for axes in plan.passes(far, 2 * 512 * 256))
    assert products == (16 + 28 + 16) ** 2  # none in the padding
