"""Slips of steps that copy entries or multiply matrices, in the middle of a forward pass; the cause is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from handgrad import check

ROWS = torch.tensor([1, 3, 1, 0, 3, 3])


def causes(forward: Callable[..., Any], backward: Callable[..., Any], *inputs: str) -> dict[str, list[str]]:
    report = check((forward, backward), inputs=list(inputs))
    return {one.name: [finding.cause for finding in one.findings] for one in report.gradients}


def picked(table: Tensor) -> Tensor:
    return torch.tanh(table)[ROWS] * 3


def picked_back(g: Tensor, table: Tensor, order: Tensor) -> Tensor:
    dt = torch.zeros_like(table)
    for place in order:
        dt[ROWS[place]] = 3 * g[place]
    return dt * (1 - torch.tanh(table) ** 2)


@pytest.mark.parametrize("order", [torch.arange(6), torch.arange(6).flip(0)], ids=["last stays", "first stays"])
def test_a_row_picked_twice_keeps_one_gradient(order: Tensor) -> None:
    found = causes(picked, lambda g, table: picked_back(g, table, order), "table=5x3")
    assert found == {"table": ["overwrite-instead-of-accumulate"]}


def windows(x: Tensor, w: Tensor) -> Tensor:
    return w @ F.unfold(x, (2, 3))


def windows_back(g: Tensor, x: Tensor, w: Tensor, *, averaged: bool) -> tuple[Tensor, Tensor]:
    cols = w.T @ g
    covered = F.fold(torch.ones_like(cols), x.shape[2:], (2, 3))[:, :1] / x.shape[1] * x.shape[1]
    dx = F.fold(cols, x.shape[2:], (2, 3))
    return dx / covered if averaged else dx, (g @ F.unfold(x, (2, 3)).mT).sum(0)


def test_overlapping_windows_are_averaged() -> None:
    found = causes(windows, lambda g, x, w: windows_back(g, x, w, averaged=True), "x=2x3x5x6", "w=4x18")
    assert found == {"x": ["averaged-overlap"], "w": []}
    found = causes(windows, lambda g, x, w: windows_back(g, x, w, averaged=False), "x=2x3x5x6", "w=4x18")
    assert found == {"x": [], "w": []}


def gated(x: Tensor) -> Tensor:
    return x @ torch.tanh(x)


@pytest.mark.parametrize(
    ("back", "expected"),
    [
        (lambda g, x, t: g @ t.T + (x.T @ g) * (1 - t * t), []),
        (lambda g, x, t: g @ t + (x.T @ g) * (1 - t * t), ["transposed"]),
        (lambda g, x, t: g @ t.T + (x @ g) * (1 - t * t), ["transposed"]),
        (lambda g, x, t: g @ t.T + (g @ x.T) * (1 - t * t), ["wrong-operand-order"]),
    ],
)
def test_either_factor_of_a_product_of_the_input_with_itself(back: Callable[..., Tensor], expected: list[str]) -> None:
    assert causes(gated, lambda g, x: back(g, x, torch.tanh(x)), "x=4x4") == {"x": expected}


def test_a_factor_without_its_mask() -> None:
    def forward(x: Tensor, a: Tensor) -> Tensor:
        return x.clamp(min=0) + a[:, None] * x.clamp(max=0)

    def backward(g: Tensor, x: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        return torch.where(x > 0, g, g * a[:, None]), (g * x).sum((0, 2))

    assert causes(forward, backward, "x=3x4x5", "a=4") == {"x": [], "a": ["mask-missing"]}


def test_the_derivative_at_another_step() -> None:
    def forward(x: Tensor, w: Tensor) -> Tensor:
        return torch.tanh(torch.tanh(x @ w) @ w)

    def backward(g: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(x @ w)
        y = torch.tanh(h @ w)
        d2 = g * (1 - y**2)
        d1 = d2 @ w.T * (1 - y**2)  # 1 − h²
        return d1 @ w.T, x.T @ d1 + h.T @ d2

    assert causes(forward, backward, "x=5x4", "w=4x4") == {
        "x": ["derivative-of-activation-wrong"],
        "w": ["derivative-of-activation-wrong"],
    }


def test_channels_that_are_two_axes_are_read_the_other_way_round() -> None:
    def forward(x: Tensor, w: Tensor) -> Tensor:  # (N, C·M, L), C slow
        return torch.einsum("ncl,cm->ncml", x, w).flatten(1, 2)

    def backward(g: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        right, wrong = g.unflatten(1, tuple(w.shape)), g.unflatten(1, tuple(w.shape)[::-1])
        return torch.einsum("ncml,cm->ncl", right, w), torch.einsum("nmcl,ncl->cm", wrong, x)

    assert causes(forward, backward, "x=2x4x5", "w=4x3") == {"x": [], "w": ["reshape-instead-of-permute"]}


def test_a_cut_that_is_passed_on_where_the_forward_has_several_factors() -> None:
    def forward(r: Tensor, a: Tensor) -> Tensor:
        return torch.minimum(r * a, r.clamp(0.8, 1.2) * a)

    def backward(g: Tensor, r: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        return g * a, g * torch.where(r * a <= r.clamp(0.8, 1.2) * a, r, r.clamp(0.8, 1.2))

    assert causes(forward, backward, "r=20:positive", "a=20") == {"r": ["mask-missing"], "a": []}


def test_space_to_depth_with_its_new_axes_exchanged() -> None:
    def forward(x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        apart = x.reshape(n, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 1, 2, 4)
        return apart.reshape(n, 4 * c, h // 2, w // 2)

    def backward(g: Tensor, x: Tensor) -> Tensor:
        n, c, h, w = x.shape  # the channels are (2, 2, C), and are taken for (C, 2, 2)
        return g.reshape(n, c, 2, 2, h // 2, w // 2).permute(0, 1, 4, 2, 5, 3).reshape(x.shape)

    assert causes(forward, backward, "x=2x3x4x6") == {"x": ["reshape-instead-of-permute"]}


def test_rows_that_were_picked_are_not_added_up() -> None:
    def forward(table: Tensor) -> Tensor:
        return table[ROWS]

    assert causes(forward, lambda g, _: g, "table=5x3") == {"table": ["column-form"]}


def test_a_crop_is_no_column_form() -> None:
    assert causes(lambda x: x[1:], lambda g, _: g, "x=5x3") != {"x": ["column-form"]}


def test_a_sign_where_the_forward_multiplies_complex_numbers() -> None:
    def forward(x: Tensor, w: Tensor) -> Tensor:
        return torch.fft.irfft(torch.einsum("nf,of->nof", torch.fft.rfft(x), torch.fft.rfft(w)), x.shape[1])

    def backward(g: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        spectrum, size = torch.fft.rfft(g), x.shape[1]
        dx = torch.einsum("nof,of->nf", spectrum, torch.fft.rfft(w).conj())
        dw = torch.einsum("nof,nf->of", spectrum, torch.fft.rfft(x).conj())
        return -torch.fft.irfft(dx, size), torch.fft.irfft(dw, size)

    assert causes(forward, backward, "x=4x7", "w=3x7") == {"x": ["wrong-sign"], "w": []}


def test_a_maximum_that_is_not_put_back_in_its_place_is_no_sum() -> None:
    def forward(x: Tensor) -> Tensor:
        return x.amax(-1)

    assert causes(forward, lambda g, _: g, "x=4x3x7") == {"x": ["unexplained"]}


def test_factors_in_the_wrong_order_where_one_matrix_goes_with_every_sample() -> None:
    def backward(g: Tensor, x: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
        return g @ p, (g @ x.mT).sum(0)  # p.mT @ g

    assert causes(lambda x, p: p @ x, backward, "x=3x5x5", "p=5x5") == {"x": ["wrong-operand-order"], "p": []}
