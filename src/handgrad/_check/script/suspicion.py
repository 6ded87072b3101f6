"""What looks wrong about a line, from the shapes in it alone: `.T` beyond matrices, unwanted broadcasting."""

from __future__ import annotations

import ast
from collections.abc import Callable

from .program import Program

Shape = tuple[int, ...]
ShapeOf = Callable[[ast.AST], Shape | None]


def suspicion(program: Program, statement: ast.AST, shape_of: ShapeOf) -> str | None:
    """The first thing that looks wrong in a statement, or None."""
    notes = (look(program, node, shape_of) for node in _inside_out(statement) for look in _LOOKS)
    return next((note for note in notes if note), None)


def _inside_out(node: ast.AST) -> list[ast.AST]:
    return [inner for child in ast.iter_child_nodes(node) for inner in _inside_out(child)] + [node]


def product_operands(node: ast.AST) -> tuple[ast.expr, ast.expr] | None:
    """The two factors of a matrix product, however it is written: `a @ b`, `a.matmul(b)`, `torch.mm(a, b)`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        return node.left, node.right
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in PRODUCTS:
        if len(node.args) == 2:
            return node.args[0], node.args[1]
        if len(node.args) == 1:
            return node.func.value, node.args[0]
    return None


PRODUCTS = ("matmul", "mm", "bmm", "dot", "mv")


def _reversed_axes(program: Program, node: ast.AST, shape_of: ShapeOf) -> str | None:
    value = reversed_operand(node)
    shape = shape_of(value) if value is not None else None
    if value is None or shape is None or len(shape) < 3:
        return None
    name = program.text(value)
    return (
        f"`{program.text(node)}` reverses all {len(shape)} axes of `{name}`: {shape} becomes {shape[::-1]}; "
        f"`{name}.mT` exchanges the last two"
    )


def reversed_operand(node: ast.AST) -> ast.expr | None:
    """What `x.T`, `x.transpose()` or `np.transpose(x)` reverse."""
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "transpose":
        if len(node.args) == 1 and not node.keywords and isinstance(node.args[0], ast.Name | ast.Attribute):
            return node.args[0]
        if not node.args and not node.keywords:
            return node.func.value
    return None


def _batches_broadcast(program: Program, node: ast.AST, shape_of: ShapeOf) -> str | None:
    operands = product_operands(node)
    if operands is None:
        return None
    left, right = shape_of(operands[0]), shape_of(operands[1])
    if left is None or right is None or len(left) < 3 or len(right) < 3 or left[:-2] == right[:-2]:
        return None
    return (
        f"in `{program.text(node)}` {left} and {right} do not have the same leading axes; "
        f"they are broadcast against each other"
    )


def _elements_broadcast(program: Program, node: ast.AST, shape_of: ShapeOf) -> str | None:
    """(4, 1) − (4,) is (4, 4): neither operand has the shape of the result."""
    if not isinstance(node, ast.BinOp) or isinstance(node.op, ast.MatMult):
        return None
    left, right, result = shape_of(node.left), shape_of(node.right), shape_of(node)
    if not left or not right or result is None or result in (left, right) or len(left) == len(right):
        return None
    return f"in `{program.text(node)}` {left} and {right} are broadcast to {result}, which is neither's shape"


_LOOKS = (_reversed_axes, _batches_broadcast, _elements_broadcast)
