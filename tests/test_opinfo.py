"""PyTorch's own operator database: inputs that nobody here chose, and inputs that must be refused.

It is private to PyTorch, large, and slow to import; it needs `expecttest`. How many samples ran is part of each test,
so that none can pass by running nothing.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch

import handgrad as hg
from oracles import assert_equal, gradients

SAMPLES = {
    "conv1d": 10, "conv2d": 30, "conv3d": 20, "conv_transpose1d": 10, "conv_transpose2d": 12, "conv_transpose3d": 10,
}  # fmt: skip
ERRORS = {"conv1d": 10, "conv2d": 10, "conv3d": 10}


@cache
def operator(name: str) -> Any:
    from torch.testing._internal.common_methods_invocations import op_db

    (found,) = (op for op in op_db if op.name == f"nn.functional.{name}" and not op.variant_test_name)
    return found


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=["real", "complex"])
@pytest.mark.parametrize(("name", "count"), SAMPLES.items())
def test_samples(name: str, count: int, dtype: torch.dtype) -> None:
    samples = list(operator(name).sample_inputs("cpu", dtype, requires_grad=True))
    assert len(samples) == count
    for sample in samples:
        x, (w, b), options = sample.input, sample.args, sample.kwargs
        y = operator(name)(x, w, b, **options)
        dy = torch.randn_like(y)
        assert_equal(getattr(hg, name)(x, w, b, **options), y)
        operands = [x, w] if b is None else [x, w, b]
        truth = gradients(lambda *operands, options=options: operator(name)(*operands, **options), operands, dy)
        ours = getattr(hg, f"{name}_backward")(dy, x, w, **options)
        for own, theirs in zip(ours, truth, strict=b is not None):
            assert_equal(own, theirs)
        assert_equal(getattr(hg, f"{name}_input")(x.shape, w, dy, **options), truth[0])
        assert_equal(getattr(hg, f"{name}_weight")(x, w.shape, dy, **options), truth[1])


@pytest.mark.parametrize(("name", "count"), ERRORS.items())
def test_error_inputs(name: str, count: int) -> None:
    errors = list(operator(name).error_inputs("cpu"))
    assert len(errors) == count
    for bad in errors:
        with pytest.raises(hg.HandgradError, match=f"^{name}: "):
            getattr(hg, name)(bad.sample_input.input, *bad.sample_input.args, **bad.sample_input.kwargs)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=["real", "complex"])
def test_unfold_samples(dtype: torch.dtype) -> None:
    """fold is not in the database; it is what the gradient of unfold has to be."""
    samples = list(operator("unfold").sample_inputs("cpu", dtype, requires_grad=True))
    assert len(samples) == 163
    for sample in samples:
        x, names = sample.input, ("kernel_size", "dilation", "padding", "stride")
        arguments = dict(zip(names, sample.args, strict=False)) | sample.kwargs
        cols = operator("unfold")(x, **arguments)
        assert_equal(hg.unfold2d(x, **arguments), cols, tolerance=0)
        dy = torch.randn_like(cols)
        (dx,) = gradients(lambda x, arguments=arguments: operator("unfold")(x, **arguments), [x], dy)
        assert_equal(hg.fold2d(dy, x.shape[-2:], **arguments), dx)


def test_the_counts_are_those_of_the_whole_database() -> None:
    assert (sum(SAMPLES.values()), sum(ERRORS.values())) == (92, 30)
    for name in set(SAMPLES) - set(ERRORS):
        assert operator(name).error_inputs_func is None
