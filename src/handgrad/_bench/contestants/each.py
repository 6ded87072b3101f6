"""Weight gradients of each sample, by what PyTorch offers and by the libraries that have them.

Each peer's own function of a layer's input and grad_output is called, without the passes around it, on a layer without
a bias. Where it has no norms of its own, they are its gradients, squared and summed.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..task import Task, squares
from .entry import Entry


def vmap(task: Task) -> Entry:
    """`torch.func.vmap` of `torch.nn.grad.conv2d_weight`."""
    each = torch.func.vmap(_one(task))
    return _entry(task, lambda: each(task.x, task.dy))


def loop(task: Task) -> Entry:
    """The same function in a loop."""
    one = _one(task)
    return _entry(task, lambda: torch.stack([one(x, dy) for x, dy in zip(task.x, task.dy, strict=True)]))


def expanded_weights(task: Task) -> Entry:
    """PyTorch's ExpandedWeights, with their own choice between a grouped convolution and columns."""
    utils: Any = import_module("torch.nn.utils._expanded_weights.conv_utils")
    shape, conv = task.shape, getattr(F, f"conv{task.shape.dims}d")
    geometry = (shape.stride, shape.padding, shape.dilation)
    if shape.N < utils.THRESHOLD and shape.groups == 1:
        grouped = utils.conv_group_weight_grad_sample
        return _entry(task, lambda: grouped(task.x, task.dy, shape.w, *geometry, shape.N, conv))
    by_columns = utils.conv_unfold_weight_grad_sample
    return _entry(task, lambda: by_columns(task.x, task.dy, shape.w, shape.kernel, *geometry, shape.groups, conv))


def opacus(task: Task) -> Entry:
    """Opacus' sampler for convolutions, which its hooks call."""
    layer = _layer(task)
    sampler: Any = import_module("opacus.grad_sample.conv").compute_conv_grad_sample
    return _entry(task, lambda: sampler(layer, [task.x], task.dy)[layer.weight])


def opacus_functorch(task: Task) -> Entry:
    """Opacus' way for layers that it has no sampler for."""
    layer = _layer(task)
    sampler: Any = import_module("opacus.grad_sample.functorch").ft_compute_per_sample_gradient
    return _entry(task, lambda: sampler(layer, [task.x], task.dy)[layer.weight])


def backpack(task: Task) -> Entry:
    """BackPACK's BatchGrad, and for norms its BatchL2Grad."""
    dims, layer = task.shape.dims, _layer(task)
    layer.input0, layer.output = task.x, task.dy  # where it looks for them
    if task.op == "norms":
        norms: Any = import_module("backpack.extensions.firstorder.batch_l2_grad.convnd")
        extension = getattr(norms, f"BatchL2Conv{dims}d")()
        return Entry(lambda: extension.weight(None, layer, None, (task.dy,), None))
    derivatives: Any = getattr(import_module(f"backpack.core.derivatives.conv{dims}d"), f"Conv{dims}DDerivatives")()
    return _entry(task, lambda: derivatives.param_mjp("weight", layer, None, None, task.dy, sum_batch=False))


def _entry(task: Task, gradients: Callable[[], Tensor]) -> Entry:
    return Entry(gradients if task.op == "samples" else lambda: squares(gradients()))


def _one(task: Task) -> Callable[[Tensor, Tensor], Tensor]:
    """x (C, *I), dy (O, *L) → (O, C/G, *K)."""
    weight_of: Any = getattr(import_module("torch.nn.grad"), f"conv{task.shape.dims}d_weight")
    # (C, *I) → (1, C, *I)
    return lambda x, dy: weight_of(x[None], task.shape.w, dy[None], **task.settings)


def _layer(task: Task) -> nn.Module:
    """The module with these settings."""
    shape = task.shape
    cls = getattr(nn, f"Conv{shape.dims}d")
    layer: nn.Module = cls(shape.C, shape.O, shape.kernel, bias=False, dtype=task.dtype, **task.settings)
    return layer
