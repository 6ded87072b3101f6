"""One operation on one shape in one dtype: its operands, and what it should come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any, Literal

import torch
from torch import Tensor

from .suite import Shape

Op = Literal["y", "dW", "dX", "samples", "norms"]
OPS: tuple[Op, ...] = ("y", "dW", "dX")
EACH: tuple[Op, ...] = ("samples", "norms")
"""Of each sample: its weight gradient, and the squared norm of that."""
DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Task:
    """y = conv(x, w), dX from w and dy, or dW from x and dy, summed or of each sample.

    Operands are contiguous tensors of normal numbers, always the same.
    """

    shape: Shape
    op: Op
    dtype: torch.dtype = torch.float32
    threads: int = field(default_factory=torch.get_num_threads)

    @property
    def settings(self) -> dict[str, Any]:
        """Keyword arguments, by the framework's names."""
        shape = self.shape
        return {name: getattr(shape, name) for name in ("stride", "padding", "dilation", "groups")}

    @cached_property
    def x(self) -> Tensor:
        """(N, C, *I)."""
        return self._drawn(1, self.shape.x)

    @cached_property
    def w(self) -> Tensor:
        """(O, C/G, *K)."""
        return self._drawn(2, self.shape.w)

    @cached_property
    def dy(self) -> Tensor:
        """(N, O, *L)."""
        return self._drawn(3, self.shape.y)

    @property
    def terms(self) -> int:
        """How many products each number of the result is a sum of, at most."""
        shape = self.shape
        K, L = prod(shape.kernel), prod(shape.geometry.output)
        weights = prod(shape.w)
        each = {"samples": L, "norms": weights}
        return {"y": weights // shape.O, "dW": shape.N * L, "dX": shape.O // shape.groups * K, **each}[self.op]

    def truth(self) -> Tensor:
        """The framework's answer in float64."""
        x, w, dy = (self.x.double(), self.w.double(), self.dy.double())
        if self.op not in EACH:
            return by_pytorch(self.op, x, w, dy, **self.settings)
        alone = (slice(n, n + 1) for n in range(self.shape.N))
        each = torch.stack([by_pytorch("dW", x[n], w, dy[n], **self.settings) for n in alone])
        return each if self.op == "samples" else squares(each)

    def _drawn(self, seed: int, size: tuple[int, ...]) -> Tensor:
        return torch.randn(size, dtype=self.dtype, generator=torch.Generator().manual_seed(seed))


def squares(gradients: Tensor) -> Tensor:
    """(N, *w) → (N,)."""
    return gradients.flatten(1).square().sum(1)


def by_pytorch(
    op: Op, x: Tensor, w: Tensor, dy: Tensor, *, stride: Any, padding: Any, dilation: Any, groups: int
) -> Tensor:
    """What autograd would run: the convolution, or its backward pass for one of the operands alone."""
    if op == "y":
        # the functions conv1d, conv2d and conv3d end here too
        return torch.convolution(x, w, None, stride, padding, dilation, False, [0] * len(stride), groups)
    wanted = [op == "dX", op == "dW", False]
    geometry = (list(stride), list(padding), list(dilation), False, [0] * len(stride), groups)
    dx, dw, _ = torch.ops.aten.convolution_backward(dy, x, w, None, *geometry, wanted)
    found: Tensor = dx if op == "dX" else dw
    return found
