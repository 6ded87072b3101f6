"""Large inputs: looked into at small sizes, and run once as they are."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from handgrad._check import check
from handgrad._check.inputs import Spec, draw, parse
from handgrad._check.scaling import LARGE, entries, shrunk


def small(forward: Any, *texts: str) -> list[tuple[int, ...]]:
    """The shapes that a forward is looked into at."""

    def accepts(specs: dict[str, Spec]) -> bool:
        try:
            forward(*draw(specs, 0).values())
        except (RuntimeError, IndexError, ValueError):
            return False
        return True

    found = shrunk(dict(parse(text) for text in texts), accepts)
    assert found is not None
    return [spec.shape for spec in found.values()]


def test_sizes_become_small_and_what_is_equal_stays_equal() -> None:
    (n, c, h, w), (o, i, kh, kw), (b,) = small(
        lambda x, w, b: F.conv2d(x, w, b, padding=1), "x=16x32x64x64", "w=48x32x3x3", "b=48"
    )
    assert i == c
    assert b == o
    assert h == w
    assert (kh, kw) == (3, 3)
    assert len({n, c, o, h, kh}) == 5
    assert max(n, c, o, h) < 16


def test_what_must_divide_divides() -> None:
    ((_, c, h, _),) = small(lambda x: F.max_pool2d(x, 2).unflatten(1, (4, -1)).unflatten(3, (4, -1)), "x=16x64x56x56")
    assert c % 4 == 0
    assert (h // 2) % 4 == 0


def test_a_product_stays_one() -> None:
    shapes = small(lambda x, m: x.reshape(x.shape[0], *m.shape, -1) * m[..., None], "x=4x1024x16", "m=32x32")
    assert shapes[0][1] == shapes[1][0] ** 2 < 1024


def test_what_is_fixed_stays_and_the_rest_is_small() -> None:
    ((n, fixed),) = small(lambda x: x.reshape(-1, 700).sum() + x[:, 699].sum(), "x=5000x700")
    assert fixed == 700
    assert n < 100
    assert shrunk({"x": Spec((5000, 700))}, lambda _: False) is None


def test_an_index_stays_in_bounds() -> None:
    table, _ = small(lambda w, i: w[i], "w=5000x64", "i=32x20:int")
    assert max(table) < 12


class Counted:
    """x², and how large the inputs were that it was called with."""

    def __init__(self, wrong_above: float = float("inf")) -> None:
        self.sizes: list[int] = []
        self.limit = wrong_above

    def forward(self, x: Any) -> Any:
        self.sizes.append(math.prod(x.shape))
        return np.square(x) + np.sin(x)

    def backward(self, g: Any, x: Any) -> Any:
        factor = 3 if math.prod(x.shape) > self.limit else 2
        return factor * g * x + g * np.cos(x)


def test_large_sizes_are_run_once_forward_and_once_for_the_truth() -> None:
    code = Counted()
    report = check((code.forward, code.backward), inputs=["x=300x400"])
    assert report.ok, report
    assert sum(size == 120000 for size in code.sizes) == 2
    assert "your sizes are large: they were run once, and looked into at smaller ones" in report.notes
    assert entries({"x": Spec((300, 400))}) > LARGE


def test_what_is_wrong_at_large_sizes_only_is_wrong() -> None:
    code = Counted(wrong_above=5000)
    report = check((code.forward, code.backward), inputs=["x=300x400"])
    assert report.verdict == "wrong"
    assert report.gradients[0].note == "right at small sizes, wrong at yours"
    assert report.findings[0].cause == "unexplained"


def test_what_is_wrong_at_every_size_is_named_at_a_small_one() -> None:
    code = Counted(wrong_above=0)
    report = check((code.forward, code.backward), inputs=["x=300x400"])
    assert report.verdict == "wrong"
    assert report.gradients[0].note is None


def test_huge_sizes_are_not_run_at_all() -> None:
    code = Counted()
    report = check((code.forward, code.backward), inputs=["x=20000x5000"])
    assert report.ok
    assert max(code.sizes) < 1000
    assert "your sizes, 1e+08 numbers, were not run: smaller ones stand for them" in report.notes


def test_code_that_is_slow_at_large_sizes_is_not_run_there() -> None:
    def forward(x: Any) -> Any:
        assert x.size < 100000
        time.sleep(x.size / 1000)
        return np.tanh(x)

    report = check((forward, lambda g, x: g * (1 - np.tanh(x) ** 2)), inputs=["x=300x400"])
    assert report.ok, report
    assert any(note.startswith("left out your sizes: they would take about ") for note in report.notes)


def test_what_autograd_cannot_see_is_compared_along_one_direction() -> None:
    def forward(x: Any) -> Any:
        return np.array([np.tanh(v) for v in x.ravel()]).reshape(x.shape)

    report = check((forward, lambda g, x: g * (1 - np.tanh(x) ** 2)), inputs=["x=150x200"])
    assert report.ok, report
    wrong = lambda g, x: g * (1 - np.tanh(x) ** 2) * (1 if x.size < 5000 else 1.1)  # noqa: E731
    report = check((forward, wrong), inputs=["x=150x200"])
    assert report.verdict == "inconclusive"
    assert report.message == (
        "right at small sizes; at yours it does not agree with a difference along a random direction"
    )


@pytest.mark.parametrize("wrong", [False, True])
def test_a_layer_of_real_size(wrong: bool) -> None:
    class Linear:
        def __init__(self) -> None:
            self.W, self.b = np.ones((256, 128)), np.zeros(128)

        def forward(self, x: Any) -> Any:
            self.x = x
            return np.dot(x, self.W) + self.b

        def backward(self, g: Any) -> Any:
            self.dW, self.db = np.dot(self.x.T, g) / (len(g) if wrong else 1), g.sum(0)
            return np.dot(g, self.W.T)

    report = check(Linear, inputs=["x=64x256"])
    assert report.ok != wrong
    assert [finding.cause for finding in report.findings] == (["mean-instead-of-sum"] if wrong else [])
    assert [gradient.note for gradient in report.gradients] == [None] * 3


def test_live_tensors_of_real_size_are_compared_as_they_are() -> None:
    x = torch.linspace(-3, 3, 20000).reshape(100, 200)
    seen: list[float] = []

    def forward(x: Any) -> Any:
        seen.append(float(x.max()))
        return torch.tanh(x)

    assert check((forward, lambda g, x: g * (1 - torch.tanh(x) ** 2)), inputs=(x,)).ok
    assert 3.0 in seen
