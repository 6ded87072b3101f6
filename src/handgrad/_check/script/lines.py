"""The lines to paste: the claim's own, edited, or the shortest right expression of what is in scope."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ..fixline import find_line, is_tensor
from .edits import edited
from .names import dependents, loaded
from .repair import Repair, factor_name
from .world import World


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
