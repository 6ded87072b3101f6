"""Questions that only running code can answer: is backward linear, repeatable, without side effects, blind to strides?

Every answer is a true statement about the code. What a diagnosis finds from values comes first; these stand behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from .case import Case, same
from .report import Finding
from .subjects import Subject, UserCodeError
from .subjects.calling import from_library
from .subjects.start import Start

About = tuple[str | None, Finding]  # the gradient that a finding is about; None for the code as a whole


def probe(case: Case, subject: Subject) -> tuple[About, ...]:
    """What the code does beside returning gradients, at one draw."""
    again = list(_again(case, subject))
    changing = {name for name, _ in again}  # of what changes from call to call no two calls tell anything
    steady = (
        (name, finding) for name, finding in chain(_linear(case), _strides(case, subject)) if name not in changing
    )
    return (*_side_effects(case, subject), *again, *steady)


def repeatability(case: Case, name: str) -> Finding | None:
    """Whether the same call gives the user's gradient again; one that it does not is nothing to be explained."""
    user, again = case.user.get(name), case.rerun(case.grad_output).get(name) if case.rerun else None
    if user is None or again is None or not torch.isfinite(user).all() or not torch.isfinite(again).all():
        return None
    return None if same(user, again, case.tolerance) else _unrepeatable(user, again)


def _unrepeatable(before: Tensor, after: Tensor) -> Finding:
    message = f"the same call gives another gradient the second time: {_largest_change(before, after)}"
    return Finding("not-repeatable", message, fix="set the gradients anew in each backward pass")


def linearity(case: Case, name: str) -> Finding | None:
    """Whether the user's gradient is linear in grad_output, of those that depend on it at all."""
    user = case.user.get(name)
    doubled = case.rerun(2 * case.grad_output).get(name) if case.rerun and user is not None else None
    if (
        user is None
        or not torch.isfinite(user).all()
        or doubled is None
        or doubled.shape != user.shape
        or (same(doubled, user, case.tolerance) and not _depends(case, name, user))
    ):
        return None
    negated = case.rerun(-case.grad_output).get(name) if case.rerun else None
    if not same(doubled, 2 * user, case.tolerance):
        ratio = float(doubled.norm() / user.norm()) if user.norm() > 0 else float("inf")
        message = f"twice the grad_output should give twice the gradient, and gives {ratio:.4g} times as much"
        return Finding("not-linear-in-grad-output", message, evidence={"ratio": ratio})
    if negated is not None and negated.shape == user.shape and not same(negated, -user, case.tolerance):
        message = "the negative of grad_output should give the negative of the gradient, and gives something else"
        return Finding("not-linear-in-grad-output", message)
    return None


def _depends(case: Case, name: str, user: Tensor) -> bool:
    """Whether another grad_output, and not just a longer one, gives another gradient."""
    g = case.grad_output
    other = case.rerun(g.flatten().roll(1).reshape(g.shape)).get(name) if case.rerun and g.numel() > 1 else None
    return other is not None and other.shape == user.shape and not same(other, user, case.tolerance)


def _linear(case: Case) -> Iterator[About]:
    """Of gradients that are right here; what is wrong here is the diagnosis's to explain."""
    for name in case.inputs:
        if case.user.get(name) is not None and case.is_right(name) and (finding := linearity(case, name)):
            yield name, finding


def _start(case: Case, subject: Subject) -> tuple[dict[str, Any], Start]:
    """One forward pass on arguments that are kept to be looked at afterwards."""
    given = {name: subject.native(value) for name, value in case.inputs.items()}
    with subject.steady(), torch.no_grad():
        return given, subject.adapter.start(given, dict(case.call_options), library=subject.library, track=False)


def _side_effects(case: Case, subject: Subject) -> Iterator[About]:
    """Inputs and grad_output before and after; a parameter that a training step updates is meant to change."""
    given, start = _start(case, subject)
    grads = subject.handed(start, case.grad_output)
    before_backward = [from_library(grad) for grad in grads]
    after_forward = {name: from_library(value) for name, value in given.items()}
    with subject.steady(), torch.no_grad():
        start.backward(grads)
    for name in subject.adapter.inputs:
        if name in given:
            if name not in start.dirty:  # `ctx.mark_dirty(x)` says so itself
                before = from_library(subject.native(case.inputs[name]))
                yield from _changed(f"`{name}`", before, after_forward[name], "forward")
            yield from _changed(f"`{name}`", after_forward[name], from_library(given[name]), "backward")
    for kept, grad in zip(before_backward, grads, strict=True):
        yield from _changed("grad_output", kept, from_library(grad), "backward")


def _changed(what: str, before: Tensor | None, after: Tensor | None, stage: str) -> Iterator[About]:
    if before is not None and after is not None and not torch.equal(before, after.to(before.dtype)):
        count = int((before != after).sum())
        message = f"{stage} changes {what} in place, {count} of {before.numel()} entries"
        yield None, Finding("inputs-modified", message, fix=f"work on a copy of {what}", evidence={"entries": count})


def _again(case: Case, subject: Subject) -> Iterator[About]:
    """The same call on the same object once more: what it keeps between calls must not show."""
    _, start = _start(case, subject)
    first = _gradients(start, case, subject)
    with subject.steady(), torch.no_grad():
        second = start.again() if start.again else _start(case, subject)[1]
    repeated = _gradients(second, case, subject)
    for name, before, after in _comparable(first, repeated, case):
        if same(before, after, case.tolerance):
            continue
        if start.again and _accumulates(subject) and same(2 * before, after, case.tolerance):
            continue  # PyTorch's own convention: gradients add up until zero_grad
        yield name, _unrepeatable(before, after)


def _comparable(
    first: Mapping[str, Tensor | None], second: Mapping[str, Tensor | None], case: Case
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Gradients that came back both times; NaN and infinity are wrong in themselves and tell nothing."""
    for name, before in first.items():
        after = second.get(name)
        if name not in case.inputs or before is None or after is None:
            continue
        if torch.isfinite(before).all() and torch.isfinite(after).all():
            yield name, before, after


def _accumulates(subject: Subject) -> bool:
    """Whether the object has a way to clear what its gradients have added up."""
    owner = getattr(subject.adapter, "template", None)
    return any(hasattr(owner, name) for name in ("zero_grad", "zero_grads", "zero_gradients", "reset_grad"))


def _largest_change(before: Tensor, after: Tensor) -> str:
    if before.shape != after.shape:
        return f"shape {tuple(after.shape)} after {tuple(before.shape)}"
    return f"its entries change by up to {float((before - after).abs().max()):.4g}"


def _strides(case: Case, subject: Subject) -> Iterator[About]:
    """grad_output with the same values laid out the other way round in memory."""
    _, start = _start(case, subject)
    if all(piece.ndim < 2 for piece in subject.pieces(start, case.grad_output)):
        return
    plain = _gradients(start, case, subject)
    try:
        other = _gradients(_start(case, subject)[1], case, subject, _turned)
    except UserCodeError:
        return  # it says so itself
    for name, before, after in _comparable(plain, other, case):
        if not same(before, after, case.tolerance):
            message = "grad_output with the same values in another memory layout gives another gradient"
            yield name, Finding("assumes-contiguous", message, fix="grad_output.contiguous() first")


def _turned(grad: Tensor) -> Tensor:
    """The same values with the last two axes the other way round in memory."""
    return grad.mT.contiguous().mT if grad.ndim > 1 else grad


def _gradients(
    start: Start, case: Case, subject: Subject, layout: Callable[[Tensor], Tensor] | None = None
) -> Mapping[str, Tensor | None]:
    grads = subject.handed(start, case.grad_output, layout)
    with subject.steady(), torch.no_grad():
        return start.backward(grads).tensors()
