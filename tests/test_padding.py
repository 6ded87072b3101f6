"""Padding that copies: what the framework's `F.pad` reads, and the way back as its adjoint."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from handgrad._geometry import ConvGeometry, conv_geometry
from handgrad._padding import MODES, pad, pad_input, padded
from oracles import assert_equal, gradients

PADS = [
    pytest.param((7,), ((2, 1),), id="1d"),
    pytest.param((5, 4), ((1, 1), (2, 2)), id="2d"),
    pytest.param((5, 4), ((3, 0), (0, 2)), id="2d one side each"),
    pytest.param((5, 4), ((4, 4), (3, 3)), id="2d as wide as reflect can be"),
    pytest.param((5, 4), ((0, 0), (0, 0)), id="2d none"),
    pytest.param((5, 4), ((0, 0), (2, 3)), id="2d one axis"),
    pytest.param((3, 4, 2), ((1, 2), (3, 0), (0, 1)), id="3d"),
]


def geometry(grid: Any, pads: Any) -> ConvGeometry:
    return conv_geometry("test", grid, (1,) * len(grid), 1, pads, 1, 1)


def framework(x: Tensor, pads: Any, mode: str) -> Tensor:
    ends = [end for pair in reversed(pads) for end in pair]
    return F.pad(x, ends, mode=mode) if any(ends) else x


@pytest.mark.smoke
@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize(("grid", "pads"), PADS)
def test_pad_and_its_gradient_are_the_frameworks(grid: Any, pads: Any, mode: str) -> None:
    x = torch.randn(2, 3, *grid, dtype=torch.float64)
    y = pad(x, geometry(grid, pads), mode)
    assert torch.equal(y, framework(x, pads, mode))
    dy = torch.randn_like(y)
    (dx,) = gradients(lambda x: framework(x, pads, mode) * 1, (x,), dy)
    assert_equal(pad_input(dy, geometry(grid, pads), mode), dx)


@pytest.mark.parametrize(("grid", "pads"), PADS)
def test_zeros_are_left_to_the_geometry(grid: Any, pads: Any) -> None:
    x = torch.randn(2, 3, *grid)
    assert pad(x, geometry(grid, pads), "zeros") is x
    assert pad_input(x, geometry(grid, pads), "zeros") is x
    assert padded(geometry(grid, pads), "zeros") is geometry(grid, pads)


@pytest.mark.parametrize("mode", MODES[1:])
@pytest.mark.parametrize(("grid", "pads"), PADS)
def test_what_is_filled_is_no_longer_padding(grid: Any, pads: Any, mode: str) -> None:
    left = padded(geometry(grid, pads), mode)
    assert left.input == geometry(grid, pads).padded
    assert left.padding == ((0, 0),) * len(grid)
    assert left.output == geometry(grid, pads).output


def test_the_three_modes_by_hand() -> None:
    x = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])
    expected = {
        "reflect": [3, 2, 1, 2, 3, 4, 3, 2, 1],
        "replicate": [1, 1, 1, 2, 3, 4, 4, 4, 4],
        "circular": [3, 4, 1, 2, 3, 4, 1, 2, 3],
    }
    for mode, values in expected.items():
        assert pad(x, geometry((4,), ((2, 3),)), mode).flatten().tolist() == values


def test_replicate_and_circular_as_far_as_they_go() -> None:
    """replicate has no limit, circular copies the whole input once on either side."""
    x = torch.tensor([[[1.0, 2.0]]])
    assert pad(x, geometry((2,), ((5, 4),)), "replicate").flatten().tolist() == [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2]
    assert pad(x, geometry((2,), ((2, 2),)), "circular").flatten().tolist() == [1, 2, 1, 2, 1, 2]
