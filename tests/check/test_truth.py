"""The truth comes from autograd where it sees everything, else from differences; kinks are moved or said."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from handgrad._check import differences, truth
from handgrad._check.inputs import Draw
from handgrad._check.subjects import Subject
from handgrad._check.subjects.finding import of_object

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(5, 4, dtype=torch.float64, generator=GENERATOR)
W = torch.randn(4, 3, dtype=torch.float64, generator=GENERATOR)
G = torch.randn(5, 3, dtype=torch.float64, generator=GENERATOR)


def _subject(forward: Any) -> Subject:
    return Subject(of_object((forward, lambda g, *_: g)))


def _find(forward: Any, grad: Tensor = G, **inputs: Tensor) -> tuple[truth.Truth, dict[str, Tensor]]:
    found = truth.find(_subject(forward), Draw(inputs or {"x": X, "w": W}), grad)
    return found, dict(found.vjp(grad))


def _expected(forward: Any, grad: Tensor = G, **inputs: Tensor) -> dict[str, Tensor]:
    leaves = {name: value.clone().requires_grad_() for name, value in (inputs or {"x": X, "w": W}).items()}
    return dict(zip(leaves, torch.autograd.grad(forward(**leaves), list(leaves.values()), grad), strict=True))


def _close(found: dict[str, Tensor], expected: dict[str, Tensor], rtol: float) -> None:
    assert found.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=rtol, atol=rtol)


def test_torch_code_is_differentiated_by_autograd() -> None:
    def forward(x: Any, w: Any) -> Any:
        return torch.tanh(x @ w)

    found, gradients = _find(forward)
    assert (found.source, found.cut, found.tolerance) == ("autograd", (), 1e-8)
    _close(gradients, _expected(forward), 1e-13)


@pytest.mark.parametrize("smooth", [True, False])
def test_numpy_code_that_autograd_cannot_follow_is_differentiated_by_differences(smooth: bool) -> None:
    def forward(x: Any, w: Any) -> Any:
        product = np.dot(np.array(x), np.array(w))
        return np.tanh(product) if smooth else np.maximum(product, 0.0)

    found, gradients = _find(forward)
    assert found.source == "differences"
    _close(gradients, _expected(lambda x, w: torch.tanh(x @ w) if smooth else (x @ w).clamp(min=0)), 1e-7)


@pytest.mark.parametrize(("rows", "source"), [(2, "autograd"), (500, "differences")])
def test_numpy_code_that_fills_an_array_is_followed_unless_its_loop_is_long(rows: int, source: str) -> None:
    def forward(x: Any) -> Any:
        out = np.zeros((rows, 3))
        for row in range(rows):
            out[row] = np.tanh(x) * row
        return out

    x, grad = X[0, :3].clone(), torch.ones(rows, 3, dtype=torch.float64)
    found, gradients = _find(forward, grad, x=x)
    assert found.source == source
    torch.testing.assert_close(gradients["x"], (1 - x.tanh() ** 2) * sum(range(rows)), rtol=1e-7, atol=1e-7)
    assert type(np.zeros(1)) is np.ndarray


def test_what_is_linear_in_an_input_is_exact() -> None:
    _, gradients = _find(lambda x, w: np.dot(x, w))
    _close(gradients, _expected(lambda x, w: x @ w), 1e-13)


def test_what_looks_linear_along_the_input_itself_is_not_taken_for_linear() -> None:
    """A median is, for t·x; and an input may be drawn as the direction was."""
    for seed in range(6):
        x = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        middle = x.argsort(1)[:, 2:4]
        expected = torch.zeros(4, 6, dtype=torch.float64).scatter(1, middle, 0.5 * G[:4, :1].expand(4, 2))
        _, gradients = _find(lambda x: np.median(x, axis=1), G[:4, 0].clone(), x=x)
        _close(gradients, {"x": expected}, 1e-7)


def test_a_kink_further_away_than_was_looked_is_no_part_of_the_slope() -> None:
    x = torch.zeros(1, dtype=torch.float64)
    reach = {name: differences.direction_of(Draw({name: x}), name, "affine") for name in "abcdefgh"}
    name = next(name for name, d in reach.items() if max(float(d), -3.7 * float(d)) < 0.8)

    def forward(value: Any) -> Any:
        return np.array([max(float(v) - 0.9, 0.0) + 2 * float(v) for v in value])

    parameter = inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    forward.__signature__ = inspect.Signature([parameter])  # type: ignore[attr-defined]
    found = truth.by_differences(_subject(forward), Draw({name: x}))
    _close(dict(found.vjp(torch.ones(1))), {name: torch.full((1,), 2.0, dtype=torch.float64)}, 1e-6)


def test_in_place_code_is_differentiated_all_the_same() -> None:
    def forward(x: Any, w: Any) -> Any:
        x.mul_(2)
        out = torch.exp(x @ w)
        out[0] = 3.0
        return out.sigmoid_()

    def pure(x: Tensor, w: Tensor) -> Tensor:
        e = torch.exp(2 * x @ w)
        return torch.cat([torch.full_like(e[:1], 3.0), e[1:]]).sigmoid()

    _close(_find(forward)[1], _expected(pure), 1e-6)


@pytest.mark.parametrize("by", ["detach", "no_grad", "item"])
def test_a_cut_is_found_and_differences_are_the_truth(by: str) -> None:
    def forward(x: Any, w: Any) -> Any:
        if by == "detach":
            size = x.detach().norm()
        elif by == "item":
            size = x.norm().item()
        else:
            with torch.no_grad():
                size = x.norm()
        return x @ w / size

    found, gradients = _find(forward)
    assert (found.source, found.cut) == ("differences", ("x",))
    _close(gradients, _expected(lambda x, w: x @ w / x.norm()), 1e-6)
    assert found.partial is not None
    torch.testing.assert_close(found.partial(G)["x"], G @ W.mT / X.norm())


def test_a_relu_near_zero_is_not_a_cut() -> None:
    small = X * 1e-5  # steps of the first size cross the kinks
    found, _ = _find(lambda x, w: torch.relu(x) @ w, x=small, w=W)
    assert found.source == "autograd"


@pytest.mark.parametrize("numpy", [True, False])
def test_a_kink_is_said(numpy: bool) -> None:
    tied = X.clone()
    tied[2, 1] = 0.0
    forward = (lambda x, w: np.dot(np.abs(x), w)) if numpy else (lambda x, w: x.abs() @ w)
    with pytest.raises(truth.NotDifferentiable):
        _find(forward, x=tied, w=W)


def test_an_unused_and_an_integer_input() -> None:
    draw = Draw({"x": X, "index": torch.tensor([2, 0]), "unused": W})
    found = truth.find(
        _subject(lambda x, index, unused: x[index] + 0 * unused.sum().detach()), draw, G[:2, :1].expand(2, 4)
    )
    gradients = found.vjp(torch.ones(2, 4, dtype=torch.float64))
    assert gradients.keys() == {"x", "unused"}
    assert gradients["x"].sum(1).tolist() == [4, 0, 4, 0, 0]
    assert not gradients["unused"].any()


def test_float32_code_is_judged_by_its_rounding() -> None:
    found, gradients = _find(lambda x, w: torch.tanh(x.float() @ w.float()))
    assert found.tolerance == 1e-4
    _close(gradients, _expected(lambda x, w: torch.tanh(x @ w)), 1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_of_half_precision_autograds_word_is_taken(dtype: torch.dtype) -> None:
    found, gradients = _find(lambda x, w: torch.tanh((x.to(dtype) @ w.to(dtype)).float()))
    assert (found.source, found.tolerance, found.cut) == ("autograd", 3e-2, ())
    _close(gradients, _expected(lambda x, w: torch.tanh(x @ w)), 3e-2)
    with pytest.raises(truth.TooSlow, match="half precision, of which differences say nothing"):
        _find(lambda x, w: np.array([[float(np.float16(v)) for v in row] for row in np.dot(x, w)]))


def test_a_random_forward_has_no_truth() -> None:
    import secrets

    with pytest.raises(truth.NotDeterministic):
        truth.deterministic(_subject(lambda x: x * (1 + secrets.randbelow(1000))), Draw({"x": X}))


def test_too_slow_is_said_before_it_is_tried() -> None:
    import time

    def slow(x: Any) -> Any:
        time.sleep(0.01)
        return np.tanh(np.array(x))

    begin = time.perf_counter()
    with pytest.raises(truth.TooSlow, match=r"2000 forward passes of 0\.\d+ s"):
        _find(slow, G.new_ones(50, 20), x=torch.zeros(50, 20).double() + 0.3)
    assert time.perf_counter() - begin < 2


def test_the_operation_is_the_truth_only_if_differences_confirm_it() -> None:
    subject, draw = _subject(lambda x, w: np.dot(np.array(x), np.array(w))), Draw({"x": X, "w": W})
    right = lambda g: {"x": g @ W.mT, "w": X.mT @ g}  # noqa: E731
    wrong = lambda g: {"x": 2 * g @ W.mT, "w": X.mT @ g}  # noqa: E731
    subject.run(draw.inputs)
    assert truth.find(subject, draw, G, right).source == "operation"
    assert truth.find(subject, draw, G, wrong).source != "operation"
