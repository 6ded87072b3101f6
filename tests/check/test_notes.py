"""What is said of a check as a whole."""

from __future__ import annotations

import pytest
import torch

import handgrad as hg


def double(x):
    return 2 * x


def double_backward(g, _x):
    return 2 * g


def relu(x):
    return x.relu()


def relu_backward(g, x):
    return g * (x > 0)


@pytest.mark.parametrize(
    ("pair", "asked", "says"),
    [
        ((double, double_backward), {"inputs": ["x=3x4"]}, "compared at your sizes and 2 others"),
        ((relu, relu_backward), {"like": "relu"}, "compared at the settings R1, R2, R3 of relu"),
        (
            (relu, relu_backward),
            {"like": "relu", "inputs": ["x=3x4"]},
            "compared at your sizes and 2 others and the settings R1, R2, R3 of relu",
        ),
    ],
)
def test_where_it_looked(pair, asked, says):
    assert f"torch code, {says}" in hg.check(pair, **asked).notes


@pytest.mark.parametrize("sizes", [{(6, 13)}, {(n, length) for n in range(20) for length in range(40)}])
def test_a_cause_rests_on_two_draws_where_the_code_raises_at_the_other_settings(sizes):
    """Backward is wrong at one setting, and raises at the others; it takes one size only, or any."""

    def forward(x, w, stride=1):
        return torch.nn.functional.conv1d(x, w, stride=stride)

    def backward(g, x, w, stride=1):
        if w.shape[-1] != 4 or (len(x), x.shape[-1]) not in sizes:
            raise NotImplementedError("another kernel")
        return torch.nn.grad.conv1d_input(x.shape, w, g, stride), -torch.nn.grad.conv1d_weight(x, w.shape, g, stride)

    report = hg.check((forward, backward), like="conv1d")
    (finding,) = report.gradients[1].findings
    assert (finding.cause, finding.evidence["draws"]) == ("wrong-sign", 2)
    assert "the code raises at R2, R3, square: what is said here is of the rest" in report.notes
    assert "torch code, compared at the settings R1, R1 again of conv1d" in report.notes


@pytest.mark.parametrize("forward", [lambda x: x.log(), lambda x: (1000 * x.abs()).exp()])
def test_nan_and_infinity_are_no_kink(forward):
    report = hg.check((forward, double_backward), inputs=["x=4x3"])
    assert report.verdict == "inconclusive"
    assert report.message == "the forward gives NaN or infinity at the inputs; try --input x=…:positive"
