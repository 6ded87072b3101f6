"""A repair put into words: a finding for each slip, what hides it, and the lines to paste."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..case import same
from ..fixline import find_line, is_tensor
from ..report import Finding, Location
from ..subjects.calling import gradient
from .closers import TOLERANCE
from .edits import Edit, edited
from .names import dependents, loaded
from .program import running
from .repair import Repair, attempt, factor_name, is_latent
from .second import world_at
from .sizes import Sizes
from .world import World


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
    return slip.latent, slip.cause in ("mean-instead-of-sum", "scale-factor", "wrong-sign")


def _from_edits(repair: Repair, posted: World, seconds: Sequence[World]) -> list[_Slip]:
    found = []
    for edit in sorted(repair.edits, key=lambda edit: edit.rank):
        cause, message = _named(edit, repair, posted, seconds)
        found.append(_Slip(cause, message, edit.line, edit.column, is_latent(repair, posted, edit), repair))
    return found


def _named(edit: Edit, repair: Repair, posted: World, seconds: Sequence[World]) -> tuple[str | None, str]:
    """An edit's cause, where it takes the numbers to tell."""
    if edit.cause in ("mean-instead-of-sum", "scale-factor") and len(repair.edits) == 1 and not repair.closer.slips:
        name = factor_name((), posted, seconds)
        return (name[0], f"{edit.message}: {name[1]}") if name else (edit.cause, edit.message)
    if edit.cause == "overwrite-instead-of-accumulate" and len(repair.edits) == 1:
        sample = _only_sample(posted)
        if sample is not None:
            return "one-sample-only", f"{edit.message}: only sample {sample} of the batch is left"
    return edit.cause, edit.message


def _only_sample(world: World) -> int | None:
    """The sample whose gradient alone the claim is."""
    user, grad_output = gradient(attempt(world, ())), world.grad_output
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
        found.append(_Slip(cause, message, place.line, place.column, latent and factor is None, repair, factor))
    return found


def _has_batch(world: World) -> bool:
    """Whether the variable is one of images, as grad_output is, at these sizes: a kernel has no batch."""
    return world.grad_output.dim() == 4 and world.shape[0] == len(world.grad_output)


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
        if there is not None and len(there.grad_output) != len(posted.grad_output):
            if len(posted.grad_output) == 1:
                return "when the batch is larger than 1"
            return f"when the batch is not {len(posted.grad_output)}"
    return "at other sizes"


def fixed_lines(repair: Repair | None, posted: World, seconds: Sequence[World]) -> str | None:
    """The lines to paste: the claim's own, edited, or the shortest right expression, whichever is shorter."""
    found = [line for line in (_edited_lines(repair, posted, seconds), searched_line(posted, seconds)) if line]
    return min(found, key=lambda text: (text.count("\n"), len(text)), default=None)


def _edited_lines(repair: Repair | None, posted: World, seconds: Sequence[World]) -> str | None:
    if repair is None:
        return None
    lines = []
    for index, statement in posted.backward:
        mine = [edit for edit in repair.edits if edit.statement == index]
        lines += _changed(statement, edited(statement, mine)) if mine else []
    template, name = repair.closer.template, posted.claim.expression
    if repair.closer.factor is not None:
        factor = factor_name(repair.edits, posted, seconds)
        template = factor[2] if factor else "{}"
    if template != "{}":
        lines = _closed(lines, template, name, posted)
    return "\n".join(lines) or None


def _closed(lines: list[str], template: str, name: str, posted: World) -> list[str]:
    """The closer put around the claimed gradient's own line where that is one assignment."""
    target = f"{name} = "
    written = ast.unparse(posted.backward[-1][1]) if posted.backward else name
    last = next((line for line in reversed(lines) if line.startswith(target)), written)
    if not last.startswith(target) or "\n" in last:
        return [*lines, target + template.format(name)] if name.isidentifier() else lines
    value = last.removeprefix(target)
    simple = isinstance(ast.parse(value, mode="eval").body, ast.Name | ast.Call | ast.Attribute | ast.Subscript)
    whole = value if simple or "({}" in template or "{}," in template else f"({value})"
    return [*(line for line in lines if line != last), target + template.format(whole)]


def _changed(old: ast.stmt, new: ast.stmt) -> list[str]:
    """The simple statements of the new one that are not in the old; of one that goes, that it does."""
    if isinstance(new, ast.Pass):
        return [f"# without `{ast.unparse(old)}` before it"]
    before = {ast.unparse(node) for node in ast.walk(old) if isinstance(node, ast.stmt)}
    simple = [node for node in ast.walk(new) if isinstance(node, ast.stmt) and not hasattr(node, "body")]
    return [ast.unparse(node) for node in simple if ast.unparse(node) not in {*before, "pass"}]


def searched_line(posted: World, seconds: Sequence[World]) -> str | None:
    """The shortest contraction of tensors in scope that is right, as an assignment to the claim."""
    if not posted.claim.expression.isidentifier():
        return None
    for there in seconds:
        scope, other = _tensors(posted), _tensors(there)
        line = find_line(
            scope, posted.target.truth, (other, there.target.truth), posted.claim.name, posted.target.folds
        )
        if line is not None:
            return f"{posted.claim.expression} = {line}"
    return None


def _tensors(world: World) -> dict[str, object]:
    """The tensors in scope, those of the claim and of its own lines first."""
    made = dependents(world.program.statements, world.claim.grad_output or "")
    names = {name: value for name, value in world.state.names.items() if name not in made}
    read = [name for _, statement in reversed(world.backward) for name in sorted(loaded(statement))]
    first = [world.claim.grad_output or "", *read, world.claim.name]
    ordered = dict.fromkeys([*first, *names])
    return {name: names[name] for name in ordered if name in names and is_tensor(names[name])}
