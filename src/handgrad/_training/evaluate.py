"""A network's loss and accuracy on labelled images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from handgrad import layers, losses

from .data import Split
from .images import Scaling

BATCH = 500


@dataclass(frozen=True)
class Result:
    """Mean cross-entropy, the fraction that is right, and the class given to each image, (N,)."""

    loss: float
    accuracy: float
    predicted: Tensor


@torch.no_grad()
def evaluate(
    model: layers.Sequential,
    scaling: Scaling,
    split: Split,
    dtype: torch.dtype,
    check: Callable[[], None] = lambda: None,
) -> Result:
    """In evaluation mode, which the model is left in. `check` is called before every batch and may raise."""
    model.eval()
    total, predicted = 0.0, []
    for images, labels in zip(torch.split(split.images, BATCH), torch.split(split.labels, BATCH), strict=True):
        check()
        logits, _ = model(scaling.apply(images, dtype))
        loss, _ = losses.cross_entropy(logits.double(), labels, reduction="sum")
        total += float(loss)
        predicted.append(logits.argmax(1))
    given = torch.cat(predicted)
    return Result(total / len(split), float((given == split.labels).double().mean()), given)
