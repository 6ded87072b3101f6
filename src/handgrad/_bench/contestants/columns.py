"""The unfolded matrix: written by hand as in a course, and the bare product as a yardstick."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ... import functional
from ..task import Task
from .entry import CannotEnter, Entry


def unfold(task: Task) -> Entry:
    """`F.unfold`, a product a sample, and for dX `F.fold`: the method that courses teach."""
    shape = task.shape
    if shape.dims != 2:
        raise CannotEnter("F.unfold takes images only")
    N, G, O = shape.N, shape.groups, shape.O
    settings = {name: task.settings[name] for name in ("stride", "padding", "dilation")}
    x, dy = task.x, task.dy.view(N, G, O // G, -1)  # (N, O, *L) → (N, G, O/G, L)
    w = task.w.view(G, O // G, -1)  # (O, C/G, *K) → (G, O/G, C/G·K)

    def cols() -> Tensor:
        return F.unfold(x, shape.kernel, **settings).view(N, G, w.shape[2], -1)  # (N, C·K, L) → (N, G, C/G·K, L)

    calls = {
        "y": lambda: (w @ cols()).view(shape.y),  # (G, O/G, C/G·K) @ (N, G, C/G·K, L) = (N, G, O/G, L)
        "dW": lambda: (dy @ cols().mT).sum(0).view(shape.w),  # (N, G, O/G, L) @ (N, G, L, C/G·K), summed over N
        # (G, C/G·K, O/G) @ (N, G, O/G, L) = (N, G, C/G·K, L)
        "dX": lambda: F.fold((w.mT @ dy).flatten(1, 2), shape.input, shape.kernel, **settings),
    }
    return Entry(calls[task.op])


def matmul(task: Task) -> Entry:
    """`torch.matmul` of as many FLOPs: one product a group, on columns that were there before.

    No convolution is this lucky, so it is a yardstick. Its result is checked all the same.
    """
    shape, settings = task.shape, task.settings
    N, G, O, K = shape.N, shape.groups, shape.O, task.w[0].numel()
    options = {name: settings[name] for name in ("stride", "padding", "dilation")}
    w = task.w.view(G, O // G, K)
    dy = _by_group(task.dy.flatten(2), G)  # (G, O/G, N·L)
    if task.op == "dX":
        fold = getattr(functional, f"fold{shape.dims}d")

        def image(cols: Tensor) -> Tensor:  # (G, C/G·K, N·L) → (N, C·K, L) → (N, C, *I)
            cols = cols.view(G * K, N, -1).transpose(0, 1)
            return torch.as_tensor(fold(cols, shape.input, shape.kernel, **options))

        return Entry(lambda: w.mT @ dy, image)
    # (N, C·K, L) → (G, C/G·K, N·L)
    cols = _by_group(getattr(functional, f"unfold{shape.dims}d")(task.x, shape.kernel, **options), G)
    if task.op == "dW":
        return Entry(lambda: dy @ cols.mT, lambda dw: dw.view(shape.w))
    # (G, O/G, N·L) → (O, N, L) → (N, O, *L)
    return Entry(lambda: w @ cols, lambda y: y.view(O, N, -1).transpose(0, 1).reshape(shape.y))


def _by_group(tensor: Tensor, G: int) -> Tensor:
    """(N, G·R, L) → (G, R, N·L)."""
    N, rows, L = tensor.shape
    return tensor.transpose(0, 1).reshape(G, rows // G, N * L)
