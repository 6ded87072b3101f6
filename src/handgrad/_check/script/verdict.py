"""The verdict on each claim of a script: right or not, why, and the line that is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..case import relative_error
from ..report import Finding, Gradient
from ..subjects.calling import gradient
from .chain import chain_variable, sentence
from .closers import closers
from .diagnosis import diagnosed
from .edits import Edit, edits_of
from .explanation import findings_of, location, sizes_that_show
from .lines import fixed_lines, searched_line
from .program import Program, running
from .repair import Repair, attempt, repairs
from .rules import RULES
from .scope import scope_of
from .second import narrow_worlds, second_worlds, single_worlds
from .sizes import Sizes
from .trace import Recorder
from .world import Claim, World, world

_BLOWN_UP = 1000  # times as many numbers as needed come of several slips in a product
_HIDDEN = ("missing-batch-sum", "wrong-rank")


def judge(program: Program, recorder: Recorder, claims: Sequence[Claim], verbose: bool = False) -> tuple[Gradient, ...]:
    """One gradient for each claim; `verbose`, with its numbers."""
    sizes = Sizes(program, claims[0].output, claims[0].grad_output) if claims else None
    return tuple(_judge(program, recorder, claim, sizes, verbose) for claim in claims if sizes is not None)


def _judge(program: Program, recorder: Recorder, claim: Claim, sizes: Sizes, verbose: bool) -> Gradient:
    posted = world(program, claim)
    with running(program):
        value = attempt(posted, ())
    user = gradient(value)
    if user is not None and posted.is_right(user):
        return _right(posted, sizes)
    truth = posted.target.truth
    if user is not None and posted.is_right(user):  # differences are a little more exact as a whole
        return _right(posted, sizes)
    if not bool(torch.isfinite(truth).all()):
        return Gradient(claim.name, "inconclusive", None, tuple(truth.shape), None, note="the truth is not finite")
    edits = edits_of(posted.backward, scope_of(posted, recorder), RULES)
    seconds, repair, findings = _causes(posted, edits, sizes, user)
    fix, stop = fixed_lines(repair, posted, seconds), chain_variable(posted, user) if user is not None else None
    shape = tuple(user.shape) if user is not None else None
    error = relative_error(user, truth) if user is not None and user.shape == truth.shape else None
    note = sentence(posted, stop, user) if stop is not None and user is not None else None
    findings = tuple(_with_variable(finding, stop) for finding in findings)
    if verbose:
        arrays = {} if user is None else {"user_values": user.tolist()}
        evidence = {**findings[0].evidence, **arrays, "true_values": truth.tolist()}
        findings = (replace(findings[0], evidence=evidence), *findings[1:])
    return Gradient(claim.name, "wrong", shape, tuple(truth.shape), error, findings, fix, note)


def _with_variable(finding: Finding, stop: str | None) -> Finding:
    """A gradient that stops short names the variable it is right for."""
    if stop is None or finding.cause not in ("column-form", "padding-not-cropped"):
        return finding
    message = finding.message if f"`{stop}`" in finding.message else f"{finding.message}; it is right for `{stop}`"
    return replace(finding, message=message, evidence={**finding.evidence, "right_for": stop})


_Causes = tuple[Sequence[World], Repair | None, tuple[Finding, ...]]


def _causes(posted: World, edits: Sequence[Edit], sizes: Sizes, user: Tensor | None) -> _Causes:
    """One slip, at other sizes that the claim follows as far as there are any; else several, which explain more.

    Sizes of 1 change first, since they hide slips; where that explains nothing they are kept.
    """
    single, every = single_worlds(sizes, posted), second_worlds(sizes, posted)
    repair: Repair | None = None
    found: tuple[Finding, ...] = ()
    for seconds in (single, every) if single else (every,):
        repair, found = _one_slip(posted, seconds, edits, sizes, user)
        if _is_named(found):
            return seconds, repair, found
    for seconds in (every, single) if single else (every,):
        several, named = _several(posted, seconds, edits, sizes, repair if seconds is every else None)
        if _is_named(named):
            return seconds, several, named
    narrow = narrow_worlds(sizes, posted)
    one, kept = _one_slip(posted, narrow, edits, sizes, user) if narrow else (None, ())
    if _is_named(kept):
        return narrow, one, kept
    none = (Finding("unexplained", "it raises, and no edit of it repairs it", location(posted)),)
    return every, several or repair, named or found or none


def _is_named(findings: Sequence[Finding]) -> bool:
    return bool(findings) and findings[-1].cause != "unexplained"


def _one_slip(
    posted: World, seconds: Sequence[World], edits: Sequence[Edit], sizes: Sizes, user: Tensor | None
) -> tuple[Repair | None, tuple[Finding, ...]]:
    """A single edit with a name; else what the shared diagnosis says."""
    repair = repairs(posted, seconds, edits, range(2))
    named = findings_of(repair, posted, seconds, sizes) if repair else ()
    if named:
        return repair, named
    found = () if _blown_up(posted, user) else diagnosed(posted, seconds)
    place = location(posted)
    return repair, tuple(replace(finding, location=finding.location or place) for finding in found)


def _several(
    posted: World, seconds: Sequence[World], edits: Sequence[Edit], sizes: Sizes, repair: Repair | None
) -> tuple[Repair | None, tuple[Finding, ...]]:
    """Several edits at once; of a repair that has no name, what it changes."""
    deeper = repair or repairs(posted, seconds, edits, range(2, 4))
    named = findings_of(deeper, posted, seconds, sizes) if deeper else ()
    if deeper and not named:
        words = "; ".join(edit.message for edit in deeper.edits)
        named = (Finding("unexplained", words or "a factor without a name", location(posted)),)
    return deeper, named


def _blown_up(posted: World, user: Tensor | None) -> bool:
    """Whether it is so much too large that several slips in a product made it: beyond the shared diagnosis."""
    return user is not None and user.numel() > _BLOWN_UP * posted.derivative.value.numel()


def _right(posted: World, sizes: Sizes) -> Gradient:
    """Right at the posted sizes; a note says if a batch of 1 hides a slip that a larger one would show."""
    right = Gradient(posted.claim.name, "correct", posted.shape, posted.shape, 0.0)
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
