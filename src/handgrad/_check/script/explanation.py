"""A repair put into words: a finding for each slip, and what hides it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..case import same
from ..report import Finding, Location
from ..subjects.calling import gradient
from .closers import TOLERANCE
from .edits import Edit
from .lines import fixed_lines
from .program import running
from .repair import Repair, attempt, factor_name, is_latent
from .second import world_at
from .sizes import Sizes
from .world import World

_CONSTANTS = ("mean-instead-of-sum", "scale-factor")


def location(world: World, line: int = 0, column: int = 1) -> Location:
    """A place in the script; without a line, that of the claimed gradient."""
    if not line and world.backward:
        statement = world.backward[-1][1]
        line, column = statement.lineno, statement.col_offset + 1
    return Location(world.program.path, line or 1, column)


def findings_of(repair: Repair, posted: World, seconds: Sequence[World], sizes: Sizes) -> tuple[Finding, ...]:
    """One finding for each slip that a repair undoes, hidden ones last; none if one has no name."""
    with running(posted.program):
        fix = fixed_lines(repair, posted, seconds)
        slips = [*_from_edits(repair, posted, seconds), *_from_closer(repair, posted, seconds)]
        if any(slip.cause is None for slip in slips):
            return ()
        return tuple(_finding(slip, posted, fix, sizes) for slip in sorted(slips, key=_order))


@dataclass(frozen=True)
class _Slip:
    cause: str | None
    message: str
    line: int
    column: int
    latent: bool
    repair: Repair
    factor: float | None = None


def _order(slip: _Slip) -> tuple[bool, bool]:
    """What is hidden comes last, and a constant after what is wrong with the shape or an operand."""
    return slip.latent, slip.cause in (*_CONSTANTS, "wrong-sign")


def _from_edits(repair: Repair, posted: World, seconds: Sequence[World]) -> list[_Slip]:
    found = []
    for edit in sorted(repair.edits, key=lambda edit: edit.rank):
        cause, message = _named(edit, repair, posted, seconds)
        found.append(_Slip(cause, message, edit.line, edit.column, is_latent(repair, posted, edit), repair))
    return found


def _named(edit: Edit, repair: Repair, posted: World, seconds: Sequence[World]) -> tuple[str | None, str]:
    """An edit's cause, where it takes the numbers to tell: `.mean()` says itself what it is."""
    statement = next(statement for index, statement in posted.backward if index == edit.statement)
    divided = isinstance(list(ast.walk(statement))[edit.number], ast.BinOp)
    if divided and edit.cause in _CONSTANTS and len(repair.edits) == 1 and not repair.closer.slips:
        name = factor_name((), posted, seconds)
        return (name[0], f"{edit.message}: {name[1]}") if name else (edit.cause, edit.message)
    if edit.cause in ("overwrite-instead-of-accumulate", "wrong-reduction-axes"):
        sample = _only_sample(posted, [other for other in repair.edits if other is not edit])
        if sample is not None:
            return "one-sample-only", f"{edit.message}: only sample {sample} of the batch is left"
    return edit.cause, edit.message


def _only_sample(world: World, edits: Sequence[Edit]) -> int | None:
    """The sample whose gradient alone the claim is, once other slips are undone."""
    user, grad_output = gradient(attempt(world, edits)), world.grad_output
    if user is None or not grad_output.dim() or len(grad_output) < 2:
        return None
    for sample in (len(grad_output) - 1, 0):
        alone = torch.zeros_like(grad_output)
        alone[sample] = grad_output[sample]
        wanted = world.derivative.vjp(alone)
        if user.numel() == wanted.numel() and same(user.reshape(wanted.shape), wanted, TOLERANCE):
            return sample
    return None


def _from_closer(repair: Repair, posted: World, seconds: Sequence[World]) -> list[_Slip]:
    found = []
    place = location(posted)
    latent = is_latent(repair, posted, None)
    for cause, message in repair.closer.slips:
        factor = repair.closer.factor if cause == "scale-factor" else None
        if cause == "wrong-rank" and repair.edits and not _same_count(posted):
            continue  # the last reshape of a repaired product, no slip of its own
        if cause == "scale-factor" and repair.closer.factor is not None:
            name = factor_name(repair.edits, posted, seconds)
            cause, message = (name[0], f"off by the factor {name[1]}") if name else (None, message)  # type: ignore[assignment]
        if cause == "kernel-axes-transposed" and all(map(_has_batch, (posted, *seconds))):
            cause = "height-width-swapped"
        elif cause == "missing-batch-sum" and not _is_per_sample(posted, repair):
            cause, message = "wrong-reduction-axes", "one gradient a step of a sequence: they must be added up, too"
        elif cause == "kernel-axes-transposed" and any(_is_channel(posted, axis) for axis in (-1, -2)):
            cause = "channels-swapped"  # (kh, kw, C, O)
        hidden = latent and factor is None and cause != "wrong-rank"  # a shape shows at every size
        found.append(_Slip(cause, message, place.line, place.column, hidden, repair, factor))
    return found


def _has_batch(world: World) -> bool:
    """Whether the variable is one of images, as grad_output is, at these sizes: a kernel has no batch."""
    return world.grad_output.dim() == 4 and world.shape[0] == len(world.grad_output)


def _is_per_sample(world: World, repair: Repair) -> bool:
    """Whether the first of what must be added up is the first sample's gradient; a loss does not tell."""
    value, g = gradient(attempt(world, repair.edits)), world.grad_output
    if value is None or not g.dim() or not value.dim():
        return True
    alone = torch.zeros_like(g)
    alone[0] = g[0]
    wanted = world.derivative.vjp(alone)
    return value[0].numel() == wanted.numel() and same(value[0].reshape(wanted.shape), wanted, TOLERANCE)


def _is_channel(world: World, axis: int) -> bool:
    """Whether an axis of the variable is one of the output too: each index along it makes one index there."""
    size, g = world.shape[axis], world.grad_output
    for place in (at for at, count in enumerate(g.shape) if count == size > 1):
        alone = torch.zeros_like(g)
        alone.select(place, 0).copy_(g.select(place, 0))
        gradient_of_one = world.derivative.vjp(alone).movedim(axis, 0)
        if bool(gradient_of_one[0].any()) and not bool(gradient_of_one[1:].any()):
            return True
    return False


def _same_count(world: World) -> bool:
    user = gradient(attempt(world, ()))
    return user is not None and user.numel() == world.target.truth.numel()


def _finding(slip: _Slip, posted: World, fix: str | None, sizes: Sizes) -> Finding:
    evidence: dict[str, object] = {} if slip.factor is None else {"factor": slip.factor}
    message = slip.message
    if slip.latent:
        when = sizes_that_show(posted, sizes)
        evidence |= {"latent": True, "shows": when}
        message = f"{message} (your sizes hide it: it shows {when})"
    assert slip.cause is not None
    return Finding(slip.cause, message, Location(posted.program.path, slip.line, slip.column), fix, evidence)


def sizes_that_show(posted: World, sizes: Sizes) -> str:
    """The size that brings a hidden slip to light: "when the batch is larger than 1"."""
    for group in sizes.groups:
        there = world_at(sizes, group, posted.claim)
        batch, other = ((each.grad_output.shape[:1] if each is not None else ()) for each in (posted, there))
        if batch and other and batch != other:
            return "when the batch is larger than 1" if batch[0] == 1 else f"when the batch is not {batch[0]}"
    return "at other sizes"
