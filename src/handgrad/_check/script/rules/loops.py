"""Loops that overwrite."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from ..edits import Make, Scope


def accumulation(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """`=` in a loop, where `+=` is needed."""
    if not isinstance(node, ast.For):
        return
    for inner in ast.walk(node):
        if isinstance(inner, ast.Assign) and len(inner.targets) == 1:
            target = ast.unparse(inner.targets[0])
            message = f"`{scope.program.text(inner)}` overwrites in a loop what it must add up"
            yield "overwrite-instead-of-accumulate", message, _accumulating(target)


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
