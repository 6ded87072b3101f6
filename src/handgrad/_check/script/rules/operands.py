"""Another variable belongs where one stands: in a product, in a mask, before an update."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..edits import Make, Scope
from ..program import copied
from .making import named, names_read


def operand(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """Another variable of the same shape."""
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
        return
    shape = scope.shape_of(node)
    if shape is None:
        return
    for name, other in scope.names.items():
        if name != node.id and scope.part(name) != scope.part(node.id) and other == shape:
            message = f"`{node.id}` {shape} stands where `{name}` belongs"
            yield _operand_cause(node.id, name, scope), message, named(name)


def _operand_cause(used: str, right: str, scope: Scope) -> str | None:
    if scope.part(right) != scope.grad_output:
        return None
    if scope.part(used) == scope.output:
        return "output-instead-of-grad-output"
    return "input-instead-of-grad-output" if scope.part(used) in scope.inputs else None


def mask(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """The mask of an activation, `· (h > 0)`, where the forward pass has one."""
    if not scope.masks or not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
        return
    shape = scope.shape_of(node)
    for name, other in scope.names.items():
        if other == shape and scope.part(name) not in scope.gradients:
            message = f"`{node.id}` passes an activation whose mask `{name} > 0` is not applied"
            yield "mask-missing", message, _masked(name)


def _masked(name: str) -> Make:
    test = ast.parse(f"({name} > 0)", mode="eval").body
    return lambda node: ast.BinOp(node, ast.Mult(), copied(test))


def scale(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """γ of a normalisation, a vector that the forward pass multiplies by."""
    if not scope.normalises or not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
        return
    shape = scope.shape_of(node) or ()
    for name in sorted(scope.inputs):
        other = scope.names.get(name, ())
        if 0 < len(other) < len(shape) and other == shape[-len(other) :] and scope.part(node.id) in scope.gradients:
            message = f"`{node.id}` is not multiplied by `{name}`"
            yield "gamma-missing", message, _times(name)


def _times(name: str) -> Make:
    return lambda node: ast.BinOp(node, ast.Mult(), ast.Name(name, ast.Load()))


def compared(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """Another variable in a mask: `p.abs() < 1` for `(p - t).abs() < 1`."""
    if not isinstance(node, ast.Compare):
        return
    for used in dict.fromkeys(names_read(node.left)):
        for name in [name for name, shape in scope.names.items() if name != used and shape == scope.names.get(used)]:
            cause = "mask-from-gradient" if scope.part(used) in scope.gradients else "mask-from-wrong-tensor"
            message = f"the mask is made from `{used}` where `{name}` belongs"
            yield cause, message, _compare(used, name, node.ops)
            if isinstance(node.ops[0], ast.Lt | ast.GtE):  # an output of ReLU is never below 0
                other = ast.LtE() if isinstance(node.ops[0], ast.Lt) else ast.Gt()
                yield cause, message, _compare(used, name, [other])


def _compare(used: str, right: str, operators: list[ast.cmpop]) -> Make:
    return lambda node: ast.Compare(_Renaming(used, right).visit(copied(node.left)), operators, node.comparators)


class _Renaming(ast.NodeTransformer):
    def __init__(self, used: str, right: str) -> None:
        self.used, self.right = used, right

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.right, node.ctx) if node.id == self.used else node


def update(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """A weight that is stepped before its old value is used."""
    target = getattr(node, "target", None) or (getattr(node, "targets", None) or [None])[0]
    if isinstance(node, ast.Assign | ast.AugAssign) and isinstance(target, ast.Name) and target.id in scope.inputs:
        message = f"`{scope.program.text(node)}` changes `{target.id}` before the gradient has used it"
        yield "updated-weight", message, lambda _: None
