"""Sizes as letters."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import handgrad as hg


def conv(x, w):
    return F.conv2d(x, w)


def conv_backward(g, x, w):
    dy, cols = g.flatten(2), F.unfold(x, w.shape[2:])
    return torch.nn.grad.conv2d_input(x.shape, w, g), (dy @ cols.mT).mean(0).view_as(w)


def conv1d(x, w):
    return F.conv1d(x, w)


def conv1d_backward(g, x, w):
    return torch.nn.grad.conv1d_input(x.shape, w, g), torch.nn.grad.conv1d_weight(x[:1], w.shape, g[:1])


def linear(x, w, b):
    return F.linear(x, w, b)


def linear_backward(g, x, w, b):
    return g @ w, g.T @ x, g.mean(0) + 0 * b


WHOLE = {
    "w": ("O", "C", "kh", "kw"),
    "dy": ("N", "O", "L"),
    "cols": ("N", "C·K", "L"),
    "cols.mT": ("N", "L", "C·K"),
}
LINE = {"x": ("N", "C", "W"), "w": ("O", "C", "kw"), "g": ("N", "O", "W′")}


@pytest.mark.parametrize(
    ("pair", "inputs", "name", "axes"),
    [
        ((conv, conv_backward), ["x=2x3x7x8", "w=4x3x3x2"], "w", WHOLE),
        # w (3, 3, 3, 3) may be a kernel or one that is transposed
        ((conv, conv_backward), ["x=2x3x8x7", "w=3x3x3x3"], "w", {n: axes for n, axes in WHOLE.items() if n != "w"}),
        ((conv1d, conv1d_backward), ["x=2x3x9", "w=5x3x4"], "w", LINE),
        ((linear, linear_backward), ["x=4x6", "w=5x6", "b=5"], "b", {"g": ("N", "O"), "b": ("O",)}),
        # g (5, 5) may be (N, O) or the reverse
        ((linear, linear_backward), ["x=5x6", "w=5x6", "b=5"], "b", {"b": ("O",)}),
    ],
)
def test_axes_are_told_by_the_shape_of_one_thing(pair, inputs, name, axes):
    gradient = next(one for one in hg.check(pair, inputs=inputs).gradients if one.name == name)
    assert gradient.findings[0].evidence["axes"] == axes


def test_they_are_shown_with_the_operands():
    report = hg.check((linear, linear_backward), inputs=["x=4x6", "w=5x6", "b=5"])
    assert "  operands  b (5,) = (O,), g (4, 5) = (N, O)\n" in str(report)
