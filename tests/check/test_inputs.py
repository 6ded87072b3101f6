"""Shapes and kinds, and which sizes may change together."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from handgrad._check.inputs import Spec, draw, other_sizes, parse, spec_of, with_ranges
from handgrad._errors import HandgradError

Accepts = Callable[[dict[str, Spec]], bool]


def accepts(forward: Callable[..., Tensor]) -> Accepts:
    def run(specs: dict[str, Spec]) -> bool:
        try:
            forward(*draw(specs, 0).values())
        except (RuntimeError, IndexError, ValueError):
            return False
        return True

    return run


def specs(*texts: str) -> dict[str, Spec]:
    return with_ranges(dict(parse(text) for text in texts))


def shapes(found: dict[str, Spec]) -> list[tuple[int, ...]]:
    return [spec.shape for spec in found.values()]


@pytest.mark.parametrize(
    ("text", "name", "spec"),
    [
        ("x=2x3x9x7", "x", Spec((2, 3, 9, 7))),
        ("n=5:positive", "n", Spec((5,), "positive")),
        ("s=", "s", Spec(())),
        ("t=4:int", "t", Spec((4,), "int")),
    ],
)
def test_an_input_is_a_name_a_shape_and_a_kind(text: str, name: str, spec: Spec) -> None:
    assert parse(text) == (name, spec)


@pytest.mark.parametrize("text", ["x", "x=3,4", "x=3x", "x=3:odd", "=3"])
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(HandgradError, match=rf"check: `--input {text}` is not NAME=SHAPE or NAME=SHAPE:KIND\."):
        parse(text)


@pytest.mark.parametrize("kind", ["normal", "int", "bool", "positive", "prob", "onehot", "unit"])
def test_a_draw_is_of_its_kind_and_known_again(kind: str) -> None:
    value = Spec((40, 6), kind, high=9).draw(torch.Generator().manual_seed(0))
    assert value.shape == (40, 6)
    assert spec_of(value).kind == kind
    checks: dict[str, Callable[[], object]] = {
        "int": lambda: value.dtype == torch.int64 and value.min() >= 0 and value.max() == 8,
        "bool": lambda: value.dtype == torch.bool,
        "positive": lambda: (value > 0).all(),
        "prob": lambda: torch.allclose(value.sum(-1), torch.ones(40).double()),
        "onehot": lambda: ((value == 0) | (value == 1)).all() and (value.sum(-1) == 1).all(),
        "unit": lambda: ((value > 0) & (value < 1)).all(),
    }
    assert checks.get(kind, lambda: True)()


def test_labels_index_the_last_axis() -> None:
    assert specs("logits=6x4", "y=6:int")["y"].high == 4


def test_all_axes_of_a_convolution_differ_and_stay_consistent() -> None:
    given = specs("x=2x3x8x8", "w=3x3x3x3", "b=3")
    for found in other_sizes(given, accepts(lambda x, w, b: F.conv2d(x, w, b))):
        (n, c, h, width), (o, i, kh, kw), (b,) = shapes(found)
        assert (c, o) == (i, b)
        assert len({n, c, h, width, o, kh, kw}) == 7
        assert (n, c, h, width) != (2, 3, 8, 8)


def test_two_sets_of_sizes_have_nothing_in_common() -> None:
    first, second = other_sizes(specs("x=5x4", "w=4x3"), accepts(lambda x, w: x @ w))
    assert all(
        a != b
        for one, other in zip(shapes(first), shapes(second), strict=True)
        for a, b in zip(one, other, strict=True)
    )


def test_labels_follow_the_batch_though_the_code_would_take_more_rows() -> None:
    def loss(p: Tensor, y: Tensor) -> Tensor:
        return p[torch.arange(len(y)), y]

    for found in other_sizes(specs("p=4x5", "y=4:int"), accepts(loss)):
        assert found["p"].shape[0] == found["y"].shape[0] != 4
    for found in other_sizes(specs("p=1x5", "y=1:int"), accepts(loss)):
        assert found["p"].shape[0] == found["y"].shape[0] > 1


def test_an_axis_that_the_code_fixes_stays() -> None:
    def fixed(x: Tensor) -> Tensor:
        return x.reshape(-1, 4)[:, :3] * torch.ones(3)

    for found in other_sizes(specs("x=6x4"), accepts(fixed)):
        assert found["x"].shape[0] != 6
        assert math.prod(found["x"].shape) % 4 == 0
    assert other_sizes(specs("x=6x4"), lambda _: False) == []


def test_a_size_of_one_broadcasts_and_stays_but_a_batch_does_not() -> None:
    def forward(x: Tensor, b: Tensor) -> Tensor:
        return x + b

    for found in other_sizes(specs("x=1x5", "b=1x5"), accepts(forward)):
        assert found["x"].shape[0] == found["b"].shape[0]
    for found in other_sizes(specs("x=4x5", "b=1x5"), accepts(forward)):
        assert found["b"].shape[0] == 1


def test_what_must_divide_gets_multiples() -> None:
    def pool(x: Tensor) -> Tensor:
        return x.reshape(x.shape[0] // 4, 4, -1).mean(1)

    first, second = other_sizes(specs("x=8x3"), accepts(pool))
    assert {first["x"].shape[0], second["x"].shape[0]} <= {12, 16, 24}
    assert first["x"].shape[0] != second["x"].shape[0]


def test_a_slow_forward_gets_small_sizes() -> None:
    for found in other_sizes(specs("x=30x40"), accepts(lambda x: x), small=True):
        assert found["x"].draw(torch.Generator()).numel() < 600
