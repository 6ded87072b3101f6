"""Matrix products: axes reversed, a factor transposed, the factors exchanged."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from ..edits import Make, Scope
from ..suspicion import product_operands, reversed_operand
from .making import attribute, is_value


def reversed_axes(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """`.T` beyond matrices: the last two axes, or none."""
    value = reversed_operand(node)
    shape = scope.shape_of(value) if value is not None else None
    if value is None or shape is None or len(shape) < 3:
        return
    text = scope.program.text(value)
    message = (
        f"`{scope.program.text(node)}` reverses all {len(shape)} axes of {text} {shape}; `.mT` exchanges the last two"
    )
    yield "reversed-axes", message, lambda new: attribute(reversed_operand(new), "mT")


def transposition(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """A matrix transposed that should not be, or the reverse."""
    value = transposed_operand(node)
    if value is not None and (reversed_operand(node) is None or len(scope.shape_of(value) or ()) == 2):
        message = f"`{scope.program.text(node)}` is transposed where {scope.program.text(value)} fits"
        yield _exchanged(node, scope), message, transposed_operand
        if isinstance(node, ast.Call) and len(scope.shape_of(value) or ()) > 2:
            message = f"`{scope.program.text(node)}` exchanges other axes than the last two"
            yield "transposed", message, lambda new: attribute(transposed_operand(new), "mT")
        return
    shape = scope.shape_of(node)
    whole = is_value(node) or product_operands(node) is not None
    if whole and shape is not None and len(shape) in (2, 3):
        word = "T" if len(shape) == 2 else "mT"
        text = scope.program.text(node)
        cause = "reversed-axes" if len(shape) > 2 and reversed_operand(node) is not None else "transposed"
        yield cause, f"{text} {shape} is needed transposed", lambda new: attribute(new, word)


def _exchanged(node: ast.AST, scope: Scope) -> str:
    """What it means that two axes are exchanged: of four, those of the kernel or the channels."""
    shape = scope.shape_of(node) or ()
    if isinstance(node, ast.Call) and len(shape) == 4:
        axes = {ast.unparse(argument) for argument in node.args}
        if axes <= {"2", "3", "-1", "-2"}:
            return "kernel-axes-transposed"
        if axes <= {"0", "1"}:
            return "channels-swapped"
    return "transposed"


def transposed_operand(node: ast.AST) -> ast.expr | None:
    """What `x.T`, `x.mT`, `x.t()`, `x.transpose(a, b)`, `x.swapaxes(a, b)` transpose."""
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "t" and not node.args:
            return node.func.value
        if node.func.attr in ("transpose", "swapaxes") and len(node.args) == 2:
            return node.func.value
    return reversed_operand(node)


def operand_order(node: ast.AST, scope: Scope) -> Iterator[tuple[str | None, str, Make]]:
    """The factors of a matrix product the other way round."""
    operands = product_operands(node)
    if operands is None:
        return
    left, right = (scope.program.text(operand) for operand in operands)
    shapes = tuple(scope.shape_of(operand) for operand in operands)
    message = f"`{left}` {shapes[0] or ''} and `{right}` {shapes[1] or ''} are multiplied in the wrong order"
    yield "wrong-operand-order", message, _swapped


def _swapped(node: Any) -> ast.expr:
    if isinstance(node, ast.BinOp):
        return ast.BinOp(node.right, node.op, node.left)
    if len(node.args) == 2:
        return ast.Call(node.func, node.args[::-1], node.keywords)
    return ast.Call(attribute(node.args[0], node.func.attr), [node.func.value], node.keywords)
