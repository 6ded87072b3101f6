"""No gradient came back: of a constant that is right, of a parameter it is an omission."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from handgrad._check import check

X, W = torch.randn(4, 3, dtype=torch.float64), torch.randn(3, 5, dtype=torch.float64)


class MeanSquares(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pred: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(pred, target)
        return ((pred - target) ** 2).mean()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        pred, target = ctx.saved_tensors
        return g * 2 * (pred - target) / pred.numel(), None


class Weighted(torch.autograd.Function):
    """A weight that belongs to a loss is a constant."""

    @staticmethod
    def forward(ctx: Any, pred: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(pred, target, weight)
        return (weight * (pred - target) ** 2).sum()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        pred, target, weight = ctx.saved_tensors
        return g * 2 * weight * (pred - target), None, None


class Masked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(mask, scale)
        return x * mask * scale

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        mask, scale = ctx.saved_tensors
        grad_x = g * mask * scale
        return (grad_x, *(None,) * 2)


class Unused(torch.autograd.Function):
    """A parameter that the output does not depend on."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return x**2

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return 2 * ctx.saved_tensors[0] * g, None


def loss(p: Any, y: Any) -> Any:
    return np.mean((p - y) ** 2)


@pytest.mark.parametrize(
    ("target", "inputs", "constants"),
    [
        (MeanSquares, ["pred=4x3", "target=4x3"], ["target"]),
        (Weighted, ["pred=4x3", "target=4x3", "weight=3"], ["target", "weight"]),
        (Masked, ["x=4x3", "mask=4x3", "scale=3"], ["mask", "scale"]),
        (Unused, ["x=4x3", "weight=3"], ["weight"]),
        ((lambda x, scale: x * scale, lambda g, x, scale: (g * scale + 0 * x, None)), ["x=4x3", "scale=3"], ["scale"]),
        ((loss, lambda g, p, y: g * 2 * (p - y) / p.size), ["p=4x3", "y=4x3"], ["y"]),
        ((loss, lambda g, p, y: (g * 2 * (p - y) / p.size, None)), ["p=4x3", "y=4x3"], ["y"]),
    ],
)
def test_a_constant_is_right_and_said(target: Any, inputs: list[str], constants: list[str]) -> None:
    report = check(target, inputs=inputs)
    assert report.ok, report
    for gradient in report.gradients:
        assert (gradient.note is not None) == (gradient.name in constants)
    assert "no gradient came back" in str(report)


class Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return x @ weight

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return g @ ctx.saved_tensors[1].mT, None


class NoInput(Linear):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return None, ctx.saved_tensors[0].mT @ g


class Conditional(Masked):
    """It means to return a gradient, and does not."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        mask, scale = ctx.saved_tensors
        grad_scale = None
        if not ctx.needs_input_grad[2]:
            grad_scale = (g * mask).sum(0)
        return g * mask * scale, None, grad_scale


@pytest.mark.parametrize(
    ("target", "inputs", "name"),
    [
        (Linear, (X, W), "weight"),
        (NoInput, (X, W), "x"),
        (Conditional, ["x=4x3", "mask=4x3", "scale=3"], "scale"),
        ((lambda x, w: x @ w, lambda g, x, w: (g @ w.T + 0 * x, None)), (X, W), "w"),
        ((lambda x, gamma: x * gamma, lambda g, x, gamma: {"x": g * gamma + 0 * x}), (X, X[0]), "gamma"),
        ((lambda x, scale: x * scale, lambda g, x, scale: g * scale + 0 * x), (X, X[0]), "scale"),
    ],
)
def test_a_forgotten_gradient_is_wrong(target: Any, inputs: Any, name: str) -> None:
    report = check(target, inputs=inputs)
    assert report.verdict == "wrong"
    (wrong,) = [gradient for gradient in report.gradients if gradient.findings and gradient.shape is None] or [None]
    assert wrong is not None
    assert wrong.name == name
    assert wrong.findings[0].cause == "wrong-return-count"


def test_none_beside_a_wrong_gradient_is_not_what_is_asked_about() -> None:
    class Mean(Linear):
        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Any:
            x = ctx.saved_tensors[0]
            return None, x.mT @ g / len(x)

    report = check(Mean, inputs=(X, W))
    x, weight = report.gradients
    assert x.verdict == "inconclusive"
    assert x.note is not None
    assert "an omission for a parameter" in x.note
    assert [finding.cause for finding in report.findings] == ["mean-instead-of-sum"] == [weight.findings[0].cause]


def test_of_a_kernel_nobody_can_tell() -> None:
    def blur(x: Any, kernel: Any) -> Any:
        return x[:, 1:] * kernel[0] + x[:, :-1] * kernel[1]

    def backward(g: Any, x: Any, kernel: Any) -> Any:
        grad = np.zeros_like(x)
        grad[:, 1:] += g * kernel[0]
        grad[:, :-1] += g * kernel[1]
        return grad, None

    report = check((blur, backward), inputs=["x=4x5", "kernel=2"])
    assert report.verdict == "inconclusive"
    assert [gradient.verdict for gradient in report.gradients] == ["correct", "inconclusive"]
    assert report.message == (
        "nothing can be said of `kernel`: no gradient came back, which is right for a constant and an omission for a "
        "parameter"
    )


class Dense:
    def __init__(self) -> None:
        self.W, self.b, self.scale = np.ones((3, 5)), np.ones(5), np.ones(5)

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.W * self.scale + self.b

    def backward(self, g: Any) -> Any:
        self.dW = self.x.T @ (g * self.scale)
        self.db = g.sum(0)
        return g * self.scale @ self.W.T


class NoBias(Dense):
    def backward(self, g: Any) -> Any:
        result = Dense.backward(self, g)
        del self.db
        return result


class Module(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.ones(3, 5))

    def forward(self, x: Any) -> Any:
        return x @ self.W

    def backward(self, g: Any) -> Any:
        return g @ self.W.mT


class Blur:
    def __init__(self) -> None:
        self.kernel = np.ones(2)

    def forward(self, x: Any) -> Any:
        return x * self.kernel

    def backward(self, g: Any) -> Any:
        return g * self.kernel


class Features:
    """A fixed projection, or a weight that was forgotten."""

    def __init__(self) -> None:
        self.W = np.ones((3, 5))

    def forward(self, x: Any) -> Any:
        self.angle = np.dot(x, self.W)
        return np.cos(self.angle)

    def backward(self, g: Any) -> Any:
        return -np.dot(g * np.sin(self.angle), self.W.T)


class Elsewhere(NoBias):
    """Something is left that could be it."""

    def backward(self, g: Any) -> Any:
        result = NoBias.backward(self, g)
        self.first, self.second = g.sum(0), g.sum(0)
        return result


def test_a_constant_of_an_object_is_said() -> None:
    report = check(Dense, inputs=["x=4x3"])
    assert report.ok, report
    assert [gradient.name for gradient in report.gradients] == ["x", "W", "b"]
    assert "no gradient of `scale` was found: it is taken for a constant" in report.notes


@pytest.mark.parametrize(("cls", "name"), [(NoBias, "b"), (Module, "W")])
def test_a_parameter_without_a_gradient_is_wrong(cls: type, name: str) -> None:
    report = check(cls, inputs=["x=4x3"])
    (wrong,) = [gradient for gradient in report.gradients if gradient.verdict == "wrong"]
    assert (wrong.name, wrong.findings[0].cause) == (name, "wrong-return-count")
    assert wrong.findings[0].message.startswith(f"no gradient came back for `{name}`")


@pytest.mark.parametrize(
    ("cls", "size", "names"), [(Blur, "4x2", ["kernel"]), (Features, "4x3", ["W"]), (Elsewhere, "4x3", ["b", "scale"])]
)
def test_what_may_have_a_gradient_is_left_open(cls: type, size: str, names: list[str]) -> None:
    report = check(cls, inputs=[f"x={size}"])
    assert report.verdict == "inconclusive"
    assert [gradient.name for gradient in report.gradients if gradient.verdict == "inconclusive"] == names


def test_an_input_that_nothing_is_returned_for_is_said() -> None:
    class First(Dense):
        def backward(self, g: Any) -> None:  # type: ignore[override]
            Dense.backward(self, g)

    report = check(First, inputs=["x=4x3"])
    assert report.ok
    assert "nothing was returned for `x`" in report.notes
