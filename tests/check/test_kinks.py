"""At a kink or a tie of the person's own inputs, and at sizes that nobody meant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from handgrad._check import check
from handgrad._check.cases import random_grad

TIED = np.array([[1.0, 1.0, 0.0, 1.0], [2.0, 3.0, 3.0, -1.0], [1.0, 2.0, 3.0, 0.5]])


def peak(x: Any) -> Any:
    return 3 * x.max(1) + x.mean(1)  # nothing that is recognised


def first(g: Any, x: Any) -> Any:
    won = np.zeros_like(x)
    won[np.arange(len(x)), x.argmax(1)] = 1
    return 3 * won * g[:, None] + g[:, None] / x.shape[1]


def last(g: Any, x: Any) -> Any:
    won = np.zeros_like(x)
    won[np.arange(len(x)), x.shape[1] - 1 - x[:, ::-1].argmax(1)] = 1
    return 3 * won * g[:, None] + g[:, None] / x.shape[1]


def shared(g: Any, x: Any) -> Any:
    won = x == x.max(1, keepdims=True)
    return 3 * won / won.sum(1, keepdims=True) * g[:, None] + g[:, None] / x.shape[1]


def every(g: Any, x: Any) -> Any:
    won = x == x.max(1, keepdims=True)
    return 3 * won * g[:, None] + g[:, None] / x.shape[1]


@pytest.mark.parametrize("backward", [first, last, shared])
@pytest.mark.parametrize("x", [TIED, np.ones((3, 4)), np.zeros((2, 5))])
def test_every_convention_at_a_tie_is_right(backward: Any, x: Any) -> None:
    report = check((peak, backward), inputs=(x,))
    assert report.ok, report
    assert "your sizes moved off a kink" in str(report)


def test_a_tie_that_is_counted_twice() -> None:
    report = check((peak, every), inputs=(TIED,))
    assert [finding.cause for finding in report.findings] == ["ties-counted-twice"]
    assert report.findings[0].message.startswith("your inputs have ties: there its entries sum up to ")
    assert check((peak, every), inputs=["x=3x4"]).ok


def test_what_is_wrong_at_a_tie_in_another_way() -> None:
    def nothing_at_ties(g: Any, x: Any) -> Any:
        won = x == x.max(1, keepdims=True)
        return 3 * (won & (won.sum(1, keepdims=True) == 1)) * g[:, None] + g[:, None] / x.shape[1]

    (finding,) = check((peak, nothing_at_ties), inputs=(TIED,)).findings
    assert finding.cause == "unexplained"


@pytest.mark.parametrize("at_zero", [0.0, 1.0, -1.0, 0.3])
def test_the_slope_at_a_kink_is_a_convention(at_zero: float) -> None:
    def backward(g: Any, x: Any) -> Any:
        return g * np.where(x == 0, at_zero, np.sign(x)) + 2 * g * x

    report = check((lambda x: np.abs(x) + x**2, backward), inputs=(np.array([[0.0, 0.0, -1.0], [2.0, 0.0, 0.0]]),))
    assert report.ok, report


def test_a_gradient_that_is_no_number_at_a_kink_is_said_and_not_called_wrong() -> None:
    def backward(g: Any, v: Any) -> Any:
        return g[:, None] * v / np.linalg.norm(v, axis=1, keepdims=True)

    report = check((lambda v: np.linalg.norm(v, axis=1), backward), inputs=(np.array([[0.0, 0.0], [3.0, -1.0]]),))
    assert report.ok
    assert report.gradients[0].note == "at your own inputs, a kink, it is NaN or infinite"


def test_an_empty_input_shows_nothing() -> None:
    report = check((lambda x: x**2, lambda g, x: 3 * g * x), inputs=["x=0x3"])
    assert report.verdict == "inconclusive"
    assert report.operation is None
    assert report.message == "nothing can be said of `x`: it has no entries, or the output has none"


def test_every_draw_has_a_gradient_of_its_own() -> None:
    first, second = random_grad(torch.zeros(3, 4)), random_grad(torch.zeros(4, 3))
    assert not torch.equal(first.flatten(), second.flatten())
    assert not torch.equal(first, random_grad(torch.zeros(3, 4), "R1"))
    assert torch.equal(first, random_grad(torch.zeros(3, 4)))


def convolve(x: Any, h: Any) -> Any:
    return np.fft.irfft(np.fft.rfft(x) * np.fft.rfft(h))


def correlate(g: Any, x: Any, h: Any) -> Any:
    spectrum = np.fft.rfft(g)
    return np.fft.irfft(spectrum * np.conj(np.fft.rfft(h))), np.fft.irfft(spectrum * np.conj(np.fft.rfft(x)))


ACCIDENTS: list[tuple[Any, Any, list[str]]] = [
    (convolve, correlate, ["x=8", "h=8"]),
    (lambda A: np.trace(A), lambda g, A: g * np.eye(len(A)), ["A=4x4"]),
    (
        lambda A: np.trace(A, axis1=1, axis2=2),
        lambda g, A: g[:, None, None] * np.eye(A.shape[2]),
        ["A=2x5x5"],
    ),
    (lambda A: np.diag(A) ** 2, lambda g, A: np.diag(2 * g * np.diag(A)), ["A=4x4"]),
    (
        lambda x: np.fft.irfft(np.fft.rfft(x, axis=1) ** 1 * 2.5, axis=1) + 0 * x.sum(),
        lambda g, x: np.fft.irfft(np.fft.rfft(g, axis=1) * 2.5, axis=1) + 0 * x.sum(),
        ["x=3x8"],
    ),
]


@pytest.mark.parametrize(("forward", "backward", "inputs"), ACCIDENTS)
def test_sizes_that_the_forward_takes_by_accident_are_left_out(forward: Any, backward: Any, inputs: list[str]) -> None:
    report = check((forward, backward), inputs=inputs)
    assert report.ok, report
    assert "a gradient has another shape there, but axes that are equal in yours differ" in str(report)


def test_a_square_picture_need_not_stay_square() -> None:
    def forward(x: Any) -> Any:
        return np.tanh(x).sum((0, 1)) ** 2 + x[0, 0]

    def backward(g: Any, x: Any) -> Any:
        n, c, h, _ = x.shape
        made = np.zeros((n, c, h, h))  # height for width
        inner = 2 * g * np.tanh(x).sum((0, 1))
        made[..., : x.shape[3]] += (inner * (1 - np.tanh(x) ** 2))[..., :h]
        made[0, 0, :, : x.shape[3]] += g[:, :h]
        return made

    report = check((forward, backward), inputs=["x=2x3x5x5"])
    assert report.verdict == "wrong"
    assert report.gradients[0].note is not None
    assert report.gradients[0].note.startswith("right for your sizes, wrong")


def test_equal_sizes_do_not_hide_what_is_wrong_when_they_change_together() -> None:
    def backward(g: Any, A: Any) -> Any:
        return g * np.eye(4) if len(A) == 4 else g * np.ones((len(A), len(A)))

    assert check((lambda A: np.trace(A), backward), inputs=["A=4x4"]).verdict == "wrong"


def test_what_forward_declares_to_change_it_may_change() -> None:
    class Rectify(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            ctx.mark_dirty(x)
            x.clamp_(min=0)
            ctx.save_for_backward(x)
            return x

        @staticmethod
        def backward(ctx: Any, g: torch.Tensor) -> Any:
            return g * (ctx.saved_tensors[0] > 0)

    class Undeclared(Rectify):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            x.clamp_(min=0)
            ctx.save_for_backward(x)
            return x

    assert check(Rectify, inputs=["x=4x3"]).ok
    assert [finding.cause for finding in check(Undeclared, inputs=["x=4x3"]).findings] == ["inputs-modified"]
