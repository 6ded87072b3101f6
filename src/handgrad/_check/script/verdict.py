"""The verdict on each claim of a script: right or not, why, and the line that is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from ..case import relative_error, same
from ..report import Finding, Gradient
from ..subjects.calling import gradient
from .closers import TOLERANCE
from .diagnosis import diagnosed
from .edits import edits_of
from .chain import right_for
from .explanation import findings_of, fixed_lines, location, sizes_that_show
from .program import Program, running
from .repair import Repair, attempt, repairs
from .scope import scope_of
from .second import second_worlds
from .sizes import Sizes
from .trace import Recorder
from .world import Claim, World, world

_STRUCTURAL = ("missing-batch-sum", "reversed-axes", "wrong-operand-order", "output-instead-of-grad-output",
               "input-instead-of-grad-output", "wrong-rank", "one-sample-only")  # fmt: skip


def judge(program: Program, recorder: Recorder, claims: Sequence[Claim]) -> tuple[Gradient, ...]:
    """One gradient for each claim."""
    sizes = Sizes(program, claims[0].output, claims[0].grad_output) if claims else None
    return tuple(_judge(program, recorder, claim, sizes) for claim in claims if sizes is not None)


def _judge(program: Program, recorder: Recorder, claim: Claim, sizes: Sizes) -> Gradient:
    posted = world(program, claim)
    with running(program):
        value = attempt(posted, ())
    user, truth = gradient(value), posted.target.truth
    if not bool(torch.isfinite(truth).all()):
        return Gradient(claim.name, "inconclusive", None, tuple(truth.shape), None, note="the truth is not finite")
    right = user is not None and same(user, truth, TOLERANCE)
    seconds = second_worlds(sizes, posted)
    if right and (not seconds or any(_is_right(there) is not False for there in seconds)):
        return Gradient(claim.name, "correct", tuple(truth.shape), tuple(truth.shape), relative_error(user, truth))
    scope = scope_of(posted, recorder)
    repair = repairs(posted, seconds, edits_of(posted.backward, scope))
    if right:
        return _hidden(posted, seconds, repair, sizes)
    findings = findings_of(repair, posted, seconds, sizes) if repair else ()
    if not findings:
        findings = _unrepaired(posted, seconds, repair)
    fix = fixed_lines(repair, posted, seconds)
    shape = tuple(user.shape) if user is not None else None
    error = relative_error(user, truth) if user is not None and user.shape == truth.shape else None
    return Gradient(claim.name, "wrong", shape, tuple(truth.shape), error, findings, fix, right_for(posted, user))


def _is_right(there: World) -> bool | None:
    """Whether the claim is right at other sizes; None where it does not run there, which proves nothing."""
    with running(there.program):
        value = attempt(there, ())
    user = gradient(value)
    return None if user is None else same(user, there.target.truth, TOLERANCE)


def _hidden(posted: World, seconds: Sequence[World], repair: Repair | None, sizes: Sizes) -> Gradient:
    """Right at the posted sizes and wrong at others: a slip that is only hidden, if it is one that sizes can hide."""
    shape, name = tuple(posted.target.truth.shape), posted.claim.name
    findings = findings_of(repair, posted, seconds, sizes) if repair else ()
    if repair is None or not findings or any(finding.cause not in _STRUCTURAL for finding in findings):
        return Gradient(name, "correct", shape, shape, 0.0)
    note = f"right for your sizes, wrong {sizes_that_show(repair, posted, sizes)}"
    return Gradient(name, "wrong", shape, shape, 0.0, findings, fixed_lines(repair, posted, seconds), note)


def _unrepaired(posted: World, seconds: Sequence[World], repair: Repair | None) -> tuple[Finding, ...]:
    """The shared diagnosis; where that knows nothing either, what a repair without a name has changed."""
    found, place = diagnosed(posted, seconds), location(posted)
    if repair is not None and (not found or found[0].cause == "unexplained"):
        words = "; ".join(edit.message for edit in repair.edits)
        return (Finding("unexplained", words or "a factor without a name", place),)
    if not found:
        return (Finding("unexplained", "it raises, and no edit of it gives the gradient", place),)
    return tuple(replace(finding, location=finding.location or place) for finding in found)
