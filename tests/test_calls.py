"""How the functions may be called: what Python itself says of a wrong call, caches, precision, compilers."""

from __future__ import annotations

import inspect
import typing

import pytest
import torch
from torch import Tensor

import handgrad as hg

X, W, DY = torch.randn(2, 4, 7, 7), torch.randn(6, 4, 3, 3), torch.randn(2, 6, 5, 5)


@pytest.mark.parametrize(
    ("args", "options", "words"),
    [
        ((X,), {}, r"^conv2d\(\) missing a required argument: 'weight'$"),
        ((X, W), {"strides": 2}, r"^conv2d\(\) got an unexpected keyword argument 'strides'$"),
        ((X, W, None, 1, 0, 1, 1, "zeros", 9), {}, r"^conv2d\(\) too many positional arguments$"),
    ],
)
def test_a_wrong_call_is_told_of_in_the_functions_own_name(args: tuple[object, ...], options: dict, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        hg.conv2d(*args, **options)


def test_an_error_from_within_is_not_taken_for_a_wrong_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Tensor:
        raise TypeError("from within")

    monkeypatch.setattr("handgrad._algorithms.reference.conv", broken)
    with pytest.raises(TypeError, match=r"^from within$"):
        hg.conv2d(X, W, algorithm="reference")


def test_hints_and_signature_have_no_dims() -> None:
    for function in (hg.conv1d, hg.conv2d_weight, hg.conv_transpose3d_backward, hg.fold2d):
        names = set(inspect.signature(function).parameters)
        assert set(typing.get_type_hints(function)) == names | {"return"}
        assert "dims" not in names


def test_a_float_is_no_int_whatever_was_called_before() -> None:
    hg.conv2d(X, W, stride=1, padding=(1, 1))
    for options in ({"stride": 1.0}, {"padding": (1.0, 1.0)}, {"stride": 1 + 0j}):
        with pytest.raises(hg.HandgradError):
            hg.conv2d(X, W, **options)


def test_needs_may_be_read_only_once() -> None:
    grads = hg.conv2d_backward(DY, X, W, needs=(name for name in ("input", "weight")))
    assert (grads.input is None, grads.weight is None, grads.bias is None) == (False, False, True)
    grads = hg.conv_transpose2d_backward(X, DY, W, needs=iter(["bias"]))
    assert (grads.input is None, grads.weight is None, grads.bias is None) == (True, True, False)


def test_autocast_changes_nothing() -> None:
    expected = (hg.conv2d(X, W), *hg.conv2d_backward(DY, X, W))
    with torch.autocast("cpu", torch.bfloat16):
        actual = (hg.conv2d(X, W), *hg.conv2d_backward(DY, X, W))
        assert (X @ X.mT).dtype == torch.bfloat16  # and goes on around them
    for result, wanted in zip(actual, expected, strict=True):
        assert result.dtype == torch.float32
        assert result.equal(wanted)


@pytest.mark.slow
def test_export_with_a_dynamic_batch() -> None:
    class Net(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return hg.conv2d(x, W, padding=1)

    compiled = torch.compile(Net(), backend="eager", dynamic=True)
    for batch in (2, 3, 5):
        x = torch.randn(batch, 4, 7, 7)
        assert torch.allclose(compiled(x), torch.conv2d(x, W, padding=1), atol=1e-5)
