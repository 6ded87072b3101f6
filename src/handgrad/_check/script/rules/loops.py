"""What is overwritten: by a later turn of a loop, or where an index comes twice."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from ..edits import Make, Scope
from .making import names_read


def accumulation(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """`=` in a loop, where `+=` is needed."""
    if not isinstance(node, ast.For):
        return
    for inner in ast.walk(node):
        if isinstance(inner, ast.Assign) and len(inner.targets) == 1:
            target = ast.unparse(inner.targets[0])
            message = f"`{scope.program.text(inner)}` overwrites in a loop what it must add up"
            yield "overwrite-instead-of-accumulate", message, _accumulating(target)


def repeated(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """`dE[ids] += dy`, which adds once for an index that comes twice."""
    target = node.target if isinstance(node, ast.AugAssign) else getattr(node, "targets", [None])[0]
    if not isinstance(node, ast.AugAssign | ast.Assign) or not isinstance(target, ast.Subscript):
        return
    items = target.slice.elts if isinstance(target.slice, ast.Tuple) else [target.slice]
    arrays = [isinstance(item, ast.List) or not scope.indices.isdisjoint(names_read(item)) for item in items]
    if any(arrays) and (scope.numpy or all(arrays)):
        message = f"`{scope.program.text(node)}` adds up once where an index is repeated"
        yield "overwrite-instead-of-accumulate", message, _added_at(scope.numpy)


def _added_at(numpy: bool) -> Make:
    def make(node: Any) -> ast.AST:
        target: Any = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
        array, value = ast.unparse(target.value), ast.unparse(node.value)
        index = ast.unparse(target).removeprefix(array)
        if numpy:
            return ast.parse(f"np.add.at({array}, np.s_{index}, {value})").body[0]
        return ast.parse(f"{array}.index_put_(({index[1:-1]},), {value}, accumulate=True)").body[0]

    return make


def _accumulating(target: str) -> Make:
    def make(loop: Any) -> ast.AST:
        new = _Accumulator(target).visit(loop)
        if not target.isidentifier():
            return new  # type: ignore[no-any-return]
        zero = ast.parse(f"{target} = 0").body
        return ast.If(ast.Constant(True), [*zero, new], [])

    return make


class _Accumulator(ast.NodeTransformer):
    def __init__(self, target: str) -> None:
        self.target = target

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        if len(node.targets) != 1 or ast.unparse(node.targets[0]) != self.target:
            return node
        return ast.copy_location(ast.AugAssign(node.targets[0], ast.Add(), node.value), node)  # type: ignore[arg-type]
