"""dw by outer products, where rows are short: summed over samples too, whatever the blocks."""

from __future__ import annotations

import pytest
from geometries import by_autograd, drawn

from handgrad._algorithms import gemm
from handgrad._algorithms.gemm import plan, tables
from oracles import assert_equal


@pytest.mark.parametrize("strip", [plan.STRIP, 13])
def test_outer_products_of_any_convolution_are_what_autograd_says(monkeypatch: pytest.MonkeyPatch, strip: int) -> None:
    monkeypatch.setattr(gemm, "outer_is_faster", lambda *_: True)
    monkeypatch.setattr(plan, "STRIP", strip)
    tables.outer_table.cache_clear()
    for case in map(drawn, range(150)):
        x, w, dy = case.operands()
        assert_equal(gemm.conv_weight(x, dy, case.geometry), by_autograd(case, x, w, dy).dw)
    tables.outer_table.cache_clear()


def test_short_rows_of_many_channels_are_outer_products_and_long_rows_are_not() -> None:
    short, long = ((plan.ONE, *[plan.Axis(size, size, 1, (-1, 0, 1), (0, 1, 2))] * 2) for size in (7, 56))
    assert tables.outer_is_faster(short, 4, 512, 512, 4)
    assert not tables.outer_is_faster(long, 4, 512, 512, 4)
