"""PyTorch's own convolution, on tensors as they come and in channels-last."""

from __future__ import annotations

import torch

from ..task import Task, by_pytorch
from .entry import CannotEnter, Entry

_FORMATS = {2: torch.channels_last, 3: torch.channels_last_3d}


def native(task: Task) -> Entry:
    """Contiguous tensors, as everybody has them."""
    x, w, dy = task.x, task.w, task.dy
    return Entry(lambda: by_pytorch(task.op, x, w, dy, **task.settings))


def channels_last(task: Task) -> Entry:
    """Both tensors in channels-last, as in a network that was converted whole: no conversion is timed."""
    if task.shape.dims not in _FORMATS:
        raise CannotEnter("PyTorch has no channels-last format for 1 dimension")
    layout = _FORMATS[task.shape.dims]
    x, w, dy = (tensor.to(memory_format=layout) for tensor in (task.x, task.w, task.dy))
    return Entry(lambda: by_pytorch(task.op, x, w, dy, **task.settings))
