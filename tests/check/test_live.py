"""`check` of live objects, the assertion and the fixture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from handgrad._check import check
from handgrad._errors import HandgradError
from handgrad.testing import assert_gradients

pytest_plugins = ["pytester"]

X, W = np.random.default_rng(0).standard_normal((4, 3)), np.random.default_rng(1).standard_normal((3, 5))


def forward(x: Any, w: Any) -> Any:
    return np.dot(x, w)


def right(g: Any, x: Any, w: Any) -> Any:
    return g @ w.T, x.T @ g


def doubled(g: Any, x: Any, w: Any) -> Any:
    return g @ w.T, 2 * x.T @ g


def test_live_objects_run_where_they_stand_and_the_report_says_so() -> None:
    report = check((forward, right), inputs=(X, W))
    assert report.ok
    assert report.findings == ()
    assert report.notes[-1] == "checked in this process: nothing interrupts code that loops or exits"


@pytest.mark.parametrize(
    "inputs", [(X, W), {"w": W, "x": X}, ["x=4x3", "w=3x5"], (torch.from_numpy(X), torch.from_numpy(W))]
)
def test_a_wrong_gradient_is_named_and_the_line_given(inputs: Any) -> None:
    report = check((forward, doubled), inputs=inputs)
    assert report.verdict == "wrong"
    assert [gradient.verdict for gradient in report.gradients] == ["correct", "wrong"]
    assert [finding.cause for finding in report.findings] == ["scale-factor"]
    assert report.gradients[1].fix == "grad_w = x.T @ g"
    location = report.findings[0].location
    assert location is not None
    assert location.line == doubled.__code__.co_firstlineno + 1


def test_an_operation_by_name() -> None:
    report = check((forward, right), like="linear")
    assert (report.ok, report.operation) == (True, "linear")


def test_right_for_your_sizes_only() -> None:
    def first_row(g: Any, x: Any, w: Any) -> Any:
        return g @ w.T, np.outer(x[0], g[0])

    report = check((forward, first_row), inputs=(X[:1], W))
    assert report.gradients[1].note == "right for your sizes, wrong when the batch is larger than 1"


def test_a_kink_is_moved_and_never_wrong() -> None:
    tied = np.array([[1.0, 0.0, -2.0], [0.0, 3.0, -1.0]])
    assert check((lambda x: np.maximum(x, 0), lambda g, x: g * (x >= 0)), inputs=(tied,)).ok
    assert check((lambda x: np.maximum(x, 0), lambda g, x: g * (x > 0)), inputs=(tied,)).ok


def test_what_live_code_raises_is_raised() -> None:
    with pytest.raises(ValueError, match="mismatch") as caught:
        check((forward, lambda g, x, w: (g @ w, x)), inputs=(X, W))
    assert type(caught.value) is ValueError
    assert caught.value.__notes__ == ["handgrad: in `g @ w`: g (4, 5), w (3, 5)"]


def test_something_that_cannot_be_checked() -> None:
    with pytest.raises(HandgradError, match=r"check: a int cannot be checked\."):
        check(3, inputs=(X,))


def test_the_assertions_message_is_the_diagnosis() -> None:
    assert assert_gradients((forward, right), inputs=(X, W)).ok
    with pytest.raises(AssertionError, match=r"(?s)^wrong: 1 of 2 gradients.*scale-factor.*grad_w = x\.T @ g"):
        assert_gradients((forward, doubled), inputs=(X, W))


def test_the_fixtures_message_is_the_diagnosis(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_right(gradients):
            assert gradients((lambda x: x * x, lambda g, x: 2 * x * g), inputs=["x=3x4"]).ok
        def test_wrong(gradients):
            gradients((lambda x: x * x, lambda g, x: -2 * x * g), inputs=["x=3x4"])
    """)
    result = pytester.runpytest()  # the entry point brings the fixture
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["wrong: the gradient of square is wrong", "*cause*wrong-sign"])


def test_sizes_that_only_the_forward_is_meant_for_do_not_hide_the_slip() -> None:
    def conv(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv2d(x, w, padding=1)

    def correlate(g: torch.Tensor, x: torch.Tensor, w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        dx = torch.nn.functional.conv2d(g, w.transpose(0, 1), padding=1)  # of the shape of x for a kernel of 3 only
        return dx, torch.nn.grad.conv2d_weight(x, w.shape, g, padding=1)

    for size in ("2x3x9x7", "16x3x64x64"):
        report = check((conv, correlate), inputs=[f"x={size}", "w=4x3x3x3"])
        assert [finding.cause for finding in report.findings] == ["kernel-not-flipped"]
        assert report.gradients[0].shape == report.gradients[0].expected_shape


def test_a_slip_that_shows_at_your_sizes_comes_before_one_that_other_sizes_bring_out() -> None:
    def pool(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(x, 2)

    def spread(g: torch.Tensor, x: torch.Tensor) -> torch.Tensor:  # not divided by 4, and short where 2 does not divide
        return g.repeat_interleave(2, -1).repeat_interleave(2, -2)[..., : x.shape[-2], : x.shape[-1]]

    report = check((pool, spread), inputs=["x=2x3x6x8"])
    assert [finding.cause for finding in report.findings] == ["scale-factor", "tail-lost"]


def test_the_fix_of_a_gradient_with_two_slips_is_that_of_both():
    def forward(x, w):
        return torch.nn.functional.conv2d(x, w)

    def backward(g, x, w):
        k = w.shape[-1]
        dx = torch.nn.functional.conv2d(torch.nn.functional.pad(g, [k - 1] * 4), w.transpose(0, 1))
        return dx, torch.nn.grad.conv2d_weight(x, w.shape, g)

    report = check((forward, backward), inputs=["x=2x3x6x7", "w=4x3x3x2"])
    (gradient,) = [gradient for gradient in report.gradients if gradient.verdict == "wrong"]
    first, second = (finding.fix for finding in gradient.findings)
    assert gradient.fix == f"{first}; {second}"
    assert str(report).count(first) == 1
