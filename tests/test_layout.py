"""Results lie in memory as the framework's do, so that what follows takes the path it would have taken.

Compared are strides: with the forward pass, with autograd (its `convolution_backward`), and with `torch.nn.grad`. Only
where the framework has made a choice. In 3-d it takes another kernel, with another format, for half precision on some
processors, and in float32 for a single image or a kernel of one if the sizes and the number of threads say so. Strides
along axes of one are not compared for weights and complex numbers, where they follow from which kernel ran.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import handgrad as hg
from cases import ARRANGEMENTS, Case

DOUBLE, SINGLE, HALF = [torch.float64], [torch.float32, torch.complex64], [torch.bfloat16]
PLACES = ["contiguous", "channels last", "transposed", "batch last", "sliced", "cropped"]
GRID, KERNEL = (7, 8, 6), (3, 3, 3)


def cases(dims: int) -> list[Case]:
    """(C, O, groups) of every kind: few and many, one, groups, depthwise; a kernel of one; steps."""
    grid, kernel = GRID[:dims], KERNEL[:dims]
    sizes: list[tuple[int, int, tuple[int, ...], dict[str, Any]]] = [
        (4, 6, kernel, {}),
        (1, 6, kernel, {}),
        (4, 1, kernel, {}),
        (4, 6, kernel, {"groups": 2}),
        (4, 8, kernel, {"groups": 4}),
        (4, 4, kernel, {"groups": 4}),
        (4, 6, kernel, {"stride": 2, "padding": 1}),
        (4, 6, kernel, {"dilation": 2}),
    ]
    if dims < 3:
        sizes.append((4, 6, (1,) * dims, {}))
    found = []
    for C, O, k, options in sizes:
        G = options.get("groups", 1)
        found.append(Case("", (2, C, *grid), (O, C // G, *k), options))
        found.append(Case("", (2, C, *grid), (C, O // G, *k), options, transposed=True))
    return found


def everything(case: Case, x: Tensor, w: Tensor) -> list[tuple[str, Tensor, Tensor]]:
    """(name, ours, the framework's) of y, dx and dw."""
    x, w = x.requires_grad_(), w.requires_grad_()
    y = case.framework(x, w)
    dy = torch.randn_like(y)
    dx, dw = torch.autograd.grad(y, (x, w), dy)
    ours = case.function("_backward")(dy, x, w, **case.options)
    found = [("y", case.function()(x, w, **case.options), y), ("dx", ours.input, dx), ("dw", ours.weight, dw)]
    if not case.transposed and x.dim() == w.dim() and not x.is_complex():
        of_dx = getattr(torch.nn.grad, f"{case.name}_input")(x.shape, w, dy, **case.options)
        of_dw = getattr(torch.nn.grad, f"{case.name}_weight")(x, w.shape, dy, **case.options)
        found.append(("conv_input", case.function("_input")(x.shape, w, dy, **case.options), of_dx))
        found.append(("conv_weight", case.function("_weight")(x, w.shape, dy, **case.options), of_dw))
    return found


def order(tensor: Tensor) -> list[int]:
    """The strides of the axes that have more than one entry."""
    return [stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if size > 1]


def check(case: Case, x: Tensor, w: Tensor) -> None:
    for name, ours, theirs in everything(case, x, w):
        where = f"{name} of {case.name} {tuple(x.shape)}, {tuple(w.shape)} {case.options}"
        assert order(ours) == order(theirs), where
        if name in ("y", "dx", "conv_input") and not x.is_complex():
            assert ours.stride() == theirs.stride(), where


places = pytest.mark.parametrize("place", PLACES)
weights = pytest.mark.parametrize("weight", ["contiguous", "channels last"])


@pytest.mark.parametrize(
    ("dims", "dtype"), [(d, dtype) for d in (1, 2, 3) for dtype in DOUBLE + SINGLE + HALF * (d < 3)]
)
@weights
@places
def test_batches(dims: int, place: str, weight: str, dtype: torch.dtype) -> None:
    for case in cases(dims):
        x, w = torch.randn(case.x).to(dtype), torch.randn(case.w).to(dtype)
        check(case, ARRANGEMENTS[place](x), ARRANGEMENTS[weight](w))


@pytest.mark.parametrize(
    ("dims", "dtype"), [(d, dtype) for d in (1, 2, 3) for dtype in DOUBLE + (SINGLE + HALF) * (d < 3)]
)
@weights
@places
def test_unbatched(dims: int, place: str, weight: str, dtype: torch.dtype) -> None:
    for case in cases(dims):
        x, w = torch.randn(case.x).to(dtype), torch.randn(case.w).to(dtype)
        check(case, ARRANGEMENTS[place](x)[0].detach(), ARRANGEMENTS[weight](w))


@pytest.mark.parametrize("axis", [0, 1, 3])
def test_expanded(axis: int) -> None:
    case = cases(2)[0]
    x, w = torch.randn(case.x), torch.randn(case.w)
    check(case, x.narrow(axis, 0, 1).expand_as(x).detach(), w)
    check(case, x, w.narrow(axis, 0, 1).expand_as(w).detach())


@pytest.mark.smoke
def test_channels_last_goes_through_a_whole_network() -> None:
    """One convolution of a single channel must not lose the format: from its strides the next one takes its own."""
    x, w = torch.randn(2, 3, 8, 8).to(memory_format=torch.channels_last), torch.randn(1, 3, 3, 3)
    y, theirs = hg.conv2d(x, w), torch.conv2d(x, w)
    w = torch.randn(5, 1, 3, 3)
    assert hg.conv2d(y, w).stride() == torch.conv2d(theirs, w).stride()
    assert hg.conv2d(y, w).is_contiguous(memory_format=torch.channels_last)


def test_unfold_and_fold_are_contiguous() -> None:
    x = torch.randn(2, 3, 6, 5).to(memory_format=torch.channels_last)
    for kernel, padding in ((1, 0), (3, 1)):  # with padding, fold crops
        cols = hg.unfold2d(x, kernel, padding=padding)
        assert cols.is_contiguous()
        assert hg.fold2d(cols.mT.contiguous().mT, (6, 5), kernel, padding=padding).is_contiguous()
