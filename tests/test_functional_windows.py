"""unfold and fold: the framework's layout where it has them, the law as an index in one and three dimensions."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import handgrad as hg
from oracles import assert_equal

# (why, image, kernel, the rest as `F.unfold` takes it)
TWO_DIMENSIONS = [
    pytest.param((2, 3, 6, 7), (3, 2), {}, id="plain"),
    pytest.param((2, 3, 6, 7), 2, {}, id="square kernel"),
    pytest.param((2, 3, 9, 8), (3, 2), {"stride": (4, 3)}, id="stride remainder"),
    pytest.param((2, 3, 6, 7), (3, 2), {"padding": (2, 1), "stride": (1, 2)}, id="padding"),
    pytest.param((2, 3, 9, 7), (3, 2), {"dilation": (3, 4)}, id="dilation"),
    pytest.param((2, 3, 2, 3), (4, 3), {"padding": 3, "dilation": (2, 1), "stride": (2, 3)}, id="everything"),
    pytest.param((3, 6, 7), (3, 2), {"padding": 1}, id="unbatched"),
    pytest.param((0, 3, 6, 7), (3, 2), {"padding": 1}, id="no images"),
    pytest.param((1, 1, 4, 4), (4, 4), {}, id="one window"),
    pytest.param((2, 3, 5, 4), 1, {"stride": 2}, id="kernel of one"),
]  # fmt: skip

# (image, kernel, stride, (low, high) pads, dilation) in each of the dimensions the framework lacks
OTHER_DIMENSIONS = [
    pytest.param((2, 3, 9), (3,), (2,), ((1, 2),), (2,), id="1d"),
    pytest.param((3, 9), (4,), (3,), ((0, 0),), (1,), id="1d unbatched"),
    pytest.param((2, 2, 5, 6, 4), (2, 3, 1), (2, 1, 3), ((1, 0), (0, 2), (1, 1)), (1, 2, 1), id="3d"),
    pytest.param((2, 4, 3, 5), (2, 2, 3), (1, 2, 2), ((0, 0), (1, 1), (0, 0)), (1, 1, 1), id="3d unbatched"),
]  # fmt: skip


@pytest.mark.smoke
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=["real", "complex"])
@pytest.mark.parametrize(("size", "kernel", "options"), TWO_DIMENSIONS)
def test_unfold_and_fold_are_the_frameworks(size: Any, kernel: Any, options: Any, dtype: torch.dtype) -> None:
    x = torch.randn(size, dtype=dtype)
    cols = hg.unfold2d(x, kernel, **options)
    assert_equal(cols, F.unfold(x, kernel, **options), tolerance=0)
    cols = torch.randn_like(cols)
    assert_equal(hg.fold2d(cols, size[-2:], kernel, **options), F.fold(cols, size[-2:], kernel, **options))


@pytest.mark.parametrize(("size", "kernel", "stride", "pads", "dilation"), OTHER_DIMENSIONS)
def test_unfold_reads_where_the_law_says(size: Any, kernel: Any, stride: Any, pads: Any, dilation: Any) -> None:
    dims = len(kernel)
    x = torch.randn(size, dtype=torch.float64)
    cols = getattr(hg, f"unfold{dims}d")(x, kernel, dilation, pads, stride)
    # (c, k) and p in the order in which the columns count them
    rows = product(range(size[-dims - 1]), *map(range, kernel))
    axes = zip(size[-dims:], pads, stride, dilation, kernel, strict=True)
    positions = list(product(*(range(0, low + n + high - d * (k - 1), s) for n, (low, high), s, d, k in axes)))
    assert cols.shape == (*size[: -dims - 1], size[-dims - 1] * torch.tensor(kernel).prod(), len(positions))
    for row, (c, *taps) in enumerate(rows):
        for column, starts in enumerate(positions):
            at = [start + k * d - low for start, k, d, (low, _) in zip(starts, taps, dilation, pads, strict=True)]
            inside = all(0 <= i < n for i, n in zip(at, size[-dims:], strict=True))
            expected = x[(..., c, *at)] if inside else torch.zeros(size[: -dims - 1], dtype=x.dtype)
            assert torch.equal(cols[..., row, column], expected)


@pytest.mark.parametrize(("size", "kernel", "stride", "pads", "dilation"), OTHER_DIMENSIONS)
def test_fold_is_the_adjoint_of_unfold(size: Any, kernel: Any, stride: Any, pads: Any, dilation: Any) -> None:
    dims = len(kernel)
    x = torch.randn(size, dtype=torch.float64)
    cols = getattr(hg, f"unfold{dims}d")(x, kernel, dilation, pads, stride)
    other = torch.randn_like(cols)
    image = getattr(hg, f"fold{dims}d")(other, size[-dims:], kernel, dilation, pads, stride)
    assert image.shape == x.shape
    torch.testing.assert_close((cols * other).sum(), (x * image).sum(), rtol=1e-12, atol=1e-12)


def test_who_holds_only_the_columns() -> None:
    """The three functions as products of columns, as the module says."""
    x, w, dy = (torch.randn(s, dtype=torch.float64) for s in ((2, 3, 6, 5), (4, 3, 3, 2), (2, 4, 3, 6)))
    options: dict[str, Any] = {"stride": (2, 1), "padding": 1}
    cols, matrix, grad = hg.unfold2d(x, (3, 2), **options), w.flatten(1), dy.flatten(2)
    assert_equal((matrix @ cols).view_as(dy), hg.conv2d(x, w, **options))
    assert_equal((grad @ cols.mT).sum(0).view_as(w), hg.conv2d_weight(x, w.shape, dy, **options))
    assert_equal(hg.fold2d(matrix.mT @ grad, (6, 5), (3, 2), **options), hg.conv2d_input(x.shape, w, dy, **options))


def test_the_columns_can_be_written_to() -> None:
    """They are a copy: writing to them must not write to the image, whatever the kernel."""
    for kernel in (1, 2):
        x = torch.zeros(1, 1, 3, 3)
        hg.unfold2d(x, kernel).fill_(1)
        assert not x.any(), f"kernel {kernel}"


@pytest.mark.parametrize("arrange", [Tensor.contiguous, lambda x: x.mT.contiguous().mT])
def test_fold_takes_columns_in_any_order_in_memory(arrange: Any) -> None:
    cols = torch.randn(2, 12, 20, dtype=torch.float64)
    assert_equal(hg.fold2d(arrange(cols), (5, 6), 2), F.fold(cols, (5, 6), 2))
