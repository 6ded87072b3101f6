"""From a subject and a draw to a case: run it forward and backward, and find the truth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from . import truth
from .case import Case
from .inputs import Draw
from .operations import Bound
from .reference import product
from .subjects import Subject


@dataclass(frozen=True)
class Judged:
    """A case, with what the report wants to know beyond it."""

    case: Case
    draw: Draw
    source: truth.Source
    cut: tuple[str, ...]  # inputs that autograd does not see in the forward pass


def make(subject: Subject, draw: Draw, bound: Bound | None = None) -> Judged:
    """One case. `bound` is the operation whose forward equals the user's at this draw; it may be the truth.

    Raises `UserCodeError` and what `truth.find` raises.
    """
    output = truth.deterministic(subject, draw)
    grad_output = random_grad(output)
    run = subject.run(draw.inputs, draw.options)
    user = run.backward(grad_output)
    if not run.used_grad:
        grad_output = torch.ones_like(output)
    found = truth.find(subject, draw, grad_output, product(bound) if bound else None)
    case = Case(
        inputs=draw.inputs,
        output=output,
        grad_output=grad_output,
        user=user,
        vjp=found.vjp,
        operation=bound.operation if bound else None,
        options=bound.options if bound else {},
        rerun=lambda grad: subject.run(draw.inputs, draw.options).backward(grad),
        saved=run.saved,
        tolerance=max(found.tolerance, 1e-4 if run.single else 0.0),
        returned_count=run.returned_count,
        linearize=lambda inputs: truth.find(subject, Draw(inputs, draw.options), grad_output).vjp,
        call_options=draw.options,
        label=draw.label,
    )
    return Judged(case, draw, found.source, found.cut)


def random_grad(output: Tensor) -> Tensor:
    """A grad_output that is nothing special: not ones, not the output, no two entries equal."""
    generator = torch.Generator().manual_seed(output.numel() + 17)
    grad = torch.randn(output.shape, generator=generator, dtype=torch.float64)
    return grad if grad.ndim else grad.abs() + 0.37
