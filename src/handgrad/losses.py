"""Losses with their gradients: `loss, backward = cross_entropy(logits, target)`, then `grad = backward()`.

Names and arguments are those of `torch.nn.functional`, in its order, without the deprecated ones. `reduction` is
'mean', 'sum' or 'none'. `backward(grad_loss)` returns the gradient of the input; without `grad_loss`, the gradient of
the loss itself (of the sum of the losses where 'none' leaves many). Targets and weights are constants. No autograd
graph is built, and nothing is modified in place.

All of them raise `HandgradError` where input, target and weights do not go together or there is no such reduction.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from ._context import by_hand
from ._errors import error
from ._targets import check_classes, check_factors, check_grad_loss, check_like, check_loss, check_number
from ._tensors import wide
from ._watch import watch

__all__ = ["binary_cross_entropy_with_logits", "cross_entropy", "huber_loss", "l1_loss", "mse_loss"]


Reduction = Literal["none", "mean", "sum"]


class LossBackward(Protocol):
    """What a loss returns beside its value."""

    def __call__(self, grad_loss: Tensor | float | None = None) -> Tensor:
        """The gradient of the input. `grad_loss` is a number or has the loss's shape; left out, it is 1."""


Loss = tuple[Tensor, LossBackward]


@by_hand()
def mse_loss(input: Tensor, target: Tensor, reduction: Reduction = "mean", weight: Tensor | None = None) -> Loss:
    """The squared error. Input, target and weight have one shape, any; with a weight the mean is Σ l / Σ w."""
    # l = w (x − t)²          dl/dx = 2 w (x − t)
    check_loss("mse_loss", input, target, reduction, weight=weight)
    check_like("mse_loss", input, target=target, weight=weight)
    difference, w = input - target, 1 if weight is None else weight
    return _reduced("mse_loss", w * difference.square(), lambda: 2 * w * difference, reduction, _total(weight, input))


@by_hand()
def l1_loss(input: Tensor, target: Tensor, reduction: Reduction = "mean", weight: Tensor | None = None) -> Loss:
    """The absolute error, as `mse_loss` else. Where it is 0 its derivative is taken as 0."""
    # l = w |x − t|          dl/dx = w sign(x − t)
    check_loss("l1_loss", input, target, reduction, weight=weight)
    check_like("l1_loss", input, target=target, weight=weight)
    difference, w = input - target, 1 if weight is None else weight
    return _reduced("l1_loss", w * difference.abs(), lambda: w * difference.sign(), reduction, _total(weight, input))


@by_hand()
def huber_loss(
    input: Tensor, target: Tensor, reduction: Reduction = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Loss:
    """The squared error up to δ > 0, the absolute beyond. Shapes as in `mse_loss`, but the mean ignores the weight."""
    # l = w e²/2 where |e| ≤ δ, else w δ (|e| − δ/2),   e = x − t          dl/dx = w clamp(e, −δ, δ).   Huber, 1964
    check_loss("huber_loss", input, target, reduction, weight=weight)
    check_like("huber_loss", input, target=target, weight=weight)
    check_number("huber_loss", Real, delta=delta)
    if not delta > 0:
        raise error("huber_loss", "delta must be positive", delta=delta)
    difference, w = input - target, 1 if weight is None else weight
    near = difference.clamp(-delta, delta)
    losses = w * near * (difference - near / 2)
    return _reduced("huber_loss", losses, lambda: w * near, reduction, _total(None, input))


@by_hand()
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: Reduction = "mean",
    pos_weight: Tensor | None = None,
) -> Loss:
    """The cross-entropy of probabilities t and the sigmoid of logits x.

    Args:
        input: x, of any shape.
        target: t, of the input's shape and floating point, each in 0 to 1.
        weight: w, a factor for each term, of a shape that broadcasts to the input's. The mean ignores it.
        reduction: 'mean', 'sum' or 'none'.
        pos_weight: r, a factor for the positives alone, of a shape that broadcasts to the input's.
    """
    # l = −w (r t log σ(x) + (1 − t) log σ(−x))          dl/dx = w ((1 − t) σ(x) − r t σ(−x))
    # for (log σ)′(x) = σ(−x) and 1 − σ(x) = σ(−x). In this form nothing cancels and nothing overflows.
    operation = "binary_cross_entropy_with_logits"
    check_loss(operation, input, target, reduction, weight=weight, pos_weight=pos_weight)
    check_like(operation, input, target=target)
    check_factors(operation, input, weight=weight, pos_weight=pos_weight)
    w, r = (1 if factor is None else factor for factor in (weight, pos_weight))
    losses = -w * (r * target * F.logsigmoid(input) + (1 - target) * F.logsigmoid(-input))

    def slopes() -> Tensor:
        return w * ((1 - target) * input.sigmoid() - r * target * (-input).sigmoid())

    return _reduced(operation, losses, slopes, reduction, _total(None, losses))


@by_hand()
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Loss:
    """The cross-entropy of a target and the softmax of logits x.

    Args:
        input: x, (N, C, …) or (C,).
        target: class indices, integers, (N, …) or (); or class probabilities, floating point, of the input's shape.
        weight: w, (C,), a factor for each class. The mean over class indices is Σ l / Σ w[target].
        ignore_index: a class index that counts for nothing.
        reduction: 'mean', 'sum' or 'none'.
        label_smoothing: ε in 0 to 1, the part of a target's probability that all classes share.
    """
    # l = −Σ_c a_c log p_c,   p = softmax(x),   a = w ((1 − ε) q + ε/C),   q = target, or one-hot for an index
    # dl/dx = p Σ_c a_c − a,   for ∂ log p_c / ∂x_k = δ_ck − p_k
    check_loss("cross_entropy", input, target, reduction, weight=weight)
    check_classes(input, target, weight, ignore_index, label_smoothing)
    dim = min(input.ndim - 1, 1)
    classes = input.shape[dim]
    w = input.new_ones(classes) if weight is None else weight
    w = w.view(-1, *[1] * (input.ndim - 1 - dim))  # (C,) = (C, 1, …)
    q, counted = (target, 1) if target.is_floating_point() else _one_hot(input, target, ignore_index, dim)
    a = w * ((1 - label_smoothing) * q + label_smoothing / classes) * counted
    log_p = F.log_softmax(input, dim)
    losses = -(a * log_p).masked_fill(a == 0, 0).sum(dim)  # 0 · log 0 = 0: logits may be −∞

    def slopes() -> Tensor:
        return log_p.exp() * a.sum(dim, keepdim=True) - a

    total = _total(None, losses) if target.is_floating_point() else _sum(w * q)
    return _reduced("cross_entropy", losses, slopes, reduction, total, dim)


def _one_hot(input: Tensor, target: Tensor, ignore_index: int, dim: int) -> tuple[Tensor, Tensor]:
    """Class indices (N, …) as probabilities (N, C, …), and which of them count, (N, 1, …); the ignored are all 0."""
    index = target.long().unsqueeze(dim)
    counted = index != ignore_index
    return torch.zeros_like(input).scatter_(dim, index * counted, counted.to(input.dtype)), counted


def _reduced(
    operation: str,
    losses: Tensor,
    slopes: Callable[[], Tensor],
    reduction: Reduction,
    total: Tensor,
    dim: int | None = None,
) -> Loss:
    """The reduced loss, a mean being the sum divided by `total`, and its backward function.

    `slopes` has the derivatives of each loss with respect to its inputs: one, or as many as there are along `dim`.
    """
    loss = losses
    if reduction != "none":
        loss = losses.sum() if reduction == "sum" else (_sum(losses) / total).to(losses.dtype)
    shape, dtype, device = loss.shape, loss.dtype, loss.device  # the loss itself may change
    check_unchanged = watch(operation, slopes)

    @by_hand()
    def backward(grad_loss: Tensor | float | None = None) -> Tensor:
        share = 1.0 if grad_loss is None else grad_loss
        check_grad_loss(operation, share, shape, device)
        check_unchanged()
        if reduction == "mean":
            share = torch.where(total == 0, 0, share / total)  # a mean of nothing is nan, but nothing has gradient 0
        elif isinstance(share, Tensor) and share.ndim and dim is not None:
            share = share.unsqueeze(dim)
        return (slopes() * share).to(dtype)

    return loss, backward


def _sum(tensor: Tensor) -> Tensor:
    return tensor.sum(dtype=wide(tensor))


def _total(weight: Tensor | None, input: Tensor) -> Tensor:
    """What the sum of the losses is divided by: the sum of their weights, which are 1 each without a weight."""
    return input.new_tensor(input.numel(), dtype=wide(input)) if weight is None else _sum(weight)
