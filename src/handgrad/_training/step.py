"""The gradients of one batch, and the sums of the epoch, which grow by it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from torch import Tensor

from handgrad import losses
from handgrad._errors import HandgradError
from handgrad.per_sample import Samples

from . import noise_scale
from .images import shift
from .session import Session


class DivergedError(HandgradError):
    """A number is no longer finite."""

    exit_code = 1


def diverged(session: Session, what: str) -> DivergedError:
    """The error, with the place in the run."""
    progress = session.progress
    return DivergedError(f"epoch {progress.epoch + 1}, batch {progress.position + 1}: {what}; a lower --lr helps")


def forward(session: Session, indices: Tensor, reduction: Literal["mean", "sum"]) -> Callable[[Samples | None], None]:
    """Network and loss on some training images. What it returns runs their backward pass.

    Raises DivergedError when the loss is infinite or NaN.
    """
    split, progress = session.data.train, session.progress
    x = session.facts.scaling.apply(split.images[indices], session.dtype)
    if session.config.augment_shift:
        x = shift(x, session.config.augment_shift)
    labels = split.labels[indices]
    logits, backward = session.model(x)
    loss, loss_backward = losses.cross_entropy(logits, labels, reduction=reduction)
    if not math.isfinite(value := float(loss)):
        raise diverged(session, f"the loss is {value}")
    progress.loss += value * (len(labels) if reduction == "mean" else 1)
    progress.correct += int((logits.argmax(1) == labels).sum())
    progress.seen += len(labels)

    def backwards(samples: Samples | None) -> None:
        backward(loss_backward(), per_sample=samples, needs_input=False, once=True)

    return backwards


def gradients(session: Session, indices: Tensor) -> None:
    """`.grad` of the batch's mean loss; where it was asked for, the noise scale's sums grow too."""
    backward = forward(session, indices, "mean")
    session.optimizer.zero_grad()
    samples = Samples() if session.config.grad_noise_scale else None
    backward(samples)
    if samples is not None:
        noise_scale.add(session.progress, samples)
