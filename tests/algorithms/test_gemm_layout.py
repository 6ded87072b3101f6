"""The kernels write a result where it is wanted, channels last if the operands are: nobody has to rearrange it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from handgrad._algorithms import depthwise, gemm, reference
from handgrad._geometry import ConvGeometry
from handgrad._layout import arranged
from oracles import assert_equal

GEOMETRIES = {  # C, O and the rest; of a stride that steps over its kernel dx has zeros
    "few": (1, 8, ConvGeometry((7, 6), (7, 6), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)), 1)),
    "many": (17, 9, ConvGeometry((7, 6), (3, 5), (3, 2), (2, 1), (1, 1), ((0, 0), (0, 0)), 1)),
    "groups": (6, 9, ConvGeometry((7, 6), (3, 6), (2, 1), (3, 1), (1, 1), ((1, 2), (0, 0)), 3)),
    "depth": (4, 16, ConvGeometry((4, 7, 6), (3, 6, 5), (2, 2, 2), (1, 1, 1), (1, 1, 1), ((0, 0),) * 3, 1)),
    "line": (4, 16, ConvGeometry((20,), (18,), (3,), (1,), (1,), ((0, 0),), 1)),
    "alone": (17, 17, ConvGeometry((7, 6), (4, 6), (3, 3), (2, 1), (1, 1), ((1, 1), (1, 1)), 17)),
    "each twice": (8, 16, ConvGeometry((4, 7, 6), (3, 6, 5), (2, 2, 2), (1, 1, 1), (1, 1, 1), ((0, 0),) * 3, 8)),
}
NARROW = ("groups", "alone", "each twice")  # which `depthwise` takes
WRITTEN = [*((gemm, name) for name in GEOMETRIES), *((depthwise, name) for name in NARROW)]
DTYPES = [torch.float32, torch.float64]


def innermost(tensor: Tensor) -> Tensor:
    return tensor.movedim(1, -1).contiguous().movedim(-1, 1)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("kernels", "name"), WRITTEN)
@pytest.mark.parametrize("lay", [torch.clone, innermost], ids=["contiguous", "channels last"])
def test_a_result_is_arranged_already(kernels, name: str, lay, dtype: torch.dtype) -> None:
    C, O, g = GEOMETRIES[name]
    x = lay(torch.randn(2, C, *g.input, dtype=dtype))
    w = lay(torch.randn(O, C // g.groups, *g.kernel, dtype=dtype))
    dy = lay(torch.randn(2, O, *g.output, dtype=dtype))
    assert kernels.refusal("conv", x, w, g) == ""
    y, dx = kernels.conv(x, w, g), kernels.conv_input(w, dy, g)
    assert y.data_ptr() == arranged(y, x, w).data_ptr()
    assert dx.data_ptr() == arranged(dx, dy, w, gradient=True).data_ptr()
    x, w, dy = x.double(), w.double(), dy.double()
    assert_equal(y.double(), reference.conv(x, w, g), 50 * torch.finfo(dtype).eps)
    assert_equal(dx.double(), reference.conv_input(w, dy, g), 50 * torch.finfo(dtype).eps)
    if name in ("many", "alone") and lay is innermost:
        assert y.stride(1) == dx.stride(1) == 1
