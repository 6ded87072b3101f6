"""The right gradient of somebody's forward pass: by autograd where that can see it, else by differences.

Autograd's word is not taken for it. A `.detach()` or a `no_grad` in the forward makes it silently partial, so one
central difference along a random direction must agree for every input. Where it does not, the differences are the
truth.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Literal

import torch
from torch import Tensor

from .._errors import HandgradError
from . import differences
from .case import Tracked, Vjp
from .differences import NotDifferentiable as NotDifferentiable
from .differences import TooSlow as TooSlow
from .differences import agrees, evaluate
from .differences import differentiable as differentiable
from .inputs import Draw
from .subjects import Subject, UserCodeError
from .subjects.traced import traced_buffers

Source = Literal["autograd", "differences", "operation", "directions"]
_LONG = 400  # steps of NumPy code under autograd
SECONDS = 1.0  # what the differences of one draw may take, where others can stand for it
PATIENCE = 6.0  # and where none can


class NotDeterministic(Exception):
    """Two forward passes on the same inputs differ."""


class Unconfirmed(Exception):
    """What came back does not agree with a difference along a direction."""


@dataclass(frozen=True)
class Truth:
    """The vector-Jacobian product at one point, where it comes from and how exact it is."""

    vjp: Vjp
    source: Source
    tolerance: float
    cut: tuple[str, ...] = ()  # inputs whose path in the forward pass autograd does not see
    partial: Vjp | None = None  # autograd's product, where there is a cut


def tracked(subject: Subject, draw: Draw, inside: AbstractContextManager[object] | None = None) -> Tracked | None:
    """The forward pass under autograd, run in a context; None if autograd cannot follow it."""
    try:
        namespace = subject.namespace if isinstance(subject.namespace, dict) else {}
        buffers = traced_buffers(namespace) if subject.library == "numpy" else nullcontext()
        with warnings.catch_warnings(action="ignore"), buffers, inside or nullcontext():  # NumPy grumbles at tensors
            run = subject.run(draw.inputs, draw.options, track=True)
    except (UserCodeError, HandgradError):
        return None
    if not isinstance(run.raw, Tensor) or not run.raw.requires_grad:
        return None
    if subject.library == "numpy" and _is_long(run.raw):
        return None
    leaves = {name: leaf for name, leaf in run.leaves.items() if name in draw.inputs}
    return Tracked(run.raw.as_subclass(Tensor), leaves, run.single)


def _is_long(output: Tensor) -> bool:
    """Whether a loop over entries has made a graph that takes longer than the Jacobian by differences."""
    todo, seen = [output.grad_fn], set[object]()
    while todo and len(seen) <= _LONG:
        node = todo.pop()
        if node is not None and node not in seen:
            seen.add(node)
            todo += [before for before, _ in node.next_functions]
    return len(seen) > _LONG


def by_autograd(subject: Subject, draw: Draw, grad: Tensor | None = None) -> Truth | None:
    """Autograd's product for the user's own forward; None if it is not all torch, or NumPy that it can follow.

    `grad` is what the product will be asked for, where one product takes its time.
    """
    run = tracked(subject, draw)
    if run is None:
        return None
    output, leaves = run.output, run.leaves

    @lru_cache(maxsize=1)  # the same one is asked for again and again; tensors hash by identity
    def vjp(grad_output: Tensor) -> Mapping[str, Tensor]:
        # of ⟨g, y⟩: given grad_outputs, autograd.grad imports sympy the first time, a second's worth
        total = (output * grad_output.to(output.dtype).reshape(output.shape)).sum()
        grads = torch.autograd.grad(total, list(leaves.values()), retain_graph=True, allow_unused=True)
        zero = {name: torch.zeros_like(draw.inputs[name]) for name in differentiable(draw)}
        return zero | {n: g.as_subclass(Tensor).double() for n, g in zip(leaves, grads, strict=True) if g is not None}

    try:
        vjp(torch.ones_like(output) if grad is None else grad)
    except RuntimeError:  # in-place changes of what autograd needs
        return None
    return Truth(vjp, "autograd", 1e-4 if run.single else 1e-8)


def confirmed(
    subject: Subject, draw: Draw, truth: Truth, name: str, grad: Tensor, output: Tensor, single: bool, seed: int = 0
) -> bool:
    """Whether one difference along a random direction agrees with the truth. Raises `NotDifferentiable` at a kink."""
    return agrees(subject, draw, name, truth.vjp(grad)[name], grad, output, single, seed)


def by_differences(subject: Subject, draw: Draw, single: bool = False, limit: float = PATIENCE) -> Truth:
    """The whole Jacobian by differences. Raises `TooSlow`, and `NotDifferentiable` where two sides disagree."""
    vjp = differences.product(subject, draw, single, limit)
    return Truth(vjp, "differences", 1e-3 if single else 2e-6)


def by_directions(
    subject: Subject, draw: Draw, grad: Tensor, user: Mapping[str, Tensor | None], single: bool, seeds: int = 3
) -> Truth | None:
    """The user's own gradient, if differences along some random directions confirm all of it; None otherwise.

    For a forward whose Jacobian would take too long: it can tell that a gradient is right, not why one is wrong.
    """
    given = {name: value for name in differentiable(draw) if (value := user.get(name)) is not None}
    if any(value.shape != draw.inputs[name].shape for name, value in given.items()):
        return None
    truth = Truth(lambda _: given, "directions", 1e-3 if single else 2e-6)
    output, asked = evaluate(subject, draw), product(given, range(1, seeds + 1))
    right = all(confirmed(subject, draw, truth, name, grad, output, single, seed) for name, seed in asked)
    return truth if right else None


def deterministic(subject: Subject, draw: Draw) -> Tensor:
    """The output; raises `NotDeterministic` if a second pass gives another."""
    first, second = evaluate(subject, draw), evaluate(subject, draw)
    if first.shape != second.shape or not torch.equal(first.nan_to_num(), second.nan_to_num()):
        raise NotDeterministic
    return first


def _of_half(subject: Subject, draw: Draw) -> Truth:
    """Of code in half precision, whose steps are larger than any difference: autograd's word is all there is."""
    found = by_autograd(subject, draw)
    if found is None:
        raise TooSlow("it computes in half precision, of which differences say nothing")
    return Truth(found.vjp, "autograd", 3e-2)


def is_single(subject: Subject, draw: Draw) -> bool:
    """Whether float32 is somewhere in the forward: it shows in the output, or it does not notice the ninth digit."""
    run = subject.run(draw.inputs, draw.options)
    return run.single or _is_blind(subject, draw, run.output, 1e-10, 1e-2)


def _is_blind(subject: Subject, draw: Draw, output: Tensor, slight: float, clear: float) -> bool:
    """Whether the output does not notice a slight relative change of some input, though it does a clear one."""
    for name in differentiable(draw):
        changed = (evaluate(subject, draw, {name: draw.inputs[name] * (1 + by)}) for by in (slight, clear))
        few, many = (int((other != output).sum()) for other in changed)
        # a step function does not notice either, but then most of its entries stay with larger changes too
        if 10 * few <= many and 2 * many > int((output != 0).sum()):
            return True
    return False


def find(
    subject: Subject, draw: Draw, grad_output: Tensor, operation: Vjp | None = None, limit: float = PATIENCE
) -> Truth:
    """The truth at one draw; `operation` is the product of a known operation whose forward equals the user's.

    Raises `NotDifferentiable`, `TooSlow`.
    """
    single, output = is_single(subject, draw), evaluate(subject, draw)
    tolerance = 1e-4 if single else 1e-8
    if single and _is_blind(subject, draw, output, 1e-5, 0.3):
        return _of_half(subject, draw)
    for truth in (by_autograd(subject, draw), Truth(operation, "operation", tolerance) if operation else None):
        if truth is None:
            continue
        names = differentiable(draw)
        partial = [name for name in names if not confirmed(subject, draw, truth, name, grad_output, output, single)]
        if not partial:
            return truth
        if truth.source == "autograd" and subject.library == "torch":
            other = _without_autograd(subject, draw, grad_output, operation, single, limit)
            return Truth(other.vjp, other.source, other.tolerance, tuple(partial), truth.vjp)
    return by_differences(subject, draw, single, limit)


def _without_autograd(
    subject: Subject, draw: Draw, grad_output: Tensor, operation: Vjp | None, single: bool, limit: float
) -> Truth:
    """The same where autograd is known to be partial."""
    if operation is not None:
        truth = Truth(operation, "operation", 1e-4 if single else 1e-8)
        names, output = differentiable(draw), evaluate(subject, draw)
        if all(confirmed(subject, draw, truth, name, grad_output, output, single) for name in names):
            return truth
    return by_differences(subject, draw, single, limit)
