"""Several outputs: each gets a gradient of its own, and what is wrong with one of them is found."""

from __future__ import annotations

import linecache
from typing import Any

import numpy as np
import pytest
import torch
from naming import named
from torch import Tensor

from handgrad._check import check
from handgrad._errors import HandgradError


class Powers(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Any:
        ctx.save_for_backward(x)
        return x**2, x**3

    @staticmethod
    def backward(ctx: Any, g2: Tensor, g3: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return 2 * x * g2 + 3 * x**2 * g3


class Largest(torch.autograd.Function):
    """With an index beside the values, which has no gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Any:
        values, index = x.max(1)
        ctx.save_for_backward(index)
        ctx.shape = x.shape
        ctx.mark_non_differentiable(index)
        return values, index

    @staticmethod
    def backward(ctx: Any, g: Tensor, g_index: Tensor) -> Any:
        assert g_index.shape == g.shape
        return torch.zeros(ctx.shape).scatter_(1, ctx.saved_tensors[0][:, None], g[:, None])


class Normalized(torch.autograd.Function):
    """With a statistic beside it that is declared to have no gradient, and gradients that are not materialized."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Any:
        mean = x.mean(1, keepdim=True)
        ctx.mark_non_differentiable(mean)
        ctx.set_materialize_grads(False)
        return x - mean, mean

    @staticmethod
    def backward(ctx: Any, g: Tensor, g_mean: Any) -> Any:
        assert g_mean is None
        assert ctx.saved_tensors == ()
        return g - g.mean(1, keepdim=True)


def waves(x: Any) -> Any:
    return np.sin(x), np.cos(x)


def separate(d_sin: Any, d_cos: Any, x: Any) -> Any:
    return d_sin * np.cos(x) - d_cos * np.sin(x)


def after_inputs(x: Any, g1: Any, g2: Any) -> Any:
    return g1 * np.cos(x) - g2 * np.sin(x)


def bundled(grads: Any, x: Any) -> Any:
    d_sin, d_cos = grads
    return d_sin * np.cos(x) - d_cos * np.sin(x)


def indexed(grads: Any, x: Any) -> Any:
    return grads[0] * np.cos(x) - grads[1] * np.sin(x)


def lstm_forward(x: Any, prev_c: Any, w: Any) -> Any:
    a = np.tanh(x @ w)
    next_c = prev_c * a
    next_h = np.tanh(next_c)
    return next_h, next_c, (x, prev_c, w, a, next_h)


def lstm_backward(dnext_h: Any, dnext_c: Any, cache: Any) -> Any:
    x, prev_c, w, a, next_h = cache
    dc = dnext_c + dnext_h * (1 - next_h**2)
    da = dc * prev_c * (1 - a**2)
    return da @ w.T, dc * a, x.T @ da


class Waves:
    def forward(self, x: Any) -> Any:
        self.x = x
        return np.sin(x), np.cos(x)

    def backward(self, dsin: Any, dcos: Any) -> Any:
        return separate(dsin, dcos, self.x)


class Starred(Waves):
    def backward(self, *grads: Any) -> Any:  # type: ignore[override]
        return separate(*grads, self.x)


class Closure:
    def forward(self, x: Any) -> Any:
        return waves(x), lambda d_sin, d_cos: separate(d_sin, d_cos, x)


def spectrum(x: Any) -> Any:
    z = np.fft.rfft(x, axis=1)
    return z.real.copy(), z.imag.copy()


def spectrum_backward(dre: Any, dim: Any, x: Any) -> Any:
    """`dim` is the gradient of the imaginary part, not an axis."""
    phase = 2 * np.pi * np.outer(np.arange(dre.shape[1]), np.arange(x.shape[1])) / x.shape[1]
    return dre @ np.cos(phase) - dim @ np.sin(phase)


RIGHT: list[tuple[Any, list[str]]] = [
    (Powers, ["x=4x3"]),
    (Largest, ["x=4x3"]),
    (Normalized, ["x=4x3"]),
    ((waves, separate), ["x=4x3"]),
    ((waves, after_inputs), ["x=4x3"]),
    ((waves, bundled), ["x=4x3"]),
    ((waves, indexed), ["x=4x3"]),
    ((spectrum, spectrum_backward), ["x=4x6"]),
    ((lstm_forward, lstm_backward), ["x=4x3", "prev_c=4x5", "w=3x5"]),
    (Waves, ["x=4x3"]),
    (Starred, ["x=4x3"]),
    (Closure, ["x=4x3"]),
]


@pytest.mark.parametrize(("target", "inputs"), RIGHT, ids=named)
def test_a_right_backward_of_several_outputs_is_right(target: Any, inputs: list[str]) -> None:
    report = check(target, inputs=inputs)
    assert report.ok, report


class WrongSecond(Powers):
    @staticmethod
    def backward(ctx: Any, g2: Tensor, g3: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return 2 * x * g2 + 2 * x**2 * g3


class WrongBoth(Powers):
    @staticmethod
    def backward(ctx: Any, g2: Tensor, g3: Tensor) -> Any:
        return -Powers.backward(ctx, g2, g3)


class Forgets(Waves):
    def backward(self, dsin: Any, dcos: Any) -> Any:
        del dcos
        return dsin * np.cos(self.x)


class Product(Powers):
    """Right for each output alone."""

    @staticmethod
    def backward(ctx: Any, g2: Tensor, g3: Tensor) -> Any:
        return Powers.backward(ctx, g2, g3) + g2 * g3


@pytest.mark.parametrize(
    ("target", "cause", "says"),
    [
        (WrongSecond, "scale-factor", "of output 2: "),
        (WrongBoth, "wrong-sign", ""),
        ((waves, lambda d_sin, d_cos, x: d_sin * np.cos(x) + d_cos * np.sin(x)), "wrong-sign", "of output 2: "),
        (Forgets, "unexplained", "of output 2: "),
        (Product, "not-linear-in-grad-output", "it is right for each of the 2 outputs alone, and wrong for all"),
    ],
    ids=named,
)
def test_what_is_wrong_with_one_output_is_found(target: Any, cause: str, says: str) -> None:
    report = check(target, inputs=["x=4x3"])
    assert report.verdict == "wrong"
    assert report.findings[0].cause == cause
    assert report.findings[0].message.startswith(says)
    assert ("of output" in str(report)) == says.startswith("of output")


def test_an_axis_of_one_output_that_is_transposed_is_named_as_for_one() -> None:
    def forward(x: Any, w: Any) -> Any:
        return np.dot(x, w), x.sum(0)

    def backward(dy: Any, dsum: Any, x: Any, w: Any) -> Any:
        return dy @ w.T + dsum, x.T @ dy / len(x)

    (finding,) = check((forward, backward), inputs=["x=4x3", "w=3x5"]).findings
    assert (finding.cause, finding.evidence["output"]) == ("mean-instead-of-sum", 1)


@pytest.mark.parametrize(
    "backward",
    [
        lambda dout, cache: dout * cache,
        lambda dout, mask: dout * mask,
        lambda g, mask: g * mask,
        lambda dout, x, mask: dout * mask + 0 * x,
        lambda dim, mask: dim * mask,
    ],
)
def test_a_cache_that_is_an_array_is_no_output(backward: Any) -> None:
    def dropout_forward(x: Any) -> Any:
        mask = (np.random.rand(*x.shape) > 0.5) / 0.5
        return x * mask, mask

    report = check((dropout_forward, backward), inputs=["x=4x3"])
    assert report.ok, report
    assert "further" not in str(report)


def test_a_cache_before_the_gradient_is_told_by_its_name() -> None:
    report = check((lambda x: (x**2, x), lambda cache, dout: 2 * cache * dout), inputs=["x=4x3"])
    assert report.ok, report


def test_a_result_that_backward_knows_nothing_of_is_said() -> None:
    report = check((waves, lambda dout, x: dout * np.cos(x)), inputs=["x=4x3"])
    assert report.ok
    assert "the first result is the output: backward takes no gradient of the further array that forward returns" in (
        report.notes
    )


@pytest.mark.parametrize("name", ["state", "dstate"])
def test_outputs_inside_a_tuple_are_refused(name: str) -> None:
    source = f"""
def backward(dy, {name}, x):
    dc, dq = {name}
    return dy * np.cos(x) - dc * np.sin(x) + 2 * x * dq
"""
    namespace: dict[str, Any] = {"np": np}
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), namespace)
    with pytest.raises(HandgradError, match="backward takes 2 gradients, but forward returns 1 array side by side"):
        check((lambda x: (np.sin(x), (np.cos(x), x**2)), namespace["backward"]), inputs=["x=3x4"])


def test_an_operation_has_one_output() -> None:
    with pytest.raises(HandgradError, match=r"check: the forward of `Powers` has 2 outputs, and relu has one\."):
        check(Powers, like="relu")
