"""What must hold whatever the geometry: the three functions are one form, and so are the gradients of gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import handgrad as hg
from cases import CASES, EMPTY, Case
from handgrad._algorithms import reference
from oracles import assert_equal


def dot(a: Tensor, b: Tensor) -> complex:
    """⟨a, b⟩ = Σ ā·b."""
    return (a.conj() * b).sum().item()


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=["real", "complex"])
@pytest.mark.parametrize("case", CASES + EMPTY)
def test_one_form_three_ways(case: Case, dtype: torch.dtype) -> None:
    """⟨y, dy⟩ = ⟨x, dx⟩ = ⟨w, dw⟩: each is B(x, w, dȳ), conjugated, with another operand left for last."""
    x, w, _, dy = case.operands(dtype)
    y = case.function()(x, w, **case.options)
    dx = case.function("_input")(x.shape, w, dy, **case.options)
    dw = case.function("_weight")(x, w.shape, dy, **case.options)
    assert dot(x, dx) == pytest.approx(dot(y, dy), rel=1e-10, abs=1e-9)
    assert dot(w, dw) == pytest.approx(dot(y, dy), rel=1e-10, abs=1e-9)


@pytest.mark.parametrize("case", CASES[::3])
def test_the_gradient_of_a_gradient_is_one_of_the_three(case: Case) -> None:
    x, w, _, dy = (operand.requires_grad_() for operand in case.operands())
    u, v = torch.randn_like(x), torch.randn_like(w)
    dx, dw = torch.autograd.grad(case.framework(x, w), (x, w), dy, create_graph=True)
    of_dx = torch.autograd.grad((u * dx).sum(), (w, dy), retain_graph=True)
    of_dw = torch.autograd.grad((v * dw).sum(), (x, dy))
    assert_equal(case.function("_weight")(u, w.shape, dy, **case.options), of_dx[0])
    assert_equal(case.function()(u, w, **case.options), of_dx[1])
    assert_equal(case.function("_input")(x.shape, v, dy, **case.options), of_dw[0])
    assert_equal(case.function()(x, v, **case.options), of_dw[1])


@pytest.mark.parametrize("case", [c for c in CASES if len(c.values[0].x) == len(c.values[0].w)][::3])
def test_a_batch_is_its_images(case: Case) -> None:
    """Outputs and input gradients stand side by side, weight gradients add up; one image may come without a batch."""
    x, w, _, dy = case.operands()
    singles = [case.function("_backward")(g, image, w, **case.options) for image, g in zip(x, dy, strict=True)]
    y = torch.stack([case.function()(image, w, **case.options) for image in x])
    batch = case.function("_backward")(dy, x, w, **case.options)
    assert_equal(y, case.function()(x, w, **case.options))
    assert_equal(torch.stack([single.input for single in singles]), batch.input)
    assert_equal(sum(single.weight for single in singles), batch.weight)
    assert_equal(sum(single.bias for single in singles), batch.bias)


@pytest.mark.parametrize("bytes_", [1, 20_000])
@pytest.mark.parametrize("case", CASES[::4])
def test_the_batch_may_be_cut_anywhere(case: Case, bytes_: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The algorithm takes a few images at a time; how many must not matter."""
    x, w, _, dy = case.operands()
    y, grads = case.function()(x, w, **case.options), case.function("_backward")(dy, x, w, **case.options)
    monkeypatch.setattr(reference, "PIECE", bytes_)
    assert_equal(case.function()(x, w, **case.options), y)
    for ours, truth in zip(case.function("_backward")(dy, x, w, **case.options), grads, strict=True):
        assert_equal(ours, truth)


@pytest.mark.parametrize(
    ("grid", "options", "unread"),
    [
        ((6, 5), {}, 0),
        ((9, 8), {"stride": 2, "padding": (0, 1)}, 0),
        ((10, 7), {"stride": (2, 3), "padding": 1}, (1, 1)),
        ((9, 8), {"dilation": (2, 1), "stride": (1, 2)}, 0),
        ((8, 9), {"stride": 3, "padding": ((1, 0), (0, 2))}, (0, 0)),
    ],
)
def test_a_transposed_convolution_is_an_input_gradient(grid: Any, options: dict[str, Any], unread: Any) -> None:
    """The same numbers to the last bit: there is no second implementation."""
    x, w = torch.randn(2, 4, *grid), torch.randn(6, 2, 3, 2)
    dy = torch.randn_like(hg.conv2d(x, w, groups=2, **options))
    y = hg.conv_transpose2d(dy, w, output_padding=unread, groups=2, **options)
    assert torch.equal(y, hg.conv2d_input(x.shape, w, dy, groups=2, **options))


@pytest.mark.smoke
def test_shifting_the_image_shifts_the_output() -> None:
    x, w = torch.randn(1, 2, 9, 8, dtype=torch.float64), torch.randn(3, 2, 3, 2, dtype=torch.float64)
    shifted = hg.conv2d(x.roll((2, 1), (2, 3)), w, padding=1, padding_mode="circular")
    plain = hg.conv2d(x, w, padding=1, padding_mode="circular")
    # the wrap shows in the output's one row and column more than the image has
    assert_equal(shifted[..., 2:9, 1:8], plain[..., :7, :7])


@pytest.mark.smoke
def test_linear_in_each_operand() -> None:
    x, w, dy = (torch.randn(s, dtype=torch.float64) for s in ((2, 2, 6, 5), (3, 2, 3, 2), (2, 3, 4, 4)))
    for function, known in (
        (hg.conv2d, (x, w)),
        (hg.conv2d_weight, (x, w.shape, dy)),
        (hg.conv2d_input, (x.shape, w, dy)),
    ):
        plain = function(*known)
        for i, operand in enumerate(known):
            if isinstance(operand, Tensor):
                more = torch.randn_like(operand)
                with_more = [*known[:i], more, *known[i + 1 :]]
                mixed = function(*known[:i], 2 * operand - 3 * more, *known[i + 1 :])
                assert_equal(mixed, 2 * plain - 3 * function(*with_more))
