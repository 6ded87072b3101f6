"""Slips of normalisations that are written in steps: other entries averaged, given statistics, the scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from torch import Tensor

from handgrad import check


def causes(forward: Callable[..., Any], backward: Callable[..., Any], *inputs: str) -> dict[str, list[str]]:
    report = check((forward, backward), inputs=list(inputs))
    return {one.name: [finding.cause for finding in one.findings] for one in report.gradients}


def flat_group_norm(x: Tensor) -> Tensor:
    """Two groups, each made one axis: (N, 2, C/2·L)."""
    z = x.reshape(len(x), 2, -1)
    z = (z - z.mean(-1, keepdim=True)) / (z.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    return z.reshape(x.shape)


@pytest.mark.parametrize(
    ("axes", "expected"), [((2, 3), []), ((3,), ["wrong-reduction-axes"]), ((2,), ["wrong-reduction-axes"])]
)
def test_means_over_a_part_of_an_axis_that_was_made_of_two(axes: tuple[int, ...], expected: list[str]) -> None:
    def backward(g: Tensor, x: Tensor) -> Tensor:
        n, c, size = x.shape
        h, d = (t.reshape(n, 2, c // 2, size) for t in (flat_group_norm(x), g))
        sigma = (x.reshape(h.shape).var((2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
        dx = d - d.mean(axes, keepdim=True) - h * (d * h).mean(axes, keepdim=True)
        return (dx / sigma).reshape(x.shape)

    assert causes(flat_group_norm, backward, "x=2x6x5") == {"x": expected}


@pytest.mark.parametrize("divides", [True, False], ids=["by the deviation", "times its inverse"])
def test_the_scale_after_given_statistics(divides: bool) -> None:
    def forward(x: Tensor, gamma: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        deviation = (var + 1e-5).sqrt()
        return ((x - mean) / deviation if divides else (x - mean) * (1 / deviation)) * gamma

    def backward(g: Tensor, x: Tensor, gamma: Tensor, mean: Tensor, var: Tensor) -> tuple[Tensor, ...]:
        deviation = (var + 1e-5).sqrt()
        dmean, dvar = -g * gamma / deviation, -g * gamma * (x - mean) / (2 * deviation**3)
        return g / deviation, (g * (x - mean) / deviation).sum(0), dmean.sum(0), dvar.sum(0)

    found = causes(forward, backward, "x=6x4", "gamma=4", "mean=4", "var=4:positive")
    assert found == {"x": ["gamma-missing"], "gamma": [], "mean": [], "var": []}


@pytest.mark.parametrize(("forgotten", "expected"), [(False, []), (True, ["gamma-missing"])])
def test_the_scale_before_the_deviation(forgotten: bool, expected: list[str]) -> None:
    def forward(x: Tensor, gamma: Tensor) -> Tensor:
        return gamma[:, None] * (x - x.mean(2, keepdim=True)) / (x.std(2, unbiased=False, keepdim=True) + 1e-5)

    def backward(g: Tensor, x: Tensor, gamma: Tensor) -> tuple[Tensor, Tensor]:
        deviation = x.std(2, unbiased=False, keepdim=True)
        h = (x - x.mean(2, keepdim=True)) / (deviation + 1e-5)
        d = g if forgotten else g * gamma[:, None]
        dx = (d - d.mean(2, keepdim=True)) / (deviation + 1e-5) - h * (d * h).mean(2, keepdim=True) / deviation
        return dx, (g * h).sum((0, 2))

    assert causes(forward, backward, "x=2x4x5", "gamma=4") == {"x": expected, "gamma": []}


@pytest.mark.parametrize(
    ("parts", "expected"),
    [((1, 1), []), ((1, 0), ["missing-variance-term"]), ((0, 1), ["gamma-missing"])],
    ids=["right", "length taken for a constant", "without the scale"],
)
def test_a_scale_of_each_entry_before_the_length(parts: tuple[int, int], expected: list[str]) -> None:
    def backward(g: Tensor, x: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        length = x.norm(dim=-1, keepdim=True)
        u, d = x / length, g * scale if parts[0] else g
        return (d - parts[1] * u * (d * u).sum(-1, keepdim=True)) / length, (g * u).sum((0, 1))

    found = causes(lambda x, scale: scale * x / x.norm(dim=-1, keepdim=True), backward, "x=4x3x5", "scale=5")
    assert found == {"x": expected, "scale": []}
