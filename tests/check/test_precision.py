"""Code that takes float32 only is run in float32; what is no array of real numbers is said, not stumbled over."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from handgrad._check import check
from handgrad._check.subjects import Subject, UserCodeError
from handgrad._check.subjects.finding import of_object
from handgrad._errors import HandgradError


class Single(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        assert x.dtype == torch.float32
        ctx.save_for_backward(x, w)
        return x @ w

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        assert g.dtype == torch.float32
        x, w = ctx.saved_tensors
        return g @ w.mT, x.mT @ g


class SingleBackward(Single):
    """Only its backward insists."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        return x @ w


class Doubled(Single):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return tuple(2 * grad for grad in Single.backward(ctx, g))


class Module(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(3, 2))
        self.register_buffer("scale", torch.full((2,), 2.0))

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype != torch.float32:
            raise TypeError("float32 expected")
        self.x = x
        return x @ self.w * self.scale

    def backward(self, g: Tensor) -> Tensor:
        self.w.grad = self.x.mT @ (g * self.scale)
        return (g * self.scale) @ self.w.mT


def numpy_single(x: Any, w: Any) -> Any:
    assert x.dtype == np.float32
    return np.dot(x, w)


def numpy_backward(g: Any, x: Any, w: Any) -> Any:
    assert g.dtype == x.dtype == np.float32
    return g @ w.T, x.T @ g


def mixed(x: Tensor, w: Tensor) -> Tensor:
    return x @ w @ torch.eye(2, dtype=torch.float32)  # which no float64 tensor can be multiplied with


def mixed_backward(g: Tensor, x: Tensor, w: Tensor) -> Any:
    return g @ w.mT, x.mT @ g


@pytest.mark.parametrize(
    "target",
    [Single, SingleBackward, (numpy_single, numpy_backward), (mixed, mixed_backward)],
    ids=["function", "its backward", "numpy", "mixed"],
)
def test_code_that_takes_float32_only_runs_in_float32(target: Any) -> None:
    report = check(target, inputs=["x=4x3", "w=3x2"])
    assert report.ok, report
    assert "the code takes float32 only, so that gradients are compared to about four digits" in report.notes


def test_so_does_a_module_with_its_buffers() -> None:
    assert check(Module, inputs=["x=4x3"]).ok


def test_a_wrong_gradient_is_wrong_in_float32_too() -> None:
    report = check(Doubled, inputs=["x=4x3", "w=3x2"])
    assert [finding.cause for finding in report.findings] == ["scale-factor", "scale-factor"]


def test_what_raises_in_both_precisions_is_raised_as_it_was_at_first() -> None:
    def forward(x: Any) -> Any:
        raise ValueError(f"{x.dtype} is refused")

    with pytest.raises(UserCodeError, match=r"forward: ValueError: torch.float64 is refused"):
        Subject(of_object((forward, lambda g, x: g * x))).run({"x": torch.zeros(3, dtype=torch.float64)})


def test_a_complex_input_is_refused() -> None:
    for value in (torch.zeros(3, dtype=torch.complex64), np.zeros(3, dtype=complex)):
        with pytest.raises(HandgradError, match=r"check: the input `x` is complex\."):
            check((lambda x: abs(x), lambda g, x: g * x), inputs=(value,))


@pytest.mark.parametrize("forward", [lambda x: torch.fft.rfft(x), lambda x: np.fft.rfft(x)])
def test_a_complex_output_is_refused(forward: Any) -> None:
    with pytest.raises(HandgradError, match=r"check: the forward of `<lambda>` returns complex numbers\."):
        check((forward, lambda g, x: g * x), inputs=["x=4"])


def test_an_imaginary_part_that_is_rounding_is_none() -> None:
    def smooth(x: Any) -> Any:
        return np.fft.ifft(np.fft.fft(x) * 3).real

    def backward(g: Any, x: Any) -> Any:
        assert len(x) == len(g)
        return np.fft.ifft(np.fft.fft(g) * 3)  # complex, as NumPy's is

    assert check((smooth, backward), inputs=["x=4"]).ok
    assert check((smooth, lambda g, x: backward(g, x) + 1j), inputs=["x=4"]).verdict == "wrong"


def test_a_sparse_gradient_is_made_dense() -> None:
    def pick(w: Tensor, i: Tensor) -> Tensor:
        return w[i]

    def backward(g: Tensor, w: Tensor, i: Tensor) -> Any:
        return torch.sparse_coo_tensor(i[None], g, w.shape), None

    assert check((pick, backward), inputs=["w=6x3", "i=4:int"]).ok


def test_a_meta_tensor_holds_nothing() -> None:
    with pytest.raises(HandgradError, match=r"check: the code made a tensor on the meta device, which holds no values"):
        check((lambda x: 2 * x, lambda g, x: torch.empty(len(x), device="meta") + 0 * g.to("meta")), inputs=["x=3"])


def test_a_gradient_as_a_list_of_lists() -> None:
    assert check((lambda x: 2 * x, lambda g, x: (2 * g + 0 * x).tolist()), inputs=["x=3x4"]).ok
    both = lambda g, x, y: [(y * g).tolist(), np.array(x * g, dtype=object)]  # noqa: E731
    assert check((lambda x, y: np.multiply(x, y), both), inputs=["x=3x4", "y=3x4"]).ok


def test_integers_have_no_gradient() -> None:
    with pytest.raises(
        HandgradError, match=r"check: the forward of `<lambda>` returns integers, which have no gradient"
    ):
        check((lambda x: x.long(), lambda g, x: g * x), inputs=["x=3x4"])


def test_a_function_that_is_not_written_in_python() -> None:
    for forward in (np.tanh, torch.tanh, functools.partial(np.tanh)):
        assert check((forward, lambda g, x: g * (1 - np.tanh(x) ** 2)), inputs=["x=3x4"]).ok


def test_an_exception_that_cannot_say_what_it_is() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    def forward(x: Any) -> Any:
        raise Mute(x)

    with pytest.raises(UserCodeError, match="forward: Mute: <its __str__ raises>"):
        Subject(of_object((forward, lambda g, x: g * x))).run({"x": torch.zeros(3)})
