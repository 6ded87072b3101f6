"""Gradients that are right and stand in each other's place."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from handgrad._check import check


def weighted(x: Tensor, wanted: Tensor) -> Tensor:
    return (x.exp() * wanted).sum(0)


def test_a_gradient_in_the_place_of_an_input_that_has_none() -> None:
    report = check((weighted, lambda g, x, wanted: (None, g * x.exp() * wanted)), inputs=["x=4x3", "wanted=4x3"])
    wrong = next(one for one in report.gradients if one.name == "x")
    assert [finding.cause for finding in wrong.findings] == ["wrong-return-order"]
    assert "is returned in the place of `wanted`, and nothing in its own" in wrong.findings[0].message


class Lookup(torch.autograd.Function):
    first = True  # whether the gradient of the table stands first, where the index has none

    @staticmethod
    def forward(ctx: Any, index: Tensor, table: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.shape = table.shape
        return table[index]

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (index,) = ctx.saved_tensors
        dtable = torch.zeros(ctx.shape, dtype=g.dtype).index_add_(0, index, g)
        return (dtable, None) if Lookup.first else (None, dtable)


def test_a_gradient_in_the_place_of_an_integer(monkeypatch: Any) -> None:
    inputs = {"index": torch.tensor([3, 0, 3, 1]), "table": torch.randn(5, 2, dtype=torch.float64)}
    assert [finding.cause for finding in check(Lookup, inputs=inputs).findings] == ["wrong-return-order"]
    monkeypatch.setattr(Lookup, "first", False)
    assert check(Lookup, inputs=inputs).ok


def test_what_moves_up_because_one_is_missing_is_a_wrong_count() -> None:
    def forward(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return x @ w + b

    report = check((forward, lambda g, _x, w, _b: (g @ w.T, g.sum(0))), inputs=["x=4x3", "w=3x5", "b=5"])
    assert report.findings[0].cause == "wrong-return-count"
    assert report.gradients[2].findings[0].cause == "wrong-return-count"
