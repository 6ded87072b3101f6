"""Probes: what only running code can tell."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from handgrad._check import cases, check
from handgrad._check.inputs import Draw
from handgrad._check.probes import probe
from handgrad._check.subjects import Subject
from handgrad._check.subjects.finding import of_object


def found(target: Any, *shapes: tuple[int, ...]) -> list[tuple[str | None, str]]:
    subject = Subject(of_object(target))
    inputs = {
        name: torch.randn(shape, dtype=torch.float64)
        for name, shape in zip(subject.adapter.inputs, shapes, strict=True)
    }
    case = cases.make(subject, Draw(inputs, {})).case
    return [(name, finding.cause) for name, finding in probe(case, subject)]


def square(x: Tensor) -> Tensor:
    return x**2


def test_a_right_backward_pass_passes_all_probes():
    assert found((square, lambda grad_output, x: 2 * grad_output * x), (3, 4)) == []


def test_an_input_changed_by_forward_or_backward():
    def forward(x):
        x *= 2
        return x**2

    def backward(grad_output, x):
        x.mul_(2)
        return grad_output * x

    assert (None, "inputs-modified") in found((square, backward), (3, 4))
    assert (None, "inputs-modified") in found((forward, lambda grad_output, x: 4 * grad_output * x), (3, 4))


def test_grad_output_changed_in_place():
    def backward(grad_output, x):
        grad_output[x < 0] = 0
        return grad_output

    def forward(x):
        return torch.relu(x)

    assert found((forward, backward), (3, 4)) == [(None, "inputs-modified")]


class Stale:
    """Adds up its weight gradient in a buffer that nothing clears."""

    def __init__(self):
        self.w = np.ones((4, 2))
        self.dw = np.zeros((4, 2))

    def forward(self, x):
        self.x = x
        return np.dot(x, self.w)

    def backward(self, grad):
        self.dw += np.dot(self.x.T, grad)
        return np.dot(grad, self.w.T)


class Cleared(Stale):
    """The same with a way to clear it."""

    def zero_grad(self):
        self.dw[:] = 0


def class_found(thing: Any) -> list[tuple[str | None, str]]:
    subject = Subject(of_object(thing))
    inputs = {"x": torch.randn(3, 4, dtype=torch.float64), "w": torch.randn(4, 2, dtype=torch.float64)}
    return [(name, finding.cause) for name, finding in probe(cases.make(subject, Draw(inputs, {})).case, subject)]


def test_a_stale_buffer_is_not_repeatable_but_zero_grad_is_a_convention():
    assert class_found(Stale()) == [("w", "not-repeatable")]
    assert class_found(Cleared()) == []


class Erases(Stale):
    def backward(self, grad):
        self.dw = self.x.T @ grad
        self.x[:] = 0
        return grad @ self.w.T


def test_what_an_object_does_to_its_input_does_not_make_it_unrepeatable():
    assert class_found(Erases()) == [(None, "inputs-modified")]


def test_what_changes_from_call_to_call_is_said_to_do_that_and_nothing_else():
    calls = []

    def backward(g, x):
        calls.append(1)
        return 2 * g * x + 1e-3 * len(calls)

    assert found((square, backward), (3, 4)) == [("x", "not-repeatable")]
    (gradient,) = check((square, backward), inputs=["x=3x4"]).gradients
    assert gradient.findings[0].cause == "not-repeatable"


def test_random_numbers_of_an_object_start_anew_as_well():
    class Dropout:
        def __init__(self):
            self.rng = np.random.default_rng(3)
            self.inner = SimpleNamespace(old=np.random.RandomState(3))

        def forward(self, x):
            self.mask = (self.rng.random(x.shape) > 0.5) * self.inner.old.rand()
            return x * self.mask

        def backward(self, grad):
            return grad * self.mask

    assert found(Dropout(), (3, 4)) == []


def test_strides_ignored():
    def backward(grad_output, x):
        flat = torch.as_strided(grad_output, (grad_output.numel(),), (1,))
        return 2 * flat.reshape(x.shape) * x

    assert found((square, backward), (3, 4)) == [("x", "assumes-contiguous")]


def test_clipping_that_does_not_show_at_this_grad_output():
    bound = 1.5 * float(cases.random_grad(torch.zeros(3, 4)).abs().max())

    def backward(grad_output, x):
        return 2 * grad_output.clamp(-bound, bound) * x

    assert ("x", "not-linear-in-grad-output") in found((square, backward), (3, 4))


@pytest.mark.parametrize("shape", [(5,), (2, 3)])
def test_numpy_code_is_probed_as_well(shape):
    def forward(x):
        return np.maximum(x, 0)

    def backward(dout, x):
        dout[x < 0] = 0
        return dout

    assert found((forward, backward), shape) == [(None, "inputs-modified")]


def test_nan_is_neither_unrepeatable_nor_a_matter_of_strides():
    def backward(g, x):
        return g / (x - x)

    assert found((square, backward), (3, 4)) == []
