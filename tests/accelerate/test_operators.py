"""The operators are what they say to compilers: schema, size, dtype, and how the result lies in memory."""

from __future__ import annotations

import pytest
import torch

from cases import ARRANGEMENTS
from handgrad._accelerate.operators import OPERATORS

# (a, b, size of the result's grid, stride, padding, dilation, groups)
CALLS = {
    "conv": ((2, 4, 7, 6), (6, 2, 3, 2), (4, 6), (2, 1), (1, 1, 0, 1), (1, 1), 2),
    "conv_weight": ((2, 4, 7, 6), (2, 6, 4, 6), (3, 2), (2, 1), (1, 1, 0, 1), (1, 1), 2),
    "conv_input": ((6, 2, 3, 2), (2, 6, 4, 6), (7, 6), (2, 1), (1, 1, 0, 1), (1, 1), 2),
}


@pytest.mark.parametrize("places", [("contiguous",) * 2, ("channels last",) * 2, ("channels last", "sliced")])
@pytest.mark.parametrize("op", CALLS)
@pytest.mark.parametrize("dims", [1, 2])
def test_a_compiler_is_told_the_truth(op: str, dims: int, places: tuple[str, str]) -> None:
    a, b, size, stride, padding, dilation, groups = CALLS[op]
    a, b = (ARRANGEMENTS[place](torch.randn(shape[: 2 + dims])) for shape, place in zip((a, b), places, strict=True))
    options = (size[:dims], stride[:dims], padding[: 2 * dims], dilation[:dims], groups)
    checks = ("test_schema", "test_faketensor")
    assert torch.library.opcheck(OPERATORS[op], (a, b, *options), test_utils=checks) == dict.fromkeys(checks, "SUCCESS")
