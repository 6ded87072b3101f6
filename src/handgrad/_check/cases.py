"""From a subject and a draw to a case: run it forward and backward, and find the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from . import truth
from .case import Case, Vjp, same
from .inputs import Draw
from .operations import Bound
from .reference import is_exact, product
from .subjects import Run, Subject
from .subjects.source import written

Linearize = Callable[[Mapping[str, Tensor]], Vjp]


@dataclass(frozen=True)
class Judged:
    """A case, with what the report wants to know beyond it."""

    case: Case
    draw: Draw
    source: truth.Source
    cut: tuple[str, ...]  # inputs that autograd does not see in the forward pass
    partial: Mapping[str, Tensor] | None  # and the gradients that it makes of the rest
    tied: bool  # whether the point is one where more than one gradient is right


def make(subject: Subject, draw: Draw, bound: Bound | None = None, *, tied: bool = False) -> Judged:
    """One case. `bound` is the operation whose forward equals the user's at this draw; it may be the truth.

    With `tied` the draw is known to have ties: then the operation is the truth, as it knows which gradients are right.

    Raises `UserCodeError` and what `truth.find` raises.
    """
    output = truth.deterministic(subject, draw)
    grad_output = random_grad(output)
    run = subject.run(draw.inputs, draw.options)
    user = run.backward(grad_output)
    if not run.used_grad:
        grad_output = torch.ones_like(output)
    exact = bound is not None and (run.single or is_exact(bound, output))
    known = product(bound) if bound is not None and exact else None
    if tied and known is not None:
        found = truth.Truth(known, "operation", 1e-8)
    else:
        found = truth.find(subject, draw, grad_output, known)
    case = Case(
        inputs=draw.inputs,
        output=output,
        grad_output=grad_output,
        user={**user, **_of_updates(run, user, found.vjp(grad_output), output)},
        vjp=found.vjp,
        operation=bound.operation if bound else None,
        options=bound.options if bound else {},
        rerun=lambda grad: subject.run(draw.inputs, draw.options).backward(grad),
        saved=run.saved,
        tolerance=max(found.tolerance, 1e-4 if run.single else 0.0),
        returned_count=run.returned_count,
        linearize=_elsewhere(subject, draw, bound, found),
        call_options=draw.options,
        code=written(subject.adapter.functions[-1]),
        label=draw.label,
    )
    return Judged(case, draw, found.source, found.cut, found.partial(grad_output) if found.partial else None, tied)


def _of_updates(run: Run, user: Mapping[str, Tensor | None], right: Mapping[str, Tensor], output: Tensor) -> dict[str, Tensor]:
    """Gradients that were read off an update, as they were before it took a mean or, handed y − ŷ, added them."""
    batch = output.shape[0] if output.ndim else 1
    found = {}
    for name in run.updated:
        value = user[name]
        factors = [c for c in (1, -1, batch, -batch) if value is not None and same(c * value, right[name], 1e-7)]
        if factors and value is not None:
            found[name] = factors[0] * value
    return found


def random_grad(output: Tensor) -> Tensor:
    """A grad_output that is nothing special: not ones, not the output, no two entries equal."""
    generator = torch.Generator().manual_seed(output.numel() + 17)
    grad = torch.randn(output.shape, generator=generator, dtype=torch.float64)
    return grad if grad.ndim else grad.abs() + 0.37


def _elsewhere(subject: Subject, draw: Draw, bound: Bound | None, found: truth.Truth) -> Linearize | None:
    """The truth at other inputs; None where only differences know it, which takes too long to be asked often."""
    if found.source == "operation" and bound is not None:
        return lambda inputs: product(replace(bound, inputs=inputs))
    if found.source == "differences":
        return None

    def linearize(inputs: Mapping[str, Tensor]) -> Vjp:
        there = truth.by_autograd(subject, replace(draw, inputs=inputs))
        return there.vjp if there is not None else found.vjp

    return linearize
