"""Slips of what copies an image into a larger one: padding by reflection, enlarging, windows that are not folded."""

# ruff: noqa: ARG005 - a slip is given what it may not need

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from handgrad import check


def causes(forward: Callable[..., Any], backward: Callable[..., Any], *inputs: str) -> dict[str, list[str]]:
    report = check((forward, backward), inputs=list(inputs))
    return {one.name: [finding.cause for finding in one.findings] for one in report.gradients}


def reflected_back(g: Tensor) -> Tensor:
    """One entry on each side of one axis."""
    inner = g[..., 1:-1].clone()
    inner[..., 1] += g[..., 0]
    inner[..., -2] += g[..., -1]
    return inner


@pytest.mark.parametrize(
    ("back", "expected"),
    [
        (reflected_back, []),
        (lambda g: g[..., 1:-1], ["overwrite-instead-of-accumulate"]),
        (lambda g: g, ["padding-not-cropped"]),
    ],
    ids=["right", "cropped only", "as it is"],
)
def test_the_border_of_a_reflected_signal(back: Callable[[Tensor], Tensor], expected: list[str]) -> None:
    found = causes(lambda x: F.pad(x, (1, 1), mode="reflect"), lambda g, x: back(g), "x=2x3x6")
    assert found == {"x": expected}


TAPS = [0.3, -1.2, 0.8, 0.5, -0.7]


def circular(x: Any) -> Any:
    padded = np.concatenate([x[:, -2:], x, x[:, :2]], axis=1)
    return np.tanh(np.stack([padded[:, k : k + x.shape[1]] * tap for k, tap in enumerate(TAPS)]).sum(0))


def circular_back(g: Any, x: Any) -> Any:
    """Of the padded signal."""
    d, size = g * (1 - circular(x) ** 2), x.shape[1]
    dpadded = np.zeros((len(x), size + 4))
    for k, tap in enumerate(TAPS):
        dpadded[:, k : k + size] += d * tap
    return dpadded


def around(padded: Any) -> Any:
    inner = padded[:, 2:-2].copy()
    inner[:, -2:] += padded[:, :2]
    inner[:, :2] += padded[:, -2:]
    return inner


@pytest.mark.parametrize(
    ("finish", "expected"),
    [
        (around, []),
        (lambda d: d[:, 2:-2], ["overwrite-instead-of-accumulate"]),
        (lambda d: d, ["padding-not-cropped"]),
    ],
    ids=["right", "cropped only", "as it is"],
)
def test_the_border_of_a_circular_signal_before_other_steps(finish: Callable[[Any], Any], expected: list[str]) -> None:
    assert causes(circular, lambda g, x: finish(circular_back(g, x)), "x=3x7") == {"x": expected}


def enlarged(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, 1).repeat_interleave(3, 2)


@pytest.mark.parametrize(
    ("back", "expected"),
    [
        (lambda g, n, h, w: g.reshape(n, h, 2, w, 3).sum((2, 4)), []),
        (lambda g, n, h, w: g.reshape(n, h, 3, w, 2).sum((2, 4)), ["height-width-swapped"]),
        (lambda g, n, h, w: g.reshape(n, 2, h, 3, w).sum((1, 3)), ["reshape-instead-of-permute"]),
        (lambda g, n, h, w: g[:, ::2, ::3], ["overwrite-instead-of-accumulate"]),
        (lambda g, n, h, w: F.avg_pool2d(g, (2, 3)), ["scale-factor"]),
    ],
    ids=["right", "factors exchanged", "as if tiled", "one copy", "averaged"],
)
def test_an_enlarged_image(back: Callable[..., Tensor], expected: list[str]) -> None:
    assert causes(enlarged, lambda g, x: back(g, *x.shape), "x=2x4x5") == {"x": expected}


def test_a_tiled_image_read_as_an_enlarged_one() -> None:
    def backward(g: Tensor, x: Tensor) -> Tensor:
        n, h, w = x.shape
        return g.reshape(n, h, 2, w, 3).sum((2, 4))

    assert causes(lambda x: x.repeat(1, 2, 3), backward, "x=2x4x5") == {"x": ["reshape-instead-of-permute"]}


def local(x: Tensor, w: Tensor) -> Tensor:
    """A layer with a kernel of its own at each place, which no operation here is."""
    return torch.einsum("ncjk,ojck->noj", x.unfold(2, 3, 2), w)


@pytest.mark.parametrize("order", ["ncjk", "njck", "nckj"])
def test_windows_that_are_not_added_up(order: str) -> None:
    def backward(g: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        return torch.einsum(f"noj,ojck->{order}", g, w), torch.einsum("noj,ncjk->ojck", g, x.unfold(2, 3, 2))

    assert causes(local, backward, "x=2x3x9", "w=5x4x3x3") == {"x": ["column-form"], "w": []}


def patches(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 3, 3).permute(0, 2, 4, 1, 3, 5).reshape(n, h * w // 6, c * 6)


def test_patches_that_tile_the_image_are_columns_too() -> None:
    def backward(g: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        return g @ w.T, torch.einsum("nlk,nlo->ko", patches(x), g)

    assert causes(lambda x, w: patches(x) @ w, backward, "x=2x2x4x6", "w=12x5") == {"x": ["column-form"], "w": []}


def test_every_second_entry_put_side_by_side() -> None:
    def backward(g: Tensor, x: Tensor) -> Tensor:
        dx = torch.zeros_like(x)
        dx[:, : g.shape[1], : g.shape[2]] = g
        return dx

    assert causes(lambda x: x[:, ::2, ::3], backward, "x=2x7x9") == {"x": ["stride-ignored"]}
