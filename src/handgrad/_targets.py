"""What a loss checks before it computes: that input, target and weights go together."""

from __future__ import annotations

from numbers import Integral, Real

import torch
from torch import Tensor

from ._errors import error
from ._tensors import check_tensors, facts

_KINDS: dict[type, str] = {Integral: "an integer", Real: "a number"}


def check_loss(operation: str, input: Tensor, target: Tensor, reduction: str, **factors: Tensor | None) -> None:
    """A known reduction, and tensors on one device, of which the input is floating point; a factor may be None."""
    given = {name: factor for name, factor in factors.items() if factor is not None}
    check_tensors(operation, input=input, target=target, **given)
    if reduction not in ("mean", "sum", "none"):
        raise error(operation, f"there is no reduction {reduction!r}", needed="'mean', 'sum' or 'none'")
    if not input.is_floating_point():
        raise error(operation, "input is not floating point", "`input.float()`", input=facts(input))


def check_like(operation: str, input: Tensor, **others: Tensor | None) -> None:
    """Shape and dtype of the input; what is None may be left out."""
    for name, other in others.items():
        if other is not None and facts(other) != facts(input):
            hint = f"`{name}.to(input.dtype)`" if other.shape == input.shape else None
            raise error(operation, f"input and {name} disagree", hint, **{"input": facts(input), name: facts(other)})


def check_factors(operation: str, input: Tensor, **factors: Tensor | None) -> None:
    """Factors that broadcast to the input's shape: their axes, counted from the last, are the input's or 1."""
    for name, factor in factors.items():
        if factor is None:
            continue
        pairs = zip(reversed(factor.shape), reversed(input.shape), strict=False)
        if factor.ndim > input.ndim or any(size not in (1, wanted) for size, wanted in pairs):
            rows = {"input": input.shape, name: factor.shape}
            raise error(operation, f"{name} does not broadcast to the input", **rows)


def check_number(operation: str, kind: type[Integral] | type[Real], **numbers: object) -> None:
    """Numbers of that kind, Python's or numpy's."""
    for name, number in numbers.items():
        if not isinstance(number, kind):
            raise error(operation, f"{name} must be {_KINDS[kind]}", **{name: repr(number)})


def check_classes(input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, smoothing: float) -> None:
    """Logits (N, C, …) or (C,) with a target, a weight (C,) and a label smoothing that fit them."""
    operation, dim = "cross_entropy", min(input.ndim - 1, 1)
    if input.ndim == 0:
        raise error(operation, "input has no axis of classes", input=input.shape, needed="(C,) or (N, C, …)")
    classes = input.shape[dim]
    if classes == 0:
        raise error(operation, "there is no class", input=input.shape)
    check_number(operation, Integral, ignore_index=ignore_index)
    check_number(operation, Real, label_smoothing=smoothing)
    if weight is not None and (weight.shape != (classes,) or weight.dtype != input.dtype):
        raise error(operation, "input and weight disagree about the classes", input=facts(input), weight=facts(weight))
    if not 0 <= smoothing <= 1:
        raise error(operation, "label_smoothing must be in 0 to 1", label_smoothing=smoothing)
    if target.dtype == torch.bool or target.is_complex():
        raise error(operation, "target must be class indices or probabilities", target=facts(target))
    if target.is_floating_point():
        _check_probabilities(operation, input, target, ignore_index)
    else:
        _check_indices(operation, input, target, ignore_index, dim)


def _check_probabilities(operation: str, input: Tensor, target: Tensor, ignore_index: int) -> None:
    rows = {"input": facts(input), "target": facts(target)}
    if facts(target) != facts(input):
        hint = "class indices are integers: `target.long()`" if target.ndim < input.ndim else None
        raise error(operation, "class probabilities must be like the input", hint, **rows)
    if ignore_index >= 0:
        raise error(operation, "ignore_index needs class indices", None, ignore_index=ignore_index, **rows)


def _check_indices(operation: str, input: Tensor, target: Tensor, ignore_index: int, dim: int) -> None:
    classes, needed = input.shape[dim], (*input.shape[:dim], *input.shape[dim + 1 :])
    rows = {"input": (input.shape, f"C = {classes}"), "target": facts(target)}
    if target.shape != needed:
        same = "for class probabilities: `target.to(input.dtype)`" if target.shape == input.shape else None
        column = "`target.squeeze(1)`" if target.ndim > 1 and target.squeeze(1).shape == needed else None
        raise error(operation, "class indices have another shape", same or column, **rows, needed=needed)
    wrong = target[(target != ignore_index) & ((target < 0) | (target >= classes))]
    if wrong.numel():
        raise error(operation, f"{int(wrong[0])} is no class", None, **rows, needed=f"0 ≤ target < {classes}")


def check_grad_loss(operation: str, grad_loss: object, shape: torch.Size, device: torch.device) -> None:
    """A real number, or a real tensor of the loss's shape and on its device."""
    if isinstance(grad_loss, Real):
        return
    if not isinstance(grad_loss, Tensor):
        problem, given = "grad_loss is neither a number nor a tensor", type(grad_loss).__name__
        raise error(operation, problem, grad_loss=given)
    if grad_loss.shape != shape or grad_loss.device != device or grad_loss.is_complex():
        wanted = shape, f"on {device}, real"
        raise error(operation, "grad_loss is not like the loss", grad_loss=facts(grad_loss), loss=wanted)
