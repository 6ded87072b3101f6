"""The verdict on each claim of a script: right or not, why, and the line that is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..case import relative_error, same
from ..report import Finding, Gradient
from ..subjects.calling import gradient
from .chain import chain_variable, sentence
from .closers import TOLERANCE
from .diagnosis import diagnosed
from .edits import Edit, edits_of
from .explanation import findings_of, fixed_lines, location, sizes_that_show
from .program import Program, running
from .repair import Repair, attempt, repairs
from .rules import RULES
from .scope import scope_of
from .second import second_worlds
from .sizes import Sizes
from .trace import Recorder
from .world import Claim, World, world

_BLOWN_UP = 1000  # times as many numbers as needed come of several slips in a product
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
    if user is not None and same(user, truth, TOLERANCE):
        return _right(posted, recorder, sizes, relative_error(user, truth))
    seconds = second_worlds(sizes, posted)
    edits = edits_of(posted.backward, scope_of(posted, recorder), RULES)
    repair = repairs(posted, seconds, edits, range(2))
    findings = findings_of(repair, posted, seconds, sizes) if repair else ()
    if not findings:
        repair, findings = _deeper(posted, seconds, edits, repair, sizes, user)
    fix, stop = fixed_lines(repair, posted, seconds), chain_variable(posted, user) if user is not None else None
    shape = tuple(user.shape) if user is not None else None
    error = relative_error(user, truth) if user is not None and user.shape == truth.shape else None
    note = sentence(posted, stop, user) if stop is not None and user is not None else None
    findings = tuple(_with_variable(finding, stop) for finding in findings)
    return Gradient(claim.name, "wrong", shape, tuple(truth.shape), error, findings, fix, note)


def _with_variable(finding: Finding, stop: str | None) -> Finding:
    """A gradient that stops short names the variable it is right for."""
    if stop is None or finding.cause not in ("column-form", "padding-not-cropped"):
        return finding
    message = finding.message if f"`{stop}`" in finding.message else f"{finding.message}; it is right for `{stop}`"
    return replace(finding, message=message, evidence={**finding.evidence, "right_for": stop})


def _deeper(
    posted: World,
    seconds: Sequence[World],
    edits: Sequence[Edit],
    repair: Repair | None,
    sizes: Sizes,
    user: Tensor | None,
) -> tuple[Repair | None, tuple[Finding, ...]]:
    """Where no single edit with a name repairs it: the shared diagnosis, then several edits at once."""
    place = location(posted)
    blown_up = user is not None and user.numel() > _BLOWN_UP * posted.target.truth.numel()
    found: tuple[Finding, ...] = ()
    if not blown_up:
        found = tuple(replace(f, location=f.location or place) for f in diagnosed(posted, seconds))
        if found and found[0].cause != "unexplained":
            return repair, found
    deeper = repair or repairs(posted, seconds, edits, range(2, 4))
    named = findings_of(deeper, posted, seconds, sizes) if deeper else ()
    if deeper and not named:
        words = "; ".join(edit.message for edit in deeper.edits)
        named = (Finding("unexplained", words or "a factor without a name", place),)
    return deeper, named or found or (Finding("unexplained", "it raises, and no edit of it repairs it", place),)


def _is_right(there: World) -> bool | None:
    """Whether the claim is right at other sizes; None where it does not run there, which proves nothing."""
    with running(there.program):
        value = attempt(there, ())
    user = gradient(value)
    return None if user is None else same(user, there.target.truth, TOLERANCE)


def _right(posted: World, recorder: Recorder, sizes: Sizes, error: float) -> Gradient:
    """Right at the posted sizes; a note says if a batch of 1 hides a slip that a larger one would show."""
    shape, name = tuple(posted.target.truth.shape), posted.claim.name
    right = Gradient(name, "correct", shape, shape, error)
    if posted.grad_output.dim() == 0 or len(posted.grad_output) > 1:
        return right
    seconds = second_worlds(sizes, posted)
    outcomes = [_is_right(there) for there in seconds]
    if True in outcomes or False not in outcomes:
        return right
    repair = repairs(posted, seconds, edits_of(posted.backward, scope_of(posted, recorder), RULES), range(2))
    findings = findings_of(repair, posted, seconds, sizes) if repair else ()
    if repair is None or not findings or any(finding.cause not in _STRUCTURAL for finding in findings):
        return right
    note = f"right for your sizes, wrong {sizes_that_show(posted, sizes)}: {findings[0].cause}"
    return replace(right, note=note, fix=fixed_lines(repair, posted, seconds))
