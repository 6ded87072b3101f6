"""What looks wrong about a line, from the shapes in it alone: `.T` beyond matrices, unwanted broadcasting."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass

from .program import Program

Shape = tuple[int, ...]
AxesOf = Callable[[ast.AST], "tuple[str, ...] | None"]
ShapeOf = Callable[[ast.AST], Shape | None]


@dataclass(frozen=True)
class Sight:
    """What is known of an expression: its source, its shape, the meaning of its axes."""

    program: Program
    shape_of: ShapeOf
    axes_of: AxesOf

    def text(self, node: ast.AST) -> str:
        """The expression as written."""
        return self.program.text(node)

    def shape(self, node: ast.AST) -> str:
        """The shape with its meaning: "(1, 9, 784) = (N, C·K, L)"."""
        shape, axes = self.shape_of(node), self.axes_of(node)
        meant = f" = ({', '.join(axes)})" if shape and axes and len(axes) == len(shape) else ""
        return f"{shape}{meant}"


def suspicion(sight: Sight, statement: ast.AST) -> str | None:
    """The first thing that looks wrong in a statement, or None."""
    notes = (look(sight, node) for node in _inside_out(statement) for look in _LOOKS)
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


def _reversed_axes(sight: Sight, node: ast.AST) -> str | None:
    value = reversed_operand(node)
    shape = sight.shape_of(value) if value is not None else None
    if value is None or shape is None or len(shape) < 3:
        return None
    name, axes = sight.text(value), sight.axes_of(value)
    after = f"{shape[::-1]}" + (f" = ({', '.join(axes[::-1])})" if axes and len(axes) == len(shape) else "")
    return (
        f"`{sight.text(node)}` reverses all {len(shape)} axes of `{name}`: {sight.shape(value)} becomes {after}; "
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


def _inner_sizes(sight: Sight, node: ast.AST) -> str | None:
    """The one thing that every matrix product needs."""
    operands = product_operands(node)
    if operands is None:
        return None
    left, right = (sight.shape_of(operand) for operand in operands)
    if not left or not right or left[-1] == right[max(-2, -len(right))]:
        return None
    return (
        f"in `{sight.text(node)}` the inner sizes {left[-1]} and {right[max(-2, -len(right))]} disagree: "
        f"{sight.shape(operands[0])} times {sight.shape(operands[1])}"
    )


def _batches_broadcast(sight: Sight, node: ast.AST) -> str | None:
    operands = product_operands(node)
    if operands is None:
        return None
    left, right = (sight.shape_of(operand) for operand in operands)
    if left is None or right is None or len(left) < 3 or len(right) < 3 or left[:-2] == right[:-2]:
        return None
    return (
        f"in `{sight.text(node)}` {sight.shape(operands[0])} and {sight.shape(operands[1])} do not have the same "
        f"leading axes; they are broadcast against each other"
    )


def _elements_broadcast(sight: Sight, node: ast.AST) -> str | None:
    """(4, 1) − (4,) is (4, 4): neither operand has the shape of the result."""
    if not isinstance(node, ast.BinOp) or isinstance(node.op, ast.MatMult):
        return None
    left, right, result = sight.shape_of(node.left), sight.shape_of(node.right), sight.shape_of(node)
    if not left or not right or result is None or result in (left, right) or len(left) == len(right):
        return None
    return f"in `{sight.text(node)}` {left} and {right} are broadcast to {result}, which is neither's shape"


_LOOKS = (_reversed_axes, _inner_sizes, _batches_broadcast, _elements_broadcast)
