"""Every style of code is run forward and backward, and what it returns is told apart."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from handgrad._check.subjects import Subject, UserCodeError
from handgrad._check.subjects.finding import of_object
from handgrad._check.subjects.returned import is_gradient_name, word

X = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
W = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
B = torch.randn(3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
G = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
TRUTH = {"x": G @ W.mT, "w": X.mT @ G, "b": G.sum(0)}


class Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, b: Tensor, scale: float = 1.0) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.scale = scale
        ctx.mark_non_differentiable()
        ctx.set_materialize_grads(False)
        return (x @ w + b) * scale

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, w = ctx.saved_tensors
        assert ctx.needs_input_grad == (True, True, True, False)
        return g @ w.mT, x.mT @ g, g.sum(0), None


class WithSetup(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return x @ w + b

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        assert output.shape == (5, 3)
        ctx.x, ctx.w, _ = inputs

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return g @ ctx.w.mT, ctx.x.mT @ g, g.sum(0)


def forward(x: Any, w: Any, b: Any) -> Any:
    return x @ w + b


def by_inputs(grad: Any, x: Any, w: Any, b: Any) -> Any:
    del b
    return grad @ w.T, x.T @ grad, grad.sum(0)


def by_some_inputs(grad: Any, x: Any, w: Any) -> Any:
    return grad @ w.T, x.T @ grad, grad.sum(0)


def grad_last(x: Any, w: Any, grad: Any) -> Any:
    return [grad @ w.T, x.T @ grad, grad.sum(0)]


def by_name(grad: Any, x: Any, w: Any) -> Any:
    return {"db": grad.sum(0), "dw": x.T @ grad, "dx": grad @ w.T}


def course_forward(x: Any, w: Any, b: Any) -> Any:
    return np.dot(x, w) + b, (x, w, b)


def course_backward(dout: Any, cache: Any) -> Any:
    x, w, _ = cache
    return dout @ w.T, x.T @ dout, np.sum(dout, axis=0)


class Layer:
    def __init__(self) -> None:
        self.params = {"w": np.zeros((4, 3)), "b": np.zeros(3)}
        self.grads: dict[str, Any] = {}

    def forward(self, x: Any) -> Any:
        self.x = x
        return np.matmul(x, self.params["w"]) + self.params["b"]

    def backward(self, grad: Any) -> Any:
        self.grads["w"] = self.x.T @ grad
        self.grads["b"] = grad.sum(0)
        return grad @ self.params["w"].T


class Lists(Layer):
    def __init__(self) -> None:
        self.w, self.b = np.zeros((4, 3)), np.zeros(3)
        self.p = [self.w, self.b]
        self.g = [np.zeros((4, 3)), np.zeros(3)]

    def forward(self, x: Any) -> Any:
        self.x = x
        return np.matmul(x, self.p[0]) + self.p[1]

    def backward(self, grad: Any) -> Any:
        self.dw, self.d_b = self.x.T @ grad, grad.sum(0)
        return grad @ self.w.T


class Returning(Layer):
    def backward(self, grad: Any) -> Any:
        dw, db = self.x.T @ grad, grad.sum(0)
        return grad @ self.params["w"].T, db, dw


class Updating(Layer):
    def backward(self, grad: Any, learning_rate: float) -> Any:  # type: ignore[override]
        dx = grad @ self.params["w"].T
        self.params["w"] = self.params["w"] - learning_rate * self.x.T @ grad
        self.params["b"] -= learning_rate * grad.sum(0)
        return dx


class Module(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w, self.b = nn.Parameter(torch.zeros(4, 3)), nn.Parameter(torch.zeros(3))
        self.register_buffer("running_mean", torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return x @ self.w + self.b

    def backward(self, grad: Tensor) -> Tensor:
        self.w.grad, self.b.grad = self.x.mT @ grad, grad.sum(0)
        return grad @ self.w.mT


class Closure(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w, self.b = nn.Parameter(torch.zeros(4, 3)), nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        def backward(grad: Tensor) -> Tensor:
            self.w.grad, self.b.grad = x.mT @ grad, grad.sum(0)
            return grad @ self.w.mT

        return x @ self.w + self.b, backward


def _run(
    thing: Any, inputs: Mapping[str, Tensor] | None = None, grad: Tensor = G, **options: Any
) -> dict[str, Tensor | None]:
    subject = Subject(of_object(thing))
    run = subject.run(inputs or {"x": X, "w": W, "b": B}, options)
    return run.backward(grad)


@pytest.mark.parametrize(
    "thing",
    [
        Linear,
        Linear.apply,
        WithSetup,
        (forward, by_inputs),
        (forward, by_some_inputs),
        (forward, grad_last),
        (forward, by_name),
        (course_forward, course_backward),
        Layer,
        Layer(),
        Lists,
        Returning,
        Updating,
        Module,
        Closure(),
    ],
    ids=lambda thing: re.sub(r" at 0x\w+", "", str(thing)),  # two workers must call a test by one name
)
def test_every_style_gives_its_gradients_by_name(thing: Any) -> None:
    found = _run(thing)
    assert list(found) == ["x", "w", "b"] or set(found) == {"x", "w", "b"}
    for name, truth in TRUTH.items():
        gradient = found[name]
        assert gradient is not None
        assert gradient.dtype == torch.float64
        torch.testing.assert_close(gradient, truth, rtol=1e-12, atol=1e-12)


def test_the_live_object_is_not_touched() -> None:
    layer = Layer()
    _run(layer)
    assert not layer.params["w"].any()
    assert layer.grads == {}


def test_the_library_is_what_runs() -> None:
    def numpy_only(x: Any) -> Any:
        return np.maximum(x, 0).copy()

    subject = Subject(of_object((numpy_only, lambda g, x: g * (x > 0))))
    subject.library = "torch"  # a wrong guess
    run = subject.run({"x": X})
    assert subject.library == "numpy"
    assert torch.equal(run.output, X.clamp(min=0))


def test_random_numbers_start_anew_in_every_call() -> None:
    rng = np.random.default_rng()

    def dropout(x: Any) -> Any:
        mask = rng.random(x.shape) > 0.5
        return x * mask * np.random.rand() * torch.rand(()).item(), mask

    dropout.__globals__["rng"] = rng
    subject = Subject(of_object((dropout, lambda g, cache: g * cache)))
    state = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    first, second = (subject.run({"x": X}).output for _ in range(2))
    del dropout.__globals__["rng"]
    assert torch.equal(first, second)
    assert (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == state


def test_options_go_by_the_words_for_them() -> None:
    seen = SimpleNamespace()

    def conv_forward(x: Any, w: Any, conv_param: Any, pad: int = 0, strides: int = 1) -> Any:
        seen.forward = (conv_param["stride"], conv_param["pad"], pad, strides)
        return x * w.sum()

    def conv_backward(grad: Any, x: Any, w: Any, conv_param: Any, pad: int = 0) -> Any:
        seen.backward = (conv_param["stride"], pad)
        return grad * w.sum(), (grad * x).sum() * torch.ones_like(w), None

    subject = Subject(of_object((conv_forward, conv_backward)))
    assert {"stride", "padding"} <= subject.adapter.accepts
    run = subject.run({"x": X, "w": W}, {"stride": 3, "padding": (2, 1)})
    run.backward(torch.ones_like(X))
    assert seen.forward == (3, (2, 1), (2, 1), 3)
    assert seen.backward == (3, (2, 1))
    assert run.returned_count is None


@pytest.mark.parametrize(("returned", "count"), [(2, 2), (3, None), (4, 4)])
def test_a_wrong_number_of_gradients_is_counted(returned: int, count: int | None) -> None:
    def backward(grad: Any, x: Any, w: Any, b: Any) -> Any:
        return (*by_inputs(grad, x, w, b), grad)[:returned]

    run = Subject(of_object((forward, backward))).run({"x": X, "w": W, "b": B})
    found = run.backward(G)
    assert run.returned_count == count
    assert (found["b"] is None) == (returned == 2)


def test_a_function_needs_one_gradient_for_every_argument() -> None:
    class Short(Linear):
        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Any:
            return Linear.backward(ctx, g)[:3]

    run = Subject(of_object(Short)).run({"x": X, "w": W, "b": B})
    run.backward(G)
    assert run.returned_count == 3


def test_float32_inside_is_noticed() -> None:
    def single(x: Any) -> Any:
        return x.float() * 2

    assert Subject(of_object((single, lambda g, x: 2 * g + 0 * x))).run({"x": X}).single
    assert not Subject(of_object((forward, by_inputs))).run({"x": X, "w": W, "b": B}).single


def test_new_tensors_are_float64_inside_and_not_outside() -> None:
    def forward(x: Any) -> Any:
        return x @ torch.ones(4, 2)

    assert Subject(of_object((forward, lambda g, x: g + x))).run({"x": X}).output.dtype == torch.float64
    assert torch.get_default_dtype() == torch.float32


def test_an_exception_is_the_codes_own_with_a_note() -> None:
    def wrong(grad: Any, x: Any, w: Any, b: Any) -> Any:
        return grad @ w, x, b

    with pytest.raises(UserCodeError, match=r"^backward: RuntimeError: mat1 and mat2") as caught:
        _run((forward, wrong))
    original = caught.value.original
    assert type(original) is RuntimeError
    assert original.__notes__ == ["handgrad: in `grad @ w`: grad (5, 3), w (4, 3)"]


def test_exit_is_an_exception_and_ctrl_c_is_not() -> None:
    with pytest.raises(UserCodeError, match="SystemExit"):
        _run((lambda x: sys.exit(len(x)), by_inputs), {"x": X})

    def interrupted(x: Any) -> Any:
        assert x is not None
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _run((interrupted, by_inputs), {"x": X})


@pytest.mark.parametrize(
    "name", ["W", "dW", "d_w", "grad_weight", "weight_grad", "dL_dW", "dloss_dw", "dJdW", "grad_wrt_weights", "nabla_w"]
)
def test_words_for_a_weight_and_its_gradient(name: str) -> None:
    assert word(name) == "w"
    assert word(name + "1") == "w1"
    assert is_gradient_name(name) == (name != "W")


@pytest.mark.parametrize(
    ("name", "means"), [("dbias", "b"), ("dinputs", "x"), ("dx", "x"), ("delta", ""), ("data", "ata")]
)
def test_words_for_other_things(name: str, means: str) -> None:
    assert word(name) == means


class Silent(Layer):
    """Everything in attributes, nothing returned."""

    def forward(self, inputs: Any) -> None:  # type: ignore[override]
        self.inputs = inputs
        self.output = np.matmul(inputs, self.params["w"]) + self.params["b"]

    def backward(self, dvalues: Any) -> None:  # type: ignore[override]
        self.dweights, self.dbiases = self.inputs.T @ dvalues, dvalues.sum(0)
        self.dinputs = dvalues @ self.params["w"].T


class InAnyOrder(Layer):
    def backward(self, grad: Any) -> Any:
        dw, db, dx = self.x.T @ grad, grad.sum(0), grad @ self.params["w"].T
        return dw, db, dx


class Nested(Layer):
    def backward(self, grad: Any) -> Any:
        return grad @ self.params["w"].T, [self.x.T @ grad, grad.sum(0)]


class WithDictionary(Layer):
    def backward(self, grad: Any) -> Any:
        return grad @ self.params["w"].T, {"db": grad.sum(0), "dw": self.x.T @ grad}


class Handed:
    """Parameters are handed to forward; their gradients stay in attributes all the same."""

    def forward(self, x: Any, w: Any, b: Any) -> Any:
        self.x, self.w = x, w
        return x @ w + b

    def backward(self, grad: Any) -> Any:
        self.dw, self.db = self.x.T @ grad, grad.sum(0)
        return grad @ self.w.T


@pytest.mark.parametrize("cls", [Silent, InAnyOrder, Nested, WithDictionary, Handed])
def test_ways_to_hand_gradients_back(cls: type) -> None:
    subject = Subject(of_object(cls))
    name = subject.adapter.inputs[0]
    found = subject.run({name: X, "w": W, "b": B}).backward(G)
    for key, truth in {name: TRUTH["x"], "w": TRUTH["w"], "b": TRUTH["b"]}.items():
        gradient = found[key]
        assert gradient is not None
        torch.testing.assert_close(gradient, truth)


def test_lists_of_numbers_stand_for_arrays() -> None:
    def times_forward(x: Any, w: Any) -> Any:
        return [float(a * b) for a, b in zip(x, w, strict=True)], (x, w)

    def times_backward(dout: Any, cache: Any) -> Any:
        x, w = cache
        return [d * b for d, b in zip(dout, w, strict=True)], [d * a for d, a in zip(dout, x, strict=True)]

    subject = Subject(of_object((times_forward, times_backward)))
    run = subject.run({"x": X[0], "w": X[1]})
    torch.testing.assert_close(run.output, X[0] * X[1])
    found = run.backward(X[2])
    for key, right in {"x": X[2] * X[1], "w": X[2] * X[0]}.items():
        torch.testing.assert_close(found[key], right)


@pytest.mark.parametrize("style", ["functions", "class"])
def test_of_two_inputs_that_look_like_labels_the_first_has_a_gradient(style: str) -> None:
    class Loss:
        def forward(self, y: Any, t: Any) -> Any:
            self.y, self.t = y, t
            return -np.sum(t * np.log(y))

        def backward(self, grad: Any) -> Any:
            return -grad * self.t / self.y

    plain = (lambda y, t: -np.sum(t * np.log(y)), lambda grad, y, t: -grad * t / y)
    y, t = torch.tensor([[0.3, 0.7]], dtype=torch.float64), torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    run = Subject(of_object(Loss if style == "class" else plain)).run({"y": y, "t": t})
    found = run.backward(torch.tensor(2.0, dtype=torch.float64))
    assert run.returned_count is None
    torch.testing.assert_close(found["y"], -2 * t / y)


def test_keyword_only_options_are_passed() -> None:
    def scale(x: Any, *, stride: int = 1) -> Any:
        return x * stride

    run = Subject(of_object((scale, lambda g, x, stride=1: g * stride + 0 * x))).run({"x": X}, {"stride": 3})
    assert torch.equal(run.output, 3 * X)
    assert torch.equal(run.backward(X)["x"], 3 * X)  # type: ignore[arg-type]
