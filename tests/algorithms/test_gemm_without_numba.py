"""A machine without Numba: one warning, and everything works but what is forced."""

from __future__ import annotations

import sys
import warnings
from types import ModuleType

import at_work
import pytest

pytestmark = pytest.mark.slow


class Absent:
    """An import hook for which some packages are not installed."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def find_spec(self, name: str, *_: object) -> ModuleType | None:
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def everything_works(*absent: str) -> None:
    """Run in a process of its own."""
    sys.meta_path.insert(0, Absent(*absent))  # type: ignore[arg-type]  # a finder as the protocol wants it
    import torch

    import handgrad as hg

    x, w, dy = torch.randn(2, 4, 9, 8), torch.randn(6, 2, 3, 3), torch.randn(2, 6, 7, 6)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for _ in range(2):
            assert torch.allclose(hg.conv2d(x, w, groups=2), torch.conv2d(x, w, groups=2), atol=1e-4)
            gradients = hg.conv2d_backward(dy, x, w, groups=2)
        for name in ("gemm", "depthwise"):
            try:
                hg.conv2d(x, w, groups=2, algorithm=name)
            except hg.HandgradError as error:
                print(error)
            else:
                raise AssertionError(f"{name} without numba")
    leaves = [x.requires_grad_(), w.requires_grad_()]
    for ours, truth in zip(gradients, torch.autograd.grad(torch.conv2d(*leaves, groups=2), leaves, dy), strict=False):
        assert torch.allclose(ours, truth, atol=1e-4)
    told = [str(warning.message) for warning in seen if warning.category is hg.HandgradWarning]
    assert len(told) == 1, told
    assert told[0].startswith("handgrad's own kernels are off, and PyTorch's convolution takes their place: "), told


@pytest.mark.parametrize("absent", [("numba",), ("numba", "llvmlite")])
def test_everything_works_with_one_warning(absent: tuple[str, ...]) -> None:
    told = at_work.succeeds(f"everything_works(*{absent})", module="test_gemm_without_numba")
    for name in ("gemm", "depthwise"):
        assert f"conv2d: algorithm {name!r} cannot compute this.\n  why   numba is not installed\n" in told
    assert "able  reference, native" in told
