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
from .closers import TOLERANCE, closers
from .diagnosis import diagnosed
from .edits import Edit, edits_of
from .explanation import findings_of, fixed_lines, location, searched_line, sizes_that_show
from .program import Program, running
from .repair import Repair, attempt, repairs
from .rules import RULES
from .scope import scope_of
from .second import second_worlds
from .sizes import Sizes
from .trace import Recorder
from .world import Claim, World, world

_BLOWN_UP = 1000  # times as many numbers as needed come of several slips in a product
_HIDDEN = ("missing-batch-sum", "wrong-rank")


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
        return _right(posted, sizes, relative_error(user, truth))
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


def _right(posted: World, sizes: Sizes, error: float) -> Gradient:
    """Right at the posted sizes; a note says if a batch of 1 hides a slip that a larger one would show."""
    shape, name = tuple(posted.target.truth.shape), posted.claim.name
    right = Gradient(name, "correct", shape, shape, error)
    if posted.grad_output.dim() == 0 or len(posted.grad_output) > 1:
        return right
    seconds = second_worlds(sizes, posted)
    causes = [cause for there in seconds for cause in _shown_at(there)]
    if not causes or "" in causes:
        return right
    note = f"right for your sizes, wrong {sizes_that_show(posted, sizes)}: {causes[0]}"
    return replace(right, note=note, fix=searched_line(posted, seconds))


def _shown_at(there: World) -> list[str]:
    """The slip that other sizes show, if it is one that sizes can hide; "" where the claim is right there, too."""
    with running(there.program):
        value = attempt(there, ())
        found = next(closers(value, there.target, there.namespace), None) if value is not None else None
    if found is None:
        return []
    return [found.causes[0] if found.causes else ""] if set(found.causes) <= set(_HIDDEN) else []
