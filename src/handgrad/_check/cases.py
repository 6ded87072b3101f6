"""From a subject and a draw to a case: run it forward and backward, and find the truth."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from . import truth
from .case import Case, Vjp, same
from .inputs import Draw
from .operations import Bound
from .reference import is_exact, product
from .report import Finding
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
    run: Run  # the user's own passes
    quick: bool = False  # whether the draw is too large for a closer look
    at_kink: Mapping[str, Finding] = field(default_factory=dict)  # what is wrong at the kink that this draw is beside


def make(
    subject: Subject, draw: Draw, bound: Bound | None = None, *, tied: bool = False, limit: float = truth.PATIENCE
) -> Judged:
    """One case. `bound` is the operation whose forward equals the user's at this draw; it may be the truth.

    `limit` is in seconds, for the differences if it comes to them. With `tied` the draw is known to have ties: then the
    operation is the truth, as it knows which gradients are right. Raises `UserCodeError` and what `truth.find` raises.
    """
    output = truth.deterministic(subject, draw)
    run, grad_output, user = _passes(subject, draw)
    exact = bound is not None and (run.single or is_exact(bound, output))
    known = product(bound) if bound is not None and exact else None
    if tied and known is not None:
        found = truth.Truth(known, "operation", 1e-8)
    else:
        found = _truth(subject, draw, grad_output, known, run, user, limit)
    return _judged(subject, draw, bound, run, grad_output, user, found, tied=tied)


def once(subject: Subject, draw: Draw, known: Judged) -> Judged:
    """The case of a large draw, whose truth is of the kind of a small one's and is not confirmed again.

    Raises `UserCodeError`, and `truth.Unconfirmed` where only a difference could tell, and tells otherwise.
    """
    run, grad_output, user = _passes(subject, draw)
    found = truth.by_autograd(subject, draw, grad_output) if known.source == "autograd" and not known.cut else None
    if found is None:
        found = truth.by_directions(subject, draw, grad_output, user, run.single, seeds=1)
    if found is None:
        raise truth.Unconfirmed("a difference along a random direction does not agree")
    return _judged(subject, draw, None, run, grad_output, user, found, quick=True)


def _passes(subject: Subject, draw: Draw) -> tuple[Run, Tensor, Mapping[str, Tensor | None]]:
    """The code's forward and backward, and the grad_output that it was handed, if it takes one."""
    run = subject.run(draw.inputs, draw.options)
    grad_output = random_grad(run.output, draw.label)
    user = run.backward(grad_output)
    return run, grad_output if run.used_grad else torch.ones_like(run.output), user


def _judged(
    subject: Subject,
    draw: Draw,
    bound: Bound | None,
    run: Run,
    grad_output: Tensor,
    user: Mapping[str, Tensor | None],
    found: truth.Truth,
    *,
    tied: bool = False,
    quick: bool = False,
) -> Judged:
    factors = _factors(run, user, found.vjp(grad_output))
    case = Case(
        inputs=draw.inputs,
        output=run.output,
        grad_output=grad_output,
        user=_times(user, factors),
        vjp=found.vjp,
        bound=bound,
        rerun=lambda grad: _times(subject.run(draw.inputs, draw.options).backward(grad), factors),
        run_at=lambda inputs, grad: _times(subject.run(inputs, draw.options).backward(grad), factors),
        saved=run.saved,
        tolerance=max(found.tolerance, 1e-4 if run.single else 0.0),
        returned_count=run.returned_count,
        linearize=_elsewhere(subject, draw, bound, found),
        call_options=draw.options,
        tracked=partial(truth.tracked, subject, draw) if found.source == "autograd" else None,
        code=written(subject.adapter.functions[-1]),
        label=draw.label,
    )
    seen = found.partial(grad_output) if found.partial else None
    return Judged(case, draw, found.source, found.cut, seen, tied, run, quick=quick)


def _truth(
    subject: Subject,
    draw: Draw,
    grad: Tensor,
    known: Vjp | None,
    run: Run,
    user: Mapping[str, Tensor | None],
    limit: float,
) -> truth.Truth:
    try:
        return truth.find(subject, draw, grad, known, limit)
    except truth.TooSlow:
        found = truth.by_directions(subject, draw, grad, user, run.single)
        if found is None:
            raise
        return found


def _factors(run: Run, user: Mapping[str, Tensor | None], right: Mapping[str, Tensor]) -> dict[str, int]:
    """What makes a gradient of what was read off an update: an update may take a mean or, handed y − ŷ, add."""
    factors: dict[str, int] = {}
    for name in run.updated:
        value = user[name]
        candidates = [sign * size for size in (1, *run.output.shape) for sign in (1, -1)] if value is not None else []
        fitting = [c for c in candidates if value is not None and same(c * value, right[name], 1e-7)]
        factors |= {name: fitting[0]} if fitting else {}
    return factors


def _times(gradients: Mapping[str, Tensor | None], factors: Mapping[str, int]) -> dict[str, Tensor | None]:
    return {name: value if value is None else factors.get(name, 1) * value for name, value in gradients.items()}


def random_grad(output: Tensor, label: str = Draw.label) -> Tensor:
    """A grad_output that is nothing special: not ones, not the output, no two entries equal; another for each draw."""
    generator = torch.Generator().manual_seed(zlib.crc32(f"{label} {tuple(output.shape)}".encode()))
    grad = torch.randn(output.shape, generator=generator, dtype=torch.float64)
    return grad if grad.ndim else grad.abs() + 0.37


def _elsewhere(subject: Subject, draw: Draw, bound: Bound | None, found: truth.Truth) -> Linearize | None:
    """The truth at other inputs; None where only differences know it, which takes too long to be asked often."""
    if found.source == "operation" and bound is not None:
        return lambda inputs: product(replace(bound, inputs=inputs)) or found.vjp
    if found.source in ("differences", "directions"):
        return None

    def linearize(inputs: Mapping[str, Tensor]) -> Vjp:
        there = truth.by_autograd(subject, replace(draw, inputs=inputs))
        return there.vjp if there is not None else found.vjp

    return linearize
