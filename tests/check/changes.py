"""What may stand in the place of a node of a backward pass: the steps away from a right one that people take."""

from __future__ import annotations

import ast
from collections.abc import Iterator

Change = tuple[str, ast.AST]  # what was done, and what stands in the node's place

_LAYOUT = {"transpose", "permute", "swapaxes", "flip", "rot90", "reshape", "view", "flatten", "squeeze", "rollaxis"}
_PRODUCTS = {"matmul", "dot", "mm", "bmm", "outer"}
_MASKS = {ast.Gt: ast.Lt, ast.Lt: ast.Gt, ast.GtE: ast.LtE, ast.LtE: ast.GtE, ast.Eq: ast.GtE}


def changes(node: ast.AST, names: list[str]) -> Iterator[Change]:
    """What may stand in the place of a node."""
    match node:
        case ast.BinOp():
            yield from _operators(node)
        case ast.Call():
            yield from _calls(node)
        case ast.Compare(ops=[op]) if type(op) in _MASKS:
            yield "mask", ast.Compare(node.left, [_MASKS[type(op)]()], node.comparators)
        case ast.Attribute(attr="T" | "mT"):
            yield "transpose removed", node.value
        case ast.AugAssign(op=ast.Add()):
            yield "= for +=", ast.Assign([node.target], node.value)
        case ast.UnaryOp(op=ast.USub(), operand=operand) if not isinstance(operand, ast.Constant):
            yield "sign", operand
        case ast.Assign(value=value) if not isinstance(value, ast.Tuple | ast.Constant):
            yield "sign", ast.Assign(node.targets, ast.UnaryOp(ast.USub(), value))
        case ast.Constant(value=float() as value):
            yield "constant", ast.Constant(2 * value + 1)
        case ast.Slice():
            yield from _slices(node)
        case ast.Name(ctx=ast.Load()) if node.id in names:
            yield from (("another name", ast.Name(name, ast.Load())) for name in names if name != node.id)
        case ast.Return(value=ast.Tuple(elts=[first, second, *rest])):
            yield "return order", ast.Return(ast.Tuple([second, first, *rest], ast.Load()))
            yield "return count", ast.Return(ast.Tuple([first, *rest], ast.Load()))


def _operators(node: ast.BinOp) -> Iterator[Change]:
    match node.op:
        case ast.Add():
            yield from (("term dropped", node.left), ("term dropped", node.right))
            yield "sign", ast.BinOp(node.left, ast.Sub(), node.right)
        case ast.Sub():
            yield "term dropped", node.left
            yield "sign", ast.BinOp(node.left, ast.Add(), node.right)
        case ast.Mult():
            yield from (("factor dropped", node.left), ("factor dropped", node.right))
        case ast.Div():
            yield "factor dropped", node.left
            yield "times for divided", ast.BinOp(node.left, ast.Mult(), node.right)
        case ast.MatMult():
            yield "operands swapped", ast.BinOp(node.right, ast.MatMult(), node.left)
            yield "transpose inserted", ast.BinOp(_turned(node.left), ast.MatMult(), node.right)
            yield "transpose inserted", ast.BinOp(node.left, ast.MatMult(), _turned(node.right))


def _turned(node: ast.expr) -> ast.expr:
    return ast.Attribute(node, "T", ast.Load())


def _calls(node: ast.Call) -> Iterator[Change]:
    method = isinstance(node.func, ast.Attribute) and not _is_module(node.func.value)
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    subject = node.func.value if method else next(iter(node.args), None)
    if name in _LAYOUT and subject is not None:
        yield f"{name} removed", subject
    if name in _PRODUCTS and len(node.args) == 2 - method:
        left, right = (subject, node.args[0]) if method else node.args
        yield "operands swapped", _product(node, method, right, left)
        yield "transpose inserted", _product(node, method, _turned(left), right)
    if name in ("sum", "mean") and isinstance(node.func, ast.Attribute):
        other = ast.Attribute(node.func.value, {"sum": "mean", "mean": "sum"}[name], ast.Load())
        yield f"{name} exchanged", ast.Call(other, node.args, node.keywords)
        yield f"{name} removed", subject
    if name in ("sum", "mean", "max", "flip", "cumsum", "repeat"):
        yield from _axes(node, 0 if method else 1)
    if name == "range":
        *start, stop = node.args[:2]
        yield "range", ast.Call(node.func, [*start, ast.BinOp(stop, ast.Sub(), ast.Constant(1)), *node.args[2:]], [])
        if not start:
            yield "range", ast.Call(node.func, [ast.Constant(1), stop], [])


def _is_module(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("np", "torch", "F", "numpy")


def _product(node: ast.Call, method: bool, left: ast.expr, right: ast.expr) -> ast.Call:
    if method and isinstance(node.func, ast.Attribute):
        return ast.Call(ast.Attribute(left, node.func.attr, ast.Load()), [right], [])
    return ast.Call(node.func, [left, right], [])


def _axes(node: ast.Call, position: int) -> Iterator[Change]:
    """Another axis, or one axis less; as a keyword or in its place."""
    for i, given in enumerate(node.keywords):
        if given.arg in ("axis", "dim"):
            for other in _other_axes(given.value):
                yield "axis", ast.Call(node.func, node.args, [
                    ast.keyword(k.arg, other) if i == j else k for j, k in enumerate(node.keywords)
                ])  # fmt: skip
    for other in _other_axes(node.args[position]) if len(node.args) > position else ():
        yield "axis", ast.Call(node.func, [*node.args[:position], other, *node.args[position + 1 :]], node.keywords)


def _other_axes(axis: ast.expr) -> Iterator[ast.expr]:
    match axis:
        case ast.Constant(value=int() as value) if not isinstance(value, bool):
            yield ast.Constant(1 if value == 0 else 0)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int())):
            yield ast.Constant(0)
        case ast.Tuple(elts=[first, *rest]) if rest:
            yield first
            yield ast.Tuple(rest, ast.Load())


def _slices(node: ast.Slice) -> Iterator[Change]:
    if node.lower is not None:
        yield "slice", ast.Slice(None, node.upper, node.step)
        if node.upper is not None:
            shifted = [ast.BinOp(end, ast.Add(), ast.Constant(1)) for end in (node.lower, node.upper)]
            yield "slice", ast.Slice(*shifted, node.step)
    if node.upper is not None:
        yield "slice", ast.Slice(node.lower, None, node.step)
    if node.step is not None:
        yield "slice", ast.Slice(node.lower, node.upper, None)
