"""Slips in what networks are made of: choices between units, softmax, the turns of a recurrent net, losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from test_slips_inside import causes
from torch import Tensor

from handgrad import check
from handgrad._check import diagnose
from handgrad._check.slips import Path
from handgrad._check.slips.draw import Draw
from handgrad._check.slips.search import ranked


def chunks_back(g: Tensor, x: Tensor, share: Callable[..., Tensor]) -> Tensor:
    first, second = x.chunk(2, 1)
    return torch.cat([g * share(first > second), g * share(first < second)], 1)


@pytest.mark.parametrize("choose", [torch.maximum, lambda a, b: torch.where(a > b, a, b)], ids=["maximum", "where"])
def test_a_choice_between_two_gives_no_gradient_to_the_other(choose: Callable[..., Tensor]) -> None:
    def forward(x: Tensor) -> Tensor:
        return choose(*x.chunk(2, 1))

    assert causes(forward, lambda g, x: chunks_back(g, x, torch.ones_like), "x=5x8") == {"x": ["mask-missing"]}
    assert not causes(forward, lambda g, x: chunks_back(g, x, lambda mask: mask), "x=5x8")["x"]


def test_a_mean_for_the_sum_of_softmax() -> None:
    def back(g: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        p = (x @ w).softmax(1)
        dz = p * (g - (g * p).mean(1, keepdim=True))
        return dz @ w.T, x.T @ dz

    report = check((lambda x, w: (x @ w).softmax(1), back), inputs=["x=5x3", "w=3x4"])
    for gradient in report.gradients:
        assert [finding.cause for finding in gradient.findings] == ["unexplained"]
        assert "is taken to be a mean (at `softmax`" in gradient.findings[0].message


def unrolled(x: Any, w: Any, u: Any) -> Any:
    h = x[0] @ w * 0
    for step in x:
        h = torch.tanh(step @ w + h @ u)
    return h


def unrolled_back(g: Tensor, x: Tensor, w: Tensor, u: Tensor) -> tuple[Tensor, ...]:
    states = [unrolled(x[:t], w, u) if t else x[0] @ w * 0 for t in range(len(x) + 1)]
    dx, dw, du = torch.zeros_like(x), torch.zeros_like(w), torch.zeros_like(u)
    for t in reversed(range(len(x))):
        da = g * (1 - states[t + 1] ** 2)
        dx[t], dw = da @ w.T, dw + x[t].T @ da
        du = states[t].T @ da
        g = da @ u.T
    return dx, dw, du


def test_the_first_turn_of_a_loop_may_leave_zeros() -> None:
    found = causes(unrolled, unrolled_back, "x=4x3x5", "w=5x6", "u=6x6")
    assert found == {"x": [], "w": [], "u": ["overwrite-instead-of-accumulate"]}


def test_zeros_that_no_loop_leaves_are_not_explained() -> None:
    def back(g: Tensor, x: Tensor, w: Tensor, u: Tensor) -> tuple[Tensor, ...]:
        dx, dw, du = unrolled_back(g, x, w, u)
        return dx, dw, 0 * du

    assert causes(unrolled, back, "x=4x3x5", "w=5x6", "u=6x6")["u"] == ["unexplained"]


def entropy(p: Any, t: Any) -> Any:
    return -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()


@pytest.mark.parametrize(("power", "found"), [(1, ["derivative-of-activation-wrong"]), (0, [])])
def test_a_loss_that_takes_its_input_for_what_came_before_it(power: int, found: list[str]) -> None:
    def back(g: float, p: Any, t: Any) -> tuple[Any, None]:
        return g * (p - t) / (p * (1 - p)) ** (1 - power) / p.size, None

    p, t = np.random.default_rng(0).uniform(0.1, 0.9, (2, 5, 3))
    report = check((entropy, back), inputs={"p": p, "t": t.round()})
    assert [finding.cause for finding in report.gradients[0].findings] == found


def cell(x: Any, w: Any) -> Any:
    return torch.tanh(torch.sigmoid(x) @ w)


def cell_back(g: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    s, dz = torch.sigmoid(x), g * (1 - cell(x, w))
    return dz @ w.T * s * (1 - s), s.T @ dz


def test_gradients_that_one_slip_explains_have_the_same_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    searched = list[str]()

    def counted(draw: Draw, depth: int) -> list[Path]:
        searched.append(draw.name)
        return ranked(draw, depth)

    monkeypatch.setattr(diagnose, "ranked", counted)
    found = causes(cell, cell_back, "x=5x3", "w=3x4")
    assert found == {"x": ["derivative-of-activation-wrong"], "w": ["derivative-of-activation-wrong"]}
    assert set(searched) == {"x"}  # what explains dx is tried for dw first


FIRST = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)


def picked(h: Tensor, w: Tensor) -> Tensor:
    return -(h @ w).log_softmax(1)[range(len(h)), 0].sum()


@pytest.mark.parametrize("wrong", [lambda z: z - FIRST, lambda z: z.softmax(1)], ids=["logits", "no target"])
def test_what_stands_for_softmax_minus_target_behind_a_product(wrong: Callable[[Tensor], Tensor]) -> None:
    def back(g: Tensor, h: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        dz = g * wrong(h @ w)
        return dz @ w.T, h.T @ dz

    cause = ["derivative-of-activation-wrong"]
    assert causes(picked, back, "h=5x4", "w=4x3") == {"h": cause, "w": cause}
